//! How large and how long what is asked for is.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::{option, prelude::*, sample::select};

use super::super::{
    catalog::{Allowance, PlanKey, RolloverCap},
    testing::{amount, credits, grace},
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
    /// How long after the one before it a command comes in.
    pub pauses: BoxedStrategy<TimeDelta>,
    /// How many of a hundred commands are about subscriptions.
    pub subscribing: u32,
    pub allowances: BoxedStrategy<i64>,
    pub anchors: BoxedStrategy<When>,
    pub paid: BoxedStrategy<When>,
}

impl Sizes {
    /// Small numbers and short times, so that commands get into each other's way. Time mostly goes forward, now and
    /// then by hours, but also back: a little, about as far as the slack, or well beyond it.
    pub fn everyday() -> Self {
        let pauses = prop_oneof![
            90 => 0..40i64,
            8 => -30..0i64,
            2 => -70..-50i64,
            1 => Just(-100i64),
            3 => 3_000..90_000i64,
        ];
        Self {
            pauses: fine(pauses).boxed(),
            subscribing: 1,
            allowances: select(vec![3i64, 20, 30, 60]).boxed(),
            anchors: days(-40..40i64).prop_map(When::Later).boxed(),
            paid: days(-3..70i64).prop_map(When::Later).boxed(),
            amounts: (1..50i64).boxed(),
            min_balances: (0..6i64).boxed(),
            starts: fine(-60..300i64).prop_map(When::Later).boxed(),
            ends: fine(prop_oneof![9 => -20..600i64, 1 => Just(86_400i64)]).prop_map(When::Later).boxed(),
            graces: graces(1..200i64).boxed(),
        }
    }

    /// Days, months and a year go by, and many commands are about subscriptions.
    pub fn monthly() -> Self {
        let day = 86_400i64;
        let pauses = prop_oneof![
            40 => 0..40i64,
            4 => -30..0i64,
            1 => -70..-50i64,
            20 => 0..3 * day,
            16 => 3 * day..40 * day,
            1 => 360 * day..370 * day,
        ];
        let ends = prop_oneof![2 => -20..600i64, 3 => 0..60 * day];
        Self {
            pauses: fine(pauses).boxed(),
            subscribing: 40,
            ends: fine(ends).prop_map(When::Later).boxed(),
            ..Self::everyday()
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
        let unkept = || select([ends.as_slice(), &starts].concat()).prop_map(When::At);
        Self {
            subscribing: 10,
            allowances: prop_oneof![most - 3..=most, most / 3..=most / 2, 1..4i64].boxed(),
            anchors: prop_oneof![2 => later(), 1 => unkept()].boxed(),
            paid: prop_oneof![2 => later(), 1 => unkept()].boxed(),
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
            ..Self::everyday()
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

fn days(days: impl Strategy<Value = i64>) -> impl Strategy<Value = TimeDelta> {
    (days, fine(-40_000..40_000i64)).prop_map(|(days, more)| TimeDelta::days(days) + more)
}

/// One of a few plans, so that a sequence comes back to them; of one name there are several, as when a catalog
/// changes.
pub fn plans(sizes: &Sizes) -> impl Strategy<Value = Terms> + use<> {
    let kinds = select(vec![
        ("small", None, 0, 3),
        ("large", None, 10, 3),
        ("rolling", Some(2), 0, 3),
        ("long", Some(3), 0, 40),
    ]);
    let monthly =
        (kinds, sizes.allowances.clone()).prop_map(|((name, cap, sooner, grace_days), allowance)| {
            let priority = Priority(30 - sooner);
            let allowance = Allowance::Monthly(amount(allowance));
            Terms {
                plan: named(name),
                allowance,
                rollover_cap: cap.and_then(|cap| RolloverCap::try_from(cap).ok()),
                priority,
                grace_days,
                is_free: false,
            }
        });
    let unlimited = Terms {
        plan: named("unlimited"),
        allowance: Allowance::Unlimited,
        rollover_cap: None,
        priority: Priority(30),
        grace_days: 3,
        is_free: false,
    };
    prop_oneof![12 => monthly, 2 => Just(unlimited), 2 => Just(free()), 1 => Just(larger_free())]
}

/// The plan that costs nothing.
pub fn free() -> Terms {
    Terms {
        plan: named("free"),
        allowance: Allowance::Monthly(amount(5)),
        rollover_cap: RolloverCap::try_from(2).ok(),
        priority: Priority(30),
        grace_days: 0,
        is_free: true,
    }
}

/// Another that costs nothing and brings more.
fn larger_free() -> Terms {
    Terms { plan: named("gratis"), allowance: Allowance::Monthly(amount(9)), ..free() }
}

fn named(plan: &str) -> PlanKey {
    PlanKey::try_from(plan.to_owned()).expect("a plan's name")
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
