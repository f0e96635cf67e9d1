//! Throws away what nobody needs any more: sessions that have ended, ways in that were not gone, old runs of jobs, warnings
//! that have long been over.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Done, Job};
use crate::server::{
    AppState, Error,
    store::{job_runs, portal_sessions, sessions},
    warnings,
};

/// How many rows of each table are deleted in one step; of warnings, of each bucket.
const ROWS_AT_A_TIME: u32 = 1_000;

/// How long runs of jobs are kept.
const RUNS_ARE_KEPT: TimeDelta = TimeDelta::days(30);

pub struct Prune;

#[async_trait]
impl Job for Prune {
    fn name(&self) -> &'static str {
        "prune"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(60 * 60)
    }

    async fn run_once(&mut self, state: &AppState, now: DateTime<Utc>) -> Result<Done, Error> {
        let (pool, limit) = (&state.pool, i64::from(ROWS_AT_A_TIME));
        let (forgotten, is_more) = warnings::forget(state, ROWS_AT_A_TIME).await?;
        let deleted = [
            sessions::delete_expired(pool, now, limit).await?,
            portal_sessions::delete_expired(pool, now, limit).await?,
            job_runs::delete_old(pool, now - RUNS_ARE_KEPT, limit).await?,
        ];
        let is_more = is_more || deleted.iter().any(|rows| *rows >= ROWS_AT_A_TIME.into());
        Ok(Done { things: forgotten + deleted.iter().sum::<u64>(), is_more, trouble: None })
    }
}
