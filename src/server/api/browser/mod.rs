//! What the code in a product's own pages calls, for the person who is signed in: their credits, one use of a feature,
//! their history, their usage. The shapes are those that such pages know; what they do is what everything does, a
//! command through the ledger.

mod consume;
mod grant;
mod history;
mod usage;

use axum::{Json, extract::State, http::HeaderMap};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tower_sessions::Session;

pub use self::{consume::consume, grant::grant, history::history, usage::usage};
use super::{Fault, sent::idempotency_key};
use crate::{
    domain::{AccountId, IdempotencyKey, Subscription, SubscriptionState},
    problem::Problem,
    server::{AppState, Error, store::people::User},
};

/// Of an account that pays for no plan.
const FREE: &str = "free";

#[derive(Serialize)]
pub struct CreditsAnswer {
    remaining: i64,
    /// What was granted and has not lapsed.
    total: i64,
    subscription_status: &'static str,
}

/// `GET /api/user/credits`
pub async fn credits(State(state): State<AppState>, session: Session) -> Result<Json<CreditsAnswer>, Fault> {
    let user = member(&state, &session).await?;
    let account = state.ledger.account(user.account).await?;
    let now = state.clock.now();
    Ok(Json(CreditsAnswer {
        remaining: account.available(now).get(),
        total: state.ledger.granted(user.account).await?.get(),
        subscription_status: status(account.subscription(), now),
    }))
}

/// What an account pays for, in the words of these pages: `active`, `past_due`, `canceled`, or `free`.
fn status(subscription: Option<&Subscription>, now: DateTime<Utc>) -> &'static str {
    let paid = subscription.filter(|subscription| !subscription.terms.is_free);
    match paid.map(|subscription| subscription.state(now)) {
        Some(SubscriptionState::Active) => "active",
        Some(SubscriptionState::PastDue) => "past_due",
        Some(SubscriptionState::Canceled) => "canceled",
        Some(SubscriptionState::Ended) | None => FREE,
    }
}

async fn member(state: &AppState, session: &Session) -> Result<User, Fault> {
    Ok(state.auth.current(session).await?.ok_or(Problem::SignedOut)?)
}

async fn available(state: &AppState, account: AccountId) -> Result<i64, Error> {
    Ok(state.ledger.account(account).await?.available(state.clock.now()).get())
}

/// The key that was sent, or else one of its own: then the request is carried out each time that it is sent.
fn key_sent(state: &AppState, headers: &HeaderMap) -> Result<IdempotencyKey, Fault> {
    let sent = idempotency_key(headers)?.unwrap_or_else(|| state.clock.new_id().to_string());
    IdempotencyKey::of_browser(&sent).map_err(|_| Problem::IdempotencyKeyInvalid.into())
}
