//! Warnings: sees what there is to tell the holders of accounts, and notes it, so that each is told once whatever process
//! looks and however often. When there is anything to tell is the law's ([`warning`](crate::domain::warning)).
//!
//! Looking comes after the commit and beside the ledger: whatever changed is looked at within a second or so (`watch`),
//! whoever opens a page is looked at then (`of`), and lots that lapse are found by a job (`look_ahead`). What is long over
//! is forgotten (`forget`).

use std::{collections::HashMap, iter, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use sqlx::Connection;
use tokio::time::sleep;

use super::{
    AppState, Error,
    store::{
        ledger::Bucket,
        warnings::{self as store, Soon},
    },
    top_ups,
};
use crate::domain::{
    Account, AccountId, Warning,
    warning::{FARTHEST, News, Topic, news},
};

/// How many accounts are looked at in one go.
const ACCOUNTS_AT_A_TIME: usize = 256;

/// Between two goes: looking leaves the machine to the ledger.
const PAUSE: Duration = Duration::from_millis(100);

/// After a change, so that what changes often is looked at once.
const GATHER: Duration = Duration::from_millis(500);

/// After a look that failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(2);

/// How many goes a walk through all accounts takes before what has changed has its turn.
const GOES_AT_A_TIME: usize = 8;

/// How long warnings are kept that are over.
const KEPT_FOR: TimeDelta = TimeDelta::days(90);

/// Looks at what this process changes, until the program ends.
pub async fn watch(state: AppState) {
    let mut walk = Walk::default();
    loop {
        let looked = look_at_changes(&state, &mut walk).await;
        if let Err(error) = looked {
            tracing::warn!(error = &error as &dyn std::error::Error, "nobody saw whether to warn");
            sleep(PAUSE_AFTER_FAILURE).await;
        }
        sleep(GATHER).await;
    }
}

/// Looks at what has changed, and then at some of the accounts that a walk has not come to yet. Where that fails, what was
/// not seen is looked at the next time.
async fn look_at_changes(state: &AppState, walk: &mut Walk) -> Result<(), Error> {
    let changed = if walk.buckets_left == 0 {
        Some(state.unseen.next().await)
    } else {
        state.unseen.next().now_or_never()
    };
    match changed {
        Some(Some(accounts)) => {
            if let Err(error) = look_at_each(state, &accounts).await {
                state.unseen.note(accounts.into_iter());
                return Err(error);
            }
        }
        Some(None) => walk.begin_again(state),
        None => {}
    }
    walk.go_on(state).await
}

/// A walk through all accounts, where more have changed than could be named.
#[derive(Debug, Default)]
struct Walk {
    bucket: usize,
    after: Option<AccountId>,
    /// How many buckets it has still to go through, with the one where it is.
    buckets_left: usize,
}

impl Walk {
    /// All of them, from where it is.
    fn begin_again(&mut self, state: &AppState) {
        // What it has seen of this bucket comes last.
        self.buckets_left = state.ledger.buckets().count() + usize::from(self.after.is_some());
    }

    /// Looks at the next accounts, not too many.
    async fn go_on(&mut self, state: &AppState) -> Result<(), Error> {
        for _ in 0..GOES_AT_A_TIME {
            let Some(bucket) = state.ledger.buckets().nth(self.bucket).filter(|_| self.buckets_left > 0)
            else {
                return Ok(());
            };
            let mut conn = state.pool.acquire().await?;
            let accounts = store::next_accounts(&mut conn, bucket, self.after, ACCOUNTS_AT_A_TIME).await?;
            drop(conn);
            if accounts.is_empty() {
                self.after = None;
                self.bucket = (self.bucket + 1) % state.ledger.buckets().count();
                self.buckets_left -= 1;
                continue;
            }
            look(state, bucket, &accounts).await?;
            self.after = accounts.last().copied();
            sleep(PAUSE).await;
        }
        Ok(())
    }
}

/// How far a look at the lots that lapse before long has come: the bucket, and the last lot that was seen in it.
#[derive(Debug, Default)]
pub struct Place {
    bucket: usize,
    after: Option<Soon>,
}

/// Looks at the next lots that lapse before long, at most so many. Returns of how many accounts there was something to
/// note, and whether there are more lots; after the last it begins with the first again.
pub async fn look_ahead(state: &AppState, place: &mut Place) -> Result<(u64, bool), Error> {
    let Some(bucket) = state.ledger.buckets().nth(place.bucket) else {
        *place = Place::default();
        return Ok((0, false));
    };
    let mut conn = state.pool.acquire().await?;
    let soon = store::soon(&mut conn, bucket, state.clock.now(), place.after, ACCOUNTS_AT_A_TIME).await?;
    drop(conn);
    let mut accounts: Vec<AccountId> = soon.iter().map(|soon| soon.account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let noted = look(state, bucket, &accounts).await?;
    place.after = soon.last().copied();
    if place.after.is_none() {
        place.bucket += 1;
    }
    Ok((noted, true))
}

/// Looks at all of them.
pub async fn look_all_ahead(state: &AppState) -> Result<(), Error> {
    let mut place = Place::default();
    while look_ahead(state, &mut place).await?.1 {}
    Ok(())
}

/// Deletes at most so many warnings of each bucket that have long been over; returns how many, and whether there may be
/// more.
pub async fn forget(state: &AppState, limit: u32) -> Result<(u64, bool), Error> {
    // A lot has lapsed by then at the latest; a warning that may still come would come again.
    let end = state.clock.now() - KEPT_FOR - FARTHEST;
    let mut conn = state.pool.acquire().await?;
    let (mut forgotten, mut is_more) = (0, false);
    for bucket in state.ledger.buckets() {
        let deleted = store::delete_old(&mut conn, bucket, end, limit.into()).await?;
        forgotten += deleted;
        is_more |= deleted >= limit.into();
    }
    Ok((forgotten, is_more))
}

/// The warnings that stand for an account as it was just read. Notes those that are new.
pub async fn of(state: &AppState, account: &Account) -> Result<Vec<Warning>, Error> {
    let (bucket, id, now) = (state.ledger.bucket(account.id()), account.id(), state.clock.now());
    let mut conn = state.pool.acquire().await?;
    let standing = store::standing(&mut conn, bucket, &[id], now).await?.remove(&id).unwrap_or_default();
    drop(conn);
    let news = news_of(state, account, &standing, now);
    if news.is_none() {
        return Ok(standing);
    }
    Ok(note(state, bucket, id).await?.unwrap_or_else(|| after(standing, news)))
}

/// What stands once there is this news.
fn after(mut standing: Vec<Warning>, news: News) -> Vec<Warning> {
    standing.retain(|warning| !news.has_recovered || matches!(warning.topic, Topic::Lapsing { .. }));
    standing.extend(news.warnings);
    standing
}

/// Notes that a member wants to see no more of what they have seen.
pub async fn dismiss(
    state: &AppState,
    account: AccountId,
    are_of_lots: bool,
    seen: DateTime<Utc>,
) -> Result<(), Error> {
    let (bucket, now) = (state.ledger.bucket(account), state.clock.now());
    let mut conn = state.pool.acquire().await?;
    Ok(store::dismiss(&mut conn, bucket, account, are_of_lots, seen, now).await?)
}

async fn look_at_each(state: &AppState, accounts: &[AccountId]) -> Result<(), Error> {
    let mut by_bucket: HashMap<Bucket, Vec<AccountId>> = HashMap::new();
    for account in accounts {
        by_bucket.entry(state.ledger.bucket(*account)).or_default().push(*account);
    }
    for (bucket, accounts) in by_bucket {
        for some in accounts.chunks(ACCOUNTS_AT_A_TIME) {
            look(state, bucket, some).await?;
            sleep(PAUSE).await;
        }
    }
    Ok(())
}

/// Looks at these accounts of one bucket, and returns of how many there was something to note. Most have nothing to tell:
/// that takes two reads for all of them, and no lock.
async fn look(state: &AppState, bucket: Bucket, accounts: &[AccountId]) -> Result<u64, Error> {
    let mut noted = 0;
    let now = state.clock.now();
    let found = match state.ledger.accounts(bucket, accounts).await {
        Ok(found) => found,
        // One that can't be read keeps nobody else from being told.
        Err(Error::Internal(error)) => {
            tracing::warn!(%error, "some accounts can't be read, so each is looked at alone");
            let mut found = Vec::new();
            for account in accounts {
                found.extend(state.ledger.account(*account).await.ok());
            }
            found
        }
        Err(error) => return Err(error),
    };
    top_ups::hint(state, &found).await?;
    let mut conn = state.pool.acquire().await?;
    let standing = store::standing(&mut conn, bucket, accounts, now).await?;
    drop(conn);
    for account in found {
        let standing = standing.get(&account.id()).map_or(&[][..], Vec::as_slice);
        if !news_of(state, &account, standing, now).is_none() {
            noted += u64::from(note(state, bucket, account.id()).await?.is_some());
        }
    }
    Ok(noted)
}

/// Looks again where nobody else does at the same time, and notes what there is to tell. Returns what stands then. `None`:
/// somebody else is at it, who may have looked before there was this to tell; so it is looked at once more.
async fn note(state: &AppState, bucket: Bucket, id: AccountId) -> Result<Option<Vec<Warning>>, Error> {
    let mut conn = state.pool.acquire().await?;
    let mut alone = conn.begin().await?;
    if !store::is_alone(&mut alone, id).await? {
        state.unseen.note(iter::once(id));
        return Ok(None);
    }
    let account = state.ledger.account(id).await?;
    let now = state.clock.now();
    let standing = store::standing(&mut alone, bucket, &[id], now).await?.remove(&id).unwrap_or_default();
    let news = news_of(state, &account, &standing, now);
    if news.has_recovered {
        store::end_spell(&mut alone, bucket, id, now).await?;
    }
    for warning in &news.warnings {
        store::insert(&mut alone, bucket, id, warning).await?;
    }
    let standing = store::standing(&mut alone, bucket, &[id], now).await?.remove(&id).unwrap_or_default();
    alone.commit().await?;
    Ok(Some(standing))
}

fn news_of(state: &AppState, account: &Account, standing: &[Warning], now: DateTime<Utc>) -> News {
    news(account, state.catalog().low_balance, standing, now)
}
