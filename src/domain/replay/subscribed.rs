//! Whether subscriptions keep their terms (rule 16): what a period brings, what rolls over, and what ends with it.

use std::sync::Arc;

use super::{Broken, Checked, Replay};
use crate::domain::{Credits, Entry, Lot, LotNumber, Source, Subscription, catalog::Allowance};

impl Replay {
    /// A subscription that begins or changes: it brings what its terms say, beyond what they brought before.
    pub(super) fn keeps_subscription(&mut self, entry: &Entry, after: &Arc<Subscription>) -> Checked {
        // From a plan that costs nothing to one that does is a beginning.
        let goes_on = |before: &&Subscription| {
            !before.has_ended()
                && before.period == after.period
                && (!before.terms.is_free || after.terms.is_free)
        };
        let before = self.subscription.as_deref().filter(goes_on);
        let given = before.map_or(Credits::ZERO, |before| before.given);
        let is_of_period = before.is_some() || after.period.start == entry.at;
        if !is_of_period || after.has_ended() {
            return Err(Broken::Subscription("it is not of its period"));
        }
        self.brings(entry, after, after.given.less(given))?;
        self.subscription = Some(Arc::clone(after));
        Ok(())
    }

    /// The end of a period.
    pub(super) fn keeps_renewal(&mut self, entry: &Entry, after: &Arc<Subscription>) -> Checked {
        let before = self.subscription.replace(Arc::clone(after)).filter(|before| !before.has_ended());
        let before = before.ok_or(Broken::Subscription("there was none"))?;
        let is_due = entry.cause.is_some() || before.due_at().is_some_and(|due_at| due_at <= entry.at);
        if !is_due {
            return Err(Broken::Subscription("its period was not over"));
        }
        if !after.has_ended() && after.period.start < before.period.end && entry.cause.is_none() {
            return Err(Broken::Subscription("its periods overlap"));
        }
        let opened = entry.opened.map(|opened| opened.lot);
        let is_of_before = |lot: &Lot| {
            lot.source == Source::Plan && Some(lot.number) != opened && before.is_of_period(lot.expires_at)
        };
        let mut rolled = Credits::ZERO;
        for movement in entry.movements.iter().filter(|movement| Some(movement.lot) != opened) {
            let lot = self.lots.get(&movement.lot).ok_or(Broken::NoLot(movement.lot))?;
            let more = rolled.changed_by(-movement.change).filter(|_| is_of_before(lot));
            rolled = more.ok_or(Broken::Subscription("what rolls over is not of its period"))?;
        }
        let cap = after.terms.rollover_cap.map_or(1, |cap| i128::from(cap.get()));
        let is_within = match after.terms.allowance {
            Allowance::Monthly(allowance) => {
                i128::from(rolled.get()) <= (cap - 1) * i128::from(allowance.get())
            }
            Allowance::Unlimited => rolled == Credits::ZERO,
        };
        if !is_within {
            return Err(Broken::Subscription("more rolls over than the cap allows"));
        }
        let given = if after.has_ended() { Credits::ZERO } else { after.given };
        self.brings(entry, after, given.checked_add(rolled).ok_or(Broken::Negative("a renewal"))?)?;
        // What is left of the period ends now.
        let left: Vec<LotNumber> = self
            .lots
            .values()
            .filter(|lot| is_of_before(lot) && lot.remaining > Credits::ZERO && !lot.is_void)
            .map(|lot| lot.number)
            .collect();
        for number in left {
            let lot = self.lots.get_mut(&number).ok_or(Broken::NoLot(number))?;
            self.stocked.remove(&lot.rank());
            lot.expires_at = Some(entry.at);
            self.stocked.insert(lot.rank());
        }
        Ok(())
    }

    /// Whether the lot that begins with the entry is the one that its subscription brings. An account that can hold no
    /// more is brought none.
    fn brings(&self, entry: &Entry, after: &Subscription, credits: Credits) -> Checked {
        let is_whole = match entry.opened {
            Some(opened) => {
                let granted = self.lots.get(&opened.lot).map(|lot| lot.granted);
                granted == Some(credits)
                    && opened.source == Source::Plan
                    && opened.priority == after.terms.priority
                    && opened.effective_at == entry.at
                    && opened.expires_at == Some(after.credits_until)
            }
            None => credits == Credits::ZERO || entry.cause.is_none(),
        };
        if is_whole { Ok(()) } else { Err(Broken::Subscription("what it brings is not what was agreed")) }
    }
}
