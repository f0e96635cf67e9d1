//! Times that a database would not give back as they came in.

use super::*;
use crate::domain::{Grace, HoldLife};

/// A moment with something on top that is finer than a microsecond.
fn fine(seconds: i64) -> DateTime<Utc> {
    at(seconds) + TimeDelta::nanoseconds(1_999)
}

/// The same as it is kept.
fn cut(seconds: i64) -> DateTime<Utc> {
    at(seconds) + TimeDelta::microseconds(1)
}

fn last_moment() -> DateTime<Utc> {
    "9999-12-31T23:59:59.999999Z".parse().unwrap()
}

fn decided(account: &mut Account, now: DateTime<Utc>, act: Act) -> Result<Arc<Entry>, Refusal> {
    let name = format!("at-version-{}", account.version().0);
    let command = command(account, &name, act);
    decide(account, &command, now).map(|receipt| receipt.entry)
}

#[test]
fn an_entry_is_dated_in_whole_microseconds() {
    let mut account = granted(&[grant(5)]);
    assert_eq!(decided(&mut account, fine(1), spending(1)).unwrap().at, cut(1));
    assert_eq!(account.standing().last_entry_at, Some(cut(1)));
    assert_eq!(account.standing().uses.last_at, Some(cut(1)));
}

#[test]
fn a_lot_begins_and_ends_in_whole_microseconds() {
    let mut account = new_account();
    let act = Act::Grant(Grant { effective_at: Some(fine(9)), expires_at: Some(fine(20)), ..grant(5) });
    let opened = decided(&mut account, fine(1), act).unwrap().opened.unwrap();
    assert_eq!((opened.effective_at, opened.expires_at), (cut(9), Some(cut(20))));
    let lot = account.lot(LotNumber(1)).unwrap();
    assert_eq!((lot.effective_at, lot.expires_at, lot.created_at), (cut(9), Some(cut(20)), cut(1)));
    let at_once = decided(&mut account, fine(1), Act::Grant(grant(5))).unwrap().opened.unwrap();
    assert_eq!(at_once.effective_at, cut(1));
}

#[test]
fn a_lot_that_would_end_within_the_microsecond_in_which_it_begins_is_refused() {
    let mut account = new_account();
    let ends = at(1) + TimeDelta::nanoseconds(999);
    let act = Act::Grant(Grant { effective_at: Some(at(1)), expires_at: Some(ends), ..grant(5) });
    assert_eq!(decided(&mut account, at(0), act), Err(Refusal::ExpiresTooEarly));
}

#[test]
fn holds_graces_and_unlimited_use_end_in_whole_microseconds() {
    let mut account = granted(&[lapsing(5, 10)]);
    let nanos = TimeDelta::nanoseconds(1_999);
    let life = HoldLife::try_from(TimeDelta::seconds(9) + nanos).unwrap();
    let hold = decided(&mut account, fine(0), Act::Hold(spend("render", 1), life)).unwrap();
    assert_eq!(hold.kind.until(), Some(at(9) + TimeDelta::microseconds(2)));
    let spend = decided(&mut account, fine(0), spending(2)).unwrap().version;
    let grace = Some(Grace::try_from(TimeDelta::seconds(9) + nanos).unwrap());
    let refund = Act::Refund(Refund { spend, amount: None, grace, reason: reason() });
    let opened = decided(&mut account, fine(20), refund).unwrap().opened.unwrap();
    assert_eq!(opened.expires_at, Some(at(29) + TimeDelta::microseconds(2)));
    let until = Act::Unlimited(Unlimited { until: fine(60), reason: reason() });
    let entry = decided(&mut account, fine(30), until).unwrap();
    assert_eq!((entry.kind.until(), account.standing().unlimited_until), (Some(cut(60)), Some(cut(60))));
}

#[test]
fn the_years_from_1_to_9999_can_be_kept_and_no_others() {
    let first: DateTime<Utc> = "0001-01-01T00:00:00Z".parse().unwrap();
    let micro = TimeDelta::microseconds(1);
    let unlimited = |until| Act::Unlimited(Unlimited { until, reason: reason() });
    let begins = |from| Act::Grant(Grant { effective_at: Some(from), ..grant(5) });
    let ends = |to| Act::Grant(Grant { expires_at: Some(to), ..grant(5) });
    let mut account = granted(&[grant(5)]);
    for act in [begins(first), begins(last_moment()), ends(last_moment()), unlimited(first)] {
        done(&mut account, 1, act);
    }
    done(&mut account, 1, ends(last_moment() + TimeDelta::nanoseconds(999)));
    for late in [last_moment() + micro, DateTime::<Utc>::MAX_UTC] {
        for act in [begins(late), ends(late), unlimited(late)] {
            assert_eq!(refused(&mut account, 1, act), Refusal::TimeOutOfRange, "{late}");
        }
    }
    for early in [first - micro, DateTime::<Utc>::MIN_UTC] {
        for act in [begins(early), unlimited(early)] {
            assert_eq!(refused(&mut account, 1, act), Refusal::TimeOutOfRange, "{early}");
        }
    }
}

#[test]
fn a_clock_beyond_the_years_that_can_be_kept_is_refused() {
    for now in
        [last_moment() + TimeDelta::microseconds(1), DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MIN_UTC]
    {
        let mut account = granted(&[grant(5)]);
        let before = account.clone();
        assert_eq!(decided(&mut account, now, spending(1)), Err(Refusal::TimeOutOfRange), "{now}");
        assert_eq!(account.quote(amount(1), &Limits::default(), now).outcome, Err(Refusal::TimeOutOfRange));
        assert_eq!(account, before);
    }
}

#[test]
fn what_would_last_beyond_the_last_year_is_refused() {
    let mut account = granted(&[grant(5)]);
    let spend = done(&mut account, 1, spending(1)).version;
    done(&mut account, 1, void(1));
    let life = HoldLife::try_from(TimeDelta::seconds(9)).unwrap();
    let before_the_end = last_moment() - TimeDelta::seconds(5);
    done(&mut account, 1, Act::Grant(grant(5)));
    let hold = || Act::Hold(crate::domain::testing::spend("render", 1), life);
    assert_eq!(decided(&mut account, before_the_end, hold()), Err(Refusal::TimeOutOfRange));
    let refund = refund_with_grace(spend, 9);
    assert_eq!(decided(&mut account, before_the_end, refund), Err(Refusal::TimeOutOfRange));
    assert!(decided(&mut account, before_the_end - TimeDelta::seconds(9), hold()).is_ok());
}

#[test]
fn a_command_whose_times_were_changed_after_it_was_made_is_refused() {
    let mut account = new_account();
    let mut changed = command(&account, "grant", Act::Grant(grant(5)));
    changed.act = Act::Grant(Grant { expires_at: Some(fine(9)), ..grant(5) });
    assert_eq!(decide(&mut account, &changed, at(0)), Err(Refusal::TimeOutOfRange));
}
