//! Refunds (rule 7).

use super::*;

/// An account that spent 7: 2 of lot 3, then 3 of lot 2, then 2 of lot 1, which never expires.
fn spent() -> (Account, Version) {
    let mut account = granted(&[grant(5), lapsing(3, 90), lapsing(2, 80)]);
    let spend = done(&mut account, 1, spending(7)).version;
    (account, spend)
}

fn refundable(refusal: Refusal) -> i64 {
    let Refusal::RefundTooLarge { refundable } = refusal else { panic!("{refusal}") };
    refundable.get()
}

#[test]
fn a_whole_refund_returns_to_the_lots_last_taken_first() {
    let (mut account, spend) = spent();
    let entry = done(&mut account, 2, refund(spend));
    assert_eq!(changes(&entry), [(1, 2), (2, 3), (3, 2)]);
    assert_eq!((&entry.kind, entry.delta()), (&Kind::Refund { spend }, 7));
    assert_eq!(account.refunded(spend), credits(7));
    assert_eq!(available(&account, 2), 10);
}

#[test]
fn refunds_in_parts_go_on_where_the_last_one_ended() {
    let (mut account, spend) = spent();
    assert_eq!(changes(&done(&mut account, 2, refund_of(spend, 1))), [(1, 1)]);
    assert_eq!(changes(&done(&mut account, 3, refund_of(spend, 3))), [(1, 1), (2, 2)]);
    assert_eq!(changes(&done(&mut account, 4, refund(spend))), [(2, 1), (3, 2)]);
    assert_eq!(refundable(refused(&mut account, 5, refund(spend))), 0);
}

#[test]
fn no_more_is_refunded_than_was_spent() {
    let (mut account, spend) = spent();
    assert_eq!(refundable(refused(&mut account, 2, refund_of(spend, 8))), 7);
    done(&mut account, 2, refund_of(spend, 5));
    assert_eq!(refundable(refused(&mut account, 3, refund_of(spend, 3))), 2);
    done(&mut account, 3, refund_of(spend, 2));
    assert_eq!(refundable(refused(&mut account, 4, refund_of(spend, 1))), 0);
}

#[test]
fn each_spend_is_refunded_by_itself() {
    let mut account = granted(&[grant(5)]);
    let first = done(&mut account, 1, spending(2)).version;
    let second = done(&mut account, 1, spending(3)).version;
    done(&mut account, 2, refund(second));
    assert_eq!(refundable(refused(&mut account, 3, refund_of(first, 3))), 2);
    done(&mut account, 3, refund(first));
    assert_eq!(available(&account, 3), 5);
}

#[test]
fn a_capture_is_refunded_as_far_as_it_took() {
    let mut account = granted(&[grant(5), lapsing(3, 90)]);
    let hold = done(&mut account, 1, holding(6, 60)).version;
    let capture = done(&mut account, 2, capture_of(hold, 4)).version;
    assert_eq!(refundable(refused(&mut account, 3, refund_of(capture, 5))), 4);
    assert_eq!(changes(&done(&mut account, 3, refund(capture))), [(1, 1), (2, 3)]);
    assert_eq!(available(&account, 3), 8);
}

#[test]
fn of_a_capture_of_more_what_was_beyond_the_hold_returns_first() {
    let mut account = granted(&[grant(5), lapsing(3, 90)]);
    let hold = done(&mut account, 1, holding(2, 60)).version;
    let capture = done(&mut account, 2, capture_of(hold, 4)).version;
    assert_eq!(changes(&done(&mut account, 3, refund(capture))), [(1, 1), (2, 1), (2, 2)]);
    assert_eq!(available(&account, 3), 8);
}

#[test]
fn only_what_took_credits_for_good_is_refunded() {
    let mut account = granted(&[grant(9)]);
    let hold = done(&mut account, 1, holding(1, 60)).version;
    let release = done(&mut account, 1, release(hold)).version;
    let spend = done(&mut account, 1, spending(1)).version;
    let refunded = done(&mut account, 1, refund(spend)).version;
    let taken = done(&mut account, 1, adjust(Adjustment::Take(amount(1)))).version;
    for version in [Version(0), Version(1), hold, release, refunded, taken, Version(99)] {
        assert_eq!(refused(&mut account, 2, refund(version)), Refusal::UnknownSpend, "{version:?}");
    }
}

#[test]
fn what_returns_to_a_lapsed_lot_lapses_at_once_by_an_entry_of_its_own() {
    let (mut account, spend) = spent();
    done(&mut account, 85, refund(spend));
    let expected = [("refund", 85, vec![(1, 2), (2, 3), (3, 2)]), ("expiry", 85, vec![(3, -2)])];
    assert_eq!(last(&account, 2), expected);
    assert_eq!(available(&account, 85), 8);
    // It counts as refunded, though nobody has it.
    assert_eq!(refundable(refused(&mut account, 86, refund(spend))), 0);
}

#[test]
fn each_lapsed_lot_ends_again_by_itself() {
    let (mut account, spend) = spent();
    done(&mut account, 95, refund(spend));
    assert_eq!(last(&account, 2), [("expiry", 95, vec![(3, -2)]), ("expiry", 95, vec![(2, -3)])]);
}

#[test]
fn with_a_grace_what_would_lapse_comes_back_as_a_new_lot() {
    let (mut account, spend) = spent();
    let entry = done(&mut account, 95, refund_with_grace(spend, 30));
    assert_eq!(changes(&entry), [(1, 2), (4, 5)]);
    let lot = account.lot(LotNumber(4)).unwrap();
    assert_eq!((lot.granted, lot.effective_at, lot.expires_at), (credits(5), at(95), Some(at(125))));
    assert_eq!((available(&account, 124), available(&account, 125)), (10, 5));
}

#[test]
fn a_grace_changes_nothing_for_lots_that_live() {
    let (mut account, spend) = spent();
    let entry = done(&mut account, 2, refund_with_grace(spend, 30));
    assert_eq!((changes(&entry), entry.opened), (vec![(1, 2), (2, 3), (3, 2)], None));
}

#[test]
fn a_new_lot_of_a_refund_is_of_the_kind_of_the_old_one() {
    let pack = Grant { source: Source::Pack, priority: Priority(3), ..lapsing(5, 10) };
    let mut account = granted(&[pack]);
    let spend = done(&mut account, 1, spending(2)).version;
    done(&mut account, 20, refund_with_grace(spend, 30));
    let lot = account.lot(LotNumber(2)).unwrap();
    assert_eq!((lot.source, lot.priority), (Source::Pack, Priority(3)));
}

#[test]
fn parts_of_one_spend_come_back_to_the_lot_and_then_as_a_new_one() {
    let mut account = granted(&[lapsing(5, 10)]);
    let spend = done(&mut account, 1, spending(5)).version;
    done(&mut account, 2, refund_of(spend, 1));
    done(&mut account, 20, refund_with_grace(spend, 30));
    assert_eq!(last(&account, 2), [("expiry", 10, vec![(1, -1)]), ("refund", 20, vec![(2, 4)])]);
}

#[test]
fn what_returns_to_a_void_lot_is_void_at_once() {
    let mut account = granted(&[grant(5)]);
    let spend = done(&mut account, 1, spending(2)).version;
    done(&mut account, 2, void(1));
    done(&mut account, 3, refund(spend));
    assert_eq!(last(&account, 2), [("refund", 3, vec![(1, 2)]), ("void", 3, vec![(1, -2)])]);
    assert_eq!((available(&account, 3), account.lot(LotNumber(1)).unwrap().lost), (0, credits(5)));
    assert_eq!(account.journal().last().unwrap().cause, None);
}

#[test]
fn with_a_grace_what_was_spent_of_a_void_lot_comes_back_as_a_new_lot() {
    let mut account = granted(&[grant(5)]);
    let spend = done(&mut account, 1, spending(2)).version;
    done(&mut account, 2, void(1));
    assert_eq!(changes(&done(&mut account, 3, refund_with_grace(spend, 30))), [(2, 2)]);
    assert_eq!((available(&account, 32), available(&account, 33)), (2, 0));
}

#[test]
fn a_new_lot_of_a_refund_can_be_spent_and_refunded_in_its_turn() {
    let mut account = granted(&[lapsing(5, 10)]);
    let first = done(&mut account, 1, spending(5)).version;
    done(&mut account, 20, refund_with_grace(first, 30));
    let second = done(&mut account, 21, spending(5)).version;
    assert_eq!(changes(&done(&mut account, 22, refund(second))), [(2, 5)]);
    assert_eq!(refundable(refused(&mut account, 23, refund(first))), 0);
}
