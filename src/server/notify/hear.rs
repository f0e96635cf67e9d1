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
    let mut is_told = false;
    loop {
        let lost = hear_until_lost(&state, &mut is_told).await;
        state.api_keys.hears_no_more();
        if !std::mem::replace(&mut is_told, true) {
            let error = lost.as_ref().err().and_then(|error| error.source());
            tracing::warn!(
                error,
                "signals can't be heard: balances are late, and keys are read with each request"
            );
        }
        sleep(PAUSE).await;
    }
}

/// `is_told`: whether it was said already that nothing is heard.
async fn hear_until_lost(state: &AppState, is_told: &mut bool) -> Result<(), Error> {
    let mut ear = Ear::open(&state.pool).await?;
    if std::mem::take(is_told) {
        tracing::info!("signals are heard again");
    }
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
