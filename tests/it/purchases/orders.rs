//! Events come in any order, twice, and two at once: the end is the same.

use futures_util::{StreamExt, future::join_all, stream};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use scrip::{
    domain::PurchaseState,
    server::stripe::{Event, Funds, Payment, RefundState},
};
use sqlx::PgPool;

use super::{End, Shop, Started};

/// How many purchases are told of at the same time.
const AT_ONCE: usize = 8;

/// All orders of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let place = |order: Vec<usize>| {
        (0..count).map(move |place| {
            let mut order = order.clone();
            order.insert(place, last);
            order
        })
    };
    orders(last).into_iter().flat_map(place).collect()
}

/// Each event a second time, somewhere after the first.
fn doubled(order: &[usize], rng: &mut StdRng) -> Vec<usize> {
    let mut doubled = order.to_vec();
    for event in order {
        let first = doubled.iter().position(|other| other == event).unwrap();
        let place = rng.random_range(first + 1..=doubled.len());
        doubled.insert(place, *event);
    }
    doubled
}

/// Tells the events of a new purchase in each of these orders, some of them by two at once; returns the ends.
async fn ends(
    shop: &Shop,
    orders: Vec<Vec<usize>>,
    events: impl Fn(&Started) -> Vec<Event> + Copy,
) -> Vec<(Vec<usize>, End)> {
    let told = orders.into_iter().enumerate().map(async |(number, order)| {
        let started = shop.started().await;
        let events = events(&started);
        for event in doubled(&order, &mut StdRng::seed_from_u64(number as u64)) {
            let deliveries = if number % 4 == 0 { 2 } else { 1 };
            let applied = join_all((0..deliveries).map(|_| shop.tell(&events[event]))).await;
            assert!(applied.iter().all(Result::is_ok), "{applied:?}");
        }
        (order, shop.end(&started).await)
    });
    stream::iter(told).buffer_unordered(AT_ONCE).collect().await
}

fn shuffled(count: usize, times: u64) -> Vec<Vec<usize>> {
    let order = |seed| {
        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(&mut StdRng::seed_from_u64(seed));
        order
    };
    (0..times).map(order).collect()
}

fn assert_all_end_in(ends: Vec<(Vec<usize>, End)>, expected: &End) {
    for (order, end) in ends {
        assert_eq!(&end, expected, "in the order {order:?}");
    }
}

#[sqlx::test]
async fn in_all_720_orders_a_purchase_with_a_refund_comes_to_the_same_end(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let orders = orders(6);
    assert_eq!(orders.len(), 720);
    let ends = ends(&shop, orders, |started| started.bought_and_refunded().to_vec()).await;
    let state = PurchaseState::PartlyRefunded;
    let expected = End { balance: 667, debt: 0, state, clawed: 333, lots: vec![(1_000, 667)] };
    assert_all_end_in(ends, &expected);
    assert_eq!(shop.differences().await, [""; 0]);
    shop.check().await;
}

#[sqlx::test]
async fn a_dispute_and_a_refund_together_take_once_in_any_order(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let events = |started: &Started| {
        vec![
            started.charge("charge.succeeded", 0),
            started.paid(),
            started.dispute("charge.dispute.created", "needs_response", None),
            started.dispute("charge.dispute.funds_withdrawn", "needs_response", Some(Funds::Withdrawn)),
            started.refund("refund.created", "a", 1_000, RefundState::Succeeded),
            started.charge("charge.refunded", 1_000),
            started.dispute("charge.dispute.closed", "lost", None),
        ]
    };
    let ends = ends(&shop, shuffled(7, 60), events).await;
    let state = PurchaseState::Disputed;
    assert_all_end_in(ends, &End { balance: 0, debt: 0, state, clawed: 1_000, lots: vec![(1_000, 0)] });
    shop.check().await;
}

#[sqlx::test]
async fn a_dispute_that_is_won_gives_everything_back_in_any_order(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let events = |started: &Started| {
        vec![
            started.charge("charge.succeeded", 0),
            started.paid(),
            started.dispute("charge.dispute.created", "needs_response", None),
            started.dispute("charge.dispute.funds_withdrawn", "needs_response", Some(Funds::Withdrawn)),
            started.dispute("charge.dispute.funds_reinstated", "won", Some(Funds::Reinstated)),
            started.dispute("charge.dispute.closed", "won", None),
        ]
    };
    let ends = ends(&shop, shuffled(6, 60), events).await;
    let state = PurchaseState::Paid;
    assert_all_end_in(ends, &End { balance: 1_000, debt: 0, state, clawed: 0, lots: vec![(1_000, 1_000)] });
    shop.check().await;
}

#[sqlx::test]
async fn a_refund_that_fails_and_a_payment_that_comes_late_end_the_same_in_any_order(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let events = |started: &Started| {
        let about = |payment| scrip::server::stripe::About::Checkout(started.session(payment));
        vec![
            super::event("checkout.session.completed", about(Payment::Unpaid)),
            super::event("checkout.session.async_payment_succeeded", about(Payment::Paid)),
            started.refund("refund.created", "a", 400, RefundState::Pending),
            started.charge("charge.refunded", 400),
            started.refund("refund.updated", "a", 400, RefundState::Succeeded),
            started.refund("refund.failed", "a", 400, RefundState::Failed),
            started.refund("refund.created", "b", 100, RefundState::Succeeded),
        ]
    };
    let ends = ends(&shop, shuffled(7, 60), events).await;
    let state = PurchaseState::PartlyRefunded;
    assert_all_end_in(ends, &End { balance: 900, debt: 0, state, clawed: 100, lots: vec![(1_000, 900)] });
    shop.check().await;
}
