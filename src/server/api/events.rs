//! The balance of an account as a stream of server-sent events. A change wakes the stream, which reads the balance and
//! sends it unless it is what was sent last. What was lost on the way is found by looking again now and then.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures_util::stream;
use tokio::time::timeout;

use super::{Fault, objects::BalanceObject};
use crate::{
    domain::AccountId,
    server::{AppState, Error, auth::Key, notify::Watch},
};

/// After this the balance is looked at even if nobody told of a change: a lot may have lapsed, or a signal been lost.
const LOOK_EVERY: Duration = Duration::from_secs(15);

pub async fn balance(state: &AppState, account: AccountId) -> Result<BalanceObject, Error> {
    let account = state.ledger.account(account).await?;
    Ok(BalanceObject::of(&account, &state.catalog(), state.clock.now()))
}

/// `last`: the version of the last balance that the caller has; nothing older is sent.
pub async fn stream(
    state: AppState,
    key: Arc<Key>,
    account: AccountId,
    last: Option<i64>,
) -> Result<Response, Fault> {
    // Watched first, so that no change falls between the two.
    let watch = state.live.watch(account)?;
    let first = watch.look(balance(&state, account)).await?;
    let stream =
        Stream { state, key, account, watch, first: Some(first), sent: None, last: last.unwrap_or(0) };
    let events = stream::unfold(stream, |mut stream| async {
        let balance = stream.next().await?;
        let event = Event::default().event("balance").id(balance.version().to_string()).json_data(&balance);
        Some((Ok::<_, Infallible>(event.unwrap_or_default()), stream))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

struct Stream {
    state: AppState,
    key: Arc<Key>,
    account: AccountId,
    watch: Watch,
    /// What was read when the stream began.
    first: Option<BalanceObject>,
    sent: Option<BalanceObject>,
    /// The version of what was sent last.
    last: i64,
}

impl Stream {
    /// The next balance that is news; `None` when there is nothing more to watch.
    async fn next(&mut self) -> Option<BalanceObject> {
        loop {
            let now = match self.first.take() {
                Some(first) => Some(first),
                None => self.look_again().await?,
            };
            if let Some(now) = now.filter(|now| now.version() >= self.last && self.sent.as_ref() != Some(now))
            {
                self.last = now.version();
                self.sent = Some(now.clone());
                return Some(now);
            }
        }
    }

    /// The balance after it may have changed; `None` where the stream ends, with the program or with its key. Within:
    /// `None` where it can't be read now.
    async fn look_again(&mut self) -> Option<Option<BalanceObject>> {
        match timeout(LOOK_EVERY, self.watch.changed()).await {
            Ok(false) => None,
            Ok(true) | Err(_) => match self.state.api_keys.is_good_still(&self.key).await {
                Ok(false) => None,
                Ok(true) => Some(self.watch.look(balance(&self.state, self.account)).await.ok()),
                // Whether it is can't be seen now; then the balance can't either.
                Err(_) => Some(None),
            },
        }
    }
}
