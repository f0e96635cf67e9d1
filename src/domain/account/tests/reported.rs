//! Faults that users of such systems reported, as far as the law decides them.

use super::*;

#[test]
fn two_requests_for_one_credit_do_not_both_succeed() {
    let mut account = granted(&[grant(1)]);
    done(&mut account, 1, spending(1));
    assert_eq!(missing(refused(&mut account, 1, spending(1))), (1, 0, 1));
}

#[test]
fn a_top_up_that_is_told_twice_is_granted_once() {
    let mut account = new_account();
    for _ in 0..2 {
        ask_as(&mut account, "checkout-7", 1, Act::Grant(grant(5))).unwrap();
    }
    assert_eq!((available(&account, 1), account.lots().len()), (5, 1));
}

#[test]
fn no_lot_is_touched_before_a_repeated_key_is_noticed() {
    let mut account = granted(&[grant(5), lapsing(2, 20)]);
    ask_as(&mut account, "s", 1, spending(1)).unwrap();
    let before = account.clone();
    ask_as(&mut account, "s", 30, spending(1)).unwrap();
    ask_as(&mut account, "s", 30, spending(2)).unwrap_err();
    assert_eq!(account, before);
}

#[test]
fn a_slow_button_that_is_clicked_again_is_charged_once() {
    let mut account = granted(&[grant(5)]);
    for seconds in [1, 2, 30] {
        ask_as(&mut account, "click-7", seconds, spending(2)).unwrap();
    }
    assert_eq!(available(&account, 30), 3);
}

#[test]
fn a_command_that_failed_does_not_count_as_done() {
    let mut account = new_account();
    ask_as(&mut account, "s", 1, spending(2)).unwrap_err();
    done(&mut account, 2, Act::Grant(grant(5)));
    ask_as(&mut account, "s", 3, spending(2)).unwrap();
    assert_eq!(available(&account, 3), 3);
}

#[test]
fn credits_lapse_at_their_moment_and_not_at_the_next_renewal() {
    let account = granted(&[lapsing(5, 10)]);
    assert_eq!((available(&account, 9), available(&account, 10)), (5, 0));
}

#[test]
fn what_sweeps_up_takes_only_what_has_lapsed() {
    let pack = Grant { source: Source::Pack, priority: Source::Pack.default_priority(), ..grant(7) };
    let plan = Grant { source: Source::Plan, ..lapsing(5, 10) };
    let mut account = granted(&[plan, pack, lapsing(3, 99)]);
    account.settle(at(50));
    assert_eq!(last(&account, 1), [("expiry", 10, vec![(1, -5)])]);
    assert_eq!(available(&account, 50), 10);
}

#[test]
fn neither_a_first_allowance_nor_its_renewal_touches_a_pack() {
    let pack = Grant { source: Source::Pack, ..grant(7) };
    let mut account = granted(&[pack]);
    for (begins, ends) in [(10, 40), (40, 70)] {
        done(&mut account, begins, Act::Grant(Grant { source: Source::Plan, ..lapsing(5, ends) }));
        assert_eq!(available(&account, begins), 12);
    }
}

#[test]
fn a_pack_stays_when_the_plan_ends() {
    let pack = Grant { source: Source::Pack, ..grant(7) };
    let mut account = granted(&[pack, Grant { source: Source::Plan, ..lapsing(5, 40) }]);
    done(&mut account, 10, void(2));
    assert_eq!(available(&account, 10), 7);
}

#[test]
fn a_hold_whose_worker_died_returns_by_itself() {
    let mut account = granted(&[grant(5)]);
    done(&mut account, 0, holding(5, 60));
    assert_eq!(missing(refused(&mut account, 59, spending(5))), (5, 0, 5));
    done(&mut account, 60, spending(5));
}

#[test]
fn a_hold_that_is_under_way_is_no_charge() {
    let mut account = granted(&[grant(5)]);
    let hold = done(&mut account, 0, holding(5, 60));
    assert!(!hold.kind.is_spend());
    assert!(hold.movements.iter().all(|movement| movement.taken().is_none()));
    assert_eq!(hold.held_change(), -hold.delta());
    assert_eq!(refused(&mut account, 1, refund(hold.version)), Refusal::UnknownSpend);
}

#[test]
fn the_refund_of_a_failed_job_is_applied_once() {
    let mut account = granted(&[grant(5)]);
    let spend = done(&mut account, 1, spending(5)).version;
    ask_as(&mut account, "job-7-failed", 2, refund(spend)).unwrap();
    assert!(ask_as(&mut account, "job-7-failed", 3, refund(spend)).unwrap().replayed);
    // Nor by another worker, which asks under a key of its own.
    let refusal = Refusal::RefundTooLarge { refundable: Credits::ZERO };
    assert_eq!(refused(&mut account, 3, refund(spend)), refusal);
    assert_eq!(available(&account, 3), 5);
}

#[test]
fn a_refunded_amount_that_is_told_as_a_total_is_subtracted_once() {
    let mut account = granted(&[grant(9)]);
    for total in [2, 2, 5, 2, 5, 9] {
        let _told_before = ask(&mut account, 1, clawback(1, total));
    }
    assert_eq!((account.balance(), account.debt()), (Credits::ZERO, Credits::ZERO));
    assert_eq!(account.journal().iter().map(|entry| entry.delta()).collect::<Vec<_>>(), [9, -2, -3, -4]);
}

#[test]
fn what_a_dispute_took_is_returned_when_it_is_won() {
    let mut account = granted(&[grant(5)]);
    done(&mut account, 1, spending(2));
    done(&mut account, 2, clawback(1, 5));
    done(&mut account, 3, reinstate(1, 0));
    assert_eq!((available(&account, 3), account.debt()), (3, Credits::ZERO));
}

#[test]
fn a_refund_into_a_lapsed_lot_does_not_disappear() {
    for (act, left) in [(refund as fn(Version) -> Act, 0), (|spend| refund_with_grace(spend, 30), 5)] {
        let mut account = granted(&[lapsing(5, 10)]);
        let spend = done(&mut account, 1, spending(5)).version;
        // Whatever becomes of the credits, the history tells.
        assert_eq!(done(&mut account, 20, act(spend)).delta(), 5);
        assert_eq!((available(&account, 20), account.balance()), (left, credits(left)));
    }
}
