//! Faults that users of such systems reported, where callers at the same time are to blame: each is a test.
//! Those that have nothing to do with time meeting time are in the law's own tests; parallel spends, one key
//! sent many times and keys reused are in `it::ledger`.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use scrip::{
    domain::{AccountId, Command, Credits, Receipt, Refusal},
    problem::Problem,
    server::{
        Error,
        clock::Clock,
        jobs::settle_all,
        ledger::{Answer, Filter, Ledger, verify::verify},
        store,
    },
};
use sqlx::PgPool;

use crate::{
    deed::{Deed, cost, pack},
    place::{aside, engine, hold_row, open_accounts, open_neighbours, until_waiting},
};

/// An account, and two engines that serve it.
struct Bench {
    pool: PgPool,
    clock: Clock,
    one: Ledger,
    other: Ledger,
    account: AccountId,
}

impl Bench {
    async fn new(pool: PgPool) -> Self {
        Self::at(pool, Clock::default()).await
    }

    async fn at(pool: PgPool, clock: Clock) -> Self {
        // With the program's own settings; the test's pool has none.
        let pool = store::connect((*pool.connect_options()).clone());
        let one = Ledger::open(pool.clone(), clock.clone()).await.unwrap();
        let other = Ledger::open(pool.clone(), clock.clone()).await.unwrap();
        let account = open_accounts(&one, &pool, 1).await[0];
        Self { pool, clock, one, other, account }
    }

    fn command(&self, key: &str, deed: &Deed) -> Command {
        deed.asked_of(self.account, key)
    }

    async fn ask(&self, key: &str, deed: Deed) -> Answer {
        ask(&self.one, self.command(key, &deed)).await
    }

    async fn ask_other(&self, key: &str, deed: Deed) -> Answer {
        ask(&self.other, self.command(key, &deed)).await
    }

    /// Asks one engine for all of them before it can look at the first: they are one batch.
    async fn ask_at_once(&self, deeds: &[(&str, Deed)]) -> Vec<Answer> {
        let asked = deeds.iter().map(|(key, deed)| self.ask(key, deed.clone()));
        join_all(asked).await
    }

    async fn available(&self) -> i64 {
        let account = self.one.account(self.account).await.unwrap();
        account.available(self.clock.now()).get()
    }

    async fn check(&self) {
        let report = verify(&self.pool, None, |_, _| {}).await.unwrap();
        assert_eq!(report.violations, 0, "{report}");
    }
}

/// Asks until there is an answer: on a busy machine the lock that a test holds may last longer than an engine
/// waits.
async fn ask(ledger: &Ledger, command: Command) -> Answer {
    loop {
        match ledger.execute(command.clone()).await {
            Err(Error::Problem(Problem::Unavailable)) => {}
            answer => return answer.unwrap(),
        }
    }
}

fn is_short(answer: &Answer) -> bool {
    matches!(answer, Err(Refusal::Insufficient(_)))
}

fn replayed(answer: &Answer) -> &Receipt {
    let receipt = answer.as_ref().expect("it was done before");
    assert!(receipt.replayed, "{receipt:?}");
    receipt
}

fn noon() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

// Two at once

#[sqlx::test]
async fn two_parallel_requests_with_one_credit_do_not_both_succeed(pool: PgPool) {
    let bench = Bench::new(pool).await;
    for round in 0..20 {
        bench.ask(&format!("credit-{round}"), pack(1)).await.unwrap();
        let keys = [format!("one-{round}"), format!("other-{round}")];
        let price = cost(1);
        let (one, other) = tokio::join!(bench.ask(&keys[0], price.clone()), bench.ask_other(&keys[1], price));
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        assert!(is_short(&one) || is_short(&other));
    }
    bench.check().await;
}

#[sqlx::test]
async fn a_top_up_that_two_engines_receive_succeeds_once(pool: PgPool) {
    let bench = Bench::new(pool).await;
    for round in 0..20 {
        let key = format!("payment-{round}");
        let (one, other) = tokio::join!(bench.ask(&key, pack(7)), bench.ask_other(&key, pack(7)));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.entry, other.entry);
        assert!(one.replayed != other.replayed);
    }
    assert_eq!(bench.available().await, 140);
    bench.check().await;
}

#[sqlx::test]
async fn a_failed_job_is_not_refunded_twice_by_two_who_notice(pool: PgPool) {
    let bench = Bench::new(pool).await;
    bench.ask("pack", pack(10)).await.unwrap();
    let spend = bench.ask("job", cost(6)).await.unwrap().entry.version.0;
    let refund = Deed::Refund { spend, amount: None, grace: None };
    let (one, other) = tokio::join!(bench.ask("watchdog", refund.clone()), bench.ask_other("worker", refund));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let refused = one.and(other).unwrap_err();
    assert_eq!(refused, Refusal::RefundTooLarge { refundable: Credits::ZERO });
    assert_eq!(bench.available().await, 10);
    bench.check().await;
}

#[sqlx::test]
async fn a_hold_that_is_captured_and_released_at_once_ends_once(pool: PgPool) {
    let bench = Bench::new(pool).await;
    bench.ask("pack", pack(100)).await.unwrap();
    let mut left = 100;
    for round in 0..10 {
        let set_aside = Deed::Hold { cost: 5, life: 60_000 };
        let hold = bench.ask(&format!("hold-{round}"), set_aside).await.unwrap().entry.version.0;
        let keys = [format!("capture-{round}"), format!("release-{round}")];
        let capture = Deed::Capture { hold, amount: Some(3) };
        let (captured, released) =
            tokio::join!(bench.ask(&keys[0], capture), bench.ask_other(&keys[1], Deed::Release { hold }));
        left -= if captured.is_ok() { 3 } else { 0 };
        assert!(captured.is_ok() != released.is_ok(), "{captured:?} {released:?}");
        assert_eq!(captured.and(released), Err(Refusal::HoldClosed));
        assert_eq!(bench.available().await, left);
    }
    bench.check().await;
}

#[sqlx::test]
async fn a_cumulative_clawback_that_comes_twice_takes_once(pool: PgPool) {
    let bench = Bench::new(pool).await;
    let lot = bench.ask("pack", pack(10)).await.unwrap().entry.opened.unwrap().lot.0;
    bench.ask("spend", cost(8)).await.unwrap();
    let clawback = Deed::Clawback { lot, total: 6, forgive: false };
    let (one, other) =
        tokio::join!(bench.ask("event-1", clawback.clone()), bench.ask_other("event-2", clawback));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    assert!(matches!(one.and(other), Err(Refusal::ClawbackUnchanged { .. })));
    let account = bench.one.account(bench.account).await.unwrap();
    assert_eq!((account.balance().get(), account.debt().get()), (0, 4));
    bench.check().await;
}

#[sqlx::test]
async fn two_batches_over_the_same_accounts_do_not_wait_for_each_other(pool: PgPool) {
    let bench = Bench::new(pool).await;
    let mut accounts = open_neighbours(&bench.one, &bench.pool, 2).await;
    accounts.sort_unstable();
    for account in &accounts {
        ask(&bench.one, pack(1).asked_of(*account, "pack")).await.unwrap();
    }
    let mut somebody = aside(&bench.pool.connect_options()).await;
    let mut watch = aside(&bench.pool.connect_options()).await;
    sqlx::raw_sql("begin").execute(&mut somebody).await.unwrap();
    hold_row(&mut somebody, accounts[0]).await;
    // One batch, which asks for the other account first; a void is always decided under a lock.
    let void = Deed::Void { lot: 1 };
    let batch = accounts.iter().rev().map(|account| ask(&bench.one, void.asked_of(*account, "void")));
    let (answers, ()) = tokio::join!(join_all(batch), async {
        until_waiting(&mut watch, 1).await;
        sqlx::raw_sql("set lock_timeout = '1ms'").execute(&mut watch).await.unwrap();
        // Who waits for the first of them, in the order of their ids, has not locked the other yet.
        hold_row(&mut watch, accounts[1]).await;
        sqlx::raw_sql("rollback").execute(&mut somebody).await.unwrap();
    });
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    bench.check().await;
}

// What was remembered or read is old

#[sqlx::test]
async fn a_spend_is_not_covered_by_credits_that_another_engine_has_spent(pool: PgPool) {
    let bench = Bench::new(pool).await;
    bench.ask("pack", pack(10)).await.unwrap();
    bench.ask_other("all", cost(10)).await.unwrap();
    assert!(is_short(&bench.ask("more", cost(10)).await));
    bench.check().await;
}

#[sqlx::test]
async fn a_spend_is_not_refused_for_want_of_credits_that_another_engine_has_granted(pool: PgPool) {
    let bench = Bench::new(pool).await;
    bench.ask("pack", pack(10)).await.unwrap();
    bench.ask("all", cost(10)).await.unwrap();
    bench.ask_other("another-pack", pack(10)).await.unwrap();
    assert!(bench.ask("more", cost(10)).await.is_ok());
    bench.check().await;
}

/// While an account's row is locked, another transaction exchanges one lot for another: what the waiting
/// statement read before is wrong in the lots, and right in their sum.
async fn exchange_while_waiting(bench: &Bench, key: &str, waits: &Ledger) -> Answer {
    let mut transaction = bench.pool.begin().await.unwrap();
    let exchange = [bench.command("out", &cost(10)), bench.command("in", &pack(10))];
    let answers = bench.other.execute_in(&mut transaction, bench.account, &exchange).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
    let mut watch = aside(&bench.pool.connect_options()).await;
    let waiting = ask(waits, bench.command(key, &cost(10)));
    let commit = async {
        until_waiting(&mut watch, 1).await;
        transaction.commit().await.unwrap();
    };
    tokio::join!(waiting, commit).0
}

#[sqlx::test]
async fn who_waited_for_a_lock_does_not_spend_what_was_read_before_the_wait(pool: PgPool) {
    let bench = Bench::new(pool.clone()).await;
    bench.ask("first-pack", pack(10)).await.unwrap();
    // An engine that has never seen the account: it locks it before it reads it.
    let stranger = engine(&pool.connect_options()).await;
    let answer = exchange_while_waiting(&bench, "waited", &stranger).await.unwrap();
    assert_eq!(answer.entry.movements[0].lot.0, 2, "of the lot that came meanwhile");
    assert_eq!(bench.available().await, 0);
    bench.check().await;
}

#[sqlx::test]
async fn who_waited_with_something_remembered_does_not_spend_that(pool: PgPool) {
    let bench = Bench::new(pool).await;
    bench.ask("first-pack", pack(10)).await.unwrap();
    let answer = exchange_while_waiting(&bench, "waited", &bench.one).await.unwrap();
    assert_eq!(answer.entry.movements[0].lot.0, 2, "of the lot that came meanwhile");
    assert_eq!(bench.available().await, 0);
    bench.check().await;
}

#[sqlx::test]
async fn who_waited_for_a_lock_does_not_refund_what_was_refunded_during_the_wait(pool: PgPool) {
    let bench = Bench::new(pool).await;
    bench.ask("pack", pack(10)).await.unwrap();
    let spend = bench.ask("job", cost(6)).await.unwrap().entry.version.0;
    let refund = Deed::Refund { spend, amount: None, grace: None };
    let mut transaction = bench.pool.begin().await.unwrap();
    let first = [bench.command("watchdog", &refund)];
    bench.other.execute_in(&mut transaction, bench.account, &first).await.unwrap()[0].clone().unwrap();
    let mut watch = aside(&bench.pool.connect_options()).await;
    let (second, ()) = tokio::join!(bench.ask("worker", refund), async {
        until_waiting(&mut watch, 1).await;
        transaction.commit().await.unwrap();
    });
    assert_eq!(second, Err(Refusal::RefundTooLarge { refundable: Credits::ZERO }));
    assert_eq!(bench.available().await, 10);
    bench.check().await;
}

#[sqlx::test]
async fn nothing_is_decided_on_an_account_while_another_transaction_decides(pool: PgPool) {
    let bench = Bench::new(pool.clone()).await;
    bench.ask("pack", pack(10)).await.unwrap();
    let stranger = engine(&pool.connect_options()).await;
    for (round, engine) in [&bench.one, &stranger].into_iter().enumerate() {
        let mut transaction = bench.pool.begin().await.unwrap();
        let open = [bench.command(&format!("open-{round}"), &cost(1))];
        bench.other.execute_in(&mut transaction, bench.account, &open).await.unwrap()[0].clone().unwrap();
        let mut watch = aside(&bench.pool.connect_options()).await;
        let second = ask(engine, bench.command(&format!("second-{round}"), &cost(1)));
        let (second, ()) = tokio::join!(second, async {
            until_waiting(&mut watch, 1).await;
            transaction.commit().await.unwrap();
        });
        assert!(!second.unwrap().replayed);
    }
    assert_eq!(bench.available().await, 6);
    bench.check().await;
}

#[sqlx::test]
async fn what_an_open_transaction_decided_and_took_back_never_was(pool: PgPool) {
    let bench = Bench::new(pool).await;
    bench.ask("pack", pack(10)).await.unwrap();
    let mut transaction = bench.pool.begin().await.unwrap();
    let open = [bench.command("open", &cost(10))];
    bench.other.execute_in(&mut transaction, bench.account, &open).await.unwrap()[0].clone().unwrap();
    let mut watch = aside(&bench.pool.connect_options()).await;
    let (second, ()) = tokio::join!(bench.ask("second", cost(10)), async {
        until_waiting(&mut watch, 1).await;
        transaction.rollback().await.unwrap();
    });
    assert!(second.is_ok(), "{second:?}");
    assert!(is_short(&bench.ask_other("open", cost(10)).await), "its key was never used");
    bench.check().await;
}

// Keys that come again

#[sqlx::test]
async fn a_replay_consumes_no_lots_before_its_key_is_noticed(pool: PgPool) {
    let bench = Bench::new(pool).await;
    bench.ask("pack", pack(10)).await.unwrap();
    bench.ask("a", cost(2)).await.unwrap();
    // Beside it in the batch: itself again, a new spend, and one that is asked twice.
    let answers = bench.ask_at_once(&[("a", cost(2)), ("b", cost(3)), ("a", cost(2)), ("b", cost(3))]).await;
    assert_eq!(replayed(&answers[0]).entry.version.0, 2);
    assert!(!answers[1].as_ref().unwrap().replayed);
    assert_eq!(replayed(&answers[2]).entry.version.0, 2);
    assert_eq!(replayed(&answers[3]).entry, answers[1].as_ref().unwrap().entry);
    assert_eq!(bench.available().await, 5);
    bench.check().await;
}

#[sqlx::test]
async fn a_spend_sent_again_when_nothing_is_left_is_recognised_beside_another_command(pool: PgPool) {
    let bench = Bench::new(pool).await;
    bench.ask("pack", pack(10)).await.unwrap();
    let first = bench.ask("all", cost(10)).await.unwrap();
    let answers = bench.ask_at_once(&[("all", cost(10)), ("next-pack", pack(5))]).await;
    assert_eq!(replayed(&answers[0]).entry, first.entry);
    assert!(answers[1].is_ok());
    assert_eq!(bench.available().await, 5);
    bench.check().await;
}

#[sqlx::test]
async fn a_spend_sent_again_after_the_rest_has_lapsed_is_recognised(pool: PgPool) {
    let bench = Bench::at(pool, Clock::standing_at(noon())).await;
    let lapses = noon() + TimeDelta::hours(1);
    let until = Some(lapses.timestamp_micros());
    let source = scrip::domain::Source::Bonus;
    bench.ask("bonus", Deed::Grant { amount: 10, source, from: None, until }).await.unwrap();
    let first = bench.ask("all-but-one", cost(9)).await.unwrap();
    bench.clock.set(lapses);
    let again = bench.ask("all-but-one", cost(9)).await;
    assert_eq!(replayed(&again).entry, first.entry);
    bench.check().await;
}

#[sqlx::test]
async fn a_key_used_for_something_else_is_told_apart_when_nothing_is_left(pool: PgPool) {
    let bench = Bench::new(pool).await;
    bench.ask("pack", pack(10)).await.unwrap();
    bench.ask("all", cost(10)).await.unwrap();
    let answers = bench.ask_at_once(&[("all", cost(9)), ("next-pack", pack(5))]).await;
    assert_eq!(answers[0], Err(Refusal::KeyReused));
    bench.check().await;
}

#[sqlx::test]
async fn a_slow_purchase_that_is_clicked_again_is_charged_once(pool: PgPool) {
    let bench = Bench::new(pool.clone()).await;
    bench.ask("pack", pack(10)).await.unwrap();
    let mut somebody = aside(&pool.connect_options()).await;
    let mut watch = aside(&pool.connect_options()).await;
    sqlx::raw_sql("begin").execute(&mut somebody).await.unwrap();
    hold_row(&mut somebody, bench.account).await;
    // The first click waits; its caller gives up. The second, on another engine, waits too.
    let first = tokio::spawn({
        let (engine, command) = (bench.one.clone(), bench.command("buy", &cost(4)));
        async move { engine.execute(command).await }
    });
    until_waiting(&mut watch, 1).await;
    first.abort();
    let (second, ()) = tokio::join!(bench.ask_other("buy", cost(4)), async {
        until_waiting(&mut watch, 1).await;
        sqlx::raw_sql("rollback").execute(&mut somebody).await.unwrap();
    });
    // Whether the first was still carried out or not: the key knows.
    let receipt = second.unwrap();
    assert_eq!(receipt.entry.delta(), -4);
    assert_eq!(bench.available().await, 6);
    bench.check().await;
}

// What falls due meanwhile

#[sqlx::test]
async fn the_sweep_takes_what_lapsed_and_nothing_that_is_being_spent(pool: PgPool) {
    let bench = Bench::at(pool, Clock::standing_at(noon())).await;
    bench.ask("paid", pack(10)).await.unwrap();
    for round in 1..10 {
        let lapses = noon() + TimeDelta::hours(round);
        let until = Some(lapses.timestamp_micros());
        let source = scrip::domain::Source::Plan;
        let plan = Deed::Grant { amount: 5, source, from: None, until };
        bench.ask(&format!("plan-{round}"), plan).await.unwrap();
        bench.clock.set(lapses);
        let key = format!("spend-{round}");
        let (spent, settled) = tokio::join!(bench.ask(&key, cost(1)), settle_all(&bench.other));
        spent.unwrap();
        settled.unwrap();
        assert_eq!(bench.available().await, 10 - round, "only the pack has paid, and only what was asked");
    }
    bench.check().await;
}

#[sqlx::test]
async fn a_hold_whose_engine_is_gone_comes_back_by_itself(pool: PgPool) {
    let bench = Bench::at(pool, Clock::standing_at(noon())).await;
    bench.ask("pack", pack(10)).await.unwrap();
    let hold = bench.ask("hold", Deed::Hold { cost: 7, life: 1_000 }).await.unwrap();
    bench.one.stop().await;
    assert_eq!(bench.available().await, 3);
    bench.clock.set(noon() + TimeDelta::seconds(1));
    assert_eq!(settle_all(&bench.other).await.unwrap(), 1);
    assert_eq!(bench.available().await, 10);
    let late = bench.ask_other("late", Deed::Capture { hold: hold.entry.version.0, amount: None }).await;
    assert_eq!(late, Err(Refusal::HoldClosed));
    bench.check().await;
}

#[sqlx::test]
async fn a_hold_that_runs_out_while_it_is_captured_pays_once_or_not_at_all(pool: PgPool) {
    let bench = Bench::at(pool, Clock::standing_at(noon())).await;
    bench.ask("pack", pack(100)).await.unwrap();
    let mut left = 100;
    for round in 0..10 {
        let key = |what: &str| format!("{what}-{round}");
        let set_aside = Deed::Hold { cost: 5, life: 1_000 };
        let hold = bench.ask(&key("hold"), set_aside).await.unwrap().entry.version.0;
        let (capture, capture_key) = (Deed::Capture { hold, amount: None }, key("capture"));
        let (captured, settled) = tokio::join!(bench.ask(&capture_key, capture), async {
            bench.clock.set(bench.clock.now() + TimeDelta::seconds(1));
            settle_all(&bench.other).await
        });
        settled.unwrap();
        match captured {
            Ok(_) => left -= 5,
            Err(refusal) => assert_eq!(refusal, Refusal::HoldClosed),
        }
        assert_eq!(bench.available().await, left);
    }
    bench.check().await;
}

// Reading while others write

#[sqlx::test]
async fn a_reader_never_sees_half_of_a_change(pool: PgPool) {
    let bench = Bench::new(pool.clone()).await;
    let reader = engine(&pool.connect_options()).await;
    bench.ask("pack", pack(1_000)).await.unwrap();
    let writing = async {
        for round in 0..60 {
            let key = format!("write-{round}");
            let deed = if round % 3 == 0 { pack(3) } else { cost(2) };
            bench.ask(&key, deed).await.unwrap();
        }
    };
    let reading = async {
        loop {
            let history = reader.history(bench.account, None, &Filter::default(), 5).await.unwrap();
            let newest = &history.entries[0];
            assert_eq!(newest.version, history.account.version());
            assert_eq!(newest.balance_after, history.account.balance());
            if newest.version.0 == 61 {
                break;
            }
        }
    };
    tokio::join!(writing, reading);
}
