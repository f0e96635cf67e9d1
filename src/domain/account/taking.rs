//! What is taken from an account without being spent, and given back: voids, and clawbacks (rules 8 and 9).

use chrono::{DateTime, Utc};

use super::{Account, Change, Refusal};
use crate::domain::{
    Amount, Clawback, Credits, Kind, Lot, LotNumber, Movement, Reinstate, Void, WhenSpent,
    entry::{Clawed, Opened},
};

impl Account {
    pub(super) fn void(&self, void: &Void) -> Result<Change, Refusal> {
        let lot = self.lot(void.lot).ok_or(Refusal::UnknownLot)?;
        if lot.held > Credits::ZERO {
            return Err(Refusal::LotHeld);
        }
        if lot.remaining == Credits::ZERO {
            return Err(Refusal::LotEmpty);
        }
        let movements = vec![Movement::of(lot.number, -lot.remaining.get())];
        Ok(Change { description: Some(void.reason.clone()), ..Change::new(Kind::Void, movements) })
    }

    pub(super) fn clawback(&self, clawback: &Clawback) -> Result<Change, Refusal> {
        let lot = self.lot(clawback.lot).ok_or(Refusal::UnknownLot)?;
        let (before, total) = (self.clawed(lot.number), clawback.total.credits());
        if total > lot.granted {
            return Err(Refusal::ClawbackTooLarge { granted: lot.granted });
        }
        if total <= before.total() {
            return Err(Refusal::ClawbackUnchanged { total: before.total() });
        }
        let wanted = total.less(before.total());
        let taken = wanted.min(lot.remaining);
        let uncovered = wanted.less(taken);
        let owed = match clawback.when_spent {
            WhenSpent::Debt => uncovered.min(lot.spent(before).less(before.owed)),
            WhenSpent::Forgive => Credits::ZERO,
        };
        self.room_for(owed)?;
        let after = Clawed {
            taken: before.taken.checked_add(taken).ok_or(Refusal::BalanceTooLarge)?,
            owed: before.owed.checked_add(owed).ok_or(Refusal::BalanceTooLarge)?,
            forgiven: before.forgiven.checked_add(uncovered.less(owed)).ok_or(Refusal::BalanceTooLarge)?,
        };
        Ok(Change {
            debt_change: owed.get(),
            description: Some(clawback.reason.clone()),
            ..Change::new(Kind::Clawback(after), vec![Movement::of(lot.number, -taken.get())])
        })
    }

    /// The reverse, in the reverse order: what was forgiven, then what is owed, then what was taken. Debt that
    /// was paid since comes back as a lot of its own: other lots have paid it.
    pub(super) fn reinstate(&self, reinstate: &Reinstate, now: DateTime<Utc>) -> Result<Change, Refusal> {
        let lot = self.lot(reinstate.lot).ok_or(Refusal::UnknownLot)?;
        let before = self.clawed(lot.number);
        if reinstate.total >= before.total() {
            return Err(Refusal::ClawbackUnchanged { total: before.total() });
        }
        let back = before.total().less(reinstate.total);
        let forgiven = back.min(before.forgiven);
        let owed = back.less(forgiven).min(before.owed);
        let taken = back.less(forgiven).less(owed);
        let unpaid = owed.min(self.debt());
        let paid = owed.less(unpaid);
        self.room_for(taken.checked_add(paid).ok_or(Refusal::BalanceTooLarge)?)?;

        let mut movements = vec![Movement::of(lot.number, taken.get())];
        let opened = Amount::try_from(paid.get()).ok().map(|paid| {
            let number = self.standing.last_lot.next();
            movements.push(Movement::of(number, paid.get()));
            lot.again(number, now)
        });
        let after = Clawed {
            taken: before.taken.less(taken),
            owed: before.owed.less(owed),
            forgiven: before.forgiven.less(forgiven),
        };
        Ok(Change {
            opened,
            debt_change: -unpaid.get(),
            description: Some(reinstate.reason.clone()),
            ..Change::new(Kind::Reinstatement(after), movements)
        })
    }
}

impl Lot {
    /// What of it was spent, or is set aside to be.
    fn spent(&self, clawed: Clawed) -> Credits {
        self.granted.less(self.remaining).less(self.lost).less(clawed.taken)
    }

    /// A lot of the same kind that begins now. Where this one has lapsed, it never expires: it replaces
    /// credits that had not.
    fn again(&self, number: LotNumber, now: DateTime<Utc>) -> Opened {
        Opened {
            lot: number,
            source: self.source,
            priority: self.priority,
            effective_at: now,
            expires_at: self.expires_at.filter(|expires_at| *expires_at > now),
        }
    }
}
