//! Subscriptions that are paid through Stripe: invoices in, periods out, in any order.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use scrip::{
    domain::{
        AccountId, Act, Command, IdempotencyKey, Subscribe, SubscriptionState, catalog::PlanKey,
        subscription::Next,
    },
    server::{
        purchases::start::{self, NewPurchase, start},
        stripe::{About, Event, Invoice, InvoiceReason, Subscribed, Subscription},
        subscriptions::{self, Wanted},
    },
};
use sqlx::PgPool;
use uuid::Uuid;

use super::{Shop, counter::Counter, event_at, usd};
use crate::support::noon;

pub fn days(days: i64) -> TimeDelta {
    TimeDelta::days(days)
}

/// A subscription to Pro as Stripe has it. It began a month before `noon`.
pub struct Told {
    pub account: AccountId,
    pub id: String,
    /// By which it was bought, where that matters.
    pub purchase: Option<Uuid>,
}

impl Told {
    pub async fn of_a_new_account(shop: &Shop) -> Self {
        let account = shop.account().await;
        Self { account, id: format!("sub_{account}"), purchase: None }
    }

    pub fn terms(&self, plan: &str) -> Option<Subscribed> {
        let plan = PlanKey::try_from(plan.to_owned()).unwrap();
        Some(Subscribed { account: self.account, plan, purchase: self.purchase })
    }

    pub fn subscription(&self, at: DateTime<Utc>, plan: &str, change: fn(&mut Subscription)) -> Event {
        let mut told = Subscription {
            id: self.id.clone(),
            terms: self.terms(plan),
            customer: None,
            status: "active".to_owned(),
            period_end: None,
            ends_with_period: false,
            ended_at: None,
        };
        change(&mut told);
        event_at(at, "customer.subscription.updated", About::Subscription(told))
    }

    pub fn invoice(&self, reason: InvoiceReason, start: DateTime<Utc>, end: DateTime<Utc>) -> Event {
        let invoice = Invoice {
            id: format!("in_{}_{}", self.id, start.timestamp()),
            subscription: Some(self.id.clone()),
            terms: self.terms("pro"),
            reason,
            is_paid: true,
            paid: usd(2_000),
            payment_intent: None,
            period: Some((start, end)),
            hosted_url: None,
        };
        event_at(start, "invoice.paid", About::Invoice(invoice))
    }

    pub fn first(&self) -> Event {
        self.invoice(InvoiceReason::Create, noon() - days(31), noon())
    }

    pub fn second(&self) -> Event {
        self.invoice(InvoiceReason::Cycle, noon(), noon() + days(30))
    }

    async fn end(&self, shop: &Shop) -> (i64, Option<SubscriptionState>, Option<DateTime<Utc>>) {
        let account = shop.state.ledger.account(self.account).await.unwrap();
        let current = account.current_subscription();
        let state = current.map(|current| current.state(shop.clock.now()));
        (account.balance().get(), state, current.map(|current| current.period.end))
    }
}

/// Tells what `events` makes of a new account, each event twice, in many orders; returns the distinct ends.
async fn ends(
    shop: &Shop,
    events: fn(&Told) -> Vec<Event>,
) -> Vec<(i64, Option<SubscriptionState>, Option<DateTime<Utc>>)> {
    let told = (0..80).map(async |seed| {
        let told = Told::of_a_new_account(shop).await;
        let mut events: Vec<Event> =
            events(&told).into_iter().flat_map(|event| [event.clone(), event]).collect();
        events.shuffle(&mut StdRng::seed_from_u64(seed));
        shop.tell_all(&events).await;
        told.end(shop).await
    });
    let mut ends: Vec<_> = stream::iter(told).buffer_unordered(8).collect().await;
    ends.dedup();
    ends
}

#[sqlx::test]
async fn in_any_order_a_subscription_that_was_paid_twice_is_in_its_second_period(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let events = |told: &Told| {
        let begun = noon() - days(31);
        vec![
            told.subscription(begun, "pro", |told| told.status = "incomplete".to_owned()),
            told.first(),
            told.subscription(begun + days(1), "pro", |_| {}),
            told.second(),
        ]
    };
    // What Stripe calls noon of the 21st, thirty days on.
    let end = (100, Some(SubscriptionState::Active), Some(noon() + days(30)));
    assert_eq!(ends(&shop, events).await, [end]);
    shop.check().await;
}

#[sqlx::test]
async fn in_any_order_one_that_is_not_to_go_on_is_canceled_and_one_that_was_deleted_is_over(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let canceled = |told: &Told| {
        let at = noon() - days(31);
        let cancel = told.subscription(at + days(2), "pro", |told| told.ends_with_period = true);
        vec![told.subscription(at, "pro", |_| {}), told.first(), told.second(), cancel]
    };
    let end = (100, Some(SubscriptionState::Canceled), Some(noon() + days(30)));
    assert_eq!(ends(&shop, canceled).await, [end]);
    let deleted = |told: &Told| {
        let at = noon() - days(31);
        let cancel = told.subscription(at + days(2), "pro", |told| told.ends_with_period = true);
        let delete = told.subscription(at + days(3), "pro", |told| {
            told.status = "canceled".to_owned();
            told.ended_at = Some(noon());
        });
        vec![told.subscription(at, "pro", |_| {}), told.first(), told.second(), cancel, delete]
    };
    assert_eq!(ends(&shop, deleted).await, [(0, None, None)]);
    shop.check().await;
}

#[sqlx::test]
async fn one_that_is_resumed_goes_on_and_a_larger_plan_brings_the_difference_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let told = Told::of_a_new_account(&shop).await;
    let cancel = told.subscription(noon() + days(1), "pro", |told| told.ends_with_period = true);
    let resume = told.subscription(noon() + days(2), "pro", |_| {});
    shop.tell_all(&[told.second(), cancel.clone(), resume, cancel]).await;
    assert_eq!(told.end(&shop).await.1, Some(SubscriptionState::Active), "the cancellation was told late");
    let larger = told.subscription(noon() + days(3), "studio", |_| {});
    let update = told.invoice(InvoiceReason::Update, noon() + days(3), noon() + days(30));
    shop.tell_all(&[larger.clone(), update, larger]).await;
    assert_eq!(told.end(&shop).await.0, 300);
    shop.check().await;
}

#[sqlx::test]
async fn a_trial_counts_its_months_from_its_end_and_costs_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let told = Told::of_a_new_account(&shop).await;
    let trial_end = noon() + days(14);
    let mut trial = told.invoice(InvoiceReason::Create, noon(), trial_end);
    if let About::Invoice(invoice) = &mut trial.about {
        invoice.paid = usd(0);
    }
    shop.tell(&trial).await.unwrap();
    assert_eq!(told.end(&shop).await, (100, Some(SubscriptionState::Active), Some(trial_end)));
    shop.clock.set(trial_end);
    shop.tell(&told.invoice(InvoiceReason::Cycle, trial_end, trial_end + days(31))).await.unwrap();
    assert_eq!(told.end(&shop).await.1, Some(SubscriptionState::Active));
}

#[sqlx::test]
async fn in_any_order_a_trial_is_of_the_plan_that_was_bought_until_another_is_paid_for(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let trial_end = noon() + days(14);
    for seed in 0..20 {
        shop.clock.set(noon());
        let account = shop.account().await;
        let studio = NewPurchase {
            item: start::Wanted::Plan("studio"),
            attempt: "a",
            success_url: "http://localhost/back",
            cancel_url: "http://localhost/buy",
            saves_card: false,
        };
        let purchase = start(&shop.state, &Counter::default(), account, studio).await.unwrap().id;
        let told = Told { account, id: format!("sub_{account}"), purchase: Some(purchase) };
        let mut trial = told.invoice(InvoiceReason::Create, noon(), trial_end);
        if let About::Invoice(invoice) = &mut trial.about {
            (invoice.paid, invoice.terms) = (usd(0), told.terms("studio"));
        }
        let begun = told.subscription(noon(), "studio", |told| told.status = "trialing".to_owned());
        let changed = told.subscription(noon() + days(1), "pro", |told| told.status = "trialing".to_owned());
        let mut events = [trial.clone(), begun, changed.clone(), trial, changed];
        events.shuffle(&mut StdRng::seed_from_u64(seed));
        shop.tell_all(&events).await;
        assert_eq!(told.end(&shop).await, (300, Some(SubscriptionState::Active), Some(trial_end)), "{seed}");
        shop.clock.set(trial_end);
        shop.tell(&told.invoice(InvoiceReason::Cycle, trial_end, trial_end + days(31))).await.unwrap();
        assert_eq!(told.end(&shop).await.0, 100, "{seed}");
    }
    shop.check().await;
}

#[sqlx::test]
async fn the_end_of_an_old_subscription_does_not_end_the_one_that_took_its_place(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let old = Told::of_a_new_account(&shop).await;
    let new = Told { account: old.account, id: "sub_new".to_owned(), purchase: None };
    shop.tell_all(&[old.second(), new.second()]).await;
    assert_eq!(shop.differences().await, ["two_plans"]);
    let delete = old.subscription(noon() + days(1), "pro", |told| told.ended_at = Some(noon()));
    shop.tell(&delete).await.unwrap();
    assert_eq!(new.end(&shop).await.1, Some(SubscriptionState::Active));
}

#[sqlx::test]
async fn an_invoice_that_is_told_late_does_not_take_a_larger_plan_away(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let told = Told::of_a_new_account(&shop).await;
    let larger = told.subscription(noon() + days(3), "studio", |_| {});
    let late = told.invoice(InvoiceReason::Other, noon() + days(5), noon() + days(30));
    shop.tell_all(&[told.second(), larger, late]).await;
    let account = shop.state.ledger.account(told.account).await.unwrap();
    let current = account.current_subscription().unwrap();
    assert_eq!((current.terms.plan.as_str(), &current.next), ("studio", &Next::Renew));
}

#[sqlx::test]
async fn a_plan_that_is_gone_from_the_catalog_is_renewed_as_it_was_agreed_last(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let told = Told::of_a_new_account(&shop).await;
    let catalog = shop.state.catalog();
    let mut agreed = Subscribe {
        paid_until: Some(noon() + days(1)),
        ..subscriptions::subscribe(&catalog, &catalog.plans[0])
    };
    agreed.terms.plan = PlanKey::try_from("gone".to_owned()).unwrap();
    let key = IdempotencyKey::parse("k").unwrap();
    let command = Command::new(told.account, key, Act::Subscribe(agreed));
    shop.state.ledger.execute(command).await.unwrap().unwrap();
    let mut renewed = told.second();
    if let About::Invoice(invoice) = &mut renewed.about {
        invoice.terms = told.terms("gone");
    }
    shop.tell(&renewed).await.unwrap();
    let account = shop.state.ledger.account(told.account).await.unwrap();
    let current = account.current_subscription().unwrap();
    assert_eq!((current.terms.plan.as_str(), current.paid_until), ("gone", Some(noon() + days(30))));
}

#[sqlx::test]
async fn the_end_of_a_subscription_does_not_end_a_plan_that_a_host_gave_since(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let told = Told::of_a_new_account(&shop).await;
    shop.tell(&told.second()).await.unwrap();
    let plan = PlanKey::try_from("studio".to_owned()).unwrap();
    let given = Wanted { plan, anchor: None, paid_until: None, is_trial: false, key: None };
    subscriptions::put(&shop.state, told.account, given).await.unwrap();
    let delete = told.subscription(noon() + days(1), "pro", |told| told.ended_at = Some(noon()));
    shop.tell(&delete).await.unwrap();
    assert_eq!(told.end(&shop).await.1, Some(SubscriptionState::Active));
}
