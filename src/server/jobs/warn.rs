//! Warns of credits that lapse before long ([`warnings`]). What changes is looked at as it changes; time passes without a
//! change.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Done, Job};
use crate::server::{AppState, Error, warnings};

pub struct Warn;

#[async_trait]
impl Job for Warn {
    fn name(&self) -> &'static str {
        "warn"
    }

    /// A warning a day ahead may be that late.
    fn every(&self) -> Duration {
        Duration::from_secs(10 * 60)
    }

    async fn run_once(&mut self, state: &AppState, _: DateTime<Utc>) -> Result<Done, Error> {
        let things = warnings::run_once(state, state.clock.now()).await?;
        Ok(Done { things, ..Done::default() })
    }
}
