//! An account under trial: [`decide`] and the [`Model`] are asked the same, and everything that can be seen of
//! either is compared.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Datelike, TimeDelta, Utc};

use super::{
    super::{
        subscription::Next,
        testing::{amount, at, credits, name_of},
        *,
    },
    model::{Model, Parcel, Parked, count},
    steps::Step,
};

/// How often what happened: each outcome of a command has a name, and so has what happens beside it.
pub type Seen = BTreeMap<&'static str, usize>;

/// A command and when it comes in.
pub type Timed = (Command, DateTime<Utc>);

/// What a command was answered.
pub type Answer = Result<Receipt, Refusal>;

pub struct Trial {
    pub account: Account,
    pub model: Model,
    pub asked: Vec<Command>,
    pub clock: DateTime<Utc>,
    refused: Vec<IdempotencyKey>,
}

impl Trial {
    /// A trial of an account as it was written.
    pub fn of(account: Account) -> Self {
        let mut lots = account.lots().to_vec();
        lots.sort_by_key(|lot| lot.number);
        let mut model = Model::with(account.id(), account.standing().opened_at, &lots);
        model.debt = account.debt().get().into();
        Self { account, model, asked: Vec::new(), clock: at(0), refused: Vec::new() }
    }

    /// Carries out one step on both sides.
    pub fn take(&mut self, step: &Step, seen: &mut Seen) -> Answer {
        self.clock += step.pause;
        let command = step.command(&self.asked, &self.model, self.clock);
        let written = self.model.entries.len();
        let expected = self.model.decide(&command, self.clock);
        let answer = decide(&mut self.account, &command, self.clock);

        let said = answer.clone().map(|Receipt { entry, replayed }| (unlinked(&entry), replayed));
        assert_eq!(said, expected, "the law's answer is the model's to {command:?} at {}", self.clock);
        self.assert_read_back(written);
        let new: Vec<Entry> = self.account.journal()[written..].iter().map(unlinked).collect();
        assert_eq!(new, self.model.entries[written..], "one change is one entry, after {command:?}");
        self.count(&command, &answer, written, seen);
        if answer.is_err() {
            self.refused.push(command.key);
        }
        self.asked.push(command);
        self.compare();
        answer
    }

    /// What is written to a database, which keeps microseconds, is the same when it is read.
    fn assert_read_back(&self, written: usize) {
        for entry in &self.account.journal()[written..] {
            let lot = entry.opened.map(|opened| [Some(opened.effective_at), opened.expires_at]);
            let times = lot.into_iter().flatten().chain([Some(entry.at), entry.kind.until()]).flatten();
            for time in times {
                assert_eq!(DateTime::from_timestamp_micros(time.timestamp_micros()), Some(time), "{entry:?}");
                assert!((1..=9_999).contains(&time.year()), "{entry:?}");
            }
        }
    }

    /// Everything that can be read of the account, now and later.
    pub fn compare(&self) {
        let Self { account, model, .. } = self;
        assert_eq!(i128::from(account.balance().get()), model.balance(), "the balance");
        assert_eq!(i128::from(account.held().get()), model.held(), "what is held");
        assert_eq!(i128::from(account.debt().get()), model.debt, "the debt");
        assert_eq!(account.version(), Version(model.entries.len() as i64));
        assert_eq!(account.standing().last_entry_at, model.last_at());
        let mut lots: Vec<&Parcel> = model.lots.iter().collect();
        lots.sort_by_key(|lot| lot.place());
        let lots: Vec<Lot> = lots.into_iter().map(lot).collect();
        assert_eq!(account.lots(), lots, "the lots, in spend order");
        let holds: Vec<Hold> = model.holds.iter().map(hold).collect();
        assert!(account.holds().eq(&holds), "the holds, oldest first");
        assert_eq!(account.subscription(), model.subscription.as_ref(), "the subscription");
        let counted = account.closed_usage().iter().chain([&*account.standing().usage]);
        let counted: Vec<_> = counted.filter(|usage| usage.month.is_some()).cloned().collect();
        assert_eq!(counted, model.usage(), "what was run, month by month");
        for lot in &model.lots {
            let Clawed { taken, owed, forgiven } = account.clawed(lot.number);
            let clawed = [taken, owed, forgiven].map(|part| i128::from(part.get()));
            assert_eq!(clawed, [lot.clawed.taken, lot.clawed.owed, lot.clawed.let_go]);
        }
        for seconds in [0, 1, 10, 100, 1_000] {
            self.compare_reading(self.clock + TimeDelta::seconds(seconds));
        }
    }

    /// What is read at a moment is what there is once all that is due until then has been settled (rule 2).
    fn compare_reading(&self, at: DateTime<Utc>) {
        let mut settled = self.model.clone();
        settled.settle(self.model.last_at().map_or(at, |last| last.max(at)));
        let available = settled.free(at).max(0);
        assert_eq!(i128::from(self.account.available(at).get()), available, "available at {at}");
        assert_eq!(self.account.is_unlimited(at), settled.is_unlimited(at));
        for limits in
            [Limits::default(), Limits { min_balance: credits(3), per_hour: Some(2), per_day: Some(4) }]
        {
            let quote = self.account.quote(amount(9), &limits, at);
            // What a spend meets is what there is when it happens.
            let now = self.model.lift(at);
            let drawn = now.and_then(|now| settled.afford(amount(9), &limits, now));
            let outcome = drawn.map(|drawn| drawn.into_iter().map(part).collect());
            assert_eq!(quote.outcome, outcome, "the quote at {at}");
            let available = settled.free(now.unwrap_or(at)).max(0);
            assert_eq!(i128::from(quote.available.get()), available, "what the quote at {at} leaves");
        }
    }

    /// Whether a capture took what its hold kept of a lot that has ended meanwhile.
    fn takes_lapsed(&self, entry: &Entry) -> bool {
        let has_ended = |lot| self.model.lot(lot).is_some_and(|lot| lot.has_ended(entry.at));
        entry.movements.iter().any(|part| part.taken().is_some() && has_ended(part.lot))
    }

    fn count(&self, command: &Command, answer: &Answer, written: usize, seen: &mut Seen) {
        let mut see = |what| *seen.entry(what).or_default() += 1;
        for entry in &self.model.entries[written..] {
            see(entry.kind.as_str());
            if let Some(after) = entry.kind.subscription() {
                see(name_of_turn(entry, after));
                if after.terms.is_free && after.given == Credits::ZERO {
                    see("free again within the month");
                }
                if after.free_until == Some(after.credits_until) && after.period.start == entry.at {
                    see("ends with the free month");
                }
            }
            match entry.kind {
                Kind::Release { .. } if entry.cause.is_none() => see("hold ran out"),
                Kind::Void if entry.cause.is_none() => see("refund to a void lot"),
                Kind::Refund { .. } if entry.opened.is_some() => see("refund with grace"),
                Kind::Refund { .. } if entry.movements.len() > 1 => see("refund to several lots"),
                Kind::Reinstatement(_) if entry.opened.is_some() => see("paid debt reinstated"),
                Kind::Reinstatement(_) if entry.debt_change < 0 => see("debt reinstated"),
                Kind::Clawback(_) if entry.debt_change > 0 => see("clawback becomes debt"),
                Kind::Spend(_) if entry.movements.is_empty() => see("free spend"),
                Kind::Capture { .. } => {
                    see(name_of_capture(entry));
                    if self.takes_lapsed(entry) {
                        see("capture though the lot has lapsed");
                    }
                }
                _ if entry.opened.is_some() && entry.debt_change < 0 => see("debt paid"),
                _ => {}
            }
        }
        match answer {
            Ok(Receipt { replayed: true, .. }) => see("replay"),
            Ok(Receipt { entry, .. }) => {
                if entry.at > self.clock {
                    see("lifted clock");
                }
                if self.refused.contains(&command.key) {
                    see("refused key carried out");
                }
            }
            Err(refusal) => see(name_of(*refusal)),
        }
    }
}

fn name_of_capture(entry: &Entry) -> &'static str {
    let held = -entry.held_change();
    let cost = entry.kind.charge().map_or(0, |charge| charge.cost.get());
    match cost.cmp(&held) {
        _ if entry.movements.is_empty() => "free capture",
        Ordering::Less => "capture of a part",
        Ordering::Equal => "capture of all",
        Ordering::Greater => "capture of more",
    }
}

/// What a subscription's entry is about, as far as the entry itself says it.
fn name_of_turn(entry: &Entry, after: &Subscription) -> &'static str {
    let takes = |part: &Movement| part.change < 0 && entry.opened.is_none_or(|opened| opened.lot != part.lot);
    let is_new = after.period.start == entry.at;
    match &entry.kind {
        Kind::Subscription(_) if is_new => "plan begun",
        Kind::Subscription(_) if after.next == Next::End => "end asked for",
        Kind::Subscription(_) if is_same_plan(&after.next, &after.terms) => "newer terms",
        Kind::Subscription(_) if matches!(after.next, Next::Change(_)) => "smaller plan",
        Kind::Subscription(_) if entry.opened.is_some() => "larger plan",
        Kind::Subscription(_) => "plan goes on",
        _ if after.ended_at.is_some() => "plan ended",
        _ if entry.cause.is_some() => "plan ended at once for the free one",
        _ if after.terms.is_free && !is_new => "late and free",
        _ if !is_new => "renewal of what was paid late",
        _ if entry.movements.iter().any(takes) => "rollover",
        _ => "renewal without rollover",
    }
}

fn is_same_plan(next: &Next, terms: &Terms) -> bool {
    matches!(next, Next::Change(next) if next.plan == terms.plan)
}

/// The model leaves the chain to a property of its own.
fn unlinked(entry: &Arc<Entry>) -> Entry {
    Entry { link: 0, ..Entry::clone(entry) }
}

fn part((lot, part): (LotNumber, i128)) -> Allocation {
    Allocation { lot, amount: amount(part as i64) }
}

fn hold(hold: &Parked) -> Hold {
    let allocations = hold.parts.iter().copied().map(part).collect();
    Hold { number: hold.number, until: hold.until, charge: hold.charge.clone(), allocations }
}

fn lot(lot: &Parcel) -> Lot {
    Lot {
        number: lot.number,
        source: lot.source,
        priority: lot.priority,
        granted: count(lot.granted),
        remaining: count(lot.remaining),
        held: count(lot.held),
        lost: count(lot.lost),
        is_void: lot.is_void,
        effective_at: lot.from,
        expires_at: lot.to,
        created_at: lot.born,
    }
}
