//! Stripe's pages for paying once or subscribing, and charging a card that was kept.

use ::stripe::StripeRequest;
use serde::Deserialize;
use stripe_checkout::CheckoutSessionMode;
use stripe_checkout::checkout_session::{
    CreateCheckoutSession, CreateCheckoutSessionLineItems, CreateCheckoutSessionLineItemsPriceData,
    CreateCheckoutSessionLineItemsPriceDataRecurring,
    CreateCheckoutSessionLineItemsPriceDataRecurringInterval, CreateCheckoutSessionPaymentIntentData,
    CreateCheckoutSessionPaymentIntentDataSetupFutureUsage, CreateCheckoutSessionSubscriptionData,
    ExpireCheckoutSession, ProductData, RetrieveCheckoutSession,
};
use stripe_core::{
    customer::{ListPaymentMethodsCustomer, ListPaymentMethodsCustomerType},
    payment_intent::{
        CreatePaymentIntent, CreatePaymentIntentAutomaticPaymentMethods,
        CreatePaymentIntentAutomaticPaymentMethodsAllowRedirects, CreatePaymentIntentOffSession,
        RetrievePaymentIntent,
    },
};
use uuid::Uuid;

use super::{
    Checkout, Error, Intent, Stripe,
    client::{Made, address, currency, metadata},
    fields::{Link, List, Text},
    objects::{IntentObject, SessionObject},
};
use crate::domain::{
    AccountId,
    catalog::{Interval, PlanKey, Price},
};

/// What somebody is about to buy.
#[derive(Clone, Debug)]
pub struct NewCheckout<'a> {
    pub purchase: Uuid,
    pub account: AccountId,
    pub customer: &'a str,
    pub item: Item<'a>,
    /// Where Stripe sends them afterwards; `{CHECKOUT_SESSION_ID}` in it becomes the session's.
    pub success_url: &'a str,
    pub cancel_url: &'a str,
    /// Whether the card is kept, so that it can be charged again. A plan's always is.
    pub save_card: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    Pack {
        title: &'a str,
        description: &'a str,
        price: Price,
    },
    Plan {
        key: &'a PlanKey,
        title: &'a str,
        description: &'a str,
        price: Price,
        interval: Interval,
        trial_days: Option<u16>,
    },
}

/// What is bought with a card that was kept, while nobody is there.
#[derive(Clone, Debug)]
pub struct OffSession<'a> {
    pub purchase: Uuid,
    pub account: AccountId,
    pub customer: &'a str,
    pub card: &'a str,
    pub price: Price,
    /// For the receipt.
    pub description: &'a str,
}

#[derive(Deserialize)]
struct Opened {
    id: Text,
    url: Link,
}

impl Stripe {
    /// Opens a page for paying: its session, and where it is. The same purchase has the same page.
    pub async fn start_checkout(&self, new: NewCheckout<'_>) -> Result<(String, String), Error> {
        let purchase = new.purchase.to_string();
        let request = CreateCheckoutSession::new()
            .customer(new.customer)
            .client_reference_id(purchase.as_str())
            .success_url(new.success_url)
            .cancel_url(new.cancel_url)
            .metadata(metadata(new.account, None, Some(new.purchase)));
        let request = match new.item {
            Item::Pack { title, description, price } => request
                .mode(CheckoutSessionMode::Payment)
                .line_items([line(title, description, price, None)])
                .payment_intent_data(payment_data(&new)),
            Item::Plan { key, title, description, price, interval, trial_days } => request
                .mode(CheckoutSessionMode::Subscription)
                .line_items([line(title, description, price, Some(interval))])
                .subscription_data(CreateCheckoutSessionSubscriptionData {
                    metadata: Some(metadata(new.account, Some(key), Some(new.purchase))),
                    trial_period_days: trial_days.map(u32::from),
                    ..CreateCheckoutSessionSubscriptionData::new()
                }),
        };
        let opened: Opened = self.ask(&request, Some(&format!("scrip:checkout:{purchase}"))).await?;
        Ok((opened.id.into(), address(opened.url)?))
    }

    pub async fn checkout(&self, id: &str) -> Result<Checkout, Error> {
        self.session(&RetrieveCheckoutSession::new(id), None).await
    }

    /// Closes a page, so that nobody can pay there any more. One that is paid, or closed, is refused.
    pub async fn expire_checkout(&self, id: &str) -> Result<Checkout, Error> {
        self.session(&ExpireCheckoutSession::new(id), Some(&format!("scrip:expire:{id}"))).await
    }

    async fn session(&self, request: &impl StripeRequest, key: Option<&str>) -> Result<Checkout, Error> {
        self.ask::<SessionObject>(request, key).await.map(Into::into)
    }

    /// The card that a customer has kept, the latest of several.
    pub async fn kept_card(&self, customer: &str) -> Result<Option<String>, Error> {
        // Only cards: a debit would be on its way for days.
        let kept =
            ListPaymentMethodsCustomer::new(customer).type_(ListPaymentMethodsCustomerType::Card).limit(1);
        let kept: List<Made> = self.ask(&kept, None).await?;
        Ok(kept.data.into_iter().next().map(|card| card.id.into()))
    }

    /// Charges a card that was kept. That its bank, or its holder's absence, stands in the way is [`Error::Declined`].
    pub async fn charge_off_session(&self, charge: OffSession<'_>, key: &str) -> Result<Intent, Error> {
        // Else Stripe wants an address to come back to, for kinds of payment that leave the page.
        let nobody_to_redirect = CreatePaymentIntentAutomaticPaymentMethods {
            allow_redirects: Some(CreatePaymentIntentAutomaticPaymentMethodsAllowRedirects::Never),
            ..CreatePaymentIntentAutomaticPaymentMethods::new(true)
        };
        let request = CreatePaymentIntent::new(charge.price.minor(), currency(charge.price))
            .customer(charge.customer)
            .payment_method(charge.card)
            .automatic_payment_methods(nobody_to_redirect)
            .off_session(CreatePaymentIntentOffSession::Bool(true))
            .confirm(true)
            .description(charge.description)
            .metadata(metadata(charge.account, None, Some(charge.purchase)));
        self.ask::<IntentObject>(&request, Some(key)).await.map(Into::into)
    }

    pub async fn intent(&self, id: &str) -> Result<Intent, Error> {
        self.ask::<IntentObject>(&RetrievePaymentIntent::new(id), None).await.map(Into::into)
    }
}

fn line(
    title: &str,
    description: &str,
    price: Price,
    interval: Option<Interval>,
) -> CreateCheckoutSessionLineItems {
    use CreateCheckoutSessionLineItemsPriceDataRecurringInterval as Every;
    let product_data = ProductData {
        // Stripe takes no empty one.
        description: Some(description.to_owned()).filter(|description| !description.is_empty()),
        ..ProductData::new(title)
    };
    let every = interval.map(|interval| match interval {
        Interval::Month => Every::Month,
        Interval::Year => Every::Year,
    });
    let price_data = CreateCheckoutSessionLineItemsPriceData {
        unit_amount: Some(price.minor()),
        product_data: Some(product_data),
        recurring: every.map(CreateCheckoutSessionLineItemsPriceDataRecurring::new),
        ..CreateCheckoutSessionLineItemsPriceData::new(currency(price))
    };
    CreateCheckoutSessionLineItems {
        price_data: Some(price_data),
        quantity: Some(1),
        ..CreateCheckoutSessionLineItems::new()
    }
}

fn payment_data(new: &NewCheckout<'_>) -> CreateCheckoutSessionPaymentIntentData {
    let off_session = CreateCheckoutSessionPaymentIntentDataSetupFutureUsage::OffSession;
    CreateCheckoutSessionPaymentIntentData {
        metadata: Some(metadata(new.account, None, Some(new.purchase))),
        setup_future_usage: new.save_card.then_some(off_session),
        ..CreateCheckoutSessionPaymentIntentData::new()
    }
}
