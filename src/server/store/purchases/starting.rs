//! How purchases begin: what was agreed is noted before Stripe is asked for anything.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Item, Purchase, find};
use crate::{
    domain::{AccountId, purchase::Mode},
    server::store::corrupt,
};

/// Notes a new one. `false`, and nothing written, where the buyer has one of that name.
pub async fn insert(
    conn: &mut PgConnection,
    purchase: &Purchase,
    ask_at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let days = |days: Option<u16>| days.map(i16::try_from).transpose().map_err(corrupt);
    let (pack, plan) = match &purchase.item {
        Item::Pack { key, credits, expires_days, priority } => {
            (Some((key.as_str(), credits.get(), days(*expires_days)?, priority.0)), None)
        }
        Item::Plan { key, interval, trial_days } => {
            (None, Some((key.as_str(), interval.as_str(), days(*trial_days)?)))
        }
    };
    let inserted = sqlx::query!(
        "insert into purchases (id, account_id, attempt, pack, plan, title, description, credits, expires_days, priority,
                                interval, trial_days, price, currency, success_url, cancel_url, saves_card,
                                created_at, ask_at, mode, is_automatic)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
         on conflict on constraint purchases_attempt_key do nothing",
        purchase.id,
        Uuid::from(purchase.account),
        purchase.attempt,
        pack.map(|pack| pack.0),
        plan.map(|plan| plan.0),
        purchase.title,
        purchase.description,
        pack.map(|pack| pack.1),
        pack.and_then(|pack| pack.2),
        pack.map(|pack| pack.3),
        plan.map(|plan| plan.1),
        plan.and_then(|plan| plan.2),
        purchase.price.minor(),
        purchase.price.currency().as_str(),
        purchase.success_url,
        purchase.cancel_url,
        purchase.saves_card,
        purchase.created_at,
        ask_at,
        purchase.mode.as_str(),
        purchase.is_automatic,
    );
    Ok(inserted.execute(conn).await?.rows_affected() == 1)
}

/// Keeps others who start a purchase of the account waiting until the end of the transaction.
pub async fn lock_starts(conn: &mut PgConnection, account: AccountId) -> sqlx::Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('purchases ' || $1::uuid::text, 0))",
        Uuid::from(account),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The one that the buyer knows by this name.
pub async fn of_attempt(
    conn: &mut PgConnection,
    mode: Mode,
    account: AccountId,
    attempt: &str,
) -> sqlx::Result<Option<Purchase>> {
    let id = sqlx::query_scalar!(
        "select id
         from purchases
         where account_id = $1
           and mode = $2
           and attempt = $3",
        Uuid::from(account),
        mode.as_str(),
        attempt,
    );
    match id.fetch_optional(&mut *conn).await? {
        Some(id) => find(conn, id).await,
        None => Ok(None),
    }
}

pub async fn count_pending(conn: &mut PgConnection, mode: Mode, account: AccountId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!"
           from purchases
           where account_id = $1
             and mode = $2
             and state = 'pending'"#,
        Uuid::from(account),
        mode.as_str(),
    )
    .fetch_one(conn)
    .await
}

/// Those of plans that nobody has paid, but for the one of this name.
pub async fn pending_plans(
    conn: &mut PgConnection,
    mode: Mode,
    account: AccountId,
    attempt: &str,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select id
         from purchases
         where account_id = $1
           and mode = $2
           and attempt <> $3
           and plan is not null
           and state = 'pending'
         order by created_at, id",
        Uuid::from(account),
        mode.as_str(),
        attempt,
    )
    .fetch_all(conn)
    .await
}

/// Whether a plan was paid whose subscription Stripe has not told of yet.
pub async fn has_plan_to_come(conn: &mut PgConnection, mode: Mode, account: AccountId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select
               from purchases
               where account_id = $1
                 and mode = $2
                 and plan is not null
                 and paid_at is not null
                 and subscription is not null
                 and not exists (
                     select
                     from stripe_subscriptions
                     where id = purchases.subscription
                       and told_at is not null
                 )
           ) as "exists!""#,
        Uuid::from(account),
        mode.as_str(),
    )
    .fetch_one(conn)
    .await
}

/// Whether a plan was ever paid, or begun with a trial.
pub async fn had_plan(conn: &mut PgConnection, mode: Mode, account: AccountId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select
               from purchases
               where account_id = $1
                 and mode = $2
                 and plan is not null
                 and (paid_at is not null or subscription is not null)
           )
           or exists (
               select
               from stripe_subscriptions
               where account_id = $1
                 and mode = $2
           ) as "exists!""#,
        Uuid::from(account),
        mode.as_str(),
    )
    .fetch_one(conn)
    .await
}

/// Notes where the buyer pays. What is noted already stays. `false`, and nothing noted, where the purchase was given up.
pub async fn note_session(conn: &mut PgConnection, id: Uuid, session: &str, url: &str) -> sqlx::Result<bool> {
    let noted = sqlx::query!(
        "update purchases
         set session = coalesce(session, $2),
             url = coalesce(url, $3)
         where id = $1
           and (expired_at is null or session is not null)",
        id,
        session,
        url,
    );
    Ok(noted.execute(conn).await?.rows_affected() == 1)
}
