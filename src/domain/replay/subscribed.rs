//! Whether subscriptions keep their terms (rule 16): what a period brings, what rolls over, and what ends with it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Broken, Checked, Replay};
use crate::domain::{Credits, Entry, Lot, LotNumber, Source, Subscription, catalog::Allowance, moment};

impl Replay {
    /// A subscription that begins or changes: it brings what its terms say, beyond what they brought before.
    pub(super) fn keeps_subscription(&mut self, entry: &Entry, after: &Arc<Subscription>) -> Checked {
        let last = self.subscription.as_deref();
        // From a plan that costs nothing to one that does is a beginning.
        let goes_on =
            |before: &&Subscription| !before.has_ended() && (!before.terms.is_free || after.terms.is_free);
        let before = last.filter(goes_on);
        let is_of_period = match before {
            Some(before) => after.period == before.period,
            None => after.period.start == entry.at,
        };
        if !is_of_period || after.has_ended() {
            return Err(Broken::Subscription("it is not of its period"));
        }
        let given = before.map_or(Credits::ZERO, |before| before.given);
        self.brings(entry, after, after.given.less(given))?;
        let is_agreed = match before {
            Some(before) => **after == changed(before, after, entry.at),
            // Old ledgers do not say until when the free plan brought its allowance.
            None => {
                [last, None].into_iter().any(|last| begun(last, after, entry.at).as_ref() == Some(&**after))
            }
        };
        if !is_agreed {
            return Err(NOT_AGREED);
        }
        let is_new = before.is_none();
        self.brings_free_once(is_new, after)?;
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
        self.brings_free_once(true, after)?;
        if !follows(&before, after, entry) {
            return Err(NOT_AGREED);
        }
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

    /// Whether a plan that costs nothing brings its allowance only once for a month, whatever subscriptions say of it.
    fn brings_free_once(&mut self, is_new: bool, after: &Subscription) -> Checked {
        if !after.terms.is_free || after.has_ended() {
            return Ok(());
        }
        let brought_until = self.free_until.replace(after.period.end);
        let is_month_over = brought_until.is_none_or(|until| until <= after.period.start);
        if is_month_over || !is_new || after.given == Credits::ZERO {
            Ok(())
        } else {
            Err(Broken::Subscription("its free allowance comes twice in a month"))
        }
    }
}

const NOT_AGREED: Broken = Broken::Subscription("it is not what was agreed");

/// One that begins with what `after` says that was asked for.
fn begun(last: Option<&Subscription>, after: &Subscription, at: DateTime<Utc>) -> Option<Subscription> {
    let Subscription { terms, anchor, paid_until, fallback, .. } = after.clone();
    Subscription::begin(terms, anchor, paid_until, fallback, last, at)
}

/// One that is changed within its period to what `after` says that was asked for.
fn changed(before: &Subscription, after: &Subscription, at: DateTime<Utc>) -> Subscription {
    let Subscription { terms, paid_until, next, fallback, .. } = after.clone();
    let mut changed = Subscription { paid_until, next, fallback, ..before.clone() };
    let is_larger = terms.plan != before.terms.plan && terms.allowance >= before.terms.allowance;
    if is_larger && at < before.period.end {
        // What costs nothing brings no more within its month.
        let allowance = if terms.is_free { Credits::ZERO } else { terms.allowance.credits() };
        changed.given = allowance.max(before.given);
        changed.terms = terms;
    }
    changed
}

/// Whether `after` is what becomes of it when its period is over, or when it is ended at once.
fn follows(before: &Subscription, after: &Subscription, entry: &Entry) -> bool {
    if entry.cause.is_none() {
        // Who was not looked at for a hundred years goes on with the month in which somebody did.
        let last_of_month = after.period.end.checked_sub_signed(TimeDelta::microseconds(1));
        let looked_at = [Some(entry.at), last_of_month, Some(moment::LAST)];
        return looked_at.into_iter().flatten().any(|now| *after == before.after_period(now));
    }
    // In old ledgers what follows an end goes on with the months from before it.
    let in_old_months = before
        .fallback
        .clone()
        .and_then(|terms| Subscription::begin(terms, before.anchor, None, None, Some(before), entry.at));
    *after == before.ended(entry.at) || Some(after) == in_old_months.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Act, Kind, Movement, Period, Subscribe, Terms, Unsubscribe,
        catalog::RolloverCap,
        decide,
        entry::Opened,
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

    const OTHER_LOT: Broken = Broken::Subscription("what it brings is not what was agreed");
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
            assert_eq!(found(version, |entry| entry.movements[0].change += 1), OTHER_LOT);
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
                assert_eq!(found(version, edited), OTHER_LOT);
            }
        }
        let none = |entry: &mut Entry| {
            entry.opened = None;
            entry.movements.clear();
        };
        assert_eq!(found(1, none), OTHER_LOT);
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
        assert_eq!(found(4, |entry| subscription(entry).period.start = at(MONTH - DAY)), NOT_AGREED);
        assert_eq!(found(1, |entry| subscription(entry).period.start = at(-DAY)), NOT_OF_ITS_PERIOD);
        assert_eq!(found(1, |entry| subscription(entry).ended_at = Some(at(0))), NOT_OF_ITS_PERIOD);
    }

    fn free() -> Terms {
        Terms { is_free: true, ..terms("free", 5) }
    }

    fn begin(terms: Terms) -> Subscribe {
        Subscribe { terms, anchor: None, paid_until: None, fallback: Some(free()), is_trial: false }
    }

    /// What these acts leave, one a day.
    fn left_by(acts: &[Act]) -> Vec<Entry> {
        let mut account = new_account();
        for (place, act) in acts.iter().enumerate() {
            let command = command(&account, &format!("act-{place}"), act.clone());
            decide(&mut account, &command, at(DAY * place as i64)).unwrap();
        }
        account.settle(at(2 * MONTH));
        let entries: Vec<_> = account.journal().iter().map(|entry| Entry::clone(entry)).collect();
        assert!(read(&entries).is_ok());
        entries
    }

    /// 1 begins the free plan · 2 begins one of 100 · 3 ends it at once.
    fn free_paid_free() -> Vec<Entry> {
        let acts =
            [Act::Subscribe(begin(free())), Act::Subscribe(begin(terms("pro", 100))), Act::Unsubscribe(NOW)];
        left_by(&acts)
    }

    const NOW: Unsubscribe = Unsubscribe { at_once: true };

    /// Adds a lot of 5 to the third entry: the free allowance, brought again.
    fn free_again(entries: &mut [Entry]) {
        let first = entries[0].clone();
        let after = subscription(&mut entries[2]);
        (after.given, after.anchor, after.period) =
            (credits(5), at(2 * DAY), Period::around(at(2 * DAY), at(2 * DAY)).unwrap());
        after.credits_until = after.period.end;
        let expires_at = Some(after.credits_until);
        let opened = first.opened.map(|opened| Opened {
            lot: LotNumber(3),
            effective_at: at(2 * DAY),
            expires_at,
            ..opened
        });
        entries[2].opened = opened;
        entries[2].movements.insert(0, Movement::of(LotNumber(3), 5));
    }

    #[test]
    fn a_free_allowance_that_comes_twice_in_a_month_is_found() {
        let mut entries = free_paid_free();
        entries.truncate(3);
        free_again(&mut entries);
        let twice = Broken::Subscription("its free allowance comes twice in a month");
        assert_eq!(verdict(&relinked(entries.clone())), (3, twice.clone()));
        // Also where the paid plan does not say that it came before.
        subscription(&mut entries[1]).free_until = None;
        assert_eq!(verdict(&relinked(entries)), (3, twice));
    }

    #[test]
    fn an_old_ledger_without_the_end_of_the_free_month_or_with_the_months_from_before_is_found_whole() {
        let mut entries = free_paid_free();
        entries.truncate(2);
        subscription(&mut entries[1]).free_until = None;
        assert!(read(&relinked(entries)).is_ok());
        let acts = [Act::Subscribe(begin(terms("pro", 100))), Act::Unsubscribe(NOW)];
        let mut entries = left_by(&acts);
        entries.truncate(2);
        let after = subscription(&mut entries[1]);
        (after.anchor, after.period.end, after.credits_until) = (at(0), at(MONTH), at(MONTH));
        if let Some(opened) = &mut entries[1].opened {
            opened.expires_at = Some(at(MONTH));
        }
        assert!(read(&relinked(entries)).is_ok());
    }

    #[test]
    fn a_period_that_brings_more_than_its_terms_say_is_found() {
        for version in [1, 4, 5] {
            let more = |entry: &mut Entry| {
                subscription(entry).given = credits(1_000);
                entry.movements[0].change += 900;
            };
            assert_eq!(found(version, more), NOT_AGREED);
        }
    }

    #[test]
    fn a_renewal_on_terms_that_nobody_agreed_to_is_found() {
        for version in [4, 5] {
            let other = |entry: &mut Entry| subscription(entry).terms.plan = terms("other", 1).plan;
            assert_eq!(found(version, other), NOT_AGREED);
            assert_eq!(found(version, |entry| subscription(entry).terms.grace_days = 9), NOT_AGREED);
            let paid = |entry: &mut Entry| subscription(entry).paid_until = Some(at(9 * MONTH));
            assert_eq!(found(version, paid), NOT_AGREED);
        }
    }

    #[test]
    fn a_renewal_of_what_was_not_paid_for_is_found() {
        let mut entries = history();
        let first = subscription(&mut entries[0]);
        (first.paid_until, first.credits_until) = (Some(at(MONTH)), at(MONTH + 3 * DAY));
        entries[0].opened.as_mut().unwrap().expires_at = Some(at(MONTH + 3 * DAY));
        // As if the grace were over.
        entries.truncate(4);
        entries[3].at = at(MONTH + 3 * DAY);
        entries[3].opened.as_mut().unwrap().effective_at = at(MONTH + 3 * DAY);
        subscription(&mut entries[3]).paid_until = Some(at(MONTH));
        assert_eq!(verdict(&relinked(entries)), (4, NOT_AGREED));
    }

    #[test]
    fn a_change_within_a_period_beyond_what_is_allowed_is_found() {
        let acts = ["small", "large"].map(|plan| terms(plan, if plan == "small" { 100 } else { 300 }));
        let entries = left_by(&acts.map(|terms| Act::Subscribe(begin(terms))));
        let edits: [fn(&mut Subscription); 5] = [
            |after| after.terms.allowance = terms("large", 99).allowance,
            |after| after.terms.plan = terms("small", 1).plan,
            |after| after.anchor = at(1),
            |after| after.credits_until = at(MONTH + 1),
            |after| after.free_until = Some(at(1)),
        ];
        for edit in edits {
            let mut entries = entries[..2].to_vec();
            edit(subscription(&mut entries[1]));
            let until = subscription(&mut entries[1]).credits_until;
            entries[1].opened.as_mut().unwrap().expires_at = Some(until);
            assert_eq!(verdict(&relinked(entries)), (2, NOT_AGREED));
        }
        // Of what costs nothing there is no more within its month.
        let mut entries = left_by(&[
            Act::Subscribe(begin(free())),
            Act::Subscribe(begin(Terms { is_free: true, ..terms("gratis", 9) })),
        ]);
        entries.truncate(2);
        let before = subscription(&mut entries[0]).clone();
        let after = subscription(&mut entries[1]);
        *after = Subscription {
            terms: Terms { is_free: true, ..terms("gratis", 9) },
            given: credits(9),
            ..before
        };
        let opened = entries[0].opened.unwrap();
        entries[1].opened = Some(Opened { lot: LotNumber(2), effective_at: at(DAY), ..opened });
        entries[1].movements = vec![Movement::of(LotNumber(2), 4)];
        assert_eq!(verdict(&relinked(entries)), (2, NOT_AGREED));
    }

    #[test]
    fn credits_that_roll_over_from_a_lot_that_is_not_of_the_period_are_found() {
        assert_eq!(found(4, |entry| entry.movements[1].lot = LotNumber(2)), ROLLS_NOT_OF_IT);
    }
}
