//! Voids (rule 8).

use super::*;

#[test]
fn a_void_takes_what_remains_of_a_lot() {
    let mut account = granted(&[grant(5), grant(1)]);
    done(&mut account, 1, spending(2));
    let entry = done(&mut account, 2, void(1));
    assert_eq!(changes(&entry), [(1, -3)]);
    assert_eq!((&entry.kind, &entry.description), (&Kind::Void, &Some(reason())));
    let lot = account.lot(LotNumber(1)).unwrap();
    assert_eq!((lot.is_void, lot.lost), (true, credits(3)));
    assert_eq!(available(&account, 2), 1);
}

#[test]
fn a_void_lot_cannot_be_spent() {
    let mut account = granted(&[grant(5), grant(1)]);
    done(&mut account, 1, void(1));
    assert_eq!(missing(refused(&mut account, 2, spending(2))), (2, 1, 1));
    assert_eq!(missing(refused(&mut account, 2, holding(2, 60))), (2, 1, 1));
    assert_eq!(changes(&done(&mut account, 2, spending(1))), [(2, -1)]);
}

#[test]
fn a_lot_of_which_a_part_is_held_is_not_voided() {
    let mut account = granted(&[grant(5)]);
    let hold = done(&mut account, 1, holding(1, 60)).version;
    assert_eq!(refused(&mut account, 2, void(1)), Refusal::LotHeld);
    done(&mut account, 3, release(hold));
    assert_eq!(changes(&done(&mut account, 3, void(1))), [(1, -5)]);
}

#[test]
fn a_lot_that_is_held_whole_is_held_and_not_empty() {
    let mut account = granted(&[grant(5)]);
    done(&mut account, 1, holding(5, 60));
    assert_eq!(refused(&mut account, 2, void(1)), Refusal::LotHeld);
}

#[test]
fn a_hold_past_its_time_does_not_keep_a_lot_from_being_voided() {
    let mut account = granted(&[grant(5)]);
    done(&mut account, 1, holding(5, 60));
    assert_eq!(changes(&done(&mut account, 61, void(1))), [(1, -5)]);
}

#[test]
fn a_lot_with_nothing_left_is_not_voided() {
    let mut account = granted(&[grant(5), lapsing(5, 10)]);
    done(&mut account, 1, spending(5));
    done(&mut account, 1, void(1));
    assert_eq!(refused(&mut account, 2, void(1)), Refusal::LotEmpty);
    assert_eq!(refused(&mut account, 2, void(2)), Refusal::LotEmpty);
    // One that has lapsed has nothing left either, whether or not anything has swept it up.
    let mut account = granted(&[lapsing(5, 10)]);
    assert_eq!(refused(&mut account, 10, void(1)), Refusal::LotEmpty);
}

#[test]
fn a_lot_that_is_not_there_is_not_voided() {
    let mut account = granted(&[grant(5)]);
    for lot in [0, 2, -1] {
        assert_eq!(refused(&mut account, 1, void(lot)), Refusal::UnknownLot);
    }
}

#[test]
fn a_scheduled_lot_is_voided_before_it_begins() {
    let mut account = granted(&[Grant { effective_at: Some(at(10)), ..lapsing(5, 20) }]);
    done(&mut account, 1, void(1));
    assert_eq!(available(&account, 15), 0);
}
