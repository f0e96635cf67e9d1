//! Spending: what something would cost, and paying for it, one by one or many at once.

use axum::{Json, extract::State};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    Fault,
    carry_out::{Done, Notes, Order, carry_out, command, pay},
    fault::{Failure, ProblemObject},
    fields,
    names::AccountName,
    objects::{EntryObject, QuoteObject},
    sent::{BATCH_BYTES_MAX, Body, Idempotency, IdempotencyParam, Object, metadata},
};
use crate::{
    domain::{
        Act, Amount, Catalog, Command, IdempotencyKey,
        catalog::{ActionKey, Units},
        note::{Description, Metadata, Reference},
    },
    server::{AppState, layers::RequestId},
};

/// How many spends one request may bring.
const BATCH_MAX: usize = 1_000;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewQuote {
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
}

/// Ask for a price
///
/// What an action or an amount would cost this account now, and which lots would pay. Writes nothing.
#[utoipa::path(
    post, operation_id = "create_quote", path = "/api/v1/quotes", tag = "Spending", security(("key" = ["read"])),
    request_body = NewQuote,
    responses(
        (status = 200, description = "What it would cost, whether or not it is allowed.", body = QuoteObject),
        (status = "default", response = Failure),
    ),
)]
pub async fn quote(
    State(state): State<AppState>,
    Body(new): Body<NewQuote>,
) -> Result<Json<QuoteObject>, Fault> {
    let order = Order { action: new.action, units: new.units, amount: new.amount, cost: None };
    let catalog = state.catalog();
    let charge = order.charge(&catalog)?;
    let account = new.account.resolve(&state).await?;
    let account = state.ledger.account(account).await?;
    let now = state.clock.now();
    let quote = account.quote(charge.cost, &catalog.limits, now);
    Ok(Json(QuoteObject::of(&account, quote, now, |refusal| state.refused(refusal))))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSpend {
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

/// Spend
///
/// Takes the price of an action, or an amount: all of it or nothing. Sent again under its key it is done once.
#[utoipa::path(
    post, operation_id = "create_spend", path = "/api/v1/spends", tag = "Spending", security(("key" = ["spend"])),
    params(IdempotencyParam),
    request_body = NewSpend,
    responses(
        (status = 201, description = "The entry. Sent again: the same, with `Idempotent-Replayed: true`.", body = EntryObject),
        (status = 402, description = "Too few credits (429 where the catalog says so). Nothing was taken.", body = ProblemObject, content_type = "application/problem+json"),
        (status = "default", response = Failure),
    ),
)]
pub async fn create(
    State(state): State<AppState>,
    Idempotency(key): Idempotency,
    Body(new): Body<NewSpend>,
) -> Result<Done<EntryObject>, Fault> {
    let command = new.command(&state, &state.catalog(), key).await?;
    Ok(Done::of(&pay(&state, command).await?, EntryObject::of))
}

impl NewSpend {
    async fn command(
        self,
        state: &AppState,
        catalog: &Catalog,
        key: IdempotencyKey,
    ) -> Result<Command, Fault> {
        let order = Order { action: self.action, units: self.units, amount: self.amount, cost: self.cost };
        let account = self.account.resolve(state).await?;
        let spend = order.spend(state, catalog, account, key, self.description).await?;
        let notes = Notes { reference: self.reference, metadata: self.metadata };
        Ok(command(account, key, Act::Spend(spend), notes))
    }
}

/// A spend among many: like one by itself, with its key beside it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchSpend {
    #[schema(value_type = fields::Key)]
    idempotency_key: IdempotencyKey,
    /// `acct_…`, or `ext_` and your own name for it.
    #[schema(value_type = fields::AccountName)]
    account: AccountName,
    #[schema(value_type = Option<fields::ActionKey>)]
    action: Option<ActionKey>,
    #[schema(value_type = Option<fields::Units>)]
    units: Option<Units>,
    #[schema(value_type = Option<fields::Amount>)]
    amount: Option<Amount>,
    #[schema(value_type = Option<fields::Amount>)]
    cost: Option<Amount>,
    #[schema(value_type = Option<fields::Reference>)]
    reference: Option<Reference>,
    #[schema(value_type = Option<fields::Description>)]
    description: Option<Description>,
    #[serde(default, deserialize_with = "metadata")]
    #[schema(value_type = Option<fields::Metadata>)]
    metadata: Option<Metadata>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBatch {
    #[schema(value_type = Vec<BatchSpend>, min_items = 1, max_items = 1000)]
    spends: Vec<Object<BatchSpend>>,
}

/// What became of many spends, in their order.
#[derive(Serialize, ToSchema)]
pub struct Batch {
    /// One for each spend, in the order in which they were sent.
    outcomes: Vec<Outcome>,
}

/// What became of one: as if it had been sent by itself.
#[derive(Serialize, ToSchema)]
pub struct Outcome {
    /// The status that it would have had by itself.
    #[schema(minimum = 200, maximum = 599)]
    status: u16,
    /// It had been carried out before.
    replayed: bool,
    entry: Option<EntryObject>,
    #[schema(value_type = Option<ProblemObject>)]
    problem: Option<Map<String, Value>>,
}

/// Spend many times at once
///
/// Each spend is done, or not, for itself, in no certain order; they share their way to the disk. A body that can't be
/// read as a whole is refused as a whole.
#[utoipa::path(
    post, operation_id = "create_spends", path = "/api/v1/spends/batch", tag = "Spending", security(("key" = ["spend"])),
    request_body = NewBatch,
    responses(
        (status = 200, description = "What became of each.", body = Batch),
        (status = "default", response = Failure),
    ),
)]
pub async fn create_batch(
    State(state): State<AppState>,
    request: RequestId,
    Body(new): Body<NewBatch, BATCH_BYTES_MAX>,
) -> Result<Json<Batch>, Fault> {
    if !(1..=BATCH_MAX).contains(&new.spends.len()) {
        return Err(Fault::field("spends", format!("a batch has 1 to {BATCH_MAX} spends")));
    }
    // One after the other: a name that is not remembered takes a connection.
    let catalog = state.catalog();
    let mut commands = Vec::with_capacity(new.spends.len());
    for Object(spend) in new.spends {
        let (key, spend) = spend.apart();
        commands.push(spend.command(&state, &catalog, key).await);
    }
    let outcomes = commands.into_iter().map(async |command| {
        let done = async { carry_out(&state, command?).await };
        match done.await {
            Ok(receipt) => Outcome {
                status: 201,
                replayed: receipt.replayed,
                entry: Some(EntryObject::of(&receipt.entry)),
                problem: None,
            },
            Err(fault) => {
                let (problem, body) = fault.render(&state, request.get());
                Outcome { status: problem.status(), replayed: false, entry: None, problem: Some(body) }
            }
        }
    });
    Ok(Json(Batch { outcomes: join_all(outcomes).await }))
}

impl BatchSpend {
    /// The key, and the spend by itself.
    fn apart(self) -> (IdempotencyKey, NewSpend) {
        let Self { idempotency_key, account, action, units, amount, cost, reference, description, metadata } =
            self;
        let spend = NewSpend { account, action, units, amount, cost, reference, description, metadata };
        (idempotency_key, spend)
    }
}
