//! Automatic top-up: bought once where credits run low, whatever happens in between, and never more than was agreed.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use scrip::{
    domain::{
        AccountId, PurchaseState,
        top_up::{Attempt, PausedBy},
    },
    problem::Problem,
    server::{
        Error,
        clock::Clock,
        jobs::pending,
        purchases::automatic,
        settings::{self, Sent, Typed},
        store::{
            purchases::{self as store, Purchase},
            stripe_customers,
        },
        stripe::{About, Checkout, Intent, Money, Payment},
        top_ups, warnings,
    },
};
use sqlx::PgPool;

use super::{Shop, Started, counter::Counter, customer_of, event, usd};
use crate::support::{grant, spend, state};

/// Below ten credits, a thousand for 10.00, at most 25.00 a month.
fn sent(version: i32) -> Sent {
    Sent {
        typed: Typed { threshold: "10".into(), pack: "large".into(), limit: "25".into() },
        has_new_card: false,
        version,
        attempt: "first".to_owned(),
    }
}

impl Shop {
    /// An account with nothing on it whose holder has turned top-up on, and keeps a card.
    async fn on(&self, till: &Counter, charging: Payment) -> AccountId {
        let account = self.account().await;
        let mut conn = self.state.pool.acquire().await.unwrap();
        let (mode, now) = (self.state.stripe.mode(), self.clock.now());
        stripe_customers::keep(&mut conn, mode, account, &customer_of(account), now).await.unwrap();
        till.keeps_card(charging);
        self.set(till, account, sent(0)).await.unwrap();
        till.kept().asked.clear();
        account
    }

    async fn set(&self, till: &Counter, account: AccountId, sent: Sent) -> Result<String, Error> {
        settings::set_top_up(&self.state, till, account, &sent).await
    }

    async fn attempts(&self, account: AccountId) -> Vec<Attempt> {
        let mut conn = self.state.pool.acquire().await.unwrap();
        top_ups::attempts(&self.state, &mut conn, account).await.unwrap()
    }

    async fn states(&self, account: AccountId) -> Vec<PurchaseState> {
        self.attempts(account).await.iter().map(|attempt| attempt.state).collect()
    }

    async fn paused(&self, account: AccountId) -> Option<PausedBy> {
        top_ups::paused(&self.state, account).await.unwrap()
    }

    /// The purchase that was begun last.
    async fn last(&self, account: AccountId) -> Started {
        let mut conn = self.state.pool.acquire().await.unwrap();
        Started { account, id: store::page(&mut conn, None, None, 1).await.unwrap()[0].id }
    }

    async fn available(&self, account: AccountId) -> i64 {
        self.state.ledger.account(account).await.unwrap().available(self.clock.now()).get()
    }

    /// Does what the job does, for as long as there is something due.
    async fn step(&self, till: &Counter) -> u64 {
        let done = top_ups::step(&self.state, till).await.unwrap();
        assert_eq!(done.trouble, None);
        done.things
    }

    /// Spends what there is but for one credit, and has it seen.
    async fn spend_all(&self, account: AccountId, key: &str) {
        for film in 0..self.available(account).await / 900 {
            let film = spend(&self.state, account, &format!("{key}:{film}"), "film", None);
            self.state.ledger.execute(film).await.unwrap().unwrap();
        }
        for render in 1..self.available(account).await {
            let render = spend(&self.state, account, &format!("{key}:r{render}"), "render", None);
            self.state.ledger.execute(render).await.unwrap().unwrap();
        }
        let standing = self.state.ledger.account(account).await.unwrap();
        top_ups::hint(&self.state, &[standing]).await.unwrap();
    }

    fn wait(&self, minutes: i64) {
        self.clock.set(self.clock.now() + TimeDelta::minutes(minutes));
    }
}

fn problem<T: std::fmt::Debug>(answer: Result<T, Error>) -> Problem {
    match answer {
        Err(Error::Problem(problem)) => problem,
        other => panic!("{other:?}"),
    }
}

#[sqlx::test]
async fn who_falls_below_the_threshold_is_topped_up_once_and_history_says_how(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.on(&till, Payment::Paid).await;
    assert_eq!(shop.step(&till).await, 1);
    assert_eq!(
        (shop.available(account).await, shop.states(account).await),
        (1_000, vec![PurchaseState::Paid])
    );
    shop.wait(120);
    assert_eq!(shop.step(&till).await, 0, "there is enough");

    let lots = shop.state.ledger.lots(account, None, 10).await.unwrap();
    assert_eq!(lots.len(), 1);
    let history = shop.state.ledger.history(account, None, &Default::default(), 10).await.unwrap();
    let told = history.entries[0].description.as_ref().unwrap().as_str();
    assert_eq!(told, "A thousand credits, by automatic top-up");
    shop.check().await;
}

#[sqlx::test]
async fn many_who_look_at_once_buy_one_pack(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.on(&till, Payment::Paid).await;
    let looks = join_all((0..6).map(|_| top_ups::look(&shop.state, &till, account))).await;
    let bought = looks.into_iter().filter(|look| *look.as_ref().unwrap()).count();
    assert_eq!((bought, till.kept().intents.len()), (1, 1));
    assert_eq!(shop.available(account).await, 1_000);
}

#[sqlx::test]
async fn however_often_and_in_whatever_order_stripe_tells_of_it_the_credits_come_once(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.on(&till, Payment::Unpaid).await;
    assert_eq!(shop.step(&till).await, 1);
    assert_eq!(
        (shop.available(account).await, shop.states(account).await),
        (0, vec![PurchaseState::Pending])
    );
    let started = shop.last(account).await;
    let paid = event("payment_intent.succeeded", About::Intent(started.intent(Payment::Paid)));
    let declined = event("payment_intent.payment_failed", About::Intent(started.intent(Payment::Failed)));
    let charge = started.charge("charge.succeeded", 0);
    shop.tell_all(&[charge.clone(), declined.clone(), paid.clone(), paid.clone(), declined, charge]).await;
    assert_eq!(
        (shop.available(account).await, shop.states(account).await),
        (1_000, vec![PurchaseState::Paid])
    );
    shop.tell_all(&[started.charge("charge.refunded", 1_000), paid]).await;
    assert_eq!(
        (shop.available(account).await, shop.states(account).await),
        (0, vec![PurchaseState::Refunded])
    );
    shop.check().await;
}

#[sqlx::test]
async fn what_was_paid_otherwise_than_agreed_or_twice_brings_nothing_and_is_noted(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.on(&till, Payment::Unpaid).await;
    shop.step(&till).await;
    let paid = shop.last(account).await.intent(Payment::Paid);
    let another = Intent { id: "pi_another".to_owned(), ..paid.clone() };
    let stranger = Intent { customer: Some("cus_2".to_owned()), ..paid.clone() };
    let euros = Money { minor: 1_000, currency: "eur".to_owned() };
    for intent in [another, stranger, Intent { total: euros, ..paid }] {
        shop.tell(&event("payment_intent.succeeded", About::Intent(intent))).await.unwrap();
    }
    assert_eq!(shop.available(account).await, 0);
    let mut found = shop.differences().await;
    found.sort();
    assert_eq!(found, ["amount_differs", "another_customer", "another_payment"]);
}

#[sqlx::test]
async fn a_payment_that_is_made_on_a_page_is_told_by_the_page_alone(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let started = shop.started().await;
    for payment in [Payment::Failed, Payment::Paid] {
        let told = event("payment_intent.any", About::Intent(started.intent(payment)));
        assert!(shop.tell(&told).await.unwrap().ignored.is_some(), "a card was tried on a page that is open");
    }
    assert_eq!(shop.purchase(started.id).await.state, PurchaseState::Pending);
}

#[sqlx::test]
async fn after_a_crash_the_same_card_is_charged_under_the_same_name_and_once(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.on(&till, Payment::Paid).await;
    // The card is known, the charge is not answered.
    till.kept().charging = None;
    assert_eq!(problem(top_ups::step(&shop.state, &till).await), Problem::PaymentsUnavailable);
    assert_eq!(shop.states(account).await, [PurchaseState::Pending]);
    // Meanwhile another card is kept: this one is noted.
    till.keeps_card(Payment::Paid);
    till.kept().card = Some("pm_other");
    shop.wait(61);
    assert_eq!(shop.step(&till).await, 0, "it is under way");
    let due = |minutes| Clock::default().now() + TimeDelta::minutes(minutes);
    assert_eq!(pending::step(&shop.state, &till, due(0)).await.unwrap().things, 0, "not at once");
    assert_eq!(pending::step(&shop.state, &till, due(2)).await.unwrap().things, 1);
    assert_eq!(
        (shop.available(account).await, shop.states(account).await),
        (1_000, vec![PurchaseState::Paid])
    );
    let charges: Vec<String> =
        till.kept().asked.iter().filter(|asked| asked.starts_with("charge")).cloned().collect();
    assert_eq!((charges.len(), &charges[0]), (2, &charges[1]));
    assert!(charges[0].ends_with("pm_kept"));
    shop.check().await;
}

#[sqlx::test]
async fn a_payment_on_its_way_is_asked_about_and_not_made_again(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.on(&till, Payment::Unpaid).await;
    shop.step(&till).await;
    till.kept().intents.values_mut().for_each(|intent| intent.payment = Payment::Paid);
    let due = Clock::default().now() + TimeDelta::minutes(2);
    assert_eq!(pending::step(&shop.state, &till, due).await.unwrap().things, 1);
    assert_eq!((shop.available(account).await, till.times_asked("charge")), (1_000, 1));
}

#[sqlx::test]
async fn what_nobody_can_tell_for_a_day_has_ended(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.on(&till, Payment::Paid).await;
    till.is_away();
    assert_eq!(problem(top_ups::step(&shop.state, &till).await), Problem::PaymentsUnavailable);
    shop.wait(23 * 60);
    let due = Clock::default().now() + TimeDelta::minutes(2);
    pending::step(&shop.state, &till, due).await.unwrap();
    assert_eq!((shop.states(account).await, till.times_asked("charge")), (vec![PurchaseState::Expired], 0));
}

#[sqlx::test]
async fn two_declines_in_a_row_pause_it_and_say_so_until_it_is_turned_on_again(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.on(&till, Payment::Failed).await;
    assert_eq!(shop.step(&till).await, 1);
    assert_eq!(shop.paused(account).await, None);
    shop.wait(59);
    assert_eq!(shop.step(&till).await, 0, "an hour between two attempts");
    shop.wait(1);
    assert_eq!(shop.step(&till).await, 1);
    assert_eq!(shop.paused(account).await, Some(PausedBy::Declines));
    shop.wait(24 * 60);
    assert_eq!(shop.step(&till).await, 0);
    assert_eq!(shop.states(account).await, [PurchaseState::Failed; 2]);
    assert_eq!(shop.available(account).await, 0);

    till.keeps_card(Payment::Paid);
    assert_eq!(shop.set(&till, account, sent(1)).await.unwrap(), "/settings?saved");
    assert_eq!(shop.paused(account).await, None);
    assert_eq!(shop.step(&till).await, 1);
    assert_eq!(shop.available(account).await, 1_000);
}

#[sqlx::test]
async fn after_its_money_went_back_a_card_is_not_charged_again(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.on(&till, Payment::Paid).await;
    shop.step(&till).await;
    shop.tell(&shop.last(account).await.charge("charge.refunded", 1_000)).await.unwrap();
    assert_eq!(shop.paused(account).await, Some(PausedBy::MoneyBack));
    shop.wait(24 * 60);
    assert_eq!((shop.available(account).await, shop.step(&till).await), (0, 0));
    shop.set(&till, account, sent(1)).await.unwrap();
    assert_eq!(shop.step(&till).await, 1, "its holder wants it");
}

#[sqlx::test]
async fn a_payment_that_comes_through_late_ends_the_pause_by_itself(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.on(&till, Payment::Failed).await;
    for _ in 0..2 {
        assert_eq!(shop.step(&till).await, 1);
        shop.wait(60);
    }
    assert_eq!((shop.step(&till).await, shop.paused(account).await), (0, Some(PausedBy::Declines)));
    let late = About::Intent(shop.last(account).await.intent(Payment::Paid));
    shop.tell(&event("payment_intent.succeeded", late)).await.unwrap();
    shop.spend_all(account, "spent").await;
    till.keeps_card(Payment::Paid);
    assert_eq!(shop.step(&till).await, 1);
}

#[sqlx::test]
async fn who_turns_it_off_is_not_charged_for_what_was_noted_before(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.on(&till, Payment::Paid).await;
    // The card is not known, and no charge is asked for.
    till.is_away();
    assert_eq!(problem(top_ups::step(&shop.state, &till).await), Problem::PaymentsUnavailable);
    assert_eq!(shop.states(account).await, [PurchaseState::Pending]);
    settings::turn_off_top_up(&shop.state, account).await.unwrap();
    pending::step(&shop.state, &till, Clock::default().now() + TimeDelta::minutes(2)).await.unwrap();
    assert_eq!((shop.states(account).await, till.times_asked("charge")), (vec![PurchaseState::Expired], 0));
}

#[sqlx::test]
async fn what_our_key_may_not_do_is_not_the_cards_fault(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.on(&till, Payment::Unpaid).await;
    let mut minutes = 0;
    for refused in ["card", "charge", "intent"] {
        till.kept().refused = Some(refused.to_owned());
        let trouble = if minutes == 0 {
            top_ups::step(&shop.state, &till).await.unwrap().trouble
        } else {
            let now = Clock::default().now() + TimeDelta::minutes(minutes);
            pending::step(&shop.state, &till, now).await.unwrap().trouble
        };
        assert!(trouble.is_some_and(|trouble| trouble.contains("This key may not.")), "{refused}");
        assert_eq!(shop.states(account).await, [PurchaseState::Pending], "{refused}");
        minutes += 60;
        if refused == "charge" {
            till.kept().refused = None;
            let now = Clock::default().now() + TimeDelta::minutes(minutes);
            assert_eq!(pending::step(&shop.state, &till, now).await.unwrap().things, 1);
            minutes += 60;
        }
    }
}

#[sqlx::test]
async fn what_is_with_the_bank_by_now_is_not_given_up_as_never_asked_for(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.on(&till, Payment::Unpaid).await;
    shop.step(&till).await;
    let known = shop.purchase(shop.last(account).await.id).await;
    assert!(known.payment_intent.is_some());
    shop.wait(24 * 60);
    // As somebody read it before the bank had it.
    let before = Purchase { payment_intent: None, ..known };
    automatic::go_on(&shop.state, &till, &before).await.unwrap();
    assert_eq!(shop.states(account).await, [PurchaseState::Pending]);
}

#[sqlx::test]
async fn a_card_that_is_gone_counts_as_declined(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.on(&till, Payment::Paid).await;
    till.kept().card = None;
    assert_eq!(shop.step(&till).await, 1);
    assert_eq!(shop.states(account).await, [PurchaseState::Failed]);
}

#[sqlx::test]
async fn the_limit_holds_until_the_month_is_over(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.on(&till, Payment::Paid).await;
    for (time, packs) in [
        ("2026-11-28T12:00:00Z", 1),
        ("2026-11-29T12:00:00Z", 2),
        ("2026-11-30T12:00:00Z", 2),
        ("2026-11-30T23:59:59Z", 2),
        ("2026-12-01T00:00:00Z", 3),
    ] {
        shop.clock.set(time.parse::<DateTime<Utc>>().unwrap());
        shop.spend_all(account, time).await;
        shop.step(&till).await;
        assert_eq!(shop.attempts(account).await.len(), packs, "{time}");
    }
    shop.check().await;
}

#[sqlx::test]
async fn nothing_is_bought_where_it_is_off_or_the_pack_is_gone(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let off = shop.account().await;
    let account = shop.on(&till, Payment::Paid).await;
    settings::turn_off_top_up(&shop.state, account).await.unwrap();
    for account in [off, account] {
        shop.spend_all(account, "spent").await;
        assert!(!top_ups::look(&shop.state, &till, account).await.unwrap());
    }
    assert_eq!(shop.step(&till).await, 0);
    shop.set(&till, account, sent(2)).await.unwrap();
    let without = super::CATALOG.replace("key = \"large\"", "key = \"huge\"");
    let without = state(shop.state.pool.clone(), shop.clock.clone(), &without).await;
    assert!(!top_ups::look(&without, &till, account).await.unwrap());
    assert_eq!((till.times_asked("charge"), shop.attempts(account).await.len()), (0, 0));
}

#[sqlx::test]
async fn a_spend_that_leaves_too_little_is_seen_beside_the_ledger(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.on(&till, Payment::Paid).await;
    shop.state.ledger.execute(grant(account, "given", 10, None)).await.unwrap().unwrap();
    assert_eq!(shop.step(&till).await, 0, "ten are enough");
    let beside = [
        tokio::spawn(scrip::server::notify::tell(shop.state.clone())),
        tokio::spawn(warnings::watch(shop.state.clone())),
    ];
    shop.state.ledger.execute(spend(&shop.state, account, "s", "render", None)).await.unwrap().unwrap();
    let mut bought = 0;
    for _ in 0..100 {
        bought = shop.step(&till).await;
        if bought > 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    beside.iter().for_each(tokio::task::JoinHandle::abort);
    assert_eq!((bought, shop.available(account).await), (1, 1_009));
}

#[sqlx::test]
async fn where_no_card_is_kept_it_is_on_once_the_first_pack_is_paid(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.account().await;
    let url = shop.set(&till, account, sent(0)).await.unwrap();
    assert!(url.starts_with("https://checkout.stripe.com/"), "{url}");
    assert_eq!(shop.set(&till, account, sent(0)).await.unwrap(), url, "sent twice");
    assert!(!top_ups::look(&shop.state, &till, account).await.unwrap(), "not on yet");
    let mut conn = shop.state.pool.acquire().await.unwrap();
    let first = store::page(&mut conn, None, None, 10).await.unwrap();
    assert_eq!(first.len(), 1);
    assert!(first[0].saves_card && !first[0].is_automatic);
    let started = Started { account, id: first[0].id };
    shop.tell_all(&[started.paid(), started.paid()]).await;
    till.keeps_card(Payment::Paid);
    assert_eq!(shop.step(&till).await, 0, "the first pack is enough");
    shop.spend_all(account, "spent").await;
    assert_eq!(shop.step(&till).await, 1);
    assert_eq!(shop.states(account).await, [PurchaseState::Paid]);
}

#[sqlx::test]
async fn a_first_pack_that_was_paid_otherwise_than_agreed_turns_nothing_on(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.account().await;
    shop.set(&till, account, sent(0)).await.unwrap();
    let session = shop.last(account).await.session(Payment::Paid);
    let cheap = Checkout { total: Some(usd(1)), ..session };
    shop.tell(&event("checkout.session.completed", About::Checkout(cheap))).await.unwrap();
    till.keeps_card(Payment::Paid);
    assert!(!top_ups::look(&shop.state, &till, account).await.unwrap());
    let again = shop.set(&till, account, Sent { has_new_card: true, ..sent(1) }).await;
    assert_eq!(problem(again), Problem::ChangedMeanwhile, "the same form as before");
    assert!(!top_ups::look(&shop.state, &till, account).await.unwrap());
}

#[sqlx::test]
async fn what_is_typed_in_is_checked_field_by_field(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.account().await;
    for (threshold, pack, limit, expected) in [
        ("0", "large", "25", Problem::UnitsInvalid),
        ("-1", "large", "25", Problem::UnitsInvalid),
        ("ten", "large", "25", Problem::UnitsInvalid),
        ("", "large", "25", Problem::UnitsInvalid),
        ("1000000000001", "large", "25", Problem::UnitsInvalid),
        ("99999999999999999999", "large", "25", Problem::UnitsInvalid),
        ("10", "none", "25", Problem::UnknownPack),
        ("10", "", "25", Problem::UnknownPack),
        ("10", "large", "", Problem::AmountInvalid),
        ("10", "large", "0", Problem::AmountInvalid),
        ("10", "large", "-25", Problem::AmountInvalid),
        ("10", "large", "25.5", Problem::AmountInvalid),
        ("10", "large", "1000000", Problem::AmountInvalid),
        ("10", "large", "9.99", Problem::LimitTooLow),
    ] {
        let typed = Typed { threshold: threshold.into(), pack: pack.into(), limit: limit.into() };
        let refused = shop.set(&till, account, Sent { typed, ..sent(0) }).await;
        assert_eq!(problem(refused), expected, "{threshold} {pack} {limit}");
    }
    assert_eq!(till.kept().asked, [""; 0]);
}

#[sqlx::test]
async fn of_two_windows_the_one_that_is_out_of_date_changes_nothing(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.on(&till, Payment::Paid).await;
    let limit = |limit: &str| Typed { limit: limit.to_owned(), ..sent(0).typed };
    shop.set(&till, account, Sent { typed: limit("50"), ..sent(1) }).await.unwrap();
    let late = shop.set(&till, account, Sent { typed: limit("90"), ..sent(1) }).await;
    assert_eq!(problem(late), Problem::ChangedMeanwhile);
    let twice = shop.set(&till, account, Sent { typed: limit("50"), ..sent(1) }).await;
    assert_eq!(twice.unwrap(), "/settings?saved", "the same form, sent twice");
    settings::turn_off_top_up(&shop.state, account).await.unwrap();
    let old = shop.set(&till, account, Sent { typed: limit("50"), ..sent(2) }).await;
    assert_eq!(problem(old), Problem::ChangedMeanwhile, "it was turned off meanwhile");
    assert!(!top_ups::look(&shop.state, &till, account).await.unwrap());
}

#[sqlx::test]
async fn what_is_changed_while_it_is_on_stays_on_and_a_pause_is_not_ended_by_time(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.on(&till, Payment::Failed).await;
    shop.step(&till).await;
    shop.wait(30);
    shop.set(&till, account, sent(1)).await.unwrap();
    assert_eq!(shop.step(&till).await, 0, "an hour between two attempts, whatever is changed");
    shop.wait(30);
    shop.step(&till).await;
    let paused = shop.paused(account).await;
    assert_eq!(paused, Some(PausedBy::Declines), "the first decline still counts");
}
