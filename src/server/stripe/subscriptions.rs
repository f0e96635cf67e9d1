//! Subscriptions at Stripe: how one is, another plan for it, and its end.

use serde::Deserialize;
use stripe_billing::subscription::{
    CancelSubscription, RetrieveSubscription, UpdateSubscription, UpdateSubscriptionItems,
    UpdateSubscriptionItemsPriceData, UpdateSubscriptionItemsPriceDataRecurring,
    UpdateSubscriptionItemsPriceDataRecurringInterval, UpdateSubscriptionPaymentBehavior,
    UpdateSubscriptionProrationBehavior,
};

use super::{
    Error, Stripe, Subscription,
    client::{currency, metadata},
    fields::{List, Reference, Text},
    objects::SubscriptionObject,
};
use crate::domain::{
    AccountId,
    catalog::{Interval, PlanKey, Price},
};

/// What a subscription is to be for from now on.
#[derive(Clone, Debug)]
pub struct NewPlan<'a> {
    pub account: AccountId,
    pub key: &'a PlanKey,
    pub price: Price,
    pub interval: Interval,
    /// Whether the difference is charged at once; else the new price holds from the next period on.
    pub prorates: bool,
}

/// What a subscription is billed for.
#[derive(Debug)]
pub struct Billed {
    item: String,
    product: String,
    /// How often; `None`: as no plan of a catalog is.
    pub interval: Option<Interval>,
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

impl Stripe {
    pub async fn subscription(&self, id: &str) -> Result<Subscription, Error> {
        self.ask::<SubscriptionObject>(&RetrieveSubscription::new(id), None).await.map(Into::into)
    }

    pub async fn billed(&self, subscription: &str) -> Result<Billed, Error> {
        let billed: BilledObject = self.ask(&RetrieveSubscription::new(subscription), None).await?;
        let item = billed.items.data.into_iter().next();
        let BilledItem { id, price } =
            item.ok_or_else(|| Error::Unreachable("the subscription is for nothing".into()))?;
        let interval = price.recurring.and_then(|recurring| Interval::named(recurring.interval.as_str()));
        Ok(Billed { item: id.into(), product: price.product.into(), interval })
    }

    /// Another price in the place of the billed one. The product stays, and with it the name that Stripe writes
    /// on invoices: a price can't bring its own here. Where the card declines the difference, all stays as it was.
    pub async fn change_plan(
        &self,
        subscription: &str,
        billed: Billed,
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
            ..UpdateSubscriptionItemsPriceData::new(currency(plan.price), billed.product, recurring)
        };
        let item = UpdateSubscriptionItems {
            id: Some(billed.item),
            price_data: Some(price_data),
            ..UpdateSubscriptionItems::new()
        };
        let request = UpdateSubscription::new(subscription)
            .items([item])
            .proration_behavior(if plan.prorates { Proration::AlwaysInvoice } else { Proration::None })
            .payment_behavior(UpdateSubscriptionPaymentBehavior::ErrorIfIncomplete)
            .metadata(metadata(plan.account, Some(plan.key), None));
        self.ask::<SubscriptionObject>(&request, Some(key)).await.map(Into::into)
    }

    pub async fn cancel_subscription(&self, id: &str, at_period_end: bool) -> Result<Subscription, Error> {
        let cancelled: SubscriptionObject = if at_period_end {
            self.ask(&UpdateSubscription::new(id).cancel_at_period_end(true), None).await?
        } else {
            self.ask(&CancelSubscription::new(id), None).await?
        };
        Ok(cancelled.into())
    }
}
