//! A stand-in Stripe, for whoever develops, tests or tries without an account there. It speaks Stripe's HTTP API as far as
//! the program uses it (`/sandbox/stripe/v1/…`), is as strict about what it is sent, has pages on which somebody pays, and
//! sends signed webhooks: also late, twice and out of order. It is there only in a sandbox, and knows nothing of what the
//! program sells: the program can't tell it from Stripe.
//!
//! Reading order: `calls` (the API), `params` (what it takes), `step` (one thing that happens), then Stripe's objects:
//! `checkout`, `payments`, `refunds`, `disputes`, `subscriptions`. `due` lets time pass, `deliver` sends the events, `pages`
//! are for people.

mod calls;
mod changes;
mod checkout;
mod customers;
mod deliver;
mod disputes;
mod due;
mod intents;
mod invoices;
mod lists;
pub mod pages;
mod params;
mod payments;
mod portal;
mod prices;
mod refunds;
mod refused;
mod step;
mod subscriptions;

use chrono::{DateTime, Utc};
use sqlx::PgPool;

pub use self::calls::answer;
use self::deliver::send_due;
use super::{
    super::{AppState, Error, store::sandbox},
    signature::Secrets,
};

/// How many things fall due in one step of the job.
const DUE_AT_A_TIME: u32 = 20;

/// What its webhooks are signed with where the settings don't say it.
pub async fn secrets(pool: &PgPool) -> sqlx::Result<Secrets> {
    Ok(sandbox::secret(pool).await?.parse().unwrap_or_default())
}

/// How many things happen at most while time is set forward. What is left happens at once, as if time had jumped.
const DUE_WHILE_TIME_PASSES: u32 = 1_000;

/// Lets time pass until `end` as if it did: what falls due happens at its time, and is told before what comes next. The
/// clock is left where the last thing happened.
pub async fn pass_time(state: &AppState, end: DateTime<Utc>) -> Result<(), Error> {
    for _ in 0..DUE_WHILE_TIME_PASSES {
        let Some(due) = due::next_time(state, end).await? else { break };
        state.clock.set(due.max(state.clock.now()));
        go_on(state).await?;
    }
    Ok(())
}

/// Lets happen what is due by now, so much at most, and sends what is to be sent; returns how much was done, and whether
/// there may be more.
pub async fn go_on(state: &AppState) -> Result<(u64, bool), Error> {
    let mut done = 0;
    while done < DUE_AT_A_TIME
        && due::next(state).await.map_err(|refused| Error::internal(refused.message()))?
    {
        done += 1;
    }
    let sent = send_due(state).await?;
    Ok((u64::from(done + sent), done == DUE_AT_A_TIME || sent == deliver::AT_A_TIME))
}
