//! Little left: below what members are warned.

use thiserror::Error;

use crate::domain::{Amount, Credits};

/// A threshold at or below which members are told that little is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LowBalance {
    Credits(Credits),
    /// Of the last monthly allowance.
    Share(Percentage),
}

/// A part of a hundred: 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentage(u8);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a percentage is between 1 and 100")]
pub struct NotAPercentage;

impl LowBalance {
    /// The threshold in credits, for an account whose last monthly allowance was this. A part of a credit counts as
    /// one, so that whoever has an allowance is warned; a share of no allowance is nothing.
    pub fn threshold(self, last_allowance: Option<Amount>) -> Credits {
        match self {
            Self::Credits(credits) => credits,
            Self::Share(percentage) => last_allowance.map_or(Credits::ZERO, |last| percentage.of(last)),
        }
    }
}

impl Default for LowBalance {
    fn default() -> Self {
        Self::Credits(Credits::ZERO)
    }
}

impl Percentage {
    pub const fn get(self) -> u8 {
        self.0
    }

    fn of(self, whole: Amount) -> Credits {
        let part = (whole.get() * i64::from(self.0) + 99) / 100;
        Credits::try_from(part).expect("a share of an amount is no less than nothing")
    }
}

impl TryFrom<i64> for Percentage {
    type Error = NotAPercentage;

    fn try_from(number: i64) -> Result<Self, NotAPercentage> {
        u8::try_from(number).ok().filter(|number| (1..=100).contains(number)).map(Self).ok_or(NotAPercentage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{amount, credits};

    fn share(percentage: i64) -> LowBalance {
        LowBalance::Share(Percentage::try_from(percentage).unwrap())
    }

    #[test]
    fn a_number_of_credits_is_the_threshold_whatever_the_allowance() {
        let twenty = LowBalance::Credits(credits(20));
        assert_eq!([None, Some(amount(7))].map(|last| twenty.threshold(last)), [credits(20); 2]);
    }

    #[test]
    fn a_share_is_of_the_last_allowance_and_rounds_up() {
        let threshold = |percentage, last| share(percentage).threshold(Some(amount(last))).get();
        assert_eq!(threshold(20, 100), 20);
        assert_eq!(threshold(20, 101), 21);
        assert_eq!(threshold(1, 1), 1);
        assert_eq!(threshold(100, Amount::MAX.get()), Amount::MAX.get());
        assert_eq!(share(20).threshold(None), Credits::ZERO);
    }

    #[test]
    fn a_percentage_is_between_one_and_a_hundred() {
        for number in [-1, 0, 101, 256 + 20, i64::MAX] {
            assert_eq!(Percentage::try_from(number), Err(NotAPercentage), "{number}");
        }
    }
}
