//! Stripe's invoices and what they were paid with, read as its other objects are (`objects`). In 2025 most of what
//! follows from them changed its place.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{
    Invoice, InvoicePayment, InvoiceReason, Money,
    fields::{Currency, Link, List, Moment, Reference, Text},
    objects::Metadata,
};

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
    payments: Option<List<PaymentEntry>>,
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

/// One of the payments of an invoice, as it tells them where it is asked to.
#[derive(Deserialize)]
struct PaymentEntry {
    payment: Option<PaymentOfInvoice>,
}

#[derive(Deserialize)]
pub struct InvoicePaymentObject {
    invoice: Reference,
    payment: PaymentOfInvoice,
    status: Text,
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

impl From<InvoicePaymentObject> for InvoicePayment {
    fn from(payment: InvoicePaymentObject) -> Self {
        Self {
            invoice: payment.invoice.into(),
            payment_intent: payment.payment.payment_intent.map(Into::into),
            is_paid: payment.status.as_str() == "paid",
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
