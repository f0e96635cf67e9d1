//! What admins look through: purchases and their money, the inbox of events, and where Stripe's books and ours differ.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::{Amount, Credits, PurchaseState};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PurchasesView {
    pub rows: Vec<PurchaseRowView>,
    /// Only those in this state.
    pub state: Option<PurchaseState>,
    /// After which the next page begins.
    pub older: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PurchaseRowView {
    pub id: String,
    pub title: String,
    pub account: String,
    /// What people call who holds it: name, e-mail address, and the host's name for it.
    pub holder: String,
    pub price: String,
    pub state: PurchaseState,
    /// Nobody was there: a card that was kept was charged.
    pub is_automatic: bool,
    pub begun: DateTime<Utc>,
}

/// One purchase, and all that is known of its money.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PurchaseFactsView {
    pub row: PurchaseRowView,
    pub paid: Option<PaidView>,
    pub credits: Option<CreditsOfView>,
    pub back: Vec<BackView>,
    /// Of a plan, the newest first.
    pub invoices: Vec<InvoiceView>,
    pub receipt_url: Option<String>,
    /// Stripe's own names for it: what it is, and its id.
    pub names: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaidView {
    pub amount: String,
    pub at: DateTime<Utc>,
    /// What can still be sent back, in words and as it is typed in; none where all went back.
    pub left: Option<(String, String)>,
}

/// What became of a pack's credits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreditsOfView {
    pub bought: Amount,
    pub are_given: bool,
    pub clawed: Credits,
}

/// An invoice of a plan that was paid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvoiceView {
    pub id: String,
    /// What it paid for; none: a change within a period.
    pub period: Option<(DateTime<Utc>, DateTime<Utc>)>,
    pub amount: String,
    /// What can still be sent back, in words and as it is typed in.
    pub left: Option<(String, String)>,
    /// How many of its credits went back.
    pub clawed: Credits,
    pub back: Vec<BackView>,
    pub url: Option<String>,
}

/// A refund or a dispute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackView {
    pub id: String,
    pub amount: String,
    pub state: String,
    pub is_dispute: bool,
}

/// What a refund would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefundPreviewView {
    pub purchase: String,
    /// Of a plan: which of its invoices.
    pub invoice: Option<String>,
    pub title: String,
    pub account: String,
    /// As with [`PurchaseRowView`].
    pub holder: String,
    /// In words, and as it was typed in.
    pub money: String,
    pub amount: String,
    /// Credits that go, and how many of them are still there.
    pub credits: Credits,
    pub unspent: Credits,
    /// Whether the spent ones become debt; else they are let go.
    pub becomes_debt: bool,
    /// A new name for this refund: sent twice, it is made once.
    pub key: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InboxView {
    pub events: Vec<EventView>,
    pub only_failed: bool,
    pub older: Option<String>,
}

/// An event as it came in, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventView {
    pub id: String,
    pub kind: String,
    pub state: String,
    /// Why it was ignored, or what went wrong.
    pub note: Option<String>,
    pub attempts: i32,
    pub received: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifferenceView {
    pub id: String,
    pub kind: String,
    pub about: String,
    pub what: String,
    pub found: DateTime<Utc>,
}

impl RefundPreviewView {
    /// How many of the credits that go are spent.
    pub fn spent(&self) -> Credits {
        self.credits.less(self.unspent)
    }
}

impl EventView {
    /// Whether it can be tried again.
    pub fn is_open(&self) -> bool {
        ["waiting", "failed"].contains(&self.state.as_str())
    }
}
