//! The money of plans: which payments an invoice was paid with, what goes back of its credits with its money, and a first
//! invoice that is not what was agreed.

use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use scrip::{
    domain::{UserId, catalog::PlanKey, purchase::Mode},
    problem::Problem,
    server::{
        Error,
        purchases::refunds::{self, NewRefund, Of},
        store::stripe_subscriptions,
        stripe::{
            About, Charge, Checkout, Dispute, Event, Funds, Invoice, InvoicePayment, InvoiceReason, Payment,
            Refund, RefundState,
        },
        subscriptions::{self, Wanted},
    },
};
use sqlx::PgPool;
use uuid::Uuid;

use super::{
    Shop,
    counter::Counter,
    event, session_of,
    subscribed::{Told, days},
    usd,
};
use crate::support::{noon, spend};

/// The invoice of an event, and the payment with which it was paid.
fn paid_with(invoice: &Event, payment_intent: &str) -> Event {
    let About::Invoice(Invoice { id, .. }) = &invoice.about else { panic!("{invoice:?}") };
    let payment = InvoicePayment {
        invoice: id.clone(),
        payment_intent: Some(payment_intent.to_owned()),
        is_paid: true,
    };
    event("invoice_payment.paid", About::InvoicePayment(payment))
}

/// 20.00 were charged, and so much of it went back.
fn charged(payment_intent: &str, refunded: i64) -> Event {
    let charge = Charge {
        id: format!("ch_{payment_intent}"),
        payment_intent: Some(payment_intent.to_owned()),
        is_paid: true,
        total: usd(2_000),
        refunded,
        receipt_url: None,
    };
    event("charge.refunded", About::Charge(charge))
}

fn refunded(payment_intent: &str, minor: i64, state: RefundState) -> Event {
    let refund = Refund {
        id: format!("re_{payment_intent}"),
        payment_intent: Some(payment_intent.to_owned()),
        total: usd(minor),
        state,
    };
    event("refund.updated", About::Refund(refund))
}

fn disputed(payment_intent: &str, funds: Option<Funds>) -> Event {
    let dispute = Dispute {
        id: format!("dp_{payment_intent}"),
        payment_intent: Some(payment_intent.to_owned()),
        total: usd(2_000),
        status: "needs_response".to_owned(),
        funds,
    };
    event("charge.dispute.updated", About::Dispute(dispute))
}

/// An invoice that is for nothing of a period, as that of a change within one.
fn update(told: &Told) -> Event {
    let mut event = told.invoice(InvoiceReason::Update, noon(), noon() + days(30));
    if let About::Invoice(invoice) = &mut event.about {
        invoice.id = format!("in_update_{}", told.id);
        invoice.period = None;
    }
    event
}

async fn balance(shop: &Shop, told: &Told) -> i64 {
    shop.state.ledger.account(told.account).await.unwrap().balance().get()
}

#[sqlx::test]
async fn in_any_order_a_refund_takes_its_share_of_the_months_credits_and_a_dispute_that_is_won_none(
    pool: PgPool,
) {
    let shop = Shop::open(pool).await;
    for seed in 0..60 {
        let told = Told::of_a_new_account(&shop).await;
        let (paid, payment) = (told.second(), format!("pi_{seed}"));
        let mut events = vec![
            told.subscription(noon(), "pro", |_| {}),
            paid_with(&paid, &payment),
            charged(&payment, 0),
            paid,
            refunded(&payment, 500, RefundState::Pending),
            refunded(&payment, 500, RefundState::Succeeded),
            charged(&payment, 500),
            disputed(&payment, None),
            disputed(&payment, Some(Funds::Withdrawn)),
            disputed(&payment, Some(Funds::Reinstated)),
        ];
        events.extend(events.clone());
        events.shuffle(&mut StdRng::seed_from_u64(seed));
        shop.tell_all(&events).await;
        assert_eq!(balance(&shop, &told).await, 75, "in the order {seed}");
    }
    assert_eq!(shop.differences().await, [""; 0]);
    shop.check().await;
}

#[sqlx::test]
async fn an_invoice_that_names_its_payment_itself_needs_no_more_to_be_told(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let told = Told::of_a_new_account(&shop).await;
    let mut paid = told.second();
    if let About::Invoice(invoice) = &mut paid.about {
        invoice.payment_intent = Some("pi_1".to_owned());
    }
    shop.tell_all(&[charged("pi_1", 2_000), paid]).await;
    assert_eq!(balance(&shop, &told).await, 0);
}

#[sqlx::test]
async fn what_is_spent_of_a_months_credits_is_owed_when_its_money_goes_back(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let told = Told::of_a_new_account(&shop).await;
    let paid = told.second();
    shop.tell_all(&[paid.clone(), paid_with(&paid, "pi_1")]).await;
    for number in 0..60 {
        let render = spend(&shop.state, told.account, &format!("render-{number}"), "render", None);
        shop.state.ledger.execute(render).await.unwrap().unwrap();
    }
    shop.tell(&disputed("pi_1", Some(Funds::Withdrawn))).await.unwrap();
    let account = shop.state.ledger.account(told.account).await.unwrap();
    assert_eq!((account.balance().get(), account.debt().get()), (0, 60));
    shop.tell(&disputed("pi_1", Some(Funds::Reinstated))).await.unwrap();
    let account = shop.state.ledger.account(told.account).await.unwrap();
    assert_eq!((account.balance().get(), account.debt().get()), (40, 0));
    shop.check().await;
}

#[sqlx::test]
async fn money_of_an_earlier_month_takes_nothing_of_the_present_one(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.clock.set(noon() - days(31));
    let told = Told::of_a_new_account(&shop).await;
    let first = told.first();
    shop.tell_all(&[first.clone(), paid_with(&first, "pi_1")]).await;
    for number in 0..60 {
        let render = spend(&shop.state, told.account, &format!("render-{number}"), "render", None);
        shop.state.ledger.execute(render).await.unwrap().unwrap();
    }
    shop.clock.set(noon());
    shop.tell(&told.second()).await.unwrap();
    shop.tell(&charged("pi_1", 2_000)).await.unwrap();
    assert_eq!(
        balance(&shop, &told).await,
        100,
        "what of it was spent is not known any more, had it rolled over"
    );
    shop.check().await;
}

#[sqlx::test]
async fn the_money_of_a_year_takes_credits_of_the_month_that_is_under_way_and_all_of_it_is_told_to_admins(
    pool: PgPool,
) {
    let shop = Shop::open(pool).await;
    let told = Told::of_a_new_account(&shop).await;
    let year = told.invoice(InvoiceReason::Create, noon(), noon() + days(365));
    shop.tell_all(&[year.clone(), paid_with(&year, "pi_1")]).await;
    shop.clock.set(noon() + days(70));
    shop.tell(&charged("pi_1", 1_000)).await.unwrap();
    assert_eq!(balance(&shop, &told).await, 50);
    assert_eq!(shop.differences().await, [""; 0]);
    shop.tell(&charged("pi_1", 2_000)).await.unwrap();
    assert_eq!(balance(&shop, &told).await, 0);
    assert_eq!(shop.differences().await, ["whole_plan_refunded"]);
    shop.clock.set(noon() + days(100));
    assert_eq!(balance(&shop, &told).await, 100, "the next month comes unless somebody ends the plan");
    shop.check().await;
}

#[sqlx::test]
async fn money_that_brought_no_credits_takes_none_and_is_told_to_admins_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let told = Told::of_a_new_account(&shop).await;
    let change = update(&told);
    shop.tell_all(&[told.second(), change.clone(), paid_with(&change, "pi_1")]).await;
    shop.tell_all(&[charged("pi_1", 500), charged("pi_1", 1_000)]).await;
    assert_eq!(balance(&shop, &told).await, 100);
    assert_eq!(shop.differences().await, ["money_back_of_a_plan"]);
}

#[sqlx::test]
async fn money_of_one_subscription_takes_nothing_that_came_by_another(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let told = Told::of_a_new_account(&shop).await;
    let purchase = super::starts::subscribe(&shop, &till, told.account, "first").await.unwrap().id;
    let differs = first(&told, purchase, 4_000);
    shop.tell_all(&[differs.clone(), paid_with(&differs, "pi_1")]).await;
    let given = Wanted {
        plan: PlanKey::try_from("pro".to_owned()).unwrap(),
        anchor: None,
        paid_until: None,
        is_trial: false,
        key: None,
    };
    subscriptions::put(&shop.state, told.account, given).await.unwrap();
    shop.tell(&charged("pi_1", 4_000)).await.unwrap();
    assert_eq!(balance(&shop, &told).await, 100);
    let found = shop.differences().await;
    assert!(found.contains(&"money_back_of_a_plan".to_owned()), "{found:?}");
}

/// A plan that was bought here: the purchase, and the invoice of its second month.
async fn bought(shop: &Shop, till: &Counter) -> (Told, Uuid, String) {
    let told = Told::of_a_new_account(shop).await;
    let purchase = super::starts::subscribe(shop, till, told.account, "first").await.unwrap();
    let session = Checkout {
        id: session_of(purchase.id),
        purchase: Some(purchase.id),
        payment: Payment::Paid,
        total: Some(usd(5_000)),
        customer: None,
        payment_intent: None,
        subscription: Some(told.id.clone()),
    };
    shop.tell(&event("checkout.session.completed", About::Checkout(session))).await.unwrap();
    let paid = told.second();
    let About::Invoice(Invoice { id, .. }) = &paid.about else { panic!("{paid:?}") };
    let id = id.clone();
    shop.tell_all(&[paid.clone(), paid_with(&paid, "pi_1")]).await;
    (told, purchase.id, id)
}

fn refund(amount: i64, key: &str) -> NewRefund<'_> {
    NewRefund { amount, reason: "Asked for", key, by: UserId::from(Uuid::from_u128(1)) }
}

#[sqlx::test]
async fn an_admin_refunds_an_invoice_as_a_pack(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let (told, purchase, invoice) = bought(&shop, &till).await;
    let of = Of { purchase, invoice: Some(&invoice) };
    let preview = refunds::preview(&shop.state, of, 500).await.unwrap();
    let counted = (preview.money.minor(), preview.credits.get(), preview.there.get(), preview.gone.get());
    assert_eq!(counted, (500, 25, 25, 0));
    for _ in 0..2 {
        refunds::start(&shop.state, &till, of, refund(500, "a")).await.unwrap();
    }
    assert_eq!((balance(&shop, &told).await, till.kept().refunds.len()), (75, 1));
    let preview = refunds::preview(&shop.state, of, 1_500).await.unwrap();
    assert_eq!(preview.credits.get(), 75);
    let too_much = refunds::preview(&shop.state, of, 1_501).await;
    assert!(matches!(too_much, Err(Error::Problem(Problem::NotRefundable))), "{too_much:?}");
    for other in [Of { purchase, invoice: None }, Of { purchase, invoice: Some("in_other") }] {
        let refused = refunds::start(&shop.state, &till, other, refund(1, "b")).await;
        assert!(matches!(refused, Err(Error::Problem(Problem::NotRefundable))), "{refused:?}");
    }
    shop.check().await;
}

/// The first invoice of a plan that was bought here, of which so much was paid.
fn first(told: &Told, purchase: Uuid, minor: i64) -> Event {
    let mut event = told.invoice(InvoiceReason::Create, noon(), noon() + days(30));
    if let About::Invoice(invoice) = &mut event.about {
        invoice.paid = usd(minor);
        invoice.terms.as_mut().unwrap().purchase = Some(purchase);
    }
    event
}

#[sqlx::test]
async fn a_first_invoice_that_differs_is_kept_and_brings_its_plan_once_the_catalog_agrees(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let told = Told::of_a_new_account(&shop).await;
    let purchase = super::starts::subscribe(&shop, &till, told.account, "first").await.unwrap().id;
    let invoice = first(&told, purchase, 4_000);
    for _ in 0..2 {
        let applied = shop.tell(&invoice).await.unwrap();
        assert_eq!(applied.waits, Some("what was paid is not what was agreed"));
    }
    let news = told.subscription(noon(), "pro", |_| {});
    assert_eq!(shop.tell(&news).await.unwrap().waits, None, "it is the invoice that waits");
    assert_eq!(
        (balance(&shop, &told).await, shop.differences().await),
        (0, vec!["amount_differs".to_owned()])
    );
    let mended = super::CATALOG.replace("50.00", "40.00");
    shop.state.in_force.take_up(scrip::server::catalog::parse(&mended).unwrap());
    assert_eq!(shop.tell(&invoice).await.unwrap().waits, None);
    assert_eq!(balance(&shop, &told).await, 100);
    shop.state.in_force.take_up(scrip::server::catalog::parse(super::CATALOG).unwrap());
    assert_eq!(shop.tell(&invoice).await.unwrap().waits, None, "what was taken as agreed stays so");
    shop.check().await;
}

#[sqlx::test]
async fn another_modes_subscriptions_do_not_count(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let (old, new) = (Told::of_a_new_account(&shop).await, "sub_new".to_owned());
    shop.tell(&old.second()).await.unwrap();
    let switch = "update stripe_subscriptions set mode = 'test'";
    sqlx::raw_sql(switch).execute(&shop.state.pool).await.unwrap();
    let mut conn = shop.state.pool.acquire().await.unwrap();
    for (mode, counts) in [(Mode::Sandbox, false), (Mode::Test, true), (Mode::Live, false)] {
        let has = stripe_subscriptions::has_another(&mut conn, mode, old.account, &new, noon()).await;
        assert_eq!(has.unwrap(), counts, "{mode:?}");
    }
    let bought = super::starts::subscribe(&shop, &till, old.account, "first").await.unwrap();
    assert_eq!(super::starts::trial_days(&bought), Some(14), "it had none in this mode");
}
