//! The rows of accounts: the one place of an account that is locked.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Bucket, corrupt, uuids};
use crate::domain::{
    Account, AccountId, Chain, Credits, Hold, Lot, LotNumber, Version,
    account::{Standing, Uses},
};

/// An account as its table holds it.
pub struct AccountRow {
    pub id: Uuid,
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

/// Locks accounts until the end of the transaction, one after the other: `accounts` are in the order of their
/// ids, so that no two transactions wait for each other. What else is to be read of them is read by later statements: what the statement that
/// had to wait for a lock reads of other rows is as old as the wait. Returns those that exist, in their order.
pub async fn lock(
    conn: &mut PgConnection,
    bucket: Bucket,
    accounts: &[AccountId],
) -> sqlx::Result<Vec<AccountRow>> {
    sqlx::query_as!(
        AccountRow,
        "select locked.*
         from unnest($2::uuid[]) as asked (id),
              lateral (
                  select accounts.id,
                         version,
                         balance,
                         held,
                         debt,
                         last_entry_at,
                         last_lot,
                         chain,
                         unlimited_until,
                         last_use_at,
                         uses_in_hour,
                         uses_in_day
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
}

/// The same without a lock.
pub async fn find(
    conn: &mut PgConnection,
    bucket: Bucket,
    accounts: &[AccountId],
) -> sqlx::Result<Vec<AccountRow>> {
    sqlx::query_as!(
        AccountRow,
        "select id,
                version,
                balance,
                held,
                debt,
                last_entry_at,
                last_lot,
                chain,
                unlimited_until,
                last_use_at,
                uses_in_hour,
                uses_in_day
         from accounts
         where bucket = $1
           and id = any($2)
         order by id",
        bucket.0,
        &uuids(accounts),
    )
    .fetch_all(conn)
    .await
}

impl AccountRow {
    /// The account with what is open on it; both records must say the same.
    pub fn complete(self, lots: Vec<Lot>, holds: Vec<Hold>) -> sqlx::Result<Account> {
        let (balance, held) = (self.balance, self.held);
        let account = Account::restore(self.standing()?, lots, holds);
        if (account.balance().get(), account.held().get()) == (balance, held) {
            Ok(account)
        } else {
            Err(corrupt(format_args!("{} has a balance that is not the sum of its lots", account.id())))
        }
    }

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
            uses: Uses {
                last_at: self.last_use_at,
                in_hour: self.uses_in_hour.unsigned_abs(),
                in_day: self.uses_in_day.unsigned_abs(),
            },
        })
    }
}
