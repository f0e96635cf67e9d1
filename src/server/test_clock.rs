//! The test clock: in a sandbox the time that the program goes by can be set, forward and back. It is kept with the
//! database, so all processes go by it, and again after a restart. An account never goes back: the law refuses.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio::sync::Mutex;

use super::{AppState, Error, clock::Clock, jobs, store::test_clock, stripe::sandbox, warnings};
use crate::{domain::moment, problem::Problem};

/// What is read of the clock and what is written is set in the same order.
static SETTING: Mutex<()> = Mutex::const_new(());

/// The clock that a program on this database goes by.
pub async fn of(pool: &PgPool, is_sandbox: bool) -> sqlx::Result<Clock> {
    let clock = Clock::default();
    if is_sandbox {
        clock.set(test_clock::read(pool).await?);
    }
    Ok(clock)
}

/// Goes by what was set, if this is a sandbox.
pub async fn follow(state: &AppState) -> Result<(), Error> {
    if state.is_sandbox {
        let _alone = SETTING.lock().await;
        state.clock.set(test_clock::read(&state.pool).await?);
    }
    Ok(())
}

/// Lets the time stand at `now`, or go on with the machine's, and writes down what fell due by then, as far as nobody else
/// holds an account for long. What nobody has written yet is read as if it were.
pub async fn set(state: &AppState, now: Option<DateTime<Utc>>) -> Result<(), Error> {
    if !state.is_sandbox {
        return Err(Problem::NotASandbox.into());
    }
    let now = now.map(moment::whole);
    if !now.is_none_or(moment::is_kept) {
        return Err(Problem::TimeOutOfRange.into());
    }
    let alone = SETTING.lock().await;
    if let Some(end) = now.filter(|end| *end > state.clock.now())
        && let Err(error) = sandbox::pass_time(state, end).await
    {
        // A job does what is left.
        tracing::warn!(error = &error as &dyn std::error::Error, "the stand-in Stripe fell behind the clock");
    }
    test_clock::write(&state.pool, now).await?;
    state.clock.set(now);
    drop(alone);
    state.live.wake_all();
    jobs::settle_all(&state.ledger).await?;
    warnings::look_all_ahead(state).await
}
