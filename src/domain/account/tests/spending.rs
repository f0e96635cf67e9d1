//! Spends, quotes, and which lots pay (rules 2 to 5).

use super::*;

#[test]
fn a_spend_takes_from_the_lots_in_their_order() {
    let mut account =
        granted(&[grant(5), lapsing(2, 90), Grant { priority: Priority(10), ..grant(1) }, lapsing(3, 80)]);
    let entry = done(&mut account, 1, spending(7));
    assert_eq!(changes(&entry), [(3, -1), (4, -3), (2, -2), (1, -1)]);
    assert_eq!(entry.delta(), -7);
    assert_eq!(available(&account, 1), 4);
}

#[test]
fn of_two_lots_alike_the_older_one_pays_first() {
    let mut account = granted(&[grant(2), grant(2)]);
    done(&mut account, 5, Act::Grant(grant(2)));
    assert_eq!(changes(&done(&mut account, 6, spending(5))), [(1, -2), (2, -2), (3, -1)]);
}

#[test]
fn a_spend_beyond_what_is_available_changes_nothing_and_names_what_is_missing() {
    let mut account = granted(&[grant(5)]);
    let shortfall =
        Shortfall { needed: amount(12), available: credits(5), min_balance: credits(0), missing: amount(7) };
    assert_eq!(refused(&mut account, 1, spending(12)), Refusal::Insufficient(shortfall));
    assert_eq!(changes(&done(&mut account, 1, spending(5))), [(1, -5)]);
    assert_eq!(missing(refused(&mut account, 1, spending(1))), (1, 0, 1));
}

#[test]
fn a_lapsed_credit_cannot_be_spent_though_nothing_swept_it_up() {
    let mut account = granted(&[lapsing(5, 10), grant(1)]);
    assert_eq!((available(&account, 9), available(&account, 10)), (6, 1));
    assert_eq!(missing(refused(&mut account, 10, spending(2))), (2, 1, 1));
}

#[test]
fn a_lapsed_credit_can_be_spent_until_the_moment_before() {
    let mut account = granted(&[lapsing(5, 10)]);
    let command = command(&account, "s", spending(5));
    decide(&mut account, &command, at(10) - TimeDelta::microseconds(1)).unwrap();
    assert_eq!(account.balance(), Credits::ZERO);
}

#[test]
fn a_spend_at_another_price_than_the_one_shown_is_refused() {
    let mut account = granted(&[grant(5)]);
    for (agreed, cost) in [(1, 2), (2, 1)] {
        let stale = Spend { agreed: Some(amount(agreed)), ..spend("render", cost) };
        let refusal = Refusal::PriceChanged { agreed: amount(agreed), cost: amount(cost) };
        assert_eq!(refused(&mut account, 1, Act::Spend(stale.clone())), refusal);
        assert_eq!(refused(&mut account, 1, Act::Hold(stale, HoldLife::default())), refusal);
    }
}

#[test]
fn a_spend_that_agreed_to_no_price_costs_what_it_costs() {
    let mut account = granted(&[grant(5)]);
    let unasked = Spend { agreed: None, ..spend("render", 2) };
    let entry = done(&mut account, 1, Act::Spend(unasked));
    assert_eq!(entry.balance_after, credits(3));
}

#[test]
fn a_quote_is_what_the_spend_then_does() {
    let mut account = granted(&[lapsing(2, 90), grant(5)]);
    let quote = account.quote(amount(3), &Limits::default(), at(1));
    let paid: Vec<_> = quote.outcome.unwrap().iter().map(|part| (part.lot.0, -part.amount.get())).collect();
    let entry = done(&mut account, 1, spending(3));
    assert_eq!(paid, changes(&entry));
    assert_eq!(quote.available.get() - 3, available(&account, 1));
}

#[test]
fn a_quote_changes_nothing_and_says_what_is_missing() {
    let account = granted(&[grant(2)]);
    let before = account.clone();
    let limits = Limits { min_balance: credits(1), ..Limits::default() };
    let refusal = account.quote(amount(3), &limits, at(1)).outcome.unwrap_err();
    assert_eq!(missing(refusal), (3, 2, 2));
    assert_eq!(account, before);
}

#[test]
fn an_entry_keeps_the_price_of_its_time() {
    let mut account = granted(&[grant(5)]);
    let entry = done(&mut account, 1, spending(3));
    assert_eq!(entry.kind.charge(), Some(&spend("render", 3).charge));
}
