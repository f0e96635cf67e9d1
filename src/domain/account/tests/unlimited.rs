//! Use that costs nothing (rule 10).

use super::*;

#[test]
fn until_its_moment_a_spend_takes_no_credits_and_says_what_it_would_have_cost() {
    let mut account = granted(&[grant(5)]);
    done(&mut account, 0, unlimited(60));
    let entry = done(&mut account, 59, spending(9));
    assert_eq!((entry.delta(), changes(&entry)), (0, vec![]));
    assert_eq!(entry.kind.charge().map(|charge| charge.cost), Some(amount(9)));
    assert_eq!(available(&account, 59), 5);
}

#[test]
fn from_its_moment_on_a_spend_costs_what_it_costs() {
    let mut account = granted(&[grant(5)]);
    done(&mut account, 0, unlimited(60));
    assert_eq!(missing(refused(&mut account, 60, spending(9))), (9, 5, 4));
    assert_eq!(changes(&done(&mut account, 60, spending(2))), [(1, -2)]);
}

#[test]
fn neither_an_empty_account_nor_a_debt_nor_a_min_balance_stands_in_its_way() {
    let mut account = granted(&[grant(5)]);
    done(&mut account, 0, spending(5));
    done(&mut account, 0, clawback(1, 5));
    done(&mut account, 0, unlimited(60));
    let limits = Limits { min_balance: credits(3), ..Limits::default() };
    done(&mut account, 1, Act::Spend(Spend { limits, ..spend("render", 9) }));
    assert_eq!(account.quote(amount(9), &limits, at(1)).outcome, Ok(vec![]));
    assert_eq!(account.debt(), credits(5));
}

#[test]
fn a_price_that_has_changed_is_told_all_the_same() {
    let mut account = new_account();
    done(&mut account, 0, unlimited(60));
    let stale = Act::Spend(Spend { agreed: Some(amount(1)), ..spend("render", 2) });
    let refusal = Refusal::PriceChanged { agreed: amount(1), cost: amount(2) };
    assert_eq!(refused(&mut account, 1, stale), refusal);
}

#[test]
fn a_hold_sets_nothing_aside_and_its_capture_takes_nothing() {
    let mut account = granted(&[grant(5)]);
    done(&mut account, 0, unlimited(60));
    let hold = done(&mut account, 1, holding(9, 600)).version;
    assert_eq!((available(&account, 1), account.held()), (5, Credits::ZERO));
    // Its work was free when it began, though it ends later and comes to more.
    let entry = done(&mut account, 99, capture_of(hold, 20));
    assert_eq!((entry.delta(), entry.kind.charge().unwrap().cost), (0, amount(20)));
    assert_eq!(refused(&mut account, 99, capture(hold)), Refusal::HoldClosed);
}

#[test]
fn a_hold_that_set_nothing_aside_is_released_and_runs_out_like_any_other() {
    let mut account = new_account();
    done(&mut account, 0, unlimited(60));
    let first = done(&mut account, 1, holding(9, 10)).version;
    done(&mut account, 1, holding(9, 10));
    assert_eq!(changes(&done(&mut account, 2, release(first))), []);
    account.settle(at(11));
    assert_eq!(last(&account, 1), [("release", 11, vec![])]);
}

#[test]
fn a_hold_from_before_is_captured_as_it_was_made() {
    let mut account = granted(&[grant(5)]);
    let hold = done(&mut account, 0, holding(3, 60)).version;
    done(&mut account, 1, unlimited(60));
    done(&mut account, 2, capture(hold));
    assert_eq!(available(&account, 2), 2);
}

#[test]
fn what_took_nothing_has_nothing_to_refund() {
    let mut account = new_account();
    done(&mut account, 0, unlimited(60));
    let spend = done(&mut account, 1, spending(9)).version;
    let refusal = Refusal::RefundTooLarge { refundable: Credits::ZERO };
    assert_eq!(refused(&mut account, 2, refund(spend)), refusal);
    assert_eq!(refused(&mut account, 2, refund_of(spend, 1)), refusal);
}

#[test]
fn a_moment_that_has_passed_ends_it() {
    let mut account = granted(&[grant(5)]);
    done(&mut account, 0, unlimited(60));
    done(&mut account, 10, unlimited(10));
    assert!(!account.is_unlimited(at(10)));
    assert_eq!(changes(&done(&mut account, 10, spending(2))), [(1, -2)]);
}

#[test]
fn lots_lapse_while_use_is_unlimited() {
    let mut account = granted(&[lapsing(5, 10)]);
    done(&mut account, 0, unlimited(60));
    done(&mut account, 20, spending(1));
    assert_eq!(last(&account, 2), [("expiry", 10, vec![(1, -5)]), ("spend", 20, vec![])]);
}

#[test]
fn a_capture_of_more_than_was_held_costs_nothing_more_while_use_is_unlimited() {
    let mut account = granted(&[grant(3)]);
    let hold = done(&mut account, 1, holding(3, 60)).version;
    done(&mut account, 2, unlimited(90));
    let entry = done(&mut account, 3, capture_of(hold, 9));
    assert_eq!(movements(&entry), [(1, 0, -3)]);
    assert_eq!(entry.kind.charge().unwrap().cost, amount(9));
}
