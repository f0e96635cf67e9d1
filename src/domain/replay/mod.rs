//! The books, kept a second time: an account worked out from nothing but its entries, each of them checked on
//! the way. This is how a ledger is verified, how an account is known as it stood at any past moment, and how
//! a charge is explained. It shares no code with [`decide`](super::decide) but the vocabulary.

mod compare;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::{
    AccountId, Chain, Credits, Entry, Kind, Lot, LotNumber, Movement, Version, entry::Clawed, lot::Rank,
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
    lots: BTreeMap<LotNumber, Lot>,
    /// Lots with credits remaining, in spend order.
    stocked: BTreeSet<Rank>,
    /// What each open hold has set aside.
    holds: BTreeMap<Version, Vec<Movement>>,
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
            lots: BTreeMap::new(),
            stocked: BTreeSet::new(),
            holds: BTreeMap::new(),
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
            Kind::Unlimited { until } => self.unlimited_until = Some(until),
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

    /// Whether what is set aside is what is taken from it later, lot by lot.
    fn keeps_holds(&mut self, entry: &Entry) -> Checked {
        let of_holds: Vec<Movement> =
            entry.movements.iter().filter(|movement| movement.held != 0).copied().collect();
        match entry.kind {
            Kind::Hold { .. } => {
                if of_holds.iter().any(|part| part.held < 0 || part.change != -part.held) {
                    return Err(Broken::Hold(entry.version));
                }
                self.holds.insert(entry.version, of_holds);
                Ok(())
            }
            Kind::Capture { hold, .. } | Kind::Release { hold } => {
                let set_aside = self.holds.remove(&hold).ok_or(Broken::Hold(hold))?;
                let given = |part: &Movement| (part.lot, -part.held);
                if set_aside.iter().map(|part| (part.lot, part.held)).eq(of_holds.iter().map(given)) {
                    Ok(())
                } else {
                    Err(Broken::Hold(hold))
                }
            }
            _ if of_holds.is_empty() => Ok(()),
            _ => Err(Broken::Hold(entry.version)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Hold;
    use crate::domain::{
        Account, Act, Amount, Capture, Grant, HoldLife, Refund, decide,
        note::{Description, Metadata},
        testing::*,
    };

    /// An account with a history of every check's interest: lot 1 never expires, lot 2 does at 50.
    ///
    /// 1 and 2 grant 5 and 3 · 3 holds 4 · 4 captures 3 of them · 5 refunds 2 · 6 spends 1 · 7 is the end of
    /// lot 2 · 8 spends 1 · 9 holds 2.
    fn history() -> Account {
        let mut account = new_account();
        let hold = |cost| Act::Hold(spend("render", cost), HoldLife::default());
        let refund = Refund { spend: Version(4), amount: Some(amount(2)), grace: None, reason: reason() };
        let acts = [
            (0, Act::Grant(grant(5))),
            (0, Act::Grant(Grant { expires_at: Some(at(50)), ..grant(3) })),
            (1, hold(4)),
            (2, Act::Capture(Capture { hold: Version(3), amount: Some(amount(3)) })),
            (3, Act::Refund(refund)),
            (4, Act::Spend(spend("render", 1))),
            (60, Act::Spend(spend("render", 1))),
            (70, hold(2)),
        ];
        for (place, (seconds, act)) in acts.into_iter().enumerate() {
            let command = command(&account, &format!("act-{place}"), act);
            decide(&mut account, &command, at(seconds)).unwrap();
        }
        account
    }

    fn entries() -> Vec<Entry> {
        history().journal().iter().map(|entry| Entry::clone(entry)).collect()
    }

    fn read(entries: &[Entry]) -> Result<Replay, Violation> {
        let mut books = Replay::new(new_account().id());
        entries.iter().try_for_each(|entry| books.read(entry)).map(|()| books)
    }

    /// What is found first, and at which entry.
    fn verdict(entries: &[Entry]) -> (i64, Broken) {
        let violation = read(entries).unwrap_err();
        (violation.version.unwrap().0, violation.what)
    }

    /// The history with one entry changed, and nothing else.
    fn edited(version: usize, edit: impl Fn(&mut Entry)) -> Vec<Entry> {
        let mut entries = entries();
        edit(&mut entries[version - 1]);
        entries
    }

    /// The history with one entry changed by somebody who knows how balances and links are made, and makes
    /// them anew. Only the law itself can tell.
    fn forged(version: usize, edit: impl Fn(&mut Entry)) -> Vec<Entry> {
        let mut entries = edited(version, edit);
        let (mut balance, mut chain) = (Credits::ZERO, Chain::START);
        for entry in &mut entries {
            entry.balance_before = balance;
            let change = entry.movements.iter().map(|movement| movement.change).sum();
            // Below zero only after what a test is about.
            balance = balance.changed_by(change).unwrap_or_default();
            entry.balance_after = balance;
            chain = chain.after(entry);
            entry.link = chain.link();
        }
        entries
    }

    fn moved(lot: i64, change: i64, held: i64) -> Movement {
        Movement { lot: LotNumber(lot), change, held }
    }

    #[test]
    fn an_honest_history_is_found_whole_and_makes_the_account() {
        let account = history();
        let books = read(&entries()).unwrap();
        assert_eq!(books.compare_open(account.lots(), account.holds()), []);
        assert_eq!((books.version(), books.last_at()), (Version(9), Some(at(70))));
        assert_eq!((books.balance(), books.held()), (account.balance(), account.held()));
        assert_eq!(books.available(at(70)), account.available(at(70)));
        assert_eq!(books.chain(), account.standing().chain);
        // Made anew by the rules, nothing differs: what the forgeries below show is their edit alone.
        assert_eq!(forged(1, |_| {}), entries());
    }

    #[test]
    fn an_account_is_known_as_it_stood_at_any_moment() {
        let books = read(&entries()[..5]).unwrap();
        assert_eq!(books.available(at(49)), credits(7));
        assert_eq!(books.available(at(50)), credits(5));
        let stocked: Vec<_> = books.stocked().map(|lot| (lot.number.0, lot.remaining.get())).collect();
        assert_eq!(stocked, [(2, 2), (1, 5)]);
        assert_eq!(books.lots().map(|lot| lot.number.0).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn an_entry_of_another_account_is_found() {
        let entries = forged(4, |entry| entry.account = uuid::Uuid::nil().into());
        assert_eq!(verdict(&entries), (4, Broken::Account));
    }

    #[test]
    fn a_deleted_entry_is_found() {
        let mut entries = entries();
        entries.remove(4);
        assert_eq!(verdict(&entries), (6, Broken::Gap { expected: 5 }));
        assert_eq!(verdict(&entries[1..]), (2, Broken::Gap { expected: 1 }));
    }

    #[test]
    fn a_deleted_entry_is_found_though_those_after_it_were_renumbered() {
        // The spend of 1 is gone, and the balances tell.
        let mut entries = entries();
        entries.remove(5);
        entries[5..].iter_mut().for_each(|entry| entry.version.0 -= 1);
        assert_eq!(verdict(&entries), (6, Broken::Balance { before: 6, carried: 7 }));
    }

    #[test]
    fn a_pair_that_changed_places_is_found() {
        let mut entries = entries();
        entries.swap(4, 5);
        assert_eq!(verdict(&entries), (6, Broken::Gap { expected: 5 }));
        // With the numbers in order, the balances are not.
        (entries[4].version, entries[5].version) = (Version(5), Version(6));
        assert_eq!(verdict(&entries), (5, Broken::Balance { before: 7, carried: 5 }));
    }

    #[test]
    fn an_entry_that_is_there_twice_is_found() {
        let mut entries = entries();
        entries.insert(5, entries[5].clone());
        assert_eq!(verdict(&entries), (6, Broken::Gap { expected: 7 }));
    }

    #[test]
    fn an_entry_dated_before_the_one_before_it_is_found() {
        assert_eq!(verdict(&forged(4, |entry| entry.at = at(0))), (4, Broken::Time));
    }

    #[test]
    fn an_edited_change_is_found_where_its_sum_is_not_right() {
        let entries = edited(6, |entry| entry.movements[0].change = -2);
        assert_eq!(verdict(&entries), (6, Broken::Sum { before: 7, change: -2, after: 6 }));
        let entries = edited(6, |entry| entry.balance_after = credits(5));
        assert_eq!(verdict(&entries), (6, Broken::Sum { before: 7, change: -1, after: 5 }));
    }

    #[test]
    fn an_edited_change_is_found_where_the_next_entry_takes_it_up() {
        let entries = edited(5, |entry| {
            entry.movements[0].change = 1;
            entry.balance_after = credits(6);
            entry.link = read(&entries()[..4]).unwrap().chain().after(entry).link();
        });
        assert_eq!(verdict(&entries), (6, Broken::Balance { before: 7, carried: 6 }));
    }

    #[test]
    fn an_edited_note_is_found() {
        let entries = edited(6, |entry| entry.metadata = Some(Metadata::parse("{}").unwrap()));
        assert_eq!(verdict(&entries), (6, Broken::Link));
        let entries = edited(1, |entry| entry.description = Some(Description::parse("Gift").unwrap()));
        assert_eq!(verdict(&entries), (1, Broken::Link));
    }

    #[test]
    fn an_edited_note_is_found_at_the_next_entry_where_its_own_link_was_made_anew() {
        let entries = edited(6, |entry| {
            entry.metadata = Some(Metadata::parse("{}").unwrap());
            entry.link = read(&entries()[..5]).unwrap().chain().after(entry).link();
        });
        assert_eq!(verdict(&entries), (7, Broken::Link));
    }

    #[test]
    fn where_every_link_was_made_anew_the_last_one_differs_from_the_accounts() {
        let entries = forged(6, |entry| entry.metadata = Some(Metadata::parse("{}").unwrap()));
        assert_ne!(read(&entries).unwrap().chain(), history().standing().chain);
    }

    #[test]
    fn a_deleted_end_is_found_by_what_the_account_holds() {
        let (account, entries) = (history(), entries());
        let books = read(&entries[..8]).unwrap();
        assert_ne!(books.chain(), account.standing().chain);
        assert_ne!(books.compare_open(account.lots(), account.holds()), []);
    }

    #[test]
    fn more_than_there_is_cannot_be_taken() {
        let entries = forged(7, |entry| entry.movements[0].change = -2);
        assert_eq!(verdict(&entries), (7, Broken::Negative("a lot")));
        let entries = forged(4, |entry| entry.movements[0].held = -4);
        assert_eq!(verdict(&entries), (4, Broken::Negative("what is held of a lot")));
        let entries = forged(6, |entry| entry.debt_change = -1);
        assert_eq!(verdict(&entries), (6, Broken::Negative("the debt")));
    }

    #[test]
    fn neither_an_expiry_gives_nor_does_a_refund_take() {
        let entries = forged(7, |entry| entry.movements[0].change = 1);
        assert_eq!(verdict(&entries), (7, Broken::Negative("a loss")));
        let entries = forged(5, |entry| entry.movements[0] = moved(1, -1, 0));
        assert_eq!(verdict(&entries), (5, Broken::Negative("a refund")));
    }

    #[test]
    fn a_lot_that_never_began_moves_nothing() {
        let entries = forged(6, |entry| entry.movements[0].lot = LotNumber(9));
        assert_eq!(verdict(&entries), (6, Broken::NoLot(LotNumber(9))));
    }

    #[test]
    fn a_lot_never_holds_more_than_it_was_granted() {
        let entries = forged(5, |entry| entry.movements[0].change = 4);
        assert_eq!(verdict(&entries), (5, Broken::Overfull(LotNumber(2))));
    }

    #[test]
    fn a_lot_begins_once_and_with_something() {
        let entries = forged(2, |entry| {
            entry.opened.as_mut().unwrap().lot = LotNumber(1);
            entry.movements[0].lot = LotNumber(1);
        });
        assert_eq!(verdict(&entries), (2, Broken::Opening(LotNumber(1))));
        let entries = edited(2, |entry| {
            entry.movements[0].change = 0;
            entry.balance_after = credits(5);
        });
        assert_eq!(verdict(&entries), (2, Broken::Opening(LotNumber(2))));
        let entries = edited(2, |entry| entry.movements[0].lot = LotNumber(1));
        assert_eq!(verdict(&entries), (2, Broken::Opening(LotNumber(2))));
    }

    #[test]
    fn a_spend_in_another_order_is_found() {
        let entries = forged(6, |entry| entry.movements[0].lot = LotNumber(1));
        assert_eq!(verdict(&entries), (6, Broken::Order(LotNumber(2))));
        let entries = forged(3, |entry| {
            (entry.movements[0], entry.movements[1]) = (moved(2, -2, 2), moved(1, -2, 2));
        });
        assert_eq!(verdict(&entries), (3, Broken::Order(LotNumber(2))));
    }

    #[test]
    fn a_spend_from_a_lot_before_or_after_its_time_is_found() {
        let inactive = Broken::Inactive(LotNumber(2));
        let scheduled = forged(2, |entry| entry.opened.as_mut().unwrap().effective_at = at(2));
        assert_eq!(verdict(&scheduled), (3, inactive.clone()));
        let lapsed = forged(2, |entry| entry.opened.as_mut().unwrap().expires_at = Some(at(4)));
        assert_eq!(verdict(&lapsed), (6, inactive));
    }

    #[test]
    fn a_spend_from_a_void_lot_is_found() {
        let entries = forged(6, |entry| {
            entry.kind = Kind::Void;
            entry.movements[0].lot = LotNumber(1);
        });
        assert_eq!(verdict(&entries), (8, Broken::Inactive(LotNumber(1))));
    }

    #[test]
    fn an_expiry_before_its_time_is_found() {
        let untimely = Broken::Untimely(LotNumber(2));
        assert_eq!(verdict(&forged(7, |entry| entry.at = at(49))), (7, untimely));
        let never = forged(7, |entry| entry.movements[0].lot = LotNumber(1));
        assert_eq!(verdict(&never), (7, Broken::Untimely(LotNumber(1))));
    }

    #[test]
    fn a_hold_sets_aside_just_what_leaves_the_lots() {
        for held in [1, 3] {
            let entries = forged(9, |entry| entry.movements = vec![moved(1, -2, held)]);
            assert_eq!(verdict(&entries), (9, Broken::Hold(Version(9))));
        }
    }

    #[test]
    fn a_capture_settles_just_what_its_hold_set_aside() {
        let less = forged(4, |entry| drop(entry.movements.split_off(1)));
        assert_eq!(verdict(&less), (4, Broken::Hold(Version(3))));
        let other = forged(4, |entry| entry.movements.swap(0, 1));
        assert_eq!(verdict(&other), (4, Broken::Hold(Version(3))));
        let not_all = forged(4, |entry| entry.movements[0].held = -2);
        assert_eq!(verdict(&not_all), (4, Broken::Hold(Version(3))));
    }

    #[test]
    fn a_capture_or_release_of_no_open_hold_is_found() {
        let hold = Version(2);
        let captured = |entry: &mut Entry| entry.kind = Kind::Release { hold };
        assert_eq!(verdict(&forged(4, captured)), (4, Broken::Hold(hold)));
        // That of 3 was captured already.
        let again = forged(8, |entry| {
            entry.kind = Kind::Release { hold: Version(3) };
            entry.movements.clear();
        });
        assert_eq!(verdict(&again), (8, Broken::Hold(Version(3))));
    }

    #[test]
    fn nothing_but_holds_and_their_ends_moves_what_is_held() {
        let entries = forged(6, |entry| entry.movements[0].held = 1);
        assert_eq!(verdict(&entries), (6, Broken::Hold(Version(6))));
    }

    /// What is said of the account as it was kept, after somebody has changed it.
    fn compared(change: impl Fn(&mut Vec<Lot>, &mut Vec<Hold>)) -> Vec<String> {
        let account = history();
        let (mut lots, mut holds) = (account.lots().to_vec(), account.holds().to_vec());
        change(&mut lots, &mut holds);
        let found = read(&entries()).unwrap().compare_open(&lots, &holds);
        assert!(found.iter().all(|violation| violation.version.is_none()));
        found.iter().map(ToString::to_string).collect()
    }

    fn number(lots: &mut [Lot], number: i64) -> &mut Lot {
        lots.iter_mut().find(|lot| lot.number.0 == number).unwrap()
    }

    #[test]
    fn a_lot_that_is_kept_otherwise_than_its_entries_make_it_is_found() {
        assert_eq!(compared(|_, _| {}), Vec::<String>::new());
        let edits: [fn(&mut Lot); 9] = [
            |lot| lot.remaining = credits(5),
            |lot| lot.held = Credits::ZERO,
            |lot| lot.lost = credits(1),
            |lot| lot.granted = credits(6),
            |lot| lot.is_void = true,
            |lot| lot.priority.0 = 1,
            |lot| lot.source = crate::domain::Source::Pack,
            |lot| lot.effective_at = at(1),
            |lot| lot.expires_at = Some(at(900)),
        ];
        for (place, edit) in edits.iter().enumerate() {
            assert_eq!(compared(|lots, _| edit(number(lots, 1))).len(), 1, "{place}");
        }
        let told = compared(|lots, _| number(lots, 1).remaining = credits(5));
        let expected = "the account has a lot 1 (bonus 20, 5 of 5 remaining, 2 held, 0 lost, \
                        from 2027-01-15T08:00:00+00:00, begun 2027-01-15T08:00:00+00:00), its entries make \
                        1 (bonus 20, 2 of 5 remaining, 2 held, 0 lost, from 2027-01-15T08:00:00+00:00, \
                        begun 2027-01-15T08:00:00+00:00)";
        assert_eq!(told, [expected]);
    }

    #[test]
    fn an_open_lot_is_kept_and_a_closed_one_need_not_be() {
        assert_eq!(compared(|lots, _| lots.retain(|lot| lot.number.0 != 1)).len(), 1);
        assert_eq!(compared(|lots, _| lots.retain(|lot| lot.number.0 != 2)), Vec::<String>::new());
        // One that no entry ever made is none.
        assert_eq!(compared(|lots, _| lots.push(lot(3, 1))).len(), 1);
    }

    #[test]
    fn a_hold_that_is_kept_otherwise_than_its_entry_makes_it_is_found() {
        assert_eq!(compared(|_, holds| holds.clear()).len(), 1);
        assert_eq!(compared(|_, holds| holds[0].number = Version(3)).len(), 1);
        assert_eq!(compared(|_, holds| holds[0].allocations[0].amount = Amount::MAX).len(), 1);
        assert_eq!(compared(|_, holds| holds[0].allocations[0].lot = LotNumber(2)).len(), 1);
    }
}
