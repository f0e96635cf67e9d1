//! Tries again to apply what Stripe told and could not be applied, and throws away what was applied long ago.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Done, Job};
use crate::server::{
    AppState, Error,
    purchases::inbox::{Tried, try_one},
    store::stripe_events,
};

/// How many events are tried in one step.
const EVENTS_AT_A_TIME: u32 = 20;

/// How long events are kept that were applied; Stripe keeps them for thirty days.
const EVENTS_ARE_KEPT: TimeDelta = TimeDelta::days(90);
const ROWS_AT_A_TIME: u32 = 1_000;

pub struct Inbox;

#[async_trait]
impl Job for Inbox {
    fn name(&self) -> &'static str {
        "inbox"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn run_once(&mut self, state: &AppState, now: DateTime<Utc>) -> Result<Done, Error> {
        let due = stripe_events::due(&state.pool, now, EVENTS_AT_A_TIME.into()).await?;
        let mut done = Done { is_more: due.len() as u64 >= EVENTS_AT_A_TIME.into(), ..Done::default() };
        for event in due {
            match try_one(state, state.stripe.is_live(), &event).await? {
                Tried::Applied => done.things += 1,
                Tried::NothingToDo => {}
                Tried::Failed(error) => done.trouble = Some(format!("{event}: {error}")),
            }
        }
        let (end, limit) = (now - EVENTS_ARE_KEPT, i64::from(ROWS_AT_A_TIME));
        let deleted = stripe_events::delete_old(&state.pool, end, limit).await?;
        done.things += deleted;
        done.is_more |= deleted >= ROWS_AT_A_TIME.into();
        Ok(done)
    }
}
