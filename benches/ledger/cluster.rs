//! The cluster that everybody is measured on: private, on disk, with fsync, and tuned once for all alike.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use scrip::server::store::embedded::Embedded;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, postgres::PgConnectOptions, raw_sql};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::plan::Plan;

/// What a server of this size would be given. `fsync`, `full_page_writes`, `synchronous_commit` and
/// `autovacuum` stay as they are by default: on.
const TUNED: [(&str, &str); 5] = [
    ("shared_buffers", "1GB"),
    ("max_wal_size", "4GB"),
    ("min_wal_size", "2GB"),
    ("checkpoint_timeout", "15min"),
    ("max_connections", "200"),
];

/// What the document says of the server.
const TOLD: [&str; 14] = [
    "shared_buffers",
    "max_wal_size",
    "min_wal_size",
    "checkpoint_timeout",
    "checkpoint_completion_target",
    "max_connections",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_level",
    "wal_compression",
    "wal_sync_method",
    "data_checksums",
    "autovacuum",
];

/// A checkpoint of its own begins after about 2 GB of WAL or 15 minutes; it is forestalled between two
/// measurements, so that none falls into one.
const WAL_BEFORE_CHECKPOINT: i64 = 1_400_000_000;
const TIME_BEFORE_CHECKPOINT: Duration = Duration::from_mins(6);

/// For how long an autovacuum is waited for; one that takes longer is a part of life.
const QUIET_MAX: Duration = Duration::from_secs(15);

pub struct Cluster {
    embedded: Embedded,
    folder: TempDir,
}

impl Cluster {
    /// In the target folder: what is in /tmp may be in memory.
    pub async fn start(plan: &Plan) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the cluster");
        let embedded = Embedded::start(folder.path()).await.expect("a private PostgreSQL");
        let cluster = Self { embedded, folder };
        for (name, value) in TUNED {
            cluster.run(format!("alter system set {name} = '{value}'")).await;
        }
        let Self { embedded, folder } = cluster;
        embedded.stop().await;
        let embedded = Embedded::start(folder.path()).await.expect("the private PostgreSQL, again");
        let cluster = Self { embedded, folder };
        cluster.warm_wal(plan.warm_wal_mb).await;
        cluster
    }

    /// A new segment of the WAL costs a stall of some 50 ms, one that is used again does not, and a server
    /// that has been up for an hour has no new ones. So as many as `min_wal_size` keeps are used once.
    async fn warm_wal(&self, megabytes: usize) {
        let write = "select count(pg_logical_emit_message(false, 'warm', repeat('x', 1000000)))
                     from generate_series(1, 64)";
        for _ in 0..megabytes / 64 {
            self.run(write).await;
        }
        self.run("checkpoint").await;
    }

    /// Waits until nobody works but who asks. Returns whether there was a checkpoint: then every page that is
    /// changed for the first time is copied into the WAL once.
    pub async fn settle(&self) -> bool {
        let since = Instant::now();
        let busy = "select (select count(*) from pg_stat_activity
                            where pid <> pg_backend_pid()
                              and (backend_type = 'autovacuum worker' or state = 'active'))";
        while since.elapsed() < QUIET_MAX && self.number(busy).await > 0 {
            sleep(Duration::from_millis(100)).await;
        }
        let wal =
            "select pg_wal_lsn_diff(pg_current_wal_lsn(), redo_lsn)::bigint from pg_control_checkpoint()";
        let age = "select extract(epoch from now() - checkpoint_time)::bigint from pg_control_checkpoint()";
        let is_due = self.number(wal).await > WAL_BEFORE_CHECKPOINT
            || self.number(age).await.unsigned_abs() > TIME_BEFORE_CHECKPOINT.as_secs();
        if is_due {
            self.run("checkpoint").await;
        }
        is_due
    }

    pub async fn make_database(&self, name: &str, template: &str) {
        self.run(format!("drop database if exists {name} with (force)")).await;
        self.run(format!("create database {name} template {template}")).await;
    }

    pub fn database(&self, name: &str) -> PgConnectOptions {
        self.embedded.connect_options().database(name)
    }

    pub fn url(&self) -> String {
        self.embedded.url()
    }

    /// The number of its first process.
    pub fn postmaster(&self) -> u32 {
        let file = fs::read_to_string(self.folder.path().join("postgres/postmaster.pid")).ok();
        let number = file.and_then(|file| file.lines().next()?.trim().parse().ok());
        number.expect("a cluster that runs says by which process")
    }

    /// On what kind of file system it lies.
    pub fn file_system(&self) -> String {
        file_system_of(self.folder.path()).unwrap_or_else(|| "unknown".to_owned())
    }

    pub async fn version(&self) -> String {
        self.setting("server_version").await
    }

    pub async fn settings(&self) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        for name in TOLD {
            settings.push((name.to_owned(), self.setting(name).await));
        }
        settings
    }

    async fn setting(&self, name: &str) -> String {
        let mut conn = self.connection().await;
        let row = raw_sql(AssertSqlSafe(format!("show {name}"))).fetch_one(&mut conn).await;
        row.expect("a setting").get(0)
    }

    async fn number(&self, query: &'static str) -> i64 {
        let mut conn = self.connection().await;
        raw_sql(query).fetch_one(&mut conn).await.expect("an answer").get(0)
    }

    /// A statement without an answer, outside of any transaction, in the database that is always there.
    async fn run(&self, statement: impl Into<String>) {
        let mut conn = self.connection().await;
        raw_sql(AssertSqlSafe(statement.into())).execute(&mut conn).await.expect("a statement that works");
        conn.close().await.expect("a connection that ends");
    }

    async fn connection(&self) -> PgConnection {
        PgConnection::connect_with(&self.database("postgres")).await.expect("a connection")
    }

    pub async fn stop(self) {
        self.embedded.stop().await;
    }
}

/// The kind of the innermost mount that holds `path`.
fn file_system_of(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let (_, kind) = mounts.filter(|(at, _)| path.starts_with(at)).max_by_key(|(at, _)| at.len())?;
    Some(kind.to_owned())
}
