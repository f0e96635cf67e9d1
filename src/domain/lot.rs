//! Lots: dated parcels of credits, and the order in which they are spent.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Credits, LotNumber};

/// A dated parcel of credits within one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    pub number: LotNumber,
    pub source: Source,
    pub priority: Priority,
    pub granted: Credits,
    /// What can be spent of it while it is active.
    pub remaining: Credits,
    /// What open holds have set aside of it.
    pub held: Credits,
    /// What of it lapsed or was voided before anybody spent it.
    pub lost: Credits,
    pub is_void: bool,
    pub effective_at: DateTime<Utc>,
    /// `None`: the lot never expires.
    pub expires_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// Where a lot's credits came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    SignUp,
    Plan,
    Pack,
    Bonus,
    Adjustment,
}

/// Which lots are spent first: the lower number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Priority(pub i16);

/// A lot's place among the lots of its account: the lowest is spent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(Priority, DateTime<Utc>, DateTime<Utc>, LotNumber);

/// What a lot is good for at a given moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LotState {
    Active,
    Scheduled,
    Expired,
    Spent,
    Void,
}

impl Source {
    pub const ALL: [Self; 5] = [Self::SignUp, Self::Plan, Self::Pack, Self::Bonus, Self::Adjustment];

    /// The word for it in the database and in calls.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::Plan => "plan",
            Self::Pack => "pack",
            Self::Bonus => "bonus",
            Self::Adjustment => "adjustment",
        }
    }

    /// The source that this word stands for.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == word)
    }

    /// What was paid for goes before what was given, and that before what comes again next month.
    pub const fn default_priority(self) -> Priority {
        match self {
            Self::Pack => Priority(10),
            Self::SignUp | Self::Bonus | Self::Adjustment => Priority(20),
            Self::Plan => Priority(30),
        }
    }
}

impl Lot {
    pub fn is_active(&self, at: DateTime<Utc>) -> bool {
        self.effective_at <= at && !self.has_lapsed(at) && !self.is_void
    }

    /// Whether anything can still happen to it by itself: it has credits, to spend or set aside.
    pub fn is_open(&self) -> bool {
        self.remaining > Credits::ZERO || self.held > Credits::ZERO
    }

    pub fn has_lapsed(&self, at: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= at)
    }

    pub fn state(&self, at: DateTime<Utc>) -> LotState {
        if self.is_void {
            LotState::Void
        } else if self.has_lapsed(at) && (self.is_open() || self.lost > Credits::ZERO) {
            LotState::Expired
        } else if !self.is_open() {
            LotState::Spent
        } else if self.effective_at > at {
            LotState::Scheduled
        } else {
            LotState::Active
        }
    }

    /// Its place in the order of rule 3: lower priority, then earlier expiry (never last), then older. The
    /// number settles what two lots of the same instant leave open.
    pub fn rank(&self) -> Rank {
        let never = DateTime::<Utc>::MAX_UTC;
        Rank(self.priority, self.expires_at.unwrap_or(never), self.created_at, self.number)
    }

    pub fn spend_order(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl Rank {
    pub const fn number(&self) -> LotNumber {
        self.3
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{at, credits, lot};

    #[test]
    fn a_lot_is_active_from_its_first_instant_until_just_before_its_last() {
        let lot = Lot { effective_at: at(10), expires_at: Some(at(20)), ..lot(1, 5) };
        assert!(!lot.is_active(at(9)));
        assert!(lot.is_active(at(10)));
        assert!(lot.is_active(at(19)));
        assert!(!lot.is_active(at(20)));
        assert_eq!(lot.state(at(9)), LotState::Scheduled);
        assert_eq!(lot.state(at(10)), LotState::Active);
        assert_eq!(lot.state(at(20)), LotState::Expired);
        assert_eq!(Lot { remaining: Credits::ZERO, ..lot }.state(at(10)), LotState::Spent);
    }

    #[test]
    fn a_void_lot_is_void_whatever_else_it_is() {
        let void = Lot { is_void: true, effective_at: at(10), expires_at: Some(at(20)), ..lot(1, 5) };
        for seconds in [9, 10, 20] {
            assert!(!void.is_active(at(seconds)));
            assert_eq!(void.state(at(seconds)), LotState::Void);
        }
        assert_eq!(Lot { remaining: Credits::ZERO, ..void }.state(at(10)), LotState::Void);
    }

    #[test]
    fn a_lot_that_is_held_whole_is_not_spent() {
        let held = Lot { remaining: Credits::ZERO, held: credits(5), expires_at: Some(at(20)), ..lot(1, 5) };
        assert!(held.is_open());
        assert_eq!(held.state(at(19)), LotState::Active);
        assert_eq!(held.state(at(20)), LotState::Expired);
    }

    #[test]
    fn a_lot_that_was_spent_in_time_stays_spent_and_one_that_was_not_expired() {
        let empty = Lot { remaining: Credits::ZERO, expires_at: Some(at(20)), ..lot(1, 5) };
        assert!(!empty.is_open());
        assert_eq!(empty.state(at(30)), LotState::Spent);
        assert_eq!(Lot { lost: credits(2), ..empty }.state(at(30)), LotState::Expired);
    }

    #[test]
    fn lots_are_spent_by_priority_then_expiry_then_age() {
        let never = lot(1, 5);
        let late = Lot { expires_at: Some(at(90)), ..lot(2, 5) };
        let soon = Lot { expires_at: Some(at(50)), ..lot(3, 5) };
        let older = Lot { expires_at: Some(at(50)), created_at: at(-1), ..lot(4, 5) };
        let first = Lot { priority: Priority(10), ..lot(5, 5) };
        let mut lots = [never, late, soon, older, first];
        lots.sort_by(Lot::spend_order);
        let order: Vec<i64> = lots.iter().map(|lot| lot.number.0).collect();
        assert_eq!(order, [5, 4, 3, 2, 1]);
    }

    #[test]
    fn packs_come_before_gifts_and_gifts_before_allowances() {
        assert!(Source::Pack.default_priority() < Source::SignUp.default_priority());
        assert_eq!(Source::SignUp.default_priority(), Source::Bonus.default_priority());
        assert!(Source::Bonus.default_priority() < Source::Plan.default_priority());
    }
}
