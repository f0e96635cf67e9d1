//! Commands that are asked again (rule 15).

use super::*;
use crate::domain::note::{Description, Metadata, Reference};

#[test]
fn the_same_key_and_content_returns_the_first_answer() {
    let mut account = granted(&[grant(5)]);
    let first = ask_as(&mut account, "s", 1, spending(2)).unwrap();
    let before = account.clone();
    let again = ask_as(&mut account, "s", 99, spending(2)).unwrap();
    assert!(again.replayed);
    assert_eq!(again.entry, first.entry);
    assert_eq!(account, before);
}

#[test]
fn the_first_answer_stands_after_the_price_has_changed() {
    let mut account = granted(&[grant(5)]);
    ask_as(&mut account, "s", 1, spending(2)).unwrap();
    let dearer = Spend { agreed: Some(amount(2)), ..spend("render", 4) };
    assert!(ask_as(&mut account, "s", 2, Act::Spend(dearer)).unwrap().replayed);
}

#[test]
fn the_first_answer_stands_where_the_command_would_be_refused_by_now() {
    let mut account = granted(&[grant(5)]);
    ask_as(&mut account, "s", 1, spending(5)).unwrap();
    done(&mut account, 200, Act::Grant(grant(1)));
    // Neither the balance nor a clock that is far behind is looked at again.
    assert!(ask_as(&mut account, "s", 2, spending(5)).unwrap().replayed);
    let capped = Limits { per_hour: Some(1), ..Limits::default() };
    let capped = Act::Spend(Spend { limits: capped, ..spend("render", 5) });
    assert!(ask_as(&mut account, "s", 200, capped).unwrap().replayed);
}

#[test]
fn the_same_key_with_other_content_is_refused() {
    let mut account = granted(&[grant(5)]);
    ask_as(&mut account, "s", 1, spending(2)).unwrap();
    let before = account.clone();
    for act in [spending(3), Act::Grant(grant(2)), holding(2, 60), adjust(Adjustment::Take(amount(2)))] {
        assert_eq!(ask_as(&mut account, "s", 2, act), Err(Refusal::KeyReused));
    }
    assert_eq!(account, before);
}

#[test]
fn a_refused_command_leaves_its_key_free() {
    let mut account = granted(&[grant(5)]);
    assert!(ask_as(&mut account, "s", 1, spending(6)).is_err());
    done(&mut account, 2, Act::Grant(grant(1)));
    assert!(!ask_as(&mut account, "s", 3, spending(6)).unwrap().replayed);
}

#[test]
fn a_refused_key_may_come_back_with_other_content() {
    let mut account = granted(&[grant(5)]);
    assert!(ask_as(&mut account, "s", 1, spending(6)).is_err());
    assert!(!ask_as(&mut account, "s", 2, spending(5)).unwrap().replayed);
}

#[test]
fn two_keys_are_two_commands() {
    let mut account = granted(&[grant(5)]);
    ask_as(&mut account, "one", 1, spending(2)).unwrap();
    assert!(!ask_as(&mut account, "two", 1, spending(2)).unwrap().replayed);
    assert_eq!(available(&account, 1), 1);
}

#[test]
fn every_act_is_carried_out_once() {
    let mut account = granted(&[grant(9)]);
    let spend = done(&mut account, 0, spending(2)).version;
    let hold = done(&mut account, 0, holding(2, 60)).version;
    let other = done(&mut account, 0, holding(2, 60)).version;
    let acts = [
        capture(hold),
        release(other),
        refund_of(spend, 1),
        clawback(1, 8),
        reinstate(1, 4),
        adjust(Adjustment::Give(amount(1))),
        adjust(Adjustment::Take(amount(1))),
        void(1),
        unlimited(9),
        holding(1, 60),
    ];
    for (place, act) in acts.into_iter().enumerate() {
        let name = format!("act-{place}");
        let first = ask_as(&mut account, &name, 1, act.clone()).unwrap();
        let before = account.clone();
        let again = ask_as(&mut account, &name, 2, act).unwrap();
        assert_eq!(again, Receipt { replayed: true, ..first });
        assert_eq!(account, before);
    }
}

#[test]
fn an_entry_bears_what_its_command_said() {
    let mut account = granted(&[grant(9)]);
    let described = Spend { description: Some(Description::parse("A cat").unwrap()), ..spend("render", 1) };
    let command = Command {
        reference: Some(Reference::parse("job-7").unwrap()),
        metadata: Some(Metadata::parse(r#"{"size": 2}"#).unwrap()),
        ..command(&account, "s", Act::Spend(described.clone()))
    };
    let entry = decide(&mut account, &command, at(1)).unwrap().entry;
    assert_eq!(entry.description, described.description);
    assert_eq!((&entry.reference, &entry.metadata), (&command.reference, &command.metadata));
    let cause = Cause { key: command.key.within(account.id()), fingerprint: command.fingerprint() };
    assert_eq!(entry.cause, Some(cause));
}
