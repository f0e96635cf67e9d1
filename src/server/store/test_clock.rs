//! The time that a sandbox goes by, where somebody has set it.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

pub async fn read(pool: &PgPool) -> sqlx::Result<Option<DateTime<Utc>>> {
    let now = sqlx::query_scalar!(
        "select now
         from test_clock"
    );
    now.fetch_optional(pool).await
}

/// Sets the clock to a time, or lets it go by the machine's again.
pub async fn write(pool: &PgPool, now: Option<DateTime<Utc>>) -> sqlx::Result<()> {
    let Some(now) = now else {
        return sqlx::query!("delete from test_clock").execute(pool).await.map(drop);
    };
    sqlx::query!(
        "insert into test_clock (now)
         values ($1)
         on conflict (only_row) do update
         set now = excluded.now",
        now,
    )
    .execute(pool)
    .await
    .map(drop)
}
