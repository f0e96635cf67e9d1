//! Accounts that were written down and loaded again.

use super::*;

/// The account as it comes back from where it was written: with what is open, and no past.
fn loaded(account: &Account) -> Account {
    let open = account.lots().iter().filter(|lot| lot.is_open()).cloned().rev().collect();
    Account::restore(account.standing().clone(), open, account.holds().cloned().collect())
}

#[test]
fn an_account_that_was_loaded_goes_on_as_if_it_never_left() {
    let mut stayed = granted(&[grant(5), lapsing(2, 90), grant(1)]);
    done(&mut stayed, 1, holding(3, 60));
    let mut left = loaded(&stayed);
    let written = stayed.journal().len();
    for (seconds, cost) in [(2, 1), (70, 2), (95, 3)] {
        let act = spending(cost);
        assert_eq!(done(&mut stayed, seconds, act.clone()), done(&mut left, seconds, act));
    }
    assert_eq!(stayed.journal()[written..], *left.journal());
    assert_eq!(stayed.standing(), left.standing());
    assert_eq!((stayed.balance(), stayed.held()), (left.balance(), left.held()));
}

#[test]
fn an_answer_from_before_is_recognised_after_a_restart() {
    let mut account = granted(&[grant(5)]);
    let first = ask_as(&mut account, "s", 1, spending(2)).unwrap();
    let mut restored = loaded(&account);
    restored.recall(first.entry.clone());
    let again = ask_as(&mut restored, "s", 2, spending(2)).unwrap();
    assert_eq!(again, Receipt { entry: first.entry, replayed: true });
}

#[test]
fn a_spend_from_before_is_refunded_as_far_as_it_was_not() {
    let mut account = granted(&[grant(5)]);
    let spend = done(&mut account, 1, spending(4));
    done(&mut account, 2, refund_of(spend.version, 1));
    let mut restored = loaded(&account);
    restored.recall(spend.clone());
    restored.recall_refunded(spend.version, credits(1));
    assert_eq!(changes(&done(&mut restored, 3, refund(spend.version))), [(1, 3)]);
}

#[test]
fn a_hold_from_before_is_closed_and_not_unknown() {
    let mut account = granted(&[grant(5)]);
    let hold = done(&mut account, 1, holding(4, 60));
    done(&mut account, 2, capture(hold.version));
    let mut restored = loaded(&account);
    assert_eq!(refused(&mut restored, 3, release(hold.version)), Refusal::UnknownHold);
    restored.recall(hold.clone());
    assert_eq!(refused(&mut restored, 3, release(hold.version)), Refusal::HoldClosed);
}

#[test]
fn a_clawback_goes_on_from_the_one_before() {
    let mut account = granted(&[grant(5)]);
    done(&mut account, 1, clawback(1, 2));
    let mut restored = loaded(&account);
    restored.recall_clawed(LotNumber(1), account.clawed(LotNumber(1)));
    assert_eq!(changes(&done(&mut restored, 2, clawback(1, 3))), [(1, -1)]);
}

#[test]
fn what_is_open_is_enough_for_what_needs_no_past() {
    let mut account = granted(&[grant(5)]);
    let hold = done(&mut account, 1, holding(2, 60)).version;
    account = account.continued();
    for act in [spending(1), holding(1, 60), capture(hold), release(hold), unlimited(1)] {
        assert!(account.knows_enough_for(&act), "{act:?}");
    }
    for act in [capture(Version(1)), refund(Version(1)), void(1), clawback(1, 1), reinstate(1, 0)] {
        assert!(!account.knows_enough_for(&act), "{act:?}");
    }
}

#[test]
fn what_was_written_is_forgotten_and_what_is_open_is_not() {
    let mut account = granted(&[grant(5), lapsing(2, 90)]);
    done(&mut account, 1, spending(2));
    let hold = done(&mut account, 1, holding(5, 60)).version;
    account = account.continued();
    assert_eq!(account.journal(), []);
    // All of lot 1 is held: it has something to come back to.
    assert_eq!(account.lots().iter().map(|lot| lot.number.0).collect::<Vec<_>>(), [1]);
    assert_eq!(done(&mut account, 2, release(hold)).version, Version(5));
}
