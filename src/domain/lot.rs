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
    pub remaining: Credits,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(pub i16);

/// What a lot is good for at a given moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LotState {
    Active,
    Scheduled,
    Expired,
    Spent,
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
        self.effective_at <= at && !self.has_lapsed(at)
    }

    pub fn has_lapsed(&self, at: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= at)
    }

    pub fn state(&self, at: DateTime<Utc>) -> LotState {
        if self.remaining == Credits::ZERO {
            LotState::Spent
        } else if self.has_lapsed(at) {
            LotState::Expired
        } else if self.effective_at > at {
            LotState::Scheduled
        } else {
            LotState::Active
        }
    }

    /// Rule 3: lower priority, then earlier expiry (never last), then older. The number settles what two
    /// lots of the same instant leave open.
    pub fn spend_order(&self, other: &Self) -> Ordering {
        let never = DateTime::<Utc>::MAX_UTC;
        let rank = |lot: &Self| (lot.priority, lot.expires_at.unwrap_or(never), lot.created_at, lot.number);
        rank(self).cmp(&rank(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{at, lot};

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
