//! What is asked of the [`Model`], worked out anew each time.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::{
    super::*,
    model::{Model, Parcel},
};

impl Model {
    pub fn last_at(&self) -> Option<DateTime<Utc>> {
        self.entries.last().map(|entry| entry.at)
    }

    pub fn lot(&self, number: LotNumber) -> Option<&Parcel> {
        self.lots.iter().find(|lot| lot.number == number)
    }

    pub fn balance(&self) -> i128 {
        self.lots.iter().map(|lot| lot.remaining).sum()
    }

    pub fn held(&self) -> i128 {
        self.lots.iter().map(|lot| lot.held).sum()
    }

    /// What could be spent, less what is owed: below zero where more is owed.
    pub fn free(&self, at: DateTime<Utc>) -> i128 {
        let active = self.lots.iter().filter(|lot| lot.is_active(at));
        active.map(|lot| lot.remaining).sum::<i128>() - self.debt
    }

    pub fn is_unlimited(&self, at: DateTime<Utc>) -> bool {
        self.unlimited_until.is_some_and(|until| at < until) || self.is_on_unlimited_plan(at)
    }

    /// Takes so much in spend order, as far as there is any.
    pub fn drawn(&self, amount: i128, at: DateTime<Utc>) -> Vec<(LotNumber, i128)> {
        let mut lots: Vec<_> =
            self.lots.iter().filter(|lot| lot.is_active(at) && lot.remaining > 0).collect();
        lots.sort_by_key(|lot| lot.place());
        let mut missing = amount;
        let mut drawn = Vec::new();
        for lot in lots {
            let part = missing.min(lot.remaining);
            missing -= part;
            drawn.extend((part > 0).then_some((lot.number, part)));
        }
        drawn
    }

    /// How many spends and holds there were in the same UTC hour or day.
    pub fn uses(&self, window: TimeDelta, now: DateTime<Utc>) -> usize {
        let start = |at: DateTime<Utc>| at.duration_trunc(window).expect("an hour or a day");
        let is_use = |entry: &&Entry| matches!(entry.kind, Kind::Spend(_) | Kind::Hold { .. });
        self.entries.iter().filter(is_use).filter(|entry| start(entry.at) == start(now)).count()
    }

    /// What a spend or a capture took, lot by lot, first taken first; `None` where there is no such spend.
    pub fn takes(&self, spend: Version) -> Option<Vec<(LotNumber, i128)>> {
        let entry = self.entries.iter().find(|entry| entry.version == spend)?;
        if !matches!(entry.kind, Kind::Spend(_) | Kind::Capture { .. }) {
            return None;
        }
        let taken = |part: &Movement| (part.lot, -i128::from(part.change) - i128::from(part.held));
        Some(entry.movements.iter().map(taken).filter(|(_, part)| *part > 0).collect())
    }

    /// What came back of a spend so far, in whatever form.
    pub fn refunded(&self, spend: Version) -> i128 {
        let refunds = self.entries.iter().filter(|entry| entry.kind == Kind::Refund { spend });
        let came = refunds.flat_map(|entry| &entry.movements).filter(|part| part.change > 0);
        came.map(|part| i128::from(part.change)).sum()
    }
}
