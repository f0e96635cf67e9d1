//! Accounts, lots, holds and entries: how the ledger is read, locked and written. `entry_row` is what an entry
//! looks like in its table, `past` what commands need to know of earlier ones, `write` the way in which
//! anything changes.
//!
//! Rows go in and out in one form for each table (`…_row` and `as_row` of the migrations), so that its columns are
//! listed in one place.
//!
//! The statements of the lanes look rows up one by one, in a `lateral` that `offset 0` keeps as it stands or in a
//! subselect. So they have one plan only, a loop over index lookups, whatever the statistics say: a plan that was
//! made while the tables were empty is not the undoing of full ones.

mod accounts;
mod audit;
mod due;
mod entries;
mod entry_row;
mod holds;
mod lots;
mod past;
mod subscriptions;
mod usage;
mod write;

use std::collections::HashMap;

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

pub use self::{
    accounts::{AccountRow, lock, lock_free, open},
    audit::{Found, Kept, count_entries, keys_used_twice, misplaced, next_accounts, one_account, orphans},
    due::{Overdue, due, overdue},
    entries::{Filter, Line, answered, history, of_subscription, stream, take_time},
    lots::{granted, list as lots},
    usage::{MonthTally, of_months as usage},
    write::{Stale, is_one_statement, write},
};
use super::corrupt;
use crate::domain::{Account, AccountId, Command, Lot};

/// How a transaction begins whose statements all see one moment, and that writes nothing.
pub const SNAPSHOT: &str = "begin isolation level repeatable read read only";

/// Into how many buckets the accounts of this database are divided: a power of two.
#[derive(Clone, Copy, Debug)]
pub struct Buckets(u8);

/// The part of the ledger in which an account lives. Every statement of the ledger names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

    pub fn all(self) -> impl Iterator<Item = Bucket> {
        (0..i16::from(self.0)).map(Bucket)
    }
}

impl Bucket {
    /// As its column holds it.
    pub fn get(self) -> i16 {
        self.0
    }

    /// Its place among the buckets.
    pub fn index(self) -> usize {
        usize::from(self.0.unsigned_abs())
    }
}

/// Those of the accounts that exist, in the order of their ids (as `accounts` must be), with what is open on them and
/// with what these commands name of their past. What is read is right if the accounts are locked, or all is read in
/// one snapshot.
pub async fn load(
    conn: &mut PgConnection,
    bucket: Bucket,
    accounts: &[AccountId],
    commands: &[Command],
) -> sqlx::Result<Vec<Account>> {
    let past = past::read(conn, bucket, commands).await?;
    let open = accounts::read(conn, bucket, accounts).await?;
    let mut ended: HashMap<AccountId, Vec<Lot>> = HashMap::new();
    for row in lots::ended(conn, bucket, &past.lots()).await? {
        ended.entry(row.account_id.into()).or_default().push(row.read()?);
    }
    let mut accounts = open
        .into_iter()
        .map(|rows| {
            let ended = ended.remove(&rows.id()).unwrap_or_default();
            rows.complete(ended)
        })
        .collect::<sqlx::Result<Vec<_>>>()?;
    past.tell(&mut accounts);
    Ok(accounts)
}

/// An account with what is open on it, as one moment saw it, if it exists.
pub async fn find(
    conn: &mut PgConnection,
    bucket: Bucket,
    account: AccountId,
) -> sqlx::Result<Option<Account>> {
    let rows = accounts::read(conn, bucket, &[account]).await?.pop();
    rows.map(|rows| rows.complete(Vec::new())).transpose()
}

pub(super) fn uuids(accounts: &[AccountId]) -> Vec<Uuid> {
    accounts.iter().map(|account| Uuid::from(*account)).collect()
}
