//! Holds: credits set aside for work that is under way, until it is captured or released (rule 6).

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::{Allocation, Charge, Version, moment};

/// An open hold of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The version of the entry that made it, which is its name within the account.
    pub number: Version,
    /// From this moment on it counts as released.
    pub until: DateTime<Utc>,
    /// What it is for, and its price at the time.
    pub charge: Charge,
    /// What it set aside, in drawing order; nothing where the account pays nothing (rule 10).
    pub allocations: Vec<Allocation>,
}

/// How long a hold may stay open: a second to a day, in whole microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HoldLife(TimeDelta);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a hold lasts between one second and 24 hours")]
pub struct NotAHoldLife;

impl HoldLife {
    pub const MAX: Self = Self(TimeDelta::hours(24));

    pub const fn get(self) -> TimeDelta {
        self.0
    }
}

impl Default for HoldLife {
    fn default() -> Self {
        Self(TimeDelta::minutes(15))
    }
}

impl TryFrom<TimeDelta> for HoldLife {
    type Error = NotAHoldLife;

    fn try_from(life: TimeDelta) -> Result<Self, NotAHoldLife> {
        let is_life = (TimeDelta::seconds(1)..=Self::MAX.0).contains(&life);
        if is_life { Ok(Self(moment::whole_length(life))) } else { Err(NotAHoldLife) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_lasts_between_a_second_and_a_day() {
        assert_eq!(HoldLife::default().get(), TimeDelta::minutes(15));
        assert!(HoldLife::try_from(TimeDelta::seconds(1)).is_ok());
        assert!(HoldLife::try_from(TimeDelta::hours(24)).is_ok());
        for life in [TimeDelta::zero(), TimeDelta::seconds(-1), TimeDelta::hours(24) + TimeDelta::seconds(1)]
        {
            assert_eq!(HoldLife::try_from(life), Err(NotAHoldLife), "{life}");
        }
    }

    #[test]
    fn the_life_of_a_hold_has_whole_microseconds() {
        let fine = TimeDelta::seconds(9) + TimeDelta::nanoseconds(1_999);
        assert_eq!(HoldLife::try_from(fine).unwrap().get(), TimeDelta::microseconds(9_000_001));
    }
}
