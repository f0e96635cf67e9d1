//! Events as Stripe sent them, and how far each is.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

/// How an event stands once it was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Nothing follows from it.
    Ignored,
}

/// An event that was not applied yet.
#[derive(Debug)]
pub struct Stored {
    pub body: Vec<u8>,
    pub attempts: i32,
}

/// Keeps an event, unless it is kept already. It is tried again at `next_at` if nobody has until then.
pub async fn keep(
    pool: &PgPool,
    id: &str,
    kind: &str,
    body: &[u8],
    now: DateTime<Utc>,
    next_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into stripe_events (id, kind, received_at, body, next_at)
         values ($1, $2, $3, $4, $5)
         on conflict (id) do nothing",
        id,
        kind,
        now,
        body,
        next_at,
    )
    .execute(pool)
    .await
    .map(drop)
}

/// An event that was not applied yet, kept from others until the end of the transaction.
pub async fn lock(conn: &mut PgConnection, id: &str) -> sqlx::Result<Option<Stored>> {
    sqlx::query_as!(
        Stored,
        "select body, attempts
         from stripe_events
         where id = $1
           and done_at is null
         for update",
        id,
    )
    .fetch_optional(conn)
    .await
}

/// Notes that an event was applied.
pub async fn end(
    conn: &mut PgConnection,
    id: &str,
    outcome: Outcome,
    note: Option<&str>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let state = match outcome {
        Outcome::Done => "done",
        Outcome::Ignored => "ignored",
    };
    sqlx::query!(
        "update stripe_events
         set state = $2,
             note = $3,
             attempts = attempts + 1,
             next_at = null,
             done_at = $4
         where id = $1",
        id,
        state,
        note,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes that an event could not be applied, and when that is tried again.
pub async fn fail(
    conn: &mut PgConnection,
    id: &str,
    error: &str,
    next_at: Option<DateTime<Utc>>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update stripe_events
         set state = 'failed',
             note = $2,
             attempts = attempts + 1,
             next_at = $3
         where id = $1
           and done_at is null",
        id,
        error,
        next_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// An event as admins see it.
#[derive(Debug)]
pub struct Shown {
    pub id: String,
    pub kind: String,
    pub state: String,
    pub note: Option<String>,
    pub attempts: i32,
    pub received_at: DateTime<Utc>,
}

/// A page of those that came in before the one named, the newest first.
pub async fn page(
    pool: &PgPool,
    only_failed: bool,
    before: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<Shown>> {
    sqlx::query_as!(
        Shown,
        "select id, kind, state, note, attempts, received_at
         from stripe_events
         where (not $1 or state = 'failed')
           and ($2::text is null or (received_at, id) < (
               select received_at, id
               from stripe_events
               where id = $2
           ))
         order by received_at desc, id desc
         limit $3",
        only_failed,
        before,
        limit,
    )
    .fetch_all(pool)
    .await
}

/// Those that are to be tried by now, the longest due first.
pub async fn due(pool: &PgPool, now: DateTime<Utc>, limit: i64) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select id
         from stripe_events
         where next_at <= $1
         order by next_at
         limit $2",
        now,
        limit,
    )
    .fetch_all(pool)
    .await
}

/// Those of these that are kept.
pub async fn kept(pool: &PgPool, ids: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select id
         from stripe_events
         where id = any($1)",
        ids,
    )
    .fetch_all(pool)
    .await
}

/// Deletes at most `limit` that were received by `end` and are over; returns how many.
pub async fn delete_old(pool: &PgPool, end: DateTime<Utc>, limit: i64) -> sqlx::Result<u64> {
    let deleted = sqlx::query!(
        "delete from stripe_events
         where id in (
             select id
             from stripe_events
             where received_at <= $1
               and done_at is not null
             limit $2
         )",
        end,
        limit,
    );
    Ok(deleted.execute(pool).await?.rows_affected())
}
