//! Lots, as the ledger's tables hold them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Bucket, corrupt};
use crate::domain::{AccountId, Credits, Lot, LotNumber, Priority, Source};

/// A lot as its table holds it.
struct LotRow {
    account_id: Uuid,
    number: i64,
    source: String,
    priority: i16,
    granted: i64,
    remaining: i64,
    held: i64,
    lost: i64,
    is_void: bool,
    effective_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

/// The open lots of these accounts, and the lots that are named one by one, open or not.
pub async fn read(
    conn: &mut PgConnection,
    bucket: Bucket,
    accounts: &[Uuid],
    named: &[(AccountId, LotNumber)],
) -> sqlx::Result<HashMap<AccountId, Vec<Lot>>> {
    let mut rows = sqlx::query_as!(
        LotRow,
        r#"select account_id,
                  number,
                  source::text as "source!",
                  priority,
                  granted,
                  remaining,
                  held,
                  lost,
                  is_void,
                  effective_at,
                  expires_at,
                  created_at
           from unnest($2::uuid[]) as asked (id),
                lateral (
                    select *
                    from lots
                    where bucket = $1
                      and account_id = asked.id
                      and is_open
                    offset 0
                ) as open"#,
        bucket.0,
        accounts,
    )
    .fetch_all(&mut *conn)
    .await?;
    if !named.is_empty() {
        rows.extend(read_ended(conn, bucket, named).await?);
    }

    let mut lots: HashMap<AccountId, Vec<Lot>> = HashMap::new();
    for row in rows {
        let (account, lot) = row.read()?;
        lots.entry(account).or_default().push(lot);
    }
    Ok(lots)
}

/// Those of the named lots that are not open.
async fn read_ended(
    conn: &mut PgConnection,
    bucket: Bucket,
    named: &[(AccountId, LotNumber)],
) -> sqlx::Result<Vec<LotRow>> {
    let (accounts, numbers): (Vec<Uuid>, Vec<i64>) =
        named.iter().map(|(account, number)| (Uuid::from(*account), number.0)).unzip();
    sqlx::query_as!(
        LotRow,
        r#"select lots.account_id,
                  lots.number,
                  lots.source::text as "source!",
                  lots.priority,
                  lots.granted,
                  lots.remaining,
                  lots.held,
                  lots.lost,
                  lots.is_void,
                  lots.effective_at,
                  lots.expires_at,
                  lots.created_at
           from (select distinct * from unnest($2::uuid[], $3::bigint[])) as named (account_id, number)
           join lots
             on lots.bucket = $1
            and lots.account_id = named.account_id
            and lots.number = named.number
           where not lots.is_open"#,
        bucket.0,
        &accounts,
        &numbers,
    )
    .fetch_all(conn)
    .await
}

/// Every lot that these accounts ever had.
pub async fn read_all(
    conn: &mut PgConnection,
    bucket: Bucket,
    accounts: &[Uuid],
) -> sqlx::Result<HashMap<AccountId, Vec<Lot>>> {
    let rows = sqlx::query_as!(
        LotRow,
        r#"select account_id,
                  number,
                  source::text as "source!",
                  priority,
                  granted,
                  remaining,
                  held,
                  lost,
                  is_void,
                  effective_at,
                  expires_at,
                  created_at
           from lots
           where bucket = $1
             and account_id = any($2)"#,
        bucket.0,
        accounts,
    )
    .fetch_all(conn)
    .await?;
    let mut lots: HashMap<AccountId, Vec<Lot>> = HashMap::new();
    for row in rows {
        let (account, lot) = row.read()?;
        lots.entry(account).or_default().push(lot);
    }
    Ok(lots)
}

impl LotRow {
    fn read(self) -> sqlx::Result<(AccountId, Lot)> {
        let source = Source::ALL.into_iter().find(|source| source.as_str() == self.source);
        let lot = Lot {
            number: LotNumber(self.number),
            source: source.ok_or_else(|| corrupt(self.source))?,
            priority: Priority(self.priority),
            granted: Credits::try_from(self.granted).map_err(corrupt)?,
            remaining: Credits::try_from(self.remaining).map_err(corrupt)?,
            held: Credits::try_from(self.held).map_err(corrupt)?,
            lost: Credits::try_from(self.lost).map_err(corrupt)?,
            is_void: self.is_void,
            effective_at: self.effective_at,
            expires_at: self.expires_at,
            created_at: self.created_at,
        };
        Ok((self.account_id.into(), lot))
    }
}
