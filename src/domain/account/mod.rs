//! The account as a state machine: [`decide`] takes a command and a time, and answers with an entry or a
//! refusal. Nothing else changes an account.
//!
//! Each act is first planned, which changes nothing, as a `Change`; `Account::record` is the one place where
//! credits move and entries come into being. So a refusal can't leave anything half done.

mod giving;
mod refusal;
mod settling;
mod spending;
mod taking;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};

pub use self::{
    refusal::{Refusal, Shortfall},
    settling::CLOCK_SLACK,
    spending::{Allocation, Quote, Uses},
};
use super::{
    AccountId, Act, Chain, Command, Credits, Entry, Hold, KeyDigest, Kind, Lot, LotNumber, Movement, Version,
    credits::total,
    entry::{Cause, Clawed, Opened},
    note::Description,
};

/// One account in memory: as it was loaded, and what has been decided since.
#[derive(Clone, Debug)]
pub struct Account {
    standing: Standing,
    balance: Credits,
    held: Credits,
    /// In spend order. At least every open lot.
    lots: Vec<Lot>,
    /// Every open hold, oldest first.
    holds: Vec<Hold>,
    past: Past,
    /// Entries that are decided and not yet written.
    journal: Vec<Arc<Entry>>,
}

/// What an account is besides its lots and holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub id: AccountId,
    pub version: Version,
    pub debt: Credits,
    pub last_entry_at: Option<DateTime<Utc>>,
    pub last_lot: LotNumber,
    pub chain: Chain,
    /// Until when its spends cost nothing (rule 10).
    pub unlimited_until: Option<DateTime<Utc>>,
    pub uses: Uses,
}

/// What came before, as far as commands ask for it.
#[derive(Clone, Debug, Default)]
struct Past {
    /// The entries that answered earlier commands.
    answered: HashMap<KeyDigest, Arc<Entry>>,
    /// The entries that commands name.
    entries: HashMap<Version, Arc<Entry>>,
    /// How much of a spend was refunded.
    refunded: HashMap<Version, Credits>,
    /// How much of a lot was clawed back.
    clawed: HashMap<LotNumber, Clawed>,
}

/// What a command led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub entry: Arc<Entry>,
    /// The command had been carried out before; this is the first answer again.
    pub replayed: bool,
}

/// A change that the law allows, before it is made.
struct Change {
    kind: Kind,
    movements: Vec<Movement>,
    opened: Option<Opened>,
    debt_change: i64,
    description: Option<Description>,
}

/// Decides one command. On a refusal nothing has changed but what had fallen due by itself (rule 13).
pub fn decide(account: &mut Account, command: &Command, now: DateTime<Utc>) -> Result<Receipt, Refusal> {
    debug_assert_eq!(account.id(), command.account, "a command reaches the account that it names");
    let cause = Cause { key: command.key.within(account.id()), fingerprint: command.fingerprint() };
    if let Some(entry) = account.past.answered.get(&cause.key) {
        return if entry.cause == Some(cause) {
            Ok(Receipt { entry: Arc::clone(entry), replayed: true })
        } else {
            Err(Refusal::KeyReused)
        };
    }
    let now = account.lift(now)?;
    account.settle(now);
    let change = account.plan(&command.act, now)?;
    let entry = account.record(change, now, Some((command, cause)));
    account.past.answered.insert(cause.key, Arc::clone(&entry));
    // What came back to a lot that had ended meanwhile ends with it.
    account.settle(now);
    Ok(Receipt { entry, replayed: false })
}

impl Account {
    /// An account as it was written. `lots` are at least all that are open, in any order; `holds` all that
    /// are open.
    pub fn restore(standing: Standing, mut lots: Vec<Lot>, mut holds: Vec<Hold>) -> Self {
        lots.sort_unstable_by(Lot::spend_order);
        holds.sort_unstable_by_key(|hold| hold.number);
        let balance = total(lots.iter().map(|lot| lot.remaining));
        let held = total(lots.iter().map(|lot| lot.held));
        Self { standing, balance, held, lots, holds, past: Past::default(), journal: Vec::new() }
    }

    /// An account that has no history yet.
    pub fn new(id: AccountId) -> Self {
        let standing = Standing {
            id,
            version: Version::default(),
            debt: Credits::ZERO,
            last_entry_at: None,
            last_lot: LotNumber::default(),
            chain: Chain::START,
            unlimited_until: None,
            uses: Uses::default(),
        };
        Self::restore(standing, Vec::new(), Vec::new())
    }

    /// Tells the account of an earlier entry, so that the command which it answered is recognised and later
    /// commands can name it.
    pub fn recall(&mut self, entry: Arc<Entry>) {
        if let Some(cause) = entry.cause {
            self.past.answered.insert(cause.key, Arc::clone(&entry));
        }
        self.past.entries.insert(entry.version, entry);
    }

    /// Tells the account how much of an earlier spend was refunded.
    pub fn recall_refunded(&mut self, spend: Version, refunded: Credits) {
        self.past.refunded.insert(spend, refunded);
    }

    /// Tells the account how much of a lot was clawed back.
    pub fn recall_clawed(&mut self, lot: LotNumber, clawed: Clawed) {
        self.past.clawed.insert(lot, clawed);
    }

    /// The account as it goes on once its journal is written: with what is open, and without a past.
    #[must_use]
    pub fn continued(&self) -> Self {
        Self {
            standing: self.standing.clone(),
            lots: self.lots.iter().filter(|lot| lot.is_open()).cloned().collect(),
            holds: self.holds.clone(),
            past: Past::default(),
            journal: Vec::new(),
            ..*self
        }
    }

    pub fn id(&self) -> AccountId {
        self.standing.id
    }

    pub fn version(&self) -> Version {
        self.standing.version
    }

    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// What remains in all lots, active or not.
    pub fn balance(&self) -> Credits {
        self.balance
    }

    /// What open holds have set aside.
    pub fn held(&self) -> Credits {
        self.held
    }

    pub fn debt(&self) -> Credits {
        self.standing.debt
    }

    /// In spend order.
    pub fn lots(&self) -> &[Lot] {
        &self.lots
    }

    pub fn lot(&self, number: LotNumber) -> Option<&Lot> {
        self.lots.iter().find(|lot| lot.number == number)
    }

    /// Oldest first.
    pub fn holds(&self) -> &[Hold] {
        &self.holds
    }

    /// How much of a spend was refunded, as far as it is known here.
    pub fn refunded(&self, spend: Version) -> Credits {
        self.past.refunded.get(&spend).copied().unwrap_or_default()
    }

    /// How much of a lot was clawed back, as far as it is known here.
    pub fn clawed(&self, lot: LotNumber) -> Clawed {
        self.past.clawed.get(&lot).copied().unwrap_or_default()
    }

    /// Entries that are decided and not yet written, oldest first.
    pub fn journal(&self) -> &[Arc<Entry>] {
        &self.journal
    }

    /// Whether all is known here that deciding this act takes, without looking into the past.
    pub fn knows_enough_for(&self, act: &Act) -> bool {
        let holds = |number| self.holds.iter().any(|hold| hold.number == number);
        match act {
            Act::Grant(_) | Act::Spend(_) | Act::Hold(..) | Act::Adjust(_) | Act::Unlimited(_) => true,
            Act::Capture(capture) => holds(capture.hold),
            Act::Release(release) => holds(release.hold),
            Act::Refund(_) | Act::Void(_) | Act::Clawback(_) | Act::Reinstate(_) => false,
        }
    }

    /// What an act would change, if the law allows it.
    fn plan(&self, act: &Act, now: DateTime<Utc>) -> Result<Change, Refusal> {
        match act {
            Act::Grant(grant) => self.grant(grant, now),
            Act::Spend(spend) => self.spend(spend, now),
            Act::Hold(spend, life) => self.hold(spend, *life, now),
            Act::Capture(capture) => self.capture(capture, now),
            Act::Release(release) => self.release(release),
            Act::Refund(refund) => self.refund(refund, now),
            Act::Void(void) => self.void(void),
            Act::Adjust(adjust) => self.adjust(adjust, now),
            Act::Clawback(clawback) => self.clawback(clawback),
            Act::Reinstate(reinstate) => self.reinstate(reinstate, now),
            Act::Unlimited(unlimited) => Ok(Change {
                description: Some(unlimited.reason.clone()),
                ..Change::new(Kind::Unlimited { until: unlimited.until }, Vec::new())
            }),
        }
    }

    /// The entry of this version, where it was recalled or has just been decided.
    fn past_entry(&self, version: Version) -> Option<&Entry> {
        let decided = || self.journal.iter().find(|entry| entry.version == version);
        self.past.entries.get(&version).or_else(decided).map(Arc::as_ref)
    }

    /// The only place where an account changes: moves the credits, and writes the entry of it.
    fn record(&mut self, change: Change, at: DateTime<Utc>, asked: Option<(&Command, Cause)>) -> Arc<Entry> {
        let Change { kind, movements, opened, debt_change, description } = change;
        let balance_before = self.balance;
        if let Some(opened) = opened {
            self.open(opened, &movements, at);
        }
        for movement in &movements {
            self.carry_out(movement, &kind);
        }
        self.standing.debt = self.debt().changed_by(debt_change).expect("no more debt is paid than is owed");
        let mut entry = Entry {
            account: self.id(),
            version: self.version().next(),
            at,
            kind,
            balance_before,
            balance_after: self.balance,
            movements,
            opened,
            debt_change,
            description,
            reference: asked.and_then(|(command, _)| command.reference.clone()),
            metadata: asked.and_then(|(command, _)| command.metadata.clone()),
            cause: asked.map(|(_, cause)| cause),
            link: 0,
        };
        self.take_note(&entry);
        self.standing.chain = self.standing.chain.after(&entry);
        self.standing.version = entry.version;
        self.standing.last_entry_at = Some(at);
        entry.link = self.standing.chain.link();
        let entry = Arc::new(entry);
        self.journal.push(Arc::clone(&entry));
        entry
    }

    fn open(&mut self, opened: Opened, movements: &[Movement], now: DateTime<Utc>) {
        let granted = movements.iter().find(|movement| movement.lot == opened.lot).map(|first| first.change);
        let granted = granted.and_then(|change| Credits::try_from(change).ok());
        let lot = Lot {
            number: opened.lot,
            source: opened.source,
            priority: opened.priority,
            granted: granted.expect("a lot begins with what it is granted"),
            remaining: Credits::ZERO,
            held: Credits::ZERO,
            lost: Credits::ZERO,
            is_void: false,
            effective_at: opened.effective_at,
            expires_at: opened.expires_at,
            created_at: now,
        };
        self.standing.last_lot = lot.number;
        let place = self.lots.partition_point(|other| other.spend_order(&lot).is_lt());
        self.lots.insert(place, lot);
    }

    fn carry_out(&mut self, movement: &Movement, kind: &Kind) {
        let lot =
            self.lots.iter_mut().find(|lot| lot.number == movement.lot).expect("the lot was chosen here");
        lot.remaining = lot.remaining.changed_by(movement.change).expect("a lot pays only what it has");
        lot.held = lot.held.changed_by(movement.held).expect("a lot releases only what it holds");
        if let Kind::Expiry | Kind::Void = kind {
            lot.lost = lot.lost.changed_by(-movement.change).expect("a lot loses no more than it had");
            lot.is_void |= *kind == Kind::Void;
        }
        self.balance = self.balance.changed_by(movement.change).expect("the balance is the sum of its lots");
        self.held = self.held.changed_by(movement.held).expect("what is held is the sum of the lots'");
    }

    /// What an entry means beyond its movements.
    fn take_note(&mut self, entry: &Entry) {
        match &entry.kind {
            Kind::Spend(_) => self.standing.uses.count(entry.at),
            Kind::Hold { charge, until } => {
                self.standing.uses.count(entry.at);
                let allocations = entry.movements.iter().filter_map(Allocation::held).collect();
                let (charge, until) = (charge.clone(), *until);
                self.holds.push(Hold { number: entry.version, until, charge, allocations });
            }
            Kind::Capture { .. } | Kind::Release { .. } => {
                self.holds.retain(|open| Some(open.number) != entry.kind.ends_hold());
            }
            Kind::Refund { spend } => {
                let given_back = Credits::try_from(entry.delta()).expect("a refund gives");
                let refunded = self.refunded(*spend).checked_add(given_back);
                self.past.refunded.insert(*spend, refunded.expect("no more is refunded than was spent"));
            }
            Kind::Clawback(clawed) | Kind::Reinstatement(clawed) => {
                let lot = entry.movements.first().expect("the entry names the lot").lot;
                self.past.clawed.insert(lot, *clawed);
            }
            Kind::Unlimited { until } => self.standing.unlimited_until = Some(*until),
            Kind::Grant | Kind::Expiry | Kind::Void | Kind::Adjustment => {}
        }
    }
}

impl Change {
    fn new(kind: Kind, movements: Vec<Movement>) -> Self {
        Self { kind, movements, opened: None, debt_change: 0, description: None }
    }
}
