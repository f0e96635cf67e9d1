//! Whole credits and the arithmetic on them: the one place where a number becomes an amount.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A quantity of credits that exists: zero or more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Credits(i64);

/// A quantity of credits that somebody asks for: 1 to [`Amount::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Amount(Credits);

/// Why a number is not a quantity of credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotCredits {
    #[error("credits cannot be negative")]
    Negative,
    #[error("an amount is between 1 and {}", Amount::MAX.get())]
    OutOfRange,
}

impl Credits {
    pub const ZERO: Self = Self(0);

    pub const fn get(self) -> i64 {
        self.0
    }

    /// `None` where the sum is beyond what an account can hold (`i64::MAX`).
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// `None` where the difference would be negative.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        if other > self { None } else { Some(Self(self.0 - other.0)) }
    }

    /// The difference, or zero where it would be negative.
    pub fn less(self, other: Self) -> Self {
        self.checked_sub(other).unwrap_or(Self::ZERO)
    }

    /// Adds a signed change. `None` where the result would be negative or too large.
    pub fn changed_by(self, change: i64) -> Option<Self> {
        self.0.checked_add(change).and_then(|sum| Self::try_from(sum).ok())
    }
}

impl Amount {
    /// Large enough for any product, small enough that a million of them still add up in an `i64`.
    pub const MAX: Self = Self(Credits(1_000_000_000_000));

    pub const fn get(self) -> i64 {
        self.0.0
    }

    pub const fn credits(self) -> Credits {
        self.0
    }
}

impl TryFrom<i64> for Credits {
    type Error = NotCredits;

    fn try_from(number: i64) -> Result<Self, NotCredits> {
        if number < 0 { Err(NotCredits::Negative) } else { Ok(Self(number)) }
    }
}

impl From<Credits> for i64 {
    fn from(credits: Credits) -> i64 {
        credits.0
    }
}

impl TryFrom<i64> for Amount {
    type Error = NotCredits;

    fn try_from(number: i64) -> Result<Self, NotCredits> {
        if (1..=Self::MAX.get()).contains(&number) {
            Ok(Self(Credits(number)))
        } else {
            Err(NotCredits::OutOfRange)
        }
    }
}

impl From<Amount> for i64 {
    fn from(amount: Amount) -> i64 {
        amount.get()
    }
}

/// The sum of what one account holds, which no account is ever granted too much for.
pub fn total(credits: impl Iterator<Item = Credits>) -> Credits {
    credits.fold(Credits::ZERO, |sum, credits| {
        sum.checked_add(credits).expect("no account is granted more than it can hold")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_between_one_and_a_million_million() {
        assert_eq!(Amount::try_from(0), Err(NotCredits::OutOfRange));
        assert_eq!(Amount::try_from(-1), Err(NotCredits::OutOfRange));
        assert_eq!(Amount::try_from(1).map(Amount::get), Ok(1));
        assert_eq!(Amount::try_from(1_000_000_000_000).map(Amount::get), Ok(1_000_000_000_000));
        assert_eq!(Amount::try_from(1_000_000_000_001), Err(NotCredits::OutOfRange));
    }

    #[test]
    fn credits_never_go_below_zero() {
        let three = Credits(3);
        assert_eq!(Credits::try_from(-1), Err(NotCredits::Negative));
        assert_eq!(three.checked_sub(Credits(4)), None);
        assert_eq!(three.changed_by(-4), None);
        assert_eq!(three.less(Credits(4)), Credits::ZERO);
        assert_eq!(three.changed_by(-3), Some(Credits::ZERO));
    }

    #[test]
    fn a_sum_beyond_the_largest_number_is_refused() {
        let most = Credits(i64::MAX);
        assert_eq!(most.checked_add(Credits(1)), None);
        assert_eq!(most.changed_by(1), None);
        assert_eq!(most.checked_add(Credits::ZERO), Some(most));
    }
}
