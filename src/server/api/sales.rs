//! Selling credits from a host's own pages: a way to the payment page, and what became of it.

use axum::{Json, extract::State, http::HeaderMap};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Fault,
    carry_out::Done,
    fault::Failure,
    fields,
    names::{AccountParam, AccountPath, PurchasePath},
    sent::{Body, IdempotencyParam, Line, idempotency_key},
};
use crate::{
    domain::{
        AccountId, Amount, PurchaseState,
        catalog::{PackKey, PlanKey},
    },
    problem::Problem,
    server::{
        AppState, Error,
        portal::{RETURN_URL_BYTES_MAX, may_lead_back_to},
        purchases::{
            settle,
            start::{self, NewPurchase, Wanted},
        },
        store::purchases::{self as store, Item},
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCheckoutSession {
    /// A pack of the catalog. This or a plan.
    #[schema(value_type = Option<fields::PackKey>)]
    pack: Option<PackKey>,
    /// A plan of the catalog.
    #[schema(value_type = Option<fields::PlanKey>)]
    plan: Option<PlanKey>,
    /// Where to lead the buyer back to who has paid: an address whose origin the operator has named. `{PURCHASE}` in it
    /// stands for the purchase.
    #[schema(value_type = String, min_length = 1, max_length = 2048, example = "http://localhost:8080/account?bought={PURCHASE}")]
    success_url: Line<RETURN_URL_BYTES_MAX>,
    /// The same for who has not.
    #[schema(value_type = String, min_length = 1, max_length = 2048, example = "http://localhost:8080/account")]
    cancel_url: Line<RETURN_URL_BYTES_MAX>,
}

/// A way to the payment page.
#[derive(Serialize, ToSchema)]
#[schema(as = CheckoutSession)]
pub struct CheckoutSessionObject {
    /// Send the buyer's browser there.
    url: String,
    /// What became of it: `GET /purchases/{purchase}`.
    purchase: Uuid,
    /// Stripe's own name for the page.
    session: String,
}

/// Open a payment page
///
/// For one pack or plan. The credits come when the payment is confirmed, whether the buyer comes back or not.
#[utoipa::path(
    post, operation_id = "create_checkout_session", path = "/api/v1/accounts/{account}/checkout-sessions", tag = "Purchases", security(("key" = ["grant"])),
    params(AccountParam, IdempotencyParam),
    request_body = NewCheckoutSession,
    responses(
        (status = 201, description = "The page. Sent again: the same, with `Idempotent-Replayed: true`.", body = CheckoutSessionObject),
        (status = "default", response = Failure),
    ),
)]
pub async fn open_checkout(
    State(state): State<AppState>,
    AccountPath(account): AccountPath,
    headers: HeaderMap,
    Body(new): Body<NewCheckoutSession>,
) -> Result<Done<CheckoutSessionObject>, Fault> {
    let attempt = idempotency_key(&headers)?.ok_or(Problem::IdempotencyKeyMissing)?;
    let item = match (&new.pack, &new.plan) {
        (Some(pack), None) => Wanted::Pack(pack.as_str()),
        (None, Some(plan)) => Wanted::Plan(plan.as_str()),
        (None, None) => return Err(Fault::field("pack", "say what is bought: a pack, or a plan")),
        (Some(_), Some(_)) => {
            return Err(Fault::field("plan", "one thing is bought: leave the plan or the pack out"));
        }
    };
    let (success_url, cancel_url) = (new.success_url.0.as_str(), new.cancel_url.0.as_str());
    if ![success_url, cancel_url].into_iter().all(|url| may_lead_back_to(&state, url)) {
        return Err(Problem::ReturnUrlRefused.into());
    }
    state.accounts.profile(account).await?;
    let replayed = {
        let mut conn = state.pool.acquire().await.map_err(Error::from)?;
        store::of_attempt(&mut conn, state.stripe.mode(), account, &attempt)
            .await
            .map_err(Error::from)?
            .is_some()
    };
    let new = NewPurchase { item, attempt: &attempt, success_url, cancel_url, saves_card: false };
    let purchase = start::start(&state, &state.stripe, account, new).await?;
    let (Some(url), Some(session)) = (purchase.url, purchase.session) else {
        // Its page was never opened, and will not be.
        return Err(Problem::PurchaseEnded.into());
    };
    Ok(Done { object: CheckoutSessionObject { url, purchase: purchase.id, session }, replayed })
}

/// A purchase, and what became of its money.
#[derive(Serialize, ToSchema)]
#[schema(as = Purchase)]
pub struct PurchaseObject {
    id: Uuid,
    #[schema(value_type = fields::AccountId)]
    account: AccountId,
    /// What was bought: a pack, or else a plan.
    #[schema(value_type = Option<fields::PackKey>)]
    pack: Option<PackKey>,
    #[schema(value_type = Option<fields::PlanKey>)]
    plan: Option<PlanKey>,
    #[schema(value_type = fields::PurchaseStateName)]
    state: PurchaseState,
    /// What was agreed, in the smallest unit of the currency.
    #[schema(minimum = 1)]
    amount: i64,
    /// Three small letters, such as `usd`.
    currency: &'static str,
    /// How many credits a pack brings; null with a plan.
    #[schema(value_type = Option<fields::Amount>)]
    credits: Option<Amount>,
    /// How much of the money went back, by refunds and disputes.
    #[schema(minimum = 0)]
    refunded: i64,
    receipt_url: Option<String>,
    created_at: DateTime<Utc>,
    paid_at: Option<DateTime<Utc>>,
}

/// Look at a purchase
#[utoipa::path(
    get, operation_id = "get_purchase", path = "/api/v1/purchases/{purchase}", tag = "Purchases", security(("key" = ["read"])),
    params(("purchase" = Uuid, Path, description = "As `checkout-sessions` has named it.")),
    responses(
        (status = 200, description = "The purchase.", body = PurchaseObject),
        (status = "default", response = Failure),
    ),
)]
pub async fn show(
    State(state): State<AppState>,
    PurchasePath(id): PurchasePath,
) -> Result<Json<PurchaseObject>, Fault> {
    let purchase = start::find(&state, id).await?;
    let mut conn = state.pool.acquire().await.map_err(Error::from)?;
    let facts = settle::facts_of(&mut conn, &purchase).await?;
    let receipt_url = store::receipt_url(&mut conn, id).await.map_err(Error::from)?;
    let (pack, plan, credits) = match purchase.item {
        Item::Pack { key, credits, .. } => (Some(key), None, Some(credits)),
        Item::Plan { key, .. } => (None, Some(key), None),
    };
    Ok(Json(PurchaseObject {
        id,
        account: purchase.account,
        pack,
        plan,
        state: purchase.state,
        amount: purchase.price.minor(),
        currency: purchase.price.currency().as_str(),
        credits,
        refunded: facts.money_back(),
        receipt_url,
        created_at: purchase.created_at,
        paid_at: purchase.paid.map(|paid| paid.at),
    }))
}
