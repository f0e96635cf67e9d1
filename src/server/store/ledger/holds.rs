//! Open holds, as the ledger's tables hold them.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Bucket, corrupt};
use crate::domain::{
    Account, AccountId, Allocation, Amount, Charge, Entry, Hold, LotNumber, Version,
    catalog::{ActionKey, Units},
};

/// The open holds of these accounts.
pub async fn read(
    conn: &mut PgConnection,
    bucket: Bucket,
    accounts: &[Uuid],
) -> sqlx::Result<HashMap<AccountId, Vec<Hold>>> {
    let rows = sqlx::query!(
        "select account_id,
                number,
                until,
                allocations,
                action,
                units,
                cost
         from unnest($2::uuid[]) as asked (id),
              lateral (
                  select *
                  from holds
                  where bucket = $1
                    and account_id = asked.id
                  offset 0
              ) as open",
        bucket.0,
        accounts,
    )
    .fetch_all(conn)
    .await?;
    let mut holds: HashMap<AccountId, Vec<Hold>> = HashMap::new();
    for row in rows {
        let hold = Hold {
            number: Version(row.number),
            until: row.until,
            charge: Charge {
                action: row.action.map(ActionKey::try_from).transpose().map_err(corrupt)?,
                units: row.units.map(Units::try_from).transpose().map_err(corrupt)?,
                cost: Amount::try_from(row.cost).map_err(corrupt)?,
            },
            allocations: parse(&row.allocations).ok_or_else(|| corrupt(row.allocations))?,
        };
        holds.entry(row.account_id.into()).or_default().push(hold);
    }
    Ok(holds)
}

/// Writes which holds began and ended with the accounts' unwritten entries.
pub async fn write(conn: &mut PgConnection, bucket: Bucket, accounts: &[&Account]) -> sqlx::Result<()> {
    let decided = || accounts.iter().flat_map(|account| account.journal());
    let ended: Vec<(Uuid, i64)> = decided().filter_map(|entry| ended_by(entry)).collect();
    if !ended.is_empty() {
        let (ids, numbers): (Vec<Uuid>, Vec<i64>) = ended.into_iter().unzip();
        sqlx::query!(
            "delete from holds
             using unnest($2::uuid[], $3::bigint[]) as ended (account_id, number)
             where holds.bucket = $1
               and holds.account_id = ended.account_id
               and holds.number = ended.number",
            bucket.0,
            &ids,
            &numbers,
        )
        .execute(&mut *conn)
        .await?;
    }
    let begun = |account: &Account, hold: &&Hold| {
        account.journal().first().is_some_and(|first| hold.number >= first.version)
    };
    let begun: Vec<(Uuid, &Hold)> = accounts
        .iter()
        .flat_map(|account| {
            let holds = account.holds().iter().filter(|hold| begun(account, hold));
            holds.map(|hold| (Uuid::from(account.id()), hold))
        })
        .collect();
    if begun.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = begun.iter().map(|(account, _)| *account).collect();
    let numbers: Vec<i64> = begun.iter().map(|(_, hold)| hold.number.0).collect();
    let until: Vec<_> = begun.iter().map(|(_, hold)| hold.until).collect();
    let allocations: Vec<String> = begun.iter().map(|(_, hold)| render(&hold.allocations)).collect();
    let actions: Vec<Option<&str>> =
        begun.iter().map(|(_, hold)| hold.charge.action.as_ref().map(ActionKey::as_str)).collect();
    let units: Vec<Option<i64>> = begun.iter().map(|(_, hold)| hold.charge.units.map(Units::get)).collect();
    let costs: Vec<i64> = begun.iter().map(|(_, hold)| hold.charge.cost.get()).collect();
    sqlx::query!(
        "insert into holds (bucket, account_id, number, until, allocations, action, units, cost)
         select $1, *
         from unnest(
             $2::uuid[], $3::bigint[], $4::timestamptz[], $5::text[], $6::text[], $7::bigint[], $8::bigint[]
         )",
        bucket.0,
        &ids,
        &numbers,
        &until,
        &allocations,
        &actions as &[Option<&str>],
        &units as &[Option<i64>],
        &costs,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The hold that ended with an entry, where one did. One that began in the same batch was never written.
fn ended_by(entry: &Entry) -> Option<(Uuid, i64)> {
    entry.kind.ends_hold().map(|hold| (entry.account.into(), hold.0))
}

fn render(allocations: &[Allocation]) -> String {
    let parts: Vec<String> =
        allocations.iter().map(|part| format!("{}:{}", part.lot.0, part.amount.get())).collect();
    parts.join(" ")
}

fn parse(text: &str) -> Option<Vec<Allocation>> {
    let part = |part: &str| {
        let (lot, amount) = part.split_once(':')?;
        let amount = Amount::try_from(amount.parse::<i64>().ok()?).ok()?;
        Some(Allocation { lot: LotNumber(lot.parse().ok()?), amount })
    };
    text.split_ascii_whitespace().map(part).collect()
}
