//! Actions: what is run for credits, and what one run costs.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::ActionKey;
use crate::domain::{Amount, Charge};

/// Something that costs credits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub key: ActionKey,
    pub title: String,
    pub description: String,
    pub cost: Cost,
}

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
#[error("a number of units is between 1 and {}", Units::MAX)]
pub struct NotUnits;

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
