//! Subscriptions at Stripe: how one is, what another plan for it comes to, and that plan.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use stripe_billing::{
    invoice::{
        CreatePreviewInvoice, CreatePreviewInvoiceSubscriptionDetails,
        CreatePreviewInvoiceSubscriptionDetailsItems, CreatePreviewInvoiceSubscriptionDetailsItemsPriceData,
        CreatePreviewInvoiceSubscriptionDetailsItemsPriceDataRecurring,
        CreatePreviewInvoiceSubscriptionDetailsItemsPriceDataRecurringInterval,
        CreatePreviewInvoiceSubscriptionDetailsProrationBehavior,
    },
    subscription::{
        RetrieveSubscription, UpdateSubscription, UpdateSubscriptionItems, UpdateSubscriptionItemsPriceData,
        UpdateSubscriptionItemsPriceDataRecurring, UpdateSubscriptionItemsPriceDataRecurringInterval,
        UpdateSubscriptionPaymentBehavior, UpdateSubscriptionProrationBehavior,
    },
};

use super::{
    Error, Stripe, Subscription,
    client::{currency, metadata},
    fields::{List, Minor, Reference, Text, read},
    objects::SubscriptionObject,
};
use crate::domain::{
    AccountId,
    catalog::{Interval, PlanKey, Price},
};

/// What a subscription is to be for from now on.
#[derive(Clone, Copy, Debug)]
pub struct NewPlan<'a> {
    pub account: AccountId,
    pub key: &'a PlanKey,
    pub price: Price,
    pub interval: Interval,
    /// From when the difference is charged, which it is at once; `None`: the new price holds from the next period on.
    pub prorated_from: Option<DateTime<Utc>>,
}

/// What a subscription is billed for, and how it stands.
#[derive(Debug)]
pub struct Billed {
    item: String,
    product: String,
    /// How often; `None`: as no plan of a catalog is.
    pub interval: Option<Interval>,
    pub subscription: Subscription,
}

/// A subscription, as far as another price takes the place of its own.
#[derive(Deserialize)]
struct BilledObject {
    items: List<BilledItem>,
}

#[derive(Deserialize)]
struct BilledItem {
    id: Text,
    price: BilledPrice,
}

#[derive(Deserialize)]
struct BilledPrice {
    product: Reference,
    recurring: Option<Recurring>,
}

#[derive(Deserialize)]
struct Recurring {
    interval: Text,
}

/// An invoice that would be made at once.
#[derive(Deserialize)]
struct PreviewObject {
    amount_due: Minor,
}

impl Stripe {
    pub async fn subscription(&self, id: &str) -> Result<Subscription, Error> {
        self.ask::<SubscriptionObject>(&RetrieveSubscription::new(id), None).await.map(Into::into)
    }

    pub async fn billed(&self, subscription: &str) -> Result<Billed, Error> {
        let told: Box<RawValue> = self.ask(&RetrieveSubscription::new(subscription), None).await?;
        let billed: BilledObject = read(told.get().as_bytes())?;
        let item = billed.items.data.into_iter().next();
        let BilledItem { id, price } =
            item.ok_or_else(|| Error::Unreachable("the subscription is for nothing".into()))?;
        let interval = price.recurring.and_then(|recurring| Interval::named(recurring.interval.as_str()));
        let subscription = read::<SubscriptionObject>(told.get().as_bytes())?.into();
        Ok(Billed { item: id.into(), product: price.product.into(), interval, subscription })
    }

    /// What another plan would charge at once, in the smallest unit of the subscription's currency; nothing happens. Asked
    /// for the same moment again it is the same, unless the subscription has changed.
    pub async fn preview_change(
        &self,
        billed: &Billed,
        plan: NewPlan<'_>,
        prorated_from: DateTime<Utc>,
    ) -> Result<i64, Error> {
        use CreatePreviewInvoiceSubscriptionDetailsItemsPriceDataRecurringInterval as Every;
        let every = match plan.interval {
            Interval::Month => Every::Month,
            Interval::Year => Every::Year,
        };
        let recurring = CreatePreviewInvoiceSubscriptionDetailsItemsPriceDataRecurring::new(every);
        let product = billed.product.as_str();
        let price_data = CreatePreviewInvoiceSubscriptionDetailsItemsPriceData {
            unit_amount: Some(plan.price.minor()),
            ..CreatePreviewInvoiceSubscriptionDetailsItemsPriceData::new(
                currency(plan.price),
                product,
                recurring,
            )
        };
        let item = CreatePreviewInvoiceSubscriptionDetailsItems {
            id: Some(billed.item.clone()),
            price_data: Some(price_data),
            ..CreatePreviewInvoiceSubscriptionDetailsItems::new()
        };
        let details = CreatePreviewInvoiceSubscriptionDetails {
            items: Some(vec![item]),
            proration_behavior: Some(CreatePreviewInvoiceSubscriptionDetailsProrationBehavior::AlwaysInvoice),
            proration_date: Some(prorated_from.timestamp()),
            cancel_at_period_end: billed.subscription.ends_with_period.then_some(false),
            ..CreatePreviewInvoiceSubscriptionDetails::new()
        };
        let request = CreatePreviewInvoice::new()
            .subscription(billed.subscription.id.as_str())
            .subscription_details(details);
        let preview: PreviewObject = self.ask(&request, None).await?;
        Ok(preview.amount_due.into())
    }

    /// Another price in the place of the billed one; what was to end with its period goes on. The product stays, and with
    /// it the name that Stripe writes on invoices: a price can't bring its own here. Where the card declines the
    /// difference, all stays as it was.
    pub async fn change_plan(
        &self,
        billed: &Billed,
        plan: NewPlan<'_>,
        key: &str,
    ) -> Result<Subscription, Error> {
        use UpdateSubscriptionItemsPriceDataRecurringInterval as Every;
        use UpdateSubscriptionProrationBehavior as Proration;
        let every = match plan.interval {
            Interval::Month => Every::Month,
            Interval::Year => Every::Year,
        };
        let recurring = UpdateSubscriptionItemsPriceDataRecurring::new(every);
        let price_data = UpdateSubscriptionItemsPriceData {
            unit_amount: Some(plan.price.minor()),
            ..UpdateSubscriptionItemsPriceData::new(currency(plan.price), billed.product.as_str(), recurring)
        };
        let item = UpdateSubscriptionItems {
            id: Some(billed.item.clone()),
            price_data: Some(price_data),
            ..UpdateSubscriptionItems::new()
        };
        let mut request = UpdateSubscription::new(billed.subscription.id.as_str())
            .items([item])
            .payment_behavior(UpdateSubscriptionPaymentBehavior::ErrorIfIncomplete)
            .metadata(metadata(plan.account, Some(plan.key), None));
        request = match plan.prorated_from {
            Some(from) => {
                request.proration_behavior(Proration::AlwaysInvoice).proration_date(from.timestamp())
            }
            None => request.proration_behavior(Proration::None),
        };
        if billed.subscription.ends_with_period {
            request = request.cancel_at_period_end(false);
        }
        self.ask::<SubscriptionObject>(&request, Some(key)).await.map(Into::into)
    }
}
