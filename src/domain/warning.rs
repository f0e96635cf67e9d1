//! Warnings: when the holder of an account is to be told that credits run out or lapse, and each time once.
//!
//! Running low is one *spell*: it begins where little is left, and is over once there is clearly more than that again. In
//! a spell there is at most one warning that the account is low and one that it is empty, however often it goes up and
//! down by a credit. Lapsing is told by lot, a week and a day ahead.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Account, Credits, Level, Lot, LotNumber, Subscription, SubscriptionState, catalog::LowBalance,
    level::threshold, subscription::Next,
};

/// How many days before a lot lapses its holder is told, nearest first.
pub const HORIZONS_DAYS: [u8; 2] = [1, 7];

/// The length of the farthest of them.
pub const FARTHEST: TimeDelta = TimeDelta::days(HORIZONS_DAYS[1] as i64);

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    Low,
    Empty,
    Lapsing {
        lot: LotNumber,
        /// Which of [`HORIZONS_DAYS`].
        days: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    pub topic: Topic,
    /// What was available, or what remained in the lot.
    pub credits: Credits,
    pub at: DateTime<Utc>,
    /// Somebody has seen it and wants to see it no more.
    pub is_dismissed: bool,
}

/// What has changed since the warnings that stand were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// The spell is over: its warnings stand no more.
    pub has_recovered: bool,
    pub warnings: Vec<Warning>,
}

impl News {
    pub fn is_none(&self) -> bool {
        !self.has_recovered && self.warnings.is_empty()
    }
}

/// What there is to tell of an account as it is at `now`. `standing`: the warnings of this spell, and those of the open
/// lots. An account on which nothing has happened yet is empty, and no warning.
pub fn news(account: &Account, low_balance: LowBalance, standing: &[Warning], now: DateTime<Utc>) -> News {
    let (available, is_unlimited) = (account.available(now), account.is_unlimited(now));
    let is_in_spell = standing.iter().any(|warning| matches!(warning.topic, Topic::Low | Topic::Empty));
    let has_recovered =
        is_in_spell && (is_unlimited || has_recovered(available, threshold(account, low_balance)));
    let low = match Level::of_account(account, low_balance, now) {
        Level::Low => Some((Topic::Low, available)),
        Level::Empty if account.version().0 > 0 => Some((Topic::Empty, available)),
        Level::Empty | Level::Comfortable => None,
    };
    // Whoever pays nothing loses nothing.
    let lots = account.lots().iter().filter(|_| !is_unlimited);
    let lapsing = lots.filter_map(|lot| Some((lapsing(lot, account.subscription(), now)?, lot.remaining)));
    let is_told = |topic| standing.iter().any(|warning| warning.topic == topic);
    let told = low.into_iter().chain(lapsing).filter(|(topic, _)| !is_told(*topic));
    let warnings = told.map(|(topic, credits)| Warning { topic, credits, at: now, is_dismissed: false });
    News { has_recovered, warnings: warnings.collect() }
}

/// Whether so much is available that a spell is over: more than the threshold by a tenth of it, and by one at least. So
/// credits that come back and are spent again at the threshold are the same spell.
fn has_recovered(available: Credits, threshold: Credits) -> bool {
    let margin = (threshold.get() / 10).max(1);
    available.get() > threshold.get().saturating_add(margin)
}

/// Whether its holder is to be told that a lot lapses: by the nearest horizon that has come, if the lot was there before
/// it came.
fn lapsing(lot: &Lot, subscription: Option<&Subscription>, now: DateTime<Utc>) -> Option<Topic> {
    let expires_at = lot.expires_at.filter(|_| lot.is_active(now) && lot.remaining > Credits::ZERO)?;
    if subscription.is_some_and(|current| goes_on(current, now) && current.has(lot)) {
        return None;
    }
    let days = HORIZONS_DAYS.into_iter().find(|days| expires_at - now <= length(*days))?;
    let life = expires_at - lot.effective_at.max(lot.created_at);
    (life > length(days)).then_some(Topic::Lapsing { lot: lot.number, days })
}

/// Whether the end of the period brings the same credits again, or what is left goes on: then nobody has to hurry.
fn goes_on(subscription: &Subscription, now: DateTime<Utc>) -> bool {
    subscription.state(now) == SubscriptionState::Active && subscription.next != Next::End
}

fn length(days: u8) -> TimeDelta {
    TimeDelta::days(days.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        Act, Adjust, Adjustment, Command, Grant, Source, Subscribe, Terms, Unsubscribe, decide,
        testing::{amount, at, credits, grant, key, new_account, reason, terms},
    };

    const DAY: i64 = 86_400;

    fn two() -> LowBalance {
        LowBalance::Credits(credits(2))
    }

    /// An account and what was told of it.
    struct Holder {
        account: Account,
        standing: Vec<Warning>,
        acts: u32,
    }

    impl Holder {
        fn new() -> Self {
            Self { account: new_account(), standing: Vec::new(), acts: 0 }
        }

        fn acts(&mut self, act: Act, seconds: i64) {
            self.acts += 1;
            let command = Command::new(self.account.id(), key(&self.acts.to_string()), act);
            decide(&mut self.account, &command, at(seconds)).unwrap();
        }

        fn given(mut self, number: i64, expires_at: Option<i64>) -> Self {
            self.acts(Act::Grant(Grant { expires_at: expires_at.map(at), ..grant(number) }), 0);
            self
        }

        /// Brings what is available to `number`.
        fn has(&mut self, number: i64, seconds: i64) {
            let change = number - self.account.available(at(seconds)).get();
            let by = match change {
                0 => return,
                more if more > 0 => Adjustment::Give(amount(more)),
                less => Adjustment::Take(amount(-less)),
            };
            self.acts(Act::Adjust(Adjust { by, reason: reason() }), seconds);
        }

        /// Looks, and remembers what it sees.
        fn looks(&mut self, low_balance: LowBalance, seconds: i64) -> News {
            let mut account = self.account.clone();
            account.settle(at(seconds));
            let news = news(&account, low_balance, &self.standing, at(seconds));
            if news.has_recovered {
                self.standing.retain(|warning| matches!(warning.topic, Topic::Lapsing { .. }));
            }
            self.standing.extend(&news.warnings);
            news
        }

        fn hears(&mut self, seconds: i64) -> Vec<Topic> {
            self.looks(two(), seconds).warnings.iter().map(|warning| warning.topic).collect()
        }

        fn subscribes(&mut self, terms: Terms, seconds: i64) {
            let subscribe =
                Subscribe { terms, anchor: None, paid_until: None, fallback: None, is_trial: false };
            self.acts(Act::Subscribe(subscribe), seconds);
        }

        fn subscribed(mut self) -> Self {
            self.subscribes(terms("pro", 100), 0);
            self
        }

        fn end_of_period(&self) -> i64 {
            (self.account.subscription().unwrap().period.end - at(0)).num_seconds()
        }
    }

    #[test]
    fn hovering_at_the_threshold_is_one_crossing() {
        let mut holder = Holder::new().given(10, None);
        let mut heard = Vec::new();
        for (second, number) in [3, 2, 3, 2, 1, 3, 2].into_iter().enumerate() {
            holder.has(number, second as i64);
            heard.extend(holder.hears(second as i64));
        }
        assert_eq!(heard, [Topic::Low]);
    }

    #[test]
    fn an_account_that_was_comfortable_again_is_warned_again() {
        let mut holder = Holder::new().given(10, None);
        holder.has(2, 1);
        assert_eq!(holder.hears(1), [Topic::Low]);
        holder.has(4, 2);
        assert_eq!(holder.looks(two(), 2), News { has_recovered: true, warnings: Vec::new() });
        assert!(holder.looks(two(), 2).is_none());
        holder.has(1, 3);
        assert_eq!(holder.hears(3), [Topic::Low]);
    }

    #[test]
    fn the_last_credit_is_told_once_in_a_spell_as_well() {
        let mut holder = Holder::new().given(10, None);
        let mut heard = Vec::new();
        for (second, number) in [0, 1, 0, 2, 0, 4, 0].into_iter().enumerate() {
            holder.has(number, second as i64);
            heard.push(holder.hears(second as i64));
        }
        let nothing = Vec::new;
        assert_eq!(
            heard,
            [
                vec![Topic::Empty],
                vec![Topic::Low],
                nothing(),
                nothing(),
                nothing(),
                nothing(),
                vec![Topic::Empty]
            ]
        );
    }

    #[test]
    fn where_nothing_ever_happened_there_is_nothing_to_tell() {
        assert!(Holder::new().looks(two(), 0).is_none());
    }

    #[test]
    fn a_lot_is_told_a_week_and_a_day_before_it_lapses_each_once() {
        let mut holder = Holder::new().given(120, Some(30 * DAY)).given(50, None);
        let lapsing = |days| Topic::Lapsing { lot: LotNumber(1), days };
        assert_eq!(holder.hears(23 * DAY - 1), []);
        assert_eq!(holder.hears(23 * DAY), [lapsing(7)]);
        assert_eq!(holder.hears(24 * DAY), []);
        assert_eq!(holder.hears(29 * DAY), [lapsing(1)]);
        assert_eq!(holder.hears(29 * DAY + 5), []);
        assert_eq!(holder.hears(30 * DAY), []);
        assert_eq!(holder.standing[0].credits, credits(120));
    }

    #[test]
    fn who_looks_late_tells_the_nearest_horizon_alone() {
        let mut holder = Holder::new().given(120, Some(30 * DAY)).given(50, None);
        assert_eq!(holder.hears(30 * DAY - 60), [Topic::Lapsing { lot: LotNumber(1), days: 1 }]);
        assert_eq!(holder.hears(30 * DAY - 30), []);
    }

    #[test]
    fn a_lot_has_no_horizon_that_is_longer_than_its_life() {
        let mut holder = Holder::new().given(5, Some(3 * DAY)).given(5, Some(DAY)).given(50, None);
        assert_eq!(holder.hears(0), []);
        assert_eq!(holder.hears(3 * DAY - 60), [Topic::Lapsing { lot: LotNumber(1), days: 1 }]);
    }

    #[test]
    fn a_spent_lot_and_one_that_has_not_begun_lapse_unseen() {
        let mut holder = Holder::new().given(5, Some(30 * DAY));
        let scheduled =
            Grant { effective_at: Some(at(29 * DAY)), expires_at: Some(at(60 * DAY)), ..grant(7) };
        holder.acts(Act::Grant(scheduled), 0);
        holder.has(0, 1);
        assert_eq!(holder.hears(25 * DAY), [Topic::Empty]);
    }

    #[test]
    fn the_credits_of_a_plan_are_told_where_the_plan_ends() {
        let mut goes_on = Holder::new().subscribed();
        let last_hour = goes_on.end_of_period() - 3_600;
        assert_eq!(goes_on.hears(last_hour), []);
        let mut ends = Holder::new().subscribed();
        ends.acts(Act::Unsubscribe(Unsubscribe { at_once: false }), 1);
        assert_eq!(ends.hears(last_hour), [Topic::Lapsing { lot: LotNumber(1), days: 1 }]);
    }

    #[test]
    fn plan_credits_that_do_not_come_again_are_told_though_a_plan_goes_on() {
        let mut holder = Holder::new();
        holder.subscribes(Terms { is_free: true, ..terms("free", 5) }, 0);
        let end_of_free_month = holder.end_of_period();
        assert_eq!(holder.hears(end_of_free_month - DAY), []);
        holder.subscribes(terms("pro", 100), end_of_free_month - DAY);
        let lapsing = |lot| [Topic::Lapsing { lot: LotNumber(lot), days: 1 }];
        assert_eq!(holder.hears(end_of_free_month - DAY), lapsing(1));
        // A host's own, with an end of its own.
        let expires_at = Some(at(end_of_free_month + 5 * DAY));
        holder.acts(Act::Grant(Grant { source: Source::Plan, expires_at, ..grant(7) }), end_of_free_month);
        assert_eq!(holder.hears(end_of_free_month + 4 * DAY), lapsing(3));
    }

    proptest! {
        #[test]
        fn crossings_alternate_with_recoveries(
            threshold in 0_i64..30,
            walk in proptest::collection::vec(0_i64..40, 1..40),
        ) {
            let low_balance = LowBalance::Credits(credits(threshold));
            let mut holder = Holder::new().given(100, None);
            let mut spell: Vec<Topic> = Vec::new();
            for (second, number) in walk.into_iter().enumerate() {
                holder.has(number, second as i64);
                let news = holder.looks(low_balance, second as i64);
                if news.has_recovered {
                    prop_assert!(!spell.is_empty() && number > threshold + 1);
                    spell.clear();
                }
                for warning in &news.warnings {
                    prop_assert!(!spell.contains(&warning.topic));
                    prop_assert_eq!(warning.credits.get(), number);
                    spell.push(warning.topic);
                }
                prop_assert!(number > 0 || spell.contains(&Topic::Empty));
                prop_assert!(number > threshold || !spell.is_empty());
                prop_assert!(holder.looks(low_balance, second as i64).is_none(), "looking twice tells once");
            }
        }
    }
}
