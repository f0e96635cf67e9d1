//! The database breaks off connections, loses answers and dies, under load. Every answer that was given
//! stands, every other one is found by its key.

use std::{fs, path::Path, sync::Arc};

use futures_util::future::join_all;
use rand::{Rng, rngs::StdRng};
use rustix::process::{Pid, Signal, kill_process};
use scrip::server::{
    Error,
    jobs::settle_all,
    store::{self, embedded::Embedded},
};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::task::JoinHandle;

use crate::{
    books::{Books, Outcome, assert_sound},
    bounds::bounds,
    crowd::{Crowd, ORDERLY, UNRULY, all_of},
    deed::{Deed, cost, pack},
    place::{
        Place, aside, break_one, break_waiting, breathe, engine, hold_row, open_accounts, open_neighbours,
        until, until_waiting,
    },
    wire::Wire,
};

const CALLERS: usize = 32;
/// So many that a lane decides ahead of what it writes (`AHEAD_MIN` of the engine).
const THRONG: usize = 400;
const ACCOUNTS: usize = 12;
const HOT: usize = 4;
/// More than any test takes: the callers are told when it is enough.
const WITHOUT_END: usize = usize::MAX;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_that_are_broken_off_again_and_again_lose_and_double_nothing() {
    let bounds = bounds();
    let mut rng = bounds.rng(3);
    let place = Place::new().await;
    let engines = vec![place.engine().await, place.engine().await];
    let accounts = open_accounts(&engines[0], &place.pool, ACCOUNTS).await;
    let crowd = Crowd::new(engines, accounts, HOT, UNRULY);
    let callers = crowd.callers(CALLERS, WITHOUT_END, &mut rng).await;
    let mut axe = aside(&place.options).await;
    let mut broken = 0;
    while broken < bounds.scaled(150) {
        broken += u32::from(break_one(&mut axe).await);
        breathe(rng.random_range(0..40_000)).await;
    }
    finish(&crowd, callers, &place.options).await;
    drop(axe);
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn answers_that_are_lost_after_the_commit_lose_and_double_nothing() {
    let bounds = bounds();
    let mut rng = bounds.rng(4);
    let place = Place::new().await;
    let wires = [Wire::to(&place.options), Wire::to(&place.options)];
    let mut engines = Vec::new();
    for wire in &wires {
        engines.push(engine(&wire.options(&place.options)).await);
    }
    let accounts = open_accounts(&engines[0], &place.pool, ACCOUNTS).await;
    let crowd = Crowd::new(engines, accounts, HOT, UNRULY);
    let callers = crowd.callers(CALLERS, WITHOUT_END, &mut rng).await;
    for cut in 1..=bounds.scaled(60) {
        let wire = &wires[rng.random_range(0..wires.len())];
        let before = wire.lost();
        wire.cut();
        until("an answer is lost", async || wire.lost() > before).await;
        breathe(rng.random_range(0..10_000)).await;
        assert_eq!(wires.iter().map(Wire::lost).sum::<u32>(), cut);
    }
    finish(&crowd, callers, &place.options).await;
    drop(wires);
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn answers_that_are_lost_while_the_next_are_decided_lose_and_double_nothing() {
    let bounds = bounds();
    let mut rng = bounds.rng(6);
    let place = Place::new().await;
    let wire = Wire::to(&place.options);
    let engines = vec![engine(&wire.options(&place.options)).await, place.engine().await];
    let accounts = open_neighbours(&engines[0], &place.pool, ACCOUNTS).await;
    let crowd = Crowd::new(engines, accounts, HOT, ORDERLY);
    let callers = crowd.callers(THRONG, WITHOUT_END, &mut rng).await;
    for _ in 0..bounds.scaled(8) {
        let done = crowd.books.count().1;
        until("the load is under way", async || crowd.books.count().1 > done + THRONG / 4).await;
        let before = wire.lost();
        wire.cut();
        until("an answer is lost", async || wire.lost() > before).await;
    }
    finish(&crowd, callers, &place.options).await;
    drop(wire);
    place.remove().await;
}

/// Ends the load, and checks what it came to by an engine that knows nothing of it.
async fn finish(crowd: &Arc<Crowd>, callers: tokio::task::JoinSet<()>, options: &PgConnectOptions) {
    crowd.enough();
    all_of(callers).await;
    for engine in &crowd.engines {
        engine.stop().await;
    }
    let (asked, done) = crowd.books.count();
    eprintln!("{done} of {asked} commands were acknowledged");
    assert!(done > 0);
    let pool = store::connect(options.clone());
    let fresh = engine(options).await;
    crowd.books.ask_all_again(&fresh).await;
    crowd.books.check(&fresh, &pool, true).await;
    assert_sound(&pool).await;
    fresh.stop().await;
    pool.close().await;
}

/// One command whose answer is lost, with the engine in such a state that it decides from what it remembers,
/// or under a lock.
async fn lose_one(remembers: bool) {
    let place = Place::new().await;
    let wire = Wire::to(&place.options);
    let engine = engine(&wire.options(&place.options)).await;
    let accounts = open_neighbours(&engine, &place.pool, 2).await;
    let (account, books) = (accounts[0], Books::default());
    books.ask(&engine, account, "pack", &pack(10)).await;
    if !remembers {
        // Something that the engine did not see is found out by the next command, which ends the trust in
        // what it remembers for a while.
        let other = place.engine().await;
        books.ask(&other, account, "elsewhere", &cost(1)).await;
        books.ask(&engine, account, "found-out", &cost(1)).await;
    }
    let before = wire.lost();
    wire.cut();
    let told = books.ask(&engine, account, "lost", &cost(2)).await;
    assert_eq!(wire.lost(), before + 1, "the answer was lost on its way");
    let Outcome::Done(receipt) = told else { panic!("the engine finds out by itself: {told:?}") };
    assert_eq!(receipt.entry.delta(), -2);
    let again = books.ask(&engine, account, "lost", &cost(2)).await;
    assert!(matches!(again, Outcome::Done(again) if again.replayed && again.entry == receipt.entry));
    let left = if remembers { 8 } else { 6 };
    assert_eq!(engine.account(account).await.unwrap().balance().get(), left);
    books.check(&engine, &place.pool, true).await;
    engine.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn one_answer_that_is_lost_when_memory_decided_is_found_by_its_key() {
    lose_one(true).await;
}

#[tokio::test]
async fn one_answer_that_is_lost_when_a_lock_was_held_is_found_by_its_key() {
    lose_one(false).await;
}

/// Holds are written by a statement of their own, but not by a commit of their own.
#[tokio::test]
async fn a_hold_whose_answer_is_lost_is_there_as_a_whole() {
    let place = Place::new().await;
    let wire = Wire::to(&place.options);
    let engine = engine(&wire.options(&place.options)).await;
    let account = open_accounts(&engine, &place.pool, 1).await[0];
    let books = Books::default();
    books.ask(&engine, account, "pack", &pack(10)).await;
    wire.cut();
    let told = books.ask(&engine, account, "hold", &Deed::Hold { cost: 4, life: 60_000 }).await;
    assert!(matches!(told, Outcome::Done(_)), "{told:?}");
    assert_eq!(wire.lost(), 1);
    books.check(&engine, &place.pool, true).await;
    engine.stop().await;
    place.remove().await;
}

/// A batch that waits for a lock fails, and is carried out a little later than it was decided. So what was decided
/// ahead of it follows upon entries that never came to be.
#[tokio::test]
async fn what_was_decided_ahead_of_a_batch_that_failed_is_decided_anew() {
    let place = Place::new().await;
    let engine = place.engine().await;
    let account = open_accounts(&engine, &place.pool, 1).await[0];
    let (books, price) = (Books::default(), cost(1));
    books.ask(&engine, account, "pack", &pack(1_000)).await;
    let mut somebody = aside(&place.options).await;
    let mut watch = aside(&place.options).await;
    sqlx::raw_sql("begin").execute(&mut somebody).await.unwrap();
    hold_row(&mut somebody, account).await;
    let keys: Vec<String> = (0..THRONG).map(|number| format!("k-{number}")).collect();
    let (batch, rest) = keys.split_at(THRONG / 2);
    let ask = |key| books.ask(&engine, account, key, &price);
    tokio::join!(join_all(batch.iter().map(|key| ask(key))), async {
        until_waiting(&mut watch, 1).await;
        // Sent before the connection is broken off: the lane decides on these while it waits.
        tokio::join!(join_all(rest.iter().map(|key| ask(key))), async {
            break_waiting(&mut watch).await;
            sqlx::raw_sql("rollback").execute(&mut somebody).await.unwrap();
        })
    });
    books.check(&engine, &place.pool, true).await;
    assert_eq!(engine.account(account).await.unwrap().balance().get(), 1_000 - THRONG as i64);
    engine.stop().await;
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_is_killed_under_load_has_everything_that_was_acknowledged_when_it_is_back() {
    /// The pauses before a database is started again grow with each time: a new start makes them short.
    const KILLS_PER_START: u32 = 3;
    let bounds = bounds();
    let mut rng = bounds.rng(5);
    let folder = tempfile::tempdir().unwrap();
    let mut kills = bounds.scaled(3);
    while kills > 0 {
        let now = kills.min(KILLS_PER_START);
        kills -= now;
        let database = Embedded::start(folder.path()).await.unwrap();
        let pool = store::connect(database.connect_options());
        store::migrate(&pool).await.unwrap();
        assert!(store::unsafe_settings(&pool).await.unwrap().is_empty(), "it waits for the disk");
        let engines =
            vec![engine(&database.connect_options()).await, engine(&database.connect_options()).await];
        let accounts = open_accounts(&engines[0], &pool, ACCOUNTS).await;
        let crowd = Crowd::new(engines, accounts, HOT, UNRULY);
        let callers = crowd.callers(CALLERS, WITHOUT_END, &mut rng).await;
        let sweep = sweep(&crowd);
        for _ in 0..now {
            kill_postgres(folder.path(), &database, &crowd, &mut rng).await;
        }
        sweep.abort();
        finish(&crowd, callers, &database.connect_options()).await;
        pool.close().await;
        database.stop().await;
    }
}

/// Settles what falls due, as the program's job does: a database that is away is no reason to end.
fn sweep(crowd: &Arc<Crowd>) -> JoinHandle<()> {
    let ledger = crowd.engines[0].clone();
    tokio::spawn(async move {
        loop {
            let _ = settle_all(&ledger).await;
            breathe(50_000).await;
        }
    })
}

/// Kills it once it has carried out some more, and returns when it has done so again.
async fn kill_postgres(folder: &Path, database: &Embedded, crowd: &Crowd, rng: &mut StdRng) {
    let more = rng.random_range(50..400);
    let begin = crowd.books.count().1;
    until("the load is under way", async || crowd.books.count().1 > begin + more).await;
    let pid = || {
        let file = fs::read_to_string(folder.join("postgres/postmaster.pid")).ok()?;
        Pid::from_raw(file.lines().next()?.parse().ok()?)
    };
    let killed = pid().expect("it runs");
    kill_process(killed, Signal::KILL).unwrap();
    until("another one is there", async || pid().is_some_and(|pid| pid != killed)).await;
    until("it answers", async || PgConnection::connect_with(&database.connect_options()).await.is_ok()).await;
    let begin = crowd.books.count().1;
    until("the load goes on", async || crowd.books.count().1 > begin + 20).await;
}

/// Under a lock, and then on what is remembered.
#[tokio::test]
async fn a_commit_that_fails_is_not_told_as_done() {
    const REFUSE: &str = "create function refuse() returns trigger language plpgsql as $$
         begin
             raise exception 'not today';
         end $$";
    const AT_THE_COMMIT: &str = "create constraint trigger not_today after insert on entries
         deferrable initially deferred
         for each row execute function refuse()";
    let place = Place::new().await;
    let engine = place.engine().await;
    let account = open_accounts(&engine, &place.pool, 1).await[0];
    let mut somebody = aside(&place.options).await;
    sqlx::raw_sql(REFUSE).execute(&mut somebody).await.unwrap();
    for (key, deed) in [("pack", pack(10)), ("spend", cost(4))] {
        sqlx::raw_sql(AT_THE_COMMIT).execute(&mut somebody).await.unwrap();
        let told = engine.execute(deed.asked_of(account, key)).await;
        assert!(matches!(told, Err(Error::Internal(_))), "{key}: {told:?}");
        sqlx::raw_sql("drop trigger not_today on entries").execute(&mut somebody).await.unwrap();
        let done = engine.execute(deed.asked_of(account, key)).await.unwrap().unwrap();
        assert!(!done.replayed, "{key}: nothing was done the first time");
    }
    assert_eq!(engine.account(account).await.unwrap().balance().get(), 6);
    assert_sound(&place.pool).await;
    engine.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn an_answer_that_is_lost_for_good_is_not_told_as_a_failure() {
    let place = Place::new().await;
    let wire = Wire::to(&place.options);
    let engine = engine(&wire.options(&place.options)).await;
    let account = open_accounts(&engine, &place.pool, 1).await[0];
    let books = Books::default();
    books.ask(&engine, account, "pack", &pack(10)).await;
    wire.cut_for_good();
    let lost = books.ask(&engine, account, "lost", &cost(2)).await;
    assert!(matches!(lost, Outcome::Unknown), "{lost:?}");
    assert_eq!(wire.lost(), 1);
    let there = place.engine().await;
    let found = books.ask(&there, account, "lost", &cost(2)).await;
    assert!(matches!(&found, Outcome::Done(found) if found.replayed), "{found:?}");
    books.check(&there, &place.pool, true).await;
    there.stop().await;
    place.remove().await;
}
