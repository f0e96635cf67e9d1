//! What is kept of an account, against what its entries make of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{Broken, Replay, Violation};
use crate::domain::{Hold, Lot, LotNumber, Version};

impl Replay {
    /// Compares what is kept of the account, every lot and every open hold, with what the entries make of it.
    pub fn compare<'a>(&self, lots: &[Lot], holds: impl IntoIterator<Item = &'a Hold>) -> Vec<Violation> {
        self.compare_where(lots, holds, |_| true)
    }

    /// The same where lots that are not open may be left out.
    #[cfg(test)]
    pub fn compare_open<'a>(
        &self,
        lots: &[Lot],
        holds: impl IntoIterator<Item = &'a Hold>,
    ) -> Vec<Violation> {
        self.compare_where(lots, holds, Lot::is_open)
    }

    fn compare_where<'a>(
        &self,
        lots: &[Lot],
        holds: impl IntoIterator<Item = &'a Hold>,
        must_be_kept: fn(&Lot) -> bool,
    ) -> Vec<Violation> {
        let kept: BTreeMap<LotNumber, &Lot> = lots.iter().map(|lot| (lot.number, lot)).collect();
        let numbers: BTreeSet<&LotNumber> = self.lots.keys().chain(kept.keys()).collect();
        let pairs = numbers.into_iter().map(|number| (kept.get(number).copied(), self.lots.get(number)));
        let mut broken: Vec<Violation> = pairs
            .filter(|(kept, made)| kept != made && (kept.is_some() || made.is_some_and(must_be_kept)))
            .map(|(kept, made)| differs("a lot", InWords(kept), InWords(made)))
            .collect();

        let kept: BTreeMap<Version, &Hold> = holds.into_iter().map(|hold| (hold.number, hold)).collect();
        let made: BTreeMap<Version, &Hold> =
            self.holds.iter().map(|(number, hold)| (*number, hold)).collect();
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
struct InWords<'a>(Option<&'a Lot>);

impl fmt::Display for InWords<'_> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Amount, Credits, Source,
        replay::tests::{entries, history, read},
        testing::*,
    };

    /// What is said of the account as it was kept, after somebody has changed it.
    fn compared(change: impl Fn(&mut Vec<Lot>, &mut Vec<Hold>)) -> Vec<String> {
        let account = history();
        let (mut lots, mut holds) = (account.lots().to_vec(), account.holds().cloned().collect());
        change(&mut lots, &mut holds);
        let found = read(&entries()).unwrap().compare_open(&lots, &holds);
        assert!(found.iter().all(|violation| violation.version.is_none()));
        found.iter().map(ToString::to_string).collect()
    }

    fn number(lots: &mut [Lot], number: i64) -> &mut Lot {
        lots.iter_mut().find(|lot| lot.number.0 == number).unwrap()
    }

    #[test]
    fn a_lot_that_is_kept_otherwise_than_its_entries_make_it_is_found() {
        assert_eq!(compared(|_, _| {}), Vec::<String>::new());
        let edits: [fn(&mut Lot); 9] = [
            |lot| lot.remaining = credits(5),
            |lot| lot.held = Credits::ZERO,
            |lot| lot.lost = credits(1),
            |lot| lot.granted = credits(6),
            |lot| lot.is_void = true,
            |lot| lot.priority.0 = 1,
            |lot| lot.source = Source::Pack,
            |lot| lot.effective_at = at(1),
            |lot| lot.expires_at = Some(at(900)),
        ];
        for (place, edit) in edits.iter().enumerate() {
            assert_eq!(compared(|lots, _| edit(number(lots, 1))).len(), 1, "{place}");
        }
        let said = compared(|lots, _| number(lots, 1).remaining = credits(5));
        let expected = "the account has a lot 1 (bonus 20, 5 of 5 remaining, 2 held, 0 lost, \
                        from 2027-01-15T08:00:00+00:00, begun 2027-01-15T08:00:00+00:00), its entries make \
                        1 (bonus 20, 2 of 5 remaining, 2 held, 0 lost, from 2027-01-15T08:00:00+00:00, \
                        begun 2027-01-15T08:00:00+00:00)";
        assert_eq!(said, [expected]);
    }

    #[test]
    fn an_open_lot_is_kept_and_a_closed_one_need_not_be() {
        assert_eq!(compared(|lots, _| lots.retain(|lot| lot.number.0 != 1)).len(), 1);
        assert_eq!(compared(|lots, _| lots.retain(|lot| lot.number.0 != 2)), Vec::<String>::new());
        // One that no entry ever made is none.
        assert_eq!(compared(|lots, _| lots.push(lot(3, 1))).len(), 1);
    }

    #[test]
    fn a_hold_that_is_kept_otherwise_than_its_entry_makes_it_is_found() {
        assert_eq!(compared(|_, holds| holds.clear()).len(), 1);
        assert_eq!(compared(|_, holds| holds[0].number = Version(3)).len(), 1);
        assert_eq!(compared(|_, holds| holds[0].allocations[0].amount = Amount::MAX).len(), 1);
        assert_eq!(compared(|_, holds| holds[0].allocations[0].lot = LotNumber(2)).len(), 1);
    }
}
