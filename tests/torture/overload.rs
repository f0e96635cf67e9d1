//! More than a lane takes, an account that somebody else keeps locked, an engine that stops, callers who go
//! away: what is turned away was not done, what was accepted is finished.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_util::future::join_all;
use scrip::{
    domain::AccountId,
    problem::Problem,
    server::{
        Error,
        clock::Clock,
        ledger::{Answer, Ledger},
        store,
    },
};
use sqlx::PgPool;

use crate::{
    books::{Books, Outcome},
    deed::{Deed, cost, pack},
    place::{aside, hold_row, open_accounts, open_neighbours, until_waiting},
};

/// More than a lane's queue holds (`QUEUE_MAX` of the engine).
const MORE_THAN_FIT: usize = 8_192 + 200;
/// What is turned away at least, when so many come at once.
const TURNED_AWAY: usize = 200;

type Asking<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

async fn open(pool: &PgPool) -> (PgPool, Ledger) {
    let pool = store::connect((*pool.connect_options()).clone());
    let ledger = Ledger::open(pool.clone(), Clock::default()).await.unwrap();
    (pool, ledger)
}

/// Begins to ask, and does not wait: what can be answered at once is. The test's runtime has one thread, so
/// that no lane can work before this test waits for something.
fn begin<'a>(
    books: &'a Books,
    ledger: &'a Ledger,
    account: AccountId,
    key: &'a str,
    deed: &'a Deed,
) -> (Asking<'a>, Option<Outcome>) {
    let mut asking: Asking<'a> = Box::pin(books.ask(ledger, account, key, deed));
    match asking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => (asking, Some(outcome)),
        Poll::Pending => (asking, None),
    }
}

#[sqlx::test]
async fn a_full_queue_turns_callers_away_at_once_and_nothing_of_theirs_is_done(pool: PgPool) {
    let (pool, ledger) = open(&pool).await;
    let account = open_accounts(&ledger, &pool, 1).await[0];
    let books = Books::default();
    books.ask(&ledger, account, "pack", &pack(100_000)).await;
    let mut somebody = aside(&pool.connect_options()).await;
    let mut watch = aside(&pool.connect_options()).await;
    sqlx::raw_sql("begin").execute(&mut somebody).await.unwrap();
    hold_row(&mut somebody, account).await;
    let price = cost(1);
    let keys: Vec<String> = (0..MORE_THAN_FIT).map(|number| format!("k-{number}")).collect();
    let blocked = books.ask(&ledger, account, "blocked", &price);
    let (_, ()) = tokio::join!(blocked, async {
        // The lane waits for the account, with one command in its hands.
        until_waiting(&mut watch, 1).await;
        let (mut waiting, mut turned_away) = (Vec::new(), 0);
        for key in &keys {
            match begin(&books, &ledger, account, key, &price) {
                (asking, None) => waiting.push(asking),
                (_, Some(outcome)) => {
                    assert!(matches!(outcome, Outcome::NotAccepted), "{outcome:?}");
                    turned_away += 1;
                }
            }
        }
        assert_eq!(turned_away, TURNED_AWAY);
        sqlx::raw_sql("rollback").execute(&mut somebody).await.unwrap();
        // On a slow machine some of them wait for too long: then they are turned away, too.
        let answers = join_all(waiting).await;
        let done = answers.iter().filter(|answer| matches!(answer, Outcome::Done(_))).count();
        assert!(done > 0);
    });
    // Who was turned away and nobody else finds nothing under its key.
    books.check(&ledger, &pool, false).await;
}

#[sqlx::test]
async fn an_engine_that_stops_finishes_what_it_accepted_and_takes_no_more(pool: PgPool) {
    let (pool, ledger) = open(&pool).await;
    let accounts = open_accounts(&ledger, &pool, 8).await;
    let books = Books::default();
    for account in &accounts {
        books.ask(&ledger, *account, "pack", &pack(100)).await;
    }
    let keys: Vec<String> = (0..320).map(|number| format!("k-{number}")).collect();
    let price = cost(1);
    let asking: Vec<Asking> = keys
        .iter()
        .enumerate()
        .map(|(place, key)| {
            let (asking, answered) = begin(&books, &ledger, accounts[place % 8], key, &price);
            assert!(answered.is_none());
            asking
        })
        .collect();
    let (answers, ()) = tokio::join!(join_all(asking), ledger.stop());
    for answer in answers {
        assert!(matches!(answer, Outcome::Done(_)), "{answer:?}");
    }
    let late = ledger.execute(price.asked_of(accounts[0], "late")).await;
    assert!(matches!(late, Err(Error::Problem(Problem::Unavailable))), "{late:?}");
    let (_, other) = open(&pool).await;
    books.note(accounts[0], "late", &price, Outcome::NotAccepted);
    books.check(&other, &pool, false).await;
}

#[sqlx::test]
async fn stopping_ends_also_while_an_account_is_locked(pool: PgPool) {
    let (pool, ledger) = open(&pool).await;
    let account = open_accounts(&ledger, &pool, 1).await[0];
    let books = Books::default();
    books.ask(&ledger, account, "pack", &pack(10)).await;
    let mut somebody = aside(&pool.connect_options()).await;
    sqlx::raw_sql("begin").execute(&mut somebody).await.unwrap();
    hold_row(&mut somebody, account).await;
    let price = cost(1);
    let (asking, _) = begin(&books, &ledger, account, "blocked", &price);
    let (answer, ()) = tokio::join!(asking, ledger.stop());
    assert!(matches!(answer, Outcome::Unknown), "{answer:?}");
    sqlx::raw_sql("rollback").execute(&mut somebody).await.unwrap();
    let (_, other) = open(&pool).await;
    books.check(&other, &pool, false).await;
}

#[sqlx::test]
async fn a_lock_on_one_account_fails_its_commands_and_not_its_neighbours(pool: PgPool) {
    let (pool, ledger) = open(&pool).await;
    let accounts = open_neighbours(&ledger, &pool, 4).await;
    let books = Books::default();
    let mut somebody = aside(&pool.connect_options()).await;
    // With what the lane remembers, and without.
    for round in ["remembered", "distrusted"] {
        let pack_key = format!("pack-{round}");
        for account in &accounts {
            books.ask(&ledger, *account, &pack_key, &pack(10)).await;
        }
        sqlx::raw_sql("begin").execute(&mut somebody).await.unwrap();
        hold_row(&mut somebody, accounts[1]).await;
        let (key, price) = (format!("spend-{round}"), cost(1));
        let asked = accounts.iter().map(|account| books.ask(&ledger, *account, &key, &price));
        let answers = join_all(asked).await;
        let by_account: BTreeMap<usize, bool> =
            answers.iter().map(|answer| matches!(answer, Outcome::Done(_))).enumerate().collect();
        assert_eq!(by_account, BTreeMap::from([(0, true), (1, false), (2, true), (3, true)]), "{answers:?}");
        assert!(matches!(answers[1], Outcome::Unknown), "it may have been done for all its caller knows");
        sqlx::raw_sql("rollback").execute(&mut somebody).await.unwrap();
        // Something that this engine did not see, so that it trusts its memory no more.
        let (_, other) = open(&pool).await;
        for account in &accounts {
            books.ask(&other, *account, &format!("elsewhere-{round}"), &cost(1)).await;
        }
    }
    books.check(&ledger, &pool, true).await;
}

#[sqlx::test]
async fn who_goes_away_at_any_moment_finds_one_answer_under_its_key(pool: PgPool) {
    let (pool, ledger) = open(&pool).await;
    let account = open_accounts(&ledger, &pool, 1).await[0];
    let books = Books::default();
    books.ask(&ledger, account, "pack", &pack(1_000)).await;
    // Before the lane has seen it.
    let price = cost(1);
    let (asking, answered) = begin(&books, &ledger, account, "at-once", &price);
    assert!(answered.is_none());
    drop(asking);
    // While it is carried out: after more and more turns of the runtime.
    for turns in 0..60 {
        let key = format!("after-{turns}-turns");
        tokio::select! {
            biased;
            _ = books.ask(&ledger, account, &key, &price) => {}
            () = async { for _ in 0..turns { tokio::task::yield_now().await; } } => {}
        }
    }
    // While it waits for somebody's lock.
    let mut somebody = aside(&pool.connect_options()).await;
    let mut watch = aside(&pool.connect_options()).await;
    sqlx::raw_sql("begin").execute(&mut somebody).await.unwrap();
    hold_row(&mut somebody, account).await;
    tokio::select! {
        _ = books.ask(&ledger, account, "locked-out", &price) => {}
        () = until_waiting(&mut watch, 1) => {}
    }
    sqlx::raw_sql("rollback").execute(&mut somebody).await.unwrap();
    books.ask_all_again(&ledger).await;
    books.check(&ledger, &pool, false).await;
    let spent = 1 + 60 + 1;
    assert_eq!(ledger.account(account).await.unwrap().balance().get(), 1_000 - spent);
}

#[sqlx::test]
async fn a_whole_batch_of_callers_may_go_away_and_the_next_is_served(pool: PgPool) {
    let (pool, ledger) = open(&pool).await;
    let account = open_accounts(&ledger, &pool, 1).await[0];
    let books = Books::default();
    books.ask(&ledger, account, "pack", &pack(1_000)).await;
    let keys: Vec<String> = (0..500).map(|number| format!("k-{number}")).collect();
    let price = cost(1);
    drop(keys.iter().map(|key| begin(&books, &ledger, account, key, &price)).collect::<Vec<_>>());
    let next: Answer = ledger.execute(price.asked_of(account, "next")).await.unwrap();
    let version = next.unwrap().entry.version;
    assert_eq!(version.0, 2, "nobody waited for the others, and nobody had begun with them");
}
