//! One use of a feature, paid for with credits.

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tower_sessions::Session;

use super::{
    available, key_sent, member,
    usage::{counts_tokens, token_usage, tokens},
};
use crate::{
    domain::{
        Act, Catalog, Entry, EntryId, IdempotencyKey, Spend,
        catalog::{Action, ActionKey, Cost, Units},
        note::{Metadata, Reference},
    },
    problem::Problem,
    server::{
        AppState, Error,
        api::{
            Fault,
            carry_out::{Notes, command},
            sent::{Body, metadata},
        },
        auth::secret,
        caller::status_of,
        subscriptions,
    },
    text::hexadecimal,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consume {
    feature: ActionKey,
    /// The same generation is paid for once.
    generation_id: Option<Reference>,
    units: Option<Units>,
    #[serde(default, deserialize_with = "metadata")]
    metadata: Option<Metadata>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Consumed {
    success: bool,
    credits_used: i64,
    /// Null where it can't be read at the moment.
    remaining_credits: Option<i64>,
    entry: EntryId,
    /// Where the feature counts tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    credit_info: Option<CreditInfo>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreditInfo {
    tokens_used: i64,
    credits_remaining: Option<i64>,
    /// Null where it can't be read at the moment.
    total_tokens_used: Option<i64>,
}

/// `POST /api/user/credits/consume`
pub async fn consume(
    State(state): State<AppState>,
    session: Session,
    headers: HeaderMap,
    body: Result<Body<Consume>, Fault>,
) -> Result<Response, Fault> {
    let user = member(&state, &session).await?;
    let Body(asked) = body?;
    let key = match &asked.generation_id {
        Some(generation) => key_of(generation)?,
        None => key_sent(&state, &headers)?,
    };
    let catalog = state.catalog();
    // What was paid for stays so, whatever the catalog says by now.
    if let Some(entry) = state.ledger.answered(user.account, key).await? {
        let action =
            entry.kind.charge().filter(|_| entry.kind.is_spend()).and_then(|charge| charge.action.as_ref());
        if action != Some(&asked.feature) {
            return Err(Problem::KeyReused.into());
        }
        return Ok(Json(consumed(&state, &catalog, &entry).await).into_response());
    }
    let action = catalog.action(asked.feature.as_str()).ok_or(Problem::UnknownAction)?;
    let units = asked.units.or_else(|| one_credit_of(action));
    let charge = action.price(units).map_err(|reason| Fault::field("units", reason))?;
    let spend = Spend { charge, agreed: None, limits: catalog.limits, description: None };
    let notes = Notes { reference: asked.generation_id, metadata: asked.metadata };
    let command = command(user.account, key, Act::Spend(spend), notes);
    match state.ledger.execute(command).await? {
        Ok(receipt) => Ok(Json(consumed(&state, &catalog, &receipt.entry).await).into_response()),
        Err(refusal) => {
            let problem = state.refused(refusal);
            let remaining = available(&state, user.account).await?;
            let larger = subscriptions::larger_plan(&state, user.account, &problem).await;
            let said = json!({
                "success": false,
                "error": problem.told_with(larger.as_ref()),
                "code": problem.code(),
                "remainingCredits": remaining,
            });
            // Not as a problem: these pages look for `success`.
            Ok((status_of(&problem), Json(said)).into_response())
        }
    }
}

/// It is done: what can't be read now is no reason to say otherwise.
async fn consumed(state: &AppState, catalog: &Catalog, entry: &Entry) -> Consumed {
    let charge = entry.kind.charge();
    let action = charge.and_then(|charge| charge.action.as_ref());
    let is_of_tokens = counts_tokens(catalog, action);
    let (remaining, credit_info) = match charge.and_then(|charge| charge.units).filter(|_| is_of_tokens) {
        Some(units) => {
            let (account, rows) = token_usage(state, catalog, entry.account).await.ok().unzip();
            let remaining = account.map(|account| account.available(state.clock.now()).get());
            let total = rows.map(|rows| tokens(&rows));
            let tokens_used = units.get();
            let info = CreditInfo { tokens_used, credits_remaining: remaining, total_tokens_used: total };
            (remaining, Some(info))
        }
        None => (available(state, entry.account).await.ok(), None),
    };
    let (credits_used, entry) = (-entry.delta(), entry.id());
    Consumed { success: true, credits_used, remaining_credits: remaining, entry, credit_info }
}

/// Who does not say how many takes what one credit pays for.
fn one_credit_of(action: &Action) -> Option<Units> {
    match action.cost {
        Cost::PerUnit { units_per_credit, .. } => Some(units_per_credit),
        Cost::Fixed(_) => None,
    }
}

/// A generation is paid for once, however often its page asks.
fn key_of(generation: &Reference) -> Result<IdempotencyKey, Fault> {
    let digits = hexadecimal(&secret::digest(generation.as_str()));
    Ok(IdempotencyKey::of_browser(&format!("generation-{digits}")).map_err(Error::internal)?)
}
