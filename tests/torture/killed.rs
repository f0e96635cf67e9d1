//! The program killed at any moment, over and over. Another process of this test program serves a crowd and
//! says on its output what it is about to ask and what it was told; then it is killed, and an engine that
//! knows nothing of it must give the same answers.

use std::{
    collections::BTreeMap,
    env,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{StreamExt, stream};
use rand::{Rng, SeedableRng, rngs::StdRng};
use scrip::{
    domain::AccountId,
    server::{clock::Clock, ledger::Ledger},
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::Command,
    task::JoinSet,
    time::timeout,
};

use crate::{
    books::{Books, LONG, Outcome, assert_sound},
    bounds::bounds,
    deed::{Deed, Known, pack},
    place::{Place, aside, backends, breathe, engine, open_accounts, server_database, until_gone},
};

/// What the other process is to do: a [`Job`].
const JOB: &str = "SCRIP_TORTURE_JOB";
const TASKS: usize = 16;
const ACCOUNTS: usize = 4;
/// After how many answers at most a program is killed: from its first moments to well under way.
const ANSWERS_MAX: usize = 160;
/// How many commands are asked again at a time.
const AT_A_TIME: usize = 32;

#[derive(Serialize, Deserialize)]
struct Job {
    database: String,
    accounts: Vec<String>,
    seed: u64,
}

/// A line of the other process.
#[derive(Serialize, Deserialize)]
enum Said {
    /// It is about to ask for this.
    Asks { account: usize, key: String, deed: Deed },
    /// It was told that this is done.
    Heard { account: usize, key: String, version: i64 },
    /// It was told that this was not done.
    Refused { account: usize, key: String },
}

/// What is known of one command of a life.
struct Trace {
    deed: Deed,
    asked: usize,
    heard: Vec<i64>,
    refused: usize,
}

/// What became of the commands of one life, or of many.
#[derive(Default)]
struct Tally {
    acknowledged: usize,
    unknown: usize,
    /// Of the unknown: carried out before the end.
    found_done: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_program_acknowledged_is_there_and_what_it_did_not_happens_once() {
    let bounds = bounds();
    let mut rng = bounds.rng(2);
    let place = Place::new().await;
    let home = place.engine().await;
    let mut watch = aside(&place.options).await;
    let mut all = Tally::default();
    for life in 0..bounds.runs {
        let accounts = open_accounts(&home, &place.pool, ACCOUNTS).await;
        let tally = one_life(&place, &home, &accounts, &mut watch, &mut rng).await;
        all.acknowledged += tally.acknowledged;
        all.unknown += tally.unknown;
        all.found_done += tally.found_done;
        if (life + 1) % 100 == 0 {
            eprintln!("{} lives: {} acknowledged, {} unknown", life + 1, all.acknowledged, all.unknown);
        }
    }
    eprintln!(
        "{} lives: {} commands were acknowledged; of {} unknown ones {} had been done",
        bounds.runs, all.acknowledged, all.unknown, all.found_done
    );
    assert!(all.acknowledged > 0 && all.unknown > 0, "they were killed in the middle of it");
    assert_sound(&place.pool).await;
    home.stop().await;
    drop(watch);
    place.remove().await;
}

async fn one_life(
    place: &Place,
    home: &Ledger,
    accounts: &[AccountId],
    watch: &mut PgConnection,
    rng: &mut StdRng,
) -> Tally {
    let books = Books::default();
    for account in accounts {
        books.ask(home, *account, "to-begin-with", &pack(100)).await;
    }
    let ours = backends(watch).await;
    let names = accounts.iter().map(ToString::to_string).collect();
    let job = Job { database: place.name.clone(), accounts: names, seed: rng.random() };
    let traces = live_and_die(&job, rng.random_range(0..ANSWERS_MAX), rng.random_range(0..3_000)).await;
    let dead = &backends(watch).await - &ours;

    let reborn = place.engine().await;
    // Sometimes the next program asks while the database still works for the last one.
    let in_haste = rng.random_bool(0.5);
    if !in_haste {
        until_gone(watch, &dead).await;
    }
    for ((account, key), trace) in &traces {
        // What was refused in full must have left no trace, unless it is asked again.
        let told = if trace.is_open() { Outcome::Unknown } else { Outcome::NotAccepted };
        books.note(accounts[*account], key, &trace.deed, told);
    }
    let tally = Mutex::new(Tally::default());
    stream::iter(traces.iter().filter(|(_, trace)| trace.is_open()))
        .for_each_concurrent(AT_A_TIME, |((account, key), trace)| {
            let (account, books, reborn, tally) = (accounts[*account], &books, &reborn, &tally);
            async move { ask_after_death(books, reborn, account, key, trace, tally).await }
        })
        .await;
    if in_haste {
        // What was refused in haste may have been on its way, before what it was refused for.
        until_gone(watch, &dead).await;
        books.ask_rest_again(&reborn).await;
    }
    books.check(&reborn, &place.pool, true).await;
    reborn.stop().await;
    tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Asks again what the dead program asked, under the same key.
async fn ask_after_death(
    books: &Books,
    reborn: &Ledger,
    account: AccountId,
    key: &str,
    trace: &Trace,
    tally: &Mutex<Tally>,
) {
    let Trace { deed, heard, .. } = trace;
    let answer = loop {
        let answer = books.ask(reborn, account, key, deed).await;
        if answer.is_an_answer() {
            break answer;
        }
    };
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    if heard.is_empty() {
        tally.unknown += 1;
        tally.found_done += usize::from(matches!(answer, Outcome::Done(receipt) if receipt.replayed));
        return;
    }
    tally.acknowledged += 1;
    let Outcome::Done(receipt) = answer else {
        panic!("{account} {key} was acknowledged as {heard:?}, and is now {answer:?}")
    };
    assert!(
        receipt.replayed,
        "{account} {key} was acknowledged as {heard:?}, and is done for the first time"
    );
    for version in heard {
        assert_eq!(receipt.entry.version.0, *version, "{account} {key}");
    }
}

impl Trace {
    /// Whether it was done, or may have been.
    fn is_open(&self) -> bool {
        !self.heard.is_empty() || self.asked > self.refused
    }
}

/// Lets the other process work until it has had so many answers, and then for some microseconds more; kills
/// it, and returns what it had said.
async fn live_and_die(job: &Job, answers: usize, micros: u64) -> BTreeMap<(usize, String), Trace> {
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--nocapture", "--exact"])
        .arg(format!("{module}::the_program_that_is_killed"))
        .env(JOB, serde_json::to_string(job).unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut traces, mut answered) = (BTreeMap::new(), 0);
    while answered <= answers {
        let line = timeout(LONG, lines.next_line()).await.expect("it answers").unwrap();
        let line = line.expect("it does not end by itself");
        answered += usize::from(learn(&mut traces, &line));
    }
    breathe(micros).await;
    child.kill().await.unwrap();
    while let Some(line) = timeout(LONG, lines.next_line()).await.unwrap().unwrap() {
        learn(&mut traces, &line);
    }
    traces
}

/// Whether the line tells of an answer. The last one may have been broken off.
fn learn(traces: &mut BTreeMap<(usize, String), Trace>, line: &str) -> bool {
    match serde_json::from_str(line) {
        Ok(Said::Asks { account, key, deed }) => {
            let new = Trace { deed, asked: 0, heard: Vec::new(), refused: 0 };
            traces.entry((account, key)).or_insert(new).asked += 1;
            false
        }
        Ok(Said::Heard { account, key, version }) => {
            traces.get_mut(&(account, key)).unwrap().heard.push(version);
            true
        }
        Ok(Said::Refused { account, key }) => {
            traces.get_mut(&(account, key)).unwrap().refused += 1;
            true
        }
        Err(_) => false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "not a test by itself: another runs it as a process that it can kill"]
async fn the_program_that_is_killed() {
    let Ok(job) = env::var(JOB) else { return };
    let job: Job = serde_json::from_str(&job).unwrap();
    // The first line would follow what the test harness says.
    println!();
    let life = Arc::new(Life {
        ledger: engine(&server_database(&job.database)).await,
        accounts: job.accounts.iter().map(|account| account.parse().unwrap()).collect(),
        known: job.accounts.iter().map(|_| Mutex::default()).collect(),
        clock: Clock::default(),
    });
    let mut rng = StdRng::seed_from_u64(job.seed);
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (life, mut rng) = (Arc::clone(&life), StdRng::from_rng(&mut rng));
        tasks.spawn(async move {
            for number in 0_u64.. {
                life.one(&mut rng, format!("{task}-{number}")).await;
            }
        });
    }
    // Whoever started it has gone: nobody would end it.
    let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
}

/// What the tasks of the other process share.
struct Life {
    ledger: Ledger,
    accounts: Vec<AccountId>,
    known: Vec<Mutex<Known>>,
    clock: Clock,
}

impl Life {
    async fn one(&self, rng: &mut StdRng, key: String) {
        let account = rng.random_range(0..self.accounts.len());
        let known = || self.known[account].lock().unwrap_or_else(PoisonError::into_inner);
        let deed = known().invent(rng, self.clock.now());
        for _ in 0..if rng.random_bool(0.1) { 2 } else { 1 } {
            say(&Said::Asks { account, key: key.clone(), deed: deed.clone() });
            match self.ledger.execute(deed.asked_of(self.accounts[account], &key)).await {
                Ok(Ok(receipt)) => {
                    known().learn(&receipt.entry);
                    say(&Said::Heard { account, key: key.clone(), version: receipt.entry.version.0 });
                }
                Ok(Err(_)) => say(&Said::Refused { account, key: key.clone() }),
                Err(_) => {}
            }
        }
    }
}

/// In one piece, and out before anything else happens.
fn say(said: &Said) {
    println!("{}", serde_json::to_string(said).unwrap());
}
