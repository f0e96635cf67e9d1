//! Clawbacks, debt, and reinstatements (rule 9).

use super::*;

/// An account that was given lots of this many credits and spent some.
fn spent(grants: &[Grant], cost: i64) -> (Account, Version) {
    let mut account = granted(grants);
    let spend = done(&mut account, 0, spending(cost)).version;
    (account, spend)
}

/// What became of the credits of lot 1, as `(taken, owed, forgiven)`.
fn clawed(account: &Account) -> (i64, i64, i64) {
    let Clawed { taken, owed, forgiven } = account.clawed(LotNumber(1));
    (taken.get(), owed.get(), forgiven.get())
}

#[test]
fn a_clawback_takes_from_the_bought_lot_alone() {
    let mut account = granted(&[grant(5), Grant { priority: Priority(1), ..grant(5) }]);
    let entry = done(&mut account, 1, clawback(1, 3));
    assert_eq!((changes(&entry), entry.debt_change), (vec![(1, -3)], 0));
    assert_eq!(clawed(&account), (3, 0, 0));
    assert_eq!((remaining(&account, 1), remaining(&account, 2)), (2, 5));
}

#[test]
fn the_total_counts_all_earlier_clawbacks_of_the_lot() {
    let mut account = granted(&[grant(5)]);
    done(&mut account, 1, clawback(1, 2));
    assert_eq!(changes(&done(&mut account, 2, clawback(1, 5))), [(1, -3)]);
    assert_eq!(clawed(&account), (5, 0, 0));
}

#[test]
fn a_total_that_is_no_more_than_the_last_is_refused() {
    let mut account = granted(&[grant(5)]);
    done(&mut account, 1, clawback(1, 3));
    for total in [3, 2] {
        let refusal = Refusal::ClawbackUnchanged { total: credits(3) };
        assert_eq!(refused(&mut account, 2, clawback(1, total)), refusal);
    }
}

#[test]
fn no_more_is_clawed_back_than_was_granted() {
    let mut account = granted(&[grant(5), grant(9)]);
    let refusal = Refusal::ClawbackTooLarge { granted: credits(5) };
    assert_eq!(refused(&mut account, 1, clawback(1, 6)), refusal);
    assert_eq!(refused(&mut account, 1, clawback(3, 1)), Refusal::UnknownLot);
    assert_eq!(refused(&mut account, 1, reinstate(3, 0)), Refusal::UnknownLot);
}

#[test]
fn what_was_spent_already_becomes_debt() {
    let (mut account, _) = spent(&[grant(5), grant(4)], 3);
    let entry = done(&mut account, 1, clawback(1, 5));
    assert_eq!((changes(&entry), entry.debt_change), (vec![(1, -2)], 3));
    assert_eq!(clawed(&account), (2, 3, 0));
    // The other lot keeps its credits, but those that are owed cannot be spent.
    assert_eq!((account.balance(), account.debt(), available(&account, 1)), (credits(4), credits(3), 1));
    assert_eq!(missing(refused(&mut account, 1, spending(2))), (2, 1, 1));
    done(&mut account, 1, spending(1));
}

#[test]
fn an_account_that_owes_more_than_it_has_has_nothing() {
    let (mut account, _) = spent(&[grant(5), grant(2)], 5);
    done(&mut account, 1, clawback(1, 5));
    assert_eq!(available(&account, 1), 0);
    // What is missing is what has to come in before it could pay, and that pays the debt first.
    assert_eq!(missing(refused(&mut account, 1, spending(4))), (4, 0, 7));
    done(&mut account, 2, Act::Grant(grant(7)));
    done(&mut account, 2, spending(4));
}

#[test]
fn what_was_spent_already_may_be_forgiven() {
    let (mut account, _) = spent(&[grant(5)], 3);
    let entry = done(&mut account, 1, lenient_clawback(1, 5));
    assert_eq!((changes(&entry), entry.debt_change), (vec![(1, -2)], 0));
    assert_eq!(clawed(&account), (2, 0, 3));
    assert_eq!(account.debt(), Credits::ZERO);
}

#[test]
fn what_lapsed_unspent_is_let_go() {
    let (mut account, _) = spent(&[lapsing(5, 10)], 2);
    let entry = done(&mut account, 20, clawback(1, 5));
    assert_eq!((entry.delta(), entry.debt_change), (0, 2));
    assert_eq!(clawed(&account), (0, 2, 3));
}

#[test]
fn what_was_spent_is_owed_once_though_the_rest_lapsed_between_two_clawbacks() {
    let (mut account, _) = spent(&[lapsing(5, 10)], 2);
    done(&mut account, 5, clawback(1, 1));
    done(&mut account, 20, clawback(1, 4));
    assert_eq!(clawed(&account), (1, 2, 1));
    done(&mut account, 20, clawback(1, 5));
    assert_eq!((clawed(&account), account.debt()), ((1, 2, 2), credits(2)));
}

#[test]
fn credits_that_are_held_are_owed_like_spent_ones() {
    let mut account = granted(&[grant(5)]);
    let hold = done(&mut account, 1, holding(5, 60)).version;
    assert_eq!(done(&mut account, 2, clawback(1, 5)).debt_change, 5);
    done(&mut account, 3, release(hold));
    assert_eq!((account.balance(), account.debt(), available(&account, 3)), (credits(5), credits(5), 0));
}

#[test]
fn the_next_grant_pays_debt_first() {
    let (mut account, _) = spent(&[grant(5)], 5);
    done(&mut account, 1, clawback(1, 5));
    let entry = done(&mut account, 2, Act::Grant(grant(3)));
    assert_eq!((changes(&entry), entry.debt_change), (vec![(2, 3), (2, -3)], -3));
    assert_eq!((account.debt(), available(&account, 2)), (credits(2), 0));
    let entry = done(&mut account, 3, Act::Grant(grant(9)));
    assert_eq!((changes(&entry), entry.debt_change), (vec![(3, 9), (3, -2)], -2));
    assert_eq!((account.debt(), available(&account, 3)), (credits(0), 7));
    assert_eq!(account.lot(LotNumber(3)).unwrap().granted, credits(9));
}

#[test]
fn credits_given_by_hand_pay_debt_first() {
    let (mut account, _) = spent(&[grant(5)], 5);
    done(&mut account, 1, clawback(1, 5));
    let entry = done(&mut account, 2, adjust(Adjustment::Give(amount(9))));
    assert_eq!((changes(&entry), entry.debt_change), (vec![(2, 9), (2, -5)], -5));
}

#[test]
fn a_lot_that_paid_debt_is_clawed_back_in_its_turn() {
    let (mut account, _) = spent(&[grant(5)], 5);
    done(&mut account, 1, clawback(1, 5));
    done(&mut account, 2, Act::Grant(grant(5)));
    // What it paid was used up just as what is spent.
    assert_eq!(done(&mut account, 3, clawback(2, 5)).debt_change, 5);
}

#[test]
fn a_refund_after_a_clawback_covers_what_is_owed() {
    let (mut account, spend) = spent(&[grant(5)], 5);
    done(&mut account, 1, clawback(1, 5));
    done(&mut account, 2, refund(spend));
    // The credits are back and the debt stays: together they are nothing.
    assert_eq!((account.balance(), account.debt(), available(&account, 2)), (credits(5), credits(5), 0));
    done(&mut account, 3, reinstate(1, 0));
    assert_eq!((account.debt(), available(&account, 3)), (Credits::ZERO, 5));
}

#[test]
fn what_was_refunded_is_taken_and_not_owed() {
    let (mut account, spend) = spent(&[grant(5)], 5);
    done(&mut account, 1, clawback(1, 2));
    done(&mut account, 2, refund_of(spend, 1));
    done(&mut account, 3, clawback(1, 5));
    assert_eq!((clawed(&account), account.debt()), ((1, 4, 0), credits(4)));
}

#[test]
fn what_was_taken_comes_back_to_its_lot() {
    let mut account = granted(&[grant(5)]);
    done(&mut account, 1, clawback(1, 5));
    let entry = done(&mut account, 2, reinstate(1, 2));
    assert_eq!(
        (changes(&entry), &entry.kind),
        (vec![(1, 3)], &Kind::Reinstatement(account.clawed(LotNumber(1))))
    );
    assert_eq!((clawed(&account), available(&account, 2)), ((2, 0, 0), 3));
}

#[test]
fn what_was_forgiven_is_reinstated_first_and_brings_nothing() {
    let (mut account, _) = spent(&[grant(5)], 3);
    done(&mut account, 1, lenient_clawback(1, 5));
    assert_eq!(done(&mut account, 2, reinstate(1, 2)).delta(), 0);
    assert_eq!(clawed(&account), (2, 0, 0));
    assert_eq!(done(&mut account, 3, reinstate(1, 0)).delta(), 2);
}

#[test]
fn what_is_owed_and_unpaid_is_no_longer_owed() {
    let (mut account, _) = spent(&[grant(5)], 3);
    done(&mut account, 1, clawback(1, 5));
    let entry = done(&mut account, 2, reinstate(1, 3));
    assert_eq!((entry.delta(), entry.debt_change, entry.opened), (0, -2, None));
    assert_eq!((clawed(&account), account.debt()), ((2, 1, 0), credits(1)));
}

#[test]
fn debt_that_was_paid_comes_back_as_a_lot_of_the_same_kind() {
    let pack = Grant { source: Source::Pack, priority: Priority(3), ..lapsing(5, 90) };
    let (mut account, _) = spent(&[pack], 5);
    done(&mut account, 1, clawback(1, 5));
    done(&mut account, 2, Act::Grant(grant(9)));
    let entry = done(&mut account, 3, reinstate(1, 0));
    assert_eq!(entry.debt_change, 0);
    let lot = account.lot(LotNumber(3)).unwrap();
    assert_eq!((lot.source, lot.priority, lot.granted), (Source::Pack, Priority(3), credits(5)));
    assert_eq!((lot.effective_at, lot.expires_at), (at(3), Some(at(90))));
    assert_eq!(available(&account, 3), 9);
}

#[test]
fn debt_that_was_paid_by_credits_of_today_outlives_a_lot_that_has_lapsed() {
    let (mut account, _) = spent(&[lapsing(5, 10)], 5);
    done(&mut account, 1, clawback(1, 5));
    done(&mut account, 2, Act::Grant(grant(9)));
    done(&mut account, 20, reinstate(1, 0));
    assert_eq!(account.lot(LotNumber(3)).unwrap().expires_at, None);
    assert_eq!(available(&account, 20), 9);
}

#[test]
fn debt_that_was_paid_in_part_comes_back_in_both_ways() {
    let (mut account, _) = spent(&[grant(5)], 5);
    done(&mut account, 1, clawback(1, 5));
    done(&mut account, 2, Act::Grant(grant(2)));
    let entry = done(&mut account, 3, reinstate(1, 0));
    assert_eq!((entry.debt_change, entry.opened.unwrap().lot), (-3, LotNumber(3)));
    assert_eq!((account.debt(), available(&account, 3)), (Credits::ZERO, 2));
}

#[test]
fn forgiven_owed_and_taken_come_back_in_this_order() {
    let (mut account, _) = spent(&[grant(5)], 3);
    done(&mut account, 1, lenient_clawback(1, 3));
    done(&mut account, 1, clawback(1, 5));
    assert_eq!((clawed(&account), account.debt()), ((2, 2, 1), credits(2)));
    // (to, what comes back, what is no longer owed, what is left of it)
    let steps = [(4, 0, 0, (2, 2, 0)), (3, 0, -1, (2, 1, 0)), (1, 1, -1, (1, 0, 0)), (0, 1, 0, (0, 0, 0))];
    for (total, back, debt, left) in steps {
        let entry = done(&mut account, 2, reinstate(1, total));
        assert_eq!((entry.delta(), entry.debt_change, clawed(&account)), (back, debt, left), "{total}");
    }
}

#[test]
fn no_more_is_reinstated_than_was_clawed_back() {
    let mut account = granted(&[grant(5)]);
    let refusal = |total| Refusal::ClawbackUnchanged { total: credits(total) };
    assert_eq!(refused(&mut account, 1, reinstate(1, 0)), refusal(0));
    done(&mut account, 1, clawback(1, 3));
    for total in [3, 4] {
        assert_eq!(refused(&mut account, 2, reinstate(1, total)), refusal(3));
    }
    done(&mut account, 2, reinstate(1, 0));
    assert_eq!(refused(&mut account, 3, reinstate(1, 0)), refusal(0));
}

#[test]
fn a_dispute_that_is_lost_won_and_lost_again_takes_the_credits_once() {
    let (mut account, _) = spent(&[grant(5)], 2);
    for _ in 0..2 {
        done(&mut account, 1, clawback(1, 5));
        assert_eq!((account.balance(), account.debt()), (Credits::ZERO, credits(2)));
        done(&mut account, 2, reinstate(1, 0));
        assert_eq!((account.balance(), account.debt()), (credits(3), Credits::ZERO));
    }
}

#[test]
fn what_was_taken_of_a_lot_that_has_lapsed_since_lapses_at_once() {
    let mut account = granted(&[lapsing(5, 10)]);
    done(&mut account, 1, clawback(1, 5));
    done(&mut account, 20, reinstate(1, 0));
    assert_eq!(last(&account, 2), [("reinstatement", 20, vec![(1, 5)]), ("expiry", 20, vec![(1, -5)])]);
}
