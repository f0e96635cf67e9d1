//! Subscriptions: what a plan brings, how its periods end, and what becomes of what is left (rule 16).

use super::*;
use crate::domain::{
    Subscribe, SubscriptionState, Terms, Unsubscribe,
    catalog::{Allowance, RolloverCap},
    subscription::Next,
};

pub(super) const DAY: i64 = 86_400;

/// The tests' time begins on 15 January 2027 at 8: a month later it is 15 February.
pub(super) const MONTH: i64 = 31 * DAY;
pub(super) const TWO_MONTHS: i64 = MONTH + 28 * DAY;

pub(super) fn free() -> Terms {
    Terms { is_free: true, ..terms("free", 5) }
}

pub(super) fn unlimited_plan() -> Terms {
    Terms { allowance: Allowance::Unlimited, ..terms("unlimited", 1) }
}

pub(super) fn rolling(allowance: i64, cap: i64) -> Terms {
    Terms { rollover_cap: RolloverCap::try_from(cap).ok(), ..terms("rolling", allowance) }
}

pub(super) fn subscribe(terms: Terms) -> Act {
    Act::Subscribe(Subscribe { terms, anchor: None, paid_until: None, fallback: None, is_trial: false })
}

pub(super) fn paid(terms: Terms, until: i64) -> Act {
    Act::Subscribe(Subscribe {
        terms,
        anchor: None,
        paid_until: Some(at(until)),
        fallback: Some(free()),
        is_trial: false,
    })
}

pub(super) const fn unsubscribe(at_once: bool) -> Act {
    Act::Unsubscribe(Unsubscribe { at_once })
}

pub(super) fn state(account: &Account, seconds: i64) -> (String, SubscriptionState) {
    let subscription = account.subscription().unwrap();
    (subscription.terms.plan.to_string(), subscription.state(at(seconds)))
}

/// What happened by itself since the account had so many entries, as `(kind, delta, seconds)`.
pub(super) fn since(account: &Account, version: i64) -> Vec<(&'static str, i64, i64)> {
    let entries = account.journal().iter().filter(|entry| entry.version.0 > version);
    let told = entries.map(|entry| (entry.kind.as_str(), entry.delta(), (entry.at - at(0)).num_seconds()));
    told.collect()
}

#[test]
fn a_plan_brings_its_allowance_at_once_and_again_every_month() {
    let mut account = new_account();
    let entry = done(&mut account, 0, subscribe(terms("pro", 100)));
    assert_eq!((entry.kind.as_str(), entry.delta()), ("subscription", 100));
    assert_eq!(account.lots()[0].expires_at, Some(at(MONTH)));
    done(&mut account, 10, spending(30));
    assert_eq!(available(&account, MONTH - 1), 70);
    assert_eq!(available(&account, MONTH), 100);
    account.settle(at(TWO_MONTHS));
    assert_eq!(
        since(&account, 2),
        [
            ("renewal", 100, MONTH),
            ("expiry", -70, MONTH),
            ("renewal", 100, TWO_MONTHS),
            ("expiry", -100, TWO_MONTHS)
        ]
    );
}

#[test]
fn what_is_left_rolls_over_up_to_the_cap_and_the_rest_ends_by_an_entry_of_its_own() {
    let mut account = new_account();
    done(&mut account, 0, subscribe(rolling(100, 2)));
    done(&mut account, 10, spending(30));
    account.settle(at(MONTH));
    assert_eq!(since(&account, 2), [("renewal", 100, MONTH)]);
    assert_eq!(available(&account, MONTH), 170);
    account.settle(at(TWO_MONTHS));
    assert_eq!(since(&account, 3), [("renewal", 100, TWO_MONTHS), ("expiry", -70, TWO_MONTHS)]);
    assert_eq!(available(&account, TWO_MONTHS), 200);
    let lot = account.lots().iter().find(|lot| lot.is_open()).unwrap();
    assert_eq!((lot.granted.get(), lot.expires_at), (200, Some(at(TWO_MONTHS + MONTH))));
}

#[test]
fn a_cap_of_one_lets_nothing_roll_over() {
    let mut account = new_account();
    done(&mut account, 0, subscribe(rolling(100, 1)));
    account.settle(at(MONTH));
    assert_eq!(since(&account, 1), [("renewal", 100, MONTH), ("expiry", -100, MONTH)]);
}

#[test]
fn packs_and_bonuses_are_not_touched_by_a_renewal_or_an_end() {
    let mut account =
        granted(&[Grant { source: Source::Pack, priority: Priority(10), ..grant(7) }, grant(2)]);
    done(&mut account, 0, subscribe(terms("pro", 100)));
    done(&mut account, MONTH, unsubscribe(true));
    assert_eq!(available(&account, MONTH), 9);
    account.settle(at(TWO_MONTHS));
    assert_eq!(available(&account, TWO_MONTHS), 9);
}

#[test]
fn what_is_owed_is_paid_by_the_allowance_first() {
    let mut account = granted(&[Grant { source: Source::Pack, ..grant(10) }]);
    done(&mut account, 1, spending(10));
    done(&mut account, 2, clawback(1, 10));
    done(&mut account, 3, subscribe(terms("pro", 100)));
    assert_eq!((available(&account, 3), account.debt().get()), (90, 0));
}

#[test]
fn a_larger_plan_begins_at_once_and_brings_the_difference_once() {
    let mut account = new_account();
    done(&mut account, 0, subscribe(terms("small", 100)));
    done(&mut account, 1, subscribe(terms("large", 300)));
    assert_eq!(available(&account, 1), 300);
    // Down, and up again within the month: it was brought before.
    done(&mut account, 2, subscribe(terms("small", 100)));
    assert_eq!(state(&account, 2), ("large".into(), SubscriptionState::Active));
    done(&mut account, 3, subscribe(terms("large", 300)));
    assert_eq!(available(&account, 3), 300);
    account.settle(at(MONTH));
    assert_eq!(available(&account, MONTH), 300);
}

#[test]
fn a_smaller_plan_begins_with_the_next_period() {
    let mut account = new_account();
    done(&mut account, 0, subscribe(terms("large", 300)));
    let entry = done(&mut account, 1, subscribe(terms("small", 100)));
    assert_eq!(entry.delta(), 0);
    assert_eq!(available(&account, MONTH - 1), 300);
    account.settle(at(MONTH));
    assert_eq!(state(&account, MONTH), ("small".into(), SubscriptionState::Active));
    assert_eq!(available(&account, MONTH), 100);
}

#[test]
fn what_is_so_already_is_refused_and_leaves_no_trace() {
    let mut account = new_account();
    done(&mut account, 0, subscribe(terms("pro", 100)));
    assert_eq!(refused(&mut account, 1, subscribe(terms("pro", 100))), Refusal::SubscriptionUnchanged);
    done(&mut account, 2, unsubscribe(false));
    assert_eq!(refused(&mut account, 3, unsubscribe(false)), Refusal::SubscriptionUnchanged);
    // To be on it after all.
    done(&mut account, 4, subscribe(terms("pro", 100)));
    assert_eq!((available(&account, 4), state(&account, 4).1), (100, SubscriptionState::Active));
}

#[test]
fn an_end_comes_with_the_period_or_at_once() {
    let mut account = new_account();
    assert_eq!(refused(&mut account, 0, unsubscribe(false)), Refusal::NotSubscribed);
    done(&mut account, 0, subscribe(terms("pro", 100)));
    done(&mut account, 1, unsubscribe(false));
    assert_eq!((available(&account, 1), state(&account, 1).1), (100, SubscriptionState::Canceled));
    account.settle(at(TWO_MONTHS));
    assert_eq!(
        (available(&account, TWO_MONTHS), state(&account, TWO_MONTHS).1),
        (0, SubscriptionState::Ended)
    );
    assert_eq!(since(&account, 2), [("renewal", 0, MONTH), ("expiry", -100, MONTH)]);
    done(&mut account, TWO_MONTHS, subscribe(terms("pro", 100)));
    done(&mut account, TWO_MONTHS + 1, unsubscribe(true));
    assert_eq!(available(&account, TWO_MONTHS + 1), 0);
    assert_eq!(refused(&mut account, TWO_MONTHS + 2, unsubscribe(true)), Refusal::NotSubscribed);
}

#[test]
fn an_unlimited_plan_makes_use_unlimited_until_it_ends() {
    let mut account = granted(&[grant(6)]);
    done(&mut account, 0, subscribe(unlimited_plan()));
    let entry = done(&mut account, 1, spending(3));
    assert_eq!((entry.delta(), entry.kind.charge().unwrap().cost.get()), (0, 3));
    account.settle(at(MONTH));
    assert!(account.is_unlimited(at(MONTH)));
    done(&mut account, MONTH + 1, unsubscribe(false));
    assert!(account.is_unlimited(at(TWO_MONTHS - 1)));
    assert_eq!(done(&mut account, TWO_MONTHS, spending(3)).delta(), -3);
}

#[test]
fn an_unlimited_plan_goes_on_and_ends_whether_or_not_it_is_settled() {
    let mut account = new_account();
    done(&mut account, 0, subscribe(unlimited_plan()));
    assert!(account.is_unlimited(at(MONTH)));
    done(&mut account, 1, unsubscribe(false));
    assert!(account.is_unlimited(at(MONTH - 1)));
    assert!(!account.is_unlimited(at(MONTH)));
}

#[test]
fn what_a_hold_sets_aside_across_a_renewal_can_be_captured_after_it() {
    let mut account = new_account();
    done(&mut account, 0, subscribe(terms("pro", 100)));
    let hold = done(&mut account, MONTH - 60, holding(40, 600)).version;
    let capture = done(&mut account, MONTH + 60, capture(hold));
    assert_eq!(capture.held_change(), -40);
    assert_eq!(available(&account, MONTH + 60), 100);
}

#[test]
fn a_lot_that_is_wholly_held_ends_with_its_period_too() {
    let mut account = new_account();
    done(&mut account, 0, paid(terms("pro", 100), MONTH));
    let hold = done(&mut account, MONTH - 60, holding(100, 600)).version;
    done(&mut account, MONTH - 30, paid(terms("pro", 100), TWO_MONTHS));
    // Without the renewal, its credits would have lived on for the grace.
    done(&mut account, MONTH + 60, release(hold));
    assert_eq!(last(&account, 3)[0], ("renewal", MONTH, vec![(2, 100), (1, 0)]));
    assert_eq!(last(&account, 1), [("expiry", MONTH + 60, vec![(1, -100)])]);
    assert_eq!(available(&account, MONTH + 60), 100);
}

#[test]
fn times_that_cannot_be_are_refused() {
    let mut account = new_account();
    let asked = |anchor, paid_until| {
        Act::Subscribe(Subscribe {
            terms: terms("pro", 1),
            anchor,
            paid_until,
            fallback: None,
            is_trial: false,
        })
    };
    let early = asked(None, Some(at(0)));
    assert_eq!(refused(&mut account, 0, early), Refusal::ExpiresTooEarly);
    let beyond = asked(None, Some(DateTime::<Utc>::MAX_UTC));
    assert_eq!(refused(&mut account, 0, beyond), Refusal::TimeOutOfRange);
    let beyond = asked(Some(DateTime::<Utc>::MAX_UTC), None);
    assert_eq!(refused(&mut account, 0, beyond), Refusal::TimeOutOfRange);
    assert_eq!(account.subscription(), None);
    done(&mut account, 0, subscribe(terms("pro", 1)));
    assert_eq!(account.subscription().unwrap().next, Next::Renew);
}

#[test]
fn a_trial_is_for_who_pays_for_nothing() {
    let trial = |terms, end| {
        let end = Some(at(end));
        Act::Subscribe(Subscribe { terms, anchor: end, paid_until: end, fallback: None, is_trial: true })
    };
    let mut account = new_account();
    done(&mut account, 0, subscribe(free()));
    done(&mut account, 1, subscribe(terms("small", 10)));
    let asked = trial(terms("pro", 100), 7 * DAY);
    assert_eq!(refused(&mut account, 2, asked.clone()), Refusal::AlreadySubscribed);
    let mut account = new_account();
    done(&mut account, 0, subscribe(free()));
    done(&mut account, 1, asked);
    assert_eq!(available(&account, 1), 105);
    // Asked for a day later, it would end a day later.
    let again = trial(terms("pro", 100), 8 * DAY);
    assert_eq!(refused(&mut account, DAY, again), Refusal::AlreadySubscribed);
}

#[test]
fn newer_terms_of_the_same_plan_begin_with_the_next_period() {
    let mut account = new_account();
    done(&mut account, 0, subscribe(terms("pro", 100)));
    assert_eq!(done(&mut account, 1, subscribe(terms("pro", 150))).delta(), 0);
    assert_eq!(refused(&mut account, 2, subscribe(terms("pro", 150))), Refusal::SubscriptionUnchanged);
    assert_eq!(account.subscription().unwrap().follows(), None);
    account.settle(at(MONTH));
    assert_eq!(available(&account, MONTH), 150);
}

#[test]
fn a_time_that_has_passed_pays_for_nothing_unless_it_stands_already() {
    let mut account = new_account();
    done(&mut account, 0, paid(terms("pro", 100), MONTH));
    for until in [9, 10] {
        let early = paid(terms("pro", 100), until);
        assert_eq!(refused(&mut account, 10, early), Refusal::ExpiresTooEarly);
    }
    // In the grace, what stood before is no news.
    let again = paid(terms("pro", 100), MONTH);
    assert_eq!(refused(&mut account, MONTH + DAY, again), Refusal::SubscriptionUnchanged);
    let other = paid(terms("pro", 100), MONTH + 1);
    assert_eq!(refused(&mut account, MONTH + DAY, other), Refusal::ExpiresTooEarly);
    assert_eq!(account.version().0, 1);
}

#[test]
fn what_costs_nothing_is_not_paid_for() {
    for before in [None, Some(free()), Some(terms("pro", 100))] {
        let mut account = new_account();
        before.map(|before| done(&mut account, 0, subscribe(before)));
        assert_eq!(refused(&mut account, 1, paid(free(), MONTH)), Refusal::NothingToPay);
    }
}
