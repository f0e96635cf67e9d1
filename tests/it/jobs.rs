//! Jobs: one process does them, another takes over; what fails is told and holds up nothing else.

use std::{process::Stdio, time::Duration};

use chrono::{DateTime, Months, TimeDelta, Utc};
use futures_util::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng};
use rustix::process::Signal;
use scrip::{
    domain::{AccountId, Act},
    server::{
        AppState, Error,
        clock::Clock,
        jobs::{self, Done, Job, Prune, Schedule, Settle, all, overview, settle_all},
        ledger::{Answer, verify::verify},
        store::{
            self,
            embedded::Embedded,
            job_lock::JobLock,
            job_runs::{self, JobRun},
            sessions, test_clock,
        },
        subscriptions,
    },
};
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction, postgres::PgConnectOptions};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::watch,
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use crate::{
    program::{LONG, run, scrip, send, started, stop},
    support::{CATALOG, command, grant, noon, spend, state},
};

const PLAN: &str = "
    [[plans]]
    key = \"free\"
    title = \"Free\"
    monthly_credits = 5
";

/// How many runs an overview is asked for.
const RUNS: u16 = 10;

async fn ready(pool: &PgPool, clock: &Clock) -> AppState {
    state(pool.clone(), clock.clone(), &format!("{CATALOG}{PLAN}")).await
}

/// The same program in another process: with lanes, a memory and connections of its own.
async fn neighbour(pool: &PgPool, clock: &Clock) -> AppState {
    ready(&store::connect((*pool.connect_options()).clone()), clock).await
}

async fn open(state: &AppState, count: usize) -> Vec<AccountId> {
    let mut conn = state.pool.acquire().await.unwrap();
    let mut accounts = Vec::new();
    for _ in 0..count {
        accounts.push(state.ledger.open_account(&mut conn).await.unwrap());
    }
    accounts
}

/// Gives all of these credits that lapse at `end`.
async fn lend(state: &AppState, accounts: &[AccountId], end: DateTime<Utc>) {
    let grants = accounts.iter().map(|account| state.ledger.execute(grant(*account, "loan", 5, Some(end))));
    assert!(join_all(grants).await.into_iter().all(|granted| granted.unwrap().is_ok()));
}

async fn subscribe(state: &AppState, accounts: &[AccountId]) {
    let catalog = state.catalog();
    let asked = subscriptions::subscribe(&catalog, catalog.plan("free").unwrap());
    let each =
        |account: &AccountId| state.ledger.execute(command(*account, "plan", Act::Subscribe(asked.clone())));
    assert!(join_all(accounts.iter().map(each)).await.into_iter().all(|begun| begun.unwrap().is_ok()));
}

/// What can't be done with the program.
async fn meddle(pool: &PgPool, statements: &str) {
    let statements = format!("set session_replication_role = replica; {statements}");
    let mut conn = pool.acquire().await.unwrap().detach();
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut conn).await.unwrap();
}

/// All steps of a job until nothing more is to be done: how many things they did, and what they could not.
async fn run_whole(job: &mut impl Job, state: &AppState, now: DateTime<Utc>) -> (u64, Vec<String>) {
    let (mut things, mut troubles) = (0, Vec::new());
    loop {
        let done = job.run_once(state, now).await.unwrap();
        things += done.things;
        troubles.extend(done.trouble);
        if !done.is_more {
            return (things, troubles);
        }
    }
}

async fn assert_sound(pool: &PgPool) {
    let report = verify(pool, None, |_, _| {}).await.unwrap();
    assert_eq!(report.violations, 0, "{report}");
}

async fn runs_of(state: &AppState, job: &str) -> Vec<JobRun> {
    job_runs::latest(&state.pool, job, RUNS.into()).await.unwrap()
}

/// Each account has been renewed so many times, and once each time.
async fn assert_renewed(pool: &PgPool, accounts: &[AccountId], times: i64) {
    let renewals = sqlx::query!(
        r#"select account_id,
                  count(*) as "entries!",
                  count(distinct at) as "moments!"
           from entries
           where kind = 'n'
           group by account_id"#
    );
    let renewals = renewals.fetch_all(pool).await.unwrap();
    assert_eq!(renewals.len(), accounts.len());
    for renewed in renewals {
        assert_eq!((renewed.entries, renewed.moments), (times, times), "{}", renewed.account_id);
    }
}

/// The server process of the database that holds the jobs' lock.
async fn holder(pool: &PgPool) -> Option<i32> {
    let pid = sqlx::query_scalar!(
        r#"select pg_locks.pid as "pid!"
           from pg_locks
           join pg_database
             on pg_database.oid = pg_locks.database
           join pg_stat_activity
             on pg_stat_activity.pid = pg_locks.pid
           where pg_locks.locktype = 'advisory'
             and pg_locks.granted
             and pg_stat_activity.application_name = 'scrip jobs'
             and pg_database.datname = current_database()"#
    );
    pid.fetch_optional(pool).await.unwrap()
}

/// The server process of the database that serves somebody who waits for the lock.
async fn waiting(pool: &PgPool) -> Option<i32> {
    let pid = sqlx::query_scalar!(
        r#"select pid as "pid!"
           from pg_stat_activity
           where application_name = 'scrip jobs'
             and datname = current_database()
             and pid not in (select pid from pg_locks where locktype = 'advisory' and granted)"#
    );
    pid.fetch_optional(pool).await.unwrap()
}

/// Ends a server process of the database, as a lost connection would.
async fn end(pool: &PgPool, pid: i32) {
    sqlx::query!("select pg_terminate_backend($1)", pid).fetch_one(pool).await.unwrap();
}

/// Holds accounts' rows until it is dropped, as somebody else's transaction would.
async fn hold(pool: &PgPool, accounts: &[AccountId]) -> Transaction<'static, Postgres> {
    let ids: Vec<String> = accounts.iter().map(|account| format!("'{}'", Uuid::from(*account))).collect();
    lock(pool, &format!("select from accounts where id in ({}) for no key update", ids.join(", "))).await
}

/// Holds what this locks until it is dropped.
async fn lock(pool: &PgPool, statement: &str) -> Transaction<'static, Postgres> {
    let mut held = pool.begin().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut *held).await.unwrap();
    held
}

/// Whether somebody waits for a lock.
async fn is_waited_for(pool: &PgPool) -> bool {
    let waits = sqlx::query_scalar!(
        r#"select exists (
               select
               from pg_stat_activity
               where datname = current_database()
                 and wait_event_type = 'Lock'
           ) as "waits!""#
    );
    waits.fetch_one(pool).await.unwrap()
}

/// Waits for something that others do.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + LONG;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "{what}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[sqlx::test]
async fn one_process_has_the_lock_and_another_gets_it_when_the_connection_is_lost(pool: PgPool) {
    let mut first = JobLock::wait(&pool).await;
    let elsewhere = pool.clone();
    let second = tokio::spawn(async move { JobLock::wait(&elsewhere).await });
    let waits = until("another waits", async || waiting(&pool).await).await;
    end(&pool, waits).await;
    let waits = until("it comes back", async || waiting(&pool).await.filter(|pid| *pid != waits)).await;
    first.confirm().await.unwrap();
    end(&pool, holder(&pool).await.unwrap()).await;
    let second = timeout(LONG, second).await.expect("the lock is free").unwrap();
    assert_eq!(holder(&pool).await, Some(waits), "it has waited on one connection");
    assert!(first.confirm().await.is_err(), "and the first one notices");
    drop(second);
    timeout(LONG, JobLock::wait(&pool)).await.expect("the lock is free again");
}

#[tokio::test]
async fn where_a_database_takes_a_connection_and_says_nothing_the_lock_is_asked_for_again() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pool =
        store::connect(PgConnectOptions::new().host("127.0.0.1").port(silent.local_addr().unwrap().port()));
    let asking = tokio::spawn(async move { JobLock::wait(&pool).await });
    let _first = silent.accept().await.unwrap();
    timeout(LONG, silent.accept()).await.expect("it asks again").unwrap();
    asking.abort();
}

#[sqlx::test]
async fn a_job_that_fails_is_recorded_and_does_not_keep_the_others_from_working(pool: PgPool) {
    let clock = Clock::standing_at(noon());
    let state = ready(&pool, &clock).await;
    let accounts = open(&state, 3).await;
    lend(&state, &accounts, noon() + TimeDelta::hours(1)).await;
    clock.set(noon() + TimeDelta::hours(1));
    meddle(&pool, "alter table sessions rename to away").await;

    let mut schedule = Schedule::new(all(), Instant::now());
    while job_runs::last_looked(&pool, "settle").await.unwrap().is_none() {
        step(&mut schedule, &state).await;
    }
    assert_eq!(overview(&pool, &clock, RUNS).await.unwrap().overdue.accounts, 0, "what was due is settled");
    let settled = &runs_of(&state, "settle").await[0];
    assert_eq!((settled.things, settled.is_running, settled.error.as_deref()), (3, false, None));
    let failed = &runs_of(&state, "prune").await[0];
    let error = failed.error.as_deref().unwrap();
    assert!(error.contains("relation \"sessions\" does not exist"), "{error}");
    assert_eq!((failed.things, failed.is_running), (0, false));
    assert_eq!(job_runs::last_looked(&pool, "prune").await.unwrap(), None);
}

/// Does one step, and returns how long it is until the next: the step itself and the pause.
async fn step(schedule: &mut Schedule, state: &AppState) -> u64 {
    let at = schedule.next_at();
    schedule.step(state, at).await;
    (schedule.next_at() - at).as_secs()
}

/// The machine may be slow, but not as slow as the next longer pause.
fn assert_pause(until_next: u64, pause: u64) {
    assert!((pause..2 * pause).contains(&until_next), "{until_next} s, not {pause}");
}

#[sqlx::test]
async fn its_pauses_grow_until_it_succeeds(pool: PgPool) {
    let state = ready(&pool, &Clock::default()).await;
    let mut schedule = Schedule::new(vec![Box::new(Prune)], Instant::now());
    meddle(&pool, "alter table sessions rename to away").await;
    for pause in [2, 4, 8] {
        assert_pause(step(&mut schedule, &state).await, pause);
    }
    meddle(&pool, "alter table away rename to sessions").await;
    assert_pause(step(&mut schedule, &state).await, 60 * 60);
    meddle(&pool, "alter table sessions rename to away").await;
    // As after a first failure.
    assert_pause(step(&mut schedule, &state).await, 2);
    assert_eq!(runs_of(&state, "prune").await.len(), 4);
}

/// Panics at its first step.
struct Panics;

#[async_trait::async_trait]
impl Job for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn run_once(&mut self, _: &AppState, _: DateTime<Utc>) -> Result<Done, Error> {
        panic!("on purpose")
    }
}

#[sqlx::test]
async fn a_job_that_panics_has_failed_like_any_other(pool: PgPool) {
    let state = ready(&pool, &Clock::default()).await;
    let mut schedule = Schedule::new(vec![Box::new(Panics)], Instant::now());
    assert_pause(step(&mut schedule, &state).await, 2);
    let failed = &runs_of(&state, "panics").await[0];
    assert!(failed.error.as_deref().is_some_and(|error| error.contains("panicked")), "{failed:?}");
}

#[sqlx::test]
async fn an_account_that_cannot_be_settled_is_passed_over_for_a_while(pool: PgPool) {
    let clock = Clock::standing_at(noon());
    let state = ready(&pool, &clock).await;
    let accounts = open(&state, 100).await;
    lend(&state, &accounts, noon() + TimeDelta::hours(1)).await;
    state.ledger.stop().await;
    let (corrupt, puzzling) = (accounts[0], accounts[1]);
    // The first in the queue: one whose balance is not the sum of its lots, one whose subscription has not begun.
    meddle(
        &pool,
        &format!(
            "update accounts set balance = balance + 1 where id = '{0}';
             update lots set expires_at = '{2}' where account_id = '{0}';
             insert into subscriptions (bucket, account_id, due_at, state)
             select bucket, id, '{2}', 'null' from accounts where id = '{1}';
             update subscriptions set state = sample.state from (select '{3}'::json as state) as sample",
            Uuid::from(corrupt),
            Uuid::from(puzzling),
            noon() + TimeDelta::minutes(1),
            not_due(&ready(&pool, &clock).await).await,
        ),
    )
    .await;
    clock.set(noon() + TimeDelta::hours(1));
    let state = ready(&pool, &clock).await;
    let mut settle = Settle::default();
    let (settled, troubles) = run_whole(&mut settle, &state, noon()).await;
    assert_eq!(settled, 99, "all the others, and what else fell due on the puzzling one");
    let of = |account: &AccountId| troubles.iter().filter(|told| told.contains(&account.to_string())).count();
    assert_eq!([of(&corrupt), of(&puzzling), troubles.len()], [1, 1, 2], "each is told once: {troubles:?}");
    let overdue = overview(&pool, &clock, RUNS).await.unwrap().overdue;
    assert_eq!((overdue.accounts, overdue.since), (2, Some(noon() + TimeDelta::minutes(1))));

    let soon = noon() + TimeDelta::minutes(59);
    assert_eq!(run_whole(&mut settle, &state, soon).await, (0, Vec::new()), "and not again at once");
    let later = noon() + TimeDelta::hours(1);
    assert_eq!(run_whole(&mut settle, &state, later).await.1.len(), 2, "but after a while");
}

/// What is kept of a subscription on which nothing is due yet.
async fn not_due(state: &AppState) -> String {
    let other = open(state, 1).await;
    subscribe(state, &other).await;
    let kept = sqlx::query_scalar!("select state::text as \"state!\" from subscriptions");
    let kept = kept.fetch_one(&state.pool).await.unwrap();
    meddle(&state.pool, "delete from subscriptions").await;
    kept
}

#[sqlx::test]
async fn an_account_that_somebody_holds_is_settled_with_the_next_turn(pool: PgPool) {
    let clock = Clock::standing_at(noon());
    let state = ready(&pool, &clock).await;
    let accounts = open(&state, 20).await;
    lend(&state, &accounts, noon() + TimeDelta::hours(1)).await;
    clock.set(noon() + TimeDelta::hours(1));
    let mut settle = Settle::default();
    let held = hold(&pool, &accounts[..1]).await;
    assert_eq!(run_whole(&mut settle, &state, noon()).await, (19, Vec::new()), "that is no trouble");
    held.rollback().await.unwrap();
    assert_eq!(run_whole(&mut settle, &state, noon()).await, (1, Vec::new()));
}

#[sqlx::test]
async fn accounts_that_somebody_holds_keep_no_others_waiting_however_many_they_are(pool: PgPool) {
    let clock = Clock::standing_at(noon());
    let state = ready(&pool, &clock).await;
    let accounts = open(&state, 400).await;
    let (held, free) = accounts.split_at(300);
    // They come first in the queue.
    lend(&state, held, noon() + TimeDelta::minutes(1)).await;
    lend(&state, free, noon() + TimeDelta::hours(1)).await;
    clock.set(noon() + TimeDelta::hours(1));
    let mut settle = Settle::default();
    let holding = hold(&pool, held).await;
    let run = timeout(Duration::from_secs(20), run_whole(&mut settle, &state, noon()));
    assert_eq!(run.await.expect("nobody is waited for"), (100, Vec::new()));
    holding.rollback().await.unwrap();
    assert_eq!(run_whole(&mut settle, &state, noon()).await, (300, Vec::new()));
    assert_sound(&pool).await;
}

#[sqlx::test]
async fn an_account_of_which_somebody_holds_a_lot_is_settled_with_the_next_turn_too(pool: PgPool) {
    let clock = Clock::standing_at(noon());
    let state = ready(&pool, &clock).await;
    let accounts = open(&state, 1).await;
    lend(&state, &accounts, noon() + TimeDelta::hours(1)).await;
    clock.set(noon() + TimeDelta::hours(1));
    let mut settle = Settle::default();
    let held = lock(&pool, "select from lots for update").await;
    assert_eq!(run_whole(&mut settle, &state, noon()).await, (0, Vec::new()));
    held.rollback().await.unwrap();
    assert_eq!(run_whole(&mut settle, &state, noon()).await, (1, Vec::new()));
}

#[sqlx::test]
async fn whoever_wants_all_settled_waits_for_an_account_that_somebody_holds(pool: PgPool) {
    let clock = Clock::standing_at(noon());
    let state = ready(&pool, &clock).await;
    let accounts = open(&state, 20).await;
    lend(&state, &accounts, noon() + TimeDelta::hours(1)).await;
    clock.set(noon() + TimeDelta::hours(1));
    let held = hold(&pool, &accounts[..1]).await;
    let ledger = state.ledger.clone();
    let all = tokio::spawn(async move { settle_all(&ledger).await.unwrap() });
    // Longer than a lane waits for a lock.
    sleep(Duration::from_millis(2_500)).await;
    held.rollback().await.unwrap();
    assert_eq!(all.await.unwrap(), 20);
}

#[sqlx::test]
async fn what_waits_to_be_settled_when_the_ledger_stops_is_told_so_and_is_no_failure(pool: PgPool) {
    let clock = Clock::standing_at(noon());
    let state = ready(&pool, &clock).await;
    let accounts = open(&state, 8).await;
    lend(&state, &accounts, noon() + TimeDelta::hours(1)).await;
    clock.set(noon() + TimeDelta::hours(1));
    // The lane waits for somebody, and what is to be settled for the lane.
    let (ledger, bucket) = (state.ledger.clone(), state.ledger.bucket(accounts[0]));
    let held = lock(&pool, "lock table entries in share mode").await;
    let (elsewhere, first) = (ledger.clone(), accounts[0]);
    let first = tokio::spawn(async move { elsewhere.settle(bucket, vec![first]).await });
    until("the lane waits", async || is_waited_for(&pool).await.then_some(())).await;
    let (second, ()) = tokio::join!(ledger.settle(bucket, vec![accounts[1]]), ledger.stop());
    assert!(first.await.unwrap().is_err_and(|error| error.is_lock_timeout()));
    assert!(matches!(second, Err(Error::Stopping)), "{second:?}");
    held.rollback().await.unwrap();

    let mut schedule = Schedule::new(vec![Box::new(Settle::default())], Instant::now());
    step(&mut schedule, &state).await;
    assert_eq!(runs_of(&state, "settle").await, []);
    assert_eq!(job_runs::last_looked(&pool, "settle").await.unwrap(), None, "more is to be done");
}

#[sqlx::test]
async fn a_run_ends_with_what_it_did_so_far_when_the_program_is_asked_to_stop(pool: PgPool) {
    let clock = Clock::standing_at(noon());
    let state = ready(&pool, &clock).await;
    let accounts = open(&state, 2_000).await;
    lend(&state, &accounts, noon() + TimeDelta::hours(1)).await;
    clock.set(noon() + TimeDelta::hours(1));
    let (stop, stopping) = watch::channel(false);
    let jobs = tokio::spawn(jobs::run(state.clone(), stopping));
    until("it is at work", async || runs_of(&state, "settle").await.pop()).await;
    stop.send_replace(true);
    timeout(LONG, jobs).await.expect("it ends").unwrap();
    let runs = runs_of(&state, "settle").await;
    assert_eq!((runs.len(), runs[0].is_running, runs[0].error.as_deref()), (1, false, None));
    assert_eq!(job_runs::last_looked(&pool, "settle").await.unwrap(), None, "more is to be done");
    let left = overview(&pool, &clock, RUNS).await.unwrap().overdue.accounts;
    assert_eq!(runs[0].things + left, 2_000, "what it says is what it did");
}

#[sqlx::test]
async fn a_backlog_is_caught_up_bucket_by_bucket_while_spends_go_on(pool: PgPool) {
    const BACKLOG: usize = 3_000;
    const SPENDERS: usize = 16;
    let clock = Clock::standing_at(noon());
    let state = ready(&pool, &clock).await;
    let accounts = open(&state, BACKLOG).await;
    subscribe(&state, &accounts).await;
    clock.set(noon() + Months::new(1));
    let spenders = &accounts[..SPENDERS];
    let (mut settle, mut settled, mut spent) = (Settle::default(), 0, 0);
    loop {
        let key = format!("spend-{spent}");
        let spends = spenders.iter().map(|account| spend(&state, *account, &key, "render", None));
        let spends = join_all(spends.map(|spend| state.ledger.execute(spend)));
        let (done, answers) = tokio::join!(settle.run_once(&state, noon()), spends);
        spent += 1;
        let done = done.unwrap();
        assert_eq!(done.trouble, None);
        settled += done.things;
        // Each has the five credits of one month.
        let is_paid = |answer: Result<Answer, Error>| answer.unwrap().is_ok();
        assert!(answers.into_iter().map(is_paid).all(|is_paid| is_paid == (spent <= 5)));
        if spent == 8 {
            let buckets = sqlx::query_scalar!(
                r#"select count(distinct bucket) as "buckets!" from entries where kind = 'n'"#
            );
            assert_eq!(buckets.fetch_one(&pool).await.unwrap(), 8, "no bucket waits for another");
        }
        if !done.is_more {
            break;
        }
    }
    assert!(settled as usize >= BACKLOG - SPENDERS, "{settled}");
    assert_renewed(&pool, &accounts, 1).await;
    assert_sound(&pool).await;
}

#[sqlx::test]
async fn a_lane_whose_accounts_the_job_settles_still_knows_them(pool: PgPool) {
    let clock = Clock::standing_at(noon());
    let state = ready(&pool, &clock).await;
    let accounts = open(&state, 4).await;
    subscribe(&state, &accounts).await;
    clock.set(noon() + Months::new(1));
    assert_eq!(settle_all(&state.ledger).await.unwrap(), 4);
    // No account can be read any more, so what is remembered has to be right.
    meddle(&pool, "alter function as_row(accounts) rename to away").await;
    for account in accounts {
        assert!(state.ledger.execute(spend(&state, account, "s", "render", None)).await.unwrap().is_ok());
    }
    let stranger = open(&state, 1).await[0];
    assert!(state.ledger.execute(spend(&state, stranger, "s", "render", None)).await.is_err());
    meddle(&pool, "alter function away(accounts) rename to as_row").await;
    assert_sound(&pool).await;
}

#[sqlx::test]
async fn runs_are_recorded_and_old_ones_and_ended_sessions_thrown_away(pool: PgPool) {
    let state = ready(&pool, &Clock::default()).await;
    let now = Clock::default().now();
    for number in 0..1_001_u32 {
        let (data, ended) = (serde_json::Value::Null, now - TimeDelta::seconds(1));
        assert!(sessions::insert(&pool, &number.to_be_bytes().repeat(8), &data, ended).await.unwrap());
    }
    let there = sessions::insert(&pool, &[1; 32], &serde_json::Value::Null, now + TimeDelta::hours(1)).await;
    assert!(there.unwrap());
    for (number, age) in [29, 30].into_iter().enumerate() {
        let run = JobRun {
            id: Uuid::from_u128(number as u128),
            job: "settle".to_owned(),
            started_at: now - TimeDelta::days(age),
            took_ms: 1_500,
            things: 12,
            is_running: false,
            error: None,
        };
        job_runs::write(&pool, &run).await.unwrap();
    }

    let mut schedule = Schedule::new(vec![Box::new(Prune)], Instant::now());
    step(&mut schedule, &state).await;
    let under_way = &runs_of(&state, "prune").await[0];
    assert_eq!((under_way.things, under_way.is_running), (1_001, true), "a thousand sessions and a run");
    step(&mut schedule, &state).await;
    let runs = runs_of(&state, "prune").await;
    assert_eq!((runs.len(), runs[0].things, runs[0].is_running), (1, 1_002, false));
    let looked = job_runs::last_looked(&pool, "prune").await.unwrap().unwrap();
    step(&mut schedule, &state).await;
    assert_eq!(runs_of(&state, "prune").await.len(), 1, "one that did nothing is none");
    assert!(job_runs::last_looked(&pool, "prune").await.unwrap().unwrap() > looked);

    let left = sqlx::query_scalar!("select count(*) as \"left!\" from sessions").fetch_one(&pool).await;
    assert_eq!(left.unwrap(), 1);
    assert_eq!(runs_of(&state, "settle").await.len(), 1);
    let told = overview(&pool, &Clock::default(), 1).await.unwrap().to_string();
    assert!(told.contains("12 done in 1,500 ms") && told.ends_with("Nothing is due.\n"), "{told}");
}

#[sqlx::test]
async fn many_at_once_and_broken_off_anywhere_renew_each_account_exactly_once(pool: PgPool) {
    const MONTHS: u32 = 6;
    let mut rng = StdRng::seed_from_u64(6);
    let clock = Clock::standing_at(noon());
    let processes =
        [ready(&pool, &clock).await, neighbour(&pool, &clock).await, neighbour(&pool, &clock).await];
    let accounts = open(&processes[0], 120).await;
    subscribe(&processes[0], &accounts).await;
    for month in 1..=MONTHS {
        clock.set(noon() + Months::new(month));
        let tasks: Vec<_> = (0..9)
            .map(|task| {
                let ledger = processes[task % processes.len()].ledger.clone();
                tokio::spawn(async move { settle_all(&ledger).await.map(drop) })
            })
            .collect();
        for task in &tasks[3..] {
            sleep(Duration::from_micros(rng.random_range(0..4_000))).await;
            task.abort();
        }
        let others = sqlx::query!(
            "select pg_terminate_backend(pid)
             from pg_stat_activity
             where datname = current_database()
               and state = 'active'
               and pid <> pg_backend_pid()
               and query like '%accounts%'"
        );
        others.fetch_all(&pool).await.unwrap();
        for task in tasks {
            // Broken off, or its connection was.
            let _ = task.await;
        }
        let last = &processes[month as usize % processes.len()].ledger;
        until("what is left is settled", async || settle_all(last).await.ok()).await;
        assert_renewed(&pool, &accounts, month.into()).await;
    }
    assert_sound(&pool).await;
}

#[tokio::test]
async fn of_two_servers_the_other_takes_over_when_the_one_with_the_jobs_is_killed() {
    let data = TempDir::new().unwrap();
    let database = Embedded::start(data.path()).await.unwrap();
    let (address, pool) = (database.url(), store::connect(database.connect_options()));
    store::migrate(&pool).await.unwrap();
    let serve = async || {
        let mut server = scrip(data.path(), &["serve"]);
        server.env("DATABASE_URL", &address).stderr(Stdio::null());
        started(server).await.0
    };
    let state = ready(&pool, &Clock::standing_at(noon())).await;
    let accounts = open(&state, 400).await;
    subscribe(&state, &accounts).await;
    state.ledger.stop().await;
    test_clock::write(&pool, Some(noon() + Months::new(1))).await.unwrap();

    let first = serve().await;
    let pid = until("the first does the jobs", async || holder(&pool).await).await;
    let second = serve().await;
    assert_eq!(holder(&pool).await, Some(pid));
    // In the middle of its work, if it is quick; once more with the other, whose connection alone is lost.
    send(&first, Signal::KILL);
    let next = until("the second takes over", async || holder(&pool).await.filter(|next| *next != pid)).await;
    end(&pool, next).await;
    until("it takes the jobs up again", async || holder(&pool).await.filter(|again| *again != next)).await;
    let clock = Clock::standing_at(noon() + Months::new(1));
    until("all is settled", async || {
        (overview(&pool, &clock, RUNS).await.unwrap().overdue.accounts == 0).then_some(())
    })
    .await;
    assert_renewed(&pool, &accounts, 1).await;

    until("it says so", async || job_runs::last_looked(&pool, "settle").await.unwrap()).await;
    let mut jobs = scrip(data.path(), &["jobs"]);
    jobs.env("DATABASE_URL", &address);
    let (told, said) = run(jobs).await;
    assert!(told && said.contains("settle    last looked 2") && said.contains("Nothing is due."), "{said}");
    stop(second).await;
    assert_sound(&pool).await;
    pool.close().await;
    database.stop().await;
}
