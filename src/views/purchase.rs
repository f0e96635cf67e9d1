//! Buying: what is for sale to a member, how a purchase stands, and which one would help where credits are missing.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{BillingView, PackView, PlanStepView, PlanView};
use crate::domain::{
    Account, Amount, Catalog, Credits, PurchaseState, Subscription,
    catalog::{Pack, Plan},
    credits::total,
};

/// What a member can buy, and what they have begun to buy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShopView {
    pub packs: Vec<PackView>,
    pub plans: Vec<PlanView>,
    /// What choosing a plan does, in the order of `plans`.
    pub steps: Vec<PlanStepView>,
    /// Begun and not paid yet, the newest first.
    pub pending: Vec<PendingView>,
    /// A new name for what is bought from this page: sent twice, it is bought once.
    pub attempt: String,
    /// Whether no real money is about.
    pub is_sandbox: bool,
}

/// A purchase that waits for its payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PendingView {
    pub id: String,
    pub title: String,
    pub price: String,
    pub begun: DateTime<Utc>,
    /// Where it is paid; none where the bank has it by now.
    pub checkout: Option<String>,
}

/// A purchase, as its buyer is told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PurchaseView {
    pub id: String,
    pub title: String,
    pub price: String,
    pub stage: StageView,
    /// What can be spent now.
    pub available: Credits,
    pub is_unlimited: bool,
    /// Where it is paid, as long as it can be.
    pub checkout: Option<String>,
    pub receipt_url: Option<String>,
    /// The page that the buyer came from.
    pub return_to: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum StageView {
    /// Nobody has paid yet, as far as is known.
    Waiting,
    /// The bank takes its time.
    Late,
    /// Paid; what was bought is on its way.
    Paid,
    /// It is there: so many credits, or a plan.
    Done {
        credits: Option<Amount>,
    },
    Failed,
    /// Abandoned, canceled, or left for too long.
    Ended,
    PartlyRefunded,
    Refunded,
    Disputed,
}

/// What would bring the credits that are missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ReliefView {
    /// The smallest pack that is large enough.
    Pack(PackView),
    /// No pack is: plans that bring more than the present one.
    Plans(Vec<PlanView>),
    /// The product sells neither.
    Nothing,
}

impl ShopView {
    /// Whether a product sells anything.
    pub fn is_open(catalog: &Catalog) -> bool {
        !catalog.packs.is_empty() || catalog.plans.iter().any(|plan| !plan.is_free())
    }

    pub fn of(
        catalog: &Catalog,
        current: Option<&Subscription>,
        billing: Option<&BillingView>,
        pending: Vec<PendingView>,
        attempt: String,
        is_sandbox: bool,
    ) -> Self {
        let step = |plan| PlanStepView::of(catalog, plan, current, billing);
        Self {
            packs: catalog.packs.iter().map(PackView::of).collect(),
            plans: catalog.plans.iter().map(PlanView::of).collect(),
            steps: catalog.plans.iter().map(step).collect(),
            pending,
            attempt,
            is_sandbox,
        }
    }
}

impl StageView {
    /// `is_with_bank`: the payment was begun, and takes days. `is_there`: what was bought has come.
    pub fn of(state: PurchaseState, is_with_bank: bool, is_there: bool, credits: Option<Amount>) -> Self {
        match state {
            PurchaseState::Pending if is_with_bank => Self::Late,
            PurchaseState::Pending => Self::Waiting,
            PurchaseState::Paid if is_there => Self::Done { credits },
            PurchaseState::Paid => Self::Paid,
            PurchaseState::Failed => Self::Failed,
            PurchaseState::Expired => Self::Ended,
            PurchaseState::PartlyRefunded => Self::PartlyRefunded,
            PurchaseState::Refunded => Self::Refunded,
            PurchaseState::Disputed => Self::Disputed,
        }
    }

    /// Whether it may become another by itself soon.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Paid)
    }
}

impl ReliefView {
    /// For who lacks so much at `now`.
    pub fn of(catalog: &Catalog, account: &Account, missing: Amount, now: DateTime<Utc>) -> Self {
        let active = account.lots().iter().filter(|lot| lot.is_active(now));
        let covered = total(active.map(|lot| lot.remaining));
        // What comes in pays what is owed first.
        let wanted = missing.get().saturating_add(account.debt().less(covered).get());
        let packs = catalog.packs.iter().filter(|pack| pack.credits.get() >= wanted);
        let smallest = packs.min_by_key(|pack: &&Pack| (pack.credits, pack.price.minor()));
        if let Some(pack) = smallest {
            return Self::Pack(PackView::of(pack));
        }
        let current = account.current_subscription();
        // Whether by paying for it or by changing what is paid for.
        let step = |plan: &Plan| PlanStepView::of(catalog, plan, current, None);
        let brings_more =
            |plan: &&Plan| matches!(step(plan), PlanStepView::Begin | PlanStepView::Replace { from: None });
        let plans: Vec<PlanView> = catalog.plans.iter().filter(brings_more).map(PlanView::of).collect();
        match plans.is_empty() {
            false => Self::Plans(plans),
            // Several packs together will do.
            true => match catalog.packs.iter().max_by_key(|pack| pack.credits) {
                Some(largest) => Self::Pack(PackView::of(largest)),
                None => Self::Nothing,
            },
        }
    }
}
