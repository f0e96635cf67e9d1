//! Renewals under torture: two whole servers are started at once on a database on which periods have ended. While their
//! job renews, one of them or both are killed and started again, over and over, and asked for spends all the time. Each
//! account is renewed as the law says, once at each moment, whoever did it.

#![expect(
    clippy::disallowed_methods,
    reason = "what is asked here is the program's own table, of this test alone"
)]

use std::{
    collections::BTreeMap,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Months, Utc};
use futures_util::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::Client;
use scrip::{
    domain::{Account, AccountId, Act, Command, IdempotencyKey, Kind, Subscribe},
    server::{
        auth::{ApiKeys, NewKey},
        catalog,
        clock::Clock,
        jobs::overview,
        ledger::{Ledger, overdue},
        store::{self, api_keys::Scope, embedded::Embedded, test_clock},
        subscriptions::subscribe,
    },
};
use serde_json::json;
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    join,
    process::{self, Child},
    task::JoinSet,
    time::timeout,
};
use uuid::Uuid;

use crate::{
    books::{LONG, assert_sound},
    bounds::bounds,
    place::{breathe, open_accounts, until},
};

/// How many accounts are on each plan.
const ACCOUNTS: usize = 600;
/// Who asks the servers for spends meanwhile, each one after the other, with a pause of up to so many microseconds. They
/// are few: it is the job that renews.
const SPENDERS: usize = 2;
const PAUSE_MAX: u64 = 50_000;
/// How many months end at once at most.
const MONTHS_MAX: u32 = 3;
/// How often servers are killed before they are let alone to finish.
const KILLS_MAX: u32 = 3;
/// How many requests a key may make in a minute: more than there will be.
const REQUESTS: u32 = 1_000_000;
/// How many runs of a job are looked at: more than there will be.
const RUNS: u16 = 1_000;

/// Once without a cap, once with rollover, and once paid for two months, with a grace and a plan that follows.
const PLANS: [(&str, Option<Months>); 3] = [("free", None), ("pro", None), ("studio", Some(Months::new(2)))];
const CATALOG: &str = r#"
    name = "Test product"
    summary = "What the tests run."
    grace_days = 3
    [signup]
    plan = "free"
    [[actions]]
    key = "render"
    title = "Render a picture"
    cost = 1
    [[plans]]
    key = "free"
    title = "Free"
    monthly_credits = 5
    [[plans]]
    key = "pro"
    title = "Pro"
    price = "12.00"
    currency = "usd"
    monthly_credits = 20
    rollover_cap = 2
    [[plans]]
    key = "studio"
    title = "Studio"
    price = "30.00"
    currency = "usd"
    monthly_credits = 50
    rollover_cap = 3
"#;

/// The servers, as they are at the moment.
struct Pair {
    database: String,
    data: TempDir,
    running: [Child; 2],
}

/// Who asks them, wherever they are at the moment.
#[derive(Clone)]
struct Host {
    client: Client,
    key: String,
    urls: Arc<Mutex<[String; 2]>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_that_are_killed_again_and_again_renew_each_account_as_the_law_says() {
    let bounds = bounds();
    let mut rng = bounds.rng(7);
    // One that waits for the disk: a server refuses any other.
    let folder = TempDir::new().unwrap();
    let database = Embedded::start(folder.path()).await.unwrap();
    let pool = store::connect(database.connect_options());
    store::migrate(&pool).await.unwrap();
    let begin: DateTime<Utc> = "2026-01-31T12:00:00Z".parse().unwrap();
    let clock = Clock::standing_at(begin);
    let begun = subscribed(&pool, &clock).await;
    let host = Host::new(&pool).await;
    let spenders = host.spend(begun.iter().map(Account::id).collect(), &mut rng);

    let due = async || overdue(&pool, &clock).await.unwrap().accounts;
    let mut months = 0;
    for _ in 0..bounds.scaled(6) {
        months += rng.random_range(1..=MONTHS_MAX);
        clock.set(begin + Months::new(months));
        // Nobody runs who could be told: they are started on it, and it is their jobs that find what is due.
        test_clock::write(&pool, Some(clock.now())).await.unwrap();
        let mut pair = Pair::start(database.url(), &host).await;
        for _ in 0..rng.random_range(1..=KILLS_MAX) {
            let left = rng.random_range(0..=due().await);
            until("they are at work", async || due().await <= left).await;
            pair.kill_some(&host, &mut rng).await;
        }
        until("nothing is due", async || due().await == 0).await;
        until("no run is left as if it went on", async || !is_run_under_way(&pool, &clock).await).await;
        pair.end().await;
    }
    drop(spenders);
    assert_renewed(&pool, begun, clock.now()).await;
    assert_sound(&pool).await;
    pool.close().await;
    database.stop().await;
}

/// Accounts on each plan, as they have begun.
async fn subscribed(pool: &PgPool, clock: &Clock) -> Vec<Account> {
    let ledger = Ledger::open(pool.clone(), clock.clone()).await.unwrap();
    let accounts = open_accounts(&ledger, pool, PLANS.len() * ACCOUNTS).await;
    let catalog = catalog::parse(CATALOG).unwrap();
    let mut begun = JoinSet::new();
    for (accounts, (plan, paid_for)) in accounts.chunks(ACCOUNTS).zip(PLANS) {
        let paid_until = paid_for.map(|months| clock.now() + months);
        let asked = Subscribe { paid_until, ..subscribe(&catalog, catalog.plan(plan).unwrap()) };
        for account in accounts {
            let key = IdempotencyKey::parse("plan").unwrap();
            let (ledger, command) =
                (ledger.clone(), Command::new(*account, key, Act::Subscribe(asked.clone())));
            begun.spawn(async move {
                let account = command.account;
                ledger.execute(command).await.unwrap().unwrap();
                ledger.account(account).await.unwrap()
            });
        }
    }
    let begun = begun.join_all().await;
    ledger.stop().await;
    begun
}

/// Whoever takes over ends the run of one that was killed.
async fn is_run_under_way(pool: &PgPool, clock: &Clock) -> bool {
    let jobs = overview(pool, clock, RUNS).await.unwrap().jobs;
    jobs.iter().flat_map(|job| &job.runs).any(|run| run.is_running)
}

impl Pair {
    async fn start(database: String, host: &Host) -> Self {
        let data = TempDir::new().unwrap();
        let ((one, url), (other, other_url)) =
            join!(serve(data.path(), &database), serve(data.path(), &database));
        *host.urls() = [url, other_url];
        Self { database, data, running: [one, other] }
    }

    /// Kills one of them, whichever, or both, and starts again who was killed.
    async fn kill_some(&mut self, host: &Host, rng: &mut StdRng) {
        let killed: &[usize] = [&[0][..], &[1], &[0, 1]][rng.random_range(0..3)];
        for which in killed {
            self.running[*which].kill().await.unwrap();
        }
        let started = killed.iter().map(|_| serve(self.data.path(), &self.database));
        for (which, (server, url)) in killed.iter().zip(join_all(started).await) {
            self.running[*which] = server;
            host.urls()[*which] = url;
        }
    }

    async fn end(self) {
        for mut server in self.running {
            server.kill().await.unwrap();
        }
    }
}

impl Host {
    async fn new(pool: &PgPool) -> Self {
        let key = NewKey::parse("torture".to_owned(), vec![Scope::Admin], REQUESTS.try_into().unwrap());
        let (_, key) = ApiKeys::new(pool.clone()).create(key.unwrap()).await.unwrap();
        Self { client: Client::new(), key, urls: Arc::default() }
    }

    fn urls(&self) -> MutexGuard<'_, [String; 2]> {
        self.urls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for spends, for as long as what it returns is kept, whatever is answered, if anything is: it is the renewals
    /// before them that count.
    fn spend(&self, accounts: Vec<AccountId>, rng: &mut StdRng) -> JoinSet<()> {
        let mut spenders = JoinSet::new();
        for spender in 0..SPENDERS {
            let (host, accounts, mut rng) = (self.clone(), accounts.clone(), StdRng::from_rng(rng));
            spenders.spawn(async move {
                for number in 0_u64.. {
                    let (server, account) = (rng.random_range(0..2), rng.random_range(0..accounts.len()));
                    let url = format!("{}/api/v1/spends", host.urls()[server]);
                    let asked = host.client.post(url).bearer_auth(&host.key);
                    let asked = asked.header("content-type", "application/json");
                    let asked = asked.header("idempotency-key", format!("{spender}-{number}"));
                    let spend = json!({"account": accounts[account].to_string(), "amount": 1});
                    let _ = asked.timeout(LONG).body(spend.to_string()).send().await;
                    breathe(rng.random_range(0..PAUSE_MAX)).await;
                }
            });
        }
        spenders
    }
}

/// Starts the program, and waits until it says where it is.
async fn serve(data: &Path, database: &str) -> (Child, String) {
    let mut server = process::Command::new(env!("CARGO_BIN_EXE_scrip"))
        .env("DATABASE_URL", database)
        .env("SCRIP_DATA_DIR", data)
        .env("LEPTOS_SITE_ADDR", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    loop {
        let line = timeout(LONG, lines.next_line()).await.expect("it starts").unwrap();
        if let Some(url) = line.expect("it does not end by itself").strip_prefix("Scrip serves on ") {
            return (server, url.to_owned());
        }
    }
}

/// Each account was renewed when the law, left to itself, renews it: told once, at the end, how late it is.
async fn assert_renewed(pool: &PgPool, begun: Vec<Account>, now: DateTime<Utc>) {
    let renewed = sqlx::query_as(
        "select account_id, array_agg(at::timestamptz order by at)
         from entries
         where kind = 'n'
         group by account_id",
    );
    let renewed: Vec<(Uuid, Vec<DateTime<Utc>>)> = renewed.fetch_all(pool).await.unwrap();
    let renewed: BTreeMap<Uuid, Vec<DateTime<Utc>>> = renewed.into_iter().collect();
    let law: BTreeMap<Uuid, Vec<DateTime<Utc>>> = begun
        .into_iter()
        .map(|mut account| {
            account.settle(now);
            let renewals = account.journal().iter().filter(|entry| matches!(entry.kind, Kind::Renewal(_)));
            (account.id().into(), renewals.map(|entry| entry.at).collect())
        })
        .collect();
    assert!(law.values().all(|moments: &Vec<_>| !moments.is_empty()), "each has something to renew");
    assert_eq!(renewed, law);
}
