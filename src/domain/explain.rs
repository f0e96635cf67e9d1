//! "Explain this charge": which lots an entry took from, in which order, and by which rule that order came
//! about.

use std::sync::Arc;

use super::{Credits, Entry, Kind, Lot, Replay};

/// An entry that took credits, with the lots as they stood before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub entry: Arc<Entry>,
    /// The lots that could pay, in spend order, down to the first that was not needed.
    pub lots: Vec<Considered>,
}

/// A lot that could pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Considered {
    /// As it stood before the entry.
    pub lot: Lot,
    pub taken: Credits,
    /// Why it came before the next one; `None` for the last.
    pub because: Option<Because>,
}

/// What of rule 3 puts one lot before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    LowerPriority,
    ExpiresEarlier,
    Older,
}

impl Explanation {
    /// `before`: the account just before the entry.
    pub fn of(entry: Arc<Entry>, before: &Replay) -> Self {
        let mut lots: Vec<Considered> = Vec::new();
        let could_pay: Vec<&Lot> = match entry.kind {
            Kind::Spend(_) | Kind::Hold { .. } | Kind::Adjustment if entry.opened.is_none() => {
                before.stocked().filter(|lot| lot.is_active(entry.at)).collect()
            }
            // What a capture takes was chosen when it was set aside.
            Kind::Capture { .. } => {
                let taken = entry.movements.iter().filter(|movement| movement.taken().is_some());
                taken.filter_map(|movement| before.lot(movement.lot)).collect()
            }
            _ => Vec::new(),
        };
        for lot in could_pay {
            let taken = taken_from(lot, &entry);
            if let Some(last) = lots.last_mut() {
                last.because = Some(Because::of(&last.lot, lot));
            }
            lots.push(Considered { lot: lot.clone(), taken, because: None });
            if taken == Credits::ZERO {
                break;
            }
        }
        Self { entry, lots }
    }
}

/// What an entry spent of a lot, or set aside.
fn taken_from(lot: &Lot, entry: &Entry) -> Credits {
    let of_lot = entry.movements.iter().filter(|movement| movement.lot == lot.number);
    let taken = of_lot.map(|movement| match entry.kind {
        Kind::Capture { .. } => -(movement.change + movement.held),
        _ => -movement.change,
    });
    Credits::try_from(taken.sum::<i64>()).unwrap_or_default()
}

impl Because {
    fn of(first: &Lot, second: &Lot) -> Self {
        if first.priority != second.priority {
            Self::LowerPriority
        } else if first.expires_at != second.expires_at {
            Self::ExpiresEarlier
        } else {
            Self::Older
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Act, Grant, Priority, decide, testing::*};

    #[test]
    fn a_charge_names_its_lots_in_order_each_with_the_rule_that_put_it_there() {
        let mut account = new_account();
        let grants = [
            grant(5),
            Grant { expires_at: Some(at(90)), ..grant(2) },
            Grant { priority: Priority(10), ..grant(1) },
            grant(7),
        ];
        for (number, grant) in grants.into_iter().enumerate() {
            let command = command(&account, &format!("grant-{number}"), Act::Grant(grant));
            decide(&mut account, &command, at(number as i64)).unwrap();
        }
        let mut before = Replay::new(account.id());
        for entry in account.journal() {
            before.read(entry).unwrap();
        }
        let command = command(&account, "spend", Act::Spend(spend("render", 4)));
        let spent = decide(&mut account, &command, at(9)).unwrap().entry;

        let explained = Explanation::of(spent, &before);
        let lots: Vec<_> =
            explained.lots.iter().map(|part| (part.lot.number.0, part.taken.get(), part.because)).collect();
        assert_eq!(
            lots,
            [
                (3, 1, Some(Because::LowerPriority)),
                (2, 2, Some(Because::ExpiresEarlier)),
                (1, 1, Some(Because::Older)),
                (4, 0, None),
            ]
        );
    }
}
