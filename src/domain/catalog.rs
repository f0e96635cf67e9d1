//! The catalog: what a product sells for credits. Read from a file by `server::catalog`, which also says
//! what is wrong with one; here it is already right.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Amount, Charge, Credits, command::Limits};

/// One product's settings and the actions that it sells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    /// The product's name, as people know it.
    pub name: String,
    /// What the product does, in a sentence.
    pub summary: String,
    /// What a new member gets.
    pub signup: Option<SignUpGrant>,
    /// What every spend must leave available, and how many an account may make.
    pub limits: Limits,
    /// At or below this, members are told that little is left.
    pub low_balance: Credits,
    /// The HTTP status with which a spend beyond the balance is refused.
    pub insufficient_status: InsufficientStatus,
    pub actions: Vec<Action>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignUpGrant {
    pub credits: Amount,
    /// `None`: they never expire.
    pub expires_days: Option<u16>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InsufficientStatus {
    #[default]
    PaymentRequired,
    TooManyRequests,
}

/// Something that costs credits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub key: ActionKey,
    pub title: String,
    pub description: String,
    pub cost: Cost,
}

/// An action's name in URLs, in calls and in the ledger: 1 to 64 of `a-z`, `0-9`, `_`, the first a letter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ActionKey(Arc<str>);

/// How an action's price comes about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cost {
    Fixed(Amount),
    /// One credit for every `units_per_credit` begun.
    PerUnit {
        unit: String,
        units_per_credit: Units,
    },
}

/// A number of units (tokens, seconds, images): 1 to 1,000,000,000,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Units(i64);

/// Why an action has no price as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoPrice {
    #[error("this action is priced by unit: say how many")]
    UnitsMissing,
    #[error("this action has one price: it takes no units")]
    UnitsNotTaken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a key is 1 to {} of a-z, 0-9 and _, the first a letter", ActionKey::LENGTH_MAX)]
pub struct NotAnActionKey;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a number of units is between 1 and {}", Units::MAX)]
pub struct NotUnits;

impl Catalog {
    pub fn action(&self, key: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.key.as_str() == key)
    }
}

impl Action {
    /// What one run costs at the moment.
    pub fn price(&self, units: Option<Units>) -> Result<Charge, NoPrice> {
        let cost = match (&self.cost, units) {
            (Cost::Fixed(amount), None) => *amount,
            (Cost::PerUnit { units_per_credit, .. }, Some(units)) => units.begun(*units_per_credit),
            (Cost::Fixed(_), Some(_)) => return Err(NoPrice::UnitsNotTaken),
            (Cost::PerUnit { .. }, None) => return Err(NoPrice::UnitsMissing),
        };
        Ok(Charge { action: Some(self.key.clone()), units, cost })
    }
}

impl ActionKey {
    pub const LENGTH_MAX: usize = 64;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ActionKey {
    type Error = NotAnActionKey;

    fn try_from(text: String) -> Result<Self, NotAnActionKey> {
        let is_key = text.len() <= Self::LENGTH_MAX
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if is_key { Ok(Self(text.into())) } else { Err(NotAnActionKey) }
    }
}

impl From<ActionKey> for String {
    fn from(key: ActionKey) -> Self {
        key.0.as_ref().to_owned()
    }
}

impl fmt::Display for ActionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Units {
    pub const MAX: i64 = Amount::MAX.get();

    pub const fn get(self) -> i64 {
        self.0
    }

    /// How many parcels of `size` are begun by this many units: at least 1, at most as many as the units.
    fn begun(self, size: Self) -> Amount {
        let parcels = (self.0 - 1) / size.0 + 1;
        Amount::try_from(parcels).expect("1 <= parcels <= units <= Amount::MAX")
    }
}

impl TryFrom<i64> for Units {
    type Error = NotUnits;

    fn try_from(number: i64) -> Result<Self, NotUnits> {
        if (1..=Self::MAX).contains(&number) { Ok(Self(number)) } else { Err(NotUnits) }
    }
}

impl From<Units> for i64 {
    fn from(units: Units) -> i64 {
        units.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn action(cost: Cost) -> Action {
        Action {
            key: ActionKey::try_from("render".to_owned()).unwrap(),
            title: "Render".into(),
            description: String::new(),
            cost,
        }
    }

    fn units(number: i64) -> Units {
        Units::try_from(number).unwrap()
    }

    #[test]
    fn a_fixed_price_takes_no_units() {
        let render = action(Cost::Fixed(Amount::try_from(3).unwrap()));
        assert_eq!(render.price(None).unwrap().cost.get(), 3);
        assert_eq!(render.price(Some(units(1))), Err(NoPrice::UnitsNotTaken));
    }

    #[test]
    fn a_price_by_unit_counts_every_parcel_begun() {
        let complete = action(Cost::PerUnit { unit: "tokens".into(), units_per_credit: units(2_000) });
        let cost = |number| complete.price(Some(units(number))).unwrap().cost.get();
        assert_eq!(cost(1), 1);
        assert_eq!(cost(2_000), 1);
        assert_eq!(cost(2_001), 2);
        assert_eq!(cost(Units::MAX), 500_000_000);
        assert_eq!(complete.price(None), Err(NoPrice::UnitsMissing));
    }

    #[test]
    fn a_key_is_lower_case_and_starts_with_a_letter() {
        for good in ["render", "a", "stem_separation", "v2"] {
            assert!(ActionKey::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "Render", "2v", "_a", "a-b", "a b", &"a".repeat(65)] {
            assert_eq!(ActionKey::try_from(bad.to_owned()), Err(NotAnActionKey), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_price_by_unit_is_never_too_low_and_never_a_whole_credit_too_high(
            number in 1..=Units::MAX,
            per_credit in 1..=Units::MAX,
        ) {
            let cost = i128::from(units(number).begun(units(per_credit)).get());
            let (number, per_credit) = (i128::from(number), i128::from(per_credit));
            prop_assert!(cost * per_credit >= number);
            prop_assert!((cost - 1) * per_credit < number);
        }
    }
}
