//! How far Stripe's books were compared with ours, and what has no counterpart there.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::domain::purchase::Mode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconciled {
    /// Until when all of Stripe's events have arrived.
    pub events_until: DateTime<Utc>,
    /// The first day whose charges are not compared yet.
    pub next_day: NaiveDate,
}

pub async fn read(pool: &PgPool) -> sqlx::Result<Option<Reconciled>> {
    sqlx::query_as!(
        Reconciled,
        "select events_until, next_day
         from reconciled",
    )
    .fetch_optional(pool)
    .await
}

pub async fn write(pool: &PgPool, reconciled: Reconciled) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into reconciled (events_until, next_day)
         values ($1, $2)
         on conflict (only_row) do update
         set events_until = excluded.events_until,
             next_day = excluded.next_day",
        reconciled.events_until,
        reconciled.next_day,
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Purchases whose credits came from one moment until right before another, and of whose charge nothing was told.
pub async fn without_charge(
    conn: &mut PgConnection,
    mode: Mode,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select purchases.id
         from purchases
         left join payments using (payment_intent)
         where purchases.paid_at >= $1
           and purchases.paid_at < $2
           and purchases.mode = $4
           and purchases.lot is not null
           and payments.charge is null
         order by purchases.paid_at
         limit $3",
        from,
        to,
        limit,
        mode.as_str(),
    )
    .fetch_all(conn)
    .await
}
