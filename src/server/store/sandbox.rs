//! What the stand-in Stripe of a sandbox keeps: its objects (events among them), the deliveries of events, the requests
//! that had a key, and its switches.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};

/// How webhooks go.
#[derive(Clone, Debug)]
pub struct Switches {
    pub delay_seconds: i32,
    pub is_doubled: bool,
    pub is_reordered: bool,
    pub is_held_back: bool,
    pub next_fails: bool,
}

/// An object as it is written.
pub struct Object<'a> {
    pub id: &'a str,
    pub kind: &'a str,
    pub body: &'a Value,
    pub created: i64,
    pub due: Option<i64>,
}

/// Which objects a list is about, the latest first.
pub struct Listed<'a> {
    pub kind: &'a str,
    /// What their bodies contain.
    pub fields: Value,
    /// Of events: one of these types.
    pub types: Option<&'a [String]>,
    /// Between these, both included.
    pub created: (i64, i64),
    /// Older than this one.
    pub after: Option<i64>,
    pub limit: i64,
}

/// A delivery that has been taken up: nobody else sends it now.
pub struct Delivery {
    pub number: i64,
    pub event: Value,
    pub created_at: DateTime<Utc>,
    pub attempts: i32,
}

/// What came of a delivery so far.
pub struct Delivered {
    pub event: String,
    pub due_at: Option<DateTime<Utc>>,
    pub attempts: i32,
    pub answer: Option<String>,
}

/// What a key was used for.
pub struct Request {
    pub fingerprint: Vec<u8>,
    pub status: i16,
    pub body: Value,
}

/// Lets one thing happen after another, until the transaction ends.
pub async fn lock(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select only_row from sandbox_switches for update").fetch_one(conn).await.map(drop)
}

pub async fn switches(conn: &mut PgConnection) -> sqlx::Result<Switches> {
    sqlx::query_as!(
        Switches,
        "select delay_seconds, is_doubled, is_reordered, is_held_back, next_fails
         from sandbox_switches"
    )
    .fetch_one(conn)
    .await
}

pub async fn set_switches(conn: &mut PgConnection, switches: &Switches) -> sqlx::Result<()> {
    sqlx::query!(
        "update sandbox_switches
         set delay_seconds = $1,
             is_doubled = $2,
             is_reordered = $3,
             is_held_back = $4,
             next_fails = $5",
        switches.delay_seconds,
        switches.is_doubled,
        switches.is_reordered,
        switches.is_held_back,
        switches.next_fails,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What webhooks are signed with; the same for all processes on a database.
pub async fn secret(pool: &PgPool) -> sqlx::Result<String> {
    sqlx::query_scalar!("select secret from sandbox_switches").fetch_one(pool).await
}

/// Turns the switch off, if it was on.
pub async fn take_next_fails(pool: &PgPool) -> sqlx::Result<bool> {
    let taken = sqlx::query!(
        "update sandbox_switches
         set next_fails = false
         where next_fails"
    );
    Ok(taken.execute(pool).await?.rows_affected() > 0)
}

pub async fn object(conn: &mut PgConnection, kind: &str, id: &str) -> sqlx::Result<Option<Value>> {
    let body = sqlx::query_scalar!(
        "select body
         from sandbox_objects
         where id = $1
           and kind = $2",
        id,
        kind,
    );
    body.fetch_optional(conn).await
}

/// Writes an object as it is now.
pub async fn put(conn: &mut PgConnection, object: &Object<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into sandbox_objects (id, kind, body, created, due)
         values ($1, $2, $3, $4, $5)
         on conflict (id) do update
         set body = excluded.body,
             due = excluded.due",
        object.id,
        object.kind,
        object.body,
        object.created,
        object.due,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The place of an object among all.
pub async fn number(conn: &mut PgConnection, kind: &str, id: &str) -> sqlx::Result<Option<i64>> {
    let number = sqlx::query_scalar!(
        "select number
         from sandbox_objects
         where id = $1
           and kind = $2",
        id,
        kind,
    );
    number.fetch_optional(conn).await
}

pub async fn list(conn: &mut PgConnection, listed: &Listed<'_>) -> sqlx::Result<Vec<Value>> {
    let bodies = sqlx::query_scalar!(
        "select body
         from sandbox_objects
         where kind = $1
           and body @> $2
           and ($3::text[] is null or body ->> 'type' = any ($3))
           and created between $4 and $5
           and ($6::bigint is null or number < $6)
         order by number desc
         limit $7",
        listed.kind,
        listed.fields,
        listed.types,
        listed.created.0,
        listed.created.1,
        listed.after,
        listed.limit,
    );
    bodies.fetch_all(conn).await
}

/// What changes by itself next, if that is due, and when it was.
pub async fn next_due(conn: &mut PgConnection, now: i64) -> sqlx::Result<Option<(i64, Value)>> {
    let row = sqlx::query!(
        r#"select due as "due!", body
           from sandbox_objects
           where due <= $1
           order by due, number
           limit 1"#,
        now,
    );
    Ok(row.fetch_optional(conn).await?.map(|row| (row.due, row.body)))
}

pub async fn insert_delivery(
    conn: &mut PgConnection,
    event: &str,
    created_at: DateTime<Utc>,
    due_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into sandbox_deliveries (event, created_at, due_at)
         values ($1, $2, $3)",
        event,
        created_at,
        due_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Takes up the next delivery that is due, in the order of the events or the other way round. It is due again at
/// `again_at`, unless it is `delivered` or given up by then.
pub async fn take_delivery(
    pool: &PgPool,
    now: DateTime<Utc>,
    again_at: DateTime<Utc>,
    is_reordered: bool,
) -> sqlx::Result<Option<Delivery>> {
    let row = sqlx::query!(
        "update sandbox_deliveries as taken
         set due_at = $2,
             attempts = attempts + 1
         from sandbox_objects as told
         where taken.number = (
                   select number
                   from sandbox_deliveries
                   where due_at <= $1
                   order by case when $3 then -number else number end
                   limit 1
                   for update skip locked
               )
           and told.id = taken.event
         returning taken.number, told.body, taken.created_at, taken.attempts",
        now,
        again_at,
        is_reordered,
    );
    let row = row.fetch_optional(pool).await?;
    Ok(row.map(|row| Delivery {
        number: row.number,
        event: row.body,
        created_at: row.created_at,
        attempts: row.attempts,
    }))
}

/// Notes what came of an attempt, and when the next one is.
pub async fn answered(
    pool: &PgPool,
    number: i64,
    answer: &str,
    due_at: Option<DateTime<Utc>>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update sandbox_deliveries
         set answer = $2,
             due_at = $3
         where number = $1",
        number,
        answer,
        due_at,
    )
    .execute(pool)
    .await
    .map(drop)
}

/// What came of the deliveries of these events, in their order.
pub async fn deliveries(conn: &mut PgConnection, events: &[String]) -> sqlx::Result<Vec<Delivered>> {
    sqlx::query_as!(
        Delivered,
        "select event, due_at, attempts, answer
         from sandbox_deliveries
         where event = any ($1)
         order by number",
        events,
    )
    .fetch_all(conn)
    .await
}

pub async fn request(conn: &mut PgConnection, key: &str) -> sqlx::Result<Option<Request>> {
    sqlx::query_as!(
        Request,
        "select fingerprint, status, body
         from sandbox_requests
         where key = $1",
        key,
    )
    .fetch_optional(conn)
    .await
}

/// Notes what a key was used for, and forgets what is older than `end`.
pub async fn keep_request(
    conn: &mut PgConnection,
    key: &str,
    request: &Request,
    created: i64,
    end: i64,
) -> sqlx::Result<()> {
    sqlx::query!("delete from sandbox_requests where created < $1", end).execute(&mut *conn).await?;
    sqlx::query!(
        "insert into sandbox_requests (key, fingerprint, status, body, created)
         values ($1, $2, $3, $4, $5)",
        key,
        request.fingerprint,
        request.status,
        request.body,
        created,
    )
    .execute(conn)
    .await
    .map(drop)
}
