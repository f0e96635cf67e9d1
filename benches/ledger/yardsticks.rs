//! What the same PostgreSQL does without Scrip: its own benchmark, the spend that everybody would write
//! first, and the least that a durable change can cost.
#![expect(clippy::disallowed_methods, reason = "these tables are in no migration, so sqlx can't check them")]

use std::{process::Stdio, time::Duration};

use rand::Rng;
use sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
    query, query_scalar, raw_sql,
};
use tokio::process::Command;

use crate::{book::Sample, cluster::Cluster, load::closed, plan::Plan};

/// As many connections as Scrip's own pool has.
const CONNECTIONS: u32 = 16;

const PGBENCH_DATABASE: &str = "tpcb";

pub struct Yardsticks {
    naive: PgPool,
    accounts: i64,
    tpcb: PgConnectOptions,
    /// `None` where it is not installed.
    pgbench: Option<String>,
}

impl Yardsticks {
    /// Fills their tables.
    pub async fn prepare(cluster: &Cluster, plan: &Plan) -> Self {
        cluster.make_database("naive", "template0").await;
        let options = PgPoolOptions::new().min_connections(CONNECTIONS).max_connections(CONNECTIONS);
        let naive = options.connect_with(cluster.database("naive")).await.expect("a pool");
        // Room for updates in each page, as Scrip's tables have. The entries have no index but their key: more
        // than that would only be slower.
        let accounts = plan.accounts as i64;
        let tables = format!(
            "create table naive_accounts (id bigint primary key, balance bigint not null) with (fillfactor = 70);
             create table naive_entries (
                 id bigserial primary key,
                 account_id bigint not null,
                 amount bigint not null,
                 balance_after bigint not null,
                 at timestamptz not null default now()
             );
             create table bare (id bigint primary key, value bigint not null) with (fillfactor = 70);
             insert into naive_accounts select id, 1000000000000 from generate_series(1, {accounts}) as id;
             insert into bare select id, 0 from generate_series(1, {accounts}) as id;
             analyze"
        );
        raw_sql(AssertSqlSafe(tables)).execute(&naive).await.expect("the naive tables");
        let mut yardsticks =
            Self { naive, accounts, tpcb: cluster.database(PGBENCH_DATABASE), pgbench: None };
        yardsticks.pgbench = pgbench_version().await;
        if yardsticks.pgbench.is_some() {
            cluster.make_database(PGBENCH_DATABASE, "template0").await;
            yardsticks.pgbench(&["-i", "-q", "-s", &plan.pgbench_scale.to_string()]).await;
        }
        yardsticks
    }

    pub fn pgbench_version(&self) -> Option<&str> {
        self.pgbench.as_deref()
    }

    /// Transactions a second of pgbench's default script, TPC-B-like.
    pub async fn tpcb(&self, plan: &Plan) -> Option<Sample> {
        self.pgbench.as_ref()?;
        self.tpcb_for(plan.lead).await;
        Some(Sample::of_rate(self.tpcb_for(plan.lasts).await))
    }

    pub async fn tpcb_for(&self, time: Duration) -> f64 {
        if self.pgbench.is_none() {
            return 0.0;
        }
        let seconds = time.as_secs().max(1).to_string();
        let told = self.pgbench(&["-n", "-c", "16", "-j", "2", "-M", "prepared", "-T", &seconds]).await;
        let rate = told.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        rate.expect("pgbench tells its rate")
    }

    /// Locks a row of each of its pages: so all of them have had their copy in the WAL, and none has grown.
    pub async fn touch_pgbench(&self) {
        if self.pgbench.is_none() {
            return;
        }
        let touch = "select count(*)
                     from (select from pgbench_accounts where aid % 60 = 0 for update) as touched";
        let mut conn = PgConnection::connect_with(&self.tpcb).await.expect("a connection");
        raw_sql(touch).execute(&mut conn).await.expect("rows to lock");
        conn.close().await.expect("a connection that ends");
    }

    async fn pgbench(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("pgbench");
        command.arg("-h").arg(self.tpcb.get_socket().expect("the cluster is reached by a socket"));
        command.args(["-p", "5432", "-U", "scrip"]);
        command.args(arguments).arg(PGBENCH_DATABASE).stdin(Stdio::null());
        let output = command.output().await.expect("pgbench runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub async fn naive_uniform(&self, plan: &Plan) -> Sample {
        let (pool, accounts) = (self.naive.clone(), self.accounts);
        closed(CONNECTIONS as usize, plan, move |mut rng| {
            naive_spend(pool.clone(), rng.random_range(1..=accounts))
        })
        .await
    }

    pub async fn naive_hot(&self, plan: &Plan) -> Sample {
        let pool = self.naive.clone();
        closed(CONNECTIONS as usize, plan, move |_| naive_spend(pool.clone(), 7)).await
    }

    /// One caller that changes one row and waits until that is on disk.
    pub async fn bare(&self, plan: &Plan) -> Sample {
        let (pool, rows) = (self.naive.clone(), self.accounts);
        closed(1, plan, move |mut rng| {
            let (pool, row) = (pool.clone(), rng.random_range(1..=rows));
            async move {
                let update = query("update bare set value = value + 1 where id = $1").bind(row);
                update.execute(&pool).await.is_ok()
            }
        })
        .await
    }
}

async fn naive_spend(pool: PgPool, account: i64) -> bool {
    try_naive_spend(&pool, account, 6).await.is_ok()
}

async fn try_naive_spend(pool: &PgPool, account: i64, cost: i64) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    let lock = query_scalar("select balance from naive_accounts where id = $1 for update").bind(account);
    let balance: i64 = lock.fetch_one(&mut *transaction).await?;
    if balance < cost {
        return Err(sqlx::Error::RowNotFound);
    }
    let take =
        query("update naive_accounts set balance = balance - $2 where id = $1").bind(account).bind(cost);
    take.execute(&mut *transaction).await?;
    query("insert into naive_entries (account_id, amount, balance_after) values ($1, $2, $3)")
        .bind(account)
        .bind(-cost)
        .bind(balance - cost)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// scripts/bench puts PostgreSQL's programs on PATH.
async fn pgbench_version() -> Option<String> {
    let output = Command::new("pgbench").arg("--version").stdin(Stdio::null()).output().await.ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
