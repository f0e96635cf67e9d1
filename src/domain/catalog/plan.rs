//! Plans: what an account gets each month, and what that costs.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{PlanKey, Price};
use crate::domain::{Amount, Credits, Priority};

/// Credits every month, or use without limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub key: PlanKey,
    pub title: String,
    pub description: String,
    /// `None`: free.
    pub price: Option<Price>,
    pub interval: Interval,
    pub allowance: Allowance,
    /// `None`: what is not used by the end of a month lapses then.
    pub rollover_cap: Option<RolloverCap>,
    /// When its credits are spent, beside others.
    pub priority: Priority,
    /// For how many days it can be tried before it is paid for.
    pub trial_days: Option<u16>,
}

/// How often a plan is billed. Its credits always come monthly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interval {
    #[default]
    Month,
    Year,
}

/// What a plan gives. The larger comes later in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Allowance {
    Monthly(Amount),
    Unlimited,
}

/// How many allowances of plan credits an account may have right after a renewal: 1 to 100. With 1, nothing rolls over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct RolloverCap(u16);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a rollover cap is between 1 and {}", RolloverCap::MAX)]
pub struct NotARolloverCap;

impl Plan {
    pub const fn is_free(&self) -> bool {
        self.price.is_none()
    }
}

impl Allowance {
    /// What it brings as credits.
    pub const fn credits(self) -> Credits {
        match self {
            Self::Monthly(amount) => amount.credits(),
            Self::Unlimited => Credits::ZERO,
        }
    }
}

impl Interval {
    pub const ALL: [Self; 2] = [Self::Month, Self::Year];

    /// The word for it in the file and in calls.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// The interval that this word stands for.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|interval| interval.as_str() == word)
    }
}

impl RolloverCap {
    pub const MAX: i64 = 100;

    pub const fn get(self) -> u16 {
        self.0
    }
}

impl From<RolloverCap> for i64 {
    fn from(cap: RolloverCap) -> i64 {
        cap.0.into()
    }
}

impl TryFrom<i64> for RolloverCap {
    type Error = NotARolloverCap;

    fn try_from(number: i64) -> Result<Self, NotARolloverCap> {
        let is_cap = (1..=Self::MAX).contains(&number);
        u16::try_from(number).ok().filter(|_| is_cap).map(Self).ok_or(NotARolloverCap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollover_cap_is_between_one_and_a_hundred() {
        assert_eq!([1, 2, 100].map(|number| RolloverCap::try_from(number).unwrap().get()), [1, 2, 100]);
        for number in [-1, 0, 101, 65_537] {
            assert_eq!(RolloverCap::try_from(number), Err(NotARolloverCap), "{number}");
        }
    }

    #[test]
    fn an_interval_is_found_by_its_word() {
        assert_eq!(Interval::named("year"), Some(Interval::Year));
        assert_eq!(Interval::named("week"), None);
    }
}
