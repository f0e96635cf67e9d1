//! The engine: commands in, one transaction, answers out. Every change of an account passes through
//! [`Ledger::execute_in`]; there is no second way.

use sqlx::{Connection, PgConnection, PgPool};

use super::{
    Error,
    clock::Clock,
    store::ledger::{self as store, Bucket, Buckets},
};
use crate::domain::{Account, AccountId, Command, Entry, IdempotencyKey, Receipt, Refusal, Version, decide};

/// The ledger of one database. Several processes may each have one: the locks on the account rows, not
/// this program, keep them apart.
#[derive(Clone, Debug)]
pub struct Ledger {
    pool: PgPool,
    clock: Clock,
    buckets: Buckets,
}

impl Ledger {
    pub async fn open(pool: PgPool, clock: Clock) -> sqlx::Result<Self> {
        let buckets = Buckets::read(&pool).await?;
        Ok(Self { pool, clock, buckets })
    }

    /// Makes an account without history, in the caller's transaction.
    pub async fn open_account(&self, conn: &mut PgConnection) -> sqlx::Result<AccountId> {
        let account = AccountId::from(self.clock.new_id());
        store::open(conn, self.bucket(account), account, self.clock.now()).await?;
        Ok(account)
    }

    pub fn bucket(&self, account: AccountId) -> Bucket {
        self.buckets.of(account)
    }

    /// Carries out one command. The outer error means that the database failed; the inner one is the
    /// law's answer.
    pub async fn execute_one(&self, command: Command) -> Result<Result<Receipt, Refusal>, Error> {
        let bucket = self.bucket(command.account);
        let mut answers = self.execute(bucket, &[command]).await?;
        answers.pop().ok_or_else(|| Error::internal("a command without an answer"))
    }

    /// Carries out commands of one bucket's accounts in a transaction of its own. Each gets its own
    /// answer, in the order of the commands; when this returns, all of them are on disk.
    pub async fn execute(
        &self,
        bucket: Bucket,
        commands: &[Command],
    ) -> sqlx::Result<Vec<Result<Receipt, Refusal>>> {
        let mut conn = self.pool.acquire().await?;
        let mut transaction = conn.begin().await?;
        let answers = self.execute_in(&mut transaction, bucket, commands).await?;
        transaction.commit().await?;
        Ok(answers)
    }

    /// The same within the caller's transaction: locks, loads, decides and writes. Nothing has happened
    /// until the caller commits. One refused command does not fail its neighbours.
    pub async fn execute_in(
        &self,
        conn: &mut PgConnection,
        bucket: Bucket,
        commands: &[Command],
    ) -> sqlx::Result<Vec<Result<Receipt, Refusal>>> {
        let mut ids: Vec<AccountId> = commands.iter().map(|command| command.account).collect();
        ids.sort_unstable();
        ids.dedup();
        let locked = store::lock(conn, bucket, &ids).await?;

        let mut accounts = store::read(conn, bucket, &locked).await?;
        let asked: Vec<(AccountId, IdempotencyKey)> =
            commands.iter().map(|command| (command.account, command.key)).collect();
        for entry in store::answers(conn, bucket, &asked).await? {
            if let Some(account) = find(&mut accounts, entry.account) {
                account.recall(entry);
            }
        }

        // Only now, with the locks held: no other process writes a later time to these accounts.
        let now = self.clock.now();
        let answers = commands
            .iter()
            .map(|command| match find(&mut accounts, command.account) {
                Some(account) => decide(account, command, now),
                None => Err(Refusal::UnknownAccount),
            })
            .collect();

        store::write(conn, bucket, &accounts).await?;
        Ok(answers)
    }

    /// The entry that answered the command with this key, if it was carried out.
    pub async fn answered(&self, id: AccountId, key: IdempotencyKey) -> Result<Option<Entry>, Error> {
        let mut conn = self.pool.acquire().await?;
        Ok(store::answers(&mut conn, self.bucket(id), &[(id, key)]).await?.pop())
    }

    /// An account as it stands now: what has lapsed is settled, though not written.
    pub async fn account(&self, id: AccountId) -> Result<Account, Error> {
        let mut conn = self.pool.acquire().await?;
        Ok(self.account_in(&mut conn, id).await?)
    }

    /// An account as it stands now, and its entries before `before` (from the newest where that is
    /// `None`), newest first. What has lapsed is in it as it will be written, so that the list always
    /// ends at what the account has.
    pub async fn history(
        &self,
        id: AccountId,
        before: Option<Version>,
        limit: usize,
    ) -> Result<History, Error> {
        let mut conn = self.pool.acquire().await?;
        // One snapshot for both reads: an entry is either written or about to be, never both.
        let mut snapshot = conn.begin_with("begin isolation level repeatable read read only").await?;
        let account = self.account_in(&mut snapshot, id).await?;
        let mut entries: Vec<Entry> = account
            .journal()
            .iter()
            .rev()
            .filter(|entry| before.is_none_or(|before| entry.version < before))
            .take(limit)
            .cloned()
            .collect();
        let left = limit - entries.len();
        entries.extend(store::history(&mut snapshot, self.bucket(id), id, before, left).await?);
        snapshot.commit().await?;
        Ok(History { account, entries })
    }

    async fn account_in(&self, conn: &mut PgConnection, id: AccountId) -> sqlx::Result<Account> {
        let mut accounts = store::read(conn, self.bucket(id), &[id]).await?;
        let mut account = accounts.pop().ok_or(sqlx::Error::RowNotFound)?;
        account.settle(self.clock.now());
        Ok(account)
    }
}

/// A part of an account's history, and the account at its end.
#[derive(Debug)]
pub struct History {
    pub account: Account,
    /// Newest first.
    pub entries: Vec<Entry>,
}

/// `accounts` are in the order of their ids.
fn find(accounts: &mut [Account], id: AccountId) -> Option<&mut Account> {
    let place = accounts.binary_search_by_key(&id, Account::id).ok()?;
    accounts.get_mut(place)
}
