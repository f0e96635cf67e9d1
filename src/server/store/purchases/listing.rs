//! Looking through purchases: a buyer's open ones, those that a history names, and all of them for admins.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Purchase, of_ids};
use crate::domain::{AccountId, PurchaseState, purchase::Mode};

/// Those that an account has begun and nobody has paid, the newest first.
pub async fn pending_of(
    conn: &mut PgConnection,
    mode: Mode,
    account: AccountId,
    limit: i64,
) -> sqlx::Result<Vec<Purchase>> {
    let ids = sqlx::query_scalar!(
        "select id
         from purchases
         where account_id = $1
           and mode = $2
           and state = 'pending'
         order by created_at desc, id desc
         limit $3",
        Uuid::from(account),
        mode.as_str(),
        limit,
    );
    let ids = ids.fetch_all(&mut *conn).await?;
    of_ids(conn, &ids).await
}

/// A page of all there are, in one state or in any, the newest first: those that began before the one named.
pub async fn page(
    conn: &mut PgConnection,
    state: Option<PurchaseState>,
    before: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<Vec<Purchase>> {
    // An id tells when it was made.
    let ids = sqlx::query_scalar!(
        "select id
         from purchases
         where ($1::text is null or state = $1)
           and ($2::uuid is null or id < $2)
         order by id desc
         limit $3",
        state.map(PurchaseState::as_str),
        before,
        limit,
    );
    let ids = ids.fetch_all(&mut *conn).await?;
    let mut found = of_ids(conn, &ids).await?;
    found.sort_unstable_by_key(|purchase| std::cmp::Reverse(purchase.id));
    Ok(found)
}

/// Where the buyer finds the receipt of a purchase: of a pack its payment's, of a plan its first invoice.
pub async fn receipt_url(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        r#"select coalesce(payments.receipt_url, (
               select hosted_url
               from stripe_invoices
               where subscription = purchases.subscription
               order by period_end, id
               limit 1
           ))
           from purchases
           left join payments on payments.payment_intent = purchases.payment_intent
           where purchases.id = $1"#,
        id,
    )
    .fetch_one(conn)
    .await
}

/// Where the receipt of a purchase is.
#[derive(Debug)]
pub struct Receipt {
    pub purchase: Uuid,
    pub url: String,
}

/// Of those of these purchases that are an account's, and have one.
pub async fn receipts(
    conn: &mut PgConnection,
    account: AccountId,
    ids: &[Uuid],
) -> sqlx::Result<Vec<Receipt>> {
    sqlx::query_as!(
        Receipt,
        r#"select purchases.id as purchase, payments.receipt_url as "url!"
           from purchases
           join payments on payments.payment_intent = purchases.payment_intent
           where purchases.account_id = $1
             and purchases.id = any($2)
             and payments.receipt_url is not null"#,
        Uuid::from(account),
        ids,
    )
    .fetch_all(conn)
    .await
}

/// Money that went back, or is on the way.
#[derive(Debug)]
pub struct Back {
    /// Stripe's own.
    pub id: String,
    pub amount: i64,
    pub state: String,
    pub is_dispute: bool,
}

/// The refunds and disputes of a payment.
pub async fn money_back(conn: &mut PgConnection, payment_intent: &str) -> sqlx::Result<Vec<Back>> {
    sqlx::query_as!(
        Back,
        r#"select id as "id!", amount as "amount!", state as "state!", false as "is_dispute!"
           from payment_refunds
           where payment_intent = $1
           union all
           select id, amount, status, true
           from disputes
           where payment_intent = $1
           order by 1"#,
        payment_intent,
    )
    .fetch_all(conn)
    .await
}
