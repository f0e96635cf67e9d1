//! The catalog: what a product sells for credits, and its credits for money. Read from a file by
//! `server::catalog`, which also says what is wrong with one; here it is already right.

mod action;
mod key;
mod low_balance;
mod pack;
mod plan;
mod price;

pub use self::{
    action::{Action, Cost, NoPrice, NotUnits, Units},
    key::{ActionKey, NotACatalogKey, PackKey, PlanKey},
    low_balance::{LowBalance, NotAPercentage, Percentage},
    pack::Pack,
    plan::{Allowance, Interval, NotARolloverCap, Plan, RolloverCap},
    price::{Currency, NotAPrice, Price},
};

use super::{
    Amount,
    command::{Grace, Limits, WhenSpent},
};

/// One product's settings and what it sells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    /// The product's name, as people know it.
    pub name: String,
    /// What the product does, in a sentence.
    pub summary: String,
    /// What a new member gets.
    pub signup: Option<SignUpGrant>,
    /// The plan on which accounts begin, and to which they fall back when a subscription ends: one of `plans`, and free.
    pub default_plan: Option<PlanKey>,
    /// What every spend must leave available, and how many an account may make.
    pub limits: Limits,
    /// At or below this, members are told that little is left.
    pub low_balance: LowBalance,
    /// The HTTP status with which a spend beyond the balance is refused.
    pub insufficient_status: InsufficientStatus,
    /// For how long refunded credits live whose lot has lapsed meanwhile; `None`: they lapse at once.
    pub refund_grace: Option<Grace>,
    /// What becomes of bought credits that are spent already when their money goes back.
    pub clawback: WhenSpent,
    /// For how many days a plan's credits live on while its invoice is unpaid.
    pub grace_days: u16,
    pub actions: Vec<Action>,
    pub plans: Vec<Plan>,
    pub packs: Vec<Pack>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignUpGrant {
    pub credits: Amount,
    /// `None`: they never expire.
    pub expires_days: Option<u16>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InsufficientStatus {
    #[default]
    PaymentRequired,
    TooManyRequests,
}

impl Catalog {
    pub fn action(&self, key: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.key.as_str() == key)
    }

    pub fn plan(&self, key: &str) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.key.as_str() == key)
    }

    pub fn pack(&self, key: &str) -> Option<&Pack> {
        self.packs.iter().find(|pack| pack.key.as_str() == key)
    }

    /// The smallest of the plans that give more than this; `None`: than nothing.
    pub fn larger_plan(&self, than: Option<Allowance>) -> Option<&Plan> {
        let larger = self.plans.iter().filter(|plan| Some(plan.allowance) > than);
        larger.min_by_key(|plan| plan.allowance)
    }

    pub fn default_plan(&self) -> Option<&Plan> {
        self.plan(self.default_plan.as_ref()?.as_str())
    }
}

impl InsufficientStatus {
    pub const fn code(self) -> u16 {
        match self {
            Self::PaymentRequired => 402,
            Self::TooManyRequests => 429,
        }
    }
}
