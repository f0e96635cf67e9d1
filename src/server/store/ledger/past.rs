//! What commands need to know of what came before: the answers to their keys, and the entries, refunds and
//! clawbacks that they name.

use std::sync::Arc;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Bucket, corrupt, entries};
use crate::domain::{
    Account, AccountId, Act, Command, Credits, Entry, Kind, LotNumber, Version, entry::Clawed,
};

/// The past of a batch of commands.
#[derive(Default)]
pub struct Past {
    entries: Vec<Arc<Entry>>,
    refunded: Vec<(AccountId, Version, Credits)>,
    clawed: Vec<(AccountId, LotNumber, Clawed)>,
    /// Lots that commands name themselves.
    named: Vec<(AccountId, LotNumber)>,
    /// Entries that refunds name.
    refunds: Vec<(AccountId, Version)>,
}

pub async fn read(conn: &mut PgConnection, bucket: Bucket, commands: &[Command]) -> sqlx::Result<Past> {
    if commands.is_empty() {
        return Ok(Past::default());
    }
    let keys: Vec<i64> = commands.iter().map(|command| command.key.within(command.account).get()).collect();
    let mut past = Past { entries: entries::answers(conn, bucket, &keys).await?, ..Past::default() };
    let mut versions = Vec::new();
    let mut clawed = Vec::new();
    for Command { account, act, .. } in commands {
        match act {
            Act::Capture(capture) => versions.push((*account, capture.hold)),
            Act::Release(release) => versions.push((*account, release.hold)),
            Act::Refund(refund) => past.refunds.push((*account, refund.spend)),
            Act::Void(void) => past.named.push((*account, void.lot)),
            Act::Clawback(clawback) => clawed.push((*account, clawback.lot)),
            Act::Reinstate(reinstate) => clawed.push((*account, reinstate.lot)),
            Act::Grant(_)
            | Act::Spend(_)
            | Act::Hold(..)
            | Act::Adjust(_)
            | Act::Unlimited(_)
            | Act::Subscribe(_)
            | Act::Unsubscribe(_) => {}
        }
    }
    versions.extend(&past.refunds);
    if !versions.is_empty() {
        past.entries.extend(entries::named(conn, bucket, &versions).await?);
    }
    if !past.refunds.is_empty() {
        past.refunded = read_refunds(conn, bucket, &past.refunds).await?;
    }
    if !clawed.is_empty() {
        past.clawed = read_clawbacks(conn, bucket, &clawed).await?;
        past.named.extend(clawed);
    }
    Ok(past)
}

impl Past {
    /// The lots that the commands are about, whether they are open or not.
    pub fn lots(&self) -> Vec<(AccountId, LotNumber)> {
        let refunded =
            self.entries.iter().filter(|entry| self.refunds.contains(&(entry.account, entry.version)));
        let origins =
            refunded.flat_map(|entry| entry.movements.iter().map(|movement| (entry.account, movement.lot)));
        self.named.iter().copied().chain(origins).collect()
    }

    /// Tells each account what is its own. `accounts` are in the order of their ids.
    pub fn tell(self, accounts: &mut [Account]) {
        for entry in self.entries {
            if let Some(account) = find(accounts, entry.account) {
                account.recall(entry);
            }
        }
        for (id, spend, refunded) in self.refunded {
            if let Some(account) = find(accounts, id) {
                account.recall_refunded(spend, refunded);
            }
        }
        for (id, lot, clawed) in self.clawed {
            if let Some(account) = find(accounts, id) {
                account.recall_clawed(lot, clawed);
            }
        }
    }
}

fn find(accounts: &mut [Account], id: AccountId) -> Option<&mut Account> {
    let place = accounts.binary_search_by_key(&id, Account::id).ok()?;
    accounts.get_mut(place)
}

async fn read_refunds(
    conn: &mut PgConnection,
    bucket: Bucket,
    spends: &[(AccountId, Version)],
) -> sqlx::Result<Vec<(AccountId, Version, Credits)>> {
    let (accounts, versions): (Vec<Uuid>, Vec<i64>) =
        spends.iter().map(|(account, version)| (Uuid::from(*account), version.0)).unzip();
    let rows = sqlx::query!(
        "select refunds.account_id,
                refunds.spend,
                refunds.refunded
         from unnest($2::uuid[], $3::bigint[]) as named (account_id, spend)
         join refunds
           on refunds.bucket = $1
          and refunds.account_id = named.account_id
          and refunds.spend = named.spend",
        bucket.0,
        &accounts,
        &versions,
    );
    let rows = rows.fetch_all(conn).await?;
    let read = rows.into_iter().map(|row| {
        let refunded = Credits::try_from(row.refunded).map_err(corrupt)?;
        Ok((row.account_id.into(), Version(row.spend), refunded))
    });
    read.collect()
}

async fn read_clawbacks(
    conn: &mut PgConnection,
    bucket: Bucket,
    lots: &[(AccountId, LotNumber)],
) -> sqlx::Result<Vec<(AccountId, LotNumber, Clawed)>> {
    let (accounts, numbers): (Vec<Uuid>, Vec<i64>) =
        lots.iter().map(|(account, lot)| (Uuid::from(*account), lot.0)).unzip();
    let rows = sqlx::query!(
        "select clawbacks.account_id,
                clawbacks.lot,
                clawbacks.taken,
                clawbacks.owed,
                clawbacks.forgiven
         from unnest($2::uuid[], $3::bigint[]) as named (account_id, lot)
         join clawbacks
           on clawbacks.bucket = $1
          and clawbacks.account_id = named.account_id
          and clawbacks.lot = named.lot",
        bucket.0,
        &accounts,
        &numbers,
    );
    let rows = rows.fetch_all(conn).await?;
    let read = rows.into_iter().map(|row| {
        let clawed = clawed(row.taken, row.owed, row.forgiven)?;
        Ok((row.account_id.into(), LotNumber(row.lot), clawed))
    });
    read.collect()
}

/// What was clawed back of a lot, as its columns say it.
pub fn clawed(taken: i64, owed: i64, forgiven: i64) -> sqlx::Result<Clawed> {
    let credits = |part: i64| Credits::try_from(part).map_err(corrupt);
    Ok(Clawed { taken: credits(taken)?, owed: credits(owed)?, forgiven: credits(forgiven)? })
}

/// Writes how much was refunded and clawed back by the accounts' unwritten entries.
pub async fn write(conn: &mut PgConnection, bucket: Bucket, accounts: &[&Account]) -> sqlx::Result<()> {
    let mut refunded: Vec<(Uuid, i64, i64)> = Vec::new();
    let mut clawed: Vec<(Uuid, i64, Clawed)> = Vec::new();
    for account in accounts {
        for entry in account.journal() {
            let id = Uuid::from(account.id());
            match entry.kind {
                Kind::Refund { spend } => refunded.push((id, spend.0, account.refunded(spend).get())),
                Kind::Clawback(_) | Kind::Reinstatement(_) => {
                    clawed.extend(
                        entry.movements.first().map(|first| (id, first.lot.0, account.clawed(first.lot))),
                    );
                }
                _ => {}
            }
        }
    }
    // Several of one spend or lot say the same: what it came to in the end.
    refunded.sort_unstable();
    refunded.dedup();
    clawed.sort_unstable_by_key(|(account, lot, _)| (*account, *lot));
    clawed.dedup();
    if !refunded.is_empty() {
        write_refunds(conn, bucket, &refunded).await?;
    }
    if !clawed.is_empty() {
        write_clawbacks(conn, bucket, &clawed).await?;
    }
    Ok(())
}

async fn write_refunds(
    conn: &mut PgConnection,
    bucket: Bucket,
    refunded: &[(Uuid, i64, i64)],
) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = refunded.iter().map(|(account, _, _)| *account).collect();
    let spends: Vec<i64> = refunded.iter().map(|(_, spend, _)| *spend).collect();
    let sums: Vec<i64> = refunded.iter().map(|(_, _, sum)| *sum).collect();
    sqlx::query!(
        "insert into refunds (bucket, account_id, spend, refunded)
         select $1, *
         from unnest($2::uuid[], $3::bigint[], $4::bigint[])
         on conflict (bucket, account_id, spend) do update
         set refunded = excluded.refunded",
        bucket.0,
        &ids,
        &spends,
        &sums,
    )
    .execute(conn)
    .await
    .map(drop)
}

async fn write_clawbacks(
    conn: &mut PgConnection,
    bucket: Bucket,
    clawed: &[(Uuid, i64, Clawed)],
) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = clawed.iter().map(|(account, _, _)| *account).collect();
    let lots: Vec<i64> = clawed.iter().map(|(_, lot, _)| *lot).collect();
    let taken: Vec<i64> = clawed.iter().map(|(_, _, clawed)| clawed.taken.get()).collect();
    let owed: Vec<i64> = clawed.iter().map(|(_, _, clawed)| clawed.owed.get()).collect();
    let forgiven: Vec<i64> = clawed.iter().map(|(_, _, clawed)| clawed.forgiven.get()).collect();
    sqlx::query!(
        "insert into clawbacks (bucket, account_id, lot, taken, owed, forgiven)
         select $1, *
         from unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
         on conflict (bucket, account_id, lot) do update
         set taken = excluded.taken,
             owed = excluded.owed,
             forgiven = excluded.forgiven",
        bucket.0,
        &ids,
        &lots,
        &taken,
        &owed,
        &forgiven,
    )
    .execute(conn)
    .await
    .map(drop)
}
