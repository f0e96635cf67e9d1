//! Subscriptions: a plan as it was agreed, and the period that an account is in (rule 16). They hold everything that a
//! renewal takes, so the law needs no catalog for it, and what was agreed stays when the catalog changes.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Amount, Credits, Lot, Priority, Source, calendar,
    catalog::{Allowance, PlanKey, RolloverCap},
    moment,
};

/// What an account is subscribed to, or was: then it has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    pub terms: Terms,
    /// Months are counted from here.
    pub anchor: DateTime<Utc>,
    pub period: Period,
    /// When the plan's credits of this period lapse: at its end, or after the grace of one that may yet be paid.
    pub credits_until: DateTime<Utc>,
    /// The allowance for this period so far. More comes of it where the plan is changed within it.
    pub given: Credits,
    /// At the first end of a period from this moment on, the subscription is not renewed. `None`: it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_until: Option<DateTime<Utc>>,
    pub next: Next,
    /// What the account is on after it: a plan that costs nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Terms>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    /// Until when a month lasts for which a plan that costs nothing brought its allowance, before this one began. On such
    /// a plan itself its period says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_until: Option<DateTime<Utc>>,
}

/// A plan, as it was agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    pub plan: PlanKey,
    /// For each month.
    pub allowance: Allowance,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollover_cap: Option<RolloverCap>,
    pub priority: Priority,
    /// For how many days after an unpaid period its credits live on.
    pub grace_days: u16,
    /// Whether it costs nothing. Whoever goes from such a plan to a paid one begins anew, with a period of their own.
    pub is_free: bool,
}

/// From its start until just before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

/// What happens at the end of the period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    Renew,
    Change(Terms),
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    Active,
    /// The period is over and the next one is not paid; credits live on for the grace.
    PastDue,
    /// It ends with the period.
    Canceled,
    Ended,
}

impl Subscription {
    /// One that begins at `now`, after `before`. Its first period is shorter than a month where the anchor is ahead: a
    /// trial, or the day on which a host bills. `None` where the calendar ends.
    pub fn begin(
        terms: Terms,
        anchor: DateTime<Utc>,
        paid_until: Option<DateTime<Utc>>,
        fallback: Option<Terms>,
        before: Option<&Self>,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let free_until = before.and_then(Self::free_until);
        let (anchor, given) = match free_until.filter(|until| terms.is_free && now < *until) {
            // What this plan brings for the month that is under way was brought before.
            Some(free_until) => (free_until, Credits::ZERO),
            None => (anchor, terms.allowance.credits()),
        };
        let period = Period::after(anchor, now)?;
        Some(Self {
            credits_until: credits_until(&terms, period, paid_until),
            free_until: free_until.filter(|_| !terms.is_free),
            terms,
            anchor,
            period,
            given,
            paid_until,
            next: Next::Renew,
            fallback,
            ended_at: None,
        })
    }

    pub fn state(&self, at: DateTime<Utc>) -> SubscriptionState {
        if self.ended_at.is_some() {
            SubscriptionState::Ended
        } else if self.next == Next::End {
            SubscriptionState::Canceled
        } else if at >= self.period.end {
            SubscriptionState::PastDue
        } else {
            SubscriptionState::Active
        }
    }

    pub fn has_ended(&self) -> bool {
        self.ended_at.is_some()
    }

    /// Whether nothing is paid for at `at` because the plan is unlimited.
    pub fn is_unlimited(&self, at: DateTime<Utc>) -> bool {
        !self.has_ended() && self.terms.allowance == Allowance::Unlimited && at < self.credits_until
    }

    /// When something happens to it by itself: it is renewed, or ends.
    pub fn due_at(&self) -> Option<DateTime<Utc>> {
        if self.has_ended() {
            None
        } else if self.next != Next::End && self.is_unpaid() {
            Some(self.credits_until)
        } else {
            Some(self.period.end)
        }
    }

    /// When it ends, as far as is known by now: where it was ended, or is paid for no longer than this period.
    pub fn ends_at(&self) -> Option<DateTime<Utc>> {
        (self.next == Next::End || self.is_unpaid()).then_some(self.period.end)
    }

    /// The other plan that follows the period, as far as is known by now: one that was asked for, or what follows an end.
    pub fn follows(&self) -> Option<&Terms> {
        let follows = match &self.next {
            _ if self.has_ended() => None,
            _ if self.ends_at().is_some() => self.fallback.as_ref(),
            Next::Change(terms) => Some(terms),
            Next::Renew | Next::End => None,
        };
        follows.filter(|terms| terms.plan != self.terms.plan)
    }

    /// Whether a plan takes the place of this one at once, as one that gives as much or more does.
    pub fn makes_way_for(&self, plan: &PlanKey, allowance: Allowance) -> bool {
        *plan != self.terms.plan && allowance >= self.terms.allowance
    }

    /// What more a larger allowance brings within this period: the difference to what was brought.
    pub fn more(&self, allowance: Allowance) -> Credits {
        allowance.credits().less(self.given)
    }

    /// The terms that were agreed last for a plan: that it is on, or that follows.
    pub fn agreed(&self, plan: &PlanKey) -> Option<&Terms> {
        let next = if let Next::Change(terms) = &self.next { Some(terms) } else { None };
        next.into_iter().chain([&self.terms]).find(|terms| terms.plan == *plan)
    }

    /// What becomes of it by `now` where nobody changes it.
    pub fn settled(&self, now: DateTime<Utc>) -> Self {
        let mut settled = self.clone();
        while settled.due_at().is_some_and(|due_at| due_at <= now) {
            settled = settled.after_period(now);
        }
        settled
    }

    /// What it is once its period is over: in the next one, ended, or what follows in its stead. `now`: periods that
    /// nobody looked at for longer than any books are kept are left out.
    pub fn after_period(&self, now: DateTime<Utc>) -> Self {
        match &self.next {
            Next::Renew if !self.is_unpaid() => self.renewed(&self.terms, now),
            Next::Change(terms) if !self.is_unpaid() => self.renewed(terms, now),
            _ => self.ended(self.due_at().unwrap_or(now)),
        }
    }

    /// What it is once it is ended at `at`: ended, or the plan that costs nothing.
    pub fn ended(&self, at: DateTime<Utc>) -> Self {
        // Within a period, what follows counts its months from the end: those of the anchor would bring it another
        // allowance as soon as the period is over that was cut short.
        let anchor = if at < self.period.end { at } else { self.anchor };
        let begin = |terms| Self::begin(terms, anchor, None, None, Some(self), at);
        let fallback = self.fallback.clone().and_then(begin);
        fallback.unwrap_or_else(|| Self { next: Next::End, ended_at: Some(at), ..self.clone() })
    }

    /// Whether what a lot has are the plan's credits of this period. What is left of the free plan's month is not, even
    /// where both end at the same moment.
    pub fn has(&self, lot: &Lot) -> bool {
        let is_of_free_month = lot.expires_at == self.free_until && lot.effective_at < self.period.start;
        lot.source == Source::Plan && lot.expires_at == Some(self.credits_until) && !is_of_free_month
    }

    /// Until when the month lasts for which a plan that costs nothing brought its allowance last.
    pub(super) fn free_until(&self) -> Option<DateTime<Utc>> {
        if self.terms.is_free { Some(self.period.end) } else { self.free_until }
    }

    /// Its times, for whoever must know that they can be kept.
    pub(super) fn times(&self) -> impl Iterator<Item = DateTime<Utc>> {
        let times = [self.anchor, self.period.start, self.period.end, self.credits_until];
        times.into_iter().chain(self.paid_until).chain(self.ended_at).chain(self.free_until)
    }

    fn is_unpaid(&self) -> bool {
        self.paid_until.is_some_and(|paid_until| paid_until <= self.period.end)
    }

    fn renewed(&self, terms: &Terms, now: DateTime<Utc>) -> Self {
        let is_forgotten = now - self.period.end > PERIODS_KEPT;
        let start = match calendar::this_month(self.anchor, now) {
            Some(this_month) if is_forgotten => this_month.max(self.period.end),
            _ => self.period.end,
        };
        let (terms, fallback) = (terms.clone(), self.fallback.clone());
        let renewed = Self::begin(terms, self.anchor, self.paid_until, fallback, Some(self), start);
        renewed.unwrap_or_else(|| self.ended(start))
    }
}

/// A subscription that nobody has looked at for longer than this goes on with the present month.
const PERIODS_KEPT: TimeDelta = TimeDelta::days(100 * 366);

fn credits_until(terms: &Terms, period: Period, paid_until: Option<DateTime<Utc>>) -> DateTime<Utc> {
    let is_last_paid = paid_until.is_some_and(|paid_until| paid_until <= period.end);
    let grace = TimeDelta::days(if is_last_paid { terms.grace_days.into() } else { 0 });
    (period.end + grace).min(moment::LAST)
}

impl Period {
    /// The month that `at` is in. The last one ends with the ledger's time.
    pub fn around(anchor: DateTime<Utc>, at: DateTime<Utc>) -> Option<Self> {
        let start = calendar::this_month(anchor, at)?;
        let end = calendar::next_month(anchor, start).filter(|end| moment::is_kept(*end));
        Some(Self { start, end: end.unwrap_or(moment::LAST) })
    }

    /// The one that begins at `start` and ends with the month; `None` where the ledger's time does.
    fn after(anchor: DateTime<Utc>, start: DateTime<Utc>) -> Option<Self> {
        let end = calendar::next_month(anchor, start).filter(|end| moment::is_kept(*end))?;
        Some(Self { start, end })
    }
}

impl Terms {
    /// How much of what is left of `allowance` goes on into the next period.
    pub(super) fn rolls_over(&self) -> Credits {
        let (Allowance::Monthly(allowance), Some(cap)) = (self.allowance, self.rollover_cap) else {
            return Credits::ZERO;
        };
        let most = allowance.get().saturating_mul(cap.get().into()).min(Amount::MAX.get());
        Credits::try_from(most).unwrap_or_default().less(allowance.credits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::*;

    const DAY: i64 = 86_400;
    const MONTH: i64 = 31 * DAY;

    fn begun(paid_until: Option<DateTime<Utc>>) -> Subscription {
        Subscription::begin(terms("pro", 100), at(0), paid_until, None, None, at(0)).unwrap()
    }

    #[test]
    fn a_subscription_is_active_in_its_period_past_due_in_its_grace_canceled_or_ended() {
        let paid = begun(Some(at(MONTH)));
        assert_eq!(paid.state(at(0)), SubscriptionState::Active);
        assert_eq!(paid.state(at(MONTH - 1)), SubscriptionState::Active);
        assert_eq!(paid.state(at(MONTH)), SubscriptionState::PastDue);
        let canceled = Subscription { next: Next::End, ..paid.clone() };
        assert_eq!(canceled.state(at(0)), SubscriptionState::Canceled);
        let ended = paid.ended(at(5));
        assert_eq!((ended.ended_at, ended.due_at()), (Some(at(5)), None));
        assert_eq!(ended.state(at(0)), SubscriptionState::Ended);
    }

    #[test]
    fn something_becomes_of_it_at_the_end_of_its_period_or_of_its_grace() {
        assert_eq!(begun(None).due_at(), Some(at(MONTH)));
        assert_eq!(begun(Some(at(MONTH + 1))).due_at(), Some(at(MONTH)));
        let last = begun(Some(at(MONTH)));
        assert_eq!((last.due_at(), last.credits_until), (Some(at(MONTH + 3 * DAY)), at(MONTH + 3 * DAY)));
        assert_eq!(Subscription { next: Next::End, ..last }.due_at(), Some(at(MONTH)));
    }

    #[test]
    fn what_follows_is_the_plan_that_was_asked_for_or_the_one_after_an_end_and_is_another() {
        let free = Terms { is_free: true, ..terms("free", 5) };
        let small = terms("small", 10);
        let followed = |paid_until, next| {
            let subscription = Subscription { fallback: Some(free.clone()), next, ..begun(paid_until) };
            subscription.follows().map(|terms| terms.plan.to_string())
        };
        let (unpaid, paid) = (Some(at(MONTH)), Some(at(MONTH + 1)));
        assert_eq!(followed(paid, Next::Renew), None);
        assert_eq!(followed(paid, Next::Change(small.clone())), Some("small".into()));
        assert_eq!(followed(paid, Next::Change(terms("pro", 7))), None, "newer terms of the same plan");
        assert_eq!(followed(None, Next::End), Some("free".into()));
        assert_eq!(followed(unpaid, Next::Renew), Some("free".into()));
        assert_eq!(followed(unpaid, Next::Change(small)), Some("free".into()));
        let ended = Subscription { next: Next::End, ..begun(None) }.ended(at(5));
        assert_eq!(ended.follows(), None);
    }

    #[test]
    fn what_is_agreed_of_a_plan_is_what_follows_before_what_there_is() {
        let agreed = |next, plan| {
            let subscription = Subscription { next, ..begun(None) };
            subscription.agreed(&terms(plan, 1).plan).map(|terms| terms.allowance.credits().get())
        };
        assert_eq!(agreed(Next::Renew, "pro"), Some(100));
        assert_eq!(agreed(Next::Change(terms("pro", 150)), "pro"), Some(150), "newer terms");
        assert_eq!(agreed(Next::Change(terms("small", 10)), "small"), Some(10));
        assert_eq!(agreed(Next::Change(terms("small", 10)), "pro"), Some(100));
        assert_eq!(agreed(Next::End, "small"), None);
    }

    #[test]
    fn none_begins_in_the_last_month_of_time() {
        assert_eq!(Subscription::begin(terms("pro", 1), at(0), None, None, None, moment::LAST), None);
    }

    #[test]
    fn what_rolls_over_is_the_cap_without_the_new_allowance_and_no_more_than_a_lot_can_have() {
        let capped = |allowance, cap| {
            let terms = Terms { rollover_cap: RolloverCap::try_from(cap).ok(), ..terms("pro", allowance) };
            terms.rolls_over().get()
        };
        assert_eq!([capped(100, 0), capped(100, 1), capped(100, 2), capped(100, 3)], [0, 0, 100, 200]);
        let most = Amount::MAX.get();
        assert_eq!([capped(most, 2), capped(most - 5, 100)], [0, 5]);
        let unlimited = Terms { allowance: Allowance::Unlimited, ..terms("pro", 1) };
        assert_eq!(unlimited.rolls_over(), Credits::ZERO);
    }
}
