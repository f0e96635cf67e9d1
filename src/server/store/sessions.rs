//! Sessions of people who are signed in, found by the digest of their id.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgPool;

/// `false`, and nothing written, where a session with that digest exists.
pub async fn insert(
    pool: &PgPool,
    digest: &[u8],
    data: &Value,
    expires_at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let inserted = sqlx::query!(
        "insert into sessions (id_digest, data, expires_at)
         values ($1, $2, $3)
         on conflict (id_digest) do nothing",
        digest,
        data,
        expires_at,
    )
    .execute(pool)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Writes a session that exists. One that was deleted meanwhile (signed out elsewhere) stays deleted.
pub async fn update(
    pool: &PgPool,
    digest: &[u8],
    data: &Value,
    expires_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update sessions
         set data = $2,
             expires_at = $3
         where id_digest = $1",
        digest,
        data,
        expires_at,
    )
    .execute(pool)
    .await
    .map(drop)
}

pub async fn find(
    pool: &PgPool,
    digest: &[u8],
    now: DateTime<Utc>,
) -> sqlx::Result<Option<(Value, DateTime<Utc>)>> {
    let row = sqlx::query!(
        "select data, expires_at
         from sessions
         where id_digest = $1
           and expires_at > $2",
        digest,
        now,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| (row.data, row.expires_at)))
}

pub async fn delete(pool: &PgPool, digest: &[u8]) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from sessions
         where id_digest = $1",
        digest,
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Deletes at most `limit` that expired by `now`; returns how many.
pub async fn delete_expired(pool: &PgPool, now: DateTime<Utc>, limit: i64) -> sqlx::Result<u64> {
    let deleted = sqlx::query!(
        "delete from sessions
         where id_digest in (
             select id_digest
             from sessions
             where expires_at <= $1
             limit $2
         )",
        now,
        limit,
    );
    Ok(deleted.execute(pool).await?.rows_affected())
}
