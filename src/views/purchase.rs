//! Buying: what is for sale to a member, how a purchase stands, and which one would help where credits are missing.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{PackView, PlanView};
use crate::{
    domain::{
        Account, Amount, Catalog, Credits, PurchaseState, Subscription,
        catalog::{Pack, Plan},
        credits::total,
        subscription::Next,
    },
    text,
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

/// What choosing a plan does for a member.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum PlanStepView {
    /// It costs nothing: it comes by itself where there is no other.
    Free,
    /// It is the member's plan.
    Current,
    /// The plan that follows at this moment.
    Next {
        from: DateTime<Utc>,
    },
    Begin,
    /// At once, and only the difference is paid.
    Up,
    /// With the next period.
    Down {
        from: DateTime<Utc>,
    },
    /// It is billed by another interval than the member's plan, which has to end first.
    OtherInterval,
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
        pending: Vec<PendingView>,
        attempt: String,
        is_sandbox: bool,
    ) -> Self {
        Self {
            packs: catalog.packs.iter().map(PackView::of).collect(),
            plans: catalog.plans.iter().map(PlanView::of).collect(),
            steps: catalog.plans.iter().map(|plan| PlanStepView::of(catalog, plan, current)).collect(),
            pending,
            attempt,
            is_sandbox,
        }
    }
}

impl PlanStepView {
    pub fn of(catalog: &Catalog, plan: &Plan, current: Option<&Subscription>) -> Self {
        let Some(current) = current else { return if plan.is_free() { Self::Free } else { Self::Begin } };
        let from = current.period.end;
        let is_other_interval = |current: &Subscription| {
            catalog.plan(current.terms.plan.as_str()).is_some_and(|known| known.interval != plan.interval)
        };
        if current.terms.plan == plan.key {
            return Self::Current;
        }
        // What somebody asked for; not what would follow if nobody paid.
        let follows = match &current.next {
            Next::Change(next) => Some(next),
            Next::End => current.fallback.as_ref(),
            Next::Renew => None,
        };
        match follows {
            Some(next) if next.plan == plan.key => Self::Next { from },
            _ if plan.is_free() => Self::Free,
            _ if current.terms.is_free => Self::Begin,
            _ if is_other_interval(current) => Self::OtherInterval,
            _ if plan.allowance > current.terms.allowance => Self::Up,
            _ => Self::Down { from },
        }
    }

    /// What happens where it is chosen, or why it can't be.
    pub fn words(self) -> Option<String> {
        match self {
            Self::Free => Some("Comes by itself where there is no other plan".to_owned()),
            Self::Current => Some("Your plan".to_owned()),
            Self::Next { from } => Some(format!("Follows on {}", text::date(from))),
            Self::Begin => None,
            Self::Up => Some("At once: the difference is charged now".to_owned()),
            Self::OtherInterval => Some("Billed by another interval: end your plan first".to_owned()),
            Self::Down { from } => Some(format!("With the next period, from {}", text::date(from))),
        }
    }

    /// The word on the button by which it is chosen, where it can be.
    pub const fn verb(self) -> Option<&'static str> {
        match self {
            Self::Begin => Some("Subscribe"),
            Self::Up => Some("Upgrade"),
            Self::Down { .. } => Some("Switch"),
            Self::Free | Self::Current | Self::Next { .. } | Self::OtherInterval => None,
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
        let step = |plan: &Plan| PlanStepView::of(catalog, plan, current);
        let brings_more = |plan: &&Plan| matches!(step(plan), PlanStepView::Begin | PlanStepView::Up);
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
