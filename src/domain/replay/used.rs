//! Usage counted a second time, from nothing but the entries (rule 17).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::{Entry, Tally, calendar, catalog::Units};

/// What was run by month and action.
#[derive(Clone, Debug)]
pub struct Used {
    anchor: DateTime<Utc>,
    tallies: BTreeMap<(DateTime<Utc>, String), Tally>,
}

impl Used {
    /// Months are counted from `anchor`: the account's opening.
    pub fn since(anchor: DateTime<Utc>) -> Self {
        Self { anchor, tallies: BTreeMap::new() }
    }

    pub fn read(&mut self, entry: &Entry) {
        let Some(charge) = entry.kind.charge().filter(|_| entry.kind.is_spend()) else { return };
        let Some(month) = calendar::this_month(self.anchor, entry.at) else { return };
        let action = charge.action.clone();
        let none = || Tally { action: action.clone(), count: 0, units: 0, credits: 0 };
        let name = action.as_ref().map(ToString::to_string).unwrap_or_default();
        let tally = self.tallies.entry((month, name)).or_insert_with(none);
        tally.count += 1;
        tally.units = tally.units.saturating_add(charge.units.map_or(0, Units::get));
        // What is held was set aside before: it leaves the account now.
        tally.credits = tally.credits.saturating_sub(entry.delta() + entry.held_change());
    }

    /// With the month in which each was run.
    pub fn tallies(&self) -> impl Iterator<Item = (DateTime<Utc>, &Tally)> {
        self.tallies.iter().map(|((month, _), tally)| (*month, tally))
    }
}
