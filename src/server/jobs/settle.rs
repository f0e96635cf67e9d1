//! Writes down what fell due (lapsed lots, holds that ran out, ends of subscription periods) on accounts that nobody has
//! asked anything of since. The law settles all of it in order, so it is one job.
//!
//! A step settles one batch of one bucket; the buckets take turns. An account that can't be settled is passed over for a
//! while, lest it keeps others from their turn; it may be what the books' check finds. One that somebody else holds at the
//! moment is only left to the job's next turn.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Done, Job};
use crate::{
    domain::AccountId,
    server::{
        AppState, Error,
        clock::Clock,
        ledger::{Bucket, Ledger},
    },
};

/// How many accounts are settled in one step. Their lane has time for nothing else meanwhile: measured beside 1,000
/// spends a second, 32 made p99 twice what it is without, 8 leave it below.
const ACCOUNTS_AT_A_TIME: u16 = 8;

/// For how long an account is passed over that could not be settled.
const PASSED_OVER_FOR: TimeDelta = TimeDelta::hours(1);

/// How long the job rests; and for how long an account is passed over that somebody else held.
const EVERY: Duration = Duration::from_secs(60);

/// How many accounts are passed over at most. Where there are more, something is wrong with more than them.
const PASSED_OVER_MAX: usize = 1_000;

#[derive(Default)]
pub struct Settle {
    /// How many buckets have had their turn, ever.
    turns: usize,
    passed_over: HashMap<AccountId, DateTime<Utc>>,
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

/// Writes down all that has fallen due by now, and returns on how many accounts something had.
pub async fn settle_all(ledger: &Ledger) -> Result<u64, Error> {
    let (mut settle, mut settled) = (Settle::default(), 0);
    loop {
        let done = settle.step(ledger, Clock::default().now()).await?;
        settled += done.things;
        if !done.is_more {
            return Ok(settled);
        }
    }
}

impl Settle {
    /// Settles accounts of the next bucket that has some. `now`, by which accounts are passed over, is the machine's
    /// time; what is due is due by the ledger's.
    pub async fn step(&mut self, ledger: &Ledger, now: DateTime<Utc>) -> Result<Done, Error> {
        self.passed_over.retain(|_, until| *until > now);
        let except: Vec<AccountId> = self.passed_over.keys().copied().collect();
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
                Ok(settled) => {
                    done.things += settled.len() as u64;
                    puzzling.extend(group.into_iter().filter(|account| !settled.contains(account)));
                }
                Err(error) if !error.is_lock_timeout() && !matches!(error, Error::Internal(_)) => {
                    return Err(error);
                }
                Err(_) if group.len() > 1 => groups.extend(group.into_iter().map(|account| vec![account])),
                Err(error) if error.is_lock_timeout() => self.pass_over(group[0], now + EVERY)?,
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
        self.pass_over(account, now + PASSED_OVER_FOR)
    }

    fn pass_over(&mut self, account: AccountId, until: DateTime<Utc>) -> Result<(), Error> {
        if self.passed_over.len() >= PASSED_OVER_MAX {
            return Err(Error::internal(format!("more than {PASSED_OVER_MAX} accounts can't be settled")));
        }
        self.passed_over.insert(account, until);
        Ok(())
    }
}
