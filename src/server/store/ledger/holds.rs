//! Open holds, as the ledger's tables hold them. They are read with their account (`accounts`).

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Bucket, corrupt};
use crate::domain::{
    Account, AccountId, Allocation, Amount, Charge, Entry, Hold, LotNumber, Version,
    catalog::{ActionKey, Units},
};

/// An open hold as its table holds it.
#[derive(sqlx::Type)]
#[sqlx(type_name = "hold_row")]
pub struct HoldRow {
    pub account_id: Uuid,
    pub number: i64,
    pub until: DateTime<Utc>,
    pub allocations: String,
    pub action: Option<String>,
    pub units: Option<i64>,
    pub cost: i64,
}

impl HoldRow {
    fn write(account: AccountId, hold: &Hold) -> Self {
        Self {
            account_id: account.into(),
            number: hold.number.0,
            until: hold.until,
            allocations: render(&hold.allocations),
            action: hold.charge.action.as_ref().map(ToString::to_string),
            units: hold.charge.units.map(Units::get),
            cost: hold.charge.cost.get(),
        }
    }

    pub fn read(self) -> sqlx::Result<Hold> {
        Ok(Hold {
            number: Version(self.number),
            until: self.until,
            charge: Charge {
                action: self.action.map(ActionKey::try_from).transpose().map_err(corrupt)?,
                units: self.units.map(Units::try_from).transpose().map_err(corrupt)?,
                cost: Amount::try_from(self.cost).map_err(corrupt)?,
            },
            allocations: parse(&self.allocations).ok_or_else(|| corrupt(self.allocations))?,
        })
    }
}

/// Writes which holds began and ended with the accounts' unwritten entries.
pub async fn write(conn: &mut PgConnection, bucket: Bucket, accounts: &[&Account]) -> sqlx::Result<()> {
    let decided = accounts.iter().flat_map(|account| account.journal());
    let (ids, numbers): (Vec<Uuid>, Vec<i64>) = decided.filter_map(|entry| ended_by(entry)).unzip();
    if !ids.is_empty() {
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
    let begun: Vec<HoldRow> = accounts.iter().flat_map(|account| begun_on(account)).collect();
    if !begun.is_empty() {
        sqlx::query!(
            "insert into holds (bucket, account_id, number, until, allocations, action, units, cost)
             select $1, account_id, number, until, allocations, action, units, cost
             from unnest($2::hold_row[])",
            bucket.0,
            &begun as &[HoldRow],
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// The open holds that began with an account's unwritten entries.
fn begun_on(account: &Account) -> impl Iterator<Item = HoldRow> {
    account.begun_holds().map(|hold| HoldRow::write(account.id(), hold))
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
