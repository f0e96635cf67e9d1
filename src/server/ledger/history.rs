//! Reading the ledger: an account as it stands, as it stood, what happened on it and why. Reads are on one
//! snapshot and write nothing: what has fallen due is settled in memory, as it will be written.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use sqlx::{Connection, PgConnection};

use super::Ledger;
use crate::{
    domain::{
        Account, AccountId, Credits, Entry, Explanation, IdempotencyKey, Lot, LotNumber, Replay, Tally,
        Version, catalog::ActionKey,
    },
    problem::Problem,
    server::{
        Error,
        store::ledger::{self as store, Bucket, Filter, MonthTally},
    },
};

/// A part of an account's history, and the account at its end.
#[derive(Debug)]
pub struct History {
    pub account: Account,
    /// Newest first.
    pub entries: Vec<Arc<Entry>>,
}

impl Ledger {
    /// Where an account lies among the ledger's tables.
    pub fn bucket(&self, id: AccountId) -> Bucket {
        self.buckets.of(id)
    }

    pub fn buckets(&self) -> impl Iterator<Item = Bucket> {
        self.buckets.all()
    }

    /// The entry that answered the command with this key, if it was carried out.
    pub async fn answered(&self, id: AccountId, key: IdempotencyKey) -> Result<Option<Arc<Entry>>, Error> {
        let mut conn = self.pool.acquire().await?;
        Ok(store::answered(&mut conn, self.buckets.of(id), id, key).await?)
    }

    /// An account as it stands now. One statement reads all of it, so it needs no transaction.
    pub async fn account(&self, id: AccountId) -> Result<Account, Error> {
        let mut conn = self.pool.acquire().await?;
        self.account_in(&mut conn, id).await
    }

    /// Those of these accounts that are of the bucket, as they stand now.
    pub async fn accounts(&self, bucket: Bucket, ids: &[AccountId]) -> Result<Vec<Account>, Error> {
        let mut conn = self.pool.acquire().await?;
        let mut accounts = store::load(&mut conn, bucket, ids, &[]).await?;
        let now = self.clock.now();
        accounts.iter_mut().for_each(|account| account.settle(now));
        Ok(accounts)
    }

    /// An account as it stands now, and those of its entries before `before` (from the newest where that is
    /// `None`) that the filter admits, newest first. What has fallen due is in it as it will be written, so that the list always
    /// ends at what the account has.
    pub async fn history(
        &self,
        id: AccountId,
        before: Option<Version>,
        filter: &Filter,
        limit: usize,
    ) -> Result<History, Error> {
        let mut conn = self.pool.acquire().await?;
        let mut snapshot = conn.begin_with(store::SNAPSHOT).await?;
        let account = self.account_in(&mut snapshot, id).await?;
        let mut entries: Vec<Arc<Entry>> = account
            .journal()
            .iter()
            .rev()
            .filter(|entry| before.is_none_or(|before| entry.version < before) && filter.admits(entry))
            .take(limit)
            .cloned()
            .collect();
        let left = limit - entries.len();
        entries.extend(store::history(&mut snapshot, self.buckets.of(id), id, before, filter, left).await?);
        snapshot.commit().await?;
        Ok(History { account, entries })
    }

    /// Lots of an account that came before `before` (from the newest where that is `None`), newest first.
    pub async fn lots(
        &self,
        id: AccountId,
        before: Option<LotNumber>,
        limit: usize,
    ) -> Result<Vec<Lot>, Error> {
        let mut conn = self.pool.acquire().await?;
        let mut snapshot = conn.begin_with(store::SNAPSHOT).await?;
        let account = self.account_in(&mut snapshot, id).await?;
        let lots = store::lots(&mut snapshot, self.buckets.of(id), id, before, limit).await?;
        snapshot.commit().await?;
        // What has fallen due and is not written yet.
        Ok(lots.into_iter().map(|lot| account.lot(lot.number).cloned().unwrap_or(lot)).collect())
    }

    /// How much an account was granted in lots that have begun and neither lapsed nor are void.
    pub async fn granted(&self, id: AccountId) -> Result<Credits, Error> {
        let mut conn = self.pool.acquire().await?;
        let mut snapshot = conn.begin_with(store::SNAPSHOT).await?;
        let (account, now) = (self.account_in(&mut snapshot, id).await?, self.clock.now());
        let written = store::granted(&mut snapshot, self.buckets.of(id), id, now).await?;
        snapshot.commit().await?;
        // What fell due and is not written yet: a renewal.
        let opened = account.journal().iter().filter_map(|entry| account.lot(entry.opened?.lot));
        let unwritten = opened.filter(|lot| lot.is_active(now)).map(|lot| lot.granted);
        Ok(unwritten.fold(written, |sum, granted| sum.checked_add(granted).unwrap_or(sum)))
    }

    /// What an account has run, per action and month of the account, newest month first: months that begin from `from` on
    /// and before `to`. With the account as it stands.
    pub async fn usage(
        &self,
        id: AccountId,
        action: Option<&ActionKey>,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
        limit: usize,
    ) -> Result<(Account, Vec<MonthTally>), Error> {
        let mut conn = self.pool.acquire().await?;
        let mut snapshot = conn.begin_with(store::SNAPSHOT).await?;
        let account = self.account_in(&mut snapshot, id).await?;
        let usage = &account.standing().usage;
        let is_asked =
            |month: DateTime<Utc>| from.is_none_or(|from| month >= from) && to.is_none_or(|to| month < to);
        let mut rows = Vec::new();
        if let Some(month) = usage.month.map(|month| month.start).filter(|month| is_asked(*month)) {
            let is_asked = |tally: &&Tally| action.is_none() || tally.action.as_ref() == action;
            let current = usage.tallies.iter().filter(is_asked).cloned();
            rows.extend(current.map(|tally| MonthTally { month, tally }));
            rows.sort_by(|one, other| one.tally.action_name().cmp(other.tally.action_name()));
            rows.truncate(limit);
        }
        let (bucket, left) = (self.buckets.of(id), limit - rows.len());
        rows.extend(store::usage(&mut snapshot, bucket, id, action, from, to, left).await?);
        snapshot.commit().await?;
        Ok((account, rows))
    }

    /// An account as it stood at a moment, worked out from its entries up to then; as it stands now, where that
    /// moment is still to come.
    pub async fn as_of(&self, id: AccountId, at: DateTime<Utc>) -> Result<Replay, Error> {
        let mut replay = Replay::new(id);
        self.read_up_to(id, |entry| {
            let is_before = entry.at <= at;
            if is_before {
                replay.read(entry).map_err(Error::internal)?;
            }
            Ok(is_before)
        })
        .await?;
        Ok(replay)
    }

    /// Which lots an entry took from and why these, or `None` where there is no such entry.
    pub async fn explain(&self, id: AccountId, version: Version) -> Result<Option<Explanation>, Error> {
        let mut before = Replay::new(id);
        let mut explanation = None;
        self.read_up_to(id, |entry| {
            if entry.version == version {
                explanation = Some(Explanation::of(Arc::clone(entry), &before));
            } else {
                before.read(entry).map_err(Error::internal)?;
            }
            Ok(explanation.is_none())
        })
        .await?;
        Ok(explanation)
    }

    /// Shows `read` the entries of an account one after the other, from the first, for as long as it says so; also
    /// what has fallen due since the last one.
    async fn read_up_to(
        &self,
        id: AccountId,
        mut read: impl FnMut(&Arc<Entry>) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let mut conn = self.pool.acquire().await?;
        let mut snapshot = conn.begin_with(store::SNAPSHOT).await?;
        store::take_time(&mut snapshot).await?;
        let account = self.account_in(&mut snapshot, id).await?;
        let mut lines = store::stream(&mut snapshot, self.buckets.of(id), id..=id);
        while let Some(line) = lines.next().await {
            if !read(&line?.entry?)? {
                return Ok(());
            }
        }
        for entry in account.journal() {
            if !read(entry)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// An account's entries that are about its subscription, in their order, also what has fallen due since the last one;
    /// as the transaction sees them.
    pub async fn of_subscription_in(
        &self,
        conn: &mut PgConnection,
        id: AccountId,
    ) -> Result<Vec<Arc<Entry>>, Error> {
        let mut entries = store::of_subscription(conn, self.buckets.of(id), id).await?;
        entries.extend(self.account_in(conn, id).await?.journal().iter().cloned());
        Ok(entries)
    }

    /// An account as it stands at this moment, as the transaction sees it.
    pub async fn account_in(&self, conn: &mut PgConnection, id: AccountId) -> Result<Account, Error> {
        let found = store::find(conn, self.buckets.of(id), id).await?;
        let mut account = found.ok_or(Problem::UnknownAccount)?;
        account.settle(self.clock.now());
        Ok(account)
    }
}
