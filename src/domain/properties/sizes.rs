//! How large and how long what is asked for is.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::{option, prelude::*, sample::select};

use super::super::{
    testing::{credits, grace},
    *,
};

/// The sizes of a sequence's amounts and times.
#[derive(Clone, Debug)]
pub struct Sizes {
    pub amounts: BoxedStrategy<i64>,
    pub min_balances: BoxedStrategy<i64>,
    pub starts: BoxedStrategy<When>,
    pub ends: BoxedStrategy<When>,
    pub graces: BoxedStrategy<Grace>,
}

impl Sizes {
    /// Small numbers and short times, so that commands get into each other's way.
    pub fn everyday() -> Self {
        Self {
            amounts: (1..50i64).boxed(),
            min_balances: (0..6i64).boxed(),
            starts: fine(-60..300i64).prop_map(When::Later).boxed(),
            ends: fine(prop_oneof![9 => -20..600i64, 1 => Just(86_400i64)]).prop_map(When::Later).boxed(),
            graces: graces(1..200i64).boxed(),
        }
    }

    /// The largest numbers and the longest times that can be asked for.
    pub fn extreme() -> Self {
        let most = Amount::MAX.get();
        let last = DateTime::from_timestamp(253_402_300_799, 999_999_000).expect("the end of the year 9999");
        let first = DateTime::from_timestamp(-62_135_596_800, 0).expect("the beginning of the year 1");
        // The last that can be kept, also with some nanoseconds more, and the first that can't; and likewise.
        let ends = [
            last,
            last + TimeDelta::nanoseconds(999),
            last + TimeDelta::microseconds(1),
            DateTime::<Utc>::MAX_UTC,
        ];
        let starts = [first, first - TimeDelta::nanoseconds(1), DateTime::<Utc>::MIN_UTC];
        let later = || fine(0..600i64).prop_map(When::Later);
        Self {
            amounts: prop_oneof![most - 3..=most, 1..4i64, 1..=most].boxed(),
            min_balances: prop_oneof![3 => Just(0), 1 => 0..=i64::MAX, 1 => Just(i64::MAX)].boxed(),
            starts: prop_oneof![later(), select(starts.to_vec()).prop_map(When::At)].boxed(),
            ends: prop_oneof![
                2 => later(),
                4 => select(ends.to_vec()).prop_map(When::At),
                1 => select(starts.to_vec()).prop_map(When::At),
            ]
            .boxed(),
            graces: prop_oneof![Just(Grace::MAX), Just(grace(1)), Just(grace(9))].boxed(),
        }
    }
}

/// A time in a command, before it is known when that comes in.
#[derive(Clone, Copy, Debug)]
pub enum When {
    Later(TimeDelta),
    At(DateTime<Utc>),
}

impl When {
    pub fn after(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Later(by) => now + by,
            Self::At(time) => time,
        }
    }
}

/// So many seconds, now and then with something on top that no database keeps.
pub fn fine(seconds: impl Strategy<Value = i64>) -> impl Strategy<Value = TimeDelta> {
    let nanos = prop_oneof![3 => Just(0i64), 1 => 0..1_000_000_000i64];
    (seconds, nanos).prop_map(|(seconds, nanos)| TimeDelta::seconds(seconds) + TimeDelta::nanoseconds(nanos))
}

fn graces(seconds: impl Strategy<Value = i64>) -> impl Strategy<Value = Grace> {
    fine(seconds).prop_map(|grace| Grace::try_from(grace).expect("from a second to ten years"))
}

pub fn limits(sizes: &Sizes) -> impl Strategy<Value = Limits> + use<> {
    let caps = (option::weighted(0.1, 0..5u32), option::weighted(0.1, 0..9u32));
    (sizes.min_balances.clone(), caps).prop_map(|(min_balance, (per_hour, per_day))| Limits {
        min_balance: credits(min_balance),
        per_hour,
        per_day,
    })
}
