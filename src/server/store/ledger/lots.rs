//! Lots, as the ledger's tables hold them. Those that are open are read with their account (`accounts`).

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Bucket, corrupt};
use crate::domain::{AccountId, Credits, Lot, LotNumber, Priority, Source};

/// A lot as its table holds it.
#[derive(sqlx::Type)]
#[sqlx(type_name = "lot_row")]
pub struct LotRow {
    pub account_id: Uuid,
    pub number: i64,
    pub source: String,
    pub priority: i16,
    pub granted: i64,
    pub remaining: i64,
    pub held: i64,
    pub lost: i64,
    pub is_void: bool,
    pub effective_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// Those of the named lots that are not open.
pub async fn ended(
    conn: &mut PgConnection,
    bucket: Bucket,
    named: &[(AccountId, LotNumber)],
) -> sqlx::Result<Vec<LotRow>> {
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let (accounts, numbers): (Vec<Uuid>, Vec<i64>) =
        named.iter().map(|(account, number)| (Uuid::from(*account), number.0)).unzip();
    sqlx::query_scalar!(
        r#"select as_row(lots) as "row!: LotRow"
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

/// An account's lots that came before `before` (from the newest where it is `None`), newest first.
pub async fn list(
    conn: &mut PgConnection,
    bucket: Bucket,
    account: AccountId,
    before: Option<LotNumber>,
    limit: usize,
) -> sqlx::Result<Vec<Lot>> {
    let rows = sqlx::query_scalar!(
        r#"select as_row(lots) as "row!: LotRow"
           from lots
           where bucket = $1
             and account_id = $2
             and number < $3
           order by number desc
           limit $4"#,
        bucket.0,
        Uuid::from(account),
        before.map_or(i64::MAX, |number| number.0),
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    rows.fetch_all(conn).await?.into_iter().map(LotRow::read).collect()
}

/// How much an account was granted in lots that have begun and neither lapsed nor are void.
pub async fn granted(
    conn: &mut PgConnection,
    bucket: Bucket,
    account: AccountId,
    now: DateTime<Utc>,
) -> sqlx::Result<Credits> {
    let sum = sqlx::query_scalar!(
        r#"select least(coalesce(sum(granted), 0), 9223372036854775807)::bigint as "sum!"
           from lots
           where bucket = $1
             and account_id = $2
             and effective_at <= $3
             and (expires_at is null or expires_at > $3)
             and not is_void"#,
        bucket.0,
        Uuid::from(account),
        now,
    );
    Credits::try_from(sum.fetch_one(conn).await?).map_err(corrupt)
}

impl LotRow {
    pub fn write(account: AccountId, lot: &Lot) -> Self {
        Self {
            account_id: account.into(),
            number: lot.number.0,
            source: lot.source.as_str().to_owned(),
            priority: lot.priority.0,
            granted: lot.granted.get(),
            remaining: lot.remaining.get(),
            held: lot.held.get(),
            lost: lot.lost.get(),
            is_void: lot.is_void,
            effective_at: lot.effective_at,
            expires_at: lot.expires_at,
            created_at: lot.created_at,
        }
    }

    pub fn read(self) -> sqlx::Result<Lot> {
        Ok(Lot {
            number: LotNumber(self.number),
            source: Source::named(&self.source).ok_or_else(|| corrupt(self.source))?,
            priority: Priority(self.priority),
            granted: Credits::try_from(self.granted).map_err(corrupt)?,
            remaining: Credits::try_from(self.remaining).map_err(corrupt)?,
            held: Credits::try_from(self.held).map_err(corrupt)?,
            lost: Credits::try_from(self.lost).map_err(corrupt)?,
            is_void: self.is_void,
            effective_at: self.effective_at,
            expires_at: self.expires_at,
            created_at: self.created_at,
        })
    }
}
