//! Differences between Stripe's books and ours, for admins. Each is found once.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::domain::UserId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub id: Uuid,
    pub kind: String,
    /// The purchase, charge, invoice or subscription.
    pub about: String,
    pub what: String,
    pub found_at: DateTime<Utc>,
}

/// Notes one, unless it was found before; returns whether it is new.
pub async fn note(conn: &mut PgConnection, found: &Difference) -> sqlx::Result<bool> {
    let noted = sqlx::query!(
        "insert into differences (id, kind, about, what, found_at)
         values ($1, $2, $3, $4, $5)
         on conflict on constraint differences_once do nothing",
        found.id,
        found.kind,
        found.about,
        found.what,
        found.found_at,
    );
    Ok(noted.execute(conn).await?.rows_affected() == 1)
}

/// Those that nobody has handled, the oldest first.
pub async fn open(pool: &PgPool, limit: i64) -> sqlx::Result<Vec<Difference>> {
    sqlx::query_as!(
        Difference,
        "select id, kind, about, what, found_at
         from differences
         where handled_at is null
         order by found_at, id
         limit $1",
        limit,
    )
    .fetch_all(pool)
    .await
}

/// Notes that an admin has seen to one. `false` where somebody has already, or there is none.
pub async fn handle(
    pool: &PgPool,
    id: Uuid,
    by: UserId,
    reason: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let handled = sqlx::query!(
        "update differences
         set handled_at = $4,
             handled_by = $2,
             reason = $3
         where id = $1
           and handled_at is null",
        id,
        Uuid::from(by),
        reason,
        now,
    );
    Ok(handled.execute(pool).await?.rows_affected() == 1)
}
