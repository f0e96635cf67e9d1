//! Every refusal there is, each on an account that it leaves as it was.

use std::collections::BTreeSet;

use super::*;
use crate::domain::HOLDS_MAX;

/// What is asked after which acts, and when. Nothing falls due in between.
struct Case {
    before: Vec<Act>,
    key: &'static str,
    seconds: i64,
    asked: Act,
}

/// Asks under a new key, at a time when all else has happened.
fn case(before: impl Into<Vec<Act>>, asked: Act) -> Case {
    Case { before: before.into(), key: "asked", seconds: 100, asked }
}

fn gift(number: i64) -> Act {
    Act::Grant(grant(number))
}

fn limited(limits: Limits) -> Act {
    Act::Spend(Spend { limits, ..spend("render", 1) })
}

fn cases() -> Vec<Case> {
    let late = Grant { expires_at: Some(DateTime::<Utc>::MAX_UTC), ..grant(1) };
    let (hold, spend_of) = (holding(2, 3_600), spending);
    let fair = Limits { per_hour: Some(0), ..Limits::default() };
    vec![
        case([gift(5)], spending(6)),
        case([gift(5)], holding(6, 60)),
        case([gift(5)], adjust(Adjustment::Take(amount(6)))),
        case([gift(5)], Act::Spend(Spend { agreed: Some(amount(1)), ..spend("render", 2) })),
        case([gift(5)], limited(fair)),
        Case { key: "before-0", ..case([gift(5)], spending(1)) },
        Case { seconds: -61, ..case([gift(5)], spending(1)) },
        case([], Act::Grant(late)),
        case([], Act::Grant(lapsing(5, 100))),
        case([gift(5), hold.clone()], capture_of(Version(2), 9)),
        case([gift(5)], capture(Version(1))),
        case([gift(5), hold.clone(), release(Version(2))], capture(Version(2))),
        case([gift(5)], refund(Version(1))),
        case([gift(5), spend_of(3)], refund_of(Version(2), 4)),
        case([gift(5)], void(2)),
        case([gift(5), hold], void(1)),
        case([gift(5), spend_of(5)], void(1)),
        case([gift(5)], clawback(1, 6)),
        case([gift(5), clawback(1, 2)], clawback(1, 2)),
        case([gift(5)], reinstate(1, 0)),
    ]
}

/// The account just before the question, and what is asked of it.
fn prepared(case: &Case) -> (Account, Command) {
    let mut account = new_account();
    for (place, act) in case.before.iter().enumerate() {
        ask_as(&mut account, &format!("before-{place}"), 0, act.clone()).unwrap();
    }
    let command = command(&account, case.key, case.asked.clone());
    (account, command)
}

/// Accounts at the end of what an account can have.
fn full() -> Vec<(Account, Command, i64)> {
    let standing = Standing { last_lot: LotNumber(1), ..new_account().standing().clone() };
    let rich = Account::restore(standing.clone(), vec![lot(1, i64::MAX - 1)], Vec::new());
    let busy = with_holds(HOLDS_MAX);
    let acts = [(rich, gift(2)), (busy, holding(1, 60))];
    acts.map(|(account, act)| (account.clone(), command(&account, "asked", act), 1)).into()
}

/// All but that there is no such account, which only who looks for accounts can say.
const NAMES: [&str; 18] = [
    "insufficient",
    "price changed",
    "fair use",
    "key reused",
    "clock behind",
    "time out of range",
    "expires too early",
    "balance too large",
    "too many holds",
    "unknown hold",
    "hold closed",
    "unknown spend",
    "refund too large",
    "unknown lot",
    "lot held",
    "lot empty",
    "clawback too large",
    "clawback unchanged",
];

#[test]
fn after_every_refusal_the_account_is_exactly_as_it_was() {
    let prepared = cases().into_iter().map(|case| {
        let (account, command) = prepared(&case);
        (account, command, case.seconds)
    });
    let mut seen = BTreeSet::new();
    for (mut account, command, seconds) in prepared.chain(full()) {
        let before = account.clone();
        let refusal = decide(&mut account, &command, at(seconds)).unwrap_err();
        assert_eq!(account, before, "{refusal}");
        seen.insert(name_of(refusal));
    }
    assert_eq!(seen, BTreeSet::from(NAMES));
}
