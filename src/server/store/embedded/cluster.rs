//! One cluster on disk and the PostgreSQL that serves it: made once, started when nobody serves it, stopped
//! when nobody needs it. Who is there is told by three lock files beside the cluster. The kernel frees a lock
//! when its last holder is gone, however that went, so nothing here trusts what a crash has left lying about.
//!
//! - `postgres.users.lock` is shared by all processes that use the cluster, held alone by one that stops it.
//! - `postgres.start.lock` is held by the process that makes the cluster or starts PostgreSQL.
//! - `postgres.server.lock` is held by PostgreSQL and its children, which inherit it. While it is held the
//!   cluster is served, whatever `postmaster.pid` says; when it is free, `postmaster.pid` is stale, even if
//!   another process has that number by now.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, MetadataExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, Signal};
use tokio::time::{Instant, sleep};

use super::{
    EmbeddedError,
    address::{Address, SOCKET, SOCKET_LOCK},
    files::{self, Kind, Lease, Log},
    programs::{self, Owner, Programs},
};

const CLUSTER: &str = "postgres";
const UNFINISHED_CLUSTER: &str = "postgres.new";
const USERS_LOCK: &str = "postgres.users.lock";
const START_LOCK: &str = "postgres.start.lock";
const SERVER_LOCK: &str = "postgres.server.lock";

const VERSION_FILE: &str = "PG_VERSION";
const SETTINGS_FILE: &str = "postgresql.conf";
const PID_FILE: &str = "postmaster.pid";

/// The cluster's folder is for its owner alone, so whoever reaches the socket in it passes without a
/// password: that user and root, who can read the cluster's files anyway. A password would have to lie in
/// just such a folder.
const INITDB: [&str; 6] = [
    "--username=scrip",
    "--auth-local=trust",
    "--auth-host=reject",
    "--encoding=UTF8",
    "--locale=C",
    "--data-checksums",
];

/// Added to what initdb sets. `fsync`, `full_page_writes` and `synchronous_commit` are on by default and stay
/// so. The socket's folder is relative to the cluster: short, however long the way there is.
const SETTINGS: &str = "
# Set by Scrip when it made this cluster. Scrip finds and guards the cluster by these:
listen_addresses = ''
port = 5432
unix_socket_directories = '.'
unix_socket_permissions = 0700
logging_collector = off

# These may be changed:
cluster_name = 'scrip'
max_connections = 100
shared_buffers = 128MB
timezone = 'UTC'
log_timezone = 'UTC'
";

/// How often a start or a stop is looked at.
const GLANCE: Duration = Duration::from_millis(25);
/// After a crash, PostgreSQL first replays what it wrote since its last checkpoint: minutes on a slow disk.
const START_MAX: Duration = Duration::from_mins(10);
/// A long start says so this often.
const PATIENCE: Duration = Duration::from_secs(10);
/// An orderly stop writes a checkpoint. When this has passed, PostgreSQL is told to leave as it is.
const STOP_MAX: Duration = Duration::from_mins(1);
const HARD_STOP_MAX: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Cluster {
    data: PathBuf,
    folder: PathBuf,
    address: Address,
    owner: Option<Owner>,
    programs: Programs,
}

impl Cluster {
    /// Looks at what is there, and makes no more than the data folder.
    pub(super) async fn open(data: &Path, places: &[PathBuf]) -> Result<Self, EmbeddedError> {
        let failed = |error| EmbeddedError::files(data, error);
        DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(failed)?;
        let data = fs::canonicalize(data).map_err(failed)?;
        let folder = data.join(CLUSTER);
        let owner = Owner::choose(&folder)?;
        let version_file = folder.join(VERSION_FILE);
        let version = match fs::read_to_string(&version_file) {
            Ok(version) => programs::leading_number(&version),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(EmbeddedError::files(&version_file, error)),
        };
        let programs = Programs::find(places, version, owner).await?;
        Ok(Self { address: Address::new(&data, CLUSTER)?, data, folder, owner, programs })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Makes this process a user of the cluster, once a process that is stopping it has finished.
    pub(super) async fn lease(&self) -> Result<Lease, EmbeddedError> {
        Lease::take(&self.data.join(USERS_LOCK), STOP_MAX + 2 * HARD_STOP_MAX).await
    }

    /// Makes the cluster where there is none, under another name until it is whole: what a killed attempt
    /// leaves behind is never taken for a cluster, and thrown away by the next one.
    pub(super) async fn ensure_exists(&self) -> Result<(), EmbeddedError> {
        let lock = self.start_lock().await?;
        if self.exists()? {
            return Ok(());
        }
        tracing::info!(folder = %self.folder.display(), "making a private PostgreSQL cluster");
        let fresh = self.data.join(UNFINISHED_CLUSTER);
        let failed = |error| EmbeddedError::files(&fresh, error);
        if let Err(error) = fs::remove_dir_all(&fresh)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(failed(error));
        }
        DirBuilder::new().mode(0o700).create(&fresh).map_err(failed)?;
        self.hand_over(&fresh)?;

        let log = Log::begin(&self.data)?;
        // initdb keeps the lock too: if we are killed, nobody clears its folder away while it still works.
        let lock_of_initdb = lock.try_clone().map_err(failed)?;
        let mut initdb = self.programs.run("initdb", &INITDB, &fresh, lock_of_initdb, &log.file)?;
        if !initdb.wait().await.map_err(failed)?.success() {
            return Err(EmbeddedError::Making { folder: self.folder.clone(), log: log.tail() });
        }
        self.put_in_place(&fresh).map_err(failed)
    }

    fn put_in_place(&self, fresh: &Path) -> io::Result<()> {
        let mut settings = File::options().append(true).open(fresh.join(SETTINGS_FILE))?;
        settings.write_all(SETTINGS.as_bytes())?;
        settings.sync_all()?;
        fs::rename(fresh, &self.folder)?;
        File::open(&self.data)?.sync_all()
    }

    /// Starts PostgreSQL unless it runs, waits until it answers, and makes the database where it is missing.
    pub(super) async fn ensure_running(&self) -> Result<(), EmbeddedError> {
        let _lock = self.start_lock().await?;
        if !self.exists()? {
            return Err(EmbeddedError::NotACluster { folder: self.folder.clone() });
        }
        self.hand_over(&self.folder)?;
        let begun = Instant::now();
        let mut word_due = begun + PATIENCE;
        let mut started: Option<Log> = None;
        loop {
            match self.claim_server(Kind::Alone)? {
                // Nobody serves the cluster, not even a PostgreSQL started by hand, which holds no lock.
                Some(lock) if !self.address.is_served() => match &started {
                    None => started = Some(self.start(lock)?),
                    Some(log) => return Err(self.failed_to_start(log.tail())),
                },
                // It runs, or soon will, or is about to leave.
                _ => {
                    if self.address.ensure_database().await? {
                        return Ok(());
                    }
                }
            }
            if begun.elapsed() > START_MAX {
                return Err(self.failed_to_start(started.as_ref().map(Log::tail).unwrap_or_default()));
            }
            if Instant::now() > word_due {
                tracing::info!(cluster = %self.folder.display(), "PostgreSQL is still starting");
                word_due += PATIENCE;
            }
            sleep(GLANCE).await;
        }
    }

    fn start(&self, lock: OwnedFd) -> Result<Log, EmbeddedError> {
        // Nobody holds the lock, so these are left over. PostgreSQL sees that itself, unless another process
        // of its user has the number of the one that died, or that one is dead but was never waited for.
        for left_over in [PID_FILE, SOCKET, SOCKET_LOCK].map(|name| self.folder.join(name)) {
            match fs::remove_file(&left_over) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(EmbeddedError::files(&left_over, error));
                }
                _ => {}
            }
        }
        tracing::info!(
            cluster = %self.folder.display(),
            programs = %self.programs.folder.display(),
            version = self.programs.major,
            "starting PostgreSQL",
        );
        let log = Log::begin(&self.data)?;
        // Nobody waits for this child: its lock tells when it is gone, to whichever process asks by then.
        self.programs.run("postgres", &[], &self.folder, lock, &log.file)?;
        Ok(log)
    }

    /// Whether there is a PostgreSQL, be it ready, starting or stopping.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.claim_server(Kind::Shared), Ok(None)) || self.address.is_served()
    }

    /// Asks PostgreSQL to end all sessions and stop. `false` if it couldn't be asked.
    pub(super) fn ask_to_stop(&self) -> bool {
        self.is_running() && self.signal(Signal::INT)
    }

    /// Stops PostgreSQL and waits until it is gone.
    pub(super) async fn stop(&self) {
        let begun = Instant::now();
        let mut asked = false;
        while self.is_running() && begun.elapsed() < STOP_MAX {
            // One that has only just been started can't be asked yet.
            asked = asked || self.ask_to_stop();
            sleep(GLANCE).await;
        }
        if !self.is_running() {
            return;
        }
        tracing::warn!("PostgreSQL takes too long to stop; it is ended, and will recover at its next start");
        self.signal(Signal::QUIT);
        while self.is_running() && begun.elapsed() < STOP_MAX + HARD_STOP_MAX {
            sleep(GLANCE).await;
        }
    }

    /// Signals PostgreSQL's first process, by the number that it has left in its folder.
    fn signal(&self, signal: Signal) -> bool {
        let pid = fs::read_to_string(self.folder.join(PID_FILE))
            .ok()
            .and_then(|file| file.lines().next()?.trim().parse().ok())
            .filter(|number| *number > 1)
            .and_then(Pid::from_raw);
        pid.is_some_and(|pid| rustix::process::kill_process(pid, signal).is_ok())
    }

    /// `false` if there is nothing, or an empty folder, which a new cluster can replace.
    fn exists(&self) -> Result<bool, EmbeddedError> {
        if self.folder.join(VERSION_FILE).is_file() {
            return Ok(true);
        }
        match fs::read_dir(&self.folder).map(|mut entries| entries.next().is_some()) {
            Ok(true) => Err(EmbeddedError::NotACluster { folder: self.folder.clone() }),
            Ok(false) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(EmbeddedError::files(&self.folder, error)),
        }
    }

    /// Gives `folder` to the user who will run PostgreSQL if it is root's: new, or copied here by root.
    fn hand_over(&self, folder: &Path) -> Result<(), EmbeddedError> {
        let Some(owner) = self.owner else { return Ok(()) };
        let attempt = || match fs::metadata(folder)?.uid() {
            0 => owner.adopt(folder),
            _ => Ok(()),
        };
        attempt().map_err(|error| EmbeddedError::files(folder, error))
    }

    fn failed_to_start(&self, log: String) -> EmbeddedError {
        EmbeddedError::Starting { folder: self.folder.clone(), log }
    }

    /// Takes the lock that PostgreSQL holds, if PostgreSQL doesn't.
    fn claim_server(&self, kind: Kind) -> Result<Option<OwnedFd>, EmbeddedError> {
        files::try_lock(&self.data.join(SERVER_LOCK), kind)
    }

    async fn start_lock(&self) -> Result<OwnedFd, EmbeddedError> {
        files::lock(&self.data.join(START_LOCK), Kind::Alone, START_MAX).await
    }
}
