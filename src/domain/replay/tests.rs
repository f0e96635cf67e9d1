//! What somebody could do to the books, and at which entry it is found.

use super::*;
use crate::domain::{
    Account, Act, Capture, Grant, HoldLife, Refund, decide,
    note::{Description, Metadata},
    testing::*,
};

/// An account with a history of every check's interest: lot 1 never expires, lot 2 does at 50.
///
/// 1 and 2 grant 5 and 3 · 3 holds 4 · 4 captures 3 of them · 5 refunds 2 · 6 spends 1 · 7 is the end of
/// lot 2 · 8 spends 1 · 9 holds 2.
pub fn history() -> Account {
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

pub fn entries() -> Vec<Entry> {
    history().journal().iter().map(|entry| Entry::clone(entry)).collect()
}

pub fn read(entries: &[Entry]) -> Result<Replay, Violation> {
    let mut books = Replay::new(new_account().id());
    entries.iter().try_for_each(|entry| books.read(entry)).map(|()| books)
}

/// What is found first, and at which entry.
pub fn verdict(entries: &[Entry]) -> (i64, Broken) {
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
    relinked(edited(version, edit))
}

/// With balances and links made anew.
pub fn relinked(mut entries: Vec<Entry>) -> Vec<Entry> {
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
