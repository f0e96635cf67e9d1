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
        let last = self.subscription.as_deref();
        let before = last.filter(goes_on);
        let given = before.map_or(Credits::ZERO, |before| before.given);
        let is_of_period = before.is_some() || after.period.start == entry.at;
        if !is_of_period || after.has_ended() {
            return Err(Broken::Subscription("it is not of its period"));
        }
        if before.is_none() {
            brings_free_once(last, after)?;
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
        brings_free_once(Some(&before), after)?;
        let opened = entry.opened.map(|opened| opened.lot);
        let is_of_before =
            |lot: &Lot| before.has(lot) && Some(lot.number) != opened && lot.effective_at <= entry.at;
        let mut rolled = Credits::ZERO;
        for movement in entry.movements.iter().filter(|movement| Some(movement.lot) != opened) {
            let lot = self.lots.get(&movement.lot).ok_or(Broken::NoLot(movement.lot))?;
            let more = rolled.changed_by(-movement.change).filter(|_| is_of_before(lot));
            rolled = more.ok_or(Broken::Subscription("what rolls over is not of its period"))?;
        }
        let cap = after.terms.rollover_cap.map_or(1, |cap| i128::from(cap.get()));
        let is_within = match after.terms.allowance {
            Allowance::Monthly(allowance) if after.given > Credits::ZERO => {
                i128::from(rolled.get()) <= (cap - 1) * i128::from(allowance.get())
            }
            _ => rolled == Credits::ZERO,
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
            .filter(|lot| is_of_before(lot) && lot.is_open() && !lot.is_void)
            .map(|lot| lot.number)
            .collect();
        for number in left {
            let lot = self.lots.get_mut(&number).ok_or(Broken::NoLot(number))?;
            let is_stocked = self.stocked.remove(&lot.rank());
            lot.expires_at = Some(entry.at);
            if is_stocked {
                self.stocked.insert(lot.rank());
            }
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

/// Whether a plan that costs nothing brings its allowance only once for a month.
fn brings_free_once(before: Option<&Subscription>, after: &Subscription) -> Checked {
    let brought_until = before.and_then(Subscription::free_until);
    let is_month_over = brought_until.is_none_or(|until| until <= after.period.start);
    if is_month_over || !after.terms.is_free || after.has_ended() || after.given == Credits::ZERO {
        Ok(())
    } else {
        Err(Broken::Subscription("its free allowance comes twice in a month"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Act, Kind, Subscribe, Terms, Unsubscribe,
        catalog::RolloverCap,
        decide,
        replay::tests::{read, relinked, verdict},
        testing::*,
    };

    const DAY: i64 = 86_400;
    const MONTH: i64 = 31 * DAY;

    /// 1 begins a plan of 100 that rolls over once · 2 spends 30 · 3 grants 90 · 4 is the renewal to lot 3 with 70 of
    /// lot 1 · 5 that to lot 4 with 100 of lot 3 · 6 is the end of what is left of lot 3.
    fn history() -> Vec<Entry> {
        let mut account = new_account();
        let terms = Terms { rollover_cap: RolloverCap::try_from(2).ok(), ..terms("rolling", 100) };
        let subscribe = Subscribe { terms, anchor: None, paid_until: None, fallback: None, is_trial: false };
        let acts = [Act::Subscribe(subscribe), Act::Spend(spend("render", 30)), Act::Grant(grant(90))];
        for (place, act) in acts.into_iter().enumerate() {
            let command = command(&account, &format!("act-{place}"), act);
            decide(&mut account, &command, at(0)).unwrap();
        }
        account.settle(at(MONTH + 28 * DAY));
        account.journal().iter().map(|entry| Entry::clone(entry)).collect()
    }

    /// What is found where one entry is changed by somebody who makes balances and links anew.
    fn found(version: usize, edit: impl Fn(&mut Entry)) -> Broken {
        let mut entries = history();
        edit(&mut entries[version - 1]);
        let (place, what) = verdict(&relinked(entries));
        assert_eq!(place, version as i64, "{what}");
        what
    }

    fn subscription(entry: &mut Entry) -> &mut Subscription {
        match &mut entry.kind {
            Kind::Subscription(after) | Kind::Renewal(after) => Arc::make_mut(after),
            kind => panic!("{kind:?}"),
        }
    }

    const NOT_AGREED: Broken = Broken::Subscription("what it brings is not what was agreed");
    const NOT_OF_ITS_PERIOD: Broken = Broken::Subscription("it is not of its period");
    const ROLLS_NOT_OF_IT: Broken = Broken::Subscription("what rolls over is not of its period");
    const TOO_MUCH: Broken = Broken::Subscription("more rolls over than the cap allows");

    #[test]
    fn an_honest_history_of_a_subscription_is_found_whole() {
        let books = read(&history()).unwrap();
        let lots: Vec<_> = books.lots().map(|lot| (lot.granted.get(), lot.remaining.get())).collect();
        assert_eq!(lots, [(100, 0), (90, 90), (170, 0), (200, 200)]);
        assert_eq!(relinked(history()), history());
    }

    #[test]
    fn more_than_the_cap_that_rolls_over_is_found() {
        let more = |entry: &mut Entry| {
            entry.movements[0].change += 1;
            entry.movements[1].change -= 1;
        };
        assert_eq!(found(5, more), TOO_MUCH);
        assert_eq!(found(5, |entry| subscription(entry).terms.rollover_cap = None), TOO_MUCH);
        assert_eq!(found(5, |entry| subscription(entry).terms.allowance = Allowance::Unlimited), TOO_MUCH);
    }

    #[test]
    fn a_lot_that_is_not_what_was_agreed_is_found() {
        for version in [1, 4] {
            let opened = |entry: &mut Entry| entry.opened.expect("it begins a lot");
            assert_eq!(found(version, |entry| entry.movements[0].change += 1), NOT_AGREED);
            let edits: [fn(&mut crate::domain::entry::Opened); 4] = [
                |opened| opened.source = Source::Bonus,
                |opened| opened.priority.0 = 31,
                |opened| opened.effective_at = at(9),
                |opened| opened.expires_at = None,
            ];
            for edit in edits {
                let edited = |entry: &mut Entry| {
                    let mut terms = opened(entry);
                    edit(&mut terms);
                    entry.opened = Some(terms);
                };
                assert_eq!(found(version, edited), NOT_AGREED);
            }
        }
        let none = |entry: &mut Entry| {
            entry.opened = None;
            entry.movements.clear();
        };
        assert_eq!(found(1, none), NOT_AGREED);
    }

    #[test]
    fn a_renewal_before_its_time_or_of_nothing_is_found() {
        assert_eq!(
            found(4, |entry| entry.at = at(MONTH - 1)),
            Broken::Subscription("its period was not over")
        );
        let mut entries = history();
        entries[0].kind = Kind::Grant;
        assert_eq!(verdict(&relinked(entries)), (4, Broken::Subscription("there was none")));
    }

    #[test]
    fn periods_that_overlap_or_began_at_another_time_are_found() {
        assert_eq!(
            found(4, |entry| subscription(entry).period.start = at(MONTH - DAY)),
            Broken::Subscription("its periods overlap")
        );
        assert_eq!(found(1, |entry| subscription(entry).period.start = at(-DAY)), NOT_OF_ITS_PERIOD);
        assert_eq!(found(1, |entry| subscription(entry).ended_at = Some(at(0))), NOT_OF_ITS_PERIOD);
    }

    #[test]
    fn a_free_allowance_that_comes_twice_in_a_month_is_found() {
        let mut account = new_account();
        let free = Terms { is_free: true, ..terms("free", 5) };
        let begin =
            |terms| Subscribe { terms, anchor: None, paid_until: None, fallback: None, is_trial: false };
        let acts = [
            Act::Subscribe(begin(free.clone())),
            Act::Subscribe(Subscribe { fallback: Some(free), ..begin(terms("pro", 100)) }),
            Act::Unsubscribe(Unsubscribe { at_once: true }),
        ];
        for (place, act) in acts.into_iter().enumerate() {
            let command = command(&account, &format!("act-{place}"), act);
            decide(&mut account, &command, at(DAY * place as i64)).unwrap();
        }
        let mut entries: Vec<_> = account.journal().iter().map(|entry| Entry::clone(entry)).collect();
        assert!(read(&entries).is_ok());
        subscription(&mut entries[2]).given = credits(5);
        let twice = Broken::Subscription("its free allowance comes twice in a month");
        assert_eq!(verdict(&relinked(entries)), (3, twice));
    }

    #[test]
    fn credits_that_roll_over_from_a_lot_that_is_not_of_the_period_are_found() {
        assert_eq!(found(4, |entry| entry.movements[1].lot = LotNumber(2)), ROLLS_NOT_OF_IT);
    }
}
