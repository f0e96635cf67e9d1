//! Compares Stripe's books with ours: events that never arrived, and the charges of each day.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Done, Job};
use crate::server::{
    AppState, Error,
    purchases::reconcile::{Progress, step},
};

#[derive(Default)]
pub struct Reconcile(Progress);

#[async_trait]
impl Job for Reconcile {
    fn name(&self) -> &'static str {
        "reconcile"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(60 * 60)
    }

    async fn run_once(&mut self, state: &AppState, _: DateTime<Utc>) -> Result<Done, Error> {
        let (things, is_more) = step(state, &state.stripe, state.stripe.is_live(), &mut self.0).await?;
        Ok(Done { things, is_more, trouble: None })
    }
}
