//! Buys a pack for those whose credits have run low and who asked for that ([`top_ups`]).

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Done, Job};
use crate::server::{AppState, Error, top_ups};

pub struct TopUp;

#[async_trait]
impl Job for TopUp {
    fn name(&self) -> &'static str {
        "top_up"
    }

    /// Somebody may be about to run an action.
    fn every(&self) -> Duration {
        Duration::from_secs(2)
    }

    async fn run_once(&mut self, state: &AppState, _: DateTime<Utc>) -> Result<Done, Error> {
        top_ups::step(state, &state.stripe).await
    }
}
