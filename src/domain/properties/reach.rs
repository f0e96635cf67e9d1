//! Whether the random sequences reach what the properties are about: a property is worth what its cases reach,
//! and a generator that decays fails here.

use proptest::{
    collection::vec,
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

use super::{
    answered, batch, carried_out_in_batches, full_account,
    sizes::Sizes,
    steps::steps,
    trial::{Seen, Trial},
};
use crate::domain::{Account, testing::new_account};

/// What 10,000 steps come to at least: about half of what the generator reaches.
const EVERYDAY: [(&str, usize); 44] = [
    ("grant", 600),
    ("spend", 250),
    ("free spend", 40),
    ("hold", 300),
    ("hold ran out", 120),
    ("capture", 90),
    ("capture of a part", 25),
    ("capture of all", 40),
    ("capture of more", 12),
    ("capture though the lot has lapsed", 3),
    ("free capture", 8),
    ("release", 150),
    ("refund", 130),
    ("refund to several lots", 12),
    ("refund to a void lot", 3),
    ("refund with grace", 15),
    ("expiry", 200),
    ("void", 80),
    ("adjustment", 170),
    ("debt paid", 20),
    ("clawback", 200),
    ("clawback becomes debt", 40),
    ("reinstatement", 70),
    ("debt reinstated", 4),
    ("paid debt reinstated", 3),
    ("unlimited", 50),
    ("replay", 270),
    ("lifted clock", 270),
    ("refused key carried out", 110),
    ("insufficient", 500),
    ("price changed", 120),
    ("fair use", 60),
    ("key reused", 110),
    ("clock behind", 140),
    ("expires too early", 50),
    ("unknown hold", 300),
    ("hold closed", 170),
    ("unknown spend", 300),
    ("refund too large", 100),
    ("unknown lot", 200),
    ("lot held", 10),
    ("lot empty", 25),
    ("clawback too large", 70),
    ("clawback unchanged", 150),
];

/// The same of months and years.
const MONTHLY: [(&str, usize); 22] = [
    ("subscription", 1_400),
    ("renewal", 850),
    ("plan begun", 400),
    ("end asked for", 90),
    ("smaller plan", 450),
    ("larger plan", 120),
    ("plan goes on", 300),
    ("plan ended", 100),
    ("plan ended at once for the free one", 25),
    ("late and free", 2),
    ("renewal of what was paid late", 10),
    ("rollover", 400),
    ("renewal without rollover", 330),
    ("subscription unchanged", 14),
    ("not subscribed", 80),
    ("already subscribed", 10),
    ("nothing to pay", 3),
    ("expires too early", 20),
    ("newer terms", 100),
    ("free again within the month", 6),
    ("ends with the free month", 1),
    ("free spend", 40),
];

/// The same of accounts that are nearly full.
const EXTREME: [(&str, usize); 9] = [
    ("balance too large", 300),
    ("time out of range", 150),
    ("grant", 300),
    ("spend", 300),
    ("hold", 300),
    ("refund", 150),
    ("refund with grace", 5),
    ("clawback", 150),
    ("reinstatement", 60),
];

/// What 200 sequences meet at least when they come in batches.
const BATCHES: [(&str, usize); 5] =
    [("stale key", 30), ("stale version", 60), ("undone", 15), ("looked up", 60), ("locked", 600)];

fn assert_reached(least: &[(&str, usize)], begin: impl Fn() -> Account, sizes: &Sizes) {
    let mut runner = TestRunner::deterministic();
    let (mut seen, mut taken) = (Seen::new(), 0);
    for _ in 0..200 {
        let mut trial = Trial::of(begin());
        for step in steps(sizes).new_tree(&mut runner).expect("no step is filtered out").current() {
            let _ = trial.take(&step, &mut seen);
            taken += 1;
        }
    }
    for (what, least) in least {
        let reached = seen.get(what).copied().unwrap_or_default() * 10_000 / taken;
        assert!(reached >= *least, "{what}: {reached} of 10,000 steps, not {least}; of {taken}: {seen:?}");
    }
}

#[test]
fn the_random_sequences_reach_every_outcome() {
    assert_reached(&EVERYDAY, new_account, &Sizes::everyday());
}

#[test]
fn the_sequences_of_months_reach_every_turn_of_a_subscription() {
    assert_reached(&MONTHLY, new_account, &Sizes::monthly());
}

#[test]
fn the_extreme_sequences_reach_the_end_of_what_an_account_can_hold() {
    assert_reached(&EXTREME, || full_account([0, 0, 0]), &Sizes::extreme());
}

#[test]
fn the_batches_reach_every_way_in_which_a_lane_can_be_wrong() {
    let mut runner = TestRunner::deterministic();
    let mut seen = Seen::new();
    let cases = (steps(&Sizes::everyday()), vec(batch(), 60));
    for _ in 0..200 {
        let (steps, batches) = cases.new_tree(&mut runner).expect("nothing is filtered out").current();
        let (_, commands, _) = answered(&steps);
        for (what, count) in carried_out_in_batches(&commands, &batches).seen {
            *seen.entry(what).or_default() += count;
        }
    }
    for (what, least) in BATCHES {
        assert!(seen.get(what).is_some_and(|reached| *reached >= least), "{what}, not {least}: {seen:?}");
    }
}
