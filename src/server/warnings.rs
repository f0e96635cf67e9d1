//! Warnings: sees what there is to tell the holders of accounts, and notes it, so that each is told once whatever process
//! looks and however often. When there is anything to tell is the law's ([`warning`](crate::domain::warning)).
//!
//! Looking comes after the commit and beside the ledger: whatever changed is looked at within a second or so (`watch`),
//! whoever opens a page is looked at then (`of`), and lots that lapse are found by a job (`look_ahead`).

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use sqlx::Connection;
use tokio::time::sleep;

use super::{
    AppState, Error,
    store::{
        ledger::Bucket,
        warnings::{self as store, Soon},
    },
};
use crate::domain::{
    Account, AccountId, Warning,
    warning::{News, news},
};

/// How many accounts are looked at in one go.
const ACCOUNTS_AT_A_TIME: usize = 256;

/// Between two goes: looking leaves the machine to the ledger.
const PAUSE: Duration = Duration::from_millis(100);

/// After a change, so that what changes often is looked at once.
const GATHER: Duration = Duration::from_millis(500);

/// Looks at what this process changes, until the program ends.
pub async fn watch(state: AppState) {
    loop {
        let looked = match state.unseen.next().await {
            Some(accounts) => look_at_each(&state, &accounts).await,
            None => look_at_all(&state).await,
        };
        if let Err(error) = looked {
            // The next change of an account, or a page of its holder, has it looked at again.
            tracing::warn!(error = &error as &dyn std::error::Error, "nobody saw whether to warn");
        }
        sleep(GATHER).await;
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

/// The warnings that stand for an account as it was just read. Notes those that are new.
pub async fn of(state: &AppState, account: &Account) -> Result<Vec<Warning>, Error> {
    let (bucket, id, now) = (state.ledger.bucket(account.id()), account.id(), state.clock.now());
    let mut conn = state.pool.acquire().await?;
    let standing = store::standing(&mut conn, bucket, &[id], now).await?.remove(&id).unwrap_or_default();
    drop(conn);
    if news_of(state, account, &standing, now).is_none() {
        Ok(standing)
    } else {
        note(state, bucket, id).await
    }
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

async fn look_at_all(state: &AppState) -> Result<(), Error> {
    for bucket in state.ledger.buckets() {
        let mut after = None;
        loop {
            let mut conn = state.pool.acquire().await?;
            let accounts = store::next_accounts(&mut conn, bucket, after, ACCOUNTS_AT_A_TIME).await?;
            drop(conn);
            after = accounts.last().copied();
            if after.is_none() {
                break;
            }
            look(state, bucket, &accounts).await?;
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
    let mut conn = state.pool.acquire().await?;
    let standing = store::standing(&mut conn, bucket, accounts, now).await?;
    drop(conn);
    for account in found {
        let standing = standing.get(&account.id()).map_or(&[][..], Vec::as_slice);
        if !news_of(state, &account, standing, now).is_none() {
            note(state, bucket, account.id()).await?;
            noted += 1;
        }
    }
    Ok(noted)
}

/// Looks again where nobody else does at the same time, and notes what there is to tell. Returns what stands then.
async fn note(state: &AppState, bucket: Bucket, id: AccountId) -> Result<Vec<Warning>, Error> {
    let mut conn = state.pool.acquire().await?;
    let mut alone = conn.begin().await?;
    store::lock(&mut alone, id).await?;
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
    Ok(standing)
}

fn news_of(state: &AppState, account: &Account, standing: &[Warning], now: DateTime<Utc>) -> News {
    news(account, state.catalog().low_balance, standing, now)
}
