//! Lets time pass at the stand-in Stripe of a sandbox, and sends its webhooks again where they were not taken.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Done, Job};
use crate::server::{AppState, Error, stripe};

pub struct Sandbox;

#[async_trait]
impl Job for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    /// As late as a webhook may be that was to be late.
    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn run_once(&mut self, state: &AppState, _: DateTime<Utc>) -> Result<Done, Error> {
        if !state.is_sandbox {
            return Ok(Done::default());
        }
        let (things, is_more) = stripe::sandbox::go_on(state).await?;
        Ok(Done { things, is_more, trouble: None })
    }
}
