//! What is kept of an account, against what its entries make of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{Broken, Replay, Violation};
use crate::domain::{Hold, Lot, LotNumber, Version};

impl Replay {
    /// Compares what is kept of the account, every lot and every open hold, with what the entries make of it.
    pub fn compare(&self, lots: &[Lot], holds: &[Hold]) -> Vec<Violation> {
        self.compare_where(lots, holds, |_| true)
    }

    /// The same where lots that are not open may be left out.
    pub fn compare_open(&self, lots: &[Lot], holds: &[Hold]) -> Vec<Violation> {
        self.compare_where(lots, holds, Lot::is_open)
    }

    fn compare_where(&self, lots: &[Lot], holds: &[Hold], must_be_kept: fn(&Lot) -> bool) -> Vec<Violation> {
        let kept: BTreeMap<LotNumber, &Lot> = lots.iter().map(|lot| (lot.number, lot)).collect();
        let numbers: BTreeSet<&LotNumber> = self.lots.keys().chain(kept.keys()).collect();
        let pairs = numbers.into_iter().map(|number| (kept.get(number).copied(), self.lots.get(number)));
        let mut broken: Vec<Violation> = pairs
            .filter(|(kept, made)| kept != made && (kept.is_some() || made.is_some_and(must_be_kept)))
            .map(|(kept, made)| differs("a lot", Told(kept), Told(made)))
            .collect();

        let kept: BTreeMap<Version, Vec<(LotNumber, i64)>> = holds
            .iter()
            .map(|hold| {
                let parts = hold.allocations.iter().map(|part| (part.lot, part.amount.get()));
                (hold.number, parts.collect())
            })
            .collect();
        let parts_of =
            |parts: &Vec<super::Movement>| parts.iter().map(|part| (part.lot, part.held)).collect();
        let made: BTreeMap<Version, Vec<(LotNumber, i64)>> =
            self.holds.iter().map(|(number, parts)| (*number, parts_of(parts))).collect();
        if kept != made {
            broken.push(differs("holds", format!("{kept:?}"), format!("{made:?}")));
        }
        broken
    }
}

fn differs(what: &'static str, kept: impl fmt::Display, made: impl fmt::Display) -> Violation {
    Violation { version: None, what: Broken::Kept(what, kept.to_string(), made.to_string()) }
}

/// A lot in words, or that there is none.
struct Told<'a>(Option<&'a Lot>);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(lot) = self.0 else { return f.write_str("not there") };
        let Lot { number, source, priority, granted, remaining, held, lost, .. } = lot;
        write!(f, "{} ({} {}", number.0, source.as_str(), priority.0)?;
        write!(f, ", {} of {} remaining", remaining.get(), granted.get())?;
        write!(f, ", {} held, {} lost", held.get(), lost.get())?;
        write!(f, ", from {}", lot.effective_at.to_rfc3339())?;
        if let Some(expires_at) = lot.expires_at {
            write!(f, " to {}", expires_at.to_rfc3339())?;
        }
        write!(f, ", begun {}", lot.created_at.to_rfc3339())?;
        if lot.is_void { f.write_str(", void)") } else { f.write_str(")") }
    }
}
