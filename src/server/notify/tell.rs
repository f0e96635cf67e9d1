//! Tells all processes which accounts this one has changed.

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::sleep;

use crate::server::{ledger::Ledger, store::signals};

/// An idle system tells at once; a busy one this often, of all accounts together.
const PAUSE: Duration = Duration::from_millis(50);

/// Tells, until the program ends.
pub async fn tell(pool: PgPool, ledger: Ledger) {
    let teller = signals::connect_teller(&pool);
    loop {
        let accounts = ledger.changed().next().await;
        if let Err(error) = signals::tell_accounts(&teller, accounts.as_deref()).await {
            // Whoever watches looks again now and then.
            tracing::debug!(%error, "a change of accounts could not be told");
        }
        sleep(PAUSE).await;
    }
}
