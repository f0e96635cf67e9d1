//! The catalog.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        Amount, Catalog, Credits,
        catalog::{Action, Cost},
    },
    server::api::fields,
};

/// What the product sells for credits.
#[derive(Serialize, ToSchema)]
#[schema(as = Catalog)]
pub struct CatalogObject {
    name: String,
    summary: String,
    /// What a new account gets.
    signup: Option<SignUpObject>,
    /// What every spend must leave.
    #[schema(value_type = fields::Credits)]
    min_balance: Credits,
    /// At or below it an account's level is `low`.
    #[schema(value_type = fields::Credits)]
    low_balance: Credits,
    actions: Vec<ActionObject>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SignUp)]
pub struct SignUpObject {
    /// How many credits.
    #[schema(value_type = fields::Amount)]
    credits: Amount,
    /// Null: they never expire.
    expires_days: Option<u16>,
}

/// Something that costs credits: a fixed `cost`, or one credit for every `units_per_credit` begun.
#[derive(Serialize, ToSchema)]
#[schema(as = Action)]
pub struct ActionObject {
    key: String,
    title: String,
    description: String,
    /// The price, where it is fixed.
    cost: Option<i64>,
    /// What is counted, where the price is by unit.
    #[schema(example = "tokens")]
    unit: Option<String>,
    /// How many units one credit pays for.
    units_per_credit: Option<i64>,
}

impl From<&Catalog> for CatalogObject {
    fn from(catalog: &Catalog) -> Self {
        Self {
            name: catalog.name.clone(),
            summary: catalog.summary.clone(),
            signup: catalog
                .signup
                .map(|signup| SignUpObject { credits: signup.credits, expires_days: signup.expires_days }),
            min_balance: catalog.limits.min_balance,
            low_balance: catalog.low_balance.threshold(None),
            actions: catalog.actions.iter().map(ActionObject::from).collect(),
        }
    }
}

impl From<&Action> for ActionObject {
    fn from(action: &Action) -> Self {
        let (cost, unit, units_per_credit) = match &action.cost {
            Cost::Fixed(cost) => (Some(cost.get()), None, None),
            Cost::PerUnit { unit, units_per_credit } => {
                (None, Some(unit.clone()), Some(units_per_credit.get()))
            }
        };
        Self {
            key: action.key.to_string(),
            title: action.title.clone(),
            description: action.description.clone(),
            cost,
            unit,
            units_per_credit,
        }
    }
}
