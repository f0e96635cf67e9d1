//! Refunds that admins asked for, each under a name of theirs, and what Stripe answered.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::UserId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub id: Uuid,
    pub amount: i64,
    pub reason: String,
    /// Stripe has made it.
    pub is_answered: bool,
}

pub async fn insert(
    conn: &mut PgConnection,
    purchase: Uuid,
    key: &str,
    asked: &Asked,
    by: UserId,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into refunds_asked (id, purchase, key, amount, reason, asked_by, asked_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        asked.id,
        purchase,
        key,
        asked.amount,
        asked.reason,
        Uuid::from(by),
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn of_key(conn: &mut PgConnection, purchase: Uuid, key: &str) -> sqlx::Result<Option<Asked>> {
    sqlx::query_as!(
        Asked,
        r#"select id, amount, reason, refund is not null as "is_answered!"
           from refunds_asked
           where purchase = $1
             and key = $2"#,
        purchase,
        key,
    )
    .fetch_optional(conn)
    .await
}

/// Notes which refund of Stripe's it is.
pub async fn answered(conn: &mut PgConnection, id: Uuid, refund: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update refunds_asked
         set refund = $2,
             error = null
         where id = $1",
        id,
        refund,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes why Stripe did not make it.
pub async fn refused(conn: &mut PgConnection, id: Uuid, error: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update refunds_asked
         set error = $2
         where id = $1",
        id,
        error,
    )
    .execute(conn)
    .await
    .map(drop)
}
