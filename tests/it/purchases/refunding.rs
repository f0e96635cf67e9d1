//! Refunds that admins start: what they would come to, and that each is made once.

use chrono::TimeDelta;
use scrip::{
    domain::{PurchaseState, UserId, WhenSpent},
    problem::Problem,
    server::{
        Error,
        purchases::refunds::{self, NewRefund, Of},
        store::purchases::Purchase,
        stripe::RefundState,
    },
};
use sqlx::PgPool;
use uuid::Uuid;

use super::{Shop, Started, counter::Counter};
use crate::support::{noon, spend};

async fn bought(shop: &Shop) -> Started {
    let started = shop.started().await;
    shop.tell(&started.paid()).await.unwrap();
    started
}

fn refund(amount: i64, key: &str) -> NewRefund<'_> {
    NewRefund { amount, reason: "Asked for", key, by: UserId::from(Uuid::from_u128(1)) }
}

fn pack(purchase: Uuid) -> Of<'static> {
    Of { purchase, invoice: None }
}

fn problem(answer: Result<Purchase, Error>) -> Problem {
    match answer {
        Err(Error::Problem(problem)) => problem,
        other => panic!("{other:?}"),
    }
}

#[sqlx::test]
async fn a_preview_says_what_would_go_and_what_is_gone_already(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let started = bought(&shop).await;
    let film = spend(&shop.state, started.account, "film", "film", None);
    shop.state.ledger.execute(film).await.unwrap().unwrap();
    let preview = refunds::preview(&shop.state, pack(started.id), 333).await.unwrap();
    let counted = (preview.money.minor(), preview.credits.get(), preview.there.get(), preview.gone.get());
    assert_eq!((counted, preview.when_spent), ((333, 333, 100, 233), WhenSpent::Debt));
    assert_eq!(shop.end(&started).await.balance, 100, "nothing has happened");
    for amount in [0, -1, 1_001, i64::MAX] {
        let refused = refunds::preview(&shop.state, pack(started.id), amount).await;
        assert!(matches!(refused, Err(Error::Problem(Problem::NotRefundable))), "{amount}");
    }
}

#[sqlx::test]
async fn a_refund_takes_its_credits_at_once_and_one_that_fails_later_gives_them_back(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let started = bought(&shop).await;
    for _ in 0..2 {
        let purchase = refunds::start(&shop.state, &till, pack(started.id), refund(333, "a")).await.unwrap();
        assert_eq!((purchase.state, purchase.clawed.get()), (PurchaseState::PartlyRefunded, 333));
    }
    assert_eq!(till.kept().refunds.len(), 1);
    let other = refunds::start(&shop.state, &till, pack(started.id), refund(334, "a")).await;
    assert_eq!(problem(other), Problem::KeyReused);
    let made = till.kept().refunds.values().next().unwrap().clone();
    let mut failed = started.refund("refund.failed", "a", 333, RefundState::Failed);
    if let scrip::server::stripe::About::Refund(refund) = &mut failed.about {
        refund.id = made.id;
    }
    shop.tell(&failed).await.unwrap();
    let end = shop.end(&started).await;
    assert_eq!((end.balance, end.state), (1_000, PurchaseState::Paid));
    shop.check().await;
}

#[sqlx::test]
async fn a_refund_that_nobody_answered_goes_on_under_its_key_and_one_that_was_refused_takes_nothing(
    pool: PgPool,
) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let started = bought(&shop).await;
    till.refuses();
    for _ in 0..2 {
        let refused = refunds::start(&shop.state, &till, pack(started.id), refund(500, "b")).await;
        assert_eq!(problem(refused), Problem::NotRefundable);
    }
    till.is_away();
    let away = refunds::start(&shop.state, &till, pack(started.id), refund(1_000, "a")).await;
    assert_eq!(problem(away), Problem::PaymentsUnavailable);
    assert_eq!(shop.end(&started).await.balance, 1_000);
    let purchase = refunds::start(&shop.state, &till, pack(started.id), refund(1_000, "a")).await.unwrap();
    assert_eq!(purchase.state, PurchaseState::Refunded);
    let more = refunds::start(&shop.state, &till, pack(started.id), refund(1, "c")).await;
    assert_eq!(problem(more), Problem::NotRefundable);
    assert_eq!(till.kept().refunds.len(), 1);
}

#[sqlx::test]
async fn what_was_asked_for_and_not_answered_is_not_asked_for_again_under_another_key(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let started = bought(&shop).await;
    let ask = |amount, key| refunds::start(&shop.state, &till, pack(started.id), refund(amount, key));
    till.is_away();
    assert_eq!(problem(ask(600, "a").await), Problem::PaymentsUnavailable);
    assert_eq!(problem(ask(600, "b").await), Problem::NotRefundable);
    assert!(refunds::preview(&shop.state, pack(started.id), 401).await.is_err());
    assert_eq!(ask(400, "c").await.unwrap().clawed.get(), 400);
    // It was made, as is heard of later.
    let made = started.refund("refund.created", "made", 600, RefundState::Succeeded);
    shop.tell_all(&[made.clone(), made]).await;
    assert_eq!(ask(600, "a").await.unwrap().state, PurchaseState::Refunded);
    assert_eq!(till.times_asked("refund"), 2);
}

#[sqlx::test]
async fn a_key_that_stripe_has_forgotten_is_not_used_again_and_keeps_nothing_back(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let started = bought(&shop).await;
    let ask = |key| refunds::start(&shop.state, &till, pack(started.id), refund(1_000, key));
    till.is_away();
    assert_eq!(problem(ask("a").await), Problem::PaymentsUnavailable);
    shop.clock.set(noon() + TimeDelta::hours(23));
    assert_eq!(problem(ask("a").await), Problem::NotRefundable);
    assert_eq!(ask("b").await.unwrap().state, PurchaseState::Refunded);
    assert_eq!(problem(ask("a").await), Problem::NotRefundable);
    assert_eq!(till.kept().refunds.len(), 1);
}

#[sqlx::test]
async fn what_was_not_paid_is_not_refunded(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let started = shop.started().await;
    let refused = refunds::start(&shop.state, &till, pack(started.id), refund(1, "a")).await;
    assert_eq!(problem(refused), Problem::NotRefundable);
    let nobodys = refunds::start(&shop.state, &till, pack(Uuid::from_u128(7)), refund(1, "a")).await;
    assert_eq!(problem(nobodys), Problem::UnknownPurchase);
    assert_eq!(till.kept().asked.len(), 0);
}
