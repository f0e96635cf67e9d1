//! Sends events to the listener: signed, until they are taken or three days are over. A prompt attempt follows what
//! happened, so that nobody waits for a job; the job tries again.

use std::{sync::LazyLock, time::Duration};

use chrono::TimeDelta;
use tokio::sync::Mutex;

use super::step::text;
use crate::server::{
    AppState,
    clock::Clock,
    store::sandbox::{self, Delivery},
    stripe::settings::within,
};

const PATH: &str = "/webhooks/stripe";
const SIGNATURE: &str = "stripe-signature";
const TIMEOUT: Duration = Duration::from_secs(10);
/// Whoever takes one up and goes away leaves it to others after this.
const TAKEN_FOR: TimeDelta = TimeDelta::seconds(60);
/// Between two attempts: so long at first, and each time so many times as long.
const PAUSE_FIRST_SECONDS: i64 = 5;
const PAUSE_GROWS: i64 = 4;
const PAUSE_MAX_SECONDS: i64 = 6 * 60 * 60;
const GIVEN_UP_AFTER: TimeDelta = TimeDelta::days(3);
/// How many are sent at once where one thing happened, or in one step of the job.
pub const AT_A_TIME: u32 = 20;
/// For how long somebody is kept from going on while what they did is told.
const WAITED_FOR: Duration = Duration::from_secs(3);

/// One after another, so that what happened first is told first.
static SENDING: Mutex<()> = Mutex::const_new(());

/// Not through a proxy, and not to where the listener might lead: it is this very program. Each on a connection of its own,
/// so that none is stale.
static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    client.timeout(TIMEOUT).pool_max_idle_per_host(0).build().unwrap_or_default()
});

/// Sends what is due, beside what goes on.
pub fn soon(state: &AppState) {
    tokio::spawn(send_due_and_tell(state.clone()));
}

/// Sends what is due, and waits for that, though not for long.
pub async fn now(state: &AppState) {
    let sending = tokio::spawn(send_due_and_tell(state.clone()));
    // What takes longer goes on beside.
    let _ = tokio::time::timeout(WAITED_FOR, sending).await;
}

async fn send_due_and_tell(state: AppState) {
    if let Err(error) = send_due(&state).await {
        tracing::warn!(%error, "the stand-in Stripe could not send its events");
    }
}

/// Sends what is due, so many at most; returns how many were tried.
pub async fn send_due(state: &AppState) -> sqlx::Result<u32> {
    let _alone = SENDING.lock().await;
    for sent in 0..AT_A_TIME {
        let switches = sandbox::switches(&mut *state.pool.acquire().await?).await?;
        if switches.is_held_back {
            return Ok(sent);
        }
        let now = Clock::default().now();
        let taken = sandbox::take_delivery(&state.pool, now, now + TAKEN_FOR, switches.is_reordered).await?;
        let Some(delivery) = taken else { return Ok(sent) };
        let answer = if sandbox::take_next_fails(&state.pool).await? {
            Err("lost on its way".to_owned())
        } else {
            send(state, &delivery).await
        };
        let due_at = match &answer {
            Ok(_) => None,
            Err(_) => again_after(delivery.attempts)
                .map(|pause| Clock::default().now() + pause)
                .filter(|at| *at < delivery.created_at + GIVEN_UP_AFTER),
        };
        let answer = answer.unwrap_or_else(|error| error);
        sandbox::answered(&state.pool, delivery.number, &answer, due_at).await?;
    }
    Ok(AT_A_TIME)
}

/// How long it rests after so many attempts.
fn again_after(attempts: i32) -> Option<TimeDelta> {
    let grown = PAUSE_GROWS.saturating_pow(u32::try_from(attempts - 1).unwrap_or_default());
    TimeDelta::try_seconds(PAUSE_FIRST_SECONDS.saturating_mul(grown).min(PAUSE_MAX_SECONDS))
}

/// What was answered, or what went wrong.
async fn send(state: &AppState, delivery: &Delivery) -> Result<String, String> {
    let body = delivery.event.to_string();
    // By the machine's time: signatures are judged by it, and a clock that is set has nothing to do with the network.
    let signature = state.stripe_secrets.sign(Clock::default().now(), body.as_bytes());
    let request = CLIENT
        .post(endpoint(state))
        .header("content-type", "application/json; charset=utf-8")
        .header("user-agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
        .header(SIGNATURE, signature)
        .body(body);
    let response = request.send().await.map_err(|error| {
        tracing::debug!(%error, event = text(&delivery.event, "id"), "an event could not be sent");
        "no answer".to_owned()
    })?;
    let status = response.status();
    if status.is_success() { Ok(status.as_u16().to_string()) } else { Err(status.as_u16().to_string()) }
}

/// Where the program listens, from inside the machine.
fn endpoint(state: &AppState) -> String {
    format!("http://{}{PATH}", within(state.leptos.site_addr))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_they_are_long_enough() {
        let pauses: Vec<i64> = (1..=8).filter_map(again_after).map(|pause| pause.num_seconds()).collect();
        assert_eq!(pauses, [5, 20, 80, 320, 1_280, 5_120, 20_480, 21_600]);
        assert_eq!(again_after(i32::MAX).map(|pause| pause.num_seconds()), Some(PAUSE_MAX_SECONDS));
    }
}
