//! Whether holds give back what they set aside (rule 6).

use super::{Broken, Checked, Replay};
use crate::domain::{Allocation, Amount, Entry, Hold, Kind, Movement};

impl Replay {
    /// Whether what is set aside is what is taken from it later, lot by lot.
    pub(super) fn keeps_holds(&mut self, entry: &Entry) -> Checked {
        let of_holds: Vec<&Movement> = entry.movements.iter().filter(|movement| movement.held != 0).collect();
        match &entry.kind {
            Kind::Hold { charge, until } => {
                let number = entry.version;
                let set_aside = |part: &&Movement| {
                    let amount = Amount::try_from(part.held).ok().filter(|_| part.change == -part.held);
                    amount.map(|amount| Allocation { lot: part.lot, amount })
                };
                let allocations: Option<Vec<Allocation>> = of_holds.iter().map(set_aside).collect();
                let allocations = allocations.ok_or(Broken::Hold(number))?;
                let hold = Hold { number, until: *until, charge: charge.clone(), allocations };
                self.holds.insert(number, hold);
                Ok(())
            }
            Kind::Capture { hold, .. } | Kind::Release { hold } => {
                let set_aside = self.holds.remove(hold).ok_or(Broken::Hold(*hold))?.allocations;
                let set_aside = set_aside.iter().map(|part| (part.lot, part.amount.get()));
                let is_given_back = set_aside.eq(of_holds.iter().map(|part| (part.lot, -part.held)));
                if is_given_back { Ok(()) } else { Err(Broken::Hold(*hold)) }
            }
            _ if of_holds.is_empty() => Ok(()),
            _ => Err(Broken::Hold(entry.version)),
        }
    }
}
