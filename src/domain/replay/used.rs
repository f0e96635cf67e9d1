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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Act, Capture, Charge, Grant, Refund, Spend, Version, command::Command, decide, testing::*,
    };

    #[test]
    fn what_was_run_is_counted_by_month_and_action_and_a_refund_changes_nothing() {
        let mut account = new_account();
        let plain = Spend { charge: Charge { action: None, ..spend("any", 2).charge }, ..spend("any", 2) };
        let by_unit = Charge { units: Units::try_from(2_000).ok(), ..spend("render", 4).charge };
        let hold = Act::Hold(Spend { charge: by_unit, ..spend("render", 4) }, Default::default());
        let refund = Refund { spend: Version(2), amount: None, grace: None, reason: reason() };
        let month = 31 * 86_400;
        let acts = [
            (0, Act::Grant(Grant { ..grant(50) })),
            (1, Act::Spend(spend("render", 3))),
            (2, hold),
            (3, Act::Capture(Capture { hold: Version(3), amount: None })),
            (4, Act::Spend(plain)),
            (5, Act::Refund(refund)),
            (month, Act::Spend(spend("render", 1))),
        ];
        let mut used = Used::since(at(0));
        for (place, (seconds, act)) in acts.into_iter().enumerate() {
            let command: Command = command(&account, &format!("act-{place}"), act);
            used.read(&decide(&mut account, &command, at(seconds)).unwrap().entry);
        }
        let told = |(month, tally): (DateTime<Utc>, &Tally)| {
            (month, tally.action_name().to_owned(), tally.count, tally.units, tally.credits)
        };
        let told: Vec<_> = used.tallies().map(told).collect();
        assert_eq!(
            told,
            [
                (at(0), String::new(), 1, 0, 2),
                (at(0), "render".to_owned(), 2, 2_000, 7),
                (at(month), "render".to_owned(), 1, 0, 1),
            ]
        );
    }
}
