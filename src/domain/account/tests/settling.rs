//! What falls due by itself, and clocks that disagree (rules 13 and 14).

use super::*;

#[test]
fn what_lapsed_is_written_before_the_command_and_dated_when_it_lapsed() {
    let mut account = granted(&[lapsing(2, 30), lapsing(3, 20), grant(1)]);
    done(&mut account, 40, spending(1));
    let expected =
        [("expiry", 20, vec![(2, -3)]), ("expiry", 30, vec![(1, -2)]), ("spend", 40, vec![(3, -1)])];
    assert_eq!(last(&account, 3), expected);
    assert_eq!(account.balance(), Credits::ZERO);
}

#[test]
fn lots_and_holds_fall_due_in_the_order_of_their_moments() {
    let mut account = granted(&[lapsing(2, 40), lapsing(3, 20), grant(1)]);
    done(&mut account, 0, holding(5, 30));
    account.settle(at(50));
    let expected =
        [("release", 30, vec![(2, 3), (1, 2)]), ("expiry", 30, vec![(2, -3)]), ("expiry", 40, vec![(1, -2)])];
    assert_eq!(last(&account, 3), expected);
}

#[test]
fn what_is_due_is_written_once_and_though_the_command_is_refused() {
    let mut account = granted(&[lapsing(2, 30)]);
    account.settle(at(29));
    assert_eq!(account.journal().len(), 1);
    for _ in 0..2 {
        refused(&mut account, 30, spending(1));
    }
    assert_eq!(last(&account, 1), [("expiry", 30, vec![(1, -2)])]);
    assert_eq!(account.journal().len(), 2);
}

#[test]
fn a_scheduled_lot_lapses_in_its_time_as_well() {
    let mut account = granted(&[Grant { effective_at: Some(at(10)), ..lapsing(5, 20) }]);
    done(&mut account, 30, unlimited(0));
    assert_eq!(last(&account, 2), [("expiry", 20, vec![(1, -5)]), ("unlimited", 30, vec![])]);
}

#[test]
fn a_clock_that_is_a_little_behind_is_lifted_and_one_far_behind_refused() {
    let mut account = granted(&[grant(5)]);
    done(&mut account, 100, spending(1));
    assert_eq!(done(&mut account, 40, spending(1)).at, at(100));
    let refusal = Refusal::ClockBehind { last_entry_at: at(100) };
    assert_eq!(refused(&mut account, 39, spending(1)), refusal);
}

#[test]
fn what_a_lifted_command_makes_counts_from_the_time_to_which_it_was_lifted() {
    let mut account = granted(&[lapsing(5, 120)]);
    done(&mut account, 100, spending(1));
    let Kind::Hold { until, .. } = done(&mut account, 90, holding(1, 60)).kind else { panic!("a hold") };
    assert_eq!(until, at(160));
    assert_eq!(refused(&mut account, 90, Act::Grant(lapsing(1, 95))), Refusal::ExpiresTooEarly);
}

#[test]
fn a_clock_that_ran_ahead_does_not_bring_back_what_lapsed_by_it() {
    let mut account = granted(&[lapsing(5, 100), grant(1)]);
    account.settle(at(130));
    // Dated before the lot lapsed, but the history has moved on.
    assert_eq!(missing(refused(&mut account, 70, spending(2))), (2, 1, 1));
}
