//! Subscriptions and usage in the [`Model`]: what rules 16 and 17 say, and how they count months.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

use super::{
    super::{catalog::Allowance, entry::Opened, subscription::Next, *},
    model::{Draft, Model, Parcel, has_four_digits, moved},
};

type Judged = Result<Draft, Refusal>;

impl Model {
    /// When something becomes of the subscription: at the end of its period, or of the grace where that was the last
    /// one that is paid for.
    pub fn end_of_period(&self) -> Option<DateTime<Utc>> {
        let current = self.current()?;
        let has_grace = current.next != Next::End && is_unpaid(current);
        Some(if has_grace { current.credits_until } else { current.period.end })
    }

    pub fn subscribe(&self, asked: &Subscribe, now: DateTime<Utc>) -> Judged {
        let pays = self.current().is_some_and(|current| !current.terms.is_free);
        if asked.is_trial && pays {
            return Err(Refusal::AlreadySubscribed);
        }
        if asked.terms.is_free && asked.paid_until.is_some() {
            return Err(Refusal::NothingToPay);
        }
        // Who begins to pay begins anew.
        let current = if pays || asked.terms.is_free { self.current() } else { None };
        let said_before = current.map(|current| current.paid_until);
        if asked.paid_until.is_some_and(|until| until <= now) && said_before != Some(asked.paid_until) {
            return Err(Refusal::ExpiresTooEarly);
        }
        let Some(current) = current else { return self.begin(asked, now) };
        let mut after = Subscription {
            paid_until: asked.paid_until,
            fallback: asked.fallback.clone(),
            // Whoever asks to be on a plan does not ask for an end, nor any more for what was asked before.
            next: Next::Renew,
            ..current.clone()
        };
        let mut more = 0;
        if asked.terms != current.terms {
            // A plan goes by its name: what is agreed anew of the same one is for the next period, as is what costs
            // nothing.
            let is_other = asked.terms.plan != current.terms.plan;
            let is_down = asked.terms.is_free || size(&asked.terms) < size(&current.terms);
            let is_in_grace = current.period.end <= now;
            if !is_other || is_down || is_in_grace {
                after.next = Next::Change(asked.terms.clone());
            } else {
                let (given, allowance) = (i128::from(current.given.get()), monthly(&asked.terms));
                more = (allowance - given).max(0);
                after.given = super::model::count(given + more);
                after.terms = asked.terms.clone();
            }
        }
        if after == *current {
            return Err(Refusal::SubscriptionUnchanged);
        }
        self.bringing(after, Kind::Subscription, more, now)
    }

    fn begin(&self, asked: &Subscribe, now: DateTime<Utc>) -> Judged {
        let anchor = asked.anchor.unwrap_or(now);
        let begun = self.period(&asked.terms, anchor, asked.paid_until, asked.fallback.clone(), now);
        let begun = begun.ok_or(Refusal::TimeOutOfRange)?;
        let given = begun.given.get().into();
        self.bringing(begun, Kind::Subscription, given, now)
    }

    pub fn unsubscribe(&self, asked: Unsubscribe, now: DateTime<Utc>) -> Judged {
        // Of what costs nothing nobody is rid.
        let current = self.current().filter(|current| !current.terms.is_free);
        let current = current.ok_or(Refusal::NotSubscribed)?;
        if asked.at_once {
            Ok(self.turned(current, self.over(current, now), now))
        } else if current.next == Next::End {
            Err(Refusal::SubscriptionUnchanged)
        } else {
            let after = Subscription { next: Next::End, ..current.clone() };
            self.bringing(after, Kind::Subscription, 0, now)
        }
    }

    /// What the end of a period comes to, which is settled at `at`.
    pub fn renewal(&self, at: DateTime<Utc>) -> Draft {
        let current = self.current().expect("only what there is comes to an end");
        let follows = match &current.next {
            Next::End => None,
            _ if is_unpaid(current) => None,
            Next::Renew => Some(&current.terms),
            Next::Change(terms) => Some(terms),
        };
        let after = match follows {
            Some(terms) => {
                let Subscription { anchor, paid_until, fallback, period: last, .. } = current.clone();
                self.period(terms, anchor, paid_until, fallback, last.end)
                    .expect("no test is at the end of time")
            }
            None => self.over(current, self.end_of_period().expect("it has a period")),
        };
        self.turned(current, after, at)
    }

    /// From one period to another, or to none.
    fn turned(&self, before: &Subscription, after: Subscription, at: DateTime<Utc>) -> Draft {
        let has_ended = after.ended_at.is_some();
        let given = if has_ended { 0 } else { i128::from(after.given.get()) };
        let cap = after.terms.rollover_cap.map_or(1, |cap| i128::from(cap.get()));
        // No lot is larger than what can be granted (rule 1).
        let allowance = monthly(&after.terms);
        let mut room =
            if given == 0 { 0 } else { (allowance * cap).min(Amount::MAX.get().into()) - allowance };
        let mut left: Vec<&Parcel> =
            self.lots.iter().filter(|lot| lot.from <= at && self.is_of(lot, before)).collect();
        left.sort_by_key(|lot| std::cmp::Reverse(lot.place()));
        let mut rolled = Vec::new();
        for lot in &left {
            let part = room.min(lot.remaining);
            room -= part;
            // A lot of which nothing remains, since all of it is held, is named as well.
            if part > 0 || lot.remaining == 0 {
                rolled.push(moved(lot.number, -part));
            }
        }
        let more = given - rolled.iter().map(|part| i128::from(part.change)).sum::<i128>();
        let ends = left.iter().map(|lot| lot.number).collect();
        let plain = Draft::moving(Kind::Renewal(after.clone().into()), Vec::new());
        let draft = self.bringing(after, Kind::Renewal, more, at).unwrap_or_else(|_| {
            // Where there is no room, nothing comes and nothing goes.
            rolled.retain(|part| part.change == 0);
            plain
        });
        let Draft { mut moves, .. } = draft;
        // After what the new lot is granted.
        let place = moves.len().min(1);
        moves.splice(place..place, rolled);
        Draft { moves, ends, ..draft }
    }

    fn bringing(
        &self,
        after: Subscription,
        kind: fn(std::sync::Arc<Subscription>) -> Kind,
        credits: i128,
        now: DateTime<Utc>,
    ) -> Judged {
        let opened = Opened {
            lot: self.next_lot(),
            source: Source::Plan,
            priority: after.terms.priority,
            effective_at: now,
            expires_at: Some(after.credits_until),
        };
        let kind = kind(after.into());
        if credits == 0 { Ok(Draft::moving(kind, Vec::new())) } else { self.opening(kind, opened, credits) }
    }

    /// A subscription in the period that begins at `start`.
    fn period(
        &self,
        terms: &Terms,
        anchor: DateTime<Utc>,
        paid_until: Option<DateTime<Utc>>,
        fallback: Option<Terms>,
        start: DateTime<Utc>,
    ) -> Option<Subscription> {
        let free_until = self.free_month_end();
        // Whoever comes back to what costs nothing within a month of it waits for the next.
        let waits_until = free_until.filter(|until| terms.is_free && start < *until);
        let anchor = waits_until.unwrap_or(anchor);
        let end = month_after(anchor, start).filter(|end| has_four_digits(*end))?;
        let is_last = paid_until.is_some_and(|until| until <= end);
        let grace = TimeDelta::days(if is_last { i64::from(terms.grace_days) } else { 0 });
        Some(Subscription {
            terms: terms.clone(),
            anchor,
            period: Period { start, end },
            credits_until: end + grace,
            given: super::model::count(if waits_until.is_some() { 0 } else { monthly(terms) }),
            paid_until,
            next: Next::Renew,
            fallback,
            ended_at: None,
            free_until: if terms.is_free { None } else { free_until },
        })
    }

    /// What follows a subscription that is over at `at`.
    fn over(&self, current: &Subscription, at: DateTime<Utc>) -> Subscription {
        let ended = Subscription { next: Next::End, ended_at: Some(at), ..current.clone() };
        // After a period that was cut short months are counted anew.
        let anchor = if at >= current.period.end { current.anchor } else { at };
        current.fallback.as_ref().map_or(ended, |terms| {
            self.period(terms, anchor, None, None, at).expect("no test is at the end of time")
        })
    }

    /// When the last month ends, or ended, of a plan that costs nothing.
    fn free_month_end(&self) -> Option<DateTime<Utc>> {
        let turns = self.entries.iter().rev().filter_map(|entry| entry.kind.subscription());
        turns.filter(|turn| turn.terms.is_free).map(|turn| turn.period.end).next()
    }

    /// Whether a lot has plan credits that end with those of the period, or would if they came back.
    fn is_of(&self, lot: &Parcel, current: &Subscription) -> bool {
        let is_open = !lot.is_void && lot.remaining + lot.held > 0;
        // What came for nothing before one began to pay stays apart.
        let is_paid_for = !current.terms.is_free;
        let came_free = is_paid_for && lot.from < current.period.start && lot.to == self.free_month_end();
        is_open && lot.source == Source::Plan && lot.to == Some(current.credits_until) && !came_free
    }

    /// That has not ended.
    fn current(&self) -> Option<&Subscription> {
        self.subscription.as_ref().filter(|current| current.ended_at.is_none())
    }

    /// Whether the plan lets everything be used.
    pub fn is_on_unlimited_plan(&self, at: DateTime<Utc>) -> bool {
        self.current().is_some_and(|current| {
            current.terms.allowance == Allowance::Unlimited && at < current.credits_until
        })
    }

    /// What was run: each month in which anything was, and in it each action, in the order in which it was first.
    pub fn usage(&self) -> Vec<Usage> {
        let mut months: Vec<Usage> = Vec::new();
        for entry in &self.entries {
            let (Kind::Spend(charge) | Kind::Capture { charge, .. }) = &entry.kind else { continue };
            let month = month_of(self.opened_at, entry.at);
            if months.last().and_then(|last| last.month) != Some(month) {
                months.push(Usage { month: Some(month), tallies: Vec::new() });
            }
            let tallies = &mut months.last_mut().expect("there is one now").tallies;
            let place = tallies.iter().position(|tally| tally.action == charge.action).unwrap_or_else(|| {
                let action = charge.action.clone();
                tallies.push(Tally { action, count: 0, units: 0, credits: 0 });
                tallies.len() - 1
            });
            tallies[place].count += 1;
            tallies[place].units += charge.units.map_or(0, |units| units.get());
            // From what remained, and from what was held.
            tallies[place].credits -= entry.movements.iter().map(|part| part.change + part.held).sum::<i64>();
        }
        months
    }
}

fn is_unpaid(current: &Subscription) -> bool {
    current.paid_until.is_some_and(|until| until <= current.period.end)
}

fn monthly(terms: &Terms) -> i128 {
    match terms.allowance {
        Allowance::Monthly(amount) => amount.get().into(),
        Allowance::Unlimited => 0,
    }
}

/// Nothing is larger than what has no limit.
fn size(terms: &Terms) -> i128 {
    if terms.allowance == Allowance::Unlimited { i128::MAX } else { monthly(terms) }
}

/// So many months after the anchor, or before it: on its day, or on the last that the month has.
fn month(anchor: DateTime<Utc>, months: i32) -> DateTime<Utc> {
    let count = anchor.year() * 12 + anchor.month0() as i32 + months;
    let (year, month) = (count.div_euclid(12), count.rem_euclid(12) as u32 + 1);
    let mut days = (1..=anchor.day()).rev().filter_map(|day| NaiveDate::from_ymd_opt(year, month, day));
    days.next().expect("each month has a first").and_time(anchor.time()).and_utc()
}

/// All beginnings of months about a moment.
fn months_about(anchor: DateTime<Utc>, at: DateTime<Utc>) -> impl DoubleEndedIterator<Item = DateTime<Utc>> {
    let count = |at: DateTime<Utc>| at.year() * 12 + at.month0() as i32;
    let near = count(at) - count(anchor);
    (near - 2..=near + 2).map(move |months| month(anchor, months))
}

fn month_after(anchor: DateTime<Utc>, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    months_about(anchor, at).find(|month| at < *month)
}

fn month_of(anchor: DateTime<Utc>, at: DateTime<Utc>) -> Period {
    let start = months_about(anchor, at).rfind(|month| *month <= at).expect("one begins before");
    Period { start, end: month_after(anchor, at).expect("one begins after") }
}
