//! What a subscription gives and takes: its beginning, its changes, and the ends of its periods (rule 16).

use chrono::{DateTime, Utc};

use super::{Account, Change, Refusal};
use crate::domain::{
    Amount, Credits, Kind, Lot, LotNumber, Movement, Source, Subscribe, Subscription, Unsubscribe,
    entry::Opened, subscription::Next,
};

impl Account {
    pub fn subscription(&self) -> Option<&Subscription> {
        self.standing.subscription.as_deref()
    }

    /// The one that has not ended.
    pub fn current_subscription(&self) -> Option<&Subscription> {
        self.subscription().filter(|subscription| !subscription.has_ended())
    }

    /// To be on a plan: to begin, to go on, to have more of it at once, or less of it from the next period on.
    pub(super) fn subscribe(&self, asked: &Subscribe, now: DateTime<Utc>) -> Result<Change, Refusal> {
        let current = self.current_subscription();
        if asked.is_trial && current.is_some_and(|current| !current.terms.is_free) {
            return Err(Refusal::AlreadySubscribed);
        }
        if asked.terms.is_free && asked.paid_until.is_some() {
            return Err(Refusal::NothingToPay);
        }
        let current = current.filter(|current| !current.terms.is_free || asked.terms.is_free);
        let is_repeated = current.is_some_and(|current| current.paid_until == asked.paid_until);
        if !is_repeated && asked.paid_until.is_some_and(|paid_until| paid_until <= now) {
            return Err(Refusal::ExpiresTooEarly);
        }
        let Some(current) = current else { return self.begin(asked, now) };
        let mut after = Subscription {
            paid_until: asked.paid_until,
            fallback: asked.fallback.clone(),
            next: Next::Renew,
            ..current.clone()
        };
        let mut more = Credits::ZERO;
        if asked.terms != current.terms {
            // What costs nothing brings its allowance once for a month, under whatever name.
            let is_larger =
                !asked.terms.is_free && current.makes_way_for(&asked.terms.plan, asked.terms.allowance);
            // A period that is over, and was not paid for until now, is not to bring anything more.
            if !is_larger || now >= current.period.end {
                after.next = Next::Change(asked.terms.clone());
            } else {
                more = current.more(asked.terms.allowance);
                after.given = asked.terms.allowance.credits().max(current.given);
                after.terms = asked.terms.clone();
            }
        }
        if after == *current {
            return Err(Refusal::SubscriptionUnchanged);
        }
        self.granting(Kind::Subscription(after.into()), more, now)
    }

    /// To be on no plan, or on the one that costs nothing: at the end of the period, or at once.
    pub(super) fn unsubscribe(&self, asked: &Unsubscribe, now: DateTime<Utc>) -> Result<Change, Refusal> {
        let current = self.current_subscription();
        // What follows a subscription that ends is not one that anybody can be rid of.
        let current = current.filter(|current| !current.terms.is_free).ok_or(Refusal::NotSubscribed)?;
        if asked.at_once {
            return Ok(self.end_of_period(current.ended(now), now));
        }
        if current.next == Next::End {
            return Err(Refusal::SubscriptionUnchanged);
        }
        let after = Subscription { next: Next::End, ..current.clone() };
        Ok(Change::new(Kind::Subscription(after.into()), Vec::new()))
    }

    /// The end of the period that is due.
    pub(super) fn renewal(&self, at: DateTime<Utc>, now: DateTime<Utc>) -> Change {
        let current = self.subscription().expect("only what is there falls due");
        self.end_of_period(current.after_period(now), at)
    }

    /// The plan's lots that end with this entry before their time: what is left of the period that was before it. `before`:
    /// the subscription until then.
    pub(super) fn lots_left_of(
        &self,
        before: &Subscription,
        opened: Option<Opened>,
        at: DateTime<Utc>,
    ) -> Vec<LotNumber> {
        let is_new = |lot: &&Lot| opened.is_some_and(|opened| opened.lot == lot.number);
        self.lots_of(before, at).filter(|lot| !is_new(lot)).map(|lot| lot.number).collect()
    }

    fn begin(&self, asked: &Subscribe, now: DateTime<Utc>) -> Result<Change, Refusal> {
        let Subscribe { terms, anchor, paid_until, fallback, is_trial: _ } = asked.clone();
        let (anchor, before) = (anchor.unwrap_or(now), self.subscription());
        let begun = Subscription::begin(terms, anchor, paid_until, fallback, before, now);
        let begun = begun.ok_or(Refusal::TimeOutOfRange)?;
        let given = begun.given;
        self.granting(Kind::Subscription(begun.into()), given, now)
    }

    /// The allowance of the period that `after` begins, with what rolls over into it: of what is left, the last to be
    /// spent first.
    fn end_of_period(&self, after: Subscription, at: DateTime<Utc>) -> Change {
        let current = self.subscription().expect("only a subscription has a period");
        let given = if after.has_ended() { Credits::ZERO } else { after.given };
        // Into what brings nothing, nothing rolls over.
        let mut room = if given == Credits::ZERO { Credits::ZERO } else { after.terms.rolls_over() };
        let mut carried = Vec::new();
        for lot in self.lots_of(current, at).rev() {
            let amount = lot.remaining.min(room);
            room = room.less(amount);
            // One that is wholly held ends as well. No other entry says so, since nothing of it lapses now.
            if amount > Credits::ZERO || lot.remaining == Credits::ZERO {
                carried.push(Movement::of(lot.number, -amount.get()));
            }
        }
        let kind = Kind::Renewal(after.into());
        let rolled: i64 = carried.iter().map(|movement| -movement.change).sum();
        let Ok(amount) = Amount::try_from(given.get() + rolled) else { return Change::new(kind, carried) };
        match self.granting(kind.clone(), amount.credits(), at) {
            Ok(mut change) => {
                // The new lot first: what it is granted is its first movement.
                change.movements.splice(1..1, carried);
                change
            }
            // An account that can hold no more is not given more.
            Err(_) => {
                carried.retain(|movement| movement.change == 0);
                Change::new(kind, carried)
            }
        }
    }

    /// A change of the subscription that brings so many credits for its period.
    fn granting(&self, kind: Kind, credits: Credits, now: DateTime<Utc>) -> Result<Change, Refusal> {
        let after = kind.subscription().expect("it is a change of one");
        let Ok(amount) = Amount::try_from(credits.get()) else { return Ok(Change::new(kind, Vec::new())) };
        let opened = Opened {
            lot: self.standing.last_lot.next(),
            source: Source::Plan,
            priority: after.terms.priority,
            effective_at: now,
            expires_at: Some(after.credits_until),
        };
        self.opening(kind, opened, amount)
    }

    /// The open lots of plan credits that have begun and end with those of the subscription's period, in spend order.
    fn lots_of(
        &self,
        subscription: &Subscription,
        at: DateTime<Utc>,
    ) -> impl DoubleEndedIterator<Item = &Lot> {
        self.lots().iter().filter(move |lot| {
            subscription.has(lot) && lot.effective_at <= at && lot.is_open() && !lot.is_void
        })
    }
}
