//! Handing a command to the ledger, and what is answered when it was carried out.

use std::convert::Infallible;

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, IntoResponseParts, Response, ResponseParts},
};
use serde::Serialize;

use super::Fault;
use crate::{
    domain::{
        AccountId, Act, Amount, Catalog, Charge, Command, Entry, IdempotencyKey, Receipt, Spend,
        catalog::{ActionKey, Units},
        note::{Description, Metadata, Reference},
    },
    problem::Problem,
    server::{AppState, Error, subscriptions},
};

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// What was carried out, as an object that tells of its entry.
pub struct Done<T> {
    pub object: T,
    /// It had been carried out before.
    pub replayed: bool,
}

impl<T: Serialize> IntoResponse for Done<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Replayed(self.replayed), Json(self.object)).into_response()
    }
}

/// Says with an answer whether it was given before.
pub struct Replayed(pub bool);

impl IntoResponseParts for Replayed {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        if self.0 {
            parts.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        Ok(parts)
    }
}

impl<T> Done<T> {
    pub fn of(receipt: &Receipt, object: impl FnOnce(&Entry) -> T) -> Self {
        Self { object: object(&receipt.entry), replayed: receipt.replayed }
    }

    /// Of an entry that is of the kind which the command makes.
    pub fn of_kind(receipt: &Receipt, object: impl FnOnce(&Entry) -> Option<T>) -> Result<Self, Fault> {
        let object = object(&receipt.entry).ok_or_else(|| Error::internal("an answer of another kind"))?;
        Ok(Self { object, replayed: receipt.replayed })
    }
}

/// What its caller notes with a command.
#[derive(Default)]
pub struct Notes {
    pub reference: Option<Reference>,
    pub metadata: Option<Metadata>,
}

/// What is charged for, as a caller says it.
pub struct Order {
    pub action: Option<ActionKey>,
    pub units: Option<Units>,
    pub amount: Option<Amount>,
    /// What the caller takes it to cost.
    pub cost: Option<Amount>,
}

impl Order {
    /// What it costs now.
    pub fn charge(&self, catalog: &Catalog) -> Result<Charge, Fault> {
        match (&self.action, self.amount) {
            (Some(action), None) => {
                let action = catalog.action(action.as_str()).ok_or(Problem::UnknownAction)?;
                action.price(self.units).map_err(|reason| Fault::field("units", reason))
            }
            (None, Some(_)) if self.units.is_some() => {
                Err(Fault::field("units", "an amount is taken as it is: units go with an action"))
            }
            (None, Some(cost)) => Ok(Charge { action: None, units: None, cost }),
            (None, None) => Err(Fault::field("action", "say what it is for: an action, or an amount")),
            (Some(_), Some(_)) => {
                Err(Fault::field("amount", "an action has its price: leave the amount out"))
            }
        }
    }

    /// A spend at what it costs now. One that was made before under this key stays the same, also where the catalog has
    /// no such action any more, or prices it otherwise.
    pub async fn spend(
        &self,
        state: &AppState,
        catalog: &Catalog,
        account: AccountId,
        key: IdempotencyKey,
        description: Option<Description>,
    ) -> Result<Spend, Fault> {
        let charge = match (self.charge(catalog), &self.action) {
            (Err(fault), Some(action)) => {
                let before = state.ledger.answered(account, key).await?;
                let charged = before.as_ref().and_then(|entry| entry.kind.charge());
                let Some(Charge { cost, .. }) = charged.cloned() else { return Err(fault) };
                Charge { action: Some(action.clone()), units: self.units, cost }
            }
            (charge, _) => charge?,
        };
        Ok(Spend { charge, agreed: self.cost.or(self.amount), limits: catalog.limits, description })
    }
}

pub fn command(account: AccountId, key: IdempotencyKey, act: Act, notes: Notes) -> Command {
    let Notes { reference, metadata } = notes;
    Command { reference, metadata, ..Command::new(account, key, act) }
}

pub async fn carry_out(state: &AppState, command: Command) -> Result<Receipt, Fault> {
    let answer = state.ledger.execute(command).await?;
    Ok(answer.map_err(|refusal| state.refused(refusal))?)
}

/// The same for what an account pays. Where it has too little, the answer names a plan that brings more.
pub async fn pay(state: &AppState, command: Command) -> Result<Receipt, Fault> {
    let account = command.account;
    match state.ledger.execute(command).await? {
        Ok(receipt) => Ok(receipt),
        Err(refusal) => {
            let problem = state.refused(refusal);
            let larger = subscriptions::larger_plan(state, account, &problem).await;
            Err(Fault::from(problem).with_plan(larger))
        }
    }
}
