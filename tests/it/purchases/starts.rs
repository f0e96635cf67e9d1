//! How purchases begin, and what is asked about them: a second click, a crash, an abandoned page.

use chrono::TimeDelta;
use futures_util::future::join_all;
use scrip::{
    domain::{AccountId, PurchaseState, catalog::PlanKey, purchase::Mode},
    problem::Problem,
    server::{
        Error,
        clock::Clock,
        jobs::pending::step,
        purchases::start::{self, NewPurchase, PENDING_MAX, Wanted},
        store::{
            purchases::{Item, Purchase, page},
            stripe_customers,
        },
        stripe::{About, Invoice, InvoiceReason, Payment, Subscribed, Subscription},
        subscriptions,
    },
};
use sqlx::PgPool;

use super::{Shop, counter::Counter, customer_of, event, session_of, usd};
use crate::support::noon;

const LARGE: NewPurchase<'static> = NewPurchase {
    item: Wanted::Pack("large"),
    attempt: "first",
    success_url: "http://localhost/purchases/{PURCHASE}",
    cancel_url: "http://localhost/buy",
    saves_card: false,
};

async fn begin(shop: &Shop, till: &Counter, account: AccountId) -> Result<Purchase, Error> {
    start::start(&shop.state, till, account, LARGE).await
}

pub async fn subscribe(
    shop: &Shop,
    till: &Counter,
    account: AccountId,
    attempt: &str,
) -> Result<Purchase, Error> {
    let studio = NewPurchase { item: Wanted::Plan("studio"), attempt, ..LARGE };
    start::start(&shop.state, till, account, studio).await
}

pub fn trial_days(purchase: &Purchase) -> Option<u16> {
    match purchase.item {
        Item::Plan { trial_days, .. } => trial_days,
        Item::Pack { .. } => panic!("it is a pack"),
    }
}

fn studio() -> PlanKey {
    PlanKey::try_from("studio".to_owned()).unwrap()
}

fn problem<T: std::fmt::Debug>(answer: Result<T, Error>) -> Problem {
    match answer {
        Err(Error::Problem(problem)) => problem,
        other => panic!("{other:?}"),
    }
}

#[sqlx::test]
async fn a_second_click_is_the_same_purchase_and_leads_to_the_same_page(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.account().await;
    let first = begin(&shop, &till, account).await.unwrap();
    assert_eq!(first.success_url, format!("http://localhost/purchases/{}", first.id));
    assert!(first.url.as_ref().unwrap().starts_with("https://checkout.stripe.com/"));
    assert_eq!(begin(&shop, &till, account).await.unwrap(), first);
    assert_eq!((till.times_asked("start"), till.times_asked("customer")), (1, 1));
    let second = NewPurchase { attempt: "second", ..LARGE };
    let second = start::start(&shop.state, &till, account, second).await.unwrap();
    assert_ne!(second.id, first.id);
    assert_eq!(till.times_asked("customer"), 1, "the customer is kept");
}

#[sqlx::test]
async fn clicks_at_once_are_one_purchase(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.account().await;
    let clicks = join_all((0..8).map(|_| begin(&shop, &till, account))).await;
    let clicks: Vec<Purchase> = clicks.into_iter().map(Result::unwrap).collect();
    assert!(clicks.iter().all(|click| click.id == clicks[0].id && click.url == clicks[0].url));
    assert_eq!(till.kept().sessions.len(), 1);
}

#[sqlx::test]
async fn other_content_under_the_same_attempt_is_refused(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.account().await;
    begin(&shop, &till, account).await.unwrap();
    for other in [
        NewPurchase { item: Wanted::Plan("pro"), ..LARGE },
        NewPurchase { cancel_url: "http://localhost/elsewhere", ..LARGE },
        NewPurchase { saves_card: true, ..LARGE },
    ] {
        assert_eq!(problem(start::start(&shop.state, &till, account, other).await), Problem::KeyReused);
    }
    let neighbour = shop.account().await;
    assert!(begin(&shop, &till, neighbour).await.is_ok(), "an attempt is the account's own");
}

#[sqlx::test]
async fn after_a_crash_the_same_attempt_goes_on_where_it_was(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.account().await;
    // Once the customer is not made, once the page.
    till.is_away();
    assert_eq!(problem(begin(&shop, &till, account).await), Problem::PaymentsUnavailable);
    till.kept().failures.clear();
    let customer_then_away = async {
        // The customer's question is answered, the next is not.
        let mut conn = shop.state.pool.acquire().await.unwrap();
        let now = shop.clock.now();
        stripe_customers::keep(&mut conn, Mode::Sandbox, account, "cus_kept", now).await.unwrap();
    };
    customer_then_away.await;
    till.is_away();
    assert_eq!(problem(begin(&shop, &till, account).await), Problem::PaymentsUnavailable);
    let purchase = begin(&shop, &till, account).await.unwrap();
    assert!(purchase.url.is_some());
    let asked = till.kept().asked.clone();
    let starts: Vec<&String> = asked.iter().filter(|asked| asked.starts_with("start")).collect();
    assert_eq!(starts, [&format!("start {}", purchase.id); 2], "twice under the same key");
}

#[sqlx::test]
async fn what_stripe_will_not_sell_is_over_and_shuts_nobody_out(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.account().await;
    begin(&shop, &till, account).await.unwrap();
    for number in 1..=PENDING_MAX {
        let attempt = number.to_string();
        till.refuses();
        let new = NewPurchase { attempt: &attempt, ..LARGE };
        assert!(matches!(
            start::start(&shop.state, &till, account, new.clone()).await,
            Err(Error::Internal(_))
        ));
        let again = start::start(&shop.state, &till, account, new).await.unwrap();
        assert_eq!(again.state, PurchaseState::Expired);
    }
}

#[sqlx::test]
async fn a_purchase_for_whom_stripe_makes_no_customer_is_over_at_once(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.account().await;
    till.refuses();
    assert!(matches!(begin(&shop, &till, account).await, Err(Error::Internal(_))));
    assert_eq!(till.times_asked("start"), 0);
    assert_eq!(begin(&shop, &till, account).await.unwrap().state, PurchaseState::Expired);
}

#[sqlx::test]
async fn two_plans_that_are_begun_in_the_same_moment_have_one_page_that_is_open(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for _ in 0..20 {
        let (till, account) = (Counter::default(), shop.account().await);
        let starts = ["a", "b", "c"].map(|attempt| subscribe(&shop, &till, account, attempt));
        let begun = join_all(starts).await;
        let kept = till.kept();
        let open = kept.sessions.values().filter(|session| session.payment == Payment::Unpaid);
        assert_eq!(open.count(), 1, "{begun:?}");
        let (begun, over): (Vec<_>, Vec<_>) = begun.into_iter().partition(Result::is_ok);
        assert!(begun.into_iter().all(|begun| begun.unwrap().url.is_some()));
        assert!(over.into_iter().all(|over| problem(over) == Problem::PurchaseEnded));
    }
}

#[sqlx::test]
async fn what_is_not_sold_is_refused_and_nothing_is_noted(pool: PgPool) {
    let (shop, till) = (Shop::open(pool.clone()).await, Counter::default());
    let account = shop.account().await;
    let long = "x".repeat(3_000);
    for (wanted, expected) in [
        (NewPurchase { item: Wanted::Pack("none"), ..LARGE }, Problem::UnknownPack),
        (NewPurchase { item: Wanted::Plan("none"), ..LARGE }, Problem::UnknownPlan),
        (NewPurchase { attempt: "two words", ..LARGE }, Problem::IdempotencyKeyInvalid),
        (NewPurchase { attempt: "", ..LARGE }, Problem::IdempotencyKeyInvalid),
        (NewPurchase { cancel_url: &long, ..LARGE }, Problem::ReturnUrlRefused),
    ] {
        assert_eq!(problem(start::start(&shop.state, &till, account, wanted).await), expected);
    }
    let noted = sqlx::query_scalar!("select count(*) from purchases").fetch_one(&pool).await.unwrap();
    assert_eq!((noted, till.kept().asked.len()), (Some(0), 0));
}

#[sqlx::test]
async fn only_so_many_purchases_of_an_account_wait_to_be_paid(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.account().await;
    let mut last = None;
    for number in 0..PENDING_MAX {
        let attempt = number.to_string();
        let new = NewPurchase { attempt: &attempt, ..LARGE };
        last = Some(start::start(&shop.state, &till, account, new).await.unwrap());
    }
    let most = Problem::TooManyPurchases { most_pending: PENDING_MAX };
    assert_eq!(problem(begin(&shop, &till, account).await), most);
    start::cancel(&shop.state, &till, last.unwrap().id).await.unwrap();
    assert!(begin(&shop, &till, account).await.is_ok());
}

#[sqlx::test]
async fn whoever_comes_back_is_told_at_once_and_the_event_brings_nothing_more(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.account().await;
    let purchase = begin(&shop, &till, account).await.unwrap();
    till.is_away();
    let confirmed = start::confirm(&shop.state, &till, purchase.id).await.unwrap();
    assert_eq!(confirmed.state, PurchaseState::Pending, "it is not known yet");
    till.pay(&purchase);
    let confirmed = start::confirm(&shop.state, &till, purchase.id).await.unwrap();
    assert_eq!(confirmed.state, PurchaseState::Paid);
    let started = super::Started { account, id: purchase.id };
    let mut event = started.paid();
    if let scrip::server::stripe::About::Checkout(session) = &mut event.about {
        session.customer = Some(customer_of(account));
    }
    shop.tell(&event).await.unwrap();
    assert_eq!(shop.end(&started).await.balance, 1_000);
    let asked = till.times_asked("checkout");
    start::confirm(&shop.state, &till, purchase.id).await.unwrap();
    assert_eq!(till.times_asked("checkout"), asked, "of what is paid nothing is asked");
    let again = begin(&shop, &till, account).await.unwrap();
    assert_eq!(again.state, PurchaseState::Paid, "the same attempt is the purchase that was paid");
    shop.check().await;
}

#[sqlx::test]
async fn what_was_begun_in_another_mode_is_left_alone_and_stands_in_nobodys_way(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.account().await;
    let id = begin(&shop, &till, account).await.unwrap().id;
    let switch = "update purchases set mode = 'test'; update stripe_customers set mode = 'test'";
    sqlx::raw_sql(switch).execute(&shop.state.pool).await.unwrap();
    let before = shop.purchase(id).await;
    let asked = till.kept().asked.len();
    for left in [
        start::confirm(&shop.state, &till, before.id).await.unwrap(),
        start::cancel(&shop.state, &till, before.id).await.unwrap(),
    ] {
        assert_eq!(left, before);
    }
    step(&shop.state, &till, Clock::default().now() + TimeDelta::days(9)).await.unwrap();
    assert_eq!(till.kept().asked.len(), asked, "nothing is asked about it");
    let after = begin(&shop, &till, account).await.unwrap();
    assert_ne!(after.id, before.id);
    assert_eq!(till.times_asked("customer"), 2, "the customer is another one");
    assert_eq!(start::cancel(&shop.state, &till, after.id).await.unwrap().state, PurchaseState::Expired);
}

#[sqlx::test]
async fn a_purchase_that_is_given_up_is_over_unless_it_was_paid_meanwhile(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let (one, other) = (shop.account().await, shop.account().await);
    let given_up = begin(&shop, &till, one).await.unwrap();
    assert_eq!(start::cancel(&shop.state, &till, given_up.id).await.unwrap().state, PurchaseState::Expired);
    let paid = begin(&shop, &till, other).await.unwrap();
    till.pay(&paid);
    assert_eq!(start::cancel(&shop.state, &till, paid.id).await.unwrap().state, PurchaseState::Paid);
    assert_eq!(shop.state.ledger.account(other).await.unwrap().balance().get(), 1_000);
}

#[sqlx::test]
async fn stripe_is_asked_about_what_it_does_not_tell_of_with_growing_pauses(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.account().await;
    let purchase = begin(&shop, &till, account).await.unwrap();
    let now = Clock::default().now();
    let mut asked_after = Vec::new();
    for minutes in 0..80 {
        let before = till.times_asked("checkout");
        step(&shop.state, &till, now + TimeDelta::minutes(minutes)).await.unwrap();
        if till.times_asked("checkout") > before {
            asked_after.push(minutes);
        }
    }
    assert!(asked_after.len() == 3 && asked_after[0] >= 10, "{asked_after:?}");
    till.pay(&purchase);
    step(&shop.state, &till, now + TimeDelta::days(1)).await.unwrap();
    assert_eq!(shop.purchase(purchase.id).await.state, PurchaseState::Paid);
    let asked = till.times_asked("checkout");
    step(&shop.state, &till, now + TimeDelta::days(9)).await.unwrap();
    assert_eq!(till.times_asked("checkout"), asked);
}

#[sqlx::test]
async fn what_stripe_never_says_anything_of_is_given_up_and_still_counts_when_it_is_paid(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.account().await;
    let purchase = begin(&shop, &till, account).await.unwrap();
    let mut now = Clock::default().now();
    for questions in 0..100 {
        now += TimeDelta::hours(7);
        step(&shop.state, &till, now).await.unwrap();
        if shop.purchase(purchase.id).await.state != PurchaseState::Pending {
            assert_eq!((questions, till.times_asked("checkout")), (60, 61));
            break;
        }
    }
    assert_eq!(shop.purchase(purchase.id).await.state, PurchaseState::Expired);
    assert_eq!(shop.differences().await, ["never_answered"]);
    let mut paid = super::Started { account, id: purchase.id }.paid();
    if let About::Checkout(session) = &mut paid.about {
        session.customer = Some(customer_of(account));
    }
    shop.tell(&paid).await.unwrap();
    assert_eq!(shop.purchase(purchase.id).await.state, PurchaseState::Paid);
    assert_eq!(shop.state.ledger.account(account).await.unwrap().balance().get(), 1_000);
}

#[sqlx::test]
async fn what_stripe_could_not_be_asked_the_last_time_is_given_up_after_an_answer(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.account().await;
    let purchase = begin(&shop, &till, account).await.unwrap();
    let mut now = Clock::default().now();
    for _ in 0..60 {
        now += TimeDelta::hours(7);
        step(&shop.state, &till, now).await.unwrap();
    }
    till.is_away();
    now += TimeDelta::hours(7);
    assert_eq!(problem(step(&shop.state, &till, now).await), Problem::PaymentsUnavailable);
    assert_eq!(shop.purchase(purchase.id).await.state, PurchaseState::Pending);
    step(&shop.state, &till, now + TimeDelta::hours(7)).await.unwrap();
    assert_eq!(shop.purchase(purchase.id).await.state, PurchaseState::Expired);
}

#[sqlx::test]
async fn what_nobody_was_sent_to_pay_is_given_up_by_the_clock_that_it_began_by(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.account().await;
    till.is_away();
    assert_eq!(problem(begin(&shop, &till, account).await), Problem::PaymentsUnavailable);
    let mut conn = shop.state.pool.acquire().await.unwrap();
    let id = page(&mut conn, None, None, 1).await.unwrap()[0].id;
    let machine = Clock::default().now();
    step(&shop.state, &till, machine + TimeDelta::days(9)).await.unwrap();
    assert_eq!(shop.purchase(id).await.state, PurchaseState::Pending, "its page may be open");
    shop.clock.set(noon() + TimeDelta::hours(25));
    step(&shop.state, &till, machine + TimeDelta::days(18)).await.unwrap();
    assert_eq!(shop.purchase(id).await.state, PurchaseState::Expired);
}

#[sqlx::test]
async fn an_account_subscribes_once_at_a_time_and_has_one_trial(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.account().await;
    let first = subscribe(&shop, &till, account, "first").await.unwrap();
    let second = subscribe(&shop, &till, account, "second").await.unwrap();
    assert_eq!(shop.purchase(first.id).await.state, PurchaseState::Expired, "its page is closed");
    assert_eq!(trial_days(&second), Some(14), "nothing was begun yet");
    till.pay(&second);
    till.kept().sessions.get_mut(&session_of(second.id)).unwrap().subscription = Some("sub_1".to_owned());
    // Once when the page is found to be paid, once when that is known and Stripe has not told of the subscription yet.
    for attempt in ["third", "fourth"] {
        let refused = subscribe(&shop, &till, account, attempt).await;
        assert_eq!(problem(refused), Problem::AlreadySubscribed, "{attempt}");
    }
    let mut told = Subscription {
        id: "sub_1".to_owned(),
        terms: Some(Subscribed { account, plan: studio(), purchase: Some(second.id) }),
        customer: None,
        status: "trialing".to_owned(),
        period_end: None,
        ends_with_period: false,
        ended_at: None,
    };
    shop.tell(&event("customer.subscription.created", About::Subscription(told.clone()))).await.unwrap();
    assert_eq!(problem(subscribe(&shop, &till, account, "fourth").await), Problem::AlreadySubscribed);
    let again = subscribe(&shop, &till, account, "second").await.unwrap();
    assert_eq!(again.state, PurchaseState::Paid, "the same attempt is the same purchase");
    told.ended_at = Some(noon());
    shop.tell(&event("customer.subscription.deleted", About::Subscription(told))).await.unwrap();
    let fifth = subscribe(&shop, &till, account, "fifth").await.unwrap();
    assert_eq!(trial_days(&fifth), None, "it had its trial");

    // What was agreed counts, and not that the catalog has a trial.
    let invoice = Invoice {
        id: "in_1".to_owned(),
        subscription: Some("sub_2".to_owned()),
        terms: Some(Subscribed { account, plan: studio(), purchase: Some(fifth.id) }),
        reason: InvoiceReason::Create,
        is_paid: true,
        paid: usd(0),
        payment_intent: None,
        period: Some((noon(), noon() + TimeDelta::days(14))),
        hosted_url: None,
    };
    let told = shop.tell(&event("invoice.paid", About::Invoice(invoice))).await.unwrap();
    assert!(told.waits.is_some());
    assert_eq!(shop.differences().await, ["amount_differs"]);
}

#[sqlx::test]
async fn who_had_a_plans_trial_from_a_host_pays_at_once(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.account().await;
    let trial =
        subscriptions::Wanted { plan: studio(), anchor: None, paid_until: None, is_trial: true, key: None };
    subscriptions::put(&shop.state, account, trial).await.unwrap();
    let bought = subscribe(&shop, &till, account, "first").await.unwrap();
    assert_eq!(trial_days(&bought), None);
}
