//! Payments: what Stripe told of the money of each, also before it is known what was bought with it. Whoever notes
//! something of a payment locks it first.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::domain::purchase::{Disputed, Facts, Refunded};

/// Keeps others who note something of the payment waiting until the end of the transaction.
pub async fn lock(conn: &mut PgConnection, payment_intent: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into payments (payment_intent)
         values ($1)
         on conflict (payment_intent) do nothing",
        payment_intent,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "select payment_intent
         from payments
         where payment_intent = $1
         for no key update",
        payment_intent,
    )
    .fetch_one(conn)
    .await
    .map(drop)
}

/// A charge that was paid, and the sum of its refunds so far.
#[derive(Debug)]
pub struct Charged<'a> {
    pub charge: &'a str,
    pub total: i64,
    pub currency: &'a str,
    pub receipt_url: Option<&'a str>,
    pub refunded: i64,
}

pub async fn note_charge(
    conn: &mut PgConnection,
    payment_intent: &str,
    charged: &Charged<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update payments
         set charge = coalesce(charge, $2),
             total = coalesce(total, $3),
             currency = coalesce(currency, $4),
             receipt_url = coalesce(receipt_url, $5),
             refunded = greatest(refunded, $6)
         where payment_intent = $1",
        payment_intent,
        charged.charge,
        charged.total,
        charged.currency,
        charged.receipt_url,
        charged.refunded,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// One refund as Stripe told it.
#[derive(Debug)]
pub struct Told<'a> {
    pub refund: &'a str,
    pub amount: i64,
    /// The word for its state, and the place of that among the others.
    pub state: &'static str,
    pub rank: i16,
}

/// Notes how far a refund is, unless it was known to be farther.
pub async fn note_refund(conn: &mut PgConnection, payment_intent: &str, told: &Told<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into payment_refunds (id, payment_intent, amount, state, rank)
         values ($1, $2, $3, $4, $5)
         on conflict (id) do update
         set state = excluded.state,
             rank = excluded.rank
         where payment_refunds.rank < excluded.rank",
        told.refund,
        payment_intent,
        told.amount,
        told.state,
        told.rank,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// A dispute as Stripe told it.
#[derive(Debug)]
pub struct Dispute<'a> {
    pub id: &'a str,
    pub amount: i64,
    pub is_withdrawn: bool,
    pub is_reinstated: bool,
    pub status: &'a str,
    pub told_at: DateTime<Utc>,
}

pub async fn note_dispute(
    conn: &mut PgConnection,
    payment_intent: &str,
    told: &Dispute<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into disputes (id, payment_intent, amount, withdrawn, reinstated, status, told_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (id) do update
         set amount = greatest(disputes.amount, excluded.amount),
             withdrawn = disputes.withdrawn or excluded.withdrawn,
             reinstated = disputes.reinstated or excluded.reinstated,
             status = case
                 when (excluded.told_at, excluded.status) > (disputes.told_at, disputes.status) then excluded.status
                 else disputes.status
             end,
             told_at = greatest(disputes.told_at, excluded.told_at)",
        told.id,
        payment_intent,
        told.amount,
        told.is_withdrawn,
        told.is_reinstated,
        told.status,
        told.told_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What is known of the money that went back of these payments of one thing.
pub async fn facts(conn: &mut PgConnection, payment_intents: &[String]) -> sqlx::Result<Facts> {
    let refunded = sqlx::query_scalar!(
        r#"select coalesce(sum(refunded), 0)::bigint as "sum!"
           from payments
           where payment_intent = any($1)"#,
        payment_intents,
    );
    let refunded = refunded.fetch_one(&mut *conn).await?;
    let refunds = sqlx::query_as!(
        Refunded,
        r#"select amount, state = 'failed' as "is_failed!"
           from payment_refunds
           where payment_intent = any($1)"#,
        payment_intents,
    );
    let refunds = refunds.fetch_all(&mut *conn).await?;
    let disputes = sqlx::query_as!(
        Disputed,
        "select amount, withdrawn as is_withdrawn, reinstated as is_reinstated
         from disputes
         where payment_intent = any($1)",
        payment_intents,
    );
    let disputes = disputes.fetch_all(conn).await?;
    Ok(Facts { refunded, refunds, disputes, ..Facts::default() })
}

/// Whether a payment is for a purchase, or for a subscription's invoice.
pub async fn is_for_something(conn: &mut PgConnection, payment_intent: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select
               from purchases
               where payment_intent = $1
           ) or exists (
               select
               from invoice_payments
               join stripe_invoices on stripe_invoices.id = invoice_payments.invoice
               where payment_intent = $1
           ) as "is_known!""#,
        payment_intent,
    )
    .fetch_one(conn)
    .await
}
