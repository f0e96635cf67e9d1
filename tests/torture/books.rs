//! What callers were told, command by command, and whether the ledger bears it out.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use scrip::{
    domain::{AccountId, Act, Command, Entry, Receipt, Refusal},
    problem::Problem,
    server::{
        Error,
        clock::Clock,
        ledger::{Answer, Filter, Ledger, verify::verify},
    },
};
use sqlx::PgPool;
use tokio::time::{Instant, sleep};

use crate::{
    deed::Deed,
    model::{self, Effect, Shortage},
};

/// Far above what anything here takes on a busy machine.
pub const LONG: Duration = Duration::from_mins(2);
pub const GLANCE: Duration = Duration::from_millis(5);

/// How many commands are asked again, or looked up, at a time.
const AT_A_TIME: usize = 32;

/// What one caller was told, once.
#[derive(Clone, Debug)]
pub enum Outcome {
    Done(Receipt),
    Refused(Refusal),
    /// It is promised that nothing was done.
    NotAccepted,
    /// It may have been done, or will be: the answer was lost, or the caller didn't wait for it.
    Unknown,
}

/// One time that a command was asked for.
struct Attempt {
    began: Moment,
    ended: Option<Moment>,
    outcome: Outcome,
}

/// A moment by the count of moments, which orders attempts, and by the clock.
#[derive(Clone, Copy)]
struct Moment {
    tick: u64,
    at: DateTime<Utc>,
}

struct Asked {
    command: Command,
    attempts: Vec<Attempt>,
}

pub type Name = (AccountId, String);

#[derive(Default)]
pub struct Books {
    clock: Clock,
    ticks: AtomicU64,
    asked: Mutex<BTreeMap<Name, Asked>>,
}

impl Books {
    /// Asks, and keeps what was answered; whoever drops this has given up on the answer.
    pub async fn ask(&self, ledger: &Ledger, account: AccountId, key: &str, deed: &Deed) -> Outcome {
        self.send(ledger, (account, key.to_owned()), deed.asked_of(account, key)).await
    }

    async fn send(&self, ledger: &Ledger, name: Name, command: Command) -> Outcome {
        let place = self.begin(name.clone(), &command);
        let answer = ledger.execute(command).await;
        let outcome = outcome(answer, &name);
        self.end(&name, place, outcome.clone());
        outcome
    }

    fn begin(&self, name: Name, command: &Command) -> usize {
        let began = self.moment();
        let mut asked = self.asked();
        let asked =
            asked.entry(name).or_insert_with(|| Asked { command: command.clone(), attempts: Vec::new() });
        asked.attempts.push(Attempt { began, ended: None, outcome: Outcome::Unknown });
        asked.attempts.len() - 1
    }

    fn end(&self, name: &Name, place: usize, outcome: Outcome) {
        let ended = Some(self.moment());
        let mut asked = self.asked();
        let attempt = &mut asked.get_mut(name).unwrap().attempts[place];
        (attempt.ended, attempt.outcome) = (ended, outcome);
    }

    /// What another process was told before it died, or `Unknown`.
    pub fn note(&self, account: AccountId, key: &str, deed: &Deed, outcome: Outcome) {
        let name = (account, key.to_owned());
        let place = self.begin(name.clone(), &deed.asked_of(account, key));
        if !matches!(outcome, Outcome::Unknown) {
            self.end(&name, place, outcome);
        }
    }

    fn moment(&self) -> Moment {
        Moment { tick: self.ticks.fetch_add(1, Ordering::SeqCst), at: self.clock.now() }
    }

    fn asked(&self) -> MutexGuard<'_, BTreeMap<Name, Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many commands were asked for, and how many of them were carried out as far as callers know.
    pub fn count(&self) -> (usize, usize) {
        let asked = self.asked();
        (asked.len(), asked.values().filter(|asked| asked.is_done()).count())
    }

    /// Asks again, under its key, for everything that nobody has an answer to.
    pub async fn resolve(&self, ledger: &Ledger) {
        let is_open = |asked: &Asked| !asked.is_done() && asked.has_unknown();
        self.ask_again(ledger, is_open).await;
    }

    /// Asks again for what was answered as done, too: the first answer must come again.
    pub async fn ask_all_again(&self, ledger: &Ledger) {
        self.ask_again(ledger, |asked| asked.is_done() || asked.has_unknown()).await;
    }

    /// Asks again for what was not done, whatever was said of it.
    pub async fn ask_rest_again(&self, ledger: &Ledger) {
        self.ask_again(ledger, |asked| !asked.is_done()).await;
    }

    async fn ask_again(&self, ledger: &Ledger, which: impl Fn(&Asked) -> bool) {
        let open: Vec<(Name, Command)> = self
            .asked()
            .iter()
            .filter(|(_, asked)| which(asked))
            .map(|(name, asked)| (name.clone(), asked.command.clone()))
            .collect();
        let begun = Instant::now();
        stream::iter(open)
            .for_each_concurrent(AT_A_TIME, |(name, command)| async move {
                while !self.send(ledger, name.clone(), command.clone()).await.is_an_answer() {
                    assert!(begun.elapsed() < LONG, "nobody answers");
                    sleep(GLANCE).await;
                }
            })
            .await;
    }

    /// Fails unless everything holds on the accounts that anything was asked of: what was told of each command,
    /// what each account has, and the law. `may_lose`: whether the engine itself may have lost answers, so that a first answer looks like a
    /// second.
    pub async fn check(&self, ledger: &Ledger, pool: &PgPool, may_lose: bool) {
        self.resolve(ledger).await;
        let mut faults = Vec::new();
        let names: Vec<(Name, Command)> = {
            let asked = self.asked();
            asked.iter().map(|(name, asked)| (name.clone(), asked.command.clone())).collect()
        };
        let found: Vec<(Name, Option<Arc<Entry>>)> = stream::iter(names)
            .map(|(name, command)| async move {
                let entry = ledger.answered(name.0, command.key).await.unwrap();
                (name, entry)
            })
            .buffer_unordered(8)
            .collect()
            .await;
        for (name, entry) in &found {
            let asked = self.asked();
            for fault in asked[name].faults(entry.as_ref(), may_lose) {
                faults.push(format!("{} {}: {fault}", name.0, name.1));
            }
        }
        for account in self.accounts() {
            let history = ledger.history(account, None, &Filter::default(), usize::MAX).await.unwrap();
            let entries: Vec<Arc<Entry>> = history.entries.into_iter().rev().collect();
            let (effects, shortages) = (self.effects(account), self.shortages(account));
            for fault in model::compare(&history.account, &entries, &effects, shortages, self.clock.now()) {
                faults.push(format!("{account}: {fault}"));
            }
            let report = verify(pool, Some(account), |_, _| {}).await.unwrap();
            faults.extend(report.told.iter().map(|told| format!("{told:?}")));
        }
        let many = faults.len();
        faults.truncate(20);
        assert!(many == 0, "{many} faults, the first of them:\n{}", faults.join("\n"));
    }

    pub fn accounts(&self) -> Vec<AccountId> {
        let mut accounts: Vec<AccountId> = self.asked().keys().map(|(account, _)| *account).collect();
        accounts.dedup();
        accounts
    }

    /// The commands on an account that were carried out, by the digest of their keys.
    fn effects(&self, account: AccountId) -> HashMap<i64, Effect> {
        let asked = self.asked();
        let of_account = asked.iter().filter(|((of, _), _)| *of == account);
        let effects = of_account.filter_map(|(_, asked)| {
            let entry = asked.done().next()?.0.entry.clone();
            Some((asked.command.key.within(account).get(), Effect { command: asked.command.clone(), entry }))
        });
        effects.collect()
    }

    /// What was refused on an account because there was not enough, each with the versions between which
    /// that must have been so.
    fn shortages(&self, account: AccountId) -> Vec<Shortage> {
        let asked = self.asked();
        let of_account = || asked.iter().filter(|((of, _), _)| *of == account).map(|(_, asked)| asked);
        let done: Vec<(i64, Option<u64>, u64)> = of_account()
            .filter_map(|asked| {
                let version = asked.done().next()?.0.entry.version.0;
                let told = asked.done().filter_map(|(_, attempt)| Some(attempt.ended?.tick)).min();
                let first = asked.attempts.iter().map(|attempt| attempt.began.tick).min()?;
                Some((version, told, first))
            })
            .collect();
        // What is taken by hand is taken although use is unlimited, which no quote says.
        let of_quotes = of_account().filter(|asked| !matches!(asked.command.act, Act::Adjust(_)));
        let refused = of_quotes.flat_map(|asked| asked.attempts.iter());
        let shortages = refused.filter_map(|attempt| {
            let (Outcome::Refused(Refusal::Insufficient(shortfall)), Some(ended)) =
                (&attempt.outcome, attempt.ended)
            else {
                return None;
            };
            let before = |told: Option<u64>| told.is_some_and(|told| told < attempt.began.tick);
            let earliest = done.iter().filter(|(_, told, _)| before(*told)).map(|done| done.0).max();
            let after = done.iter().filter(|(.., first)| *first > ended.tick).map(|done| done.0).min();
            Some(Shortage {
                shortfall: *shortfall,
                versions: earliest.unwrap_or(0)..after.unwrap_or(i64::MAX),
                from: attempt.began.at,
                to: ended.at,
            })
        });
        shortages.collect()
    }
}

impl Outcome {
    pub fn is_an_answer(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Refused(_))
    }
}

impl Asked {
    fn done(&self) -> impl Iterator<Item = (&Receipt, &Attempt)> {
        self.attempts.iter().filter_map(|attempt| match &attempt.outcome {
            Outcome::Done(receipt) => Some((receipt, attempt)),
            _ => None,
        })
    }

    fn is_done(&self) -> bool {
        self.done().next().is_some()
    }

    fn has_unknown(&self) -> bool {
        self.attempts.iter().any(|attempt| matches!(attempt.outcome, Outcome::Unknown))
    }

    /// What is wrong with the answers to one command, given the entry that is found under its key.
    fn faults(&self, found: Option<&Arc<Entry>>, may_lose: bool) -> Vec<String> {
        let mut faults = Vec::new();
        let Some((first, _)) = self.done().next() else {
            if let Some(entry) = found {
                faults.push(format!("nobody was told that it was done, and there is {entry:?}"));
            }
            return faults;
        };
        match found {
            None => faults.push(format!("was acknowledged as {:?}, and is not there", first.entry.version)),
            Some(entry) if *entry != first.entry => {
                faults.push(format!("was acknowledged as {:?}, and is {entry:?}", first.entry));
            }
            Some(_) => {}
        }
        if self.done().any(|(receipt, _)| receipt.entry != first.entry) {
            faults.push("was acknowledged as two entries".to_owned());
        }
        let fresh = self.done().filter(|(receipt, _)| !receipt.replayed).count();
        let least = usize::from(!may_lose && !self.has_unknown());
        if fresh > 1 || fresh < least {
            faults.push(format!("was the first time {fresh} times"));
        }
        let told = self.done().filter_map(|(_, attempt)| attempt.ended).map(|ended| ended.tick).min();
        for later in self.attempts.iter().filter(|later| told.is_some_and(|told| told < later.began.tick)) {
            match &later.outcome {
                Outcome::Refused(refusal) => faults.push(format!("was done, and then refused: {refusal}")),
                Outcome::Done(receipt) if !receipt.replayed => {
                    faults.push("was done, and then done for the first time".to_owned());
                }
                _ => {}
            }
        }
        faults
    }
}

/// Fails unless the whole ledger is sound.
pub async fn assert_sound(pool: &PgPool) {
    let report = verify(pool, None, |_, _| {}).await.unwrap();
    assert_eq!(report.violations, 0, "{report}");
}

/// What an answer means to its caller. No load and no crash may be answered as a fault of the program.
fn outcome(answer: Result<Answer, Error>, name: &Name) -> Outcome {
    match answer {
        Ok(Ok(receipt)) => Outcome::Done(receipt),
        Ok(Err(refusal)) => {
            let out_of_place =
                matches!(refusal, Refusal::UnknownAccount | Refusal::KeyReused | Refusal::ClockBehind { .. });
            assert!(!out_of_place, "{name:?}: {refusal}");
            Outcome::Refused(refusal)
        }
        Err(Error::Problem(Problem::Overloaded)) => Outcome::NotAccepted,
        Err(Error::Problem(Problem::Unavailable) | Error::Unavailable(_)) => Outcome::Unknown,
        Err(error) => panic!("{name:?}: {error:?}"),
    }
}
