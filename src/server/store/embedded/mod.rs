//! The private PostgreSQL: whoever gives no `DATABASE_URL` gets a database all the same, from the programs
//! that the machine has, under the data folder. It serves on a unix socket and nowhere else, survives a kill
//! of its Scrip, is shared by all `scrip` commands on the same folder, and stops with the last of them.
//!
//! (The crate `postgresql_embedded` was weighed and left: it switches `fsync` off, takes any `postmaster.pid`
//! for a running server, can't hand PostgreSQL to another user when it is root, and stops a server that
//! others still use.)
//!
//! `programs` finds and runs PostgreSQL, `cluster` decides when, `files` are the locks and the log beside the
//! cluster, `address` is how to reach the database.

mod address;
mod cluster;
mod files;
mod programs;

use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sqlx::postgres::PgConnectOptions;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use cluster::Cluster;
use files::Lease;

/// How often a serving process looks whether its PostgreSQL lives.
const WATCH_INTERVAL: Duration = Duration::from_millis(500);
/// Pauses before PostgreSQL is started again grow from the one to the other while it keeps failing.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// What has run for so long is not failing at its start: the next pause is short again.
const STEADY: Duration = Duration::from_mins(1);

/// A private PostgreSQL in use by this process. While it lives, a PostgreSQL that dies is started again.
///
/// Dropped without [`stop`](Self::stop), it asks PostgreSQL to stop if nobody else uses it, but does not wait
/// for that: a panic or an early return leaves nothing running, and the next start waits until it is gone.
#[derive(Debug)]
pub struct Embedded {
    cluster: Arc<Cluster>,
    lease: Lease,
    /// `None` until PostgreSQL has answered for the first time.
    watch: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Starts the PostgreSQL of the cluster in `<data_dir>/postgres`, or joins the one that runs, and returns
    /// once its database `scrip` answers. Folder, cluster and database are made where they are missing.
    ///
    /// # Errors
    ///
    /// [`EmbeddedError`] says what stands in the way and what to do about it.
    pub async fn start(data_dir: &Path) -> Result<Self, EmbeddedError> {
        Self::start_with(data_dir, &programs::places().await).await
    }

    /// As [`start`](Self::start), with PostgreSQL's programs looked for in `places` only.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_with(data_dir: &Path, places: &[PathBuf]) -> Result<Self, EmbeddedError> {
        let cluster = Arc::new(Cluster::open(data_dir, places).await?);
        let lease = cluster.lease().await?;
        cluster.ensure_exists().await?;
        // Dropped, it stops what was started: also if what follows fails or is broken off.
        let mut embedded = Self { cluster, lease, watch: None };
        embedded.cluster.ensure_running().await?;
        embedded.watch = Some(tokio::spawn(watch(Arc::clone(&embedded.cluster))));
        Ok(embedded)
    }

    /// How to connect to the database `scrip`. Good for as long as this `Embedded` lives.
    #[must_use]
    pub fn connect_options(&self) -> PgConnectOptions {
        self.cluster.address().connect_options()
    }

    /// The same as a `postgresql://` address, for people with `psql`. It holds no secret.
    #[must_use]
    pub fn url(&self) -> String {
        self.cluster.address().url()
    }

    /// Ends the use of the database by this process; the last user stops PostgreSQL and waits until it is
    /// gone. Connections that are still open are closed by PostgreSQL, their open transactions rolled back.
    pub async fn stop(mut self) {
        if let Some(watch) = self.watch.take() {
            watch.abort();
            // Until it has really ended, it may be starting PostgreSQL.
            let _ = watch.await;
        }
        if self.lease.is_last() {
            self.cluster.stop().await;
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
        if self.lease.is_last() {
            self.cluster.ask_to_stop();
        }
    }
}

/// Brings PostgreSQL back whenever it is gone, for as long as the process uses it.
async fn watch(cluster: Arc<Cluster>) {
    let mut pause = PAUSE_FIRST;
    let mut up_since = Instant::now();
    loop {
        sleep(WATCH_INTERVAL).await;
        if cluster.is_running() {
            continue;
        }
        if up_since.elapsed() > STEADY {
            pause = PAUSE_FIRST;
        }
        tracing::warn!("PostgreSQL is gone; it is started again");
        match cluster.ensure_running().await {
            Ok(()) => tracing::info!("PostgreSQL is back"),
            Err(error) => {
                let error: &dyn Error = &error;
                tracing::error!(error, "PostgreSQL could not be started again");
            }
        }
        up_since = Instant::now();
        sleep(pause).await;
        pause = PAUSE_MAX.min(pause * 2);
    }
}

/// Why there is no private PostgreSQL. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error(
        "PostgreSQL is not installed, or not where it was looked for (PATH, pg_config --bindir, the usual \
         folders). Install it (`apt-get install postgresql`, `dnf install postgresql-server`, \
         `brew install postgresql@17`), or set DATABASE_URL to a database that runs already"
    )]
    NotInstalled,

    #[error(
        "the cluster in the data folder was made by PostgreSQL {cluster}, but this machine has PostgreSQL \
         {installed}. Install PostgreSQL {cluster} beside it, or bring the cluster to the new version with \
         pg_upgrade"
    )]
    OtherVersion { cluster: u32, installed: String },

    #[error(
        "PostgreSQL can't run as root, and this machine has no user `postgres` or `nobody` to run it as. \
         Add one (`useradd --system postgres`), or start Scrip as an ordinary user"
    )]
    NoUser,

    #[error(
        "{} belongs to the user with id {uid}. Start Scrip as that user or as root, or choose another \
         folder with SCRIP_DATA_DIR",
        folder.display()
    )]
    OtherOwner { folder: PathBuf, uid: u32 },

    #[error(
        "{} is not a PostgreSQL cluster. Move it away, or choose another folder with SCRIP_DATA_DIR",
        folder.display()
    )]
    NotACluster { folder: PathBuf },

    #[error(
        "the path {} is too long for a unix socket. Choose a shorter folder with SCRIP_DATA_DIR",
        folder.display()
    )]
    PathTooLong { folder: PathBuf },

    #[error(
        "can't use {}. Make it accessible, or choose another folder with SCRIP_DATA_DIR",
        path.display()
    )]
    Files { path: PathBuf, source: io::Error },

    #[error("can't run {}", program.display())]
    Program { program: PathBuf, source: io::Error },

    #[error("PostgreSQL could not make a cluster in {}. The end of its log:\n{log}", folder.display())]
    Making { folder: PathBuf, log: String },

    #[error("PostgreSQL could not start on {}. The end of its log:\n{log}", folder.display())]
    Starting { folder: PathBuf, log: String },

    #[error(
        "another process has held {} for too long. If a `scrip` hangs on this data folder, end it, and \
         start again",
        lock.display()
    )]
    Busy { lock: PathBuf },

    #[error("PostgreSQL runs, but refuses its own Scrip")]
    Refused(#[from] sqlx::Error),
}

impl EmbeddedError {
    fn files(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Files { path: path.to_owned(), source: source.into() }
    }
}
