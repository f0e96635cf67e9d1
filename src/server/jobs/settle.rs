//! Writes down what fell due (lapsed lots, holds that ran out, ends of subscription periods) on accounts that nobody has
//! asked anything of since. The law settles all of it in order, so it is one job.
//!
//! A step settles one batch of one bucket; the buckets take turns. An account that can't be settled is passed over for a
//! while, lest it keeps others from their turn; it may be what the books' check finds. One that somebody else holds at the
//! moment is passed over until all others are settled, however long that takes.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{Instant, sleep};

use super::{Done, Job};
use crate::{
    domain::AccountId,
    server::{
        AppState, Error,
        clock::Clock,
        ledger::{Bucket, Ledger, Settled},
    },
};

/// How many accounts are settled in one step. Their lane has time for nothing else meanwhile: measured beside 1,000
/// spends a second, 32 made p99 twice what it is without, 8 leave it below.
const ACCOUNTS_AT_A_TIME: u16 = 8;

/// For how long an account is passed over that could not be settled.
const PASSED_OVER_FOR: TimeDelta = TimeDelta::hours(1);

/// How long the job rests.
const EVERY: Duration = Duration::from_secs(60);

/// How many accounts are passed over at most, of either kind. Where there are more, something is wrong with more than them.
const PASSED_OVER_MAX: usize = 1_000;

/// For how long whoever settles all of them waits for those that somebody else holds, and how often it asks again.
const HELD_FOR: Duration = Duration::from_secs(5);
const HELD_PAUSE: Duration = Duration::from_millis(50);

#[derive(Default)]
pub struct Settle {
    /// How many buckets have had their turn, ever.
    turns: usize,
    passed_over: HashMap<AccountId, DateTime<Utc>>,
    /// Accounts that somebody else held, since all others were last settled.
    held: HashSet<AccountId>,
    /// Accounts of each bucket that were due in its last turn, though there was nothing to write.
    puzzling: HashMap<Bucket, HashSet<AccountId>>,
}

#[async_trait]
impl Job for Settle {
    fn name(&self) -> &'static str {
        "settle"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    async fn run_once(&mut self, state: &AppState, now: DateTime<Utc>) -> Result<Done, Error> {
        self.step(&state.ledger, now).await
    }
}

/// Writes down all that has fallen due by now, and returns on how many accounts something had. It waits a while for
/// accounts that somebody else holds; those that are held for longer are left to the job, as are those that can't be
/// settled.
pub async fn settle_all(ledger: &Ledger) -> Result<u64, Error> {
    let (mut settle, mut settled) = (Settle::default(), 0);
    let end = Instant::now() + HELD_FOR;
    loop {
        let are_held = !settle.held.is_empty();
        let done = settle.step(ledger, Clock::default().now()).await?;
        settled += done.things;
        if done.is_more {
            continue;
        }
        if !are_held || Instant::now() >= end {
            return Ok(settled);
        }
        sleep(HELD_PAUSE).await;
    }
}

impl Settle {
    /// Settles accounts of the next bucket that has some. `now`, by which accounts are passed over, is the machine's
    /// time; what is due is due by the ledger's.
    pub async fn step(&mut self, ledger: &Ledger, now: DateTime<Utc>) -> Result<Done, Error> {
        self.passed_over.retain(|_, until| *until > now);
        let except: Vec<AccountId> = self.passed_over.keys().chain(&self.held).copied().collect();
        let buckets: Vec<Bucket> = ledger.buckets().collect();
        for _ in 0..buckets.len() {
            let bucket = buckets[self.turns % buckets.len()];
            self.turns = self.turns.wrapping_add(1);
            let due = ledger.due(bucket, &except, ACCOUNTS_AT_A_TIME).await?;
            if !due.is_empty() {
                return self.settle(ledger, bucket, due, now).await;
            }
            self.puzzling.remove(&bucket);
        }
        self.held.clear();
        Ok(Done::default())
    }

    /// All together or, where one of them fails, each alone.
    async fn settle(
        &mut self,
        ledger: &Ledger,
        bucket: Bucket,
        due: Vec<AccountId>,
        now: DateTime<Utc>,
    ) -> Result<Done, Error> {
        let mut done = Done { is_more: true, ..Done::default() };
        let mut puzzling = HashSet::new();
        let mut groups = vec![due];
        while let Some(group) = groups.pop() {
            match ledger.settle(bucket, group.clone()).await {
                Ok(Settled { written, held }) => {
                    done.things += written.len() as u64;
                    let is_known = |account: &AccountId| written.contains(account) || held.contains(account);
                    puzzling.extend(group.into_iter().filter(|account| !is_known(account)));
                    self.leave(held)?;
                }
                // Of some of them somebody holds a lot or the like; each alone would wait as long.
                Err(error) if error.is_lock_timeout() => self.leave(group)?,
                Err(error) if !matches!(error, Error::Internal(_)) => return Err(error),
                Err(_) if group.len() > 1 => groups.extend(group.into_iter().map(|account| vec![account])),
                Err(error) => self.give_up(group[0], &error, &mut done, now)?,
            }
        }
        // Once somebody else was first; twice it is due only by what is kept beside it.
        let before = self.puzzling.remove(&bucket).unwrap_or_default();
        for account in puzzling.intersection(&before) {
            let error = Error::internal("it is due, and nothing on it is");
            self.give_up(*account, &error, &mut done, now)?;
        }
        self.puzzling.insert(bucket, puzzling);
        Ok(done)
    }

    /// The account is to blame, or what is kept beside it.
    fn give_up(
        &mut self,
        account: AccountId,
        error: &Error,
        done: &mut Done,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let cause = error.causes();
        tracing::error!(%account, cause, "an account could not be settled, and is passed over for a while");
        done.trouble = Some(format!("{account} could not be settled: {cause}"));
        if self.passed_over.len() >= PASSED_OVER_MAX {
            return Err(Error::internal(format!("more than {PASSED_OVER_MAX} accounts can't be settled")));
        }
        self.passed_over.insert(account, now + PASSED_OVER_FOR);
        Ok(())
    }

    /// Somebody else holds them.
    fn leave(&mut self, accounts: Vec<AccountId>) -> Result<(), Error> {
        self.held.extend(accounts);
        if self.held.len() > PASSED_OVER_MAX {
            // The next try begins anew: by then they may be free.
            self.held.clear();
            return Err(Error::internal(format!("more than {PASSED_OVER_MAX} accounts are held by others")));
        }
        Ok(())
    }
}
