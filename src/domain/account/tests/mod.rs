//! The law, case by case: one file for each part of it. What their cases are told with stands here.

use super::*;
use crate::domain::{
    Adjust, Adjustment, Amount, Capture, Charge, Clawback, Grant, HoldLife, Limits, Priority, Refund,
    Reinstate, Release, Replay, Source, Spend, Unlimited, Void, WhenSpent, testing::*,
};
use chrono::TimeDelta;

mod clawing;
mod granting;
mod holding;
mod keys;
mod limits;
mod moments;
mod quoting;
mod refunding;
mod refusals;
mod renewing;
mod reported;
mod restoring;
mod settling;
mod spending;
mod subscribing;
mod unlimited;
mod voiding;

/// An account that was given these lots at the beginning.
fn granted(grants: &[Grant]) -> Account {
    let mut account = new_account();
    for grant in grants {
        done(&mut account, 0, Act::Grant(grant.clone()));
    }
    account
}

/// A grant whose lot lapses.
fn lapsing(number: i64, seconds: i64) -> Grant {
    Grant { expires_at: Some(at(seconds)), ..grant(number) }
}

/// Asks under a key of its own: a command that is carried out leaves another version behind.
fn ask(account: &mut Account, seconds: i64, act: Act) -> Result<Receipt, Refusal> {
    let name = format!("at-version-{}", account.version().0);
    ask_as(account, &name, seconds, act)
}

fn ask_as(account: &mut Account, name: &str, seconds: i64, act: Act) -> Result<Receipt, Refusal> {
    let command = command(account, name, act);
    decide(account, &command, at(seconds))
}

/// Something that the law allows. The books kept a second time have to come to the same account.
fn done(account: &mut Account, seconds: i64, act: Act) -> Arc<Entry> {
    let receipt = ask(account, seconds, act).unwrap();
    assert!(!receipt.replayed);
    // What is kept beside lots and holds is what these make of it.
    let mut open = Open::new(account.lots().to_vec(), account.holds().cloned().collect());
    open.set_end_of_period(account.subscription().and_then(Subscription::due_at));
    assert_eq!(*account.open, open);
    let is_whole = account.journal().first().is_some_and(|entry| entry.version == Version(1));
    if is_whole {
        let books = replayed(account);
        assert_eq!(books.compare_open(account.lots(), account.holds()), []);
        assert_eq!((books.balance(), books.held()), (account.balance(), account.held()));
        assert_eq!((books.debt(), books.chain()), (account.debt(), account.standing().chain));
        assert_eq!(books.subscription(), account.subscription());
    }
    receipt.entry
}

fn replayed(account: &Account) -> Replay {
    let mut books = Replay::new(account.id());
    for entry in account.journal() {
        books.read(entry).unwrap();
    }
    books
}

/// Something that the law refuses. It may change nothing but what had fallen due by itself.
fn refused(account: &mut Account, seconds: i64, act: Act) -> Refusal {
    let mut untouched = account.clone();
    let refusal = ask(account, seconds, act).unwrap_err();
    untouched.settle(at(seconds));
    assert_eq!(*account, untouched);
    refusal
}

/// An account with so many open holds of one credit each, and one credit more.
fn with_holds(count: usize) -> Account {
    let allocations = vec![Allocation { lot: LotNumber(1), amount: amount(1) }];
    let charge = spend("render", 1).charge;
    let hold =
        |number| Hold { number, until: at(600), charge: charge.clone(), allocations: allocations.clone() };
    let last = count as i64;
    let holds = (1..=last).map(|number| hold(Version(number))).collect();
    let lot = Lot { held: credits(last), granted: credits(last + 1), ..lot(1, 1) };
    let standing = Standing {
        version: Version(last),
        last_lot: LotNumber(1),
        last_entry_at: Some(at(0)),
        ..new_account().standing().clone()
    };
    Account::restore(standing, vec![lot], holds)
}

/// What an account cannot pay, as `(needed, available, missing)`.
fn missing(refusal: Refusal) -> (i64, i64, i64) {
    let Refusal::Insufficient(shortfall) = refusal else { panic!("{refusal}") };
    (shortfall.needed.get(), shortfall.available.get(), shortfall.missing.get())
}

/// What an entry moved, as `(lot, change)`.
fn changes(entry: &Entry) -> Vec<(i64, i64)> {
    entry.movements.iter().map(|movement| (movement.lot.0, movement.change)).collect()
}

/// What an entry moved, as `(lot, change, held)`.
fn movements(entry: &Entry) -> Vec<(i64, i64, i64)> {
    entry.movements.iter().map(|movement| (movement.lot.0, movement.change, movement.held)).collect()
}

/// An entry, as `(kind, when in seconds, changes)`.
type Line = (&'static str, i64, Vec<(i64, i64)>);

fn last(account: &Account, count: usize) -> Vec<Line> {
    let line = |entry: &Arc<Entry>| (entry.kind.as_str(), (entry.at - at(0)).num_seconds(), changes(entry));
    account.journal()[account.journal().len() - count..].iter().map(line).collect()
}

fn remaining(account: &Account, lot: i64) -> i64 {
    account.lot(LotNumber(lot)).unwrap().remaining.get()
}

/// What the oldest open hold has set aside.
fn held(account: &Account) -> Credits {
    let oldest = account.holds().next().unwrap();
    total(oldest.allocations.iter().map(|part| part.amount.credits()))
}

fn available(account: &Account, seconds: i64) -> i64 {
    account.available(at(seconds)).get()
}

fn spending(cost: i64) -> Act {
    Act::Spend(spend("render", cost))
}

fn holding(cost: i64, seconds: i64) -> Act {
    Act::Hold(spend("render", cost), HoldLife::try_from(TimeDelta::seconds(seconds)).unwrap())
}

fn capture(hold: Version) -> Act {
    Act::Capture(Capture { hold, amount: None })
}

fn capture_of(hold: Version, number: i64) -> Act {
    Act::Capture(Capture { hold, amount: Some(amount(number)) })
}

fn release(hold: Version) -> Act {
    Act::Release(Release { hold })
}

fn refund(spend: Version) -> Act {
    Act::Refund(Refund { spend, amount: None, grace: None, reason: reason() })
}

fn refund_of(spend: Version, number: i64) -> Act {
    Act::Refund(Refund { spend, amount: Some(amount(number)), grace: None, reason: reason() })
}

fn refund_with_grace(spend: Version, seconds: i64) -> Act {
    Act::Refund(Refund { spend, amount: None, grace: Some(grace(seconds)), reason: reason() })
}

fn void(lot: i64) -> Act {
    Act::Void(Void { lot: LotNumber(lot), reason: reason() })
}

fn adjust(by: Adjustment) -> Act {
    Act::Adjust(Adjust { by, reason: reason() })
}

/// A clawback of which what was spent becomes debt.
fn clawback(lot: i64, total: i64) -> Act {
    let (lot, total) = (LotNumber(lot), amount(total));
    Act::Clawback(Clawback { lot, total, when_spent: WhenSpent::Debt, reason: reason() })
}

/// A clawback of which what was spent is forgiven.
fn lenient_clawback(lot: i64, total: i64) -> Act {
    let (lot, total) = (LotNumber(lot), amount(total));
    Act::Clawback(Clawback { lot, total, when_spent: WhenSpent::Forgive, reason: reason() })
}

fn reinstate(lot: i64, total: i64) -> Act {
    Act::Reinstate(Reinstate { lot: LotNumber(lot), total: credits(total), reason: reason() })
}

fn unlimited(seconds: i64) -> Act {
    Act::Unlimited(Unlimited { until: at(seconds), reason: reason() })
}
