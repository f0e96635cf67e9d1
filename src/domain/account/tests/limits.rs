//! The least that must stay, and how often an account may spend (rule 5).

use super::*;

fn leaving(min_balance: i64, cost: i64) -> Spend {
    let limits = Limits { min_balance: credits(min_balance), ..Limits::default() };
    Spend { limits, ..spend("render", cost) }
}

fn capped(per_hour: Option<u32>, per_day: Option<u32>) -> Spend {
    Spend { limits: Limits { per_hour, per_day, ..Limits::default() }, ..spend("render", 1) }
}

/// The tests' time begins at 08:00 UTC.
const HOUR: i64 = 3600;
const MIDNIGHT: i64 = 16 * HOUR;

#[test]
fn a_spend_may_not_leave_less_than_the_min_balance() {
    let mut account = granted(&[grant(5)]);
    let refusal = refused(&mut account, 1, Act::Spend(leaving(2, 4)));
    let shortfall =
        Shortfall { needed: amount(4), available: credits(5), min_balance: credits(2), missing: amount(1) };
    assert_eq!(refusal, Refusal::Insufficient(shortfall));
    done(&mut account, 1, Act::Spend(leaving(2, 3)));
    assert_eq!(available(&account, 1), 2);
}

#[test]
fn a_hold_may_not_leave_less_than_the_min_balance() {
    let mut account = granted(&[grant(5)]);
    let life = HoldLife::default();
    assert_eq!(missing(refused(&mut account, 1, Act::Hold(leaving(2, 4), life))), (4, 5, 1));
    done(&mut account, 1, Act::Hold(leaving(2, 3), life));
    // What is held is not there to be left.
    assert_eq!(missing(refused(&mut account, 2, Act::Spend(leaving(2, 1)))), (1, 2, 1));
}

#[test]
fn a_capture_of_more_may_go_below_the_min_balance() {
    let mut account = granted(&[grant(5)]);
    let hold = done(&mut account, 1, Act::Hold(leaving(2, 3), HoldLife::default())).version;
    done(&mut account, 2, capture_of(hold, 5));
    assert_eq!(available(&account, 2), 0);
}

#[test]
fn an_hour_has_so_many_spends_and_no_more() {
    let mut account = granted(&[grant(9)]);
    let spend = || Act::Spend(capped(Some(2), None));
    done(&mut account, 10, spend());
    done(&mut account, HOUR - 1, spend());
    let refusal = Refusal::FairUse { cap: 2, resets_at: at(HOUR) };
    assert_eq!(refused(&mut account, HOUR - 1, spend()), refusal);
    // The next hour begins with the clock and not an hour after the first spend.
    done(&mut account, HOUR, spend());
    done(&mut account, HOUR, spend());
    let refusal = Refusal::FairUse { cap: 2, resets_at: at(2 * HOUR) };
    assert_eq!(refused(&mut account, HOUR, spend()), refusal);
}

#[test]
fn a_day_has_so_many_spends_and_no_more() {
    let mut account = granted(&[grant(9)]);
    let spend = || Act::Spend(capped(None, Some(2)));
    done(&mut account, 0, spend());
    done(&mut account, 3 * HOUR, spend());
    let refusal = Refusal::FairUse { cap: 2, resets_at: at(MIDNIGHT) };
    assert_eq!(refused(&mut account, MIDNIGHT - 1, spend()), refusal);
    done(&mut account, MIDNIGHT, spend());
}

#[test]
fn a_full_day_is_told_of_where_the_hour_has_room() {
    let mut account = granted(&[grant(9)]);
    let spend = || Act::Spend(capped(Some(1), Some(2)));
    done(&mut account, 0, spend());
    assert_eq!(refused(&mut account, 1, spend()), Refusal::FairUse { cap: 1, resets_at: at(HOUR) });
    done(&mut account, HOUR, spend());
    let refusal = Refusal::FairUse { cap: 2, resets_at: at(MIDNIGHT) };
    assert_eq!(refused(&mut account, 2 * HOUR, spend()), refusal);
}

#[test]
fn holds_count_and_their_captures_do_not() {
    let mut account = granted(&[grant(9)]);
    let hold = || Act::Hold(capped(Some(2), None), HoldLife::default());
    let first = done(&mut account, 0, hold()).version;
    done(&mut account, 1, capture(first));
    let second = done(&mut account, 2, hold()).version;
    done(&mut account, 3, release(second));
    let refusal = Refusal::FairUse { cap: 2, resets_at: at(HOUR) };
    assert_eq!(refused(&mut account, 4, hold()), refusal);
    assert_eq!(refused(&mut account, 4, Act::Spend(capped(Some(2), None))), refusal);
}

#[test]
fn what_is_refused_or_replayed_does_not_count() {
    let mut account = granted(&[grant(2)]);
    let spend = || Act::Spend(capped(Some(2), None));
    refused(&mut account, 0, spending(3));
    ask_as(&mut account, "first", 1, spend()).unwrap();
    assert!(ask_as(&mut account, "first", 2, spend()).unwrap().replayed);
    done(&mut account, 3, spend());
}

#[test]
fn what_was_spent_without_caps_counts_once_there_are_caps() {
    let mut account = granted(&[grant(9)]);
    done(&mut account, 0, spending(1));
    done(&mut account, 1, Act::Grant(grant(1)));
    let refusal = Refusal::FairUse { cap: 1, resets_at: at(HOUR) };
    assert_eq!(refused(&mut account, 2, Act::Spend(capped(Some(1), None))), refusal);
}

#[test]
fn caps_hold_where_use_is_unlimited() {
    let mut account = new_account();
    done(&mut account, 0, unlimited(HOUR));
    done(&mut account, 1, Act::Spend(capped(Some(1), None)));
    let refusal = Refusal::FairUse { cap: 1, resets_at: at(HOUR) };
    assert_eq!(refused(&mut account, 2, Act::Spend(capped(Some(1), None))), refusal);
}
