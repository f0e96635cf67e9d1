//! The books, kept a second time: an account worked out from nothing but its entries, each of them checked on
//! the way. This is how a ledger is verified, how an account is known as it stood at any past moment, and how
//! a charge is explained. It shares no code with [`decide`](super::decide) but the vocabulary.

mod compare;
mod held;
mod subscribed;
#[cfg(test)]
mod tests;
mod used;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use thiserror::Error;

pub use self::used::Used;
use super::{
    AccountId, Chain, Credits, Entry, Hold, Kind, Lot, LotNumber, Movement, Subscription, Version,
    account::Uses, entry::Clawed, lot::Rank,
};

/// An account after some of its entries.
#[derive(Clone, Debug)]
pub struct Replay {
    account: AccountId,
    version: Version,
    last_at: Option<DateTime<Utc>>,
    balance: Credits,
    held: Credits,
    debt: Credits,
    chain: Chain,
    unlimited_until: Option<DateTime<Utc>>,
    subscription: Option<Arc<Subscription>>,
    /// Until when a month lasts for which a plan that costs nothing brought its allowance.
    free_until: Option<DateTime<Utc>>,
    lots: BTreeMap<LotNumber, Lot>,
    /// Lots with credits remaining, in spend order.
    stocked: BTreeSet<Rank>,
    holds: BTreeMap<Version, Hold>,
    uses: Uses,
    refunded: BTreeMap<Version, Credits>,
    clawed: BTreeMap<LotNumber, Clawed>,
}

/// Something in the books that the law does not allow.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what}")]
pub struct Violation {
    /// The entry at which it shows; `None` where it shows in what the account holds.
    pub version: Option<Version>,
    pub what: Broken,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Broken {
    #[error("another account's entry")]
    Account,
    #[error("entry {expected} is missing")]
    Gap { expected: i64 },
    #[error("dated before the entry before it")]
    Time,
    #[error("the balance before is {before}, but {carried} was carried over")]
    Balance { before: i64, carried: i64 },
    #[error("{before} and a change of {change} do not make {after}")]
    Sum { before: i64, change: i64, after: i64 },
    #[error("{0} falls below zero")]
    Negative(&'static str),
    #[error("lot {} is not there", .0.0)]
    NoLot(LotNumber),
    #[error("lot {} holds more than it was granted", .0.0)]
    Overfull(LotNumber),
    #[error("lot {} begins a second time or with nothing", .0.0)]
    Opening(LotNumber),
    #[error("spends from lot {}, which was not active", .0.0)]
    Inactive(LotNumber),
    #[error("spends while lot {}, which comes earlier, had credits", .0.0)]
    Order(LotNumber),
    #[error("lot {} ends before its time", .0.0)]
    Untimely(LotNumber),
    #[error("hold {} does not have what it gives back", .0.0)]
    Hold(Version),
    #[error("what it says of clawbacks is not what it moved")]
    Clawed,
    #[error("the subscription that it leaves does not follow from the one before: {0}")]
    Subscription(&'static str),
    #[error("the hash chain is broken here: this entry, or one before it, was changed")]
    Link,
    #[error("the account has {0} {1}, its entries make {2}")]
    Kept(&'static str, String, String),
}

type Checked = Result<(), Broken>;

impl Replay {
    pub fn new(account: AccountId) -> Self {
        Self {
            account,
            version: Version::default(),
            last_at: None,
            balance: Credits::ZERO,
            held: Credits::ZERO,
            debt: Credits::ZERO,
            chain: Chain::START,
            unlimited_until: None,
            subscription: None,
            free_until: None,
            lots: BTreeMap::new(),
            stocked: BTreeSet::new(),
            holds: BTreeMap::new(),
            uses: Uses::default(),
            refunded: BTreeMap::new(),
            clawed: BTreeMap::new(),
        }
    }

    /// Reads the next entry.
    ///
    /// # Errors
    /// What is wrong with it. What follows such an entry proves nothing any more.
    pub fn read(&mut self, entry: &Entry) -> Result<(), Violation> {
        self.follow(entry).map_err(|what| Violation { version: Some(entry.version), what })
    }

    pub fn version(&self) -> Version {
        self.version
    }

    pub fn balance(&self) -> Credits {
        self.balance
    }

    pub fn held(&self) -> Credits {
        self.held
    }

    pub fn debt(&self) -> Credits {
        self.debt
    }

    pub fn chain(&self) -> Chain {
        self.chain
    }

    pub fn last_at(&self) -> Option<DateTime<Utc>> {
        self.last_at
    }

    pub fn unlimited_until(&self) -> Option<DateTime<Utc>> {
        self.unlimited_until
    }

    pub fn subscription(&self) -> Option<&Subscription> {
        self.subscription.as_deref()
    }

    /// The spends and holds that count for the caps.
    pub fn uses(&self) -> Uses {
        self.uses
    }

    /// Every lot that there was, in the order in which they began.
    pub fn lots(&self) -> impl Iterator<Item = &Lot> {
        self.lots.values()
    }

    pub fn lot(&self, number: LotNumber) -> Option<&Lot> {
        self.lots.get(&number)
    }

    /// Lots with credits remaining, in spend order.
    pub fn stocked(&self) -> impl Iterator<Item = &Lot> {
        self.stocked.iter().filter_map(|rank| self.lots.get(&rank.number()))
    }

    /// How much of which lot was clawed back.
    pub fn clawed(&self) -> impl Iterator<Item = (LotNumber, Clawed)> {
        self.clawed.iter().map(|(lot, clawed)| (*lot, *clawed))
    }

    /// How much of which spend was refunded.
    pub fn refunded(&self) -> impl Iterator<Item = (Version, Credits)> {
        self.refunded.iter().map(|(spend, sum)| (*spend, *sum))
    }

    pub fn available(&self, at: DateTime<Utc>) -> Credits {
        let active = self.stocked().filter(|lot| lot.is_active(at)).map(|lot| lot.remaining);
        super::credits::total(active).less(self.debt)
    }

    fn follow(&mut self, entry: &Entry) -> Checked {
        self.continues(entry)?;
        if let Some(opened) = entry.opened {
            self.open(entry, opened.lot)?;
        }
        for movement in &entry.movements {
            self.carry_out(entry, movement)?;
        }
        if let Kind::Spend(_) | Kind::Hold { .. } | Kind::Capture { .. } | Kind::Adjustment = entry.kind {
            self.keeps_order(entry)?;
        }
        self.keeps_holds(entry)?;
        self.debt = self.debt.changed_by(entry.debt_change).ok_or(Broken::Negative("the debt"))?;
        match entry.kind {
            Kind::Spend(_) | Kind::Hold { .. } => self.count_use(entry.at),
            Kind::Unlimited { until } => self.unlimited_until = Some(until),
            Kind::Subscription(ref after) => self.keeps_subscription(entry, after)?,
            Kind::Renewal(ref after) => self.keeps_renewal(entry, after)?,
            Kind::Clawback(clawed) | Kind::Reinstatement(clawed) => self.keeps_clawed(entry, clawed)?,
            Kind::Refund { spend } => {
                let sum = self.refunded.entry(spend).or_default();
                *sum = sum.changed_by(entry.delta()).ok_or(Broken::Negative("a refund"))?;
            }
            _ => {}
        }
        self.version = entry.version;
        self.last_at = Some(entry.at);
        self.chain = self.chain.after(entry);
        if self.chain.link() == entry.link { Ok(()) } else { Err(Broken::Link) }
    }

    /// Whether the entry takes up where the one before it ended.
    fn continues(&self, entry: &Entry) -> Checked {
        if entry.account != self.account {
            return Err(Broken::Account);
        }
        if entry.version != self.version.next() {
            return Err(Broken::Gap { expected: self.version.next().0 });
        }
        if self.last_at.is_some_and(|last| entry.at < last) {
            return Err(Broken::Time);
        }
        let (before, carried) = (entry.balance_before.get(), self.balance.get());
        if before != carried {
            return Err(Broken::Balance { before, carried });
        }
        let change: i128 = entry.movements.iter().map(|movement| i128::from(movement.change)).sum();
        let after = entry.balance_after.get();
        if i128::from(before) + change != i128::from(after) {
            let change = i64::try_from(change).unwrap_or(i64::MAX);
            return Err(Broken::Sum { before, change, after });
        }
        Ok(())
    }

    fn open(&mut self, entry: &Entry, number: LotNumber) -> Checked {
        let opened = entry.opened.ok_or(Broken::Opening(number))?;
        let first = entry.movements.iter().find(|movement| movement.lot == number);
        let granted = first.and_then(|first| Credits::try_from(first.change).ok());
        let granted = granted.filter(|granted| *granted > Credits::ZERO).ok_or(Broken::Opening(number))?;
        let lot = Lot {
            number,
            source: opened.source,
            priority: opened.priority,
            granted,
            remaining: Credits::ZERO,
            held: Credits::ZERO,
            lost: Credits::ZERO,
            is_void: false,
            effective_at: opened.effective_at,
            expires_at: opened.expires_at,
            created_at: entry.at,
        };
        match self.lots.insert(number, lot) {
            None => Ok(()),
            Some(_) => Err(Broken::Opening(number)),
        }
    }

    fn carry_out(&mut self, entry: &Entry, movement: &Movement) -> Checked {
        let number = movement.lot;
        let lot = self.lots.get_mut(&number).ok_or(Broken::NoLot(number))?;
        self.stocked.remove(&lot.rank());
        lot.remaining = lot.remaining.changed_by(movement.change).ok_or(Broken::Negative("a lot"))?;
        lot.held = lot.held.changed_by(movement.held).ok_or(Broken::Negative("what is held of a lot"))?;
        match entry.kind {
            Kind::Expiry if !lot.has_lapsed(entry.at) => return Err(Broken::Untimely(number)),
            Kind::Void => lot.is_void = true,
            _ => {}
        }
        if let Kind::Expiry | Kind::Void = entry.kind {
            lot.lost = lot.lost.changed_by(-movement.change).ok_or(Broken::Negative("a loss"))?;
        }
        if lot.remaining.checked_add(lot.held).is_none_or(|sum| sum > lot.granted) {
            return Err(Broken::Overfull(number));
        }
        if lot.remaining > Credits::ZERO {
            self.stocked.insert(lot.rank());
        }
        self.balance = self.balance.changed_by(movement.change).ok_or(Broken::Negative("the balance"))?;
        self.held = self.held.changed_by(movement.held).ok_or(Broken::Negative("what is held"))?;
        Ok(())
    }

    /// Whether what was paid came from active lots, and from none while an earlier one had credits.
    fn keeps_order(&self, entry: &Entry) -> Checked {
        // What a new lot pays, it pays of what is owed.
        let opened = entry.opened.map(|opened| opened.lot);
        let is_payment = |movement: &&Movement| movement.change < 0 && Some(movement.lot) != opened;
        let mut last = None;
        for movement in entry.movements.iter().filter(is_payment) {
            let lot = self.lots.get(&movement.lot).ok_or(Broken::NoLot(movement.lot))?;
            if !lot.is_active(entry.at) {
                return Err(Broken::Inactive(lot.number));
            }
            last = last.max(Some(lot.rank()));
        }
        let Some(last) = last else { return Ok(()) };
        let earlier = self.stocked.iter().take_while(|rank| **rank < last);
        let skipped =
            earlier.filter_map(|rank| self.lots.get(&rank.number())).find(|lot| lot.is_active(entry.at));
        skipped.map_or(Ok(()), |lot| Err(Broken::Order(lot.number)))
    }

    /// Whether what was taken of a lot and what is owed for it are what the entry moved.
    fn keeps_clawed(&mut self, entry: &Entry, after: Clawed) -> Checked {
        let first = entry.movements.first().ok_or(Broken::Clawed)?;
        let before = self.clawed.insert(first.lot, after).unwrap_or_default();
        // What was owed and has been paid meanwhile comes back as a lot.
        let repaid = entry.opened.map_or(0, |opened| {
            entry
                .movements
                .iter()
                .filter(|movement| movement.lot == opened.lot)
                .map(|movement| movement.change)
                .sum()
        });
        let taken = before.taken.changed_by(-first.change);
        let owed = before.owed.changed_by(entry.debt_change - repaid);
        if (taken, owed) == (Some(after.taken), Some(after.owed)) { Ok(()) } else { Err(Broken::Clawed) }
    }

    fn count_use(&mut self, at: DateTime<Utc>) {
        let window = |at: DateTime<Utc>, seconds| at.timestamp().div_euclid(seconds);
        let in_same = |seconds, count| match self.uses.last_at {
            Some(last) if window(last, seconds) == window(at, seconds) => count + 1,
            _ => 1,
        };
        let (in_hour, in_day) = (in_same(3_600, self.uses.in_hour), in_same(86_400, self.uses.in_day));
        self.uses = Uses { last_at: Some(at), in_hour, in_day };
    }
}
