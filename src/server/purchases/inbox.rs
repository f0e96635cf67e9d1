//! The inbox: what Stripe sends is kept as it came, and then applied. What can't be applied now is tried again with
//! growing pauses, and in the end waits for an admin: Stripe is never asked to send it again for ever.

use std::error::Error as StdError;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use sqlx::Connection;
use thiserror::Error;

use super::{Applied, apply};
use crate::{
    server::{
        AppState, Error,
        clock::Clock,
        store::stripe_events::{self as store, Outcome, Stored},
        stripe::{
            event::{self, NotAnEvent},
            signature::{self, NotSigned, Secrets},
        },
    },
    text::hexadecimal,
};

/// The largest event that is taken in. Stripe's have some kilobytes.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// How often an event is tried before it waits for an admin: for some six hours.
pub const ATTEMPTS_MAX: i32 = 12;
const PAUSE_FIRST: TimeDelta = TimeDelta::seconds(30);
const PAUSE_MAX: TimeDelta = TimeDelta::hours(1);

/// After this an event is tried whose process ended before it was through with it.
const ABANDONED_AFTER: TimeDelta = TimeDelta::minutes(1);

/// What events are signed with, and whether they are about real money.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint<'a> {
    pub secrets: &'a Secrets,
    pub is_live: bool,
}

/// Why a delivery was not taken in.
#[derive(Debug, Error)]
pub enum NotTaken {
    #[error("an event has at most {EVENT_BYTES_MAX} bytes")]
    TooLarge,
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
    /// It was not kept, and should be sent again.
    #[error("the event could not be kept")]
    NotKept(#[source] Error),
}

/// What became of an attempt to apply an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    Applied,
    /// It was applied before, or there is no such event.
    NothingToDo,
    Failed(String),
}

/// Takes in a delivery. When this returns without an error the event is kept, whatever came of it. `signature` is what
/// stands in `Stripe-Signature`.
pub async fn receive(
    state: &AppState,
    endpoint: Endpoint<'_>,
    signature: &str,
    body: &[u8],
) -> Result<(), NotTaken> {
    if body.len() > EVENT_BYTES_MAX {
        return Err(NotTaken::TooLarge);
    }
    // By the machine's time, also in a sandbox whose clock is set: Stripe signs by its own.
    signature::verify(endpoint.secrets, signature, body, Clock::default().now())?;
    let id = keep(state, body).await.map_err(NotTaken::NotKept)?;
    if let Err(error) = try_one(state, endpoint.is_live, &id).await {
        tracing::warn!(
            event = id,
            error = &error as &dyn StdError,
            "an event is kept, and will be tried again"
        );
    }
    Ok(())
}

/// Keeps an event, unless it is kept already; returns by which name.
pub async fn keep(state: &AppState, body: &[u8]) -> Result<String, Error> {
    let (id, kind) = name_and_kind(body);
    let now = Clock::default().now();
    store::keep(&state.pool, &id, &kind, body, now, now + ABANDONED_AFTER).await?;
    Ok(id)
}

/// By which name an event is kept, and of which kind it is. One that can't be read goes by its digest.
pub fn name_and_kind(body: &[u8]) -> (String, String) {
    match event::parse(body) {
        Ok(event) => (event.id, event.kind),
        Err(NotAnEvent { kind, .. }) => (format!("unreadable_{}", hexadecimal(&Sha256::digest(body))), kind),
    }
}

/// Tries to apply an event that is kept: all of it in one transaction, or nothing. Two who try at once come one after the
/// other. An admin may try one at any time.
///
/// # Errors
/// When it could not even be noted what became of it; it is tried again then.
pub async fn try_one(state: &AppState, is_live: bool, id: &str) -> Result<Tried, Error> {
    let now = Clock::default().now();
    let mut conn = state.pool.acquire().await?;
    let mut transaction = conn.begin().await?;
    let Some(Stored { body, attempts }) = store::lock(&mut transaction, id).await? else {
        return Ok(Tried::NothingToDo);
    };
    let read = event::parse(&body);
    let is_readable = read.is_ok();
    let applied = match read {
        Ok(event) if event.is_live != is_live => Ok(Applied::ignored("it is not of our mode (livemode)")),
        Ok(event) => apply(state, &mut transaction, &event).await,
        Err(not_an_event) => Err(Error::internal(not_an_event)),
    };
    match applied {
        // Its facts are kept, and the rest is for an admin: who tries it again once that is mended.
        Ok(Applied { waits: Some(why), .. }) => {
            store::fail(&mut transaction, id, why, None).await?;
            transaction.commit().await?;
            Ok(Tried::Failed(why.to_owned()))
        }
        Ok(Applied { account, ignored, waits: None }) => {
            let outcome = if ignored.is_some() { Outcome::Ignored } else { Outcome::Done };
            store::end(&mut transaction, id, outcome, ignored, now).await?;
            transaction.commit().await?;
            state.ledger.changed().note(account.into_iter());
            Ok(Tried::Applied)
        }
        Err(error) => {
            transaction.rollback().await?;
            let error = error.causes();
            let next_at = next_try(attempts.saturating_add(1), now).filter(|_| is_readable);
            tracing::warn!(event = id, error, ?next_at, "an event could not be applied");
            store::fail(&mut conn, id, &error, next_at).await?;
            Ok(Tried::Failed(error))
        }
    }
}

/// When an event is tried next that has failed so many times.
fn next_try(attempts: i32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (attempts < ATTEMPTS_MAX).then(|| now + doubled(PAUSE_FIRST, attempts - 1, PAUSE_MAX))
}

/// A pause that was doubled so many times, up to the longest.
pub fn doubled(first: TimeDelta, times: i32, longest: TimeDelta) -> TimeDelta {
    let factor = 2_i32.saturating_pow(times.max(0).unsigned_abs());
    first.checked_mul(factor).map_or(longest, |pause| pause.min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_tried_with_growing_pauses_and_then_no_more() {
        let now = DateTime::UNIX_EPOCH;
        let pauses: Vec<i64> =
            (1..=20).map_while(|attempts| Some((next_try(attempts, now)? - now).num_seconds())).collect();
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600, 3_600]);
        assert_eq!(doubled(PAUSE_FIRST, i32::MAX, PAUSE_MAX), PAUSE_MAX);
    }
}
