//! The ends of periods: what is paid and what is not, trials, months of different lengths, and looking late (rule 16).

use super::{subscribing::*, *};
use crate::domain::{Subscribe, SubscriptionState, Terms, catalog::PlanKey};

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
fn a_trial_is_a_first_period_up_to_an_anchor_ahead() {
    let mut account = new_account();
    let trial = Subscribe {
        terms: terms("pro", 100),
        anchor: Some(at(14 * DAY)),
        paid_until: Some(at(14 * DAY)),
        fallback: None,
        is_trial: false,
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
        is_trial: false,
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
fn who_comes_back_to_the_free_plan_within_its_month_waits_for_the_next() {
    let mut account = new_account();
    done(&mut account, 0, subscribe(free()));
    for day in 1..4 {
        done(&mut account, day * DAY, paid(terms("pro", 100), day * DAY + MONTH));
        assert_eq!(done(&mut account, day * DAY + 60, unsubscribe(true)).delta(), 0);
        assert_eq!(available(&account, day * DAY + 60), 5);
        assert_eq!(account.subscription().unwrap().period.end, at(MONTH));
    }
    account.settle(at(MONTH));
    assert_eq!(since(&account, account.version().0 - 2), [("renewal", 5, MONTH), ("expiry", -5, MONTH)]);
    account.settle(at(TWO_MONTHS));
    assert_eq!(available(&account, TWO_MONTHS), 5);
}

#[test]
fn nothing_rolls_over_into_a_month_for_which_the_free_plan_brings_nothing() {
    let rolling_free = Terms { is_free: true, ..rolling(5, 2) };
    let mut account = new_account();
    done(&mut account, 0, subscribe(rolling_free.clone()));
    for day in 1..4 {
        let (fallback, terms) = (Some(rolling_free.clone()), terms("pro", 100));
        let pro = Subscribe { terms, anchor: None, paid_until: None, fallback, is_trial: false };
        done(&mut account, day * DAY, Act::Subscribe(pro));
        done(&mut account, day * DAY, unsubscribe(true));
        assert_eq!(available(&account, day * DAY), 5);
    }
    account.settle(at(MONTH));
    assert_eq!(available(&account, MONTH), 10);
}

#[test]
fn a_free_plan_that_was_asked_for_within_its_month_waits_as_well() {
    let mut account = new_account();
    done(&mut account, 0, subscribe(free()));
    let short = Subscribe {
        terms: terms("pro", 3),
        anchor: Some(at(9 * DAY)),
        paid_until: None,
        fallback: None,
        is_trial: false,
    };
    done(&mut account, DAY, Act::Subscribe(short.clone()));
    // It is larger than what is paid for, and begins with the next period all the same.
    assert_eq!(done(&mut account, 2 * DAY, subscribe(free())).delta(), 0);
    account.settle(at(9 * DAY));
    assert_eq!((state(&account, 9 * DAY).0.as_str(), available(&account, 9 * DAY)), ("free", 5));
    // Also after an end that nothing followed.
    done(&mut account, 10 * DAY, Act::Subscribe(Subscribe { anchor: None, ..short }));
    done(&mut account, 11 * DAY, unsubscribe(true));
    assert_eq!(state(&account, 11 * DAY).1, SubscriptionState::Ended);
    assert_eq!(done(&mut account, 12 * DAY, subscribe(free())).delta(), 0);
    account.settle(at(MONTH));
    assert_eq!(available(&account, MONTH), 5);
}

#[test]
fn an_end_within_a_period_brings_the_free_allowance_once_for_the_month_that_begins_then() {
    let mut account = new_account();
    done(&mut account, 0, subscribe(free()));
    done(&mut account, 9 * DAY, paid(terms("pro", 100), 9 * DAY + 2 * MONTH));
    // The free month is over, and pro's first one, which is paid, ends the day after.
    let end = 8 * DAY + MONTH;
    done(&mut account, end, unsubscribe(true));
    let period = account.subscription().unwrap().period;
    assert_eq!((period.start, period.end), (at(end), at(end + 28 * DAY)));
    let version = account.version().0;
    account.settle(at(end + 28 * DAY - 1));
    assert_eq!((since(&account, version + 1), available(&account, end + 2 * DAY)), (Vec::new(), 5));
}

#[test]
fn a_larger_plan_that_costs_nothing_begins_with_the_next_period() {
    let larger = || Terms { is_free: true, ..terms("gratis", 9) };
    let mut account = new_account();
    done(&mut account, 0, subscribe(free()));
    assert_eq!(done(&mut account, 1, subscribe(larger())).delta(), 0);
    assert_eq!(available(&account, MONTH - 1), 5);
    assert_eq!((available(&account, MONTH), since(&account, 2)), (9, Vec::new()));
    // Also for who has come back to one within its month.
    let mut account = new_account();
    done(&mut account, 0, subscribe(free()));
    done(&mut account, DAY, paid(terms("pro", 100), MONTH));
    done(&mut account, 2 * DAY, unsubscribe(true));
    assert_eq!(done(&mut account, 3 * DAY, subscribe(larger())).delta(), 0);
    assert_eq!((available(&account, MONTH - 1), available(&account, MONTH)), (5, 9));
}

#[test]
fn what_is_left_of_the_free_month_is_not_the_plans_though_both_end_at_the_same_moment() {
    let begun = || {
        let mut account = new_account();
        done(&mut account, 0, subscribe(free()));
        let act = Subscribe {
            terms: rolling(100, 2),
            anchor: Some(at(MONTH)),
            paid_until: None,
            fallback: Some(free()),
            is_trial: false,
        };
        done(&mut account, 9 * DAY, Act::Subscribe(act));
        account
    };
    let mut ended = begun();
    done(&mut ended, 10 * DAY, unsubscribe(true));
    assert_eq!(available(&ended, 10 * DAY), 5);
    let mut renewed = begun();
    done(&mut renewed, 10 * DAY, spending(5 + 60));
    assert_eq!(available(&renewed, MONTH), 100 + 40);
    let mut unspent = begun();
    unspent.settle(at(MONTH));
    assert_eq!(since(&unspent, 2), [("renewal", 100, MONTH), ("expiry", -5, MONTH)]);
}

#[test]
fn credits_of_a_plan_that_was_ended_lapse_with_its_period_and_are_told_so() {
    let mut account = new_account();
    done(&mut account, 0, paid(terms("pro", 100), MONTH));
    let told = |account: &Account| account.next_expiry(at(DAY)).map(|(amount, end)| (amount.get(), end));
    let with_grace = told(&account).unwrap();
    assert!(with_grace.0 == 100 && with_grace.1 > at(MONTH));
    done(&mut account, DAY, unsubscribe(false));
    assert_eq!(told(&account), Some((100, at(MONTH))));
    assert_eq!(available(&account, MONTH), 5, "the free plan's");
}
