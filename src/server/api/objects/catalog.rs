//! The catalog.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        Amount, Catalog, Credits, WhenSpent,
        catalog::{Action, Allowance, Cost, LowBalance, Pack, Plan, Price, RolloverCap},
    },
    server::api::fields,
    text,
};

/// What the product sells for credits, and its credits for money.
#[derive(Serialize, ToSchema)]
#[schema(as = Catalog)]
pub struct CatalogObject {
    name: String,
    summary: String,
    /// What a new account gets.
    signup: Option<SignUpObject>,
    /// The plan on which accounts begin, and to which they fall back when a subscription ends.
    default_plan: Option<String>,
    /// What every spend must leave.
    #[schema(value_type = fields::Credits)]
    min_balance: Credits,
    /// At or below it an account's level is `low`. Null: a share of its last monthly credits.
    #[schema(value_type = Option<fields::Credits>)]
    low_balance: Option<Credits>,
    /// That share.
    #[schema(minimum = 1, maximum = 100)]
    low_balance_percent: Option<u8>,
    /// With which a spend beyond the balance is refused: 402 or 429.
    #[schema(example = 402, minimum = 402, maximum = 429)]
    insufficient_status: u16,
    /// How many spends an account may make in an hour and in a day of UTC.
    fair_use: FairUseObject,
    /// For how many days refunded credits live whose lot has lapsed meanwhile. Null: they lapse at once.
    refund_grace_days: Option<i64>,
    /// What becomes of bought credits that are spent when their money goes back.
    #[schema(value_type = fields::WhenSpentName)]
    clawback: WhenSpent,
    /// For how many days a plan's credits live on while its invoice is unpaid.
    grace_days: u16,
    actions: Vec<ActionObject>,
    plans: Vec<PlanObject>,
    packs: Vec<PackObject>,
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

/// Null: any number.
#[derive(Serialize, ToSchema)]
#[schema(as = FairUse)]
pub struct FairUseObject {
    per_hour: Option<u32>,
    per_day: Option<u32>,
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

/// Credits every month, or use without limit.
#[derive(Serialize, ToSchema)]
#[schema(as = Plan)]
pub struct PlanObject {
    key: String,
    title: String,
    description: String,
    /// Null: free.
    price: Option<PriceObject>,
    #[schema(value_type = fields::IntervalName)]
    interval: &'static str,
    /// How many credits come each month. Null: it is unlimited.
    #[schema(value_type = Option<fields::Amount>)]
    monthly_credits: Option<Amount>,
    unlimited: bool,
    /// How many months' credits an account may have right after a renewal. Null: what is not used lapses.
    rollover_cap: Option<u16>,
    /// Lots with a lower number are spent first.
    #[schema(value_type = fields::PriorityNumber)]
    priority: i16,
    /// For how many days it can be tried before it is paid for.
    trial_days: Option<u16>,
}

/// Credits that are bought once.
#[derive(Serialize, ToSchema)]
#[schema(as = Pack)]
pub struct PackObject {
    key: String,
    title: String,
    description: String,
    #[schema(value_type = fields::Amount)]
    credits: Amount,
    price: PriceObject,
    /// Null: its credits never expire.
    expires_days: Option<u16>,
    /// Lots with a lower number are spent first.
    #[schema(value_type = fields::PriorityNumber)]
    priority: i16,
}

/// What something costs in money.
#[derive(Serialize, ToSchema)]
#[schema(as = Price)]
pub struct PriceObject {
    /// In the currency's smallest unit.
    #[schema(example = 1200)]
    minor: i64,
    /// Three letters.
    #[schema(example = "usd")]
    currency: &'static str,
    /// As people read it.
    #[schema(example = "$12.00")]
    text: String,
}

impl From<&Catalog> for CatalogObject {
    fn from(catalog: &Catalog) -> Self {
        let (low_balance, low_balance_percent) = match catalog.low_balance {
            LowBalance::Credits(credits) => (Some(credits), None),
            LowBalance::Share(share) => (None, Some(share.get())),
        };
        Self {
            name: catalog.name.clone(),
            summary: catalog.summary.clone(),
            signup: catalog
                .signup
                .map(|signup| SignUpObject { credits: signup.credits, expires_days: signup.expires_days }),
            default_plan: catalog.default_plan.as_ref().map(ToString::to_string),
            min_balance: catalog.limits.min_balance,
            low_balance,
            low_balance_percent,
            insufficient_status: catalog.insufficient_status.code(),
            fair_use: FairUseObject { per_hour: catalog.limits.per_hour, per_day: catalog.limits.per_day },
            refund_grace_days: catalog.refund_grace.map(|grace| grace.get().num_days()),
            clawback: catalog.clawback,
            grace_days: catalog.grace_days,
            actions: catalog.actions.iter().map(ActionObject::from).collect(),
            plans: catalog.plans.iter().map(PlanObject::from).collect(),
            packs: catalog.packs.iter().map(PackObject::from).collect(),
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

impl From<&Plan> for PlanObject {
    fn from(plan: &Plan) -> Self {
        let monthly_credits = match plan.allowance {
            Allowance::Monthly(amount) => Some(amount),
            Allowance::Unlimited => None,
        };
        Self {
            key: plan.key.to_string(),
            title: plan.title.clone(),
            description: plan.description.clone(),
            price: plan.price.map(PriceObject::from),
            interval: plan.interval.as_str(),
            monthly_credits,
            unlimited: plan.allowance == Allowance::Unlimited,
            rollover_cap: plan.rollover_cap.map(RolloverCap::get),
            priority: plan.priority.0,
            trial_days: plan.trial_days,
        }
    }
}

impl From<&Pack> for PackObject {
    fn from(pack: &Pack) -> Self {
        Self {
            key: pack.key.to_string(),
            title: pack.title.clone(),
            description: pack.description.clone(),
            credits: pack.credits,
            price: pack.price.into(),
            expires_days: pack.expires_days,
            priority: pack.priority.0,
        }
    }
}

impl From<Price> for PriceObject {
    fn from(price: Price) -> Self {
        Self { minor: price.minor(), currency: price.currency().as_str(), text: text::price(price) }
    }
}
