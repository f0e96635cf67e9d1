//! Quotes: what a spend would come to, caps and clocks included (rules 3 to 5 and 14).

use super::*;

const HOUR: i64 = 3_600;

fn capped(per_hour: Option<u32>, per_day: Option<u32>) -> Limits {
    Limits { per_hour, per_day, ..Limits::default() }
}

/// What a spend would be quoted; it comes to the same.
fn quoted(account: &Account, seconds: i64, cost: i64, limits: Limits) -> Result<Vec<(i64, i64)>, Refusal> {
    let quote = account.quote(amount(cost), &limits, at(seconds));
    let pays = |parts: Vec<Allocation>| parts.iter().map(|part| (part.lot.0, -part.amount.get())).collect();
    let outcome: Result<Vec<_>, Refusal> = quote.outcome.map(pays);
    let spent = ask(&mut account.clone(), seconds, Act::Spend(Spend { limits, ..spend("render", cost) }));
    assert_eq!(outcome, spent.map(|receipt| changes(&receipt.entry)));
    outcome
}

#[test]
fn a_quote_says_when_a_spend_would_be_one_too_many_for_the_hour() {
    let mut account = granted(&[grant(9)]);
    done(&mut account, 10, spending(1));
    assert_eq!(quoted(&account, 20, 2, capped(Some(2), None)), Ok(vec![(1, -2)]));
    let refusal = Refusal::FairUse { cap: 1, resets_at: at(HOUR) };
    assert_eq!(quoted(&account, 20, 2, capped(Some(1), None)), Err(refusal));
    assert_eq!(quoted(&account, HOUR, 2, capped(Some(1), None)), Ok(vec![(1, -2)]));
}

#[test]
fn a_quote_says_when_a_spend_would_be_one_too_many_for_the_day() {
    let mut account = granted(&[grant(9)]);
    done(&mut account, 10, holding(1, 60));
    let Err(Refusal::FairUse { cap: 1, resets_at }) = quoted(&account, HOUR, 2, capped(Some(1), Some(1)))
    else {
        panic!("the day has had its one")
    };
    assert_eq!(
        quoted(&account, (resets_at - at(0)).num_seconds(), 2, capped(None, Some(1))),
        Ok(vec![(1, -2)])
    );
}

#[test]
fn a_cap_is_told_before_a_shortfall_and_where_use_is_unlimited() {
    let mut account = granted(&[grant(1)]);
    let limits = Limits { min_balance: credits(1), ..capped(Some(0), None) };
    let refusal = Refusal::FairUse { cap: 0, resets_at: at(HOUR) };
    assert_eq!(quoted(&account, 1, 9, limits), Err(refusal));
    done(&mut account, 2, unlimited(60));
    assert_eq!(quoted(&account, 3, 9, limits), Err(refusal));
    assert_eq!(quoted(&account, 3, 9, Limits { per_hour: None, ..limits }), Ok(vec![]));
}

#[test]
fn a_quote_keeps_what_a_spend_must_leave() {
    let account = granted(&[grant(5)]);
    let leaving = |min_balance| Limits { min_balance: credits(min_balance), ..Limits::default() };
    assert_eq!(quoted(&account, 1, 3, leaving(2)), Ok(vec![(1, -3)]));
    assert_eq!(missing(quoted(&account, 1, 3, leaving(3)).unwrap_err()), (3, 5, 1));
}

#[test]
fn a_quote_by_a_clock_that_is_a_little_behind_is_for_the_time_of_the_last_entry() {
    let mut account = granted(&[lapsing(5, 90), Grant { effective_at: Some(at(95)), ..grant(2) }]);
    done(&mut account, 100, unlimited(0));
    assert_eq!(quoted(&account, 50, 1, Limits::default()), Ok(vec![(2, -1)]));
    assert_eq!(account.quote(amount(1), &Limits::default(), at(50)).available, credits(2));
    let refusal = Refusal::ClockBehind { last_entry_at: at(100) };
    assert_eq!(quoted(&account, 39, 1, Limits::default()), Err(refusal));
}

#[test]
fn a_quote_counts_what_will_have_fallen_due() {
    let mut account = granted(&[lapsing(5, 90), grant(2)]);
    done(&mut account, 1, holding(6, 30));
    assert_eq!(quoted(&account, 31, 6, Limits::default()), Ok(vec![(1, -5), (2, -1)]));
    assert_eq!(quoted(&account, 90, 2, Limits::default()), Ok(vec![(2, -2)]));
}
