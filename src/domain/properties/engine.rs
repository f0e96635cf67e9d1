//! What the engine's lanes do around [`decide`], without a database: they decide on what they remember, write if
//! that is still so, and else load what a batch needs and no more. Whether that is enough is what it is here to
//! find out.
//!
//! What a lane remembers has no past. So it does not know a key that was used in an earlier batch: the tables,
//! where keys are unique, refuse to write it again. Only who works under a lock looks keys up.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};

use super::{
    super::{account::Standing, testing::new_account, *},
    trial::{Answer, Seen, Timed},
};

/// For how many batches a lane that was wrong does not use its memory.
const DISTRUST: u32 = 2;

/// Several processes at work on one account.
pub struct Engine {
    pub tables: Tables,
    lanes: [Lane; 2],
    /// What was done, in the order in which it took effect.
    pub done: Vec<Done>,
    pub seen: Seen,
}

/// A command that was carried out and its answer; or only what had fallen due, whatever became of the commands on
/// whose occasion it was written.
pub struct Done {
    pub now: DateTime<Utc>,
    pub answered: Option<(Command, Answer)>,
}

/// A lane of one process.
#[derive(Default)]
struct Lane {
    memory: Option<Account>,
    distrust: u32,
}

/// Commands that were decided on what is remembered.
#[derive(Default)]
struct Decided {
    account: Option<Account>,
    answers: Vec<(Command, Answer)>,
    /// Those that memory was not enough for.
    left: Vec<Command>,
    now: DateTime<Utc>,
}

impl Engine {
    pub fn new() -> Self {
        let (tables, lanes) = (Tables::new(), Default::default());
        Self { tables, lanes, done: Vec::new(), seen: Seen::new() }
    }

    /// Carries out a batch that came to this lane, and what came to it while that was being written.
    pub fn carry_out(&mut self, lane: usize, batch: &[Timed], meanwhile: &[Timed]) {
        let decided = self.decide(lane, batch);
        let ahead = self.finish(lane, decided, meanwhile);
        self.finish(lane, ahead, &[]);
    }

    /// Decides what can be decided on what is remembered, all of it at the moment of the last command.
    fn decide(&mut self, lane: usize, batch: &[Timed]) -> Decided {
        let Some((_, now)) = batch.last() else { return Decided::default() };
        let Lane { memory, distrust } = &mut self.lanes[lane];
        let mut decided = Decided { now: *now, ..Decided::default() };
        if *distrust == 0 {
            decided.account = memory.take();
        }
        for (command, _) in batch {
            match decided.account.as_mut().filter(|account| account.knows_enough_for(&command.act)) {
                Some(account) => {
                    let answer = decide(account, command, *now);
                    decided.answers.push((command.clone(), answer));
                }
                None => decided.left.push(command.clone()),
            }
        }
        decided
    }

    /// Writes what was decided, and does under a lock what is left open. Returns what was decided of what came in
    /// meanwhile.
    fn finish(&mut self, lane: usize, decided: Decided, meanwhile: &[Timed]) -> Decided {
        let Decided { account, answers, mut left, mut now } = decided;
        let account = account.filter(Account::has_unwritten);
        // A refusal writes nothing, so nothing says that it rests on what is so.
        let (confirmed, doubtful): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|(_, answer)| answer.is_ok() && account.is_some());
        left.extend(doubtful.into_iter().map(|(command, _)| command));
        if let Some(account) = &account {
            self.lanes[lane].memory = Some(account.continued());
        }
        // Who runs ahead must not run into those that are left.
        let mut ahead = left.is_empty().then(|| self.decide(lane, meanwhile));
        match account.map_or(Ok(false), |account| self.tables.write(&account).map(|()| true)) {
            Ok(false) => {}
            Ok(true) => {
                let done = |answered| Done { now, answered };
                self.done.push(done(None));
                self.done.extend(confirmed.into_iter().map(Some).map(done));
            }
            Err(stale) => {
                // What was decided ahead was decided on what is not there.
                let undone = ahead.as_mut().map(std::mem::take).unwrap_or_default();
                self.see(stale.name());
                if !undone.answers.is_empty() {
                    self.see("undone");
                }
                self.lanes[lane].memory = None;
                if stale == Stale::Version {
                    self.lanes[lane].distrust = DISTRUST;
                }
                now = now.max(undone.now);
                let again = confirmed.into_iter().chain(undone.answers).map(|(command, _)| command);
                left = again.chain(left).chain(undone.left).collect();
            }
        }
        self.lanes[lane].distrust = self.lanes[lane].distrust.saturating_sub(1);
        if !left.is_empty() {
            self.under_lock(lane, &left, now);
        }
        ahead.unwrap_or_else(|| self.decide(lane, meanwhile))
    }

    /// Here keys are looked up, and whatever else the commands name of the past.
    fn under_lock(&mut self, lane: usize, commands: &[Command], now: DateTime<Utc>) {
        let mut account = self.tables.load(commands);
        for command in commands {
            let answer = decide(&mut account, command, now);
            let is_known = answer.as_ref().is_ok_and(|receipt| receipt.replayed);
            self.see(if is_known { "looked up" } else { "locked" });
            self.done.push(Done { now, answered: Some((command.clone(), answer)) });
        }
        if account.has_unwritten() {
            assert_eq!(self.tables.write(&account), Ok(()), "nobody else writes what is locked");
        }
        self.lanes[lane].memory = Some(account.continued());
    }

    fn see(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }
}

/// Why a write was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// The account has another version than it was decided on.
    Version,
    /// A key was used before.
    Key,
}

impl Stale {
    const fn name(self) -> &'static str {
        match self {
            Self::Version => "stale version",
            Self::Key => "stale key",
        }
    }
}

/// Everything that is written of one account.
pub struct Tables {
    pub standing: Standing,
    pub lots: BTreeMap<LotNumber, Lot>,
    pub holds: BTreeMap<Version, Hold>,
    pub entries: Vec<Arc<Entry>>,
    refunded: BTreeMap<Version, Credits>,
    clawed: BTreeMap<LotNumber, Clawed>,
    /// Of months that are over.
    pub usage: Vec<Usage>,
}

impl Tables {
    fn new() -> Self {
        Self {
            standing: new_account().standing().clone(),
            lots: BTreeMap::new(),
            holds: BTreeMap::new(),
            entries: Vec::new(),
            refunded: BTreeMap::new(),
            clawed: BTreeMap::new(),
            usage: Vec::new(),
        }
    }

    /// What is open, the answers to these commands' keys, and what they name.
    fn load(&self, commands: &[Command]) -> Account {
        let keys: BTreeSet<KeyDigest> =
            commands.iter().map(|command| command.key.within(command.account)).collect();
        let (mut versions, mut refunds, mut lots) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for command in commands {
            match &command.act {
                Act::Capture(Capture { hold, .. }) | Act::Release(Release { hold }) => {
                    versions.insert(*hold);
                }
                Act::Refund(Refund { spend, .. }) => {
                    refunds.insert(*spend);
                }
                Act::Void(Void { lot, .. })
                | Act::Clawback(Clawback { lot, .. })
                | Act::Reinstate(Reinstate { lot, .. }) => {
                    lots.insert(*lot);
                }
                Act::Grant(_)
                | Act::Spend(_)
                | Act::Hold(..)
                | Act::Adjust(_)
                | Act::Unlimited(_)
                | Act::Subscribe(_)
                | Act::Unsubscribe(_) => {}
            }
        }
        let answers = |entry: &Entry| entry.cause.is_some_and(|cause| keys.contains(&cause.key));
        let is_named = |entry: &Entry| versions.contains(&entry.version) || refunds.contains(&entry.version);
        let refunded = self.entries.iter().filter(|entry| refunds.contains(&entry.version));
        let origins = refunded.flat_map(|entry| &entry.movements).map(|movement| movement.lot);
        let named: BTreeSet<LotNumber> = lots.iter().copied().chain(origins).collect();
        let loaded = self.lots.values().filter(|lot| lot.is_open() || named.contains(&lot.number));
        let holds = self.holds.values().cloned().collect();
        let mut account = Account::restore(self.standing.clone(), loaded.cloned().collect(), holds);
        for entry in self.entries.iter().filter(|entry| answers(entry) || is_named(entry)) {
            account.recall(Arc::clone(entry));
        }
        for (spend, refunded) in self.refunded.iter().filter(|(spend, _)| refunds.contains(spend)) {
            account.recall_refunded(*spend, *refunded);
        }
        for (lot, clawed) in self.clawed.iter().filter(|(lot, _)| lots.contains(lot)) {
            account.recall_clawed(*lot, *clawed);
        }
        account
    }

    /// All that was decided on the account, or nothing.
    fn write(&mut self, account: &Account) -> Result<(), Stale> {
        let journal = account.journal();
        if account.version().0 - journal.len() as i64 != self.standing.version.0 {
            return Err(Stale::Version);
        }
        let used = |key: KeyDigest| {
            let mut causes = self.entries.iter().filter_map(|entry| entry.cause);
            causes.any(|cause| cause.key == key)
        };
        if journal.iter().filter_map(|entry| entry.cause).any(|cause| used(cause.key)) {
            return Err(Stale::Key);
        }
        for movement in journal.iter().flat_map(|entry| &entry.movements) {
            let lot = account.lot(movement.lot).expect("what moved is still there");
            self.lots.insert(lot.number, lot.clone());
        }
        for entry in journal {
            entry.kind.ends_hold().and_then(|hold| self.holds.remove(&hold));
            if let Kind::Refund { spend } = entry.kind {
                self.refunded.insert(spend, account.refunded(spend));
            }
            if entry.kind.clawed().is_some() {
                let lot = entry.movements.first().expect("it names its lot first, even if nothing moves").lot;
                self.clawed.insert(lot, account.clawed(lot));
            }
        }
        self.holds.extend(account.begun_holds().map(|hold| (hold.number, hold.clone())));
        self.entries.extend(journal.iter().cloned());
        self.usage.extend(account.closed_usage().iter().cloned());
        self.standing = account.standing().clone();
        Ok(())
    }
}
