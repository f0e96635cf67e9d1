//! What comes of a payment: credits once, as many as were paid for, and none for what was not agreed.

use scrip::{
    domain::PurchaseState,
    server::{
        Error,
        stripe::{About, Checkout, Event, Funds, Money, Payment, RefundState},
    },
};
use sqlx::PgPool;
use uuid::Uuid;

use super::{End, Shop, Started, event, usd};
use crate::support::{grant, spend};

fn completed(checkout: Checkout) -> Event {
    event("checkout.session.completed", About::Checkout(checkout))
}

#[sqlx::test]
async fn a_paid_purchase_brings_its_credits_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let started = shop.started().await;
    let applied = shop.tell(&started.paid()).await.unwrap();
    assert_eq!((applied.account, applied.ignored), (Some(started.account), None));
    shop.tell(&started.paid()).await.unwrap();
    let bought =
        End { balance: 1_000, debt: 0, state: PurchaseState::Paid, clawed: 0, lots: vec![(1_000, 1_000)] };
    assert_eq!(shop.end(&started).await, bought);
    let history = shop.state.ledger.history(started.account, None, &Default::default(), 10).await.unwrap();
    let entry = &history.entries[0];
    assert_eq!(entry.reference.as_ref().unwrap().as_str(), started.id.to_string());
    assert_eq!(entry.description.as_ref().unwrap().as_str(), "A thousand credits");
}

#[sqlx::test]
async fn refunds_of_a_third_a_third_and_the_rest_take_333_333_and_334(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let started = shop.started().await;
    shop.tell(&started.paid()).await.unwrap();
    let mut left = Vec::new();
    for (name, minor, total) in [("a", 333, 333), ("b", 333, 666), ("c", 334, 1_000)] {
        shop.tell(&started.charge("charge.refunded", total)).await.unwrap();
        shop.tell(&started.refund("refund.created", name, minor, RefundState::Succeeded)).await.unwrap();
        left.push(shop.end(&started).await.balance);
    }
    assert_eq!(left, [667, 334, 0]);
    assert_eq!(shop.end(&started).await.state, PurchaseState::Refunded);
    shop.check().await;
}

#[sqlx::test]
async fn what_is_spent_already_is_owed_and_a_won_dispute_gives_it_back(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let started = shop.started().await;
    shop.tell(&started.paid()).await.unwrap();
    let film = spend(&shop.state, started.account, "film", "film", None);
    shop.state.ledger.execute(film).await.unwrap().unwrap();
    let withdrawn = started.dispute("charge.dispute.funds_withdrawn", "lost", Some(Funds::Withdrawn));
    shop.tell(&withdrawn).await.unwrap();
    let end = shop.end(&started).await;
    assert_eq!((end.balance, end.debt, end.state), (0, 900, PurchaseState::Disputed));
    let reinstated = started.dispute("charge.dispute.funds_reinstated", "won", Some(Funds::Reinstated));
    shop.tell(&reinstated).await.unwrap();
    let end = shop.end(&started).await;
    assert_eq!((end.balance, end.debt, end.state), (100, 0, PurchaseState::Paid));
    shop.check().await;
}

#[sqlx::test]
async fn no_key_of_a_host_keeps_credits_from_coming_or_going(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let started = shop.started().await;
    let names = [String::new(), ":0".to_owned(), ":1".to_owned()];
    for name in names
        .iter()
        .flat_map(|end| ["", "scrip:"].map(|start| format!("{start}purchase:{}{end}", started.id)))
    {
        shop.state.ledger.execute(grant(started.account, &name, 1, None)).await.unwrap().unwrap();
    }
    shop.tell(&started.paid()).await.unwrap();
    assert_eq!(shop.end(&started).await.balance, 1_006);
    shop.tell(&started.charge("charge.refunded", 1_000)).await.unwrap();
    assert_eq!(shop.end(&started).await.balance, 6);
}

#[sqlx::test]
async fn an_inquiry_takes_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let started = shop.started().await;
    shop.tell(&started.paid()).await.unwrap();
    shop.tell(&started.dispute("charge.dispute.created", "warning_needs_response", None)).await.unwrap();
    shop.tell(&started.dispute("charge.dispute.closed", "warning_closed", None)).await.unwrap();
    let end = shop.end(&started).await;
    assert_eq!((end.balance, end.state), (1_000, PurchaseState::Paid));
}

#[sqlx::test]
async fn what_is_told_of_a_payment_before_its_purchase_waits_for_it(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let started = shop.started().await;
    let applied = shop.tell(&started.charge("charge.refunded", 500)).await.unwrap();
    assert_eq!(applied.account, None);
    assert_eq!(shop.end(&started).await.state, PurchaseState::Pending);
    shop.tell(&started.paid()).await.unwrap();
    let end = shop.end(&started).await;
    assert_eq!((end.balance, end.state), (500, PurchaseState::PartlyRefunded));
}

#[sqlx::test]
async fn an_amount_or_a_currency_that_differs_brings_nothing_and_is_told_to_admins_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for total in [usd(999), usd(1_001), Money { minor: 1_000, currency: "eur".to_owned() }] {
        let started = shop.started().await;
        let told = completed(Checkout { total: Some(total), ..started.session(Payment::Paid) });
        shop.tell_all(&[told.clone(), told]).await;
        let end = shop.end(&started).await;
        assert_eq!((end.balance, end.lots), (0, vec![]));
        // Nor does a refund of it take anything.
        shop.tell(&started.charge("charge.refunded", 1_000)).await.unwrap();
        assert_eq!(shop.end(&started).await.clawed, 0);
    }
    assert_eq!(shop.differences().await, ["amount_differs"; 3]);
}

#[sqlx::test]
async fn what_is_of_another_session_or_customer_brings_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let started = shop.started().await;
    let session = started.session(Payment::Paid);
    let stranger = Checkout { customer: Some("cus_2".to_owned()), ..session.clone() };
    let second = Checkout { id: "cs_other".to_owned(), ..session };
    for told in [stranger, second] {
        let applied = shop.tell(&completed(told)).await.unwrap();
        assert!(applied.ignored.is_some());
    }
    assert_eq!(shop.end(&started).await.state, PurchaseState::Pending);
    let mut found = shop.differences().await;
    found.sort();
    assert_eq!(found, ["another_customer", "another_session"]);
    shop.tell(&started.paid()).await.unwrap();
    assert_eq!(shop.end(&started).await.balance, 1_000);
}

#[sqlx::test]
async fn what_is_not_ours_is_ignored(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let started = Started { account: shop.account().await, id: Uuid::from_u128(7) };
    let nobodys = Checkout { purchase: None, ..started.session(Payment::Paid) };
    for told in [started.paid(), completed(nobodys), event("price.created", About::Other)] {
        assert!(shop.tell(&told).await.unwrap().ignored.is_some(), "{told:?}");
    }
    assert_eq!(shop.differences().await, [""; 0]);
}

#[sqlx::test]
async fn a_purchase_that_expires_or_fails_says_so_until_it_is_paid_after_all(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let started = shop.started().await;
    let told = |payment| completed(started.session(payment));
    let mut states = Vec::new();
    for payment in [Payment::Unpaid, Payment::Expired, Payment::Failed, Payment::Paid, Payment::Expired] {
        shop.tell(&told(payment)).await.unwrap();
        states.push(shop.end(&started).await.state);
    }
    use PurchaseState::{Expired, Failed, Paid, Pending};
    assert_eq!(states, [Pending, Expired, Failed, Paid, Paid]);
}

#[sqlx::test]
async fn an_event_that_fails_half_way_leaves_nothing_and_succeeds_when_it_is_tried_again(pool: PgPool) {
    let shop = Shop::open(pool.clone()).await;
    let started = shop.started().await;
    refuse_once(&pool).await;
    let failed = shop.tell(&started.paid()).await;
    assert!(matches!(failed, Err(Error::Internal(_))), "{failed:?}");
    let end = shop.end(&started).await;
    assert_eq!((end.balance, end.state, end.lots), (0, PurchaseState::Pending, vec![]));
    shop.tell(&started.paid()).await.unwrap();
    assert_eq!(shop.end(&started).await.balance, 1_000);
    shop.check().await;
}

#[sqlx::test]
async fn verify_finds_a_paid_purchase_that_has_no_lot_of_its_own(pool: PgPool) {
    let shop = Shop::open(pool.clone()).await;
    let started = shop.started().await;
    shop.tell(&started.paid()).await.unwrap();
    shop.check().await;
    for harm in ["update purchases set lot = 7", "update purchases set lot = null"] {
        sqlx::raw_sql(harm).execute(&pool).await.unwrap();
        for only in [None, Some(started.account)] {
            let report = scrip::server::ledger::verify::verify(&pool, only, |_, _| {}).await.unwrap();
            assert!(
                report.violations == 1 && report.to_string().contains("has not one lot"),
                "{harm}: {report}"
            );
        }
    }
}

/// Makes the database refuse a purchase's credits once, when its grant is written already.
pub async fn refuse_once(pool: &PgPool) {
    let refuse = "
        create sequence refusals;
        create function refuse_once() returns trigger language plpgsql as $$
        begin
            if nextval('refusals') = 1 then
                raise exception 'not this time';
            end if;
            return new;
        end
        $$;
        create trigger refuse_once
            before update on purchases
            for each row when (new.lot is not null) execute function refuse_once();
    ";
    sqlx::raw_sql(refuse).execute(pool).await.unwrap();
}
