//! The one statement by which the ledger changes: accounts, the lots that were touched, the entries. What
//! only some commands concern (holds, subscriptions, months of usage that are over, refunds, clawbacks) follows in statements of its own.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::{AccountRow, Bucket, entry_row::EntryRow, holds, lots::LotRow, past, subscriptions, usage};
use crate::domain::{Account, Kind, LotNumber};

/// Whether one statement writes all that was decided on these accounts. It is a transaction by itself then.
pub fn is_one_statement(accounts: &[&Account]) -> bool {
    let mut decided = accounts.iter().flat_map(|account| account.journal());
    let no_month_ends = accounts.iter().all(|account| account.closed_usage().is_empty());
    no_month_ends
        && decided.all(|entry| match entry.kind {
            Kind::Grant
            | Kind::Spend(_)
            | Kind::Expiry
            | Kind::Void
            | Kind::Adjustment
            | Kind::Unlimited { .. } => true,
            Kind::Hold { .. }
            | Kind::Capture { .. }
            | Kind::Release { .. }
            | Kind::Refund { .. }
            | Kind::Clawback(_)
            | Kind::Reinstatement(_)
            | Kind::Subscription(_)
            | Kind::Renewal(_) => false,
        })
}

/// Writes what was decided on these accounts, each of which has something unwritten: their new state, the
/// lots that were touched, the entries.
///
/// # Errors
/// [`Stale`] where an account is no longer what it was decided on, or a key was used already. All or
/// nothing is written, if this is a transaction by itself; else the transaction is lost.
pub async fn write(conn: &mut PgConnection, bucket: Bucket, accounts: &[&Account]) -> sqlx::Result<()> {
    let decided: Vec<AccountRow> = accounts.iter().map(|account| AccountRow::write(account)).collect();
    let (touched, begun) = lots(accounts);
    let journals = accounts.iter().flat_map(|account| account.journal());
    let entries: Vec<EntryRow> = journals.map(|entry| EntryRow::write(entry)).collect();
    sqlx::query_scalar!(
        r#"with claimed as (
               update accounts
               set version = decided.version,
                   balance = decided.balance,
                   held = decided.held,
                   debt = decided.debt,
                   last_entry_at = decided.last_entry_at,
                   last_lot = decided.last_lot,
                   chain = decided.chain,
                   unlimited_until = decided.unlimited_until,
                   last_use_at = decided.last_use_at,
                   uses_in_hour = decided.uses_in_hour,
                   uses_in_day = decided.uses_in_day,
                   usage_month = decided.usage_month,
                   usage = decided.usage
               from unnest($2::account_row[]) as decided,
                    lateral (
                        select known.ctid as place
                        from accounts as known
                        where known.bucket = $1
                          and known.id = decided.id
                        offset 0
                    ) as found
               where accounts.ctid = found.place
                 and accounts.bucket = $1
                 and accounts.chain = decided.decided_on
               returning 1
           ),
           touched as (
               update lots
               set remaining = decided.remaining,
                   held = decided.held,
                   lost = decided.lost,
                   is_void = decided.is_void,
                   expires_at = decided.expires_at
               from unnest($3::lot_row[]) as decided,
                    lateral (
                        select known.ctid as place
                        from lots as known
                        where known.bucket = $1
                          and known.account_id = decided.account_id
                          and known.number = decided.number
                        offset 0
                    ) as found
               where lots.ctid = found.place
                 and lots.bucket = $1
               returning 1
           ),
           begun as (
               insert into lots (
                   bucket, account_id, number, source, priority, granted, remaining, held, lost, is_void,
                   effective_at, expires_at, created_at
               )
               select $1, account_id, number, source::lot_source, priority, granted, remaining, held, lost, is_void,
                      effective_at, expires_at, created_at
               from unnest($4::lot_row[])
           ),
           written as (
               insert into entries (
                   bucket, version, at, balance_after, key, fingerprint, link, kind, account_id, movements,
                   action, units, cost, about, until, debt_change,
                   opened_lot, source, priority, effective_at, expires_at,
                   description, reference, metadata, clawed_taken, clawed_owed, clawed_forgiven, subscription
               )
               select $1, version, at, balance_after, key, fingerprint, link, kind, account_id, movements,
                      action, units, cost, about, until, debt_change,
                      opened_lot, source::lot_source, priority, effective_at, expires_at,
                      description, reference, metadata::json, clawed_taken, clawed_owed, clawed_forgiven, subscription::json
               from unnest($5::entry_row[])
           )
           -- Fails, and undoes all of it, unless every account was as it was decided on, with all its lots.
           select 1 / (
                      (select count(*) from claimed) = cardinality($2)
                      and (select count(*) from touched) = cardinality($3)
                  )::integer as "all_claimed!""#,
        bucket.0,
        &decided as &[AccountRow],
        &touched as &[LotRow],
        &begun as &[LotRow],
        &entries as &[EntryRow],
    )
    .fetch_one(&mut *conn)
    .await?;
    holds::write(conn, bucket, accounts).await?;
    subscriptions::write(conn, bucket, accounts).await?;
    usage::write(conn, bucket, accounts).await?;
    past::write(conn, bucket, accounts).await
}

/// Why a write was refused: something was not what it was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// An account has another history than it was decided on.
    Account,
    /// A key was used before.
    Key,
}

impl Stale {
    /// `None` where a write failed for another reason.
    pub fn of(error: &sqlx::Error) -> Option<Self> {
        let error = error.as_database_error()?;
        match error.constraint() {
            Some("entries_key") => Some(Self::Key),
            Some("entries_pkey") => Some(Self::Account),
            _ if error.code().is_some_and(|code| code == NOT_ALL_CLAIMED) => Some(Self::Account),
            _ => None,
        }
    }
}

/// SQLSTATE of a division by zero: how [`write`]'s statement says that it could not claim every account.
const NOT_ALL_CLAIMED: &str = "22012";

/// The lots that unwritten entries touched, and those that began with them.
fn lots(accounts: &[&Account]) -> (Vec<LotRow>, Vec<LotRow>) {
    let (mut touched, mut begun) = (Vec::new(), Vec::new());
    for account in accounts {
        let journal = account.journal();
        let movements = journal.iter().flat_map(|entry| &entry.movements);
        let numbers: BTreeSet<LotNumber> = movements.map(|movement| movement.lot).collect();
        let first_begun = journal.iter().filter_map(|entry| entry.opened).map(|opened| opened.lot).min();
        for number in numbers {
            let lot = account.lot(number).expect("what moved a lot had it at hand");
            let is_new = first_begun.is_some_and(|first| lot.number >= first);
            let lots = if is_new { &mut begun } else { &mut touched };
            lots.push(LotRow::write(account.id(), lot));
        }
    }
    (touched, begun)
}
