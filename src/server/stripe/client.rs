//! Asking Stripe. Requests are the library's; what is answered is read as events are, into the words of this room. The
//! library's own types for answers demand every field of one version of the API, and do not say which one was missing.
//!
//! Nothing is tried again here: who asks knows how long it may take, and keeps the idempotency key. A request that
//! does something once has a key of ours; one that sets what is to be, or opens a page, needs none.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use ::stripe::{Client, ClientBuilder, IdempotencyKey, RequestStrategy, StripeRequest};
use chrono::{DateTime, Utc};
use miniserde::json;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use stripe_billing::{
    billing_portal_session::CreateBillingPortalSession,
    invoice_payment::{ListInvoicePayment, ListInvoicePaymentPayment, ListInvoicePaymentPaymentType},
};
use stripe_core::{
    charge::ListCharge,
    customer::CreateCustomer,
    event::ListEvent,
    refund::{CreateRefund, CreateRefundReason},
};
use stripe_types::{RangeBoundsTs, RangeQueryTs};
use uuid::Uuid;

use super::{
    Charge, Error, InvoicePayment, Refund, Settings,
    fields::{Link, List, Text, read},
    invoices::InvoicePaymentObject,
    objects::{ChargeObject, RefundObject},
};
use crate::domain::{
    AccountId,
    catalog::{PlanKey, Price},
    purchase::Mode,
};

/// For how long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a list is asked for at once: as much as Stripe gives.
const PAGE: i64 = 100;

/// Stripe, or its stand-in. Cheap to clone.
#[derive(Clone)]
pub struct Stripe {
    client: Client,
    mode: Mode,
}

/// A part of a list, the newest first.
#[derive(Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// What the next part comes after; `None`: this is the last one.
    pub next: Option<String>,
}

/// Something that was made, of which only its id matters.
#[derive(Deserialize)]
pub(super) struct Made {
    pub id: Text,
}

/// A page of Stripe's that somebody is sent to.
#[derive(Deserialize)]
struct Opened {
    url: Link,
}

impl Stripe {
    /// `listens_on`: where this program does, and with it the stand-in.
    pub fn new(settings: &Settings, listens_on: SocketAddr) -> Self {
        Self::with_timeout(settings, listens_on, TIMEOUT)
    }

    pub(super) fn with_timeout(settings: &Settings, listens_on: SocketAddr, timeout: Duration) -> Self {
        let client = ClientBuilder::new(settings.key()).timeout(timeout);
        let client = match settings.base(listens_on) {
            // The library puts its paths right behind it.
            Some(base) => client.url(format!("{base}/")),
            None => client,
        };
        let client = client.build().expect("settings hold a key and an address that can be sent");
        Self { client, mode: settings.mode() }
    }

    /// Whose customers, purchases and subscriptions these are.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether real money is about.
    pub fn is_live(&self) -> bool {
        self.mode == Mode::Live
    }

    /// What Stripe answers. A key makes the same request, sent again, return the first one's answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        request: &impl StripeRequest,
        key: Option<&str>,
    ) -> Result<T, Error> {
        let mut request = request.build().customize::<json::Value>();
        if let Some(key) = key {
            let key = IdempotencyKey::new(key)?;
            request = request.request_strategy(RequestStrategy::Idempotent(key));
        }
        let answer = request.send(&self.client).await?;
        Ok(read(json::to_string(&answer).as_bytes())?)
    }

    /// Makes a customer for an account. `key` is for this account as it is now.
    pub async fn create_customer(
        &self,
        account: AccountId,
        email: Option<&str>,
        name: Option<&str>,
        key: &str,
    ) -> Result<String, Error> {
        let mut request = CreateCustomer::new().metadata(metadata(account, None, None));
        if let Some(email) = email {
            request = request.email(email);
        }
        if let Some(name) = name {
            request = request.name(name);
        }
        self.ask::<Made>(&request, Some(key)).await.map(|made| made.id.into())
    }

    /// Sends money back: so much in the payment's currency, or all that is left.
    pub async fn refund(
        &self,
        payment_intent: &str,
        amount: Option<i64>,
        key: &str,
        reason: &str,
    ) -> Result<Refund, Error> {
        let mut request = CreateRefund::new()
            .payment_intent(payment_intent)
            .reason(CreateRefundReason::RequestedByCustomer)
            .metadata([("reason".to_owned(), reason.to_owned())]);
        if let Some(amount) = amount {
            request = request.amount(amount);
        }
        self.ask::<RefundObject>(&request, Some(key)).await.map(Into::into)
    }

    /// The charge by which a payment was made; `None`: it was not.
    pub async fn charge_of(&self, payment_intent: &str) -> Result<Option<Charge>, Error> {
        let request = ListCharge::new().payment_intent(payment_intent).limit(PAGE);
        let charges: List<ChargeObject> = self.ask(&request, None).await?;
        let mut charges = charges.data.into_iter().map(Charge::from);
        // Those that were declined are among them.
        Ok(charges.find(|charge| charge.is_paid))
    }

    /// Charges that were made from one moment until right before another.
    pub async fn charges(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&str>,
    ) -> Result<Page<Charge>, Error> {
        let (gte, lt) = (Some(from.timestamp()), Some(to.timestamp()));
        let bounds = RangeBoundsTs { gte, lt, ..RangeBoundsTs::default() };
        let mut request = ListCharge::new().created(RangeQueryTs::Bounds(bounds)).limit(PAGE);
        if let Some(after) = after {
            request = request.starting_after(after);
        }
        let charges: List<ChargeObject> = self.ask(&request, None).await?;
        let items: Vec<Charge> = charges.data.into_iter().map(Into::into).collect();
        let next = items.last().filter(|_| charges.has_more).map(|last| last.id.clone());
        Ok(Page { items, next })
    }

    /// Which invoices a payment pays: none, or one.
    pub async fn invoice_payments(&self, payment_intent: &str) -> Result<Vec<InvoicePayment>, Error> {
        let payment = ListInvoicePaymentPayment {
            payment_intent: Some(payment_intent.to_owned()),
            ..ListInvoicePaymentPayment::new(ListInvoicePaymentPaymentType::PaymentIntent)
        };
        let request = ListInvoicePayment::new().payment(payment).limit(PAGE);
        let payments: List<InvoicePaymentObject> = self.ask(&request, None).await?;
        Ok(payments.data.into_iter().map(Into::into).collect())
    }

    /// Events since a moment, each as it was sent. Stripe keeps them for thirty days.
    pub async fn events(&self, since: DateTime<Utc>, after: Option<&str>) -> Result<Page<String>, Error> {
        let mut request = ListEvent::new().created(RangeQueryTs::gte(since.timestamp())).limit(PAGE);
        if let Some(after) = after {
            request = request.starting_after(after);
        }
        let events: List<Box<RawValue>> = self.ask(&request, None).await?;
        let last = events.data.last().filter(|_| events.has_more);
        let next = last.map(|last| read::<Made>(last.get().as_bytes())).transpose()?;
        let items = events.data.iter().map(|event| event.get().to_owned()).collect();
        Ok(Page { items, next: next.map(|made| made.id.into()) })
    }

    /// Where a customer sees and ends what was subscribed to.
    pub async fn open_portal(&self, customer: &str, return_url: &str) -> Result<String, Error> {
        let request = CreateBillingPortalSession::new().customer(customer).return_url(return_url);
        let opened: Opened = self.ask(&request, None).await?;
        address(opened.url)
    }
}

/// Where somebody is sent to.
pub(super) fn address(url: Link) -> Result<String, Error> {
    url.into_address().ok_or_else(|| Error::Unreachable("the page's address can't be read".into()))
}

/// As the library names it, which knows all that a catalog may name.
pub(super) fn currency(price: Price) -> stripe_types::Currency {
    let Ok(currency) = price.currency().as_str().parse();
    currency
}

/// What we write onto an object, to know it by when we hear of it.
pub(super) fn metadata(
    account: AccountId,
    plan: Option<&PlanKey>,
    purchase: Option<Uuid>,
) -> HashMap<String, String> {
    let plan = plan.map(|plan| ("scrip_plan", plan.to_string()));
    let purchase = purchase.map(|purchase| ("scrip_purchase", purchase.to_string()));
    let account = ("scrip_account", account.to_string());
    [Some(account), plan, purchase].into_iter().flatten().map(|(key, text)| (key.to_owned(), text)).collect()
}
