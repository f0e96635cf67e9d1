//! Warnings, as they were given to the holders of accounts.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    corrupt,
    ledger::{Bucket, uuids},
};
use crate::domain::{
    AccountId, Credits, LotNumber, Warning,
    warning::{FARTHEST, HORIZONS_DAYS, Topic},
};

const LOW: &str = "low";
const EMPTY: &str = "empty";
const LAPSING: &str = "lapsing";

/// Whether nobody else looks at the account; nobody will then until the end of the transaction. Nobody waits.
pub async fn is_alone(conn: &mut PgConnection, account: AccountId) -> sqlx::Result<bool> {
    let is_taken = sqlx::query_scalar!(
        r#"select pg_try_advisory_xact_lock(hashtextextended('warnings ' || $1::uuid::text, 0)) as "is_taken!""#,
        Uuid::from(account),
    );
    is_taken.fetch_one(conn).await
}

/// The warnings that stand for these accounts at `now`: of a spell that is not over, and of lots that may not have lapsed.
pub async fn standing(
    conn: &mut PgConnection,
    bucket: Bucket,
    accounts: &[AccountId],
    now: DateTime<Utc>,
) -> sqlx::Result<HashMap<AccountId, Vec<Warning>>> {
    let rows = sqlx::query!(
        r#"select account_id,
                  kind,
                  horizon_days,
                  lot as "lot: i64",
                  credits as "credits: i64",
                  at as "at: DateTime<Utc>",
                  dismissed_at is not null as "is_dismissed!"
           from warnings
           where bucket = $1
             and account_id = any($2)
             and over_at is null
             and (lot is null or at >= $3)
           order by number"#,
        bucket.get(),
        &uuids(accounts),
        now - FARTHEST,
    );
    let mut standing: HashMap<AccountId, Vec<Warning>> = HashMap::new();
    for row in rows.fetch_all(conn).await? {
        let topic = match (row.kind.as_str(), row.lot, row.horizon_days) {
            (LOW, None, None) => Topic::Low,
            (EMPTY, None, None) => Topic::Empty,
            (LAPSING, Some(lot), Some(days)) => {
                Topic::Lapsing { lot: LotNumber(lot), days: u8::try_from(days).map_err(corrupt)? }
            }
            (kind, ..) => return Err(corrupt(format_args!("a warning that is {kind}"))),
        };
        let credits = Credits::try_from(row.credits).map_err(corrupt)?;
        let warning = Warning { topic, credits, at: row.at, is_dismissed: row.is_dismissed };
        standing.entry(row.account_id.into()).or_default().push(warning);
    }
    Ok(standing)
}

/// Notes that a warning was given. One that was given already stays as it is.
pub async fn insert(
    conn: &mut PgConnection,
    bucket: Bucket,
    account: AccountId,
    warning: &Warning,
) -> sqlx::Result<()> {
    let (kind, of_lot) = match warning.topic {
        Topic::Low => (LOW, None),
        Topic::Empty => (EMPTY, None),
        Topic::Lapsing { lot, days } => (LAPSING, Some((lot.0, i16::from(days)))),
    };
    let (lot, days) = of_lot.unzip();
    sqlx::query!(
        "insert into warnings (bucket, account_id, kind, lot, horizon_days, credits, at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict do nothing",
        bucket.get(),
        Uuid::from(account),
        kind,
        lot as Option<i64>,
        days,
        warning.credits.get() as i64,
        warning.at as DateTime<Utc>,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Ends the spell of an account: the next time that little is left is news again.
pub async fn end_spell(
    conn: &mut PgConnection,
    bucket: Bucket,
    account: AccountId,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update warnings
         set over_at = $3
         where bucket = $1
           and account_id = $2
           and lot is null
           and over_at is null",
        bucket.get(),
        Uuid::from(account),
        now as DateTime<Utc>,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes that the holder wants to see no more of what was told up to `seen`: that little is left, or that lots lapse. That
/// nothing is left can't be dismissed.
pub async fn dismiss(
    conn: &mut PgConnection,
    bucket: Bucket,
    account: AccountId,
    is_of_lots: bool,
    seen: DateTime<Utc>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update warnings
         set dismissed_at = $5
         where bucket = $1
           and account_id = $2
           and kind = $3
           and at <= $4
           and over_at is null
           and dismissed_at is null",
        bucket.get(),
        Uuid::from(account),
        if is_of_lots { LAPSING } else { LOW },
        seen,
        now as DateTime<Utc>,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Deletes at most `limit` warnings of a bucket that came, or were over, by `end`; returns how many. A spell that goes on
/// keeps its warnings, dismissed or not, since they would come again; by a lot's it is the caller's to know that it has
/// lapsed.
pub async fn delete_old(
    conn: &mut PgConnection,
    bucket: Bucket,
    end: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<u64> {
    let deleted = sqlx::query!(
        "delete from warnings
         where bucket = $1
           and (account_id, number) in (
               select account_id,
                      number
               from warnings
               where bucket = $1
                 and (over_at is not null or lot is not null)
                 and coalesce(over_at, at) <= $2
               limit $3
           )",
        bucket.get(),
        end,
        limit,
    );
    Ok(deleted.execute(conn).await?.rows_affected())
}

/// The accounts after `after` (from the first where it is `None`), by id.
pub async fn next_accounts(
    conn: &mut PgConnection,
    bucket: Bucket,
    after: Option<AccountId>,
    limit: usize,
) -> sqlx::Result<Vec<AccountId>> {
    let ids = sqlx::query_scalar!(
        "select id
         from accounts
         where bucket = $1
           and id > $2
         order by id
         limit $3",
        bucket.get(),
        after.map_or(Uuid::nil(), Into::into),
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    Ok(ids.fetch_all(conn).await?.into_iter().map(AccountId::from).collect())
}

/// A lot that lapses soon: where the next page of such lots begins.
#[derive(Clone, Copy, Debug)]
pub struct Soon {
    pub account: AccountId,
    expires_at: DateTime<Utc>,
    lot: i64,
}

/// Lots that lapse within the farthest horizon and of which nothing was told for the nearest that has come, up to `limit`
/// of them after `after`, soonest first. The law says of which of them there is anything to tell.
pub async fn soon(
    conn: &mut PgConnection,
    bucket: Bucket,
    now: DateTime<Utc>,
    after: Option<Soon>,
    limit: usize,
) -> sqlx::Result<Vec<Soon>> {
    let [near, far] = HORIZONS_DAYS.map(i16::from);
    let rows = sqlx::query!(
        r#"select account_id,
                  number as "number: i64",
                  expires_at as "expires_at!: DateTime<Utc>"
           from lots
           where bucket = $1
             and is_open
             and remaining > 0
             and not is_void
             and expires_at > $2
             and expires_at <= $2 + make_interval(days => $4)
             and (expires_at, account_id, number) > ($5, $6, $7)
             and not exists (
                 select
                 from warnings
                 where warnings.bucket = $1
                   and warnings.account_id = lots.account_id
                   and warnings.lot = lots.number
                   and warnings.horizon_days = case when expires_at <= $2 + make_interval(days => $3) then $3 else $4 end
             )
           order by expires_at,
                    account_id,
                    number
           limit $8"#,
        bucket.get(),
        now,
        i32::from(near),
        i32::from(far),
        after.map_or(now, |after| after.expires_at),
        after.map_or(Uuid::nil(), |after| after.account.into()),
        after.map_or(0, |after| after.lot),
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    let rows = rows.fetch_all(conn).await?;
    let soon = rows.into_iter();
    Ok(soon
        .map(|row| Soon { account: row.account_id.into(), expires_at: row.expires_at, lot: row.number })
        .collect())
}
