//! What purchases ask of Stripe. A trait, so that they can be tried without a network.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::{
    domain::AccountId,
    problem::Problem,
    server::{
        Error,
        store::purchases::{Item, Purchase},
        stripe::{self, Charge, Checkout, Intent, InvoicePayment, NewCheckout, OffSession, Refund, Stripe},
    },
};

/// A part of a list, and what the next part comes after, if there is more.
pub type Part<T> = (Vec<T>, Option<String>);

#[async_trait]
pub trait Till: Send + Sync {
    /// The same key makes the same customer, and so with the others that take one.
    async fn create_customer(
        &self,
        account: AccountId,
        email: Option<&str>,
        name: Option<&str>,
        key: &str,
    ) -> Result<String, stripe::Error>;

    /// Opens a page on which a purchase is paid: its session, and where it is.
    async fn start_checkout(
        &self,
        purchase: &Purchase,
        customer: &str,
    ) -> Result<(String, String), stripe::Error>;

    async fn checkout(&self, session: &str) -> Result<Checkout, stripe::Error>;

    /// Closes the page, so that nobody can pay there any more.
    async fn expire_checkout(&self, session: &str) -> Result<Checkout, stripe::Error>;

    /// The card that a customer has kept.
    async fn kept_card(&self, customer: &str) -> Result<Option<String>, stripe::Error>;

    /// Pays a purchase with a card that was kept, while nobody is there; the same purchase once.
    async fn charge(&self, purchase: &Purchase, customer: &str, card: &str) -> Result<Intent, stripe::Error>;

    async fn intent(&self, payment_intent: &str) -> Result<Intent, stripe::Error>;

    async fn refund(
        &self,
        payment_intent: &str,
        amount: i64,
        key: &str,
        reason: &str,
    ) -> Result<Refund, stripe::Error>;

    /// Events since a moment, as they were sent.
    async fn events(&self, since: DateTime<Utc>, after: Option<&str>) -> Result<Part<String>, stripe::Error>;

    /// Which invoices a payment pays.
    async fn invoice_payments(&self, payment_intent: &str) -> Result<Vec<InvoicePayment>, stripe::Error>;

    /// Charges from one moment until right before another.
    async fn charges(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&str>,
    ) -> Result<Part<Charge>, stripe::Error>;
}

#[async_trait]
impl Till for Stripe {
    async fn create_customer(
        &self,
        account: AccountId,
        email: Option<&str>,
        name: Option<&str>,
        key: &str,
    ) -> Result<String, stripe::Error> {
        Self::create_customer(self, account, email, name, key).await
    }

    async fn start_checkout(
        &self,
        purchase: &Purchase,
        customer: &str,
    ) -> Result<(String, String), stripe::Error> {
        let Purchase { id, account, title, description, price, .. } = purchase;
        let item = match &purchase.item {
            Item::Pack { .. } => stripe::Item::Pack { title, description, price: *price },
            Item::Plan { key, interval, trial_days } => stripe::Item::Plan {
                key,
                title,
                description,
                price: *price,
                interval: *interval,
                trial_days: *trial_days,
            },
        };
        let new = NewCheckout {
            purchase: *id,
            account: *account,
            customer,
            item,
            success_url: &purchase.success_url,
            cancel_url: &purchase.cancel_url,
            save_card: purchase.saves_card,
        };
        Self::start_checkout(self, new).await
    }

    async fn checkout(&self, session: &str) -> Result<Checkout, stripe::Error> {
        Self::checkout(self, session).await
    }

    async fn expire_checkout(&self, session: &str) -> Result<Checkout, stripe::Error> {
        Self::expire_checkout(self, session).await
    }

    async fn kept_card(&self, customer: &str) -> Result<Option<String>, stripe::Error> {
        Self::kept_card(self, customer).await
    }

    async fn charge(&self, purchase: &Purchase, customer: &str, card: &str) -> Result<Intent, stripe::Error> {
        let Purchase { id, account, title, price, .. } = purchase;
        let charge = OffSession {
            purchase: *id,
            account: *account,
            customer,
            card,
            price: *price,
            description: title,
        };
        self.charge_off_session(charge, &format!("scrip:charge:{id}")).await
    }

    async fn intent(&self, payment_intent: &str) -> Result<Intent, stripe::Error> {
        Self::intent(self, payment_intent).await
    }

    async fn refund(
        &self,
        payment_intent: &str,
        amount: i64,
        key: &str,
        reason: &str,
    ) -> Result<Refund, stripe::Error> {
        Self::refund(self, payment_intent, Some(amount), key, reason).await
    }

    async fn events(&self, since: DateTime<Utc>, after: Option<&str>) -> Result<Part<String>, stripe::Error> {
        Self::events(self, since, after).await.map(|page| (page.items, page.next))
    }

    async fn invoice_payments(&self, payment_intent: &str) -> Result<Vec<InvoicePayment>, stripe::Error> {
        Self::invoice_payments(self, payment_intent).await
    }

    async fn charges(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&str>,
    ) -> Result<Part<Charge>, stripe::Error> {
        Self::charges(self, from, to, after).await.map(|page| (page.items, page.next))
    }
}

/// What it means to whoever wanted something that Stripe did not do.
impl From<stripe::Error> for Error {
    fn from(error: stripe::Error) -> Self {
        match error {
            stripe::Error::Unreachable(_) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "Stripe is out of reach");
                Problem::PaymentsUnavailable.into()
            }
            // We asked for what can't be done.
            error => Self::internal(error),
        }
    }
}
