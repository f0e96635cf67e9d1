//! What becomes of purchases: what Stripe tells of them, what came of it, and when Stripe is asked.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Paid, Purchase, find, of_ids};
use crate::domain::{AccountId, purchase::Mode};

/// What Stripe tells of a purchase.
#[derive(Debug, Default)]
pub struct Told<'a> {
    pub session: Option<&'a str>,
    pub payment_intent: Option<&'a str>,
    pub subscription: Option<&'a str>,
    pub paid: Option<Paid>,
    pub failed_at: Option<DateTime<Utc>>,
    pub expired_at: Option<DateTime<Utc>>,
}

/// The same, kept from others until the end of the transaction.
pub async fn lock(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Purchase>> {
    sqlx::query!(
        "select id
         from purchases
         where id = $1
         for no key update",
        id,
    )
    .fetch_optional(&mut *conn)
    .await?;
    // Only now: what was read together with a lock that had to be waited for would be out of date.
    find(conn, id).await
}

pub async fn id_of_payment(conn: &mut PgConnection, payment_intent: &str) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "select id
         from purchases
         where payment_intent = $1",
        payment_intent,
    )
    .fetch_optional(conn)
    .await
}

/// Notes what Stripe tells. What is known already stays: the earliest of each.
pub async fn note(conn: &mut PgConnection, id: Uuid, told: &Told<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "update purchases
         set session = coalesce(session, $2),
             payment_intent = coalesce(payment_intent, $3),
             subscription = coalesce(subscription, $4),
             paid_at = least(paid_at, $5),
             paid = coalesce(paid, $6),
             paid_currency = coalesce(paid_currency, $7),
             failed_at = least(failed_at, $8),
             expired_at = least(expired_at, $9)
         where id = $1",
        id,
        told.session,
        told.payment_intent,
        told.subscription,
        told.paid.as_ref().map(|paid| paid.at),
        told.paid.as_ref().map(|paid| paid.minor),
        told.paid.as_ref().map(|paid| paid.currency.as_str()),
        told.failed_at,
        told.expired_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes that a purchase is given up, as if it could not be paid any more.
pub async fn expire(conn: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "update purchases
         set expired_at = least(expired_at, $2)
         where id = $1",
        id,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes what came of the facts. Of what is over Stripe is not asked any more.
pub async fn settled(conn: &mut PgConnection, purchase: &Purchase) -> sqlx::Result<()> {
    sqlx::query!(
        "update purchases
         set state = $2,
             lot = $3,
             clawed = $4,
             commands = $5,
             ask_at = case when $2 = 'pending' then ask_at end
         where id = $1",
        purchase.id,
        purchase.state.as_str(),
        purchase.lot.map(|lot| lot.0),
        purchase.clawed.get(),
        purchase.commands,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Those that Stripe is to be asked about by now, the longest due first.
pub async fn to_ask(
    pool: &PgPool,
    mode: Mode,
    now: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<Purchase>> {
    let mut conn = pool.acquire().await?;
    let ids = sqlx::query_scalar!(
        "select id
         from purchases
         where ask_at <= $1
           and mode = $3
         order by ask_at
         limit $2",
        now,
        limit,
        mode.as_str(),
    );
    let ids = ids.fetch_all(&mut *conn).await?;
    of_ids(&mut conn, &ids).await
}

/// Notes when Stripe is asked next about one that is still pending.
pub async fn ask_again(pool: &PgPool, id: Uuid, ask_at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "update purchases
         set ask_at = $2,
             asked = asked + 1
         where id = $1
           and state = 'pending'",
        id,
        ask_at,
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Purchases that were paid as agreed, and do not have exactly one lot of as many credits to themselves.
pub async fn without_grant(
    conn: &mut PgConnection,
    only: Option<AccountId>,
) -> sqlx::Result<Vec<(AccountId, Uuid)>> {
    let rows = sqlx::query!(
        r#"select paid.account_id as "account_id!", paid.id as "id!"
           from (
               select purchases.*,
                      get_byte(uuid_send(account_id), 15) & (buckets - 1) as bucket,
                      count(*) over (partition by account_id, lot) as of_lot
               from purchases
               cross join ledger_layout
               where pack is not null
                 and paid = price
                 and paid_currency = currency
                 and ($1::uuid is null or account_id = $1)
           ) as paid
           left join lots
             on lots.bucket = paid.bucket
            and lots.account_id = paid.account_id
            and lots.number = paid.lot
           where lots.granted is distinct from paid.credits
              or lots.source is distinct from 'pack'
              or paid.of_lot > 1
           order by paid.account_id, paid.id"#,
        only.map(Uuid::from),
    );
    let rows = rows.fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.account_id.into(), row.id)).collect())
}
