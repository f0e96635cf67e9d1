//! Stripe's objects, as far as something follows from them, read alike from every version of its API: each field at
//! its old place and at its new one. Whatever else is in them is passed over. Invoices are in `invoices`.

use serde::Deserialize;
use uuid::Uuid;

use super::{
    Charge, Checkout, Dispute, Intent, Money, Payment, Refund, RefundState, Subscribed, Subscription,
    fields::{Currency, Link, List, Minor, Moment, Reference, Text},
};

#[derive(Deserialize)]
pub struct SessionObject {
    id: Text,
    status: Option<Text>,
    payment_status: Text,
    amount_total: Option<Minor>,
    currency: Option<Currency>,
    customer: Option<Reference>,
    payment_intent: Option<Reference>,
    subscription: Option<Reference>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
pub struct IntentObject {
    id: Text,
    status: Text,
    amount: Minor,
    amount_received: Option<Minor>,
    currency: Currency,
    customer: Option<Reference>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
pub struct ChargeObject {
    id: Text,
    payment_intent: Option<Reference>,
    paid: bool,
    amount: Minor,
    amount_refunded: Minor,
    currency: Currency,
    receipt_url: Option<Link>,
}

#[derive(Deserialize)]
pub struct RefundObject {
    id: Text,
    payment_intent: Option<Reference>,
    amount: Minor,
    currency: Currency,
    status: Option<Text>,
}

#[derive(Deserialize)]
pub struct DisputeObject {
    id: Text,
    payment_intent: Option<Reference>,
    amount: Minor,
    currency: Currency,
    status: Text,
}

#[derive(Deserialize)]
pub struct SubscriptionObject {
    id: Text,
    customer: Option<Reference>,
    status: Text,
    /// Until 2025-03-31; then each item has its own.
    current_period_end: Option<Moment>,
    #[serde(default)]
    items: List<Item>,
    #[serde(default)]
    cancel_at_period_end: bool,
    cancel_at: Option<Moment>,
    ended_at: Option<Moment>,
    metadata: Option<Metadata>,
}

/// One of the things that a subscription is for; ours have one.
#[derive(Deserialize)]
struct Item {
    current_period_end: Option<Moment>,
}

/// What we wrote onto an object of Stripe's. Others may write there too: what can't be read is not ours.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    scrip_account: Option<String>,
    scrip_plan: Option<String>,
    scrip_purchase: Option<String>,
}

impl From<SessionObject> for Checkout {
    fn from(session: SessionObject) -> Self {
        let status = session.status.as_ref().map(Text::as_str);
        // Where nothing is to be paid, `payment_status` says so while the session is open still.
        let payment = match session.payment_status.as_str() {
            _ if status == Some("expired") => Payment::Expired,
            "paid" | "no_payment_required" if status != Some("open") => Payment::Paid,
            _ => Payment::Unpaid,
        };
        // A card that was declined leaves one behind, and the page stays open.
        let payment_intent = session.payment_intent.filter(|_| status != Some("open"));
        let total = session.amount_total.zip(session.currency);
        Self {
            id: session.id.into(),
            purchase: session.metadata.unwrap_or_default().purchase(),
            payment,
            total: total.map(|(minor, currency)| money(minor, currency)),
            customer: session.customer.map(Into::into),
            payment_intent: payment_intent.map(Into::into),
            subscription: session.subscription.map(Into::into),
        }
    }
}

impl From<IntentObject> for Intent {
    fn from(intent: IntentObject) -> Self {
        let payment = match intent.status.as_str() {
            "succeeded" => Payment::Paid,
            "processing" | "requires_capture" => Payment::Unpaid,
            // What it would take for it to go on is done on a page, where there is one.
            _ => Payment::Failed,
        };
        let received = intent.amount_received.filter(|_| payment == Payment::Paid);
        Self {
            id: intent.id.into(),
            purchase: intent.metadata.unwrap_or_default().purchase(),
            payment,
            total: money(received.unwrap_or(intent.amount), intent.currency),
            customer: intent.customer.map(Into::into),
        }
    }
}

impl From<ChargeObject> for Charge {
    fn from(charge: ChargeObject) -> Self {
        Self {
            id: charge.id.into(),
            payment_intent: charge.payment_intent.map(Into::into),
            is_paid: charge.paid,
            total: money(charge.amount, charge.currency),
            refunded: charge.amount_refunded.into(),
            receipt_url: charge.receipt_url.and_then(Link::into_address),
        }
    }
}

impl From<RefundObject> for Refund {
    fn from(refund: RefundObject) -> Self {
        let state = match refund.status.as_ref().map(Text::as_str) {
            Some("requires_action") => RefundState::RequiresAction,
            Some("succeeded") => RefundState::Succeeded,
            Some("failed" | "canceled") => RefundState::Failed,
            // As long as it is not said to have failed, the money is on its way.
            _ => RefundState::Pending,
        };
        Self {
            id: refund.id.into(),
            payment_intent: refund.payment_intent.map(Into::into),
            total: money(refund.amount, refund.currency),
            state,
        }
    }
}

impl From<DisputeObject> for Dispute {
    fn from(dispute: DisputeObject) -> Self {
        Self {
            id: dispute.id.into(),
            payment_intent: dispute.payment_intent.map(Into::into),
            total: money(dispute.amount, dispute.currency),
            status: dispute.status.into(),
            funds: None,
        }
    }
}

impl From<SubscriptionObject> for Subscription {
    fn from(subscription: SubscriptionObject) -> Self {
        let of_items = || subscription.items.data.iter().filter_map(|item| item.current_period_end).max();
        let period_end = subscription.current_period_end.or_else(of_items);
        // Since 2025, the end with the period may be told as a date.
        let ends_before = |at: Moment| period_end.is_some_and(|end| at <= end);
        Self {
            id: subscription.id.into(),
            terms: subscription.metadata.unwrap_or_default().terms(),
            customer: subscription.customer.map(Into::into),
            status: subscription.status.into(),
            period_end: period_end.map(Into::into),
            ends_with_period: subscription.cancel_at_period_end
                || subscription.cancel_at.is_some_and(ends_before),
            ended_at: subscription.ended_at.map(Into::into),
        }
    }
}

impl Metadata {
    fn purchase(&self) -> Option<Uuid> {
        Uuid::try_parse(self.scrip_purchase.as_ref()?).ok()
    }

    pub(super) fn terms(self) -> Option<Subscribed> {
        let (purchase, account) = (self.purchase(), self.scrip_account?.parse().ok()?);
        Some(Subscribed { account, plan: self.scrip_plan?.try_into().ok()?, purchase })
    }
}

fn money(minor: Minor, currency: Currency) -> Money {
    Money { minor: minor.into(), currency: currency.into() }
}
