//! Lots, as the ledger's tables hold them.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Bucket, corrupt};
use crate::domain::{Account, Credits, Lot, LotNumber, Priority, Source};

/// New lots are inserted, known ones get their new remainder: the only thing about a lot that changes.
pub async fn write(conn: &mut PgConnection, bucket: Bucket, accounts: &[&Account]) -> sqlx::Result<()> {
    let mut touched: Vec<(Uuid, &Lot)> = Vec::new();
    for account in accounts {
        let mut numbers: Vec<LotNumber> = account
            .journal()
            .iter()
            .flat_map(|entry| &entry.movements)
            .map(|movement| movement.lot)
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        let lots = numbers.into_iter().filter_map(|number| account.lot(number));
        touched.extend(lots.map(|lot| (Uuid::from(account.id()), lot)));
    }
    let ids: Vec<Uuid> = touched.iter().map(|(account, _)| *account).collect();
    let numbers: Vec<i64> = touched.iter().map(|(_, lot)| lot.number.0).collect();
    let sources: Vec<String> = touched.iter().map(|(_, lot)| lot.source.as_str().to_owned()).collect();
    let priorities: Vec<i16> = touched.iter().map(|(_, lot)| lot.priority.0).collect();
    let granted: Vec<i64> = touched.iter().map(|(_, lot)| lot.granted.get()).collect();
    let remaining: Vec<i64> = touched.iter().map(|(_, lot)| lot.remaining.get()).collect();
    let effective: Vec<DateTime<Utc>> = touched.iter().map(|(_, lot)| lot.effective_at).collect();
    let expire: Vec<Option<DateTime<Utc>>> = touched.iter().map(|(_, lot)| lot.expires_at).collect();
    let created: Vec<DateTime<Utc>> = touched.iter().map(|(_, lot)| lot.created_at).collect();
    sqlx::query!(
        "insert into lots (
             bucket, account_id, number, source, priority, granted, remaining, effective_at, expires_at, created_at
         )
         select $1, account_id, number, source::lot_source, priority, granted, remaining, effective_at, expires_at,
                created_at
         from unnest(
                  $2::uuid[], $3::bigint[], $4::text[], $5::smallint[], $6::bigint[], $7::bigint[],
                  $8::timestamptz[], $9::timestamptz[], $10::timestamptz[]
              ) as touched (
                  account_id, number, source, priority, granted, remaining, effective_at, expires_at, created_at
              )
         on conflict (bucket, account_id, number) do update
         set remaining = excluded.remaining",
        bucket.0,
        &ids,
        &numbers,
        &sources,
        &priorities,
        &granted,
        &remaining,
        &effective,
        &expire as &[Option<DateTime<Utc>>],
        &created,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub struct LotRow<'a> {
    pub number: i64,
    pub source: &'a str,
    pub priority: i16,
    pub granted: i64,
    pub remaining: i64,
    pub effective_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

impl LotRow<'_> {
    pub fn read(self) -> sqlx::Result<Lot> {
        let source = Source::ALL.into_iter().find(|source| source.as_str() == self.source);
        Ok(Lot {
            number: LotNumber(self.number),
            source: source.ok_or_else(|| corrupt(self.source))?,
            priority: Priority(self.priority),
            granted: Credits::try_from(self.granted).map_err(corrupt)?,
            remaining: Credits::try_from(self.remaining).map_err(corrupt)?,
            effective_at: self.effective_at,
            expires_at: self.expires_at,
            created_at: self.created_at,
        })
    }
}
