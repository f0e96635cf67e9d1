//! What readers see: the shapes that server functions answer with, and how each is made from what the domain
//! knows. The pages show them.

mod offer;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::offer::{ActionView, OfferView, PackView, PlanView};
use crate::{
    domain::{
        Account, Allocation, Amount, Catalog, Charge, Credits, Entry, Kind, Level, Lot, LotState, Quote,
        Refusal, Shortfall, Source, Version,
        catalog::{Action, Cost},
        subscription::Next,
    },
    problem::Problem,
    text::number,
};

/// Who is signed in, as the header shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionView {
    /// What they are called.
    pub name: String,
    pub balance: BalanceView,
    /// Where the host is that sent them here.
    pub return_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BalanceView {
    pub available: Credits,
    pub level: Level,
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
    pub cost: Amount,
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
    /// How much lapses next, and when.
    pub next_expiry: Option<(Credits, DateTime<Utc>)>,
    /// Lots with credits remaining, in the order in which they are spent.
    pub lots: Vec<LotView>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LotView {
    pub number: i64,
    pub source: Source,
    pub granted: Credits,
    pub remaining: Credits,
    pub state: LotState,
    pub effective_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// A page of history, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryView {
    pub entries: Vec<EntryView>,
    /// Where the next newer and the next older page start, where there is one.
    pub newer: Option<CursorView>,
    pub older: Option<CursorView>,
}

/// The start of a page of history: entries before this version, or the newest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum CursorView {
    Newest,
    Before(i64),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntryView {
    pub version: i64,
    pub at: DateTime<Utc>,
    pub kind: KindView,
    pub title: String,
    pub delta: i64,
    pub balance_after: Credits,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum KindView {
    Grant,
    Spend,
    Hold,
    Capture,
    Release,
    Refund,
    Expiry,
    Void,
    Adjustment,
    Clawback,
    Reinstatement,
    Unlimited,
    Subscription,
    Renewal,
}

impl BalanceView {
    pub fn of(available: Credits, catalog: &Catalog) -> Self {
        Self { available, level: Level::of(available, catalog.low_balance.threshold(None)) }
    }
}

impl SpentView {
    /// `None` where the entry charged for nothing.
    pub fn of(entry: &Entry, available: Credits, catalog: &Catalog) -> Option<Self> {
        let charge = entry.kind.charge().filter(|_| entry.kind.is_spend())?;
        Some(Self { title: title(entry, catalog), cost: charge.cost, available })
    }
}

impl QuoteView {
    pub fn of(
        action: &Action,
        charge: &Charge,
        quote: Quote,
        account: &Account,
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
                OutcomeView::Short { missing, min_balance }
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
    pub fn of(account: &Account, now: DateTime<Utc>) -> Self {
        let open = account.lots().iter().filter(|lot| lot.remaining > Credits::ZERO);
        let lots: Vec<LotView> = open.map(|lot| LotView::of(lot, now)).collect();
        Self { available: account.available(now), next_expiry: account.next_expiry(now), lots }
    }
}

impl LotView {
    fn of(lot: &Lot, now: DateTime<Utc>) -> Self {
        Self {
            number: lot.number.0,
            source: lot.source,
            granted: lot.granted,
            remaining: lot.remaining,
            state: lot.state(now),
            effective_at: lot.effective_at,
            expires_at: lot.expires_at,
        }
    }
}

impl HistoryView {
    /// `entries`: up to one more than [`HistoryView::PAGE`] that are older than `before`, newest first;
    /// `latest`: the account's last.
    pub fn of(
        mut entries: Vec<Arc<Entry>>,
        before: Option<Version>,
        latest: Version,
        catalog: &Catalog,
    ) -> Self {
        let has_older = entries.len() > Self::PAGE;
        entries.truncate(Self::PAGE);
        // Versions have no gaps, so the page before this one starts a page's length above it.
        let newer = before.map(|before| match before.0.saturating_add(Self::PAGE as i64) {
            start if start > latest.0 => CursorView::Newest,
            start => CursorView::Before(start),
        });
        let older = entries.last().filter(|_| has_older).map(|oldest| CursorView::Before(oldest.version.0));
        Self { entries: entries.iter().map(|entry| EntryView::of(entry, catalog)).collect(), newer, older }
    }

    /// How many entries a page shows.
    pub const PAGE: usize = 25;
}

impl EntryView {
    fn of(entry: &Entry, catalog: &Catalog) -> Self {
        let kind = match entry.kind {
            Kind::Grant => KindView::Grant,
            Kind::Spend(_) => KindView::Spend,
            Kind::Hold { .. } => KindView::Hold,
            Kind::Capture { .. } => KindView::Capture,
            Kind::Release { .. } => KindView::Release,
            Kind::Refund { .. } => KindView::Refund,
            Kind::Expiry => KindView::Expiry,
            Kind::Void => KindView::Void,
            Kind::Adjustment => KindView::Adjustment,
            Kind::Clawback(_) => KindView::Clawback,
            Kind::Reinstatement(_) => KindView::Reinstatement,
            Kind::Unlimited { .. } => KindView::Unlimited,
            Kind::Subscription(_) => KindView::Subscription,
            Kind::Renewal(_) => KindView::Renewal,
        };
        Self {
            version: entry.version.0,
            at: entry.at,
            kind,
            title: title(entry, catalog),
            delta: entry.delta(),
            balance_after: entry.balance_after,
        }
    }
}

/// What an entry was for, in words. An action that is no longer in the catalog is still in history, under its
/// key.
pub fn title(entry: &Entry, catalog: &Catalog) -> String {
    if let Some(action) = entry.kind.charge().and_then(|charge| charge.action.as_ref()) {
        let known = catalog.action(action.as_str());
        return known.map_or_else(|| action.to_string(), |action| action.title.clone());
    }
    if let Some(description) = &entry.description {
        return description.as_str().to_owned();
    }
    if let Some(subscription) = entry.kind.subscription() {
        let key = subscription.terms.plan.as_str();
        let plan = catalog.plan(key).map_or(key, |plan| &plan.title);
        return match (subscription.has_ended(), &subscription.next) {
            (true, _) => format!("{plan}: ended"),
            (false, Next::End) => format!("{plan}: ends with its period"),
            (false, Next::Change(next)) => {
                let next = next.plan.as_str();
                format!("{plan}: then {}", catalog.plan(next).map_or(next, |plan| &plan.title))
            }
            (false, Next::Renew) => plan.to_owned(),
        };
    }
    match (&entry.kind, entry.cause) {
        (Kind::Expiry, _) => "Expired credits",
        (Kind::Void, _) => "Credits of a void lot",
        (Kind::Release { .. }, None) => "Hold that ran out",
        (Kind::Release { .. }, Some(_)) => "Released hold",
        _ => "Credits",
    }
    .to_owned()
}
