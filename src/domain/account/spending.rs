//! What an account pays: quotes, spends, and holds with their captures (rules 3 to 6 and 10).

use chrono::{DateTime, TimeDelta, Utc};

use super::{Account, Change, Refusal, Shortfall};
use crate::domain::{
    Amount, Capture, Charge, Credits, Hold, HoldLife, Kind, Limits, Lot, LotNumber, Movement, Release, Spend,
    Version, credits::total, subscription::Next,
};

/// How many holds of one account may be open at once: more than any host needs, and few enough that an account
/// can be read and kept in memory whole.
pub const HOLDS_MAX: usize = 10_000;

/// What a spend would do at a given moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    pub cost: Amount,
    pub available: Credits,
    /// Which lots would pay, in order; or why the spend would be refused. Nothing pays where use is unlimited.
    pub outcome: Result<Vec<Allocation>, Refusal>,
}

/// A part of a spend that one lot pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    pub lot: LotNumber,
    pub amount: Amount,
}

/// How many spends and holds an account made in the current UTC hour and day, for fair-use caps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// The last one; the counts are those of its hour and day.
    pub last_at: Option<DateTime<Utc>>,
    pub in_hour: u32,
    pub in_day: u32,
}

impl Account {
    /// What can be spent at `at` (rule 2).
    pub fn available(&self, at: DateTime<Utc>) -> Credits {
        let settled = self.settled(at);
        settled.active(at).less(settled.debt())
    }

    /// How much there is in lots that have not begun at `at`.
    pub fn scheduled(&self, at: DateTime<Utc>) -> Credits {
        let later = self.lots().iter().filter(|lot| !lot.is_void && lot.effective_at > at);
        total(later.map(|lot| lot.remaining))
    }

    /// How much of what can be spent at `at` lapses at the next moment when anything does.
    pub fn next_expiry(&self, at: DateTime<Utc>) -> Option<(Credits, DateTime<Utc>)> {
        let stocked = || self.lots().iter().filter(|lot| lot.is_active(at) && lot.remaining > Credits::ZERO);
        let end = stocked().filter_map(|lot| self.lapses_at(lot)).min()?;
        let lapsing = stocked().filter(|lot| self.lapses_at(lot) == Some(end));
        Some((total(lapsing.map(|lot| lot.remaining)), end))
    }

    /// When what a lot has lapses: with its period where the plan was ended, without the grace for a payment.
    pub fn lapses_at(&self, lot: &Lot) -> Option<DateTime<Utc>> {
        let ending = self.current_subscription().filter(|current| current.next == Next::End);
        let of_period = ending.filter(|current| current.has(lot)).map(|current| current.period.end);
        of_period.or(lot.expires_at)
    }

    pub fn is_unlimited(&self, at: DateTime<Utc>) -> bool {
        // A plan may have gone on, or ended, since the last entry.
        let settled = self.settled(at);
        settled.standing.unlimited_until.is_some_and(|until| at < until)
            || settled.subscription().is_some_and(|subscription| subscription.is_unlimited(at))
    }

    /// What a spend of `cost` would do at `at`, to the letter; changes nothing.
    pub fn quote(&self, cost: Amount, limits: &Limits, at: DateTime<Utc>) -> Quote {
        let now = self.lift(at);
        let at = now.unwrap_or(at);
        let settled = self.settled(at);
        let outcome = now.and_then(|now| settled.afford(cost, limits, now));
        Quote { cost, available: settled.active(at).less(settled.debt()), outcome }
    }

    pub(super) fn spend(&self, spend: &Spend, now: DateTime<Utc>) -> Result<Change, Refusal> {
        let allocations = self.charge(spend, now)?;
        let movements = allocations.iter().map(Allocation::paid).collect();
        let description = spend.description.clone();
        Ok(Change { description, ..Change::new(Kind::Spend(spend.charge.clone()), movements) })
    }

    pub(super) fn hold(&self, spend: &Spend, life: HoldLife, now: DateTime<Utc>) -> Result<Change, Refusal> {
        let allocations = self.charge(spend, now)?;
        if self.holds().len() >= HOLDS_MAX {
            return Err(Refusal::TooManyHolds { most: HOLDS_MAX });
        }
        let movements = allocations.iter().map(Allocation::set_aside).collect();
        let kind = Kind::Hold { charge: spend.charge.clone(), until: now + life.get() };
        Ok(Change { description: spend.description.clone(), ..Change::new(kind, movements) })
    }

    pub(super) fn capture(&self, capture: &Capture, now: DateTime<Utc>) -> Result<Change, Refusal> {
        let hold = self.open_hold(capture.hold)?;
        let cost = capture.amount.unwrap_or(hold.charge.cost);
        // Nothing was set aside where use was unlimited, and nothing is taken.
        let mut left = if hold.allocations.is_empty() { Credits::ZERO } else { cost.credits() };
        let mut movements = Vec::with_capacity(hold.allocations.len());
        for held in &hold.allocations {
            let taken = held.amount.credits().min(left);
            left = left.less(taken);
            let returned = held.amount.get() - taken.get();
            movements.push(Movement { lot: held.lot, change: returned, held: -held.amount.get() });
        }
        if let Ok(beyond) = Amount::try_from(left.get()) {
            let paid = self.pay(beyond, Credits::ZERO, now).map_err(Refusal::Insufficient)?;
            movements.extend(paid.iter().map(Allocation::paid));
        }
        // The units were those of the price that was held.
        let units = hold.charge.units.filter(|_| cost == hold.charge.cost);
        let charge = Charge { action: hold.charge.action.clone(), units, cost };
        Ok(Change::new(Kind::Capture { hold: hold.number, charge }, movements))
    }

    pub(super) fn release(&self, release: &Release) -> Result<Change, Refusal> {
        self.open_hold(release.hold).map(Hold::released)
    }

    /// Which lots pay `cost`, in spend order; none where use is unlimited.
    fn pay(
        &self,
        cost: Amount,
        min_balance: Credits,
        at: DateTime<Utc>,
    ) -> Result<Vec<Allocation>, Shortfall> {
        if self.is_unlimited(at) { Ok(Vec::new()) } else { self.draw(cost, min_balance, at) }
    }

    /// Which lots give `cost`, in spend order, unlimited use or not.
    pub(super) fn draw(
        &self,
        cost: Amount,
        min_balance: Credits,
        at: DateTime<Utc>,
    ) -> Result<Vec<Allocation>, Shortfall> {
        // What there has to be for it: debt is paid first, and `min_balance` stays.
        let wanted = i128::from(cost.get()) + i128::from(min_balance.get()) + i128::from(self.debt().get());
        let (mut found, mut left) = (0, cost.credits());
        let mut allocations = Vec::with_capacity(1);
        for lot in self.lots().iter().filter(|lot| lot.is_active(at)) {
            if let Ok(amount) = Amount::try_from(lot.remaining.min(left).get()) {
                allocations.push(Allocation { lot: lot.number, amount });
                left = left.less(amount.credits());
            }
            found += i128::from(lot.remaining.get());
            if found >= wanted {
                return Ok(allocations);
            }
        }
        let missing = i64::try_from(wanted - found).ok().and_then(|missing| Amount::try_from(missing).ok());
        Err(Shortfall {
            needed: cost,
            available: self.active(at).less(self.debt()),
            min_balance,
            missing: missing.unwrap_or(Amount::MAX),
        })
    }

    /// What a spend or a hold takes, once its price and its limits are found to hold.
    fn charge(&self, spend: &Spend, now: DateTime<Utc>) -> Result<Vec<Allocation>, Refusal> {
        let Spend { charge, agreed, limits, description: _ } = spend;
        if let Some(agreed) = agreed.filter(|agreed| *agreed != charge.cost) {
            return Err(Refusal::PriceChanged { agreed, cost: charge.cost });
        }
        self.afford(charge.cost, limits, now)
    }

    /// Which lots pay what is within the limits.
    fn afford(&self, cost: Amount, limits: &Limits, now: DateTime<Utc>) -> Result<Vec<Allocation>, Refusal> {
        self.standing.uses.allow(limits, now)?;
        self.pay(cost, limits.min_balance, now).map_err(Refusal::Insufficient)
    }

    fn open_hold(&self, number: Version) -> Result<&Hold, Refusal> {
        let was_hold =
            || self.past_entry(number).is_some_and(|entry| matches!(entry.kind, Kind::Hold { .. }));
        // It may have ended just now, while the entry that began it is not at hand.
        let has_ended = || self.journal.iter().any(|entry| entry.kind.ends_hold() == Some(number));
        match self.open.holds().get(&number) {
            Some(hold) => Ok(hold),
            None if was_hold() || has_ended() => Err(Refusal::HoldClosed),
            None => Err(Refusal::UnknownHold),
        }
    }

    fn active(&self, at: DateTime<Utc>) -> Credits {
        total(self.lots().iter().filter(|lot| lot.is_active(at)).map(|lot| lot.remaining))
    }
}

impl Allocation {
    /// The allocation that a movement made by setting credits aside.
    pub(super) fn held(movement: &Movement) -> Option<Self> {
        Some(Self { lot: movement.lot, amount: Amount::try_from(movement.held).ok()? })
    }

    pub(super) fn paid(&self) -> Movement {
        Movement::of(self.lot, -self.amount.get())
    }

    fn set_aside(&self) -> Movement {
        Movement { lot: self.lot, change: -self.amount.get(), held: self.amount.get() }
    }
}

impl Uses {
    /// Whether one more is within the caps (rule 5).
    fn allow(&self, limits: &Limits, now: DateTime<Utc>) -> Result<(), Refusal> {
        let windows = [(limits.per_hour, HOUR, self.in_hour), (limits.per_day, DAY, self.in_day)];
        for (cap, window, count) in windows {
            let start = start_of(window, now);
            let is_current = self.last_at.is_some_and(|last| start_of(window, last) == start);
            let count = if is_current { count } else { 0 };
            if let Some(cap) = cap.filter(|cap| count >= *cap) {
                return Err(Refusal::FairUse { cap, resets_at: start + window });
            }
        }
        Ok(())
    }

    pub(super) fn count(&mut self, now: DateTime<Utc>) {
        let in_this = |window, count: u32| match self.last_at {
            Some(last) if start_of(window, last) == start_of(window, now) => count.saturating_add(1),
            _ => 1,
        };
        (self.in_hour, self.in_day) = (in_this(HOUR, self.in_hour), in_this(DAY, self.in_day));
        self.last_at = Some(now);
    }
}

const HOUR: TimeDelta = TimeDelta::hours(1);
const DAY: TimeDelta = TimeDelta::days(1);

/// The start of the fixed UTC window that `at` is in.
fn start_of(window: TimeDelta, at: DateTime<Utc>) -> DateTime<Utc> {
    let seconds = window.num_seconds();
    DateTime::from_timestamp(at.timestamp().div_euclid(seconds) * seconds, 0).unwrap_or(at)
}
