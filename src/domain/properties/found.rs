//! What the properties have found, shrunk to the smallest case of each and told in a sentence.

use std::sync::Arc;

use chrono::TimeDelta;

use super::super::{
    account::Standing,
    testing::{amount, at, command, credits, grace, grant, lot, new_account, reason, spend},
    *,
};

/// Carries these out in a row, all of which the law allows, and says what the last one came to.
fn carry_out(account: &mut Account, acts: impl IntoIterator<Item = Act>) -> Arc<Entry> {
    let mut last = None;
    for act in acts {
        let command = command(account, &format!("key-{}", account.version().0), act);
        last = Some(decide(account, &command, at(0)).expect("the law allows it").entry);
    }
    last.expect("something was asked")
}

fn hold(cost: i64) -> Act {
    Act::Hold(spend("render", cost), HoldLife::try_from(TimeDelta::seconds(9)).unwrap())
}

fn clawback(lot: i64, total: i64) -> Act {
    let (lot, total) = (LotNumber(lot), amount(total));
    Act::Clawback(Clawback { lot, total, when_spent: WhenSpent::Debt, reason: reason() })
}

#[test]
fn what_a_hold_set_aside_is_available_once_it_has_run_out_whether_or_not_it_is_settled() {
    let mut account = new_account();
    carry_out(&mut account, [Act::Grant(grant(5)), hold(3)]);
    assert_eq!(account.available(at(8)), credits(2));
    assert_eq!(account.available(at(9)), credits(5));
    assert!(account.quote(amount(5), &Limits::default(), at(9)).outcome.is_ok());
}

#[test]
fn a_cap_of_none_allows_none() {
    let mut account = new_account();
    carry_out(&mut account, [Act::Grant(grant(5))]);
    let limits = Limits { per_hour: Some(0), ..Limits::default() };
    let command = command(&account, "spend", Act::Spend(Spend { limits, ..spend("render", 1) }));
    let resets_at = at(3_600);
    assert_eq!(decide(&mut account, &command, at(0)), Err(Refusal::FairUse { cap: 0, resets_at }));
}

#[test]
fn a_hold_that_runs_out_in_an_account_from_which_the_past_is_forgotten_is_closed_and_not_unknown() {
    let mut account = new_account();
    carry_out(&mut account, [Act::Grant(grant(5)), hold(3)]);
    account = account.continued();
    let act = Act::Release(Release { hold: Version(2) });
    assert!(account.knows_enough_for(&act));
    assert_eq!(decide(&mut account, &command(&new_account(), "late", act), at(9)), Err(Refusal::HoldClosed));
}

#[test]
fn what_a_grace_brings_back_pays_no_debt_and_covers_it_as_any_credits_do() {
    let mut account = new_account();
    carry_out(
        &mut account,
        [
            Act::Grant(Grant { expires_at: Some(at(1)), ..grant(5) }),
            Act::Spend(spend("render", 5)),
            clawback(1, 2),
        ],
    );
    let refund = Refund { spend: Version(2), amount: None, grace: Some(grace(9)), reason: reason() };
    let command = command(&account, "refund", Act::Refund(refund));
    let entry = decide(&mut account, &command, at(1)).expect("the law allows it").entry;
    assert_eq!((entry.opened.map(|lot| lot.lot), entry.debt_change), (Some(LotNumber(2)), 0));
    assert_eq!((account.debt(), account.available(at(1))), (credits(2), credits(3)));
}

#[test]
fn a_reinstatement_of_more_than_an_account_can_hold_is_refused() {
    let lots = vec![lot(1, 6), lot(2, i64::MAX - 14)];
    let standing = Standing { last_lot: LotNumber(2), ..new_account().standing().clone() };
    let mut account = Account::restore(standing, lots, Vec::new());
    // Three of lot 1 are taken and three are owed; the next lot pays what is owed, another leaves room for four.
    let give = |number| Act::Adjust(Adjust { by: Adjustment::Give(amount(number)), reason: reason() });
    carry_out(&mut account, [Act::Spend(spend("render", 3)), clawback(1, 6), give(10), give(3)]);
    assert_eq!((account.debt(), account.balance().get()), (Credits::ZERO, i64::MAX - 4));
    let act = Act::Reinstate(Reinstate { lot: LotNumber(1), total: Credits::ZERO, reason: reason() });
    let command = command(&account, "reinstate", act);
    assert_eq!(decide(&mut account, &command, at(0)), Err(Refusal::BalanceTooLarge));
}

#[test]
fn the_books_allow_a_correction_that_pays_debt_while_other_lots_have_credits() {
    let mut account = new_account();
    carry_out(
        &mut account,
        [
            Act::Grant(grant(2)),
            Act::Spend(spend("render", 2)),
            Act::Grant(Grant { expires_at: Some(at(90)), ..grant(5) }),
            clawback(1, 2),
            Act::Adjust(Adjust { by: Adjustment::Give(amount(3)), reason: reason() }),
        ],
    );
    let mut replay = Replay::new(account.id());
    for entry in account.journal() {
        assert_eq!(replay.read(entry), Ok(()));
    }
}
