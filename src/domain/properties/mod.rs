//! What holds after any sequence of commands, tried with thousands of random ones against a second, naive
//! keeping of the law ([`model`]).
//!
//! [`steps`] makes up the sequences, of what [`sizes`] and [`wanted`] give, [`acts`], [`plans`] and [`model`] say what must come of them, [`trial`] compares,
//! [`engine`] loads and writes an account as an engine does, [`tamper`] forges history, [`reach`] asks whether
//! the sequences are worth anything, and [`found`] tells what they have found.

mod acts;
mod asked;
mod engine;
mod found;
mod model;
mod plans;
mod reach;
mod sizes;
mod steps;
mod tamper;
mod trial;
mod wanted;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::{array, collection::vec, prelude::*, sample::Index, test_runner::FileFailurePersistence};

use self::{
    engine::{Done, Engine},
    sizes::{Sizes, limits},
    steps::{Step, steps},
    tamper::CHANGES,
    trial::{Answer, Seen, Timed, Trial},
};
use super::{
    account::Standing,
    subscription::Next,
    testing::{amount, at, command, credits, lot, new_account, spend},
    *,
};

/// A case that fails is shrunk, and its seed is kept beside this file, in `mod.regressions`: it is to be
/// committed with what mends it. Every property tries the seeds in there before anything new. (Tried: a failing
/// property writes the file and fails at once in the next run. Of proptest's features that takes `std` alone.)
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    }
}

/// The account after these steps.
fn carried_out(steps: &[Step]) -> Account {
    answered(steps).0
}

/// The same, the commands that the steps come to, when these come in, and what they are answered.
fn answered(steps: &[Step]) -> (Account, Vec<Timed>, Vec<Answer>) {
    let mut trial = Trial::of(new_account());
    let take = |step| (trial.take(step, &mut Seen::new()), trial.clock);
    let (answers, times): (Vec<_>, Vec<_>) = steps.iter().map(take).unzip();
    (trial.account, trial.asked.into_iter().zip(times).collect(), answers)
}

/// An account that has and owes together as much as an account can, but for some room.
fn full_account([room, debt, second]: [i64; 3]) -> Account {
    let lots = vec![lot(1, i64::MAX - room - debt - second), lot(2, second)];
    let standing =
        Standing { debt: credits(debt), last_lot: LotNumber(2), ..new_account().standing().clone() };
    Account::restore(standing, lots, Vec::new())
}

/// How many commands come in together, to which lane, and whether as many more come while they are written.
type Batch = (usize, usize, bool);

/// Sequences of both kinds: of seconds, and of months.
fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    prop_oneof![steps(&Sizes::everyday()), steps(&Sizes::monthly())]
}

fn batch() -> impl Strategy<Value = Batch> {
    (1..5usize, prop_oneof![9 => Just(0), 1 => Just(1)], any::<bool>())
}

fn carried_out_in_batches(mut commands: &[Timed], batches: &[Batch]) -> Engine {
    let mut engine = Engine::new();
    for (size, lane, goes_on) in batches {
        let (batch, rest) = commands.split_at((*size).min(commands.len()));
        let more = if *goes_on { (*size).min(rest.len()) } else { 0 };
        let (meanwhile, rest) = rest.split_at(more);
        engine.carry_out(*lane, batch, meanwhile);
        commands = rest;
    }
    engine
}

fn last_entry_at(account: &Account) -> DateTime<Utc> {
    account.standing().last_entry_at.expect("it has entries")
}

/// At which something happens to the account by itself, in order.
fn moments(account: &Account) -> Vec<DateTime<Utc>> {
    let ends = account.lots().iter().filter(|lot| lot.is_open()).filter_map(|lot| lot.expires_at);
    let ends = ends.chain(account.subscription().and_then(Subscription::due_at));
    let mut moments: Vec<_> = account.holds().map(|hold| hold.until).chain(ends).collect();
    moments.sort_unstable();
    moments
}

/// What was run in which month, by the name of the action.
fn counted(account: &Account) -> Vec<(DateTime<Utc>, Tally)> {
    let months = account.closed_usage().iter().chain([&*account.standing().usage]);
    let months = months.filter_map(|usage| Some((usage.month?.start, usage)));
    let tallies =
        |(start, usage): (_, &Usage)| usage.tallies.clone().into_iter().map(move |tally| (start, tally));
    let mut counted: Vec<_> = months.flat_map(tallies).collect();
    counted.sort_by_key(|(start, tally)| (*start, tally.action_name().to_owned()));
    counted
}

proptest! {
    #![proptest_config(config(1_500))]

    #[test]
    fn the_law_answers_like_its_model_and_the_books_agree(steps in any_steps()) {
        let account = carried_out(&steps);
        let mut replay = Replay::new(account.id());
        let mut used = Used::since(account.standing().opened_at);
        for entry in account.journal() {
            prop_assert_eq!(replay.read(entry), Ok(()));
            used.read(entry);
        }
        prop_assert_eq!(counted(&account), used.tallies().map(|(month, tally)| (month, tally.clone())).collect::<Vec<_>>());
        prop_assert_eq!(replay.compare_open(account.lots(), account.holds()), []);
        prop_assert_eq!(replay.chain(), account.standing().chain);
        prop_assert_eq!((replay.balance(), replay.held()), (account.balance(), account.held()));
        prop_assert_eq!((replay.debt(), replay.version()), (account.debt(), account.version()));
        prop_assert_eq!(replay.last_at(), account.standing().last_entry_at);
        prop_assert_eq!(replay.unlimited_until(), account.standing().unlimited_until);
        prop_assert_eq!(replay.subscription(), account.subscription());
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn a_renewal_brings_no_more_than_the_cap_and_touches_no_other_credits(steps in steps(&Sizes::monthly())) {
        let account = carried_out(&steps);
        let mut replay = Replay::new(account.id());
        for entry in account.journal() {
            let Kind::Renewal(after) = &entry.kind else {
                prop_assert_eq!(replay.read(entry), Ok(()));
                continue;
            };
            let before = replay.clone();
            prop_assert_eq!(replay.read(entry), Ok(()));
            let others = |replay: &Replay| {
                let others = replay.lots().filter(|lot| lot.source != Source::Plan);
                others.cloned().collect::<Vec<_>>()
            };
            prop_assert_eq!(others(&before), others(&replay));
            let ends = |lot: &&Lot| lot.source == Source::Plan && lot.expires_at == Some(after.credits_until);
            let left = replay.lots().filter(ends).filter(|lot| lot.is_active(entry.at));
            let left: i64 = left.map(|lot| lot.remaining.get()).sum();
            let cap = after.terms.rollover_cap.map_or(1, |cap| i64::from(cap.get()));
            // Who comes back to what costs nothing within its month keeps what is left of it, also of a larger plan.
            let is_kept = after.has_ended() || after.terms.is_free && after.given == Credits::ZERO;
            prop_assert!(is_kept || left <= cap * after.terms.allowance.credits().get(), "{entry:?}");
            // One follows the other without a gap, but for the end of one that came early, or after its grace.
            let last = before.subscription().expect("it was in a period").clone();
            if after.has_ended() || entry.cause.is_some() {
                continue;
            }
            let due = if last.next == Next::End { last.period.end } else { last.due_at().expect("it was due") };
            prop_assert_eq!(after.period.start, due, "{:?}", entry);
            prop_assert!(last.period.start < after.period.start && after.period.start < after.period.end);
        }
    }
}

proptest! {
    #![proptest_config(config(700))]

    #[test]
    fn an_account_that_is_written_and_loaded_again_answers_the_same(
        steps in any_steps(),
        batches in vec(batch(), 60),
    ) {
        let (_, commands, _) = answered(&steps);
        let engine = carried_out_in_batches(&commands, &batches);
        let (mut kept, mut answers) = (new_account(), 0);
        for Done { now, answered } in &engine.done {
            match answered {
                Some((command, answer)) => {
                    prop_assert_eq!(answer, &decide(&mut kept, command, *now), "{:?}", command);
                    answers += 1;
                }
                None => kept.settle(kept.standing().last_entry_at.map_or(*now, |last| last.max(*now))),
            }
        }
        prop_assert_eq!(answers, commands.len(), "every command is answered once");
        let tables = engine.tables;
        prop_assert_eq!(&tables.entries, kept.journal());
        prop_assert!(tables.holds.values().eq(kept.holds()), "{:?}", tables.holds);
        prop_assert_eq!(&tables.standing, kept.standing());
        prop_assert_eq!(&tables.usage, kept.closed_usage());
        for lot in kept.lots() {
            prop_assert_eq!(tables.lots.get(&lot.number), Some(lot));
        }
    }

    #[test]
    fn a_spend_comes_to_what_it_was_quoted(
        steps in any_steps(),
        cost in 1..60i64,
        limits in limits(&Sizes::everyday()),
        pause in -80..200i64,
    ) {
        let account = carried_out(&steps);
        let clock = steps.iter().fold(at(0), |clock, step| clock + step.pause) + TimeDelta::seconds(pause);
        let quote = account.quote(amount(cost), &limits, clock);
        let spend = Act::Spend(Spend { limits, ..spend("render", cost) });
        let mut spent = account.clone();
        let receipt = decide(&mut spent, &command(&account, "quoted", spend), clock);
        let paid = receipt.map(|receipt| {
            let paid = |part: &Movement| Allocation { lot: part.lot, amount: amount(-part.change) };
            receipt.entry.movements.iter().map(paid).collect::<Vec<_>>()
        });
        prop_assert_eq!(&quote.outcome, &paid);
        if let Ok(paid) = paid {
            let taken = paid.iter().map(|part| part.amount.get()).sum::<i64>();
            prop_assert_eq!(quote.available.get() - taken, spent.available(clock.max(last_entry_at(&spent))).get());
        }
    }

    #[test]
    fn settling_late_is_settling_on_time(mut steps in any_steps(), visits in vec(0..100i32, 1..5)) {
        // Who settles up to a moment has been there: a command from before it is another question.
        for step in &mut steps {
            step.pause = step.pause.abs();
        }
        let (_, commands, answers) = answered(&steps);
        let (mut late, mut punctual) = (new_account(), new_account());
        let mut last = at(0);
        for ((command, time), answer) in commands.iter().zip(answers) {
            let mut visits: Vec<_> = visits.iter().map(|visit| last + (*time - last) * *visit / 100).collect();
            visits.sort_unstable();
            for visit in visits {
                punctual.settle(visit);
                prop_assert_eq!(late.available(visit), punctual.available(visit));
            }
            prop_assert_eq!(&decide(&mut punctual, command, *time), &answer);
            prop_assert_eq!(&decide(&mut late, command, *time), &answer);
            last = *time;
        }
        let end = last + TimeDelta::days(100);
        while last < end {
            let next = moments(&punctual).into_iter().find(|moment| last < *moment);
            last = next.map_or(end, |next| next.min(end));
            punctual.settle(last);
        }
        late.settle(end);
        prop_assert_eq!(late.journal(), punctual.journal());
        prop_assert_eq!(late.lots(), punctual.lots());
    }

    #[test]
    fn no_amount_and_no_time_is_too_large(
        parts in array::uniform(0..=3 * Amount::MAX.get()),
        steps in steps(&Sizes::extreme()),
    ) {
        for account in [full_account(parts), new_account()] {
            let mut trial = Trial::of(account);
            for step in &steps {
                let _ = trial.take(step, &mut Seen::new());
            }
        }
    }
}

proptest! {
    #![proptest_config(config(80))]

    #[test]
    fn whatever_is_changed_in_history_is_found(
        steps in any_steps(),
        number in any::<i64>().prop_filter("a change", |number| *number as i16 != 0),
        other in any::<Index>(),
    ) {
        let account = carried_out(&steps);
        let entries: Vec<&Entry> = account.journal().iter().map(|entry| &**entry).collect();
        let mut replay = Replay::new(account.id());
        for (place, entry) in entries.iter().enumerate() {
            let is_found = |forged: &[&Entry]| {
                let mut replay = replay.clone();
                forged.iter().any(|entry| replay.read(entry).is_err())
            };
            for (what, change) in CHANGES {
                let mut forged = Entry::clone(entry);
                change(&mut forged, number);
                let mut rest = entries[place..].to_vec();
                rest[0] = &forged;
                prop_assert!(forged == **entry || is_found(&rest), "{what} of {entry:?} as {forged:?}");
            }
            let mut rest = entries[place..].to_vec();
            let other = other.index(rest.len());
            rest.swap(0, other);
            prop_assert!(other == 0 || is_found(&rest), "{entry:?} is {other} places later");
            let rest = &entries[place + 1..];
            prop_assert!(rest.is_empty() || is_found(rest), "{entry:?} is gone");
            prop_assert!(is_found(&[entry, entry]), "{entry:?} is there twice");
            prop_assert_eq!(replay.read(entry), Ok(()));
        }
    }
}
