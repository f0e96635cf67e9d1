//! Where the torture happens: databases of one test each, and what is done to a database from beside the
//! engine.

#![expect(clippy::disallowed_methods, reason = "what is asked here is no table of the program's")]

use std::{
    collections::BTreeSet,
    env, process,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use scrip::{
    domain::AccountId,
    server::{clock::Clock, ledger::Ledger, store},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep},
};

use crate::books::{GLANCE, LONG};

/// The name of the connections that do not belong to an engine.
const ASIDE: &str = "torture";

/// How many of them are at work at a time, whatever the number of cores: each takes some dozens of the server's
/// connections.
static ROOM: Semaphore = Semaphore::const_new(3);

/// A database on the server that DATABASE_URL names.
pub struct Place {
    _room: SemaphorePermit<'static>,
    pub name: String,
    pub options: PgConnectOptions,
    pub pool: PgPool,
}

impl Place {
    pub async fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let room = ROOM.acquire().await.unwrap();
        let name = format!("torture_{}_{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut server = PgConnection::connect_with(&server()).await.unwrap();
        let create = AssertSqlSafe(format!("create database {name}"));
        sqlx::raw_sql(create).execute(&mut server).await.unwrap();
        let options = server_database(&name);
        let pool = store::connect(options.clone());
        store::migrate(&pool).await.unwrap();
        Self { _room: room, name, options, pool }
    }

    pub async fn engine(&self) -> Ledger {
        engine(&self.options).await
    }

    /// After a failure it stays behind, to be looked into.
    pub async fn remove(self) {
        self.pool.close().await;
        let mut server = PgConnection::connect_with(&server()).await.unwrap();
        let drop = AssertSqlSafe(format!("drop database {} with (force)", self.name));
        sqlx::raw_sql(drop).execute(&mut server).await.unwrap();
    }
}

fn server() -> PgConnectOptions {
    let url = env::var("DATABASE_URL").expect("DATABASE_URL names a server; scripts/with-postgres gives one");
    url.parse().unwrap()
}

pub fn server_database(name: &str) -> PgConnectOptions {
    server().database(name)
}

/// An engine with connections of its own.
pub async fn engine(options: &PgConnectOptions) -> Ledger {
    Ledger::open(store::connect(options.clone()), Clock::default()).await.unwrap()
}

pub async fn open_accounts(ledger: &Ledger, pool: &PgPool, count: usize) -> Vec<AccountId> {
    let mut transaction = pool.begin().await.unwrap();
    let mut accounts = Vec::new();
    for _ in 0..count {
        accounts.push(ledger.open_account(&mut transaction).await.unwrap());
    }
    transaction.commit().await.unwrap();
    accounts
}

/// Accounts that share a lane.
pub async fn open_neighbours(ledger: &Ledger, pool: &PgPool, count: usize) -> Vec<AccountId> {
    let layout = sqlx::query_scalar("select buckets from ledger_layout");
    let buckets: i16 = layout.fetch_one(pool).await.unwrap();
    let bucket = |account: &AccountId| i16::from(account.bucket_byte()) & (buckets - 1);
    let mut accounts = open_accounts(ledger, pool, 1).await;
    while accounts.len() < count {
        let new = open_accounts(ledger, pool, 16).await;
        let first = bucket(&accounts[0]);
        accounts.extend(new.iter().filter(|account| bucket(account) == first));
    }
    accounts.truncate(count);
    accounts
}

/// A connection beside the engines, known by its name.
pub async fn aside(options: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(&options.clone().application_name(ASIDE)).await.unwrap()
}

/// Breaks off one connection of an engine, whichever. Returns whether there was one.
pub async fn break_one(conn: &mut PgConnection) -> bool {
    let kill = sqlx::query_scalar(
        "select pg_terminate_backend(pid)
         from pg_stat_activity
         where datname = current_database()
           and application_name = 'scrip'
         order by random()
         limit 1",
    );
    kill.fetch_optional(conn).await.unwrap().unwrap_or(false)
}

/// Breaks off the engines' connections that wait for a lock.
pub async fn break_waiting(conn: &mut PgConnection) {
    let kill = sqlx::query(
        "select pg_terminate_backend(pid)
         from pg_stat_activity
         where datname = current_database()
           and application_name = 'scrip'
           and wait_event_type = 'Lock'",
    );
    kill.execute(conn).await.unwrap();
}

/// The processes by which the database serves engines.
pub async fn backends(conn: &mut PgConnection) -> BTreeSet<i32> {
    let pids = sqlx::query_scalar(
        "select pid
         from pg_stat_activity
         where datname = current_database()
           and application_name = 'scrip'",
    );
    pids.fetch_all(conn).await.unwrap().into_iter().collect()
}

/// Waits until the database has noticed that those whom these served are dead.
pub async fn until_gone(conn: &mut PgConnection, dead: &BTreeSet<i32>) {
    until("the backends of a killed program are gone", async || backends(conn).await.is_disjoint(dead)).await;
}

/// Waits until so many of the engines' connections wait for a lock.
pub async fn until_waiting(conn: &mut PgConnection, many: i64) {
    until("somebody waits for the lock", async || {
        let waiting = sqlx::query_scalar(
            "select count(*)
             from pg_stat_activity
             where datname = current_database()
               and application_name = 'scrip'
               and wait_event_type = 'Lock'",
        );
        let waiting: i64 = waiting.fetch_one(&mut *conn).await.unwrap();
        waiting >= many
    })
    .await;
}

/// Holds an account's row, as a transaction of somebody else would.
pub async fn hold_row(conn: &mut PgConnection, account: AccountId) {
    let lock = sqlx::query("select from accounts where id = $1 for no key update");
    lock.bind(uuid::Uuid::from(account)).execute(conn).await.unwrap();
}

pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < LONG, "waited too long until {what}");
        sleep(GLANCE).await;
    }
}

/// A pause that is part of the load, not one in which something is hoped to happen.
pub async fn breathe(micros: u64) {
    sleep(Duration::from_micros(micros)).await;
}
