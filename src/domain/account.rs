//! The account as a state machine: [`decide`] takes a command and a time, and answers with an entry or a
//! refusal. Nothing else changes an account.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::{
    AccountId, Act, Amount, Command, Credits, Entry, Fingerprint, Grant, IdempotencyKey, Kind, Lot,
    LotNumber, Movement, Spend, Version, entry::Cause,
};

/// How far behind an account's last entry a command may be dated and still be lifted to it (rule 8).
pub const CLOCK_SLACK: TimeDelta = TimeDelta::minutes(1);

/// One account in memory: as it was loaded, and what has been decided since.
#[derive(Clone, Debug)]
pub struct Account {
    id: AccountId,
    version: Version,
    balance: Credits,
    last_entry_at: Option<DateTime<Utc>>,
    last_lot: LotNumber,
    /// In spend order. At least every lot with credits remaining.
    lots: Vec<Lot>,
    /// Commands that were carried out, as far as they are known here, with the entry that answered each.
    answered: HashMap<IdempotencyKey, (Fingerprint, Entry)>,
    /// Entries that are decided and not yet written.
    journal: Vec<Entry>,
}

/// What a command led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub entry: Entry,
    /// The command had been carried out before; this is the first answer again.
    pub replayed: bool,
}

/// What a spend would do at a given moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    pub cost: Amount,
    pub available: Credits,
    /// Which lots would pay, in order; or what is missing.
    pub outcome: Result<Vec<Allocation>, Shortfall>,
}

/// A part of a spend that one lot pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    pub lot: LotNumber,
    pub amount: Amount,
}

/// A spend that an account cannot pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortfall {
    pub needed: Amount,
    pub available: Credits,
    /// What the spend would have to leave (rule 5).
    pub min_balance: Credits,
    pub missing: Amount,
}

/// Why a command was not carried out. The account is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("there is no such account")]
    UnknownAccount,
    #[error("{} credits needed, {} available, {} missing", .0.needed.get(), .0.available.get(), .0.missing.get())]
    Insufficient(Shortfall),
    #[error("the price is {} now, not {}", .cost.get(), .agreed.get())]
    PriceChanged { agreed: Amount, cost: Amount },
    #[error("this idempotency key was used for another command")]
    KeyReused,
    #[error("the command is dated before the account's last entry at {last_entry_at}")]
    ClockBehind { last_entry_at: DateTime<Utc> },
    #[error("these credits would expire before they could be spent")]
    ExpiresTooEarly,
    #[error("the account cannot hold that many credits")]
    BalanceTooLarge,
}

/// Decides one command. On a refusal nothing has changed but what had fallen due by itself (rule 7).
pub fn decide(account: &mut Account, command: &Command, now: DateTime<Utc>) -> Result<Receipt, Refusal> {
    debug_assert_eq!(account.id, command.account, "a command reaches the account that it names");
    let fingerprint = command.act.fingerprint();
    if let Some((first, entry)) = account.answered.get(&command.key) {
        return if *first == fingerprint {
            Ok(Receipt { entry: entry.clone(), replayed: true })
        } else {
            Err(Refusal::KeyReused)
        };
    }
    let now = account.lift(now)?;
    account.settle(now);
    let cause = Cause { key: command.key, fingerprint };
    let entry = match &command.act {
        Act::Grant(grant) => account.grant(grant, now, cause)?,
        Act::Spend(spend) => account.spend(spend, now, cause)?,
    };
    account.answered.insert(command.key, (fingerprint, entry.clone()));
    Ok(Receipt { entry, replayed: false })
}

impl Account {
    /// An account as it was written. `lots` are at least all those with credits remaining, in any order.
    pub fn restore(
        id: AccountId,
        version: Version,
        last_entry_at: Option<DateTime<Utc>>,
        last_lot: LotNumber,
        mut lots: Vec<Lot>,
    ) -> Self {
        lots.sort_by(Lot::spend_order);
        let balance = sum(lots.iter());
        let (answered, journal) = (HashMap::new(), Vec::new());
        Self { id, version, balance, last_entry_at, last_lot, lots, answered, journal }
    }

    /// Tells the account of an entry that answered an earlier command, so that the command is recognised.
    pub fn recall(&mut self, entry: Entry) {
        if let Some(cause) = entry.cause {
            self.answered.insert(cause.key, (cause.fingerprint, entry));
        }
    }

    pub fn id(&self) -> AccountId {
        self.id
    }

    pub fn version(&self) -> Version {
        self.version
    }

    /// What remains in all lots, active or not.
    pub fn balance(&self) -> Credits {
        self.balance
    }

    pub fn last_entry_at(&self) -> Option<DateTime<Utc>> {
        self.last_entry_at
    }

    pub fn last_lot(&self) -> LotNumber {
        self.last_lot
    }

    /// In spend order.
    pub fn lots(&self) -> &[Lot] {
        &self.lots
    }

    pub fn lot(&self, number: LotNumber) -> Option<&Lot> {
        self.lots.iter().find(|lot| lot.number == number)
    }

    /// Entries that are decided and not yet written, oldest first.
    pub fn journal(&self) -> &[Entry] {
        &self.journal
    }

    /// What can be spent at `at` (rule 2).
    pub fn available(&self, at: DateTime<Utc>) -> Credits {
        sum(self.lots.iter().filter(|lot| lot.is_active(at)))
    }

    /// What a spend of `cost` would do at `at`; changes nothing.
    pub fn quote(&self, cost: Amount, min_balance: Credits, at: DateTime<Utc>) -> Quote {
        let available = self.available(at);
        let outcome = match shortfall(cost, available, min_balance) {
            Some(shortfall) => Err(shortfall),
            None => Ok(self.draw(cost, at)),
        };
        Quote { cost, available, outcome }
    }

    /// Writes down every lot that lapsed by `now`, at the moment when it did (rule 7).
    pub fn settle(&mut self, now: DateTime<Utc>) {
        let mut lapsed: Vec<(DateTime<Utc>, Movement)> = self
            .lots
            .iter()
            .filter(|lot| lot.has_lapsed(now) && lot.remaining > Credits::ZERO)
            .filter_map(|lot| {
                let movement = Movement { lot: lot.number, change: -lot.remaining.get() };
                lot.expires_at.map(|expires_at| (expires_at, movement))
            })
            .collect();
        lapsed.sort_by_key(|(expires_at, movement)| (*expires_at, movement.lot));
        for (expires_at, movement) in lapsed {
            self.record(Kind::Expiry, expires_at, vec![movement], None);
        }
    }

    /// The time at which a command dated `now` happens on this account (rule 8).
    fn lift(&self, now: DateTime<Utc>) -> Result<DateTime<Utc>, Refusal> {
        match self.last_entry_at {
            Some(last_entry_at) if now + CLOCK_SLACK < last_entry_at => {
                Err(Refusal::ClockBehind { last_entry_at })
            }
            Some(last_entry_at) => Ok(now.max(last_entry_at)),
            None => Ok(now),
        }
    }

    fn grant(&mut self, grant: &Grant, now: DateTime<Utc>, cause: Cause) -> Result<Entry, Refusal> {
        let effective_at = grant.effective_at.unwrap_or(now);
        if grant.expires_at.is_some_and(|expires_at| expires_at <= effective_at.max(now)) {
            return Err(Refusal::ExpiresTooEarly);
        }
        self.balance.checked_add(grant.amount.credits()).ok_or(Refusal::BalanceTooLarge)?;
        let lot = Lot {
            number: self.last_lot.next(),
            source: grant.source,
            priority: grant.priority,
            granted: grant.amount.credits(),
            remaining: Credits::ZERO,
            effective_at,
            expires_at: grant.expires_at,
            created_at: now,
        };
        let movement = Movement { lot: lot.number, change: grant.amount.get() };
        self.last_lot = lot.number;
        let place = self.lots.partition_point(|other| other.spend_order(&lot).is_lt());
        self.lots.insert(place, lot);
        Ok(self.record(Kind::Grant(grant.description.clone()), now, vec![movement], Some(cause)))
    }

    fn spend(&mut self, spend: &Spend, now: DateTime<Utc>, cause: Cause) -> Result<Entry, Refusal> {
        let Spend { price, agreed, min_balance } = spend;
        if price.cost != *agreed {
            return Err(Refusal::PriceChanged { agreed: *agreed, cost: price.cost });
        }
        let allocations = self.quote(price.cost, *min_balance, now).outcome.map_err(Refusal::Insufficient)?;
        let movements =
            allocations.iter().map(|paid| Movement { lot: paid.lot, change: -paid.amount.get() }).collect();
        Ok(self.record(Kind::Spend(price.clone()), now, movements, Some(cause)))
    }

    /// Which lots pay `cost`, in spend order; the caller has made sure that they can.
    fn draw(&self, cost: Amount, at: DateTime<Utc>) -> Vec<Allocation> {
        let mut left = cost.credits();
        let mut allocations = Vec::new();
        for lot in self.lots.iter().filter(|lot| lot.is_active(at)) {
            if let Ok(amount) = Amount::try_from(lot.remaining.min(left).get()) {
                allocations.push(Allocation { lot: lot.number, amount });
                left = left.less(amount.credits());
            }
            if left == Credits::ZERO {
                break;
            }
        }
        debug_assert_eq!(left, Credits::ZERO, "what is available covers the cost");
        allocations
    }

    /// The only place where credits move: changes the lots and the balance, and writes the entry of it.
    fn record(
        &mut self,
        kind: Kind,
        at: DateTime<Utc>,
        movements: Vec<Movement>,
        cause: Option<Cause>,
    ) -> Entry {
        let balance_before = self.balance;
        for Movement { lot, change } in &movements {
            let lot =
                self.lots.iter_mut().find(|known| known.number == *lot).expect("the lot was chosen here");
            lot.remaining = lot.remaining.changed_by(*change).expect("a lot pays only what it has");
            self.balance = self.balance.changed_by(*change).expect("the balance is the sum of its lots");
        }
        let entry = Entry {
            account: self.id,
            version: self.version.next(),
            at,
            kind,
            balance_before,
            balance_after: self.balance,
            movements,
            cause,
        };
        self.version = entry.version;
        self.last_entry_at = Some(at);
        self.journal.push(entry.clone());
        entry
    }
}

/// What is missing for a spend that must leave `min_balance`, or `None` where nothing is.
fn shortfall(needed: Amount, available: Credits, min_balance: Credits) -> Option<Shortfall> {
    let wanted = i128::from(needed.get()) + i128::from(min_balance.get());
    let missing = wanted - i128::from(available.get());
    if missing <= 0 {
        return None;
    }
    let missing = i64::try_from(missing).ok().and_then(|missing| Amount::try_from(missing).ok());
    Some(Shortfall { needed, available, min_balance, missing: missing.unwrap_or(Amount::MAX) })
}

fn sum<'a>(lots: impl Iterator<Item = &'a Lot>) -> Credits {
    lots.fold(Credits::ZERO, |sum, lot| {
        sum.checked_add(lot.remaining).expect("no account is granted more than it can hold")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Priority, catalog::Price, testing::*};

    fn granted(grants: &[Grant]) -> Account {
        let mut account = new_account();
        for (number, grant) in grants.iter().enumerate() {
            let command = command(&account, &format!("grant-{number}"), Act::Grant(grant.clone()));
            decide(&mut account, &command, at(0)).unwrap();
        }
        account
    }

    fn run(account: &mut Account, name: &str, act: Act, seconds: i64) -> Result<Receipt, Refusal> {
        let command = command(account, name, act);
        decide(account, &command, at(seconds))
    }

    fn movements(entry: &Entry) -> Vec<(i64, i64)> {
        entry.movements.iter().map(|movement| (movement.lot.0, movement.change)).collect()
    }

    #[test]
    fn a_grant_makes_a_lot_and_one_entry() {
        let mut account = new_account();
        let answer = run(&mut account, "a", Act::Grant(grant(6)), 0).unwrap();
        assert!(!answer.replayed);
        assert_eq!(answer.entry.version, Version(1));
        assert_eq!((answer.entry.balance_before, answer.entry.balance_after), (credits(0), credits(6)));
        assert_eq!(movements(&answer.entry), [(1, 6)]);
        assert_eq!(account.available(at(0)), credits(6));
        assert_eq!(account.journal(), [answer.entry]);
    }

    #[test]
    fn a_spend_takes_from_the_lots_in_their_order() {
        let mut account = granted(&[
            grant(5),
            Grant { expires_at: Some(at(90)), ..grant(2) },
            Grant { priority: Priority(10), ..grant(1) },
        ]);
        let answer = run(&mut account, "s", Act::Spend(spend("render", 4)), 1).unwrap();
        assert_eq!(movements(&answer.entry), [(3, -1), (2, -2), (1, -1)]);
        assert_eq!(answer.entry.delta(), -4);
        assert_eq!(account.available(at(1)), credits(4));
    }

    #[test]
    fn a_spend_beyond_what_is_available_changes_nothing_and_names_what_is_missing() {
        let mut account = granted(&[grant(5)]);
        let before = account.clone();
        let refusal = run(&mut account, "s", Act::Spend(spend("render", 12)), 1).unwrap_err();
        let shortfall = Shortfall {
            needed: amount(12),
            available: credits(5),
            min_balance: credits(0),
            missing: amount(7),
        };
        assert_eq!(refusal, Refusal::Insufficient(shortfall));
        assert_eq!(account.lots(), before.lots());
        assert_eq!(account.journal(), before.journal());
        assert_eq!(account.version(), before.version());
    }

    #[test]
    fn a_spend_may_not_leave_less_than_the_min_balance() {
        let mut account = granted(&[grant(5)]);
        let leaving = |cost| Act::Spend(Spend { min_balance: credits(2), ..spend("render", cost) });
        let Err(Refusal::Insufficient(shortfall)) = run(&mut account, "a", leaving(4), 1) else {
            panic!("4 of 5 would leave 1");
        };
        assert_eq!(shortfall.missing, amount(1));
        assert!(run(&mut account, "b", leaving(3), 1).is_ok());
    }

    #[test]
    fn a_lapsed_credit_cannot_be_spent_though_nothing_swept_it_up() {
        let mut account = granted(&[Grant { expires_at: Some(at(10)), ..grant(5) }, grant(1)]);
        assert_eq!(account.available(at(9)), credits(6));
        assert_eq!(account.available(at(10)), credits(1));
        assert!(matches!(
            run(&mut account, "s", Act::Spend(spend("render", 2)), 10),
            Err(Refusal::Insufficient(_))
        ));
    }

    #[test]
    fn a_scheduled_credit_cannot_be_spent_before_its_time() {
        let mut account = granted(&[Grant { effective_at: Some(at(10)), ..grant(5) }]);
        assert_eq!(account.available(at(9)), credits(0));
        assert_eq!(account.balance(), credits(5));
        assert!(run(&mut account, "a", Act::Spend(spend("render", 1)), 9).is_err());
        assert!(run(&mut account, "b", Act::Spend(spend("render", 1)), 10).is_ok());
    }

    #[test]
    fn what_lapsed_is_written_before_the_command_and_dated_when_it_lapsed() {
        let mut account = granted(&[
            Grant { expires_at: Some(at(30)), ..grant(2) },
            Grant { expires_at: Some(at(20)), ..grant(3) },
            grant(1),
        ]);
        run(&mut account, "s", Act::Spend(spend("render", 1)), 40).unwrap();
        let written: Vec<_> = account.journal()[3..]
            .iter()
            .map(|entry| (entry.version.0, entry.at, entry.delta(), movements(entry)))
            .collect();
        let expected =
            [(4, at(20), -3, vec![(2, -3)]), (5, at(30), -2, vec![(1, -2)]), (6, at(40), -1, vec![(3, -1)])];
        assert_eq!(written, expected);
        assert_eq!(account.balance(), credits(0));
    }

    #[test]
    fn the_same_key_and_content_returns_the_first_answer() {
        let mut account = granted(&[grant(5)]);
        let first = run(&mut account, "s", Act::Spend(spend("render", 2)), 1).unwrap();
        let again = run(&mut account, "s", Act::Spend(spend("render", 2)), 99).unwrap();
        assert!(again.replayed);
        assert_eq!(again.entry, first.entry);
        assert_eq!(account.available(at(99)), credits(3));
    }

    #[test]
    fn the_first_answer_stands_after_the_price_has_changed() {
        let mut account = granted(&[grant(5)]);
        run(&mut account, "s", Act::Spend(spend("render", 2)), 1).unwrap();
        let dearer = Spend { agreed: amount(2), ..spend("render", 4) };
        assert!(run(&mut account, "s", Act::Spend(dearer), 2).unwrap().replayed);
    }

    #[test]
    fn the_same_key_with_other_content_is_refused() {
        let mut account = granted(&[grant(5)]);
        run(&mut account, "s", Act::Spend(spend("render", 2)), 1).unwrap();
        assert_eq!(run(&mut account, "s", Act::Spend(spend("render", 3)), 2), Err(Refusal::KeyReused));
        assert_eq!(run(&mut account, "s", Act::Grant(grant(2)), 2), Err(Refusal::KeyReused));
    }

    #[test]
    fn a_refused_command_leaves_its_key_free() {
        let mut account = granted(&[grant(5)]);
        assert!(run(&mut account, "s", Act::Spend(spend("render", 6)), 1).is_err());
        run(&mut account, "g", Act::Grant(grant(1)), 2).unwrap();
        assert!(!run(&mut account, "s", Act::Spend(spend("render", 6)), 3).unwrap().replayed);
    }

    #[test]
    fn a_spend_at_another_price_than_the_one_shown_is_refused() {
        let mut account = granted(&[grant(5)]);
        let stale = Spend { agreed: amount(1), ..spend("render", 2) };
        let refusal = Refusal::PriceChanged { agreed: amount(1), cost: amount(2) };
        assert_eq!(run(&mut account, "s", Act::Spend(stale), 1), Err(refusal));
    }

    #[test]
    fn a_clock_that_is_a_little_behind_is_lifted_and_one_far_behind_refused() {
        let mut account = granted(&[grant(5)]);
        run(&mut account, "a", Act::Spend(spend("render", 1)), 100).unwrap();
        let lifted = run(&mut account, "b", Act::Spend(spend("render", 1)), 40).unwrap();
        assert_eq!(lifted.entry.at, at(100));
        let refusal = Refusal::ClockBehind { last_entry_at: at(100) };
        assert_eq!(run(&mut account, "c", Act::Spend(spend("render", 1)), 39), Err(refusal));
    }

    #[test]
    fn a_grant_that_could_never_be_spent_is_refused() {
        let mut account = new_account();
        let lapsed = Grant { expires_at: Some(at(0)), ..grant(1) };
        assert_eq!(run(&mut account, "a", Act::Grant(lapsed), 0), Err(Refusal::ExpiresTooEarly));
        let inverted = Grant { effective_at: Some(at(9)), expires_at: Some(at(9)), ..grant(1) };
        assert_eq!(run(&mut account, "b", Act::Grant(inverted), 0), Err(Refusal::ExpiresTooEarly));
        assert_eq!(account.journal(), []);
    }

    #[test]
    fn a_balance_that_no_number_can_hold_is_refused() {
        let full = Lot { granted: credits(i64::MAX), remaining: credits(i64::MAX), ..lot(1, 1) };
        let id = new_account().id();
        let mut account = Account::restore(id, Version(1), Some(at(0)), LotNumber(1), vec![full]);
        assert_eq!(run(&mut account, "a", Act::Grant(grant(1)), 0), Err(Refusal::BalanceTooLarge));
        assert_eq!(account.lots().len(), 1);
    }

    #[test]
    fn a_quote_is_what_the_spend_then_does() {
        let mut account = granted(&[Grant { expires_at: Some(at(90)), ..grant(2) }, grant(5)]);
        let quote = account.quote(amount(3), credits(0), at(1));
        let paid: Vec<_> =
            quote.outcome.unwrap().iter().map(|part| (part.lot.0, -part.amount.get())).collect();
        let answer = run(&mut account, "s", Act::Spend(spend("render", 3)), 1).unwrap();
        assert_eq!(paid, movements(&answer.entry));
        assert_eq!(quote.available.get() - 3, account.available(at(1)).get());
    }

    #[test]
    fn an_entry_keeps_the_price_of_its_time() {
        let mut account = granted(&[grant(5)]);
        let answer = run(&mut account, "s", Act::Spend(spend("render", 3)), 1).unwrap();
        let Kind::Spend(Price { action, cost, .. }) = answer.entry.kind else { panic!("a spend was made") };
        assert_eq!((action.as_str(), cost), ("render", amount(3)));
    }

    #[test]
    fn an_answer_from_before_is_recognised_after_a_restart() {
        let mut account = granted(&[grant(5)]);
        let first = run(&mut account, "s", Act::Spend(spend("render", 2)), 1).unwrap();
        let mut restored = Account::restore(
            account.id(),
            account.version(),
            account.last_entry_at(),
            account.last_lot(),
            account.lots().to_vec(),
        );
        restored.recall(first.entry.clone());
        let again = run(&mut restored, "s", Act::Spend(spend("render", 2)), 2).unwrap();
        assert_eq!(again, Receipt { entry: first.entry, replayed: true });
    }
}
