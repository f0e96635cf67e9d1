//! Giving credits and taking them away: grants, refunds, voids.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Fault,
    carry_out::{Done, Notes, carry_out, command},
    fault::{Failure, ProblemObject},
    fields,
    names::{AccountParam, AccountPath, LotPath},
    objects::{EntryObject, LotObject},
    sent::{Body, Idempotency, IdempotencyParam, Moment, metadata, source},
};
use crate::{
    domain::{
        Act, Amount, EntryId, Grant, LotId, Priority, Refund, Source, Void,
        note::{Description, Metadata, Reference},
    },
    problem::Problem,
    server::AppState,
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    /// How many credits.
    #[schema(value_type = fields::Amount)]
    amount: Amount,
    /// Where they come from.
    #[serde(deserialize_with = "source")]
    #[schema(value_type = fields::LotSource)]
    source: Source,
    /// Lots with a lower number are spent first. Without it 10 for packs, 30 for plans, 20 for the others.
    #[schema(value_type = Option<fields::PriorityNumber>)]
    priority: Option<i16>,
    /// From when they can be spent; without it, now.
    #[schema(value_type = Option<fields::Time>)]
    effective_at: Option<Moment>,
    /// When they lapse; without it, never.
    #[schema(value_type = Option<fields::Time>)]
    expires_at: Option<Moment>,
    /// For readers of the history.
    #[schema(value_type = fields::Description)]
    reason: Description,
    /// Your own name for what this is about, such as an order's id.
    #[schema(value_type = Option<fields::Reference>)]
    reference: Option<Reference>,
    /// A JSON object of at most 8 kB, kept as it is.
    #[serde(default, deserialize_with = "metadata")]
    #[schema(value_type = Option<fields::Metadata>)]
    metadata: Option<Metadata>,
}

/// Grant credits
///
/// A new lot. Debt is paid from it first.
#[utoipa::path(
    post, operation_id = "create_grant", path = "/api/v1/accounts/{account}/grants", tag = "Granting", security(("key" = ["grant"])),
    params(
        AccountParam,
        IdempotencyParam,
    ),
    request_body = NewGrant,
    responses(
        (status = 201, description = "The lot. Sent again: the same, with `Idempotent-Replayed: true`.", body = LotObject),
        (status = "default", response = Failure),
    ),
)]
pub async fn grant(
    State(state): State<AppState>,
    AccountPath(account): AccountPath,
    Idempotency(key): Idempotency,
    Body(new): Body<NewGrant>,
) -> Result<Done<LotObject>, Fault> {
    let grant = Grant {
        amount: new.amount,
        source: new.source,
        priority: new.priority.map_or_else(|| new.source.default_priority(), Priority),
        effective_at: new.effective_at.map(|at| at.0),
        expires_at: new.expires_at.map(|at| at.0),
        description: new.reason,
    };
    let notes = Notes { reference: new.reference, metadata: new.metadata };
    let command = command(account, key, Act::Grant(grant), notes);
    Done::of_kind(&carry_out(&state, command).await?, LotObject::opened_by)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRefund {
    /// The entry of a spend or of a capture.
    #[schema(value_type = fields::EntryId)]
    spend: EntryId,
    /// Without it, all that has not been refunded yet.
    #[schema(value_type = Option<fields::Amount>)]
    amount: Option<Amount>,
    /// For readers of the history.
    #[schema(value_type = fields::Description)]
    reason: Description,
    /// Your own name for what this is about.
    #[schema(value_type = Option<fields::Reference>)]
    reference: Option<Reference>,
    /// A JSON object of at most 8 kB, kept as it is.
    #[serde(default, deserialize_with = "metadata")]
    #[schema(value_type = Option<fields::Metadata>)]
    metadata: Option<Metadata>,
}

/// Refund a spend
///
/// Gives credits back to the lots that they came from: all or a part, several times, never more than was taken.
#[utoipa::path(
    post, operation_id = "create_refund", path = "/api/v1/refunds", tag = "Spending", security(("key" = ["spend"])),
    params(IdempotencyParam),
    request_body = NewRefund,
    responses(
        (status = 201, description = "The entry. Sent again: the same, with `Idempotent-Replayed: true`.", body = EntryObject),
        (status = "default", response = Failure),
    ),
)]
pub async fn refund(
    State(state): State<AppState>,
    Idempotency(key): Idempotency,
    Body(new): Body<NewRefund>,
) -> Result<Done<EntryObject>, Fault> {
    let refund = Refund {
        spend: new.spend.number,
        amount: new.amount,
        grace: state.catalog().refund_grace,
        reason: new.reason,
    };
    let notes = Notes { reference: new.reference, metadata: new.metadata };
    let command = command(new.spend.account, key, Act::Refund(refund), notes);
    let done = carry_out(&state, command).await;
    let receipt = done.map_err(|fault| fault.instead_of(&Problem::UnknownAccount, Problem::UnknownSpend))?;
    Ok(Done::of(&receipt, EntryObject::of))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVoid {
    /// For readers of the history.
    #[schema(value_type = fields::Description)]
    reason: Description,
}

/// Void a lot
///
/// Takes away what remains of it. Refused while a part of it is held.
#[utoipa::path(
    post, operation_id = "void_lot", path = "/api/v1/lots/{lot}/void", tag = "Granting", security(("key" = ["grant"])),
    params(
        ("lot" = String, Path, description = "`lot_…`"),
        IdempotencyParam,
    ),
    request_body = NewVoid,
    responses(
        (status = 201, description = "The entry. Sent again: the same, with `Idempotent-Replayed: true`.", body = EntryObject),
        (status = 409, description = "A part of it is held, or nothing remains of it.", body = ProblemObject, content_type = "application/problem+json"),
        (status = "default", response = Failure),
    ),
)]
pub async fn void(
    State(state): State<AppState>,
    LotPath(lot): LotPath,
    Idempotency(key): Idempotency,
    Body(new): Body<NewVoid>,
) -> Result<Done<EntryObject>, Fault> {
    let LotId { account, number } = lot;
    let void = Void { lot: number, reason: new.reason };
    let done = carry_out(&state, command(account, key, Act::Void(void), Notes::default())).await;
    let receipt = done.map_err(|fault| fault.instead_of(&Problem::UnknownAccount, Problem::UnknownLot))?;
    Ok(Done::of(&receipt, EntryObject::of))
}
