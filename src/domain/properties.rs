//! What holds after any sequence of commands, tried with thousands of random ones.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::{prelude::*, sample::Index, strategy::ValueTree, test_runner::TestRunner};

use super::{
    testing::{amount, at, command, credits, grant, new_account, spend},
    *,
};

/// One command of a sequence, with the time at which it comes in.
#[derive(Clone, Debug)]
struct Step {
    at: DateTime<Utc>,
    key: String,
    act: Act,
}

/// Where a step has its key from.
#[derive(Clone, Debug)]
enum Origin {
    New,
    /// An earlier step once more: its key and its content.
    Again(Index),
    /// The key of an earlier step, with other content.
    Reused(Index),
}

/// Grants dated around the beginning of time; [`later`] brings them to the time of their step.
fn grants() -> impl Strategy<Value = Act> {
    let starts = proptest::option::weighted(0.3, -60..300i64);
    let ends = proptest::option::weighted(0.7, -20..600i64);
    (1..60i64, 0..4i16, starts, ends).prop_map(|(number, priority, starts, ends)| {
        let (effective_at, expires_at) = (starts.map(at), ends.map(at));
        Act::Grant(Grant { priority: Priority(priority * 10), effective_at, expires_at, ..grant(number) })
    })
}

/// Spends, one in ten of which was agreed at another price.
fn spends() -> impl Strategy<Value = Act> {
    (1..50i64, 0..6i64, proptest::bool::weighted(0.1)).prop_map(|(cost, min_balance, changed)| {
        let agreed = amount(cost + i64::from(changed));
        Act::Spend(Spend { agreed, min_balance: credits(min_balance), ..spend("render", cost) })
    })
}

fn later(act: Act, by: TimeDelta) -> Act {
    match act {
        Act::Grant(grant) => Act::Grant(Grant {
            effective_at: grant.effective_at.map(|at| at + by),
            expires_at: grant.expires_at.map(|at| at + by),
            ..grant
        }),
        Act::Spend(_) => act,
    }
}

/// Sequences in which time mostly goes forward, but now and then back: a little, about as far as the
/// slack, or well beyond it.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let seconds = prop_oneof![17 => -5..120i64, 2 => -70..-50i64, 1 => Just(-130i64)];
    let origin = prop_oneof![
        16 => Just(Origin::New),
        3 => any::<Index>().prop_map(Origin::Again),
        1 => any::<Index>().prop_map(Origin::Reused),
    ];
    let act = prop_oneof![2 => grants(), 3 => spends()];
    proptest::collection::vec((seconds, origin, act), 1..60).prop_map(|asked| {
        let mut clock = TimeDelta::zero();
        let mut steps: Vec<Step> = Vec::new();
        for (seconds, origin, act) in asked {
            clock += TimeDelta::seconds(seconds);
            let new = Step { at: at(0) + clock, key: format!("key-{}", steps.len()), act: later(act, clock) };
            let step = match origin {
                Origin::Again(index) if !steps.is_empty() => Step { at: new.at, ..index.get(&steps).clone() },
                Origin::Reused(index) if !steps.is_empty() => {
                    Step { key: index.get(&steps).key.clone(), ..new }
                }
                _ => new,
            };
            steps.push(step);
        }
        steps
    })
}

/// What a step came to, and what happened beside it; counted by [`Trial`].
type Seen = BTreeMap<&'static str, usize>;

/// An account under trial: what the law says of each step is worked out beside it.
struct Trial {
    account: Account,
    first_answers: HashMap<String, (Fingerprint, Entry)>,
    refused: HashSet<String>,
}

impl Trial {
    fn new() -> Self {
        Self { account: new_account(), first_answers: HashMap::new(), refused: HashSet::new() }
    }

    /// Which refusal the law has for a command that is new to it and happens `now`, if any.
    fn refusal(&self, act: &Act, now: DateTime<Utc>) -> Option<Refusal> {
        match act {
            Act::Grant(Grant { effective_at, expires_at, .. }) => {
                let starts = effective_at.unwrap_or(now).max(now);
                expires_at.is_some_and(|ends| ends <= starts).then_some(Refusal::ExpiresTooEarly)
            }
            Act::Spend(Spend { price, agreed, .. }) if price.cost != *agreed => {
                Some(Refusal::PriceChanged { agreed: *agreed, cost: price.cost })
            }
            Act::Spend(Spend { price, min_balance, .. }) => {
                let (needed, available) = (price.cost, self.account.available(now));
                let left = available.get() - needed.get();
                (left < min_balance.get()).then(|| {
                    let missing = amount(min_balance.get() - left);
                    Refusal::Insufficient(Shortfall { needed, available, min_balance: *min_balance, missing })
                })
            }
        }
    }

    /// Carries out one step, and compares everything that came of it with the law.
    fn take(&mut self, Step { at, key, act }: Step, seen: &mut Seen) {
        let mut see = |what, times: usize| *seen.entry(what).or_default() += times;
        let fingerprint = act.fingerprint();
        let known = self.first_answers.get(&key).cloned();
        let now = self.account.last_entry_at().map_or(at, |last| last.max(at));
        let expected = match &known {
            Some((first, _)) => (*first != fingerprint).then_some(Refusal::KeyReused),
            None if now - at > CLOCK_SLACK => Some(Refusal::ClockBehind { last_entry_at: now }),
            None => self.refusal(&act, now),
        };
        // Refused or not, a command that gets so far finds what has lapsed settled (rule 7).
        let mut due = self.account.clone();
        if known.is_none() && now - at <= CLOCK_SLACK {
            due.settle(now);
            see("expiry", due.journal().len() - self.account.journal().len());
            see("lifted clock", usize::from(now > at));
        }

        let command = command(&due, &key, act.clone());
        let answer = decide(&mut self.account, &command, at);
        assert_eq!(
            answer.as_ref().err(),
            expected.as_ref(),
            "what the law refuses, and only that, is refused"
        );
        match answer {
            Ok(Receipt { replayed: false, entry }) => {
                assert!(known.is_none(), "a command is carried out once");
                assert_eq!(entry.at, now);
                let written = [due.journal(), std::slice::from_ref(&entry)].concat();
                assert_eq!(self.account.journal(), written, "one change is one entry");
                see(check_carried_out(&due, &self.account, &act, &entry), 1);
                see("refused key carried out", usize::from(self.refused.contains(&key)));
                self.first_answers.insert(key, (fingerprint, entry));
                return;
            }
            Ok(Receipt { replayed: true, entry }) => {
                assert_eq!(known, Some((fingerprint, entry)), "a replay is the first answer");
                see("replay", 1);
            }
            Err(refusal) => {
                self.refused.insert(key);
                see(name_of(refusal), 1);
            }
        }
        assert_eq!(self.account.journal(), due.journal(), "a refusal and a replay write nothing");
        assert_eq!(self.account.lots(), due.lots(), "a refusal and a replay move nothing");
    }
}

/// What is particular to each of the two acts.
fn check_carried_out(due: &Account, after: &Account, act: &Act, entry: &Entry) -> &'static str {
    match act {
        Act::Grant(grant) => {
            assert_eq!(entry.delta(), grant.amount.get());
            "grant"
        }
        Act::Spend(Spend { price, min_balance, .. }) => {
            assert_eq!(entry.delta(), -price.cost.get(), "a spend is all or nothing");
            assert!(after.available(entry.at) >= *min_balance, "a spend leaves what it has to");
            check_order(due, entry);
            "spend"
        }
    }
}

fn name_of(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::KeyReused => "key reused",
        Refusal::ClockBehind { .. } => "clock behind",
        Refusal::ExpiresTooEarly => "expires too early",
        Refusal::PriceChanged { .. } => "price changed",
        Refusal::Insufficient(_) => "insufficient",
        Refusal::UnknownAccount | Refusal::BalanceTooLarge => "out of reach here",
    }
}

/// What every journal must satisfy, whatever led to it.
fn check(account: &Account) {
    let mut balance = Credits::ZERO;
    let mut remaining = HashMap::new();
    let mut last_at = None;
    for (before, entry) in account.journal().iter().enumerate() {
        assert_eq!(entry.version, Version(before as i64 + 1), "versions have no gaps");
        assert_eq!(entry.balance_before, balance, "each entry starts where the last one ended");
        let moved: i64 = entry.movements.iter().map(|movement| movement.change).sum();
        assert_eq!(entry.delta(), moved, "what moved in the lots is what the balance changed by");
        assert!(last_at <= Some(entry.at), "time never runs backwards");
        for movement in &entry.movements {
            let lot = account.lot(movement.lot).expect("a movement names a lot of its account");
            match entry.kind {
                Kind::Spend(_) => assert!(lot.is_active(entry.at), "only an active lot is spent"),
                Kind::Expiry => assert_eq!(Some(entry.at), lot.expires_at, "a lot lapses when it expires"),
                Kind::Grant(_) => assert_eq!(movement.change, lot.granted.get()),
            }
            let left = remaining.entry(movement.lot).or_insert(0);
            *left += movement.change;
            assert!(*left >= 0, "no lot, and so nothing available, ever falls below zero");
        }
        (balance, last_at) = (entry.balance_after, Some(entry.at));
    }
    assert_eq!(account.balance(), balance);
    for lot in account.lots() {
        let left = remaining.get(&lot.number);
        assert_eq!(left, Some(&lot.remaining.get()), "a lot is the sum of its movements");
        assert!(lot.remaining <= lot.granted);
    }
    assert!(account.lots().is_sorted_by(|a, b| a.spend_order(b).is_lt()));
}

/// Rule 3 from the other side: nothing was taken from a lot while an earlier one still had something.
fn check_order(before: &Account, entry: &Entry) {
    for movement in &entry.movements {
        let lot = before.lot(movement.lot).expect("a spend takes from lots that were there");
        let earlier = before
            .lots()
            .iter()
            .filter(|other| other.is_active(entry.at) && other.spend_order(lot).is_lt())
            .filter(|other| other.remaining > Credits::ZERO);
        for other in earlier {
            let taken = entry.movements.iter().find(|movement| movement.lot == other.number);
            assert_eq!(taken.map(|taken| -taken.change), Some(other.remaining.get()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn whatever_is_asked_the_ledger_adds_up(steps in steps()) {
        let mut trial = Trial::new();
        for step in steps {
            trial.take(step, &mut Seen::new());
        }
        check(&trial.account);
    }

    #[test]
    fn settling_late_is_settling_on_time(steps in steps(), pauses in proptest::collection::vec(0..200i64, 1..20)) {
        let (mut late, mut punctual) = (new_account(), new_account());
        for (number, Step { act, .. }) in steps.iter().filter(|step| matches!(step.act, Act::Grant(_))).enumerate() {
            let command = command(&late, &format!("key-{number}"), act.clone());
            prop_assert_eq!(decide(&mut late, &command, at(0)), decide(&mut punctual, &command, at(0)));
        }
        let mut clock = 0;
        for pause in pauses {
            clock += pause;
            punctual.settle(at(clock));
            prop_assert_eq!(late.available(at(clock)), punctual.available(at(clock)));
        }
        late.settle(at(clock));
        prop_assert_eq!(late.journal(), punctual.journal());
    }
}

/// A property is worth what its cases reach: a generator that decays fails here.
#[test]
fn the_random_sequences_reach_every_outcome() {
    let mut runner = TestRunner::deterministic();
    let (mut seen, mut taken) = (Seen::new(), 0);
    for _ in 0..300 {
        let mut trial = Trial::new();
        for step in steps().new_tree(&mut runner).expect("no step is filtered out").current() {
            trial.take(step, &mut seen);
            taken += 1;
        }
    }
    // Per thousand steps, well below what the generator reaches.
    let carried_out = [("grant", 100), ("spend", 60), ("expiry", 60), ("replay", 40), ("lifted clock", 20)];
    let refused = [("insufficient", 60), ("price changed", 20), ("key reused", 10), ("clock behind", 10)];
    let rare = [("expires too early", 10), ("refused key carried out", 5)];
    for (what, at_least) in carried_out.into_iter().chain(refused).chain(rare) {
        let reached = seen.get(what).copied().unwrap_or_default() * 1_000 / taken;
        assert!(reached >= at_least, "{what}: {reached} of 1,000 steps, not {at_least}; {seen:?}");
    }
}
