//! What a host application asks of the HTTP API, and what it is answered: all answers are counted, and the books are
//! compared with them.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream};
use rand::{Rng, rngs::SmallRng};
use scrip::{
    domain::AccountId,
    server::{
        auth::{ApiKeys, NewKey},
        store::{api_keys::Scope, connect},
    },
};
use sqlx::{PgPool, Row, raw_sql};
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    cluster::Cluster,
    house::{House, new_key},
    http::{Answer, Wires},
    plan::{LOTS, Plan},
    server::Server,
};

/// How many spends a batch has.
pub const BATCH: usize = 100;

/// More than the server lets be under way at once (`CALLS_MAX`), so that some are refused when all are in use.
pub const CONNECTIONS_MAX: usize = 4_096;

/// What a batch says of each spend that was carried out.
const DONE: &[u8; 12] = br#""status":201"#;

/// How a balance begins.
const BALANCE: &[u8] = br#"{"account":"acct_"#;

/// No key's limit is to be what is measured.
const REQUESTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(2_000_000_000).expect("not zero");

/// The program, with accounts to spend from.
pub struct Api {
    pub server: Server,
    accounts: Arc<Vec<AccountId>>,
    pub wires: Wires,
    /// Which every request bears.
    headers: String,
    pub counts: Counts,
    pool: PgPool,
    /// How many entries there were before the first request.
    entries: u64,
}

/// What was answered since the beginning.
#[derive(Default)]
pub struct Counts {
    /// Spends with status 201, and webhooks with status 200.
    pub done: AtomicU64,
    /// Status 503 or 429, with a time to come back at.
    pub turned_away: AtomicU64,
    /// Any other answer that is not what was asked for.
    pub wrong: AtomicU64,
    /// No answer in time, or none that is HTTP.
    pub lost: AtomicU64,
}

enum Outcome {
    Done,
    ComeBackAfter(Duration),
    Failed,
}

impl Api {
    /// A new ledger of its own, in the database that the cluster's URL names, which the engine has met each account of.
    pub async fn prepare(cluster: &Cluster, plan: &Plan) -> Self {
        let house = House::build(cluster.database("scrip"), plan.accounts, LOTS).await;
        let accounts = house.accounts.clone();
        house.close().await;
        let server = Server::start(&cluster.url()).await;
        let pool = connect(cluster.database("scrip"));
        let scopes = vec![Scope::Read, Scope::Spend];
        let key = NewKey::parse("benchmark".to_owned(), scopes, REQUESTS_PER_MINUTE).expect("a new key");
        let (_, key) = ApiKeys::new(pool.clone()).create(key).await.expect("a key");
        let address = server.address;
        let headers = format!("HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n");
        let wires = Wires::to(address, CONNECTIONS_MAX);
        let counts = Counts::default();
        let mut api = Self { server, accounts, wires, headers, counts, pool, entries: 0 };
        api.entries = api.entries_now().await;
        let accounts = api.accounts.clone();
        let batches = stream::iter(accounts.chunks(BATCH));
        batches.for_each_concurrent(8, async |accounts| assert!(api.spend_from_each(accounts).await)).await;
        api.confirm().await;
        api
    }

    /// Ends it; with the last who has it, the server ends.
    pub async fn close(self: Arc<Self>) {
        self.wires.close();
        self.pool.close().await;
    }

    pub fn any_account(&self, rng: &mut SmallRng) -> AccountId {
        self.accounts[rng.random_range(..self.accounts.len())]
    }

    /// That the ledger has exactly what was answered: as many new entries as there were spends with status 201. Of what
    /// got no answer, it may have any part.
    pub async fn confirm(&self) {
        let new = self.entries_now().await - self.entries;
        let (done, lost) = (Counts::now(&self.counts.done), Counts::now(&self.counts.lost));
        let most = done + lost * BATCH as u64;
        assert!(
            (done..=most).contains(&new),
            "{new} entries, {done} spends that were confirmed, {lost} lost"
        );
    }

    async fn entries_now(&self) -> u64 {
        let count = raw_sql("select count(*) from entries").fetch_one(&self.pool).await;
        count.expect("a number of entries").get::<i64, _>(0).unsigned_abs()
    }

    /// Spends once, and takes no for an answer.
    pub async fn spend(&self, account: AccountId) -> bool {
        matches!(self.try_to_spend(&self.spend_request(account)).await, Outcome::Done)
    }

    /// Spends once; who is told to come back later does, with the same key.
    pub async fn spend_patiently(&self, account: AccountId) -> bool {
        let request = self.spend_request(account);
        loop {
            match self.try_to_spend(&request).await {
                Outcome::Done => return true,
                Outcome::ComeBackAfter(pause) => sleep(pause).await,
                Outcome::Failed => return false,
            }
        }
    }

    async fn try_to_spend(&self, request: &[u8]) -> Outcome {
        let Some(answer) = self.ask(request).await else { return Outcome::Failed };
        match (answer.status, answer.retry_after) {
            (201, _) => {
                self.counts.done.fetch_add(1, Ordering::Relaxed);
                Outcome::Done
            }
            (503 | 429, Some(pause)) => {
                self.counts.turned_away.fetch_add(1, Ordering::Relaxed);
                Outcome::ComeBackAfter(pause)
            }
            _ => {
                self.is_right(&answer, false);
                Outcome::Failed
            }
        }
    }

    /// Spends once from each of these, in one request.
    pub async fn spend_from_each(&self, accounts: &[AccountId]) -> bool {
        let spends = accounts.iter().map(|account| {
            format!(r#"{{"idempotency_key":"{}","account":"{account}","action":"thumbnail"}}"#, new_key())
        });
        let body = format!(r#"{{"spends":[{}]}}"#, spends.collect::<Vec<_>>().join(","));
        let Some(answer) = self.ask(&self.post("/api/v1/spends/batch", "", &body)).await else {
            return false;
        };
        let done = answer.body.windows(DONE.len()).filter(|bytes| *bytes == DONE).count();
        self.counts.done.fetch_add(done as u64, Ordering::Relaxed);
        self.is_right(&answer, answer.status == 200 && done == accounts.len())
    }

    /// Notes that these purchases have begun, each of another account.
    pub async fn begin_purchases(&self, purchases: &[Uuid], session_of: fn(&Uuid) -> String) {
        let sessions: Vec<String> = purchases.iter().map(session_of).collect();
        let accounts = purchases.iter().zip(self.accounts.iter().cycle());
        let accounts: Vec<Uuid> = accounts.map(|(_, account)| Uuid::from(*account)).collect();
        let begin = sqlx::query!(
            "insert into purchases (id, account_id, mode, attempt, pack, title, description, credits, priority, price,
                    currency, success_url, cancel_url, saves_card, created_at, session)
             select id, account_id, 'sandbox', id::text, 'large', 'A thousand credits', '', 1000, 10, 1200,
                    'usd', '', '', false, now(), session
             from unnest($1::uuid[], $2::uuid[], $3::text[]) as new (id, account_id, session)",
            purchases,
            &accounts,
            &sessions,
        );
        begin.execute(&self.pool).await.expect("purchases");
    }

    /// What Stripe sends.
    pub fn delivery(&self, signature: &str, event: &str) -> Vec<u8> {
        self.post("/webhooks/stripe", &format!("Stripe-Signature: {signature}\r\n"), event)
    }

    /// Delivers once; what is answered was kept, and confirmed as an entry in the end.
    pub async fn deliver(&self, delivery: &[u8]) -> bool {
        let Some(answer) = self.ask(delivery).await else { return false };
        let is_done = answer.status == 200;
        self.counts.done.fetch_add(u64::from(is_done), Ordering::Relaxed);
        self.is_right(&answer, is_done)
    }

    pub async fn balance(&self, account: AccountId) -> bool {
        let request = format!("GET /api/v1/accounts/{account}/balance {}\r\n", self.headers);
        let Some(answer) = self.ask(request.as_bytes()).await else { return false };
        self.is_right(&answer, answer.status == 200 && answer.body.starts_with(BALANCE))
    }

    fn spend_request(&self, account: AccountId) -> Vec<u8> {
        let key = format!("Idempotency-Key: {}\r\n", new_key());
        self.post("/api/v1/spends", &key, &format!(r#"{{"account":"{account}","action":"thumbnail"}}"#))
    }

    /// `more`: headers of its own.
    fn post(&self, path: &str, more: &str, body: &str) -> Vec<u8> {
        let (headers, length) = (&self.headers, body.len());
        let kind = "Content-Type: application/json";
        format!("POST {path} {headers}{more}{kind}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    }

    async fn ask(&self, request: &[u8]) -> Option<Answer> {
        let answer = self.wires.ask(request).await;
        if answer.is_err() {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
        answer.ok()
    }

    /// Counts the answers that are not, and shows the first of them.
    fn is_right(&self, answer: &Answer, is_right: bool) -> bool {
        if !is_right && self.counts.wrong.fetch_add(1, Ordering::Relaxed) == 0 {
            eprintln!("answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
        }
        is_right
    }
}

impl Counts {
    pub fn now(count: &AtomicU64) -> u64 {
        count.load(Ordering::Relaxed)
    }
}
