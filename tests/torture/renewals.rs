//! Renewals under torture: two whole servers on one database are told at the same moment that periods have ended, and one
//! of them is killed in the middle of it, over and over, while both are asked for spends. Each account is renewed once for
//! each period, whoever did it.

#![expect(
    clippy::disallowed_methods,
    reason = "what is asked here is the program's own table, of this test alone"
)]

use std::{
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Months, Utc};
use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::{Client, Method};
use scrip::{
    domain::{AccountId, Act, Command, IdempotencyKey},
    server::{
        auth::{ApiKeys, NewKey},
        catalog,
        clock::Clock,
        jobs::overview,
        ledger::Ledger,
        store::{self, api_keys::Scope, embedded::Embedded, test_clock},
        subscriptions::subscribe,
    },
};
use serde_json::{Value, json};
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{self, Child},
    task::JoinSet,
    time::timeout,
};

use crate::{
    books::{LONG, assert_sound},
    bounds::bounds,
    place::{breathe, open_accounts, until},
};

const ACCOUNTS: usize = 2_000;
/// Who asks the servers for spends meanwhile, each one after the other.
const SPENDERS: usize = 4;
/// How many months end at once at most.
const MONTHS_MAX: u32 = 3;
/// How many requests a key may make in a minute: more than there will be.
const REQUESTS: u32 = 1_000_000;

const CATALOG: &str = "
    name = \"Test product\"
    summary = \"What the tests run.\"
    [[actions]]
    key = \"render\"
    title = \"Render a picture\"
    cost = 1
    [[plans]]
    key = \"free\"
    title = \"Free\"
    monthly_credits = 5
";

/// The servers, as they are at the moment.
struct Pair {
    database: String,
    data: TempDir,
    running: [Child; 2],
    host: Host,
}

/// Who asks them, wherever they are at the moment.
#[derive(Clone)]
struct Host {
    client: Client,
    key: String,
    urls: Arc<Mutex<[String; 2]>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_that_are_killed_again_and_again_renew_each_account_once_a_period() {
    let bounds = bounds();
    let mut rng = bounds.rng(7);
    // One that waits for the disk: a server refuses any other.
    let folder = TempDir::new().unwrap();
    let database = Embedded::start(folder.path()).await.unwrap();
    let pool = store::connect(database.connect_options());
    store::migrate(&pool).await.unwrap();
    let begin: DateTime<Utc> = "2026-01-31T12:00:00Z".parse().unwrap();
    let clock = Clock::standing_at(begin);
    let accounts = subscribed(&pool, &clock).await;
    test_clock::write(&pool, Some(begin)).await.unwrap();
    let mut pair = Pair::start(&pool, database.url()).await;
    let spenders = pair.spend(&accounts, &mut rng);

    let mut months = 0;
    for _ in 0..bounds.scaled(6) {
        // Whatever is left of the periods before.
        months += rng.random_range(1..=MONTHS_MAX);
        clock.set(begin + Months::new(months));
        let (before, all) = (renewals(&pool).await, ACCOUNTS as i64 * i64::from(months));
        let enough = rng.random_range(before..all);
        let told = pair.tell(&clock);
        until("they are at work", async || renewals(&pool).await >= enough).await;
        pair.kill_one(&mut rng).await;
        drop(told);
    }
    pair.tell(&clock).join_all().await;
    until("nothing is due", async || overview(&pool, &clock, 1).await.unwrap().overdue.accounts == 0).await;
    drop(spenders);
    pair.end().await;
    assert_renewed(&pool, months).await;
    assert_sound(&pool).await;
    pool.close().await;
    database.stop().await;
}

/// Accounts on a plan.
async fn subscribed(pool: &PgPool, clock: &Clock) -> Vec<AccountId> {
    let ledger = Ledger::open(pool.clone(), clock.clone()).await.unwrap();
    let accounts = open_accounts(&ledger, pool, ACCOUNTS).await;
    let catalog = catalog::parse(CATALOG).unwrap();
    let asked = subscribe(&catalog, catalog.plan("free").unwrap());
    let mut begun = JoinSet::new();
    for account in &accounts {
        let key = IdempotencyKey::parse("plan").unwrap();
        let (ledger, command) = (ledger.clone(), Command::new(*account, key, Act::Subscribe(asked.clone())));
        begun.spawn(async move { ledger.execute(command).await.unwrap().unwrap() });
    }
    begun.join_all().await;
    ledger.stop().await;
    accounts
}

impl Pair {
    async fn start(pool: &PgPool, database: String) -> Self {
        let data = TempDir::new().unwrap();
        let (one, other) = (serve(data.path(), &database).await, serve(data.path(), &database).await);
        let key = NewKey::parse("torture".to_owned(), vec![Scope::Admin], REQUESTS.try_into().unwrap());
        let (_, key) = ApiKeys::new(pool.clone()).create(key.unwrap()).await.unwrap();
        let urls = Arc::new(Mutex::new([one.1, other.1]));
        Self { database, data, running: [one.0, other.0], host: Host { client: Client::new(), key, urls } }
    }

    /// Tells both at once what time it is. Each settles what fell due by then, and answers when it has, if it lives.
    fn tell(&self, clock: &Clock) -> JoinSet<()> {
        let mut told = JoinSet::new();
        for server in 0..2 {
            let (host, now) = (self.host.clone(), clock.now());
            told.spawn(async move {
                host.send(Method::PUT, server, "/test/clock", "clock", json!({"now": now})).await
            });
        }
        told
    }

    /// Asks them for spends, for as long as what it returns is kept. Whatever they are answered: it is the renewals
    /// before them that count.
    fn spend(&self, accounts: &[AccountId], rng: &mut StdRng) -> JoinSet<()> {
        let mut spenders = JoinSet::new();
        for spender in 0..SPENDERS {
            let (host, accounts, mut rng) = (self.host.clone(), accounts.to_vec(), StdRng::from_rng(rng));
            spenders.spawn(async move {
                for number in 0_u64.. {
                    let (server, account) = (rng.random_range(0..2), rng.random_range(0..accounts.len()));
                    let spend = json!({"account": accounts[account].to_string(), "amount": 1});
                    host.send(Method::POST, server, "/spends", &format!("{spender}-{number}"), spend).await;
                    breathe(rng.random_range(0..20_000)).await;
                }
            });
        }
        spenders
    }

    /// Kills one of them, whichever, and starts it again.
    async fn kill_one(&mut self, rng: &mut StdRng) {
        let which = rng.random_range(0..2);
        self.running[which].kill().await.unwrap();
        let (server, url) = serve(self.data.path(), &self.database).await;
        self.running[which] = server;
        self.host.urls.lock().unwrap_or_else(PoisonError::into_inner)[which] = url;
    }

    async fn end(self) {
        for mut server in self.running {
            server.kill().await.unwrap();
        }
    }
}

impl Host {
    /// Whatever is answered, if anything is.
    async fn send(&self, method: Method, server: usize, path: &str, key: &str, body: Value) {
        let url = self.urls.lock().unwrap_or_else(PoisonError::into_inner)[server].clone();
        let asked = self.client.request(method, format!("{url}/api/v1{path}")).bearer_auth(&self.key);
        let asked = asked.header("content-type", "application/json").header("idempotency-key", key);
        let _ = asked.timeout(LONG).body(body.to_string()).send().await;
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

/// How many were written so far, of all accounts.
async fn renewals(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from entries where kind = 'n'").fetch_one(pool).await.unwrap()
}

/// Each account was renewed so many times, at so many moments.
async fn assert_renewed(pool: &PgPool, times: u32) {
    let renewed = sqlx::query_as(
        "select count(*), count(distinct at)
         from entries
         where kind = 'n'
         group by account_id",
    );
    let renewed: Vec<(i64, i64)> = renewed.fetch_all(pool).await.unwrap();
    assert_eq!(renewed.len(), ACCOUNTS);
    assert!(renewed.iter().all(|counted| *counted == (times.into(), times.into())), "{times}: {renewed:?}");
}
