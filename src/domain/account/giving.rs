//! What an account is given: grants, refunds, credits by hand (rules 7 to 9).

use chrono::{DateTime, Utc};

use super::{Account, Change, Refusal};
use crate::domain::{
    Adjust, Adjustment, Amount, Credits, Grant, Kind, LotNumber, Movement, Refund, Source,
    credits::total,
    entry::{Entry, Opened},
};

impl Account {
    pub(super) fn grant(&self, grant: &Grant, now: DateTime<Utc>) -> Result<Change, Refusal> {
        let effective_at = grant.effective_at.unwrap_or(now);
        if grant.expires_at.is_some_and(|expires_at| expires_at <= effective_at.max(now)) {
            return Err(Refusal::ExpiresTooEarly);
        }
        let opened = Opened {
            lot: self.standing.last_lot.next(),
            source: grant.source,
            priority: grant.priority,
            effective_at,
            expires_at: grant.expires_at,
        };
        let change = self.opening(Kind::Grant, opened, grant.amount)?;
        Ok(Change { description: Some(grant.description.clone()), ..change })
    }

    pub(super) fn adjust(&self, adjust: &Adjust, now: DateTime<Utc>) -> Result<Change, Refusal> {
        let change = match adjust.by {
            Adjustment::Give(amount) => {
                let opened = Opened {
                    lot: self.standing.last_lot.next(),
                    source: Source::Adjustment,
                    priority: Source::Adjustment.default_priority(),
                    effective_at: now,
                    expires_at: None,
                };
                self.opening(Kind::Adjustment, opened, amount)?
            }
            Adjustment::Take(amount) => {
                let paid = self.draw(amount, Credits::ZERO, now).map_err(Refusal::Insufficient)?;
                Change::new(Kind::Adjustment, paid.iter().map(super::Allocation::paid).collect())
            }
        };
        Ok(Change { description: Some(adjust.reason.clone()), ..change })
    }

    /// Credits go back to where they were taken from, last taken first (rule 7).
    pub(super) fn refund(&self, refund: &Refund, now: DateTime<Utc>) -> Result<Change, Refusal> {
        let spend = self.past_entry(refund.spend).filter(|entry| entry.kind.is_spend());
        let taken = taken_by(spend.ok_or(Refusal::UnknownSpend)?);
        let spent = total(taken.iter().map(|(_, taken)| taken.credits()));
        let refunded = self.refunded(refund.spend);
        let refundable = spent.less(refunded);
        let amount = refund.amount.map_or(refundable, Amount::credits);
        if amount == Credits::ZERO || amount > refundable {
            return Err(Refusal::RefundTooLarge { refundable });
        }
        self.room_for(amount)?;

        let (mut already, mut left) = (refunded, amount);
        let (mut movements, mut opened, mut renewed) = (Vec::new(), None, Credits::ZERO);
        for (number, taken) in taken.into_iter().rev() {
            let open = taken.credits().less(already);
            already = already.less(taken.credits());
            let back = open.min(left);
            left = left.less(back);
            if back == Credits::ZERO {
                continue;
            }
            let origin = self.lot(number).expect("the lots that a refund concerns are loaded");
            match refund.grace {
                Some(grace) if origin.is_void || origin.has_lapsed(now) => {
                    renewed = renewed.checked_add(back).expect("the parts are within the whole");
                    opened.get_or_insert(Opened {
                        lot: self.standing.last_lot.next(),
                        source: origin.source,
                        priority: origin.priority,
                        effective_at: now,
                        expires_at: Some(now + grace.get()),
                    });
                }
                _ => movements.push(Movement::of(number, back.get())),
            }
        }
        movements.extend(opened.map(|opened| Movement::of(opened.lot, renewed.get())));
        let kind = Kind::Refund { spend: refund.spend };
        Ok(Change { opened, description: Some(refund.reason.clone()), ..Change::new(kind, movements) })
    }

    /// A new lot. What the account owes is paid from it first (rule 9).
    pub(super) fn opening(&self, kind: Kind, opened: Opened, amount: Amount) -> Result<Change, Refusal> {
        self.room_for(amount.credits())?;
        let paid = self.debt().min(amount.credits());
        let mut movements = vec![Movement::of(opened.lot, amount.get())];
        if paid > Credits::ZERO {
            movements.push(Movement::of(opened.lot, -paid.get()));
        }
        Ok(Change { opened: Some(opened), debt_change: -paid.get(), ..Change::new(kind, movements) })
    }

    /// Everything that an account has and owes together stays within one number.
    pub(super) fn room_for(&self, more: Credits) -> Result<(), Refusal> {
        let all = [self.held, self.debt(), more];
        let sum = all.into_iter().try_fold(self.balance, Credits::checked_add);
        sum.map(drop).ok_or(Refusal::BalanceTooLarge)
    }
}

/// What an entry took for good, lot by lot, in the order in which it did.
fn taken_by(entry: &Entry) -> Vec<(LotNumber, Amount)> {
    entry.movements.iter().filter_map(|movement| Some((movement.lot, movement.taken()?))).collect()
}
