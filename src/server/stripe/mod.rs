//! Stripe: the only place that knows it. What the program asks of it goes through here, and what it tells is turned into
//! the few words below, whatever version of its API it speaks.
//!
//! Ids are Stripe's own (`cs_…`, `pi_…`, `re_…`), kept as they come. Amounts are whole numbers of a currency's smallest
//! unit; currencies are three small letters, which need not be among those that a catalog may name.

mod checkout;
mod client;
mod error;
pub mod event;
mod fields;
mod invoices;
mod objects;
pub mod sandbox;
mod settings;
pub mod signature;
mod subscriptions;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use self::{
    checkout::{Item, NewCheckout, OffSession},
    client::{Page, Stripe},
    error::Error,
    settings::{NotSettings, SANDBOX_KEY, Settings},
    subscriptions::{Billed, NewPlan},
};
use crate::domain::{AccountId, catalog::PlanKey};

/// Something that happened at Stripe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub id: String,
    /// As Stripe names it: `checkout.session.completed`.
    pub kind: String,
    pub created: DateTime<Utc>,
    /// Whether real money is about.
    pub is_live: bool,
    pub about: About,
}

/// What an event is about, as far as anything follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    Checkout(Checkout),
    Intent(Intent),
    Charge(Charge),
    Refund(Refund),
    Dispute(Dispute),
    Subscription(Subscription),
    Invoice(Invoice),
    InvoicePayment(InvoicePayment),
    /// Known or unknown: nothing follows from it.
    Other,
}

/// An amount of money as Stripe counts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Money {
    pub minor: i64,
    pub currency: String,
}

/// A Checkout Session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    pub id: String,
    /// The purchase that we started it for, where it is ours.
    pub purchase: Option<Uuid>,
    pub payment: Payment,
    pub total: Option<Money>,
    pub customer: Option<String>,
    pub payment_intent: Option<String>,
    pub subscription: Option<String>,
}

/// A Payment Intent: one payment, on a page or without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    pub id: String,
    /// The purchase that it is for, where that is ours.
    pub purchase: Option<Uuid>,
    pub payment: Payment,
    /// What was paid, or is to be.
    pub total: Money,
    pub customer: Option<String>,
}

/// How far a payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payment {
    /// Nobody has paid yet; it may still come.
    Unpaid,
    /// Paid, or nothing was to be paid.
    Paid,
    /// It did not come: declined at once, or after days.
    Failed,
    /// Abandoned: it can't be paid any more.
    Expired,
}

/// A charge, with all that was refunded of it so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    pub id: String,
    pub payment_intent: Option<String>,
    pub is_paid: bool,
    pub total: Money,
    /// In the currency of the total.
    pub refunded: i64,
    pub receipt_url: Option<String>,
}

/// One refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    pub id: String,
    pub payment_intent: Option<String>,
    pub total: Money,
    pub state: RefundState,
}

/// How far a refund is. A later one takes the place of an earlier one, never the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefundState {
    Pending,
    RequiresAction,
    Succeeded,
    /// Also after it had succeeded: the money is with us again.
    Failed,
}

/// A dispute, or an inquiry that takes no money yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    pub id: String,
    pub payment_intent: Option<String>,
    pub total: Money,
    /// As Stripe names it: `needs_response`, `won`, `lost` …
    pub status: String,
    /// What this event says of the money; `None`: nothing.
    pub funds: Option<Funds>,
}

/// Which way a dispute moved the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Funds {
    Withdrawn,
    Reinstated,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    pub id: String,
    /// Whose and of which plan, where we made it.
    pub terms: Option<Subscribed>,
    pub customer: Option<String>,
    /// As Stripe names it: `active`, `past_due`, `canceled` …
    pub status: String,
    pub period_end: Option<DateTime<Utc>>,
    pub ends_with_period: bool,
    pub ended_at: Option<DateTime<Utc>>,
}

/// What we wrote onto a subscription when it was made, or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    pub account: AccountId,
    pub plan: PlanKey,
    pub purchase: Option<Uuid>,
}

/// An invoice that was paid, or that could not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    pub id: String,
    /// `None`: not of a subscription.
    pub subscription: Option<String>,
    /// What was written onto the subscription.
    pub terms: Option<Subscribed>,
    pub reason: InvoiceReason,
    pub is_paid: bool,
    /// What it came to; the customer's balance at Stripe may have paid a part.
    pub paid: Money,
    /// Where the invoice itself says it: until 2025 all did.
    pub payment_intent: Option<String>,
    /// What the subscription's own line is for; `None` where there is no such line.
    pub period: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Where people read it.
    pub hosted_url: Option<String>,
}

/// With which payment an invoice was paid, or is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoicePayment {
    pub invoice: String,
    /// `None`: it is paid in another way.
    pub payment_intent: Option<String>,
    pub is_paid: bool,
}

/// Why an invoice was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvoiceReason {
    /// The first of a subscription.
    Create,
    /// The next period of one.
    Cycle,
    /// A change in the middle of a period.
    Update,
    Other,
}
