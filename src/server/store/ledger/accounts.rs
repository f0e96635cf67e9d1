//! Accounts: how one is made, locked and read with what is open on it.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Bucket, corrupt, holds::HoldRow, lots::LotRow, subscriptions, usage, uuids};
use crate::domain::{
    Account, AccountId, Chain, Credits, Hold, Lot, LotNumber, Period, Usage, Version,
    account::{Standing, Uses},
};

/// An account as its table holds it.
#[derive(sqlx::Type)]
#[sqlx(type_name = "account_row")]
pub struct AccountRow {
    pub id: Uuid,
    /// The end of the chain that the rest was decided on; as it is read, the chain itself. Unlike a version it says
    /// which history it is the end of.
    pub decided_on: Vec<u8>,
    pub version: i64,
    pub balance: i64,
    pub held: i64,
    pub debt: i64,
    pub last_entry_at: Option<DateTime<Utc>>,
    pub last_lot: i64,
    pub chain: Vec<u8>,
    pub unlimited_until: Option<DateTime<Utc>>,
    pub last_use_at: Option<DateTime<Utc>>,
    pub uses_in_hour: i32,
    pub uses_in_day: i32,
    pub created_at: DateTime<Utc>,
    /// When the month of the usage began, and what was run in it.
    pub usage_month: Option<DateTime<Utc>>,
    pub usage: Option<String>,
}

/// Makes an account without history.
pub async fn open(
    conn: &mut PgConnection,
    bucket: Bucket,
    account: AccountId,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into accounts (bucket, id, created_at)
         values ($1, $2, $3)",
        bucket.0,
        Uuid::from(account),
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Locks those of the accounts that exist until the end of the transaction, one after the other: `accounts` are in
/// the order of their ids, so that no two transactions wait for each other. Whatever is to be known of them is read
/// by later statements: what the statement that had to wait for a lock reads of other rows is as old as the wait.
pub async fn lock(conn: &mut PgConnection, bucket: Bucket, accounts: &[AccountId]) -> sqlx::Result<()> {
    sqlx::query!(
        "select locked.id
         from unnest($2::uuid[]) as asked (id),
              lateral (
                  select accounts.id
                  from accounts
                  where bucket = $1
                    and accounts.id = asked.id
                  for no key update
              ) as locked",
        bucket.0,
        &uuids(accounts),
    )
    .fetch_all(conn)
    .await
    .map(drop)
}

/// Locks those of the accounts that nobody else holds, as [`lock`] does, and waits for none. Returns which these are.
pub async fn lock_free(
    conn: &mut PgConnection,
    bucket: Bucket,
    accounts: &[AccountId],
) -> sqlx::Result<Vec<AccountId>> {
    let ids = sqlx::query_scalar!(
        "select id
         from accounts
         where bucket = $1
           and id = any($2)
         for no key update skip locked",
        bucket.0,
        &uuids(accounts),
    );
    Ok(ids.fetch_all(conn).await?.into_iter().map(AccountId::from).collect())
}

/// An account with its open lots and its open holds, as their tables hold them.
pub struct OpenRows {
    account: AccountRow,
    lots: Vec<LotRow>,
    holds: Vec<HoldRow>,
    subscription: Option<String>,
}

/// Those of the accounts that exist, in the order of their ids, as one moment saw them.
pub async fn read(
    conn: &mut PgConnection,
    bucket: Bucket,
    accounts: &[AccountId],
) -> sqlx::Result<Vec<OpenRows>> {
    sqlx::query_as!(
        OpenRows,
        r#"select as_row(accounts) as "account!: AccountRow",
                  array(
                      select as_row(lots)
                      from lots
                      where lots.bucket = $1
                        and lots.account_id = accounts.id
                        and lots.is_open
                  ) as "lots!: Vec<LotRow>",
                  array(
                      select as_row(holds)
                      from holds
                      where holds.bucket = $1
                        and holds.account_id = accounts.id
                  ) as "holds!: Vec<HoldRow>",
                  (
                      select state::text
                      from subscriptions
                      where subscriptions.bucket = $1
                        and subscriptions.account_id = accounts.id
                  ) as subscription
           from accounts
           where bucket = $1
             and id = any($2)
           order by id"#,
        bucket.0,
        &uuids(accounts),
    )
    .fetch_all(conn)
    .await
}

impl OpenRows {
    pub fn id(&self) -> AccountId {
        self.account.id.into()
    }

    /// The account, told of lots that are not open; what was read must say the same in all its places.
    pub fn complete(self, ended: Vec<Lot>) -> sqlx::Result<Account> {
        let lots = self.lots.into_iter().map(LotRow::read).chain(ended.into_iter().map(Ok));
        let holds = self.holds.into_iter().map(HoldRow::read);
        let (balance, held) = (self.account.balance, self.account.held);
        let subscription = self.subscription.as_deref().map(subscriptions::parse).transpose()?;
        let account = Account::restore(
            Standing { subscription, ..self.account.standing()? },
            lots.collect::<sqlx::Result<Vec<Lot>>>()?,
            holds.collect::<sqlx::Result<Vec<Hold>>>()?,
        );
        if (account.balance().get(), account.held().get()) == (balance, held) {
            Ok(account)
        } else {
            Err(corrupt(format_args!("{} has a balance that is not the sum of its lots", account.id())))
        }
    }
}

impl AccountRow {
    /// What is to be kept of an account, once its unwritten entries are written.
    pub fn write(account: &Account) -> Self {
        let standing = account.standing();
        let saturated = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        Self {
            id: account.id().into(),
            decided_on: account.written_chain().bytes().to_vec(),
            version: account.version().0,
            balance: account.balance().get(),
            held: account.held().get(),
            debt: account.debt().get(),
            last_entry_at: standing.last_entry_at,
            last_lot: standing.last_lot.0,
            chain: standing.chain.bytes().to_vec(),
            unlimited_until: standing.unlimited_until,
            last_use_at: standing.uses.last_at,
            uses_in_hour: saturated(standing.uses.in_hour),
            uses_in_day: saturated(standing.uses.in_day),
            created_at: standing.opened_at,
            usage_month: standing.usage.month.map(|month| month.start),
            usage: usage::render(&standing.usage),
        }
    }

    /// Without the subscription, which has a table of its own.
    pub fn standing(&self) -> sqlx::Result<Standing> {
        let chain = <[u8; 32]>::try_from(self.chain.as_slice()).map_err(corrupt)?;
        Ok(Standing {
            id: self.id.into(),
            version: Version(self.version),
            debt: Credits::try_from(self.debt).map_err(corrupt)?,
            last_entry_at: self.last_entry_at,
            last_lot: LotNumber(self.last_lot),
            chain: Chain::from_bytes(chain),
            unlimited_until: self.unlimited_until,
            uses: self.uses(),
            opened_at: self.created_at,
            usage: self.usage()?.into(),
            subscription: None,
        })
    }

    pub fn usage(&self) -> sqlx::Result<Usage> {
        let Some(month) = self.usage_month else { return Ok(Usage::default()) };
        Ok(Usage {
            month: Period::around(self.created_at, month),
            tallies: usage::parse(self.usage.as_deref().unwrap_or_default())?,
        })
    }

    pub fn uses(&self) -> Uses {
        Uses {
            last_at: self.last_use_at,
            in_hour: self.uses_in_hour.unsigned_abs(),
            in_day: self.uses_in_day.unsigned_abs(),
        }
    }
}
