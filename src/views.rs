//! What readers see: the shapes that server functions answer with, and how each is made from what the domain
//! knows. The pages show them.

mod admin;
mod change;
mod history;
mod offer;
mod purchase;
mod step;
mod subscription;
mod top_up;
mod warning;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::{
    admin::{
        BackView, CreditsOfView, DifferenceView, EventView, InboxView, InvoiceView, PaidView,
        PurchaseFactsView, PurchaseRowView, PurchasesView, RefundPreviewView,
    },
    change::ChangeView,
    history::{CursorView, EntryView, HistoryView, KindView, title},
    offer::{ActionView, OfferView, PackView, PlanView},
    purchase::{PendingView, PurchaseView, ReliefView, ShopView, StageView},
    step::PlanStepView,
    subscription::{BillingView, SubscriptionView},
    top_up::{TopUpStateView, TopUpView},
    warning::WarningView,
};
use crate::{
    domain::{
        Account, Allocation, Amount, Catalog, Charge, Credits, Entry, Level, Lot, LotState, Quote, Refusal,
        Shortfall, Source, Warning,
        catalog::{Action, Cost},
    },
    problem::Problem,
    text::{self, number},
};

/// What stands around every page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameView {
    /// The product's name.
    pub product: String,
    /// Whether it sells anything.
    pub sells: bool,
    /// Whether no real money is about.
    pub is_sandbox: bool,
    /// Who is signed in, if anybody.
    pub member: Option<MemberView>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberView {
    /// What they are called.
    pub name: String,
    pub balance: BalanceView,
    pub warnings: Vec<WarningView>,
    /// Where the host is that sent them here.
    pub return_url: Option<String>,
    pub is_admin: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BalanceView {
    pub available: Credits,
    pub level: Level,
    pub is_unlimited: bool,
}

/// The actions that a member can run, and what became of the last one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionsView {
    pub actions: Vec<ActionView>,
    /// The spend that the page's address names, if it does.
    pub spent: Option<SpentView>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpentView {
    pub title: String,
    /// What it took: nothing where use is unlimited.
    pub taken: i64,
    /// What is available now.
    pub available: Credits,
}

/// What one run of an action would do now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuoteView {
    /// Whose credits would pay.
    pub account: String,
    pub action: String,
    pub title: String,
    /// In words, where the action is priced by unit: "4,500 tokens".
    pub quantity: Option<String>,
    pub units: Option<i64>,
    pub cost: Amount,
    pub available: Credits,
    pub outcome: OutcomeView,
    /// Under which a spend at this quote happens once, however often its form is sent.
    pub idempotency_key: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OutcomeView {
    Payable {
        available_after: Credits,
        allocations: Vec<AllocationView>,
    },
    Short {
        missing: Amount,
        min_balance: Credits,
        relief: ReliefView,
    },
    /// What stands in the way is not the balance.
    Refused(Problem),
}

/// The part of a spend that one lot would pay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AllocationView {
    pub amount: Amount,
    pub source: Source,
    pub expires_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreditsView {
    pub available: Credits,
    pub is_unlimited: bool,
    /// Set aside by open holds.
    pub held: Credits,
    /// Owed: what comes in next pays it first.
    pub debt: Credits,
    pub subscription: Option<SubscriptionView>,
    /// Whether the plan is paid through Stripe, where its card and its end are.
    pub has_billing_portal: bool,
    /// Whether the product sells anything.
    pub sells: bool,
    /// How much lapses next, and when.
    pub next_expiry: Option<(Credits, DateTime<Utc>)>,
    /// Lots with credits remaining, in the order in which they are spent.
    pub lots: Vec<LotView>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LotView {
    pub number: i64,
    /// Where it came from: the plan by its name.
    pub source: String,
    pub granted: Credits,
    pub remaining: Credits,
    pub state: LotState,
    pub effective_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
}

impl BalanceView {
    pub fn of(account: &Account, catalog: &Catalog, now: DateTime<Utc>) -> Self {
        Self {
            available: account.available(now),
            level: Level::of_account(account, catalog.low_balance, now),
            is_unlimited: account.is_unlimited(now),
        }
    }
}

impl MemberView {
    pub fn of(
        name: String,
        return_url: Option<String>,
        is_admin: bool,
        account: &Account,
        standing: &[Warning],
        catalog: &Catalog,
        now: DateTime<Utc>,
    ) -> Self {
        let balance = BalanceView::of(account, catalog, now);
        Self {
            name,
            balance,
            warnings: WarningView::all(account, standing, catalog, now),
            return_url,
            is_admin,
        }
    }
}

impl SpentView {
    /// `None` where the entry charged for nothing.
    pub fn of(entry: &Entry, available: Credits, catalog: &Catalog) -> Option<Self> {
        entry.kind.charge().filter(|_| entry.kind.is_spend())?;
        Some(Self { title: title(entry, catalog), taken: -entry.delta(), available })
    }
}

impl QuoteView {
    pub fn of(
        action: &Action,
        charge: &Charge,
        quote: Quote,
        account: &Account,
        relief: impl FnOnce(Amount) -> ReliefView,
        refused: impl FnOnce(Refusal) -> Problem,
        idempotency_key: String,
    ) -> Self {
        let outcome = match quote.outcome {
            Ok(allocations) => OutcomeView::Payable {
                available_after: allocations
                    .iter()
                    .fold(quote.available, |left, paid| left.less(paid.amount.credits())),
                allocations: allocations
                    .into_iter()
                    .filter_map(|paid| AllocationView::of(paid, account))
                    .collect(),
            },
            Err(Refusal::Insufficient(Shortfall { missing, min_balance, .. })) => {
                OutcomeView::Short { missing, min_balance, relief: relief(missing) }
            }
            Err(refusal) => OutcomeView::Refused(refused(refusal)),
        };
        let quantity = match (&action.cost, charge.units) {
            (Cost::PerUnit { unit, .. }, Some(units)) => Some(format!("{} {unit}", number(units.get()))),
            _ => None,
        };
        Self {
            account: account.id().to_string(),
            action: action.key.to_string(),
            title: action.title.clone(),
            quantity,
            units: charge.units.map(Into::into),
            cost: quote.cost,
            available: quote.available,
            outcome,
            idempotency_key,
        }
    }
}

impl AllocationView {
    fn of(paid: Allocation, account: &Account) -> Option<Self> {
        let lot = account.lot(paid.lot)?;
        Some(Self { amount: paid.amount, source: lot.source, expires_at: lot.expires_at })
    }
}

impl CreditsView {
    /// `billing`: how a plan is paid for by card, if it is.
    pub fn of(
        account: &Account,
        catalog: &Catalog,
        billing: Option<&BillingView>,
        now: DateTime<Utc>,
    ) -> Self {
        let view = |current| SubscriptionView::of(current, catalog, billing, now);
        let subscription = account.subscription().map(view);
        let open = account.lots().iter().filter(|lot| lot.remaining > Credits::ZERO);
        let lots = open.map(|lot| LotView::of(lot, account, subscription.as_ref(), now)).collect();
        Self {
            available: account.available(now),
            is_unlimited: account.is_unlimited(now),
            held: account.held(),
            debt: account.debt(),
            next_expiry: account.next_expiry(now),
            subscription,
            has_billing_portal: billing.is_some(),
            sells: ShopView::is_open(catalog),
            lots,
        }
    }
}

impl LotView {
    fn of(lot: &Lot, account: &Account, subscription: Option<&SubscriptionView>, now: DateTime<Utc>) -> Self {
        // Those of an earlier plan don't take the name of the present one.
        let plan = subscription.filter(|_| account.subscription().is_some_and(|current| current.has(lot)));
        let source =
            plan.map_or_else(|| text::source(lot.source).to_owned(), |plan| text::plan_named(&plan.title));
        Self {
            number: lot.number.0,
            source,
            granted: lot.granted,
            remaining: lot.remaining,
            state: lot.state(now),
            effective_at: lot.effective_at,
            expires_at: account.lapses_at(lot),
        }
    }
}
