//! How a batch of commands reaches the database: decided on accounts that a lane remembers or has just read, in one
//! statement, or else under locks. What differs is who makes sure that nothing has changed in between: the
//! statement's own comparison, or the lock.

use sqlx::{Connection, PgConnection};

use crate::{
    domain::{Account, AccountId, Command, Receipt, Refusal, decide},
    server::{
        clock::Clock,
        store::ledger::{self as store, Bucket},
    },
};

/// What the law says to a command.
pub type Answer = Result<Receipt, Refusal>;

/// Locks, loads, decides and writes in the caller's transaction. Answers in the order of the commands, and
/// the accounts as they are once the caller commits.
pub async fn under_lock(
    conn: &mut PgConnection,
    clock: &Clock,
    bucket: Bucket,
    commands: &[Command],
) -> sqlx::Result<(Vec<Answer>, Vec<Account>)> {
    let mut ids: Vec<AccountId> = commands.iter().map(|command| command.account).collect();
    ids.sort_unstable();
    ids.dedup();
    store::lock(conn, bucket, &ids).await?;
    let mut accounts = store::load(conn, bucket, &ids, commands).await?;

    // Only now, with the locks held: no other process writes a later time to these accounts.
    let now = clock.now();
    let answers = commands
        .iter()
        .map(|command| match accounts.binary_search_by_key(&command.account, Account::id) {
            Ok(place) => decide(&mut accounts[place], command, now),
            Err(_) => Err(Refusal::UnknownAccount),
        })
        .collect();
    write_changed(conn, bucket, &accounts).await?;
    Ok((answers, accounts))
}

/// Settles accounts in the caller's transaction, and returns them as they are once the caller commits: those that nobody
/// else holds at the moment.
pub async fn settle(
    conn: &mut PgConnection,
    clock: &Clock,
    bucket: Bucket,
    due: &[AccountId],
) -> sqlx::Result<Vec<Account>> {
    let free = store::lock_free(conn, bucket, due).await?;
    let mut accounts = store::load(conn, bucket, &free, &[]).await?;
    // As above, only with the locks held.
    let now = clock.now();
    accounts.iter_mut().for_each(|account| account.settle(now));
    write_changed(conn, bucket, &accounts).await?;
    Ok(accounts)
}

async fn write_changed(conn: &mut PgConnection, bucket: Bucket, accounts: &[Account]) -> sqlx::Result<()> {
    let changed: Vec<&Account> = accounts.iter().filter(|account| account.has_unwritten()).collect();
    if changed.is_empty() {
        return Ok(());
    }
    store::write(conn, bucket, &changed).await
}

/// Writes what was decided on accounts without a lock, each of which has something unwritten, if they are still what
/// they were.
///
/// # Errors
/// [`store::Stale`] where one is not, or a key was used before; then nothing has happened. After any other
/// error it is not known whether it has.
pub async fn write(conn: &mut PgConnection, bucket: Bucket, accounts: &[Account]) -> sqlx::Result<()> {
    let accounts: Vec<&Account> = accounts.iter().collect();
    if store::is_one_statement(&accounts) {
        return store::write(conn, bucket, &accounts).await;
    }
    let mut transaction = conn.begin().await?;
    store::write(&mut transaction, bucket, &accounts).await?;
    transaction.commit().await
}
