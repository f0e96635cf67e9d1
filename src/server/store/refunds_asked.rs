//! Refunds that admins asked for, each under a name of theirs, and what Stripe answered.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::UserId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub id: Uuid,
    /// Of which payment.
    pub payment_intent: String,
    pub amount: i64,
    pub reason: String,
    pub asked_at: DateTime<Utc>,
    /// Stripe has made it.
    pub is_answered: bool,
    /// Stripe would not.
    pub is_refused: bool,
}

pub async fn insert(
    conn: &mut PgConnection,
    purchase: Uuid,
    key: &str,
    asked: &Asked,
    by: UserId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into refunds_asked (id, purchase, key, amount, reason, asked_by, asked_at, payment_intent)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        asked.id,
        purchase,
        key,
        asked.amount,
        asked.reason,
        Uuid::from(by),
        asked.asked_at,
        asked.payment_intent,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn of_key(conn: &mut PgConnection, purchase: Uuid, key: &str) -> sqlx::Result<Option<Asked>> {
    sqlx::query_as!(
        Asked,
        r#"select id, payment_intent, amount, reason, asked_at, refund is not null as "is_answered!", error is not null as "is_refused!"
           from refunds_asked
           where purchase = $1
             and key = $2"#,
        purchase,
        key,
    )
    .fetch_optional(conn)
    .await
}

/// How much of a payment's money was asked for since a moment, and may be on its way: nobody answered.
pub async fn unanswered(
    conn: &mut PgConnection,
    payment_intent: &str,
    since: DateTime<Utc>,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select coalesce(sum(amount), 0)::bigint as "sum!"
           from refunds_asked
           where payment_intent = $1
             and asked_at > $2
             and refund is null
             and error is null"#,
        payment_intent,
        since,
    )
    .fetch_one(conn)
    .await
}

/// Notes that a refund was heard of: if it was not known, it is the first one of its amount that nobody answered.
pub async fn heard(
    conn: &mut PgConnection,
    payment_intent: &str,
    refund: &str,
    amount: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update refunds_asked
         set refund = $2
         where id = (
             select id
             from refunds_asked
             where payment_intent = $1
               and amount = $3
               and refund is null
               and error is null
             order by asked_at, id
             limit 1
         )
           and not exists (
               select
               from refunds_asked
               where refund = $2
           )",
        payment_intent,
        refund,
        amount,
    )
    .execute(conn)
    .await
    .map(drop)
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
