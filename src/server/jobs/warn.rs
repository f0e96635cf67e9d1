//! Warns of credits that lapse before long ([`warnings`]). What changes is looked at as it changes; time passes without a
//! change.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Done, Job};
use crate::server::{
    AppState, Error,
    warnings::{self, Place},
};

#[derive(Default)]
pub struct Warn {
    place: Place,
}

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
        let (things, is_more) = warnings::look_ahead(state, &mut self.place).await?;
        Ok(Done { things, is_more, trouble: None })
    }
}
