//! Whose turn it is. Each job has a schedule of its own; one that fails is tried again after pauses that grow, and one
//! that has much to do leaves the others their turns and the machine to requests.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use tokio::time::Instant;

use super::{Job, record::Run};
use crate::server::{AppState, Error, clock::Clock};

/// Between a failure and the next attempt, doubled with each failure that follows.
const PAUSE_FIRST: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// How long a job that has more to do pauses between two steps, as a multiple of what the step took: two thirds of the
/// machine are for requests.
const PAUSE_PER_STEP: u32 = 2;

pub struct Schedule(Vec<Turns>);

/// The turns of one job.
struct Turns {
    job: Box<dyn Job>,
    next_at: Instant,
    failures: u32,
    /// The run that is under way.
    run: Option<Run>,
}

impl Schedule {
    /// All of them are due at once.
    ///
    /// # Panics
    /// Where there are no jobs.
    pub fn new(jobs: Vec<Box<dyn Job>>, now: Instant) -> Self {
        assert!(!jobs.is_empty(), "there is always something to do");
        Self(jobs.into_iter().map(|job| Turns { job, next_at: now, failures: 0, run: None }).collect())
    }

    /// When the next job is due.
    pub fn next_at(&self) -> Instant {
        self.0.iter().map(|turns| turns.next_at).min().expect("there are jobs")
    }

    /// Does one step of the job that is due at `at`, if one is: of the one that has waited longest.
    pub async fn step(&mut self, state: &AppState, at: Instant) {
        let first = self.0.iter_mut().min_by_key(|turns| turns.next_at);
        if let Some(turns) = first.filter(|turns| turns.next_at <= at) {
            turns.take(state, at).await;
        }
    }

    /// Ends the runs that are under way with what they did so far.
    pub async fn stop(self, state: &AppState) {
        for run in self.0.into_iter().filter_map(|turns| turns.run) {
            run.stop(state).await;
        }
    }
}

impl Turns {
    async fn take(&mut self, state: &AppState, at: Instant) {
        let now = Clock::default().now();
        let mut run = self.run.take().unwrap_or_else(|| Run::begin(state, self.job.name(), now));
        let since = Instant::now();
        let step = AssertUnwindSafe(self.job.run_once(state, now)).catch_unwind().await;
        let took = since.elapsed();
        let pause = match step.unwrap_or_else(|_| Err(Error::internal("it panicked; the log says where"))) {
            Ok(done) => {
                self.failures = 0;
                let is_more = done.is_more;
                run.go_on(state, done, took).await;
                if is_more {
                    self.run = Some(run);
                    took * PAUSE_PER_STEP
                } else {
                    run.end(state).await;
                    self.job.every()
                }
            }
            Err(Error::Stopping) => {
                run.stop(state).await;
                self.job.every()
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                run.fail(state, &error, took).await;
                pause_after(self.failures)
            }
        };
        self.next_at = at + took + pause;
    }
}

/// How long a job pauses that has failed so many times in a row.
fn pause_after(failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    PAUSE_MAX.min(PAUSE_FIRST.saturating_mul(doubled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_until_they_are_long_enough() {
        let pauses: Vec<u64> = (1..=11).map(|failures| pause_after(failures).as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
        assert_eq!(pause_after(u32::MAX), PAUSE_MAX);
    }
}
