//! The law a second time, as plainly as it can be said: what `decide` is compared with.
//!
//! It was written from the prose of `domain` alone, before anybody looked at how `account` does it. It keeps
//! every lot that there ever was and every entry, counts in numbers that cannot overflow, and works out
//! everything else (what is available, what was refunded, how often the account was used) anew whenever it
//! is asked for it. [`acts`](super::acts) says what it makes of each command, [`plans`](super::plans) what of
//! subscriptions.

use chrono::{DateTime, Datelike, SubsecRound, TimeDelta, Utc};

use super::super::{
    entry::{Cause, Opened},
    note::Description,
    *,
};

/// An account, kept the simple way.
#[derive(Clone, Debug)]
pub struct Model {
    pub id: AccountId,
    /// Every lot that there ever was: lot 1 first.
    pub lots: Vec<Parcel>,
    /// Open holds, oldest first.
    pub holds: Vec<Parked>,
    pub debt: i128,
    pub unlimited_until: Option<DateTime<Utc>>,
    pub subscription: Option<Subscription>,
    /// From when the months of its usage are counted.
    pub opened_at: DateTime<Utc>,
    /// What has to be written, but for the links: these stay 0.
    pub entries: Vec<Entry>,
}

/// A lot, and what was clawed back of it.
#[derive(Clone, Debug)]
pub struct Parcel {
    pub number: LotNumber,
    pub source: Source,
    pub priority: Priority,
    pub granted: i128,
    pub remaining: i128,
    pub held: i128,
    pub lost: i128,
    pub is_void: bool,
    pub from: DateTime<Utc>,
    pub to: Option<DateTime<Utc>>,
    pub born: DateTime<Utc>,
    pub clawed: Back,
}

/// How much of a lot was clawed back: from what remained, as debt, and let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Back {
    pub taken: i128,
    pub owed: i128,
    pub let_go: i128,
}

/// An open hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Parked {
    pub number: Version,
    pub until: DateTime<Utc>,
    pub charge: Charge,
    /// What it set aside of which lot, first drawn first.
    pub parts: Vec<(LotNumber, i128)>,
}

/// A change that is allowed and not made yet.
pub struct Draft {
    pub kind: Kind,
    pub moves: Vec<Movement>,
    pub opened: Option<Opened>,
    pub debt_change: i128,
    pub description: Option<Description>,
    pub clawed: Option<(LotNumber, Back)>,
    /// Lots that end with the entry, earlier than they would have, if anything is left in them.
    pub ends: Vec<LotNumber>,
}

impl Model {
    /// An account that begins with these lots.
    pub fn with(id: AccountId, opened_at: DateTime<Utc>, lots: &[Lot]) -> Self {
        let parcel = |lot: &Lot| Parcel {
            number: lot.number,
            source: lot.source,
            priority: lot.priority,
            granted: lot.granted.get().into(),
            remaining: lot.remaining.get().into(),
            held: lot.held.get().into(),
            lost: lot.lost.get().into(),
            is_void: lot.is_void,
            from: lot.effective_at,
            to: lot.expires_at,
            born: lot.created_at,
            clawed: Back::default(),
        };
        let lots = lots.iter().map(parcel).collect();
        Self {
            id,
            lots,
            holds: Vec::new(),
            debt: 0,
            unlimited_until: None,
            subscription: None,
            opened_at,
            entries: Vec::new(),
        }
    }

    /// What a command comes to: the entry that answers it and whether that is an answer given before.
    pub fn decide(&mut self, command: &Command, now: DateTime<Utc>) -> Result<(Entry, bool), Refusal> {
        let cause = Cause { key: command.key.within(self.id), fingerprint: command.fingerprint() };
        let same_key = |entry: &&Entry| entry.cause.is_some_and(|other| other.key == cause.key);
        if let Some(first) = self.entries.iter().find(same_key) {
            let is_same = first.cause == Some(cause);
            return if is_same { Ok((first.clone(), true)) } else { Err(Refusal::KeyReused) };
        }
        let now = self.lift(now)?;
        self.settle(now);
        let draft = self.judge(&command.act, now)?;
        if !draft.times().all(has_four_digits) {
            return Err(Refusal::TimeOutOfRange);
        }
        let entry = self.write(draft, now);
        entry.reference.clone_from(&command.reference);
        entry.metadata.clone_from(&command.metadata);
        entry.cause = Some(cause);
        let entry = entry.clone();
        // What came back to a lot that has ended does not stay (rule 7).
        self.settle(now);
        Ok((entry, false))
    }

    pub fn lift(&self, now: DateTime<Utc>) -> Result<DateTime<Utc>, Refusal> {
        let now = now.trunc_subsecs(6);
        if !has_four_digits(now) {
            return Err(Refusal::TimeOutOfRange);
        }
        match self.last_at() {
            Some(last) if last - now > TimeDelta::minutes(1) => {
                Err(Refusal::ClockBehind { last_entry_at: last })
            }
            Some(last) => Ok(last.max(now)),
            None => Ok(now),
        }
    }

    /// Goes through all the moments at which something ends, up to `now`, and writes down what does.
    pub fn settle(&mut self, now: DateTime<Utc>) {
        // What was settled once stays settled: nothing is dated before the last entry.
        let mut passed = self.last_at();
        loop {
            let ends = self.lots.iter().filter_map(|lot| lot.to).chain(self.end_of_period());
            let moments = self.holds.iter().map(|hold| hold.until).chain(ends);
            let next = moments.filter(|moment| passed.is_none_or(|passed| passed < *moment)).min();
            let moment = next.map_or(now, |next| next.min(now));
            while let Some(draft) = self.due(moment) {
                self.write(draft, moment);
            }
            if moment == now {
                return;
            }
            passed = Some(moment);
        }
    }

    /// What happens next of what is due at this moment: what was due first. Of one moment, holds run out, and give
    /// back to lots that are only about to lapse; then the period is over, and takes from them.
    fn due(&self, moment: DateTime<Utc>) -> Option<Draft> {
        let ended = self.lots.iter().filter(|lot| lot.remaining > 0 && lot.has_ended(moment));
        let run_out = self.holds.iter().filter(|hold| hold.until <= moment);
        let over = self.end_of_period().filter(|over| *over <= moment);
        // What comes back to a void lot is due at once.
        let ended = ended.map(|lot| ((lot.to.filter(|_| !lot.is_void), 2, lot.number.0), lot.ending()));
        let run_out = run_out.map(|hold| ((Some(hold.until), 0, hold.number.0), self.release(hold)));
        let over = over.map(|over| ((Some(over), 1, 0), self.renewal(moment)));
        ended.chain(run_out).chain(over).min_by_key(|(place, _)| *place).map(|(_, draft)| draft)
    }

    pub fn release(&self, hold: &Parked) -> Draft {
        let back =
            |&(lot, part): &(LotNumber, i128)| Movement { lot, change: small(part), held: small(-part) };
        Draft::moving(Kind::Release { hold: hold.number }, hold.parts.iter().map(back).collect())
    }

    fn write(&mut self, draft: Draft, at: DateTime<Utc>) -> &mut Entry {
        let version = Version(self.entries.len() as i64 + 1);
        let balance_before = count(self.balance());
        if let Some(opened) = draft.opened {
            let first = draft.moves.iter().find(|first| first.lot == opened.lot);
            let granted = first.expect("a lot begins with what it is granted").change;
            self.lots.push(Parcel::begun(opened, granted.into(), at));
        }
        for movement in &draft.moves {
            let lot = self.lot_mut(movement.lot);
            lot.remaining += i128::from(movement.change);
            lot.held += i128::from(movement.held);
            lot.is_void |= matches!(draft.kind, Kind::Void);
            if let Kind::Expiry | Kind::Void = draft.kind {
                lot.lost -= i128::from(movement.change);
            }
        }
        match &draft.kind {
            Kind::Hold { charge, until } => {
                let parts = draft.moves.iter().map(|part| (part.lot, part.held.into())).collect();
                self.holds.push(Parked { number: version, until: *until, charge: charge.clone(), parts });
            }
            Kind::Capture { hold, .. } | Kind::Release { hold } => {
                self.holds.retain(|open| open.number != *hold)
            }
            Kind::Unlimited { until } => self.unlimited_until = Some(*until),
            Kind::Subscription(after) | Kind::Renewal(after) => {
                self.subscription = Some(Subscription::clone(after))
            }
            _ => {}
        }
        for number in draft.ends {
            let lot = self.lot_mut(number);
            if lot.remaining + lot.held > 0 {
                lot.to = Some(at);
            }
        }
        if let Some((lot, clawed)) = draft.clawed {
            self.lot_mut(lot).clawed = clawed;
        }
        self.debt += draft.debt_change;
        self.entries.push(Entry {
            account: self.id,
            version,
            at,
            kind: draft.kind,
            balance_before,
            balance_after: count(self.balance()),
            movements: draft.moves,
            opened: draft.opened,
            debt_change: small(draft.debt_change),
            description: draft.description,
            reference: None,
            metadata: None,
            cause: None,
            link: 0,
        });
        self.entries.last_mut().expect("one has just been written")
    }

    fn lot_mut(&mut self, number: LotNumber) -> &mut Parcel {
        self.lots.iter_mut().find(|lot| lot.number == number).expect("what moves is in a lot that is there")
    }
}

impl Parcel {
    fn begun(terms: Opened, granted: i128, at: DateTime<Utc>) -> Self {
        Self {
            number: terms.lot,
            source: terms.source,
            priority: terms.priority,
            granted,
            remaining: 0,
            held: 0,
            lost: 0,
            is_void: false,
            from: terms.effective_at,
            to: terms.expires_at,
            born: at,
            clawed: Back::default(),
        }
    }

    fn ending(&self) -> Draft {
        let kind = if self.is_void { Kind::Void } else { Kind::Expiry };
        Draft::moving(kind, vec![moved(self.number, -self.remaining)])
    }

    pub fn has_ended(&self, at: DateTime<Utc>) -> bool {
        self.is_void || self.to.is_some_and(|to| to <= at)
    }

    pub fn is_active(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && !self.has_ended(at)
    }

    /// The lowest is spent first: the order of rule 3, in which `None` (never) comes after every moment.
    pub fn place(&self) -> impl Ord + use<> {
        (self.priority, self.to.is_none(), self.to, self.born, self.number)
    }
}

impl Back {
    /// As an entry tells it.
    pub fn told(self) -> Clawed {
        Clawed { taken: count(self.taken), owed: count(self.owed), forgiven: count(self.let_go) }
    }

    pub fn total(self) -> i128 {
        self.taken + self.owed + self.let_go
    }
}

impl Draft {
    pub fn moving(kind: Kind, moves: Vec<Movement>) -> Self {
        Self { kind, moves, opened: None, debt_change: 0, description: None, clawed: None, ends: Vec::new() }
    }

    /// All that it would write but for the time of the entry itself.
    fn times(&self) -> impl Iterator<Item = DateTime<Utc>> {
        let lot = self.opened.map(|opened| [Some(opened.effective_at), opened.expires_at]);
        let agreed = self.kind.subscription().map(|after| {
            let Subscription { anchor, period, credits_until, paid_until, ended_at, .. } = after;
            let sure = [*anchor, period.start, period.end, *credits_until];
            [sure.map(Some).as_slice(), &[*paid_until, *ended_at]].concat()
        });
        let agreed = agreed.into_iter().flatten();
        lot.into_iter().flatten().chain([self.kind.until()]).chain(agreed).flatten()
    }
}

pub fn has_four_digits(time: DateTime<Utc>) -> bool {
    (1..=9_999).contains(&time.year())
}

pub fn moved(lot: LotNumber, change: i128) -> Movement {
    Movement { lot, change: small(change), held: 0 }
}

pub fn small(number: i128) -> i64 {
    i64::try_from(number).expect("nothing is granted beyond what fits")
}

pub fn count(number: i128) -> Credits {
    Credits::try_from(small(number)).expect("nothing that there is falls below zero")
}
