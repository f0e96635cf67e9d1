//! Grants, scheduled lots, adjustments, and the largest numbers (rules 1, 2 and 8).

use super::*;

#[test]
fn a_grant_makes_a_lot_and_one_entry() {
    let mut account = new_account();
    let entry = done(&mut account, 0, Act::Grant(grant(6)));
    assert_eq!(entry.version, Version(1));
    assert_eq!((entry.balance_before, entry.balance_after), (credits(0), credits(6)));
    assert_eq!(changes(&entry), [(1, 6)]);
    assert_eq!(entry.opened.unwrap().lot, LotNumber(1));
    assert_eq!(available(&account, 0), 6);
    assert_eq!(account.journal(), [entry]);
}

#[test]
fn a_grant_that_could_never_be_spent_is_refused() {
    let mut account = new_account();
    assert_eq!(refused(&mut account, 0, Act::Grant(lapsing(1, 0))), Refusal::ExpiresTooEarly);
    let inverted = Grant { effective_at: Some(at(9)), ..lapsing(1, 9) };
    assert_eq!(refused(&mut account, 0, Act::Grant(inverted)), Refusal::ExpiresTooEarly);
    // One that began in the past is as good as one that begins now.
    let lapsed = Grant { effective_at: Some(at(1)), ..lapsing(1, 5) };
    assert_eq!(refused(&mut account, 5, Act::Grant(lapsed)), Refusal::ExpiresTooEarly);
}

#[test]
fn a_scheduled_credit_cannot_be_spent_before_its_time() {
    let mut account = granted(&[Grant { effective_at: Some(at(10)), ..grant(5) }]);
    assert_eq!((available(&account, 9), available(&account, 10)), (0, 5));
    assert_eq!(account.balance(), credits(5));
    assert_eq!(missing(refused(&mut account, 9, spending(1))), (1, 0, 1));
    assert_eq!(missing(refused(&mut account, 9, holding(1, 60))), (1, 0, 1));
    assert_eq!(changes(&done(&mut account, 10, spending(1))), [(1, -1)]);
}

#[test]
fn a_scheduled_lot_is_passed_over_though_it_would_come_first() {
    let mut account =
        granted(&[Grant { priority: Priority(1), effective_at: Some(at(10)), ..grant(5) }, grant(5)]);
    assert_eq!(changes(&done(&mut account, 9, spending(2))), [(2, -2)]);
    assert_eq!(changes(&done(&mut account, 10, spending(2))), [(1, -2)]);
}

#[test]
fn an_adjustment_gives_a_lot_that_never_expires() {
    let mut account = new_account();
    let entry = done(&mut account, 3, adjust(Adjustment::Give(amount(4))));
    assert_eq!(changes(&entry), [(1, 4)]);
    assert_eq!(entry.description, Some(reason()));
    let lot = account.lot(LotNumber(1)).unwrap();
    assert_eq!((lot.source, lot.effective_at, lot.expires_at), (Source::Adjustment, at(3), None));
}

#[test]
fn an_adjustment_takes_in_spend_order_and_only_what_is_available() {
    let mut account = granted(&[grant(5), lapsing(2, 90), Grant { effective_at: Some(at(50)), ..grant(9) }]);
    assert_eq!(changes(&done(&mut account, 1, adjust(Adjustment::Take(amount(3))))), [(2, -2), (1, -1)]);
    assert_eq!(missing(refused(&mut account, 1, adjust(Adjustment::Take(amount(5))))), (5, 4, 1));
    // What a hold has set aside is not there for the taking.
    done(&mut account, 2, holding(3, 60));
    assert_eq!(missing(refused(&mut account, 3, adjust(Adjustment::Take(amount(2))))), (2, 1, 1));
}

#[test]
fn no_amount_of_nothing_less_than_nothing_or_too_much_can_be_asked_for() {
    // All acts ask in amounts, which are never any of these (rule 1).
    for number in [0, -1, i64::MIN, Amount::MAX.get() + 1, i64::MAX] {
        assert!(Amount::try_from(number).is_err(), "{number}");
    }
    let mut account = granted(&[Grant { amount: Amount::MAX, ..grant(1) }]);
    done(&mut account, 1, spending(Amount::MAX.get()));
    assert_eq!(account.balance(), Credits::ZERO);
}

/// An account whose only lot holds this much.
fn holder_of(number: i64) -> Account {
    restored(vec![lot(1, number)])
}

fn restored(lots: Vec<Lot>) -> Account {
    let standing = Standing {
        version: Version(1),
        last_entry_at: Some(at(0)),
        last_lot: LotNumber(lots.len() as i64),
        ..new_account().standing().clone()
    };
    Account::restore(standing, lots, vec![])
}

#[test]
fn a_balance_that_no_number_can_hold_is_refused() {
    let mut account = holder_of(i64::MAX);
    assert_eq!(refused(&mut account, 0, Act::Grant(grant(1))), Refusal::BalanceTooLarge);
    assert_eq!(refused(&mut account, 0, adjust(Adjustment::Give(amount(1)))), Refusal::BalanceTooLarge);
    // The last credit that there is room for still comes in.
    done(&mut account, 0, spending(1));
    done(&mut account, 0, Act::Grant(grant(1)));
    assert_eq!(account.balance(), credits(i64::MAX));
}

#[test]
fn a_refund_to_a_full_account_is_refused() {
    let mut account = holder_of(i64::MAX);
    let spend = done(&mut account, 0, spending(5)).version;
    done(&mut account, 0, Act::Grant(grant(3)));
    assert_eq!(refused(&mut account, 0, refund(spend)), Refusal::BalanceTooLarge);
    done(&mut account, 0, refund_of(spend, 2));
    assert_eq!(account.balance(), credits(i64::MAX));
}

#[test]
fn a_reinstatement_to_a_full_account_is_refused() {
    let mut account = restored(vec![lot(1, 5), lot(2, i64::MAX - 5)]);
    done(&mut account, 0, clawback(1, 5));
    done(&mut account, 0, Act::Grant(grant(1)));
    assert_eq!(refused(&mut account, 0, reinstate(1, 0)), Refusal::BalanceTooLarge);
    done(&mut account, 0, reinstate(1, 1));
    assert_eq!(account.balance(), credits(i64::MAX));
}

#[test]
fn held_credits_take_room_as_they_may_come_back() {
    let mut account = holder_of(i64::MAX);
    let hold = done(&mut account, 0, holding(5, 60)).version;
    assert_eq!(refused(&mut account, 1, Act::Grant(grant(1))), Refusal::BalanceTooLarge);
    done(&mut account, 1, capture(hold));
    done(&mut account, 1, Act::Grant(grant(5)));
}

#[test]
fn debt_takes_room_as_it_may_be_forgiven() {
    let spent = Lot { remaining: Credits::ZERO, ..lot(1, 5) };
    let mut account = restored(vec![spent, lot(2, i64::MAX - 5)]);
    done(&mut account, 0, clawback(1, 5));
    assert_eq!(account.debt(), credits(5));
    assert_eq!(refused(&mut account, 0, Act::Grant(grant(1))), Refusal::BalanceTooLarge);
    // Nor does debt come about that there is no room for.
    let spent = Lot { remaining: Credits::ZERO, ..lot(1, 5) };
    let mut account = restored(vec![spent, lot(2, i64::MAX)]);
    assert_eq!(refused(&mut account, 0, clawback(1, 5)), Refusal::BalanceTooLarge);
}

#[test]
fn what_is_missing_is_told_where_no_amount_is_so_large() {
    let mut account = granted(&[grant(1)]);
    let limits = Limits { min_balance: credits(i64::MAX), ..Limits::default() };
    let spend = Act::Spend(Spend { limits, ..spend("render", 1) });
    assert_eq!(missing(refused(&mut account, 0, spend)), (1, 1, Amount::MAX.get()));
}
