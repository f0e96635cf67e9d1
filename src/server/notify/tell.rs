//! Tells all processes which accounts this one has changed, and this one which to look at for warnings.

use std::time::Duration;

use tokio::time::sleep;

use crate::server::{AppState, store::signals};

/// An idle system tells at once; a busy one this often, of all accounts together.
const PAUSE: Duration = Duration::from_millis(50);

/// Tells, until the program ends.
pub async fn tell(state: AppState) {
    let teller = signals::connect_teller(&state.pool);
    loop {
        let accounts = state.ledger.changed().next().await;
        if let Err(error) = signals::tell_accounts(&teller, accounts.as_deref()).await {
            // Whoever watches looks again now and then.
            tracing::debug!(%error, "a change of accounts could not be told");
        }
        match accounts {
            Some(accounts) => state.unseen.note(accounts.into_iter()),
            None => state.unseen.note_many(),
        }
        sleep(PAUSE).await;
    }
}
