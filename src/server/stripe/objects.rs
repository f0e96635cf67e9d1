//! Stripe's objects, as far as something follows from them, read alike from every version of its API: each field at
//! its old place and at its new one. Whatever else is in them is passed over.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Charge, Checkout, Dispute, Intent, Invoice, InvoiceReason, Money, Payment, Refund, RefundState,
    Subscribed, Subscription,
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

#[derive(Deserialize)]
pub struct InvoiceObject {
    id: Text,
    /// Until 2025-03-31, as is `subscription_details`; then both are in `parent`.
    subscription: Option<Reference>,
    subscription_details: Option<SubscriptionDetails>,
    parent: Option<InvoiceParent>,
    billing_reason: Option<Text>,
    status: Option<Text>,
    /// Less than nothing where more goes back than is asked for.
    total: i64,
    currency: Currency,
    /// Until 2025-03-31; then it is among `payments`, where those are told at all.
    payment_intent: Option<Reference>,
    payments: Option<List<InvoicePayment>>,
    #[serde(default)]
    lines: List<Line>,
    hosted_invoice_url: Option<Link>,
}

#[derive(Deserialize)]
struct InvoiceParent {
    subscription_details: Option<SubscriptionDetails>,
}

#[derive(Deserialize)]
struct SubscriptionDetails {
    subscription: Option<Reference>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct InvoicePayment {
    payment: Option<PaymentOfInvoice>,
}

#[derive(Deserialize)]
struct PaymentOfInvoice {
    payment_intent: Option<Reference>,
}

/// What an invoice asks money for.
#[derive(Deserialize)]
struct Line {
    /// Until 2025-03-31, as is `proration`; then `parent` says it.
    r#type: Option<Text>,
    #[serde(default)]
    proration: bool,
    parent: Option<LineParent>,
    period: Option<Span>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct LineParent {
    r#type: Option<Text>,
    subscription_item_details: Option<SubscriptionItemDetails>,
}

#[derive(Deserialize)]
struct SubscriptionItemDetails {
    #[serde(default)]
    proration: bool,
}

#[derive(Clone, Copy, Deserialize)]
struct Span {
    start: Moment,
    end: Moment,
}

/// What we wrote onto an object of Stripe's. Others may write there too: what can't be read is not ours.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
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

impl From<InvoiceObject> for Invoice {
    fn from(invoice: InvoiceObject) -> Self {
        let period = invoice.period();
        let of_line =
            invoice.lines.data.into_iter().find(|line| line.is_of_period()).and_then(|line| line.metadata);
        let details =
            [invoice.parent.and_then(|parent| parent.subscription_details), invoice.subscription_details];
        let (mut subscription, mut terms) = (invoice.subscription.map(Into::into), None);
        for details in details.into_iter().flatten() {
            subscription = subscription.or(details.subscription.map(Into::into));
            terms = terms.or(details.metadata.and_then(Metadata::terms));
        }
        let reason = match invoice.billing_reason.as_ref().map(Text::as_str) {
            Some("subscription_create") => InvoiceReason::Create,
            Some("subscription_cycle") => InvoiceReason::Cycle,
            Some("subscription_update") => InvoiceReason::Update,
            _ => InvoiceReason::Other,
        };
        let payments = invoice.payments.unwrap_or_default().data.into_iter();
        let among_payments = || payments.filter_map(|payment| payment.payment?.payment_intent).next_back();
        Self {
            id: invoice.id.into(),
            subscription,
            terms: terms.or(of_line.and_then(Metadata::terms)),
            reason,
            is_paid: invoice.status.is_some_and(|status| status.as_str() == "paid"),
            paid: Money { minor: invoice.total.max(0), currency: invoice.currency.into() },
            payment_intent: invoice.payment_intent.or_else(among_payments).map(Into::into),
            period,
            hosted_url: invoice.hosted_invoice_url.and_then(Link::into_address),
        }
    }
}

impl InvoiceObject {
    /// Where there are several, the one that reaches furthest.
    fn period(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let lines = self.lines.data.iter().filter(|line| line.is_of_period());
        let periods = lines.filter_map(|line| line.period).filter(|period| period.start < period.end);
        periods.max_by_key(|period| period.end).map(|period| (period.start.into(), period.end.into()))
    }
}

impl Line {
    /// Whether it is for a whole period of the subscription, and not for a change in the middle of one.
    fn is_of_period(&self) -> bool {
        let is = |kind: &Option<Text>, name: &str| kind.as_ref().is_some_and(|kind| kind.as_str() == name);
        match &self.parent {
            Some(parent) => {
                let details = parent.subscription_item_details.as_ref();
                is(&parent.r#type, "subscription_item_details")
                    && details.is_none_or(|details| !details.proration)
            }
            None => is(&self.r#type, "subscription") && !self.proration,
        }
    }
}

impl Metadata {
    fn purchase(&self) -> Option<Uuid> {
        Uuid::try_parse(self.scrip_purchase.as_ref()?).ok()
    }

    fn terms(self) -> Option<Subscribed> {
        let (purchase, account) = (self.purchase(), self.scrip_account?.parse().ok()?);
        Some(Subscribed { account, plan: self.scrip_plan?.try_into().ok()?, purchase })
    }
}

fn money(minor: Minor, currency: Currency) -> Money {
    Money { minor: minor.into(), currency: currency.into() }
}
