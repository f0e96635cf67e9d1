//! Automatic top-ups (rule 19): sees whose credits have run low, and buys the pack that they chose. Beside the ledger, so
//! that no spend waits for it: whoever looks at what has changed ([`warnings`](super::warnings)) leaves a hint, a job
//! ([`jobs`](super::jobs)) looks at those, and lest a hint was lost at everybody now and then.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection};

use super::{
    AppState, Error,
    jobs::Done,
    purchases::{Till, automatic},
    store::{
        purchases::{self, Purchase},
        top_ups as store,
    },
};
use crate::{
    domain::{
        Account, AccountId, Credits,
        top_up::{ATTEMPTS_MAX, Attempt, PAUSE, PausedBy, Wait},
    },
    problem::Problem,
};

/// How many accounts are looked at in one step: each may be a request to Stripe.
const ACCOUNTS_AT_A_TIME: u16 = 5;

/// After this one is looked at for which there was no hint.
const LOOK_AGAIN: TimeDelta = TimeDelta::minutes(10);

/// Has those of these accounts looked at soon that have less than their holders want.
pub async fn hint(state: &AppState, changed: &[Account]) -> Result<(), Error> {
    let now = state.clock.now();
    let available: Vec<(AccountId, Credits)> =
        changed.iter().map(|account| (account.id(), account.available(now))).collect();
    let mut conn = state.pool.acquire().await?;
    Ok(store::hint(&mut conn, state.stripe.mode(), &available, now).await?)
}

/// Looks at the accounts that are due, a few at most.
pub async fn step(state: &AppState, till: &dyn Till) -> Result<Done, Error> {
    let (now, limit) = (state.clock.now(), ACCOUNTS_AT_A_TIME);
    let mode = state.stripe.mode();
    // Put off before they are looked at: one whose look fails is not the next one's trouble.
    let due = store::take_due(&state.pool, mode, now, now + LOOK_AGAIN, limit.into()).await?;
    let mut done = Done { is_more: due.len() >= limit.into(), ..Done::default() };
    for account in due {
        match look(state, till, account).await {
            Ok(has_bought) => done.things += u64::from(has_bought),
            // Nor would Stripe answer for the others. What was noted is asked about by another job.
            Err(error @ Error::Problem(Problem::PaymentsUnavailable)) => return Err(error),
            Err(error) => done.trouble = Some(format!("{account}: {}", error.causes())),
        }
    }
    Ok(done)
}

/// Looks at an account, and buys the pack where that is due; returns whether it was. However many look at once, one buys.
pub async fn look(state: &AppState, till: &dyn Till, account: AccountId) -> Result<bool, Error> {
    let standing = state.ledger.account(account).await?;
    let mut conn = state.pool.acquire().await?;
    let mut alone = conn.begin().await?;
    let noted = note(state, &mut alone, &standing).await?;
    alone.commit().await?;
    drop(conn);
    let Some(purchase) = noted else { return Ok(false) };
    automatic::go_on(state, till, &purchase).await?;
    Ok(true)
}

/// Notes the purchase that is due, if one is, and when to look next.
async fn note(
    state: &AppState,
    conn: &mut PgConnection,
    standing: &Account,
) -> Result<Option<Purchase>, Error> {
    let (mode, account) = (state.stripe.mode(), standing.id());
    let Some(store::Chosen { top_up, .. }) = store::lock(conn, mode, account).await? else { return Ok(None) };
    let (attempts, now) = (attempts(state, conn, account).await?, state.clock.now());
    let catalog = state.catalog();
    let decided = top_up.decide(standing, &attempts, catalog.pack(top_up.pack.as_str()), now);
    store::look_again(conn, mode, account, next_look(decided, now)).await?;
    match decided {
        Ok(()) => automatic::note(state, conn, account, &top_up.pack).await.map(Some),
        Err(_) => Ok(None),
    }
}

fn next_look(decided: Result<(), Wait>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match decided {
        Ok(()) => Some(now + PAUSE),
        Err(Wait::Off) => None,
        Err(Wait::Until(rested)) => Some(rested),
        // Also while it is paused: an attempt may come through late, and end that.
        Err(
            Wait::Paused(_)
            | Wait::Unlimited
            | Wait::Enough
            | Wait::Owing
            | Wait::UnderWay
            | Wait::NotSold
            | Wait::MonthSpent,
        ) => Some(now + LOOK_AGAIN),
    }
}

/// The attempts that matter, the latest first.
pub async fn attempts(
    state: &AppState,
    conn: &mut PgConnection,
    account: AccountId,
) -> Result<Vec<Attempt>, Error> {
    let most = i64::try_from(ATTEMPTS_MAX).map_err(Error::internal)?;
    Ok(purchases::attempts(conn, state.stripe.mode(), account, most).await?)
}

/// What an account's is paused by, if it is.
pub async fn paused(state: &AppState, account: AccountId) -> Result<Option<PausedBy>, Error> {
    let mut conn = state.pool.acquire().await?;
    let chosen = store::find(&mut conn, state.stripe.mode(), account).await?;
    let Some(chosen) = chosen.filter(|chosen| chosen.top_up.on_since.is_some()) else { return Ok(None) };
    let attempts = attempts(state, &mut conn, account).await?;
    Ok(chosen.top_up.paused(&attempts))
}
