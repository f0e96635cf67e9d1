//! What happens without anybody asking. Each job does one bounded step at a time, and is never needed for
//! an answer to be right: it only writes down earlier what a command or a read would find anyway.

use std::time::Duration;

use tokio::time::sleep;

use super::ledger::Ledger;

/// How long a job rests when it has found nothing more to do.
const REST: Duration = Duration::from_secs(60);

/// How many accounts of each bucket are settled in one step.
const ACCOUNTS_AT_A_TIME: u16 = 256;

/// Writes down all that has fallen due by now.
pub async fn settle_all(ledger: &Ledger) -> sqlx::Result<()> {
    while ledger.settle_due(ACCOUNTS_AT_A_TIME).await? > 0 {}
    Ok(())
}

/// Writes down which lots have lapsed and which holds ran out, over and over. Several processes may do so at once: each
/// settles an account under its lock, and then finds nothing where another was first.
pub async fn settle_due(ledger: Ledger) {
    loop {
        match ledger.settle_due(ACCOUNTS_AT_A_TIME).await {
            Ok(0) => sleep(REST).await,
            Ok(accounts) => tracing::debug!(accounts, "what fell due is written down"),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what fell due could not be written down"
                );
                sleep(REST).await;
            }
        }
    }
}
