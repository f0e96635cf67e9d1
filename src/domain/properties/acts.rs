//! What the [`Model`] makes of each command: a change, or a refusal. Written from the prose of the law alone;
//! where that leaves something open, a comment says how it is read here.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    super::{Shortfall, entry::Opened, *},
    model::{Back, Draft, Model, Parcel, Parked, count, moved, small},
};

type Judged = Result<Draft, Refusal>;

impl Model {
    pub fn judge(&self, act: &Act, now: DateTime<Utc>) -> Judged {
        match act {
            Act::Grant(grant) => self.grant(grant, now),
            Act::Spend(spend) => self.spend(spend, now),
            Act::Hold(spend, life) => self.hold(spend, life.get(), now),
            Act::Capture(capture) => self.capture(capture, now),
            Act::Release(Release { hold }) => Ok(self.release(self.open_hold(*hold)?)),
            Act::Refund(refund) => self.refund(refund, now),
            Act::Void(void) => self.void(void),
            Act::Adjust(adjust) => self.adjust(adjust, now),
            Act::Clawback(clawback) => self.clawback(clawback),
            Act::Reinstate(reinstate) => self.reinstate(reinstate, now),
            Act::Subscribe(subscribe) => self.subscribe(subscribe, now),
            Act::Unsubscribe(unsubscribe) => self.unsubscribe(*unsubscribe, now),
            Act::Unlimited(Unlimited { until, reason }) => {
                let draft = Draft::moving(Kind::Unlimited { until: *until }, Vec::new());
                Ok(Draft { description: Some(reason.clone()), ..draft })
            }
        }
    }

    /// A grant or an adjustment. Whatever its lot is good for later, it pays debt at once: there is no other
    /// entry in which it could.
    pub fn opening(&self, kind: Kind, terms: Opened, amount: i128) -> Judged {
        self.room_for(amount)?;
        let paid = amount.min(self.debt);
        let mut moves = vec![moved(terms.lot, amount)];
        if paid > 0 {
            moves.push(moved(terms.lot, -paid));
        }
        Ok(Draft { opened: Some(terms), debt_change: -paid, ..Draft::moving(kind, moves) })
    }

    /// What is held comes back some day, so room is kept for it; and for what is owed as well.
    fn room_for(&self, more: i128) -> Result<(), Refusal> {
        let fits = self.balance() + self.held() + self.debt + more <= i64::MAX.into();
        fits.then_some(()).ok_or(Refusal::BalanceTooLarge)
    }

    pub fn next_lot(&self) -> LotNumber {
        LotNumber(self.lots.len() as i64 + 1)
    }

    fn grant(&self, grant: &Grant, now: DateTime<Utc>) -> Judged {
        // A lot may have begun before it was granted, but it has to last beyond that.
        let effective_at = grant.effective_at.unwrap_or(now);
        if grant.expires_at.is_some_and(|ends| ends <= effective_at.max(now)) {
            return Err(Refusal::ExpiresTooEarly);
        }
        let terms = Opened {
            lot: self.next_lot(),
            source: grant.source,
            priority: grant.priority,
            effective_at,
            expires_at: grant.expires_at,
        };
        let draft = self.opening(Kind::Grant, terms, grant.amount.get().into())?;
        Ok(Draft { description: Some(grant.description.clone()), ..draft })
    }

    /// What is missing of so much, where it would have to leave `min_balance`.
    fn shortfall(&self, needed: Amount, min_balance: Credits, at: DateTime<Utc>) -> Option<Shortfall> {
        let free = self.free(at);
        let missing = i128::from(needed.get()) + i128::from(min_balance.get()) - free;
        (missing > 0).then(|| Shortfall {
            needed,
            available: count(free.max(0)),
            min_balance,
            // An amount can't say more than that.
            missing: amount(missing.min(Amount::MAX.get().into())),
        })
    }

    /// What a spend or a hold takes. Unlimited use is use: it counts for caps, but it leaves all there is.
    fn charge(&self, spend: &Spend, now: DateTime<Utc>) -> Result<Vec<(LotNumber, i128)>, Refusal> {
        let Spend { charge: Charge { cost, .. }, agreed, limits, .. } = spend;
        if let Some(agreed) = agreed.filter(|agreed| agreed != cost) {
            return Err(Refusal::PriceChanged { agreed, cost: *cost });
        }
        self.afford(*cost, limits, now)
    }

    pub fn afford(
        &self,
        cost: Amount,
        limits: &Limits,
        now: DateTime<Utc>,
    ) -> Result<Vec<(LotNumber, i128)>, Refusal> {
        for (cap, window) in [(limits.per_hour, TimeDelta::hours(1)), (limits.per_day, TimeDelta::days(1))] {
            if let Some(cap) = cap.filter(|cap| self.uses(window, now) >= *cap as usize) {
                return Err(Refusal::FairUse { cap, resets_at: end_of(window, now) });
            }
        }
        if self.is_unlimited(now) {
            return Ok(Vec::new());
        }
        match self.shortfall(cost, limits.min_balance, now) {
            Some(shortfall) => Err(Refusal::Insufficient(shortfall)),
            None => Ok(self.drawn(cost.get().into(), now)),
        }
    }

    fn spend(&self, spend: &Spend, now: DateTime<Utc>) -> Judged {
        let drawn = self.charge(spend, now)?;
        let moves = drawn.into_iter().map(|(lot, part)| moved(lot, -part)).collect();
        Ok(Draft {
            description: spend.description.clone(),
            ..Draft::moving(Kind::Spend(spend.charge.clone()), moves)
        })
    }

    fn hold(&self, spend: &Spend, life: TimeDelta, now: DateTime<Utc>) -> Judged {
        let drawn = self.charge(spend, now)?;
        if self.holds.len() >= 10_000 {
            return Err(Refusal::TooManyHolds { most: 10_000 });
        }
        let set_aside =
            |(lot, part): (LotNumber, i128)| Movement { lot, change: small(-part), held: small(part) };
        let kind = Kind::Hold { charge: spend.charge.clone(), until: now + life };
        let moves = drawn.into_iter().map(set_aside).collect();
        Ok(Draft { description: spend.description.clone(), ..Draft::moving(kind, moves) })
    }

    fn open_hold(&self, number: Version) -> Result<&Parked, Refusal> {
        let open = self.holds.iter().find(|hold| hold.number == number);
        let is_hold = |entry: &Entry| entry.version == number && matches!(entry.kind, Kind::Hold { .. });
        let refusal =
            if self.entries.iter().any(is_hold) { Refusal::HoldClosed } else { Refusal::UnknownHold };
        open.ok_or(refusal)
    }

    fn capture(&self, capture: &Capture, now: DateTime<Utc>) -> Judged {
        let hold = self.open_hold(capture.hold)?;
        let wanted = capture.amount.unwrap_or(hold.charge.cost);
        let mut left = i128::from(wanted.get());
        let mut moves = Vec::new();
        for &(lot, part) in &hold.parts {
            let taken = left.min(part);
            left -= taken;
            moves.push(Movement { lot, change: small(part - taken), held: small(-part) });
        }
        // What began as free use ends as free use; and what is beyond the hold is used now, unlimited or not.
        if left > 0 && !hold.parts.is_empty() && !self.is_unlimited(now) {
            if let Some(shortfall) = self.shortfall(amount(left), Credits::ZERO, now) {
                return Err(Refusal::Insufficient(shortfall));
            }
            moves.extend(self.drawn(left, now).into_iter().map(|(lot, part)| moved(lot, -part)));
        }
        // The units were those of the price that was held.
        let units = hold.charge.units.filter(|_| wanted == hold.charge.cost);
        let charge = Charge { cost: wanted, units, ..hold.charge.clone() };
        Ok(Draft::moving(Kind::Capture { hold: hold.number, charge }, moves))
    }

    fn refund(&self, refund: &Refund, now: DateTime<Utc>) -> Judged {
        let takes = self.takes(refund.spend).ok_or(Refusal::UnknownSpend)?;
        let mut skipped = self.refunded(refund.spend);
        let refundable = takes.iter().map(|(_, part)| part).sum::<i128>() - skipped;
        let wanted = refund.amount.map_or(refundable, |amount| amount.get().into());
        if wanted > refundable || refundable == 0 {
            return Err(Refusal::RefundTooLarge { refundable: count(refundable) });
        }
        self.room_for(wanted)?;
        let (mut left, mut graced) = (wanted, 0);
        let (mut moves, mut terms) = (Vec::new(), None);
        for (number, part) in takes.into_iter().rev() {
            let before = skipped.min(part);
            skipped -= before;
            let part = left.min(part - before);
            left -= part;
            let lot = self.lot(number).expect("a spend took from lots that were there");
            if part > 0 && lot.has_ended(now) && refund.grace.is_some() {
                graced += part;
                terms = terms.or(Some(lot));
            } else if part > 0 {
                moves.push(moved(number, part));
            }
        }
        let kind = Kind::Refund { spend: refund.spend };
        let mut draft = Draft::moving(kind, moves);
        // Rule 9 lets grants and adjustments pay debt: what comes back like this pays none.
        if let (Some(lot), Some(grace)) = (terms, refund.grace) {
            let opened = Opened { expires_at: Some(now + grace.get()), ..self.again(lot, now) };
            draft.opened = Some(opened);
            draft.moves.push(moved(opened.lot, graced));
        }
        draft.description = Some(refund.reason.clone());
        Ok(draft)
    }

    /// A new lot that is like an old one; it lasts for ever where the old one has lapsed.
    fn again(&self, lot: &Parcel, now: DateTime<Utc>) -> Opened {
        let Parcel { source, priority, to, .. } = *lot;
        let expires_at = to.filter(|to| *to > now);
        Opened { lot: self.next_lot(), source, priority, effective_at: now, expires_at }
    }

    fn void(&self, void: &Void) -> Judged {
        let lot = self.lot(void.lot).ok_or(Refusal::UnknownLot)?;
        if lot.held > 0 {
            return Err(Refusal::LotHeld);
        }
        if lot.remaining == 0 {
            return Err(Refusal::LotEmpty);
        }
        let draft = Draft::moving(Kind::Void, vec![moved(void.lot, -lot.remaining)]);
        Ok(Draft { description: Some(void.reason.clone()), ..draft })
    }

    fn adjust(&self, adjust: &Adjust, now: DateTime<Utc>) -> Judged {
        let source = Source::Adjustment;
        let draft = match adjust.by {
            Adjustment::Give(amount) => {
                let (lot, priority) = (self.next_lot(), source.default_priority());
                let terms = Opened { lot, source, priority, effective_at: now, expires_at: None };
                self.opening(Kind::Adjustment, terms, amount.get().into())?
            }
            // All or nothing, like a spend.
            Adjustment::Take(amount) => match self.shortfall(amount, Credits::ZERO, now) {
                Some(shortfall) => return Err(Refusal::Insufficient(shortfall)),
                None => {
                    let drawn = self.drawn(amount.get().into(), now);
                    let moves = drawn.into_iter().map(|(lot, part)| moved(lot, -part)).collect();
                    Draft::moving(Kind::Adjustment, moves)
                }
            },
        };
        Ok(Draft { description: Some(adjust.reason.clone()), ..draft })
    }

    /// Takes what remains; of the rest what was spent (or is held, to be spent) and is not owed yet becomes
    /// debt, and then what lapsed is let go. What was let go before counts as having lapsed as long as
    /// something has: which credits it was, nobody knows.
    fn clawback(&self, clawback: &Clawback) -> Judged {
        let lot = self.lot(clawback.lot).ok_or(Refusal::UnknownLot)?;
        let (before, total) = (lot.clawed, i128::from(clawback.total.get()));
        if total > lot.granted {
            return Err(Refusal::ClawbackTooLarge { granted: count(lot.granted) });
        }
        if total <= before.total() {
            return Err(Refusal::ClawbackUnchanged { total: count(before.total()) });
        }
        let more = total - before.total();
        let taken = more.min(lot.remaining);
        let spent = lot.granted - lot.remaining - lot.lost - before.taken - before.owed;
        let owed = match clawback.when_spent {
            WhenSpent::Debt => (more - taken).min(spent.max(0)),
            WhenSpent::Forgive => 0,
        };
        self.room_for(owed)?;
        let clawed = Back {
            taken: before.taken + taken,
            owed: before.owed + owed,
            let_go: before.let_go + more - taken - owed,
        };
        // Even where nothing moves: the entry has to say which lot it is about.
        let moves = vec![moved(lot.number, -taken)];
        Ok(Draft {
            debt_change: owed,
            description: Some(clawback.reason.clone()),
            clawed: Some((lot.number, clawed)),
            ..Draft::moving(Kind::Clawback(clawed.told()), moves)
        })
    }

    /// What was clawed back last comes back first: what was let go, then what is owed, then what was taken.
    fn reinstate(&self, reinstate: &Reinstate, now: DateTime<Utc>) -> Judged {
        let lot = self.lot(reinstate.lot).ok_or(Refusal::UnknownLot)?;
        let (before, total) = (lot.clawed, i128::from(reinstate.total.get()));
        if total >= before.total() {
            return Err(Refusal::ClawbackUnchanged { total: count(before.total()) });
        }
        let less = before.total() - total;
        let let_go = less.min(before.let_go);
        let owed = (less - let_go).min(before.owed);
        let taken = less - let_go - owed;
        let forgotten = owed.min(self.debt);
        let paid = owed - forgotten;
        self.room_for(taken + paid)?;
        let clawed =
            Back { taken: before.taken - taken, owed: before.owed - owed, let_go: before.let_go - let_go };
        let mut draft = Draft::moving(Kind::Reinstatement(clawed.told()), vec![moved(lot.number, taken)]);
        // It begins with debt that was paid, so there is none left to pay from it.
        draft.opened = (paid > 0).then(|| self.again(lot, now));
        draft.moves.extend(draft.opened.map(|opened| moved(opened.lot, paid)));
        draft.debt_change = -forgotten;
        draft.description = Some(reinstate.reason.clone());
        draft.clawed = Some((lot.number, clawed));
        Ok(draft)
    }
}

/// When the next UTC hour or day begins.
fn end_of(window: TimeDelta, at: DateTime<Utc>) -> DateTime<Utc> {
    let (seconds, past) = (window.num_seconds(), at.timestamp().rem_euclid(window.num_seconds()));
    DateTime::from_timestamp(at.timestamp() - past + seconds, 0).expect("no test is at the end of time")
}

fn amount(number: i128) -> Amount {
    Amount::try_from(small(number)).expect("between 1 and the most")
}
