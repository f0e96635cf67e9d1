//! Asks Stripe about purchases of which it has told nothing for a while, with growing pauses, until they are paid or
//! over.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Done, Job};
use crate::{
    problem::Problem,
    server::{
        AppState, Error,
        purchases::{Till, give_up_unanswered, give_up_unsent, inbox::doubled, start},
        store::purchases,
    },
};

/// How many purchases are asked about in one step: each is a request to Stripe.
const PURCHASES_AT_A_TIME: u16 = 10;

const PAUSE_MAX: TimeDelta = TimeDelta::hours(6);
/// For some two weeks: no kind of payment takes longer. What is pending still at the first answer after that is given up.
const ASKED_MAX: i32 = 60;

/// After this Stripe has closed every page of a purchase.
const PAGES_ARE_OPEN: TimeDelta = TimeDelta::hours(25);

pub struct Pending;

#[async_trait]
impl Job for Pending {
    fn name(&self) -> &'static str {
        "pending"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn run_once(&mut self, state: &AppState, now: DateTime<Utc>) -> Result<Done, Error> {
        step(state, &state.stripe, now).await
    }
}

/// Asks about those that are due.
pub async fn step(state: &AppState, till: &dyn Till, now: DateTime<Utc>) -> Result<Done, Error> {
    let due = purchases::to_ask(&state.pool, state.stripe.mode(), now, PURCHASES_AT_A_TIME.into()).await?;
    let mut done = Done { is_more: due.len() >= PURCHASES_AT_A_TIME.into(), ..Done::default() };
    for purchase in due {
        // Before it is asked: one whose question fails is not the next one's trouble.
        let next = now + doubled(start::ASK_AFTER, purchase.asked, PAUSE_MAX);
        purchases::ask_again(&state.pool, purchase.id, next).await?;
        let asked = if purchase.session.is_some() || purchase.is_automatic {
            start::ask(state, till, &purchase).await
        } else if state.clock.now() - purchase.created_at < PAGES_ARE_OPEN {
            continue;
        } else {
            give_up_unsent(state, purchase.id).await
        };
        // Not where nobody could be asked: it may have been paid. A no is an answer.
        let is_answered = matches!(asked, Ok(()) | Err(Error::Internal(_)));
        if purchase.asked >= ASKED_MAX && is_answered {
            give_up_unanswered(state, purchase.id).await?;
        }
        match asked {
            Ok(()) => done.things += 1,
            // Nor would it answer the others.
            Err(error @ Error::Problem(Problem::PaymentsUnavailable)) => return Err(error),
            Err(error) => done.trouble = Some(format!("purchase {}: {}", purchase.id, error.causes())),
        }
    }
    Ok(done)
}
