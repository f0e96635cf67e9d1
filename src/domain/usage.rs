//! Usage: what an account has run, counted as it is run, so that nobody has to add up its history (rule 17).

use chrono::{DateTime, Utc};

use super::{Charge, catalog::ActionKey, moment, subscription::Period};

/// What an account has run in one of its months.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// `None`: nothing was run ever.
    pub month: Option<Period>,
    /// One for each action that was run in it, in the order in which they were first.
    pub tallies: Vec<Tally>,
}

/// What was run of one action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// `None`: amounts that the caller named.
    pub action: Option<ActionKey>,
    /// How many spends and captures.
    pub count: i64,
    /// Zero where the action is not priced by unit.
    pub units: i64,
    /// What they took. What was refunded since is in it.
    pub credits: i64,
}

impl Tally {
    /// The action's key, or nothing where the caller named the amounts.
    pub fn action_name(&self) -> &str {
        self.action.as_ref().map_or("", ActionKey::as_str)
    }
}

impl Usage {
    /// Counts one more. Returns the month that was counted before, where `at` is in another. Months are those of
    /// `anchor`.
    pub fn count(
        &mut self,
        charge: &Charge,
        credits: i64,
        at: DateTime<Utc>,
        anchor: DateTime<Utc>,
    ) -> Option<Self> {
        // After the last month there is none.
        let is_over = self.month.is_none_or(|month| at >= month.end && month.end < moment::LAST);
        let before = is_over.then(|| std::mem::replace(self, Self::of_month(anchor, at)));
        let action = charge.action.as_ref();
        let known = self.tallies.iter().position(|tally| tally.action.as_ref() == action);
        let place = known.unwrap_or_else(|| {
            self.tallies.push(Tally { action: action.cloned(), count: 0, units: 0, credits: 0 });
            self.tallies.len() - 1
        });
        let tally = &mut self.tallies[place];
        let units = charge.units.map_or(0, Into::into);
        tally.count = tally.count.saturating_add(1);
        tally.units = tally.units.saturating_add(units);
        tally.credits = tally.credits.saturating_add(credits);
        before.filter(|before| !before.tallies.is_empty())
    }

    fn of_month(anchor: DateTime<Utc>, at: DateTime<Utc>) -> Self {
        Self { month: Period::around(anchor, at), tallies: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        catalog::Units,
        testing::{at, spend},
    };

    const MONTH: i64 = 31 * 86_400;

    #[test]
    fn a_month_that_is_over_is_handed_out_and_the_next_one_begins_with_nothing() {
        let mut usage = Usage::default();
        let (render, paint) = (spend("render", 1).charge, spend("paint", 1).charge);
        let by_unit = Charge { units: Units::try_from(7).ok(), ..render.clone() };
        let told = |usage: &Usage| {
            let tallies = usage.tallies.iter();
            let told = tallies
                .map(|tally| (tally.action_name().to_owned(), tally.count, tally.units, tally.credits));
            (usage.month.map(|month| month.start), told.collect::<Vec<_>>())
        };
        for (charge, credits, seconds) in [(&render, 3, 0), (&paint, 2, 1), (&by_unit, 4, MONTH - 1)] {
            assert_eq!(usage.count(charge, credits, at(seconds), at(0)), None);
        }
        let first = usage.count(&paint, 5, at(MONTH), at(0)).unwrap();
        let run = vec![("render".to_owned(), 2, 7, 7), ("paint".to_owned(), 1, 0, 2)];
        assert_eq!(told(&first), (Some(at(0)), run));
        assert_eq!(told(&usage), (Some(at(MONTH)), vec![("paint".to_owned(), 1, 0, 5)]));
        // Months in which nothing was run are not there.
        let second = usage.count(&render, 1, at(5 * MONTH), at(0)).unwrap();
        assert_eq!(second.month.map(|month| month.start), Some(at(MONTH)));
        assert!(usage.month.is_some_and(|month| month.start <= at(5 * MONTH) && at(5 * MONTH) < month.end));
    }

    #[test]
    fn the_last_month_ends_with_the_ledgers_time() {
        let anchor = "2027-01-31T08:00:00Z".parse().unwrap();
        let charge = spend("render", 3).charge;
        let mut usage = Usage::default();
        assert_eq!(usage.count(&charge, 3, "9999-12-31T07:59:59Z".parse().unwrap(), anchor), None);
        let closed = usage.count(&charge, 3, "9999-12-31T08:00:00Z".parse().unwrap(), anchor).unwrap();
        assert_eq!((closed.tallies.len(), closed.month.unwrap().end), (1, usage.month.unwrap().start));
        assert_eq!(usage.count(&charge, 3, moment::LAST, anchor), None);
        assert_eq!((usage.tallies[0].count, usage.month.unwrap().end), (2, moment::LAST));
    }
}
