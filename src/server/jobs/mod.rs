//! What happens without anybody asking. No answer needs a job to be right: jobs write down earlier what a command or a
//! read would find anyway, and throw away what nobody needs.
//!
//! Of all processes on a database one does the jobs, under a lock; when it goes away, another takes over. Nothing depends
//! on there being only one: what a job does twice it does once. `schedule` says whose turn it is, and does one step of
//! one job at a time; `run` here is the only thing that sleeps. `record` keeps what came of it, `overview` shows it.

mod inbox;
mod overview;
pub mod pending;
mod prune;
mod reconcile;
mod record;
mod sandbox;
mod schedule;
mod settle;
mod top_up;
mod warn;

use std::{error::Error as StdError, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

pub use self::{
    inbox::Inbox,
    overview::{Overview, overview},
    pending::Pending,
    prune::Prune,
    reconcile::Reconcile,
    sandbox::Sandbox,
    schedule::Schedule,
    settle::{Settle, settle_all},
    top_up::TopUp,
    warn::Warn,
};
use super::{AppState, Error, store::job_lock::JobLock};

/// How often one that does them makes sure that it still holds the lock, where no job is due sooner.
const CONFIRM_PAUSE: Duration = Duration::from_secs(5);

/// What one step of a job came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// How many things it did.
    pub things: u64,
    /// Whether there may be more to do.
    pub is_more: bool,
    /// What it could not do, though it goes on.
    pub trouble: Option<String>,
}

#[async_trait]
pub trait Job: Send {
    fn name(&self) -> &'static str;

    /// How long it rests when nothing more is to be done.
    fn every(&self) -> Duration;

    /// One step, of a size that is bounded. `now` is the machine's time, also in a sandbox whose clock is set.
    async fn run_once(&mut self, state: &AppState, now: DateTime<Utc>) -> Result<Done, Error>;
}

/// All jobs that there are.
pub fn all() -> Vec<Box<dyn Job>> {
    vec![
        Box::new(Settle::default()),
        Box::new(Warn::default()),
        Box::new(TopUp),
        Box::new(Inbox),
        Box::new(Pending),
        Box::new(Reconcile::default()),
        Box::new(Prune),
        Box::new(Sandbox),
    ]
}

/// Does the jobs, whenever this is the process whose turn it is, until the program is asked to stop. A step that is under
/// way then is finished.
pub async fn run(state: AppState, mut stop: watch::Receiver<bool>) {
    loop {
        let lock = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            lock = JobLock::wait(&state.pool) => lock,
        };
        match run_under(&state, lock, &mut stop).await {
            Ok(()) => return,
            Err(lost) => tracing::warn!(
                error = &lost as &dyn StdError,
                "the lock of the jobs is lost: this process does them no more"
            ),
        }
    }
}

/// Does the jobs until the program is asked to stop.
///
/// # Errors
/// Where the lock is lost.
async fn run_under(
    state: &AppState,
    mut lock: JobLock,
    stop: &mut watch::Receiver<bool>,
) -> sqlx::Result<()> {
    tracing::debug!("this process does the jobs");
    record::end_abandoned(state).await;
    let mut schedule = Schedule::new(all(), Instant::now());
    loop {
        let is_stopped = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => true,
            () = sleep_until(schedule.next_at().min(Instant::now() + CONFIRM_PAUSE)) => false,
        };
        if is_stopped {
            schedule.stop(state).await;
            return Ok(());
        }
        lock.confirm().await?;
        schedule.step(state, Instant::now()).await;
    }
}
