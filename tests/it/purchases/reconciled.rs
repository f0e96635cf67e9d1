//! Reconciliation: what did not arrive is fetched, and what does not agree is told to admins once.

use chrono::TimeDelta;
use scrip::{
    domain::PurchaseState,
    server::{
        purchases::reconcile::{Progress, step},
        stripe::{About, Charge, Invoice, InvoicePayment},
    },
};
use sqlx::PgPool;

use super::{Shop, Started, counter::Counter, inbox::completed, subscribed::Told};
use crate::support::noon;

/// Reconciles until nothing more is to be done; returns how many things were found.
async fn reconcile(shop: &Shop, till: &Counter) -> u64 {
    let (mut progress, mut found) = (Progress::default(), 0);
    loop {
        let (more, goes_on) = step(&shop.state, till, false, &mut progress).await.unwrap();
        found += more;
        if !goes_on {
            return found;
        }
    }
}

fn charge_of(started: &Started) -> Charge {
    match started.charge("charge.succeeded", 0).about {
        About::Charge(charge) => charge,
        other => panic!("{other:?}"),
    }
}

#[sqlx::test]
async fn events_that_never_arrived_are_fetched_and_applied(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let mut bought = Vec::new();
    for number in 0..5 {
        let started = shop.started().await;
        till.kept().events.push(completed(&format!("evt_{number}"), &started));
        bought.push(started);
    }
    assert_eq!(reconcile(&shop, &till).await, 5);
    for started in &bought {
        assert_eq!(shop.end(started).await.state, PurchaseState::Paid);
    }
    assert_eq!(reconcile(&shop, &till).await, 0, "they have arrived now");
    shop.check().await;
}

#[sqlx::test]
async fn each_day_that_is_over_is_compared_once(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    reconcile(&shop, &till).await;
    assert_eq!(till.times_asked("charges"), 0, "the day is not over");
    let (agreed, without) = (shop.started().await, shop.started().await);
    shop.tell_all(&[agreed.paid(), without.paid()]).await;
    let nothing = Started { account: agreed.account, id: shop.state.clock.new_id() };
    till.kept().charges = vec![Charge { refunded: 400, ..charge_of(&agreed) }, charge_of(&nothing)];
    shop.clock.set(noon() + TimeDelta::days(1));
    assert_eq!(reconcile(&shop, &till).await, 2);
    let mut found = shop.differences().await;
    found.sort();
    assert_eq!(found, ["charge_for_nothing", "grant_without_charge"]);
    assert_eq!(shop.end(&agreed).await.balance, 600, "a refund that was never told is learned of");
    assert_eq!(reconcile(&shop, &till).await, 0);
    assert_eq!(till.times_asked("charges"), 1);
    // Days that nobody looked at are caught up with.
    shop.clock.set(noon() + TimeDelta::days(4));
    assert_eq!(reconcile(&shop, &till).await, 0);
    assert_eq!(till.times_asked("charges"), 4);
}

#[sqlx::test]
async fn a_renewals_charge_is_asked_about_before_it_is_called_one_for_nothing(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    reconcile(&shop, &till).await;
    let told = Told::of_a_new_account(&shop).await;
    let paid = told.second();
    let About::Invoice(Invoice { id: invoice, .. }) = &paid.about else { panic!("{paid:?}") };
    let invoice = invoice.clone();
    shop.tell(&paid).await.unwrap();
    let renewal = Started { account: told.account, id: shop.state.clock.new_id() };
    let charge = Charge { refunded: 500, ..charge_of(&renewal) };
    let payment = InvoicePayment { invoice, payment_intent: charge.payment_intent.clone(), is_paid: true };
    till.kept().charges = vec![charge];
    till.kept().invoice_payments = vec![payment];
    shop.clock.set(noon() + TimeDelta::days(1));
    assert_eq!(reconcile(&shop, &till).await, 0);
    assert_eq!((shop.differences().await, till.times_asked("invoice payments")), (vec![], 1));
    let account = shop.state.ledger.account(told.account).await.unwrap();
    assert_eq!(account.balance().get(), 75, "a refund that was never told is learned of");
}

#[sqlx::test]
async fn where_stripe_does_not_let_look_a_charge_is_told_to_admins_as_it_is(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    reconcile(&shop, &till).await;
    let nothing = Started { account: shop.account().await, id: shop.state.clock.new_id() };
    till.kept().charges = vec![charge_of(&nothing)];
    shop.clock.set(noon() + TimeDelta::days(1));
    let mut progress = Progress::default();
    step(&shop.state, &till, false, &mut progress).await.unwrap();
    till.kept().refused = Some("invoice payments".to_owned());
    let (found, _) = step(&shop.state, &till, false, &mut progress).await.unwrap();
    assert_eq!((found, shop.differences().await), (1, vec!["charge_for_nothing".to_owned()]));
}

#[sqlx::test]
async fn an_admin_handles_a_difference_once(pool: PgPool) {
    use scrip::{domain::UserId, server::store::differences};
    let shop = Shop::open(pool.clone()).await;
    let started = shop.started().await;
    let mut paid = started.paid();
    if let About::Checkout(session) = &mut paid.about {
        session.total = Some(super::usd(1));
    }
    shop.tell(&paid).await.unwrap();
    let [found] = differences::open(&pool, 10).await.unwrap().try_into().unwrap();
    let by = UserId::from(shop.state.clock.new_id());
    assert!(differences::handle(&pool, found.id, by, "Refunded by hand", noon()).await.unwrap());
    assert!(!differences::handle(&pool, found.id, by, "Again", noon()).await.unwrap());
    shop.tell(&paid).await.unwrap();
    assert_eq!(shop.differences().await, [""; 0], "it is not found again");
}
