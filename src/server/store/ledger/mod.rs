//! Accounts, lots and entries: how the ledger is read, locked and written.

mod entries;
mod lots;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

pub use self::entries::{answers, history};
use self::lots::LotRow;
use super::corrupt;
use crate::domain::{Account, AccountId, LotNumber, Version};

/// Into how many buckets the accounts of this database are divided: a power of two.
#[derive(Clone, Copy, Debug)]
pub struct Buckets(u8);

/// The part of the ledger in which an account lives. Every statement of the ledger names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bucket(i16);

impl Buckets {
    /// The number that was fixed when the database was made.
    pub async fn read(pool: &PgPool) -> sqlx::Result<Self> {
        let layout = sqlx::query!("select buckets from ledger_layout").fetch_one(pool).await?;
        u8::try_from(layout.buckets)
            .ok()
            .filter(|buckets| buckets.is_power_of_two())
            .map(Self)
            .ok_or_else(|| corrupt(format_args!("{} buckets", layout.buckets)))
    }

    pub fn of(self, account: AccountId) -> Bucket {
        Bucket(i16::from(account.bucket_byte() & (self.0 - 1)))
    }
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

/// Locks accounts until the end of the transaction, in the order of their ids, so that no two transactions
/// wait for each other. A statement of its own: what is read by the statement that had to wait for the
/// lock is as old as the wait. Returns those that exist, and so are locked.
pub async fn lock(
    conn: &mut PgConnection,
    bucket: Bucket,
    accounts: &[AccountId],
) -> sqlx::Result<Vec<AccountId>> {
    sqlx::query!(
        "select id
         from accounts
         where bucket = $1
           and id = any($2)
         order by id
         for no key update",
        bucket.0,
        &uuids(accounts),
    )
    .fetch_all(conn)
    .await
    .map(|locked| locked.into_iter().map(|account| account.id.into()).collect())
}

/// Reads accounts with every lot that has credits remaining, as of one instant. Accounts that don't exist
/// are left out.
pub async fn read(
    conn: &mut PgConnection,
    bucket: Bucket,
    accounts: &[AccountId],
) -> sqlx::Result<Vec<Account>> {
    let rows = sqlx::query!(
        r#"select accounts.id,
                  accounts.version,
                  accounts.balance,
                  accounts.last_entry_at,
                  accounts.last_lot,
                  lots.number as "number?",
                  lots.source::text as source,
                  lots.priority as "priority?",
                  lots.granted as "granted?",
                  lots.remaining as "remaining?",
                  lots.effective_at as "effective_at?",
                  lots.expires_at,
                  lots.created_at as "created_at?"
           from accounts
           left join lots
             on lots.bucket = accounts.bucket
            and lots.account_id = accounts.id
            and lots.remaining > 0
           where accounts.bucket = $1
             and accounts.id = any($2)
           order by accounts.id"#,
        bucket.0,
        &uuids(accounts),
    )
    .fetch_all(conn)
    .await?;

    rows.chunk_by(|a, b| a.id == b.id)
        .map(|rows| {
            let account = &rows[0];
            let lots = rows
                .iter()
                .filter_map(|row| {
                    Some(LotRow {
                        number: row.number?,
                        source: row.source.as_deref()?,
                        priority: row.priority?,
                        granted: row.granted?,
                        remaining: row.remaining?,
                        effective_at: row.effective_at?,
                        expires_at: row.expires_at,
                        created_at: row.created_at?,
                    })
                })
                .map(LotRow::read)
                .collect::<sqlx::Result<_>>()?;
            let read = Account::restore(
                account.id.into(),
                Version(account.version),
                account.last_entry_at,
                LotNumber(account.last_lot),
                lots,
            );
            if read.balance().get() == account.balance {
                Ok(read)
            } else {
                Err(corrupt(format_args!("{} has a balance that is not the sum of its lots", read.id())))
            }
        })
        .collect()
}

/// Writes what was decided on these accounts: their new state, the lots that were touched, the entries.
/// The caller holds their locks.
pub async fn write(conn: &mut PgConnection, bucket: Bucket, accounts: &[Account]) -> sqlx::Result<()> {
    let changed: Vec<&Account> = accounts.iter().filter(|account| !account.journal().is_empty()).collect();
    if changed.is_empty() {
        return Ok(());
    }
    write_accounts(conn, bucket, &changed).await?;
    lots::write(conn, bucket, &changed).await?;
    entries::write(conn, bucket, &changed).await
}

async fn write_accounts(conn: &mut PgConnection, bucket: Bucket, accounts: &[&Account]) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = accounts.iter().map(|account| account.id().into()).collect();
    let versions: Vec<i64> = accounts.iter().map(|account| account.version().0).collect();
    let balances: Vec<i64> = accounts.iter().map(|account| account.balance().get()).collect();
    let last_entries: Vec<Option<DateTime<Utc>>> =
        accounts.iter().map(|account| account.last_entry_at()).collect();
    let last_lots: Vec<i64> = accounts.iter().map(|account| account.last_lot().0).collect();
    sqlx::query!(
        "update accounts
         set version = changed.version,
             balance = changed.balance,
             last_entry_at = changed.last_entry_at,
             last_lot = changed.last_lot
         from unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::bigint[])
              as changed (id, version, balance, last_entry_at, last_lot)
         where accounts.bucket = $1
           and accounts.id = changed.id",
        bucket.0,
        &ids,
        &versions,
        &balances,
        &last_entries as &[Option<DateTime<Utc>>],
        &last_lots,
    )
    .execute(conn)
    .await
    .map(drop)
}

fn uuids(accounts: &[AccountId]) -> Vec<Uuid> {
    accounts.iter().map(|account| Uuid::from(*account)).collect()
}
