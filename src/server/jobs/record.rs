//! What came of the runs of jobs, for operators. A run is all the steps that a job takes until nothing more is to be done,
//! or until one fails. That it can't be written down is no reason for a job to stop.

use std::{error::Error as StdError, time::Duration};

use chrono::{DateTime, Utc};

use super::Done;
use crate::server::{
    AppState, Error,
    clock::Clock,
    store::job_runs::{self, JobRun},
};

/// A long run says this often how far it is.
const PROGRESS_PAUSE: Duration = Duration::from_secs(1);

/// How many characters are kept of what went wrong.
const ERROR_CHARS_MAX: usize = 500;

/// A run that is under way.
pub struct Run {
    run: JobRun,
    /// When it was last written, after its beginning.
    written_ms: Option<i64>,
}

impl Run {
    pub fn begin(state: &AppState, job: &str, now: DateTime<Utc>) -> Self {
        let run = JobRun {
            id: state.clock.new_id(),
            job: job.to_owned(),
            started_at: now,
            took_ms: 0,
            things: 0,
            is_running: true,
            error: None,
        };
        Self { run, written_ms: None }
    }

    /// Another step is done, which took so long.
    pub async fn go_on(&mut self, state: &AppState, done: Done, took: Duration) {
        self.took(took);
        self.run.things = self.run.things.saturating_add_unsigned(done.things);
        self.run.error = done.trouble.map(shortened).or(self.run.error.take());
        let is_news =
            self.written_ms.is_none_or(|written| self.run.took_ms - written >= millis(PROGRESS_PAUSE));
        if done.is_more && done.things > 0 && is_news {
            self.write(state).await;
        }
    }

    /// Nothing more is to be done.
    pub async fn end(self, state: &AppState) {
        let job = self.run.job.clone();
        self.stop(state).await;
        told(job_runs::looked(&state.pool, &job, Clock::default().now()).await);
    }

    /// The program stops; what is left is done by whoever comes next.
    pub async fn stop(mut self, state: &AppState) {
        if self.run.things > 0 || self.run.error.is_some() {
            self.run.is_running = false;
            self.write(state).await;
        }
    }

    /// The last step failed.
    pub async fn fail(mut self, state: &AppState, error: &Error, took: Duration) {
        tracing::warn!(error = error as &dyn StdError, job = self.run.job, "a job failed");
        self.took(took);
        self.run.is_running = false;
        self.run.error = Some(shortened(error.causes()));
        self.write(state).await;
    }

    /// Only the time at work, not that of the pauses, so that a rate can be told from it.
    fn took(&mut self, took: Duration) {
        self.run.took_ms = self.run.took_ms.saturating_add(millis(took));
    }

    async fn write(&mut self, state: &AppState) {
        self.written_ms = Some(self.run.took_ms);
        told(job_runs::write(&state.pool, &self.run).await);
    }
}

/// Whoever did the jobs before does them no more, and could not say so.
pub async fn end_abandoned(state: &AppState) {
    told(job_runs::end_abandoned(&state.pool, "the process that did it has gone away").await);
}

fn told(written: sqlx::Result<()>) {
    if let Err(error) = written {
        tracing::warn!(error = &error as &dyn StdError, "a run of a job could not be written down");
    }
}

fn shortened(error: String) -> String {
    match error.char_indices().nth(ERROR_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &error[..end]),
        None => error,
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_error_the_beginning_is_kept() {
        assert_eq!(shortened("no table".to_owned()), "no table");
        let long = shortened("ü".repeat(ERROR_CHARS_MAX + 1));
        assert_eq!((long.chars().count(), long.ends_with('…')), (ERROR_CHARS_MAX + 1, true));
    }
}
