//! Hears what any process has changed, and sees that this one does not go on with what it remembers.

use std::{error::Error as _, time::Duration};

use tokio::time::sleep;

use crate::server::{
    AppState, Error,
    store::signals::{Ear, Signal},
    test_clock,
};

/// Between two attempts to hear again.
const PAUSE: Duration = Duration::from_millis(500);

/// Hears, until the program ends.
pub async fn hear(state: AppState) {
    loop {
        let lost = hear_until_lost(&state).await;
        state.api_keys.hears_no_more();
        match lost {
            Ok(()) => tracing::debug!("the connection for signals was lost"),
            Err(error) => tracing::debug!(error = error.source(), "signals can't be heard"),
        }
        sleep(PAUSE).await;
    }
}

async fn hear_until_lost(state: &AppState) -> Result<(), Error> {
    let mut ear = Ear::open(&state.pool).await?;
    // What was told meanwhile was not heard.
    state.api_keys.hears();
    test_clock::follow(state).await?;
    state.live.wake_all();
    while let Some(signal) = ear.next().await? {
        match signal {
            Signal::Accounts(accounts) => accounts.into_iter().for_each(|account| state.live.wake(account)),
            Signal::ManyAccounts => state.live.wake_all(),
            Signal::ApiKeys => {
                state.api_keys.forget();
                // Streams are for those alone whose key is good.
                state.live.wake_all();
            }
            Signal::TestClock => {
                test_clock::follow(state).await?;
                state.live.wake_all();
            }
        }
    }
    Ok(())
}
