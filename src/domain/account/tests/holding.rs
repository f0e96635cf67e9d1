//! Holds: reserve, capture, release, time out (rules 6 and 13).

use super::*;
use crate::domain::{HOLDS_MAX, catalog::Units};

#[test]
fn a_hold_sets_credits_aside_in_spend_order() {
    let mut account = granted(&[grant(5), lapsing(2, 90)]);
    let entry = done(&mut account, 1, holding(4, 60));
    assert_eq!(movements(&entry), [(2, -2, 2), (1, -2, 2)]);
    assert_eq!(entry.kind, Kind::Hold { charge: spend("render", 4).charge, until: at(61) });
    assert_eq!((available(&account, 1), account.held()), (3, credits(4)));
    assert_eq!((entry.balance_after, held(&account)), (credits(3), credits(4)));
    assert_eq!(missing(refused(&mut account, 2, spending(4))), (4, 3, 1));
    assert_eq!(missing(refused(&mut account, 2, holding(4, 60))), (4, 3, 1));
}

#[test]
fn a_capture_takes_what_is_held() {
    let mut account = granted(&[grant(5)]);
    let hold = done(&mut account, 1, holding(3, 60)).version;
    let entry = done(&mut account, 2, capture(hold));
    assert_eq!(movements(&entry), [(1, 0, -3)]);
    assert_eq!(entry.kind, Kind::Capture { hold, charge: spend("render", 3).charge });
    assert_eq!((available(&account, 2), account.held()), (2, Credits::ZERO));
    assert_eq!(account.holds().len(), 0);
}

#[test]
fn a_capture_of_less_takes_the_first_drawn_first_and_returns_the_rest() {
    let mut account = granted(&[grant(5), lapsing(2, 90), lapsing(3, 80)]);
    let hold = done(&mut account, 1, holding(7, 60)).version;
    let entry = done(&mut account, 2, capture_of(hold, 4));
    assert_eq!(movements(&entry), [(3, 0, -3), (2, 1, -2), (1, 2, -2)]);
    assert_eq!(entry.kind.charge().map(|charge| charge.cost), Some(amount(4)));
    assert_eq!((available(&account, 2), account.held()), (6, Credits::ZERO));
}

#[test]
fn a_capture_of_more_takes_the_rest_from_what_is_available() {
    let mut account = granted(&[grant(5), lapsing(3, 90)]);
    let hold = done(&mut account, 1, holding(2, 60)).version;
    let entry = done(&mut account, 2, capture_of(hold, 4));
    assert_eq!(movements(&entry), [(2, 0, -2), (2, -1, 0), (1, -1, 0)]);
    assert_eq!(available(&account, 2), 4);
}

#[test]
fn the_rest_of_a_capture_comes_from_lots_that_are_active_at_its_moment() {
    let mut account = granted(&[grant(5), lapsing(3, 30), Grant { effective_at: Some(at(40)), ..grant(9) }]);
    let hold = done(&mut account, 1, holding(2, 60)).version;
    assert_eq!(missing(refused(&mut account, 20, capture_of(hold, 9))), (7, 6, 1));
    assert_eq!(movements(&done(&mut account, 29, capture_of(hold, 4))), [(2, 0, -2), (2, -1, 0), (1, -1, 0)]);
}

#[test]
fn a_capture_of_too_much_leaves_the_hold_as_it_was() {
    let mut account = granted(&[grant(5)]);
    let hold = done(&mut account, 1, holding(3, 60)).version;
    assert_eq!(missing(refused(&mut account, 2, capture_of(hold, 6))), (3, 2, 1));
    assert_eq!(held(&account), credits(3));
    done(&mut account, 3, capture_of(hold, 5));
    assert_eq!(account.balance(), Credits::ZERO);
}

#[test]
fn one_hold_does_not_pay_for_another() {
    let mut account = granted(&[grant(5)]);
    let first = done(&mut account, 1, holding(3, 60)).version;
    let second = done(&mut account, 1, holding(2, 60)).version;
    assert_eq!(missing(refused(&mut account, 2, capture_of(second, 3))), (1, 0, 1));
    done(&mut account, 2, capture(first));
    assert_eq!(account.holds().map(|hold| hold.number).collect::<Vec<_>>(), [second]);
}

#[test]
fn units_are_told_only_of_the_price_that_they_make() {
    let mut account = granted(&[grant(9)]);
    let units = Some(Units::try_from(2000).unwrap());
    let charge = Charge { units, ..spend("render", 2).charge };
    let by_unit = || Act::Hold(Spend { charge: charge.clone(), ..spend("render", 2) }, HoldLife::default());
    for (captured, told) in [(2, units), (1, None), (3, None)] {
        let hold = done(&mut account, 1, by_unit()).version;
        let entry = done(&mut account, 2, capture_of(hold, captured));
        assert_eq!(entry.kind.charge().unwrap().units, told, "{captured}");
    }
}

#[test]
fn a_release_returns_all() {
    let mut account = granted(&[grant(5), lapsing(2, 90)]);
    let hold = done(&mut account, 1, holding(4, 60)).version;
    let entry = done(&mut account, 2, release(hold));
    assert_eq!(movements(&entry), [(2, 2, -2), (1, 2, -2)]);
    assert_eq!((available(&account, 2), account.held()), (7, Credits::ZERO));
    assert!(entry.cause.is_some());
}

#[test]
fn a_hold_that_is_over_cannot_end_again() {
    let mut account = granted(&[grant(5)]);
    let captured = done(&mut account, 1, holding(1, 60)).version;
    done(&mut account, 2, capture(captured));
    let released = done(&mut account, 3, holding(1, 60)).version;
    done(&mut account, 4, release(released));
    for hold in [captured, released] {
        assert_eq!(refused(&mut account, 5, capture(hold)), Refusal::HoldClosed);
        assert_eq!(refused(&mut account, 5, release(hold)), Refusal::HoldClosed);
    }
}

#[test]
fn only_a_hold_is_a_hold() {
    let mut account = granted(&[grant(5)]);
    let spend = done(&mut account, 1, spending(1)).version;
    for version in [spend, Version(1), Version(0), Version(99)] {
        assert_eq!(refused(&mut account, 2, capture(version)), Refusal::UnknownHold);
        assert_eq!(refused(&mut account, 2, release(version)), Refusal::UnknownHold);
    }
}

#[test]
fn a_hold_past_its_time_was_released_at_that_moment() {
    let mut account = granted(&[grant(5)]);
    let hold = done(&mut account, 1, holding(3, 60)).version;
    done(&mut account, 500, spending(5));
    assert_eq!(last(&account, 2), [("release", 61, vec![(1, 3)]), ("spend", 500, vec![(1, -5)])]);
    let released = &account.journal()[2];
    assert_eq!((&released.kind, released.cause), (&Kind::Release { hold }, None));
}

#[test]
fn a_hold_can_be_captured_until_the_moment_before_its_time() {
    let mut account = granted(&[grant(5)]);
    let first = done(&mut account, 0, holding(1, 60)).version;
    let second = done(&mut account, 0, holding(1, 60)).version;
    done(&mut account, 59, capture(first));
    assert_eq!(refused(&mut account, 60, capture(second)), Refusal::HoldClosed);
    assert_eq!(refused(&mut account, 60, release(second)), Refusal::HoldClosed);
    assert_eq!(available(&account, 60), 4);
}

#[test]
fn held_credits_can_be_captured_after_their_lot_has_lapsed() {
    let mut account = granted(&[lapsing(5, 10)]);
    let hold = done(&mut account, 1, holding(3, 60)).version;
    done(&mut account, 20, capture(hold));
    // The two that were not held lapsed when the lot did; the three that were did not.
    assert_eq!(last(&account, 2), [("expiry", 10, vec![(1, -2)]), ("capture", 20, vec![(1, 0)])]);
    assert_eq!((account.balance(), account.held()), (Credits::ZERO, Credits::ZERO));
}

#[test]
fn what_a_capture_returns_to_a_lapsed_lot_lapses_at_once() {
    let mut account = granted(&[lapsing(5, 10), grant(1)]);
    let hold = done(&mut account, 1, holding(5, 60)).version;
    done(&mut account, 20, capture_of(hold, 3));
    assert_eq!(last(&account, 2), [("capture", 20, vec![(1, 2)]), ("expiry", 20, vec![(1, -2)])]);
    assert_eq!(account.lot(LotNumber(1)).unwrap().lost, credits(2));
    assert_eq!(available(&account, 20), 1);
}

#[test]
fn more_than_was_held_is_never_taken_from_a_lapsed_lot() {
    let mut account = granted(&[lapsing(5, 10), grant(1)]);
    let hold = done(&mut account, 1, holding(3, 60)).version;
    assert_eq!(missing(refused(&mut account, 20, capture_of(hold, 5))), (2, 1, 1));
    done(&mut account, 20, capture_of(hold, 4));
    assert_eq!(last(&account, 1), [("capture", 20, vec![(1, 0), (2, -1)])]);
}

#[test]
fn what_a_release_returns_to_a_lapsed_lot_lapses_at_once() {
    let mut account = granted(&[lapsing(5, 10)]);
    let hold = done(&mut account, 1, holding(3, 60)).version;
    done(&mut account, 20, release(hold));
    let expected =
        [("expiry", 10, vec![(1, -2)]), ("release", 20, vec![(1, 3)]), ("expiry", 20, vec![(1, -3)])];
    assert_eq!(last(&account, 3), expected);
    assert_eq!(available(&account, 20), 0);
}

#[test]
fn a_hold_that_runs_out_after_its_lot_lets_the_credits_lapse() {
    let mut account = granted(&[lapsing(5, 10)]);
    done(&mut account, 1, holding(5, 60));
    assert_eq!(missing(refused(&mut account, 99, spending(1))), (1, 0, 1));
    assert_eq!(last(&account, 2), [("release", 61, vec![(1, 5)]), ("expiry", 61, vec![(1, -5)])]);
}

#[test]
fn a_hold_and_its_lot_that_end_together_lose_all_in_one_entry() {
    let mut account = granted(&[lapsing(5, 60)]);
    done(&mut account, 0, holding(3, 60));
    account.settle(at(60));
    assert_eq!(last(&account, 2), [("release", 60, vec![(1, 3)]), ("expiry", 60, vec![(1, -5)])]);
}

#[test]
fn an_account_has_so_many_open_holds_and_no_more() {
    let mut account = with_holds(HOLDS_MAX);
    let refusal = Refusal::TooManyHolds { most: HOLDS_MAX };
    assert_eq!(refused(&mut account, 1, holding(1, 60)), refusal);
    // What else there is to say of it is said first.
    assert_eq!(missing(refused(&mut account, 1, holding(2, 60))), (2, 1, 1));
    done(&mut account, 1, release(Version(7)));
    done(&mut account, 1, holding(1, 60));
    assert_eq!(refused(&mut account, 1, holding(1, 60)), refusal);
    // They run out like any others.
    account.settle(at(600));
    assert_eq!((account.holds().len(), available(&account, 600)), (0, HOLDS_MAX as i64 + 1));
    done(&mut account, 600, holding(1, 60));
}
