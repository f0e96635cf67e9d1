//! What the product offers: its actions, and its plans and packs with their prices in words.

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        Amount, Catalog,
        catalog::{Action, Allowance, Cost, Interval, Pack, Plan},
    },
    text,
};

/// What the product offers to somebody who looks around.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfferView {
    pub name: String,
    pub summary: String,
    /// What a new member gets, if anything.
    pub signup: Option<Amount>,
    pub actions: Vec<ActionView>,
    pub plans: Vec<PlanView>,
    pub packs: Vec<PackView>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionView {
    pub key: String,
    pub title: String,
    pub description: String,
    pub cost: Cost,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanView {
    pub key: String,
    pub title: String,
    pub description: String,
    /// `100 credits a month · 14 days free to try`
    pub terms: String,
    /// `$12.00 per month`
    pub price: String,
    /// `$0.12 per credit`, where it costs something and credits can be counted.
    pub per_credit: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PackView {
    pub key: String,
    pub title: String,
    pub description: String,
    /// `100 credits · good for 90 days`
    pub terms: String,
    /// `$12.00`
    pub price: String,
    /// `$0.12 per credit`
    pub per_credit: String,
}

impl OfferView {
    pub fn of(catalog: &Catalog) -> Self {
        Self {
            name: catalog.name.clone(),
            summary: catalog.summary.clone(),
            signup: catalog.signup.map(|signup| signup.credits),
            actions: ActionView::all(catalog),
            plans: catalog.plans.iter().map(PlanView::of).collect(),
            packs: catalog.packs.iter().map(PackView::of).collect(),
        }
    }
}

impl ActionView {
    pub fn all(catalog: &Catalog) -> Vec<Self> {
        catalog.actions.iter().map(Self::of).collect()
    }

    fn of(action: &Action) -> Self {
        Self {
            key: action.key.to_string(),
            title: action.title.clone(),
            description: action.description.clone(),
            cost: action.cost.clone(),
        }
    }
}

impl PlanView {
    pub fn of(plan: &Plan) -> Self {
        let months = match plan.interval {
            Interval::Month => 1,
            Interval::Year => 12,
        };
        let credits = match plan.allowance {
            Allowance::Monthly(monthly) => {
                monthly.get().checked_mul(months).and_then(|credits| Amount::try_from(credits).ok())
            }
            Allowance::Unlimited => None,
        };
        Self {
            per_credit: plan.price.zip(credits).map(|(price, credits)| text::per_credit(price, credits)),
            key: plan.key.to_string(),
            title: plan.title.clone(),
            description: plan.description.clone(),
            terms: text::plan_terms(plan),
            price: text::plan_price(plan.price, plan.interval),
        }
    }
}

impl PackView {
    pub fn of(pack: &Pack) -> Self {
        Self {
            per_credit: text::per_credit(pack.price, pack.credits),
            key: pack.key.to_string(),
            title: pack.title.clone(),
            description: pack.description.clone(),
            terms: text::pack_terms(pack.credits, pack.expires_days),
            price: text::price(pack.price),
        }
    }
}
