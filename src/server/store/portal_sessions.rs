//! Ways into the pages that can be gone once, found by the digest of their token.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::domain::AccountId;

/// Notes a new one.
pub async fn insert(
    conn: &mut PgConnection,
    digest: &[u8; 32],
    account: AccountId,
    return_url: &str,
    expires_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into portal_sessions (token_digest, account_id, return_url, expires_at)
         values ($1, $2, $3, $4)",
        digest.as_slice(),
        Uuid::from(account),
        return_url,
        expires_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Uses one up: whose account it leads into, and where back to. `None` where there is none, or its time is over.
pub async fn take(
    conn: &mut PgConnection,
    digest: &[u8; 32],
    now: DateTime<Utc>,
) -> sqlx::Result<Option<(AccountId, String)>> {
    let row = sqlx::query!(
        "delete from portal_sessions
         where token_digest = $1
           and expires_at > $2
         returning account_id, return_url",
        digest.as_slice(),
        now,
    );
    Ok(row.fetch_optional(conn).await?.map(|row| (row.account_id.into(), row.return_url)))
}

/// Deletes at most `limit` whose time was over by `now`; returns how many.
pub async fn delete_expired(pool: &PgPool, now: DateTime<Utc>, limit: i64) -> sqlx::Result<u64> {
    let deleted = sqlx::query!(
        "delete from portal_sessions
         where token_digest in (
             select token_digest
             from portal_sessions
             where expires_at <= $1
             limit $2
         )",
        now,
        limit,
    );
    Ok(deleted.execute(pool).await?.rows_affected())
}
