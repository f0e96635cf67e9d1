//! Subscriptions: what a plan brings, how its periods end, and what becomes of what is left (rule 16).

use super::*;
use crate::domain::{
    Subscribe, SubscriptionState, Terms, Unsubscribe,
    catalog::{Allowance, PlanKey, RolloverCap},
    subscription::Next,
};

const DAY: i64 = 86_400;

/// The tests' time begins on 15 January 2027 at 8: a month later it is 15 February.
const MONTH: i64 = 31 * DAY;
const TWO_MONTHS: i64 = MONTH + 28 * DAY;

fn free() -> Terms {
    Terms { is_free: true, ..terms("free", 5) }
}

fn unlimited_plan() -> Terms {
    Terms { allowance: Allowance::Unlimited, ..terms("unlimited", 1) }
}

fn rolling(allowance: i64, cap: i64) -> Terms {
    Terms { rollover_cap: RolloverCap::try_from(cap).ok(), ..terms("rolling", allowance) }
}

fn subscribe(terms: Terms) -> Act {
    Act::Subscribe(Subscribe { terms, anchor: None, paid_until: None, fallback: None })
}

fn paid(terms: Terms, until: i64) -> Act {
    Act::Subscribe(Subscribe { terms, anchor: None, paid_until: Some(at(until)), fallback: Some(free()) })
}

const fn unsubscribe(at_once: bool) -> Act {
    Act::Unsubscribe(Unsubscribe { at_once })
}

fn state(account: &Account, seconds: i64) -> (String, SubscriptionState) {
    let subscription = account.subscription().unwrap();
    (subscription.terms.plan.to_string(), subscription.state(at(seconds)))
}

/// What happened by itself since the account had so many entries, as `(kind, delta, seconds)`.
fn since(account: &Account, version: i64) -> Vec<(&'static str, i64, i64)> {
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
fn what_is_not_paid_for_ends_after_the_grace_in_which_its_credits_live_on() {
    let mut account = new_account();
    done(&mut account, 0, paid(terms("pro", 100), MONTH));
    assert_eq!(available(&account, MONTH), 100);
    assert_eq!(state(&account, MONTH).1, SubscriptionState::PastDue);
    let grace_end = MONTH + 3 * DAY;
    assert_eq!(available(&account, grace_end - 1), 100);
    account.settle(at(grace_end));
    assert_eq!(state(&account, grace_end), ("free".into(), SubscriptionState::Active));
    assert_eq!(available(&account, grace_end), 5);
    // The months go on from the same anchor.
    assert_eq!(account.subscription().unwrap().period.end, at(TWO_MONTHS));
}

#[test]
fn what_is_paid_late_but_within_the_grace_is_renewed_then_and_what_was_left_ends() {
    let mut account = new_account();
    done(&mut account, 0, paid(terms("pro", 100), MONTH));
    done(&mut account, 5, spending(10));
    done(&mut account, MONTH + DAY, paid(terms("pro", 100), TWO_MONTHS));
    let late = MONTH + DAY;
    assert_eq!(
        since(&account, 2),
        [("subscription", 0, late), ("renewal", 100, late), ("expiry", -90, late)]
    );
    let period = account.subscription().unwrap().period;
    assert_eq!((period.start, period.end), (at(MONTH), at(TWO_MONTHS)));
    assert_eq!(available(&account, late), 100);
}

#[test]
fn what_is_paid_early_is_renewed_at_the_end_of_its_period() {
    let mut account = new_account();
    done(&mut account, 0, paid(terms("pro", 100), MONTH));
    done(&mut account, MONTH - DAY, paid(terms("pro", 100), TWO_MONTHS));
    assert_eq!(available(&account, MONTH - DAY), 100);
    account.settle(at(MONTH));
    assert_eq!(since(&account, 2), [("renewal", 100, MONTH), ("expiry", -100, MONTH)]);
}

#[test]
fn from_the_free_plan_to_a_paid_one_a_period_of_its_own_begins_and_what_is_left_stays() {
    let mut account = new_account();
    done(&mut account, 0, subscribe(free()));
    done(&mut account, 1, spending(3));
    let entry = done(&mut account, 10 * DAY, paid(terms("pro", 100), 10 * DAY + MONTH));
    assert_eq!(entry.delta(), 100);
    assert_eq!(available(&account, 10 * DAY), 102);
    assert_eq!(account.subscription().unwrap().period.end, at(10 * DAY + MONTH));
    // Both at the same instant, as where a clock stands.
    let mut account = new_account();
    done(&mut account, 0, subscribe(free()));
    assert_eq!(done(&mut account, 0, subscribe(terms("pro", 100))).delta(), 100);
    account.settle(at(MONTH));
    assert_eq!(available(&account, MONTH), 100);
}

#[test]
fn nobody_is_rid_of_the_free_plan() {
    let mut account = new_account();
    done(&mut account, 0, subscribe(free()));
    for at_once in [false, true] {
        assert_eq!(refused(&mut account, 1, unsubscribe(at_once)), Refusal::NotSubscribed);
    }
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
fn a_trial_is_a_first_period_up_to_an_anchor_ahead() {
    let mut account = new_account();
    let trial = Subscribe {
        terms: terms("pro", 100),
        anchor: Some(at(14 * DAY)),
        paid_until: Some(at(14 * DAY)),
        fallback: None,
    };
    done(&mut account, 0, Act::Subscribe(trial.clone()));
    assert_eq!(account.subscription().unwrap().period.end, at(14 * DAY));
    done(&mut account, DAY, Act::Subscribe(Subscribe { paid_until: Some(at(80 * DAY)), ..trial }));
    account.settle(at(14 * DAY));
    assert_eq!(since(&account, 2), [("renewal", 100, 14 * DAY), ("expiry", -100, 14 * DAY)]);
    // From 29 January: February has no such day.
    assert_eq!(account.subscription().unwrap().period.end, at(14 * DAY + 30 * DAY));
}

#[test]
fn periods_that_are_counted_from_the_31st_come_back_to_it_after_february() {
    let mut account = new_account();
    let january_31 = 16 * DAY;
    let act = Subscribe {
        terms: terms("pro", 100),
        anchor: Some(at(january_31)),
        paid_until: None,
        fallback: None,
    };
    done(&mut account, 0, Act::Subscribe(act));
    account.settle(at(100 * DAY));
    let ends = since(&account, 1).into_iter().filter(|(kind, ..)| *kind == "renewal");
    let days: Vec<i64> = ends.map(|(.., seconds)| (seconds - january_31) / DAY).collect();
    // The last day of February, of March, and not yet that of April.
    assert_eq!(days, [0, 28, 59]);
}

#[test]
fn a_year_that_nobody_looked_at_is_caught_up_period_by_period() {
    let mut account = new_account();
    done(&mut account, 0, subscribe(rolling(10, 2)));
    account.settle(at(365 * DAY));
    let kinds: Vec<_> = since(&account, 1).into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "renewal").count(), 12);
    assert_eq!(kinds.iter().filter(|kind| **kind == "expiry").count(), 11);
    assert_eq!(available(&account, 365 * DAY), 20);
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
fn a_larger_plan_that_comes_with_a_late_payment_brings_nothing_for_the_period_that_is_over() {
    let mut account = new_account();
    done(&mut account, 0, paid(rolling(100, 2), MONTH));
    let large = Terms { plan: PlanKey::try_from("large".to_owned()).unwrap(), ..rolling(300, 2) };
    let late = MONTH + DAY;
    done(&mut account, late, paid(large, TWO_MONTHS));
    assert_eq!(since(&account, 1), [("subscription", 0, late), ("renewal", 300, late)]);
    assert_eq!(state(&account, late), ("large".into(), SubscriptionState::Active));
    assert_eq!(available(&account, late), 400);
}

#[test]
fn a_subscription_that_was_forgotten_for_a_thousand_years_goes_on_with_the_present_month() {
    let mut account = new_account();
    done(&mut account, 0, subscribe(terms("pro", 100)));
    let late = 366_000 * DAY;
    account.settle(at(late));
    assert!(account.journal().len() < 10, "{}", account.journal().len());
    let period = account.subscription().unwrap().period;
    assert!(period.start <= at(late) && at(late) < period.end);
    assert_eq!(available(&account, late), 100);
}

#[test]
fn times_that_cannot_be_are_refused() {
    let mut account = new_account();
    let asked = |anchor, paid_until| {
        Act::Subscribe(Subscribe { terms: terms("pro", 1), anchor, paid_until, fallback: None })
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
