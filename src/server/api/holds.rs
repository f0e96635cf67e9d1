//! Holds: credits set aside while work goes on whose outcome is not known.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Fault,
    carry_out::{Done, Notes, Order, carry_out, command, pay},
    fault::{Failure, ProblemObject},
    fields,
    names::{AccountName, HoldPath},
    objects::{EntryObject, HoldObject},
    sent::{Body, Idempotency, IdempotencyParam, OptionalBody, Seconds, metadata},
};
use crate::{
    domain::{
        Act, Amount, Capture, HoldId, HoldLife, Release,
        catalog::{ActionKey, Units},
        note::{Description, Metadata, Reference},
    },
    problem::Problem,
    server::AppState,
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHold {
    /// `acct_…`, or `ext_` and your own name for it.
    #[schema(value_type = fields::AccountName)]
    account: AccountName,
    /// One of the catalog's, or else an amount.
    #[schema(value_type = Option<fields::ActionKey>)]
    action: Option<ActionKey>,
    /// How many, where the action is priced by unit.
    #[schema(value_type = Option<fields::Units>)]
    units: Option<Units>,
    #[schema(value_type = Option<fields::Amount>)]
    amount: Option<Amount>,
    /// What you take it to cost, such as what a quote said: at another price it is refused.
    #[schema(value_type = Option<fields::Amount>)]
    cost: Option<Amount>,
    /// After how many seconds it counts as released; 900 without it.
    #[schema(value_type = Option<fields::HoldSeconds>)]
    expires_in: Option<Seconds>,
    /// Your own name for what this is about, such as a job's id.
    #[schema(value_type = Option<fields::Reference>)]
    reference: Option<Reference>,
    /// For readers of the history.
    #[schema(value_type = Option<fields::Description>)]
    description: Option<Description>,
    /// A JSON object of at most 8 kB, kept as it is.
    #[serde(default, deserialize_with = "metadata")]
    #[schema(value_type = Option<fields::Metadata>)]
    metadata: Option<Metadata>,
}

/// Hold
///
/// Sets the price of an action, or an amount, aside: nobody can spend it until the hold is captured or released.
#[utoipa::path(
    post, operation_id = "create_hold", path = "/api/v1/holds", tag = "Holds", security(("key" = ["spend"])),
    params(IdempotencyParam),
    request_body = NewHold,
    responses(
        (status = 201, description = "The hold. Sent again: the same, with `Idempotent-Replayed: true`.", body = HoldObject),
        (status = 402, description = "Too few credits (429 where the catalog says so). Nothing was set aside.", body = ProblemObject, content_type = "application/problem+json"),
        (status = "default", response = Failure),
    ),
)]
pub async fn create(
    State(state): State<AppState>,
    Idempotency(key): Idempotency,
    Body(new): Body<NewHold>,
) -> Result<Done<HoldObject>, Fault> {
    let order = Order { action: new.action, units: new.units, amount: new.amount, cost: new.cost };
    let life = new
        .expires_in
        .map(|seconds| HoldLife::try_from(seconds.0).map_err(|reason| Fault::field("expires_in", reason)));
    let life = life.transpose()?.unwrap_or_default();
    let account = new.account.resolve(&state).await?;
    let spend = order.spend(&state, &state.catalog(), account, key, new.description).await?;
    let notes = Notes { reference: new.reference, metadata: new.metadata };
    let command = command(account, key, Act::Hold(spend, life), notes);
    Done::of_kind(&pay(&state, command).await?, HoldObject::of)
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCapture {
    /// What it came to; without it, what the hold says. What was held beyond it returns, what is missing is taken
    /// from what is available.
    #[schema(value_type = Option<fields::Amount>)]
    amount: Option<Amount>,
}

/// Capture a hold
///
/// The work is done: takes what it came to, and returns the rest.
#[utoipa::path(
    post, operation_id = "capture_hold", path = "/api/v1/holds/{hold}/capture", tag = "Holds", security(("key" = ["spend"])),
    params(
        ("hold" = String, Path, description = "`hold_…`"),
        IdempotencyParam,
    ),
    request_body(content = Option<NewCapture>),
    responses(
        (status = 201, description = "The entry. Sent again: the same, with `Idempotent-Replayed: true`.", body = EntryObject),
        (status = 409, description = "It was captured or released already.", body = ProblemObject, content_type = "application/problem+json"),
        (status = "default", response = Failure),
    ),
)]
pub async fn capture(
    State(state): State<AppState>,
    HoldPath(hold): HoldPath,
    Idempotency(key): Idempotency,
    OptionalBody(new): OptionalBody<NewCapture>,
) -> Result<Done<EntryObject>, Fault> {
    let HoldId { account, number } = hold;
    let act = Act::Capture(Capture { hold: number, amount: new.amount });
    let command = command(account, key, act, Notes::default());
    Ok(Done::of(&carry_out(&state, command).await.map_err(of_hold)?, EntryObject::of))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRelease {}

/// Release a hold
///
/// The work came to nothing: returns all that was held.
#[utoipa::path(
    post, operation_id = "release_hold", path = "/api/v1/holds/{hold}/release", tag = "Holds", security(("key" = ["spend"])),
    params(
        ("hold" = String, Path, description = "`hold_…`"),
        IdempotencyParam,
    ),
    request_body(content = Option<NewRelease>),
    responses(
        (status = 201, description = "The entry. Sent again: the same, with `Idempotent-Replayed: true`.", body = EntryObject),
        (status = 409, description = "It was captured or released already.", body = ProblemObject, content_type = "application/problem+json"),
        (status = "default", response = Failure),
    ),
)]
pub async fn release(
    State(state): State<AppState>,
    HoldPath(hold): HoldPath,
    Idempotency(key): Idempotency,
    OptionalBody(NewRelease {}): OptionalBody<NewRelease>,
) -> Result<Done<EntryObject>, Fault> {
    let HoldId { account, number } = hold;
    let command = command(account, key, Act::Release(Release { hold: number }), Notes::default());
    Ok(Done::of(&carry_out(&state, command).await.map_err(of_hold)?, EntryObject::of))
}

/// A hold whose name names no account is no hold.
fn of_hold(fault: Fault) -> Fault {
    fault.instead_of(&Problem::UnknownAccount, Problem::UnknownHold)
}
