//! What is open on an account: its lots and holds, and when each of them falls due. Everything that a command
//! asks here for is found without going through all of it, so that an account with a thousand lots is not slower
//! than one with one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::domain::{Credits, Hold, Lot, LotNumber, Version};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Open {
    /// In spend order. At least every open lot.
    lots: Vec<Lot>,
    /// How many of these are not open.
    ended: usize,
    /// Every open hold.
    holds: BTreeMap<Version, Hold>,
    /// What will happen by itself, and when.
    agenda: BTreeSet<(DateTime<Utc>, Due)>,
    /// When the subscription's period is over, as it stands in the agenda.
    end_of_period: Option<DateTime<Utc>>,
}

/// Something that falls due, in the order in which things of one moment happen: a hold that runs out gives back
/// to its lots, and what rolls over leaves them, before these lapse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Hold(Version),
    Period,
    Lot(LotNumber),
}

impl Open {
    /// `lots` and `holds` may come in any order.
    pub fn new(mut lots: Vec<Lot>, holds: Vec<Hold>) -> Self {
        lots.sort_unstable_by(Lot::spend_order);
        let agenda = holds.iter().map(due_of_hold).chain(lots.iter().filter_map(due_of_lot)).collect();
        let ended = lots.iter().filter(|lot| !lot.is_open()).count();
        let holds = holds.into_iter().map(|hold| (hold.number, hold)).collect();
        Self { lots, ended, holds, agenda, end_of_period: None }
    }

    pub fn lots(&self) -> &[Lot] {
        &self.lots
    }

    /// From the front: what moves is mostly what is spent next.
    pub fn lot(&self, number: LotNumber) -> Option<&Lot> {
        self.lots.iter().find(|lot| lot.number == number)
    }

    pub fn holds(&self) -> &BTreeMap<Version, Hold> {
        &self.holds
    }

    pub fn next_due(&self) -> Option<(DateTime<Utc>, Due)> {
        self.agenda.first().copied()
    }

    pub fn has_ended_lots(&self) -> bool {
        self.ended > 0
    }

    pub fn drop_ended_lots(&mut self) {
        self.lots.retain(Lot::is_open);
        self.ended = 0;
    }

    pub fn add_lot(&mut self, lot: Lot) {
        self.ended += usize::from(!lot.is_open());
        self.agenda.extend(due_of_lot(&lot));
        let place = self.lots.partition_point(|other| other.spend_order(&lot).is_lt());
        self.lots.insert(place, lot);
    }

    /// Changes what is in a lot; its place in the spend order stays what it was.
    pub fn change_lot(&mut self, number: LotNumber, change: impl FnOnce(&mut Lot)) {
        let lot = self.lots.iter_mut().find(|lot| lot.number == number).expect("the lot was chosen here");
        let (was_open, was_due) = (lot.is_open(), due_of_lot(lot));
        change(lot);
        match (was_open, lot.is_open()) {
            (true, false) => self.ended += 1,
            (false, true) => self.ended -= 1,
            _ => {}
        }
        let due = due_of_lot(lot);
        if due != was_due {
            if let Some(was_due) = was_due {
                self.agenda.remove(&was_due);
            }
            self.agenda.extend(due);
        }
    }

    /// Lets a lot lapse at `at`, earlier than it would have. Its place in the spend order changes with that.
    pub fn end_lot(&mut self, number: LotNumber, at: DateTime<Utc>) {
        let place = self.lots.iter().position(|lot| lot.number == number).expect("the lot was chosen here");
        let lot = self.lots.remove(place);
        self.ended -= usize::from(!lot.is_open());
        if let Some(due) = due_of_lot(&lot) {
            self.agenda.remove(&due);
        }
        self.add_lot(Lot { expires_at: Some(at), ..lot });
    }

    pub fn set_end_of_period(&mut self, at: Option<DateTime<Utc>>) {
        if let Some(before) = self.end_of_period {
            self.agenda.remove(&(before, Due::Period));
        }
        self.end_of_period = at;
        self.agenda.extend(at.map(|at| (at, Due::Period)));
    }

    pub fn add_hold(&mut self, hold: Hold) {
        self.agenda.insert(due_of_hold(&hold));
        self.holds.insert(hold.number, hold);
    }

    pub fn end_hold(&mut self, number: Version) {
        if let Some(hold) = self.holds.remove(&number) {
            self.agenda.remove(&due_of_hold(&hold));
        }
    }
}

fn due_of_hold(hold: &Hold) -> (DateTime<Utc>, Due) {
    (hold.until, Due::Hold(hold.number))
}

/// When what is in a lot is lost, if it will be. In a void one nothing may stay at all.
fn due_of_lot(lot: &Lot) -> Option<(DateTime<Utc>, Due)> {
    let ends_at = if lot.is_void { Some(DateTime::<Utc>::MIN_UTC) } else { lot.expires_at };
    ends_at.filter(|_| lot.remaining > Credits::ZERO).map(|at| (at, Due::Lot(lot.number)))
}
