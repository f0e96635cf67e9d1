//! The files beside a cluster: its locks and its log.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, Mode, OFlags},
    io::Errno,
};
use tokio::time::{Instant, sleep};

use super::EmbeddedError;

/// How often a taken lock is tried again.
const RETRY: Duration = Duration::from_millis(25);

const LOG: &str = "postgres.log";
const OLD_LOG: &str = "postgres.old.log";
const LOG_SIZE_MAX: u64 = 10 * 1024 * 1024;
/// What an error shows of the log, at most.
const TAIL_LINES: usize = 12;
const TAIL_BYTES: u64 = 8 * 1024;

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// With others who share it.
    Shared,
    /// With nobody.
    Alone,
}

/// Takes the lock if it is free. It is held while the answer, or a copy of it in any process, is open.
pub(super) fn try_lock(path: &Path, kind: Kind) -> Result<Option<OwnedFd>, EmbeddedError> {
    let attempt = || {
        let file = open(path, OFlags::RDWR)?;
        try_lock_open(&file, kind).map(|locked| locked.then_some(file))
    };
    attempt().map_err(|errno: Errno| EmbeddedError::files(path, errno))
}

fn try_lock_open(file: &OwnedFd, kind: Kind) -> Result<bool, Errno> {
    let operation = match kind {
        Kind::Shared => FlockOperation::NonBlockingLockShared,
        Kind::Alone => FlockOperation::NonBlockingLockExclusive,
    };
    match rustix::fs::flock(file, operation) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Takes the lock as soon as it is free.
pub(super) async fn lock(path: &Path, kind: Kind, limit: Duration) -> Result<OwnedFd, EmbeddedError> {
    let begun = Instant::now();
    loop {
        if let Some(lock) = try_lock(path, kind)? {
            return Ok(lock);
        }
        if begun.elapsed() > limit {
            return Err(EmbeddedError::Busy { lock: path.to_owned() });
        }
        sleep(RETRY).await;
    }
}

/// A share in the use of a cluster.
#[derive(Debug)]
pub(super) struct Lease(OwnedFd);

impl Lease {
    pub(super) async fn take(path: &Path, limit: Duration) -> Result<Self, EmbeddedError> {
        lock(path, Kind::Shared, limit).await.map(Self)
    }

    /// Gives the share up. If it was the last one, the cluster is this lease's alone until that is dropped:
    /// nobody begins to use what is about to be stopped.
    pub(super) fn is_last(&mut self) -> bool {
        // The kernel drops the share before it tries for the whole: of two who leave at once, one gets it.
        try_lock_open(&self.0, Kind::Alone).unwrap_or(false)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Closing is not enough: a child that is being forked just now holds a copy for a moment.
        let _ = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

/// Where PostgreSQL writes what it has to say, from one start on.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) file: File,
    path: PathBuf,
    begin: u64,
}

impl Log {
    /// Opens the log of the cluster in `data` for another start. A long one is set aside first.
    pub(super) fn begin(data: &Path) -> Result<Self, EmbeddedError> {
        let path = data.join(LOG);
        let attempt = || {
            if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > LOG_SIZE_MAX) {
                fs::rename(&path, data.join(OLD_LOG))?;
            }
            let file = File::from(open(&path, OFlags::WRONLY | OFlags::APPEND)?);
            let begin = file.metadata()?.len();
            Ok::<_, io::Error>((file, begin))
        };
        match attempt() {
            Ok((file, begin)) => Ok(Self { file, path, begin }),
            Err(error) => Err(EmbeddedError::files(&path, error)),
        }
    }

    /// The last lines that were written since this start.
    pub(super) fn tail(&self) -> String {
        let read = || {
            let mut file = File::open(&self.path)?;
            let end = file.metadata()?.len();
            file.seek(SeekFrom::Start(self.begin.max(end.saturating_sub(TAIL_BYTES))))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok::<_, io::Error>(bytes)
        };
        match read() {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let lines: Vec<&str> = text.lines().collect();
                lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
            }
            Err(error) => format!("({} can't be read: {error})", self.path.display()),
        }
    }
}

/// Opens a file of our own, made if missing. Not through a link, which in a folder of another user could lead
/// root to a file that isn't ours.
fn open(path: &Path, access: OFlags) -> Result<OwnedFd, Errno> {
    let flags = access | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)
}

#[cfg(test)]
mod tests {
    use std::{env, io::Write, process};

    use super::*;

    #[test]
    fn the_tail_of_a_log_is_the_end_of_what_was_written_since_its_begin() {
        let data = env::temp_dir().join(format!("scrip-log-{}", process::id()));
        fs::create_dir(&data).unwrap();
        fs::write(data.join(LOG), "an earlier start\n").unwrap();
        let mut log = Log::begin(&data).unwrap();
        log.file.write_all(b"one\ntwo\n").unwrap();
        let at_first = log.tail();
        for line in 0..100 {
            writeln!(log.file, "line {line}").unwrap();
        }
        let in_the_end = log.tail();
        fs::remove_dir_all(&data).unwrap();
        assert_eq!(at_first, "one\ntwo");
        assert_eq!(in_the_end.lines().count(), TAIL_LINES);
        assert!(in_the_end.starts_with("line 88\n"), "{in_the_end}");
        assert!(in_the_end.ends_with("\nline 99"), "{in_the_end}");
    }
}
