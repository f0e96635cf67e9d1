//! Subscriptions: what plan an account is on, for hosts that bill elsewhere.

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    Fault,
    carry_out::Replayed,
    fault::Failure,
    fields,
    names::{AccountParam, AccountPath},
    objects::SubscriptionObject,
    sent::{Body, Moment, OptionalIdempotency, OptionalIdempotencyParam, Query},
};
use crate::{
    domain::catalog::PlanKey,
    server::{
        AppState,
        subscriptions::{self, Left, Wanted},
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSubscription {
    #[schema(value_type = fields::PlanKey)]
    plan: PlanKey,
    /// From when months are counted, where a subscription begins: the day on which you bill. Without it, from now.
    #[schema(value_type = Option<fields::Time>)]
    anchor: Option<Moment>,
    /// At the first end of a month from this moment on, the subscription ends. Send it anew, and later, when you were
    /// paid. Without it, the subscription goes on until somebody ends it. Not of a plan that costs nothing.
    #[schema(value_type = Option<fields::Time>)]
    paid_until: Option<Moment>,
    /// Begin with the plan's trial, which is paid until its end. Not with `anchor` or `paid_until`.
    #[serde(default)]
    trial: bool,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EndQuery {
    /// Now, rather than at the end of the period: what is left of the plan's credits ends as well.
    #[serde(default)]
    at_once: bool,
}

/// Look at a subscription
#[utoipa::path(
    get, operation_id = "get_subscription", path = "/api/v1/accounts/{account}/subscription", tag = "Subscriptions", security(("key" = ["read"])),
    params(AccountParam),
    responses(
        (status = 200, description = "The subscription that the account has, or had last.", body = SubscriptionObject),
        (status = "default", response = Failure),
    ),
)]
pub async fn show(
    State(state): State<AppState>,
    AccountPath(account): AccountPath,
) -> Result<Json<SubscriptionObject>, Fault> {
    let subscription = subscriptions::find(&state, account).await?;
    Ok(Json(SubscriptionObject::of(&subscription, state.clock.now())))
}

/// Put an account on a plan
///
/// The first time it begins, and the plan's credits for the first month are there. A larger plan begins at once and brings
/// the difference for this month; a smaller one begins with the next month. Sent again, it changes nothing; with an
/// idempotency key that is so even where something else happened in between, unless it changed nothing the first time. A
/// trial begins once, whatever the key: sent again, it is answered with the subscription as it is then.
#[utoipa::path(
    put, operation_id = "put_subscription", path = "/api/v1/accounts/{account}/subscription", tag = "Subscriptions", security(("key" = ["grant"])),
    params(AccountParam, OptionalIdempotencyParam),
    request_body = NewSubscription,
    responses(
        (status = 200, description = "The subscription as this leaves it. Sent again under the same key: the same, with `Idempotent-Replayed: true`, but for a trial.", body = SubscriptionObject),
        (status = "default", response = Failure),
    ),
)]
pub async fn put(
    State(state): State<AppState>,
    AccountPath(account): AccountPath,
    OptionalIdempotency(key): OptionalIdempotency,
    Body(new): Body<NewSubscription>,
) -> Result<Answer, Fault> {
    if new.trial && (new.anchor.is_some() || new.paid_until.is_some()) {
        return Err(Fault::field("trial", "a trial has its own anchor and end"));
    }
    let wanted = Wanted {
        plan: new.plan,
        anchor: new.anchor.map(|anchor| anchor.0),
        paid_until: new.paid_until.map(|until| until.0),
        is_trial: new.trial,
        key,
    };
    Ok(told(&subscriptions::put(&state, account, wanted).await?))
}

/// End a subscription
///
/// With its period, or at once. The account is then on the catalog's free plan, where there is one. Packs stay.
#[utoipa::path(
    delete, operation_id = "end_subscription", path = "/api/v1/accounts/{account}/subscription", tag = "Subscriptions", security(("key" = ["grant"])),
    params(AccountParam, EndQuery, OptionalIdempotencyParam),
    responses(
        (status = 200, description = "The subscription as this leaves it. Sent again under the same key: the same, with `Idempotent-Replayed: true`.", body = SubscriptionObject),
        (status = "default", response = Failure),
    ),
)]
pub async fn end(
    State(state): State<AppState>,
    AccountPath(account): AccountPath,
    OptionalIdempotency(key): OptionalIdempotency,
    Query(query): Query<EndQuery>,
) -> Result<Answer, Fault> {
    Ok(told(&subscriptions::end(&state, account, key, query.at_once).await?))
}

type Answer = (Replayed, Json<SubscriptionObject>);

fn told(left: &Left) -> Answer {
    (Replayed(left.replayed), Json(SubscriptionObject::of(&left.subscription, left.at)))
}
