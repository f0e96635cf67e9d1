//! What changes at the stand-in Stripe because time passes: sessions expire, bank debits arrive or fail, subscriptions are
//! renewed. Each happens at its time, in the order of these times.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    checkout, payments,
    refused::Refused,
    step::{Step, number, text},
    subscriptions,
};
use crate::server::{AppState, store::sandbox};

/// How long a bank debit takes.
const DEBIT_TAKES_SECONDS: i64 = 5 * 60;

/// When an object changes by itself, in Unix seconds.
pub fn of(object: &Value) -> Option<i64> {
    match (text(object, "object"), text(object, "status")) {
        ("checkout.session", "open") => object["expires_at"].as_i64(),
        ("charge", "pending") => Some(number(object, "created") + DEBIT_TAKES_SECONDS),
        ("subscription", "active" | "trialing") => object["items"]["data"][0]["current_period_end"].as_i64(),
        ("invoice", "open") => object["next_payment_attempt"].as_i64(),
        _ => None,
    }
}

/// When the next thing is due, if that is by `end`.
pub async fn next_time(state: &AppState, end: DateTime<Utc>) -> sqlx::Result<Option<DateTime<Utc>>> {
    let mut conn = state.pool.acquire().await?;
    let due = sandbox::next_due(&mut conn, end.timestamp()).await?;
    Ok(due.and_then(|(due, _)| DateTime::from_timestamp(due, 0)))
}

/// Lets the next thing happen that is due by now; returns whether one was.
pub async fn next(state: &AppState) -> Result<bool, Refused> {
    let mut step = Step::begin(state).await?;
    let now = step.seconds();
    let Some((due, object)) = sandbox::next_due(step.conn(), now).await? else { return Ok(false) };
    step.now = DateTime::from_timestamp(due, 0).unwrap_or(step.now);
    match text(&object, "object") {
        "checkout.session" => drop(checkout::expire(&mut step, object).await?),
        "charge" => payments::debit_arrives(&mut step, object).await?,
        "subscription" => subscriptions::period_ends(&mut step, object).await?,
        "invoice" => subscriptions::pay_again(&mut step, object).await?,
        _ => {}
    }
    step.commit().await?;
    Ok(true)
}
