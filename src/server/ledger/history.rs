//! Reading the ledger: an account as it stands, as it stood, what happened on it and why. Reads are on one
//! snapshot and write nothing: what has fallen due is settled in memory, as it will be written.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::{TryStreamExt, future::ready};
use sqlx::{Connection, PgConnection};

use super::Ledger;
use crate::{
    domain::{Account, AccountId, Entry, Explanation, IdempotencyKey, Replay, Version},
    server::{
        Error,
        store::ledger::{self as store, Range},
    },
};

const SNAPSHOT: &str = "begin isolation level repeatable read read only";

/// A part of an account's history, and the account at its end.
#[derive(Debug)]
pub struct History {
    pub account: Account,
    /// Newest first.
    pub entries: Vec<Arc<Entry>>,
}

impl Ledger {
    /// The entry that answered the command with this key, if it was carried out.
    pub async fn answered(&self, id: AccountId, key: IdempotencyKey) -> Result<Option<Arc<Entry>>, Error> {
        let mut conn = self.pool.acquire().await?;
        Ok(store::answered(&mut conn, self.buckets.of(id), id, key).await?)
    }

    /// An account as it stands now.
    pub async fn account(&self, id: AccountId) -> Result<Account, Error> {
        let mut conn = self.pool.acquire().await?;
        let mut snapshot = conn.begin_with(SNAPSHOT).await?;
        let account = self.account_in(&mut snapshot, id).await?;
        snapshot.commit().await?;
        Ok(account)
    }

    /// An account as it stands now, and its entries before `before` (from the newest where that is
    /// `None`), newest first. What has fallen due is in it as it will be written, so that the list always
    /// ends at what the account has.
    pub async fn history(
        &self,
        id: AccountId,
        before: Option<Version>,
        limit: usize,
    ) -> Result<History, Error> {
        let mut conn = self.pool.acquire().await?;
        let mut snapshot = conn.begin_with(SNAPSHOT).await?;
        let account = self.account_in(&mut snapshot, id).await?;
        let mut entries: Vec<Arc<Entry>> = account
            .journal()
            .iter()
            .rev()
            .filter(|entry| before.is_none_or(|before| entry.version < before))
            .take(limit)
            .cloned()
            .collect();
        let left = limit - entries.len();
        entries.extend(store::history(&mut snapshot, self.buckets.of(id), id, before, left).await?);
        snapshot.commit().await?;
        Ok(History { account, entries })
    }

    /// An account as it stood at a past moment, worked out from its entries up to then.
    pub async fn as_of(&self, id: AccountId, at: DateTime<Utc>) -> Result<Replay, Error> {
        let mut replay = Replay::new(id);
        for entry in self.up_to(Range { at, ..Range::of(id) }).await? {
            replay.read(&entry).map_err(Error::internal)?;
        }
        Ok(replay)
    }

    /// Which lots an entry took from and why these, or `None` where there is no such entry.
    pub async fn explain(&self, id: AccountId, version: Version) -> Result<Option<Explanation>, Error> {
        let mut before = Replay::new(id);
        for entry in self.up_to(Range { version, ..Range::of(id) }).await? {
            if entry.version == version {
                return Ok(Some(Explanation::of(entry, &before)));
            }
            before.read(&entry).map_err(Error::internal)?;
        }
        Ok(None)
    }

    /// The entries of a range, with what has fallen due since the last one.
    async fn up_to(&self, range: Range) -> Result<Vec<Arc<Entry>>, Error> {
        let mut conn = self.pool.acquire().await?;
        let mut snapshot = conn.begin_with(SNAPSHOT).await?;
        let account = self.account_in(&mut snapshot, range.first).await?;
        let lines = store::stream(&mut snapshot, self.buckets.of(range.first), range);
        let mut entries: Vec<Arc<Entry>> = lines.and_then(|line| ready(line.entry)).try_collect().await?;
        snapshot.commit().await?;
        let due = account.journal().iter();
        entries.extend(due.filter(|entry| entry.version <= range.version && entry.at <= range.at).cloned());
        Ok(entries)
    }

    async fn account_in(&self, conn: &mut PgConnection, id: AccountId) -> sqlx::Result<Account> {
        let bucket = self.buckets.of(id);
        let rows = store::find(conn, bucket, &[id]).await?;
        let mut account =
            store::load(conn, bucket, rows, &[]).await?.pop().ok_or(sqlx::Error::RowNotFound)?;
        account.settle(self.clock.now());
        Ok(account)
    }
}
