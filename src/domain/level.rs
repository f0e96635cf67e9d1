//! Levels: when an account's holder should be warned.

use serde::{Deserialize, Serialize};

use super::Credits;

/// How much is left, as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Comfortable,
    Low,
    Empty,
}

impl Level {
    /// Low at the threshold (of the catalog's `low_balance`) or below it, empty at nothing.
    pub fn of(available: Credits, threshold: Credits) -> Self {
        if available == Credits::ZERO {
            Self::Empty
        } else if available <= threshold {
            Self::Low
        } else {
            Self::Comfortable
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_changes_at_the_threshold_and_at_nothing() {
        let level =
            |available| Level::of(Credits::try_from(available).unwrap(), Credits::try_from(2).unwrap());
        assert_eq!(level(3), Level::Comfortable);
        assert_eq!(level(2), Level::Low);
        assert_eq!(level(1), Level::Low);
        assert_eq!(level(0), Level::Empty);
    }

    #[test]
    fn without_a_threshold_an_account_is_never_low() {
        assert_eq!(Level::of(Credits::try_from(1).unwrap(), Credits::ZERO), Level::Comfortable);
        assert_eq!(Level::of(Credits::ZERO, Credits::ZERO), Level::Empty);
    }
}
