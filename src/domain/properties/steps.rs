//! Random sequences of commands: what the properties are tried with.
//!
//! What a command names (a hold, a spend, a lot) is only known once the commands before it are carried out.
//! So a step is a wish ("capture a third of some open hold"), and [`Step::command`] makes a command of it.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::{option, prelude::*, sample::Index};

use super::{
    super::{
        catalog::ActionKey,
        note::{Metadata, Reference},
        testing::{amount, credits, grace, key, reason},
        *,
    },
    model::{Model, Parcel},
    sizes::{Sizes, When, fine, limits},
    wanted::{Wanted, wanted},
};

/// One command of a sequence, and how long after the one before it comes in.
#[derive(Clone)]
pub struct Step {
    pub pause: TimeDelta,
    origin: Origin,
    wish: Wish,
    has_notes: bool,
}

/// Where a step has its key from.
#[derive(Clone, Debug)]
enum Origin {
    New,
    /// An earlier command once more: its key and its content.
    Again(Index),
    /// The same, but the catalog has changed what it does not ask for.
    Repriced(Index),
    /// The key of an earlier command, with other content.
    Reused(Index),
}

/// What is to be asked for, before it is known what there is to name.
#[derive(Clone, Debug)]
enum Wish {
    Grant { number: i64, priority: i16, starts: Option<When>, ends: Option<When> },
    Spend(Price),
    Hold(Price, HoldLife),
    Capture(Pick, Option<Part>),
    Release(Pick),
    Refund(Pick, Option<Part>, Option<Grace>),
    Void(Pick),
    Give(i64),
    Take(i64),
    Clawback(Pick, Part, WhenSpent),
    Reinstate(Pick, Part),
    Unlimited(When),
    Subscribe(Wanted),
    Unsubscribe { at_once: bool },
}

#[derive(Clone, Debug)]
struct Price {
    cost: i64,
    /// The spender agreed to another one.
    is_stale: bool,
    /// An amount that the caller names, for nothing in the catalog.
    is_plain: bool,
    limits: Limits,
}

/// What a command names.
#[derive(Clone, Debug)]
enum Pick {
    /// Something that the command can be about just now.
    Apt(Index),
    /// Something that it could have been about at some time.
    Any(Index),
    /// Whatever bears this number, if anything does.
    Number(i64),
}

/// How much, in hundredths of what there is to have and as a number on top.
#[derive(Clone, Copy, Debug)]
struct Part(i64, i64);

fn prices(sizes: &Sizes) -> impl Strategy<Value = Price> + use<> {
    let stale = proptest::bool::weighted(0.07);
    (sizes.amounts.clone(), stale, any::<bool>(), limits(sizes))
        .prop_map(|(cost, is_stale, is_plain, limits)| Price { cost, is_stale, is_plain, limits })
}

fn picks() -> impl Strategy<Value = Pick> {
    prop_oneof![
        12 => any::<Index>().prop_map(Pick::Apt),
        4 => any::<Index>().prop_map(Pick::Any),
        1 => (-1..40i64).prop_map(Pick::Number),
    ]
}

fn parts() -> impl Strategy<Value = Part> {
    prop_oneof![
        6 => (0..=110i64, Just(0i64)),
        3 => (Just(100i64), Just(0i64)),
        3 => (100..=110i64, 0..9i64),
    ]
    .prop_map(|(share, more)| Part(share, more))
}

fn wishes(sizes: &Sizes) -> impl Strategy<Value = Wish> + use<> {
    let Sizes { amounts, starts, ends, graces, .. } = sizes.clone();
    let starts = option::weighted(0.3, starts);
    // Mostly there is something to spend.
    let granted = amounts.clone().prop_map(|number| (number * 3).min(Amount::MAX.get()));
    let grants = (granted, 0..5i16, starts, option::weighted(0.7, ends.clone()));
    let lives = prop_oneof![9 => fine(1..200i64), 1 => Just(TimeDelta::hours(24))];
    let lives = lives.prop_map(|life| HoldLife::try_from(life).expect("from a second to a day"));
    let when_spent = prop_oneof![Just(WhenSpent::Debt), Just(WhenSpent::Forgive)];
    let part = || option::weighted(0.7, parts());
    let subscribe = wanted(sizes).prop_map(Wish::Subscribe);
    let unsubscribe = proptest::bool::weighted(0.3).prop_map(|at_once| Wish::Unsubscribe { at_once });
    let about_plans = prop_oneof![6 => subscribe, 1 => unsubscribe];
    let about_credits = prop_oneof![
        30 => grants.prop_map(|(number, priority, starts, ends)| Wish::Grant { number, priority, starts, ends }),
        24 => prices(sizes).prop_map(Wish::Spend),
        28 => (prices(sizes), lives).prop_map(|(price, life)| Wish::Hold(price, life)),
        24 => (picks(), part()).prop_map(|(hold, part)| Wish::Capture(hold, part)),
        6 => picks().prop_map(Wish::Release),
        24 => (picks(), part(), option::weighted(0.6, graces)).prop_map(|(spend, part, grace)| Wish::Refund(spend, part, grace)),
        6 => picks().prop_map(Wish::Void),
        4 => amounts.clone().prop_map(Wish::Give),
        6 => amounts.prop_map(Wish::Take),
        16 => (picks(), parts(), when_spent).prop_map(|(lot, part, when)| Wish::Clawback(lot, part, when)),
        12 => (picks(), parts()).prop_map(|(lot, part)| Wish::Reinstate(lot, part)),
        2 => ends.prop_map(Wish::Unlimited),
    ];
    prop_oneof![100 - sizes.subscribing => about_credits, sizes.subscribing => about_plans]
}

pub fn steps(sizes: &Sizes) -> impl Strategy<Value = Vec<Step>> + use<> {
    let origins = prop_oneof![
        80 => Just(Origin::New),
        10 => any::<Index>().prop_map(Origin::Again),
        5 => any::<Index>().prop_map(Origin::Repriced),
        5 => any::<Index>().prop_map(Origin::Reused),
    ];
    let step = (sizes.pauses.clone(), origins, wishes(sizes), any::<bool>());
    let step = step.prop_map(|(pause, origin, wish, has_notes)| Step { pause, origin, wish, has_notes });
    proptest::collection::vec(step, 1..60)
}

/// On one line, however it is asked for: a sequence that fails is read step by step.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pause, origin, wish, has_notes } = self;
        write!(f, "after {pause}, {origin:?} key, {has_notes} notes: {wish:?}")
    }
}

impl Step {
    /// The command that the step comes to after those that were `asked` and what the model makes of them.
    pub fn command(&self, asked: &[Command], model: &Model, now: DateTime<Utc>) -> Command {
        let new = || {
            let mut command =
                Command::new(model.id, key(&format!("key-{}", asked.len())), self.wish.act(model, now));
            if self.has_notes {
                command.reference = Reference::parse(format!("job-{}", asked.len())).ok();
                command.metadata = Metadata::parse("{ \"seed\": 7 }").ok();
            }
            command
        };
        match &self.origin {
            Origin::Again(index) if !asked.is_empty() => index.get(asked).clone(),
            Origin::Repriced(index) if !asked.is_empty() => repriced(index.get(asked).clone()),
            Origin::Reused(index) if !asked.is_empty() => Command { key: index.get(asked).key, ..new() },
            _ => new(),
        }
    }
}

/// The same question at another time of the catalog and of the host's settings.
fn repriced(mut command: Command) -> Command {
    match &mut command.act {
        Act::Spend(spend) | Act::Hold(spend, _) => {
            spend.charge.cost = amount(1 + spend.charge.cost.get() / 2);
            spend.limits = Limits { min_balance: credits(2), per_hour: Some(2), per_day: None };
        }
        Act::Refund(refund) => refund.grace = Some(grace(30)),
        Act::Clawback(clawback) => clawback.when_spent = WhenSpent::Forgive,
        Act::Subscribe(subscribe) => {
            subscribe.terms.grace_days = 9;
            subscribe.fallback = None;
            if subscribe.is_trial {
                subscribe.paid_until = None;
            }
        }
        _ => {}
    }
    command
}

impl Wish {
    fn act(&self, model: &Model, now: DateTime<Utc>) -> Act {
        let reason = reason();
        match self {
            Self::Grant { number, priority, starts, ends } => Act::Grant(Grant {
                amount: amount(*number),
                source: Source::ALL[*priority as usize],
                priority: Priority(priority * 10),
                effective_at: starts.map(|when| when.after(now)),
                expires_at: ends.map(|when| when.after(now)),
                description: reason,
            }),
            Self::Spend(price) => Act::Spend(price.spend()),
            Self::Hold(price, life) => Act::Hold(price.spend(), *life),
            Self::Capture(pick, part) => {
                let hold = pick.version(open_holds(model), all_holds(model));
                let held = model.holds.iter().find(|open| open.number == hold);
                let held = held.map_or(1, |hold| hold.parts.iter().map(|(_, part)| part).sum());
                Act::Capture(Capture { hold, amount: part.map(|part| amount(part.of(held).max(1))) })
            }
            Self::Release(pick) => {
                Act::Release(Release { hold: pick.version(open_holds(model), all_holds(model)) })
            }
            Self::Refund(pick, part, grace) => {
                let spend = pick.version(spends(model, 1), spends(model, 0));
                let taken: i128 = model.takes(spend).into_iter().flatten().map(|(_, part)| part).sum();
                let amount = part.map(|part| amount(part.of(taken - model.refunded(spend)).max(1)));
                Act::Refund(Refund { spend, amount, grace: *grace, reason })
            }
            Self::Void(pick) => Act::Void(Void { lot: pick.lot(model, |lot| lot.remaining > 0), reason }),
            Self::Give(number) => Act::Adjust(Adjust { by: Adjustment::Give(amount(*number)), reason }),
            Self::Take(number) => Act::Adjust(Adjust { by: Adjustment::Take(amount(*number)), reason }),
            Self::Clawback(pick, part, when_spent) => {
                // Preferably one of which something was spent.
                let lot = pick.lot(model, |lot| lot.remaining + lot.lost + lot.clawed.total() < lot.granted);
                let (before, granted) =
                    model.lot(lot).map_or((0, 1), |lot| (lot.clawed.total(), lot.granted));
                let total = amount((part.of(granted - before) + before as i64).clamp(1, Amount::MAX.get()));
                Act::Clawback(Clawback { lot, total, when_spent: *when_spent, reason })
            }
            Self::Reinstate(pick, part) => {
                let lot = pick.lot(model, |lot| lot.clawed.total() > 0);
                let clawed = model.lot(lot).map_or(1, |lot| lot.clawed.total());
                let total = (clawed as i64 - part.of(clawed)).max(0);
                Act::Reinstate(Reinstate { lot, total: credits(total), reason })
            }
            Self::Unlimited(until) => Act::Unlimited(Unlimited { until: until.after(now), reason }),
            Self::Subscribe(wanted) => Act::Subscribe(wanted.subscribe(model, now)),
            Self::Unsubscribe { at_once } => Act::Unsubscribe(Unsubscribe { at_once: *at_once }),
        }
    }
}

impl Price {
    fn spend(&self) -> Spend {
        let action = ActionKey::try_from("render".to_owned()).ok().filter(|_| !self.is_plain);
        let cost = amount(self.cost);
        let agreed = match (self.is_stale, self.is_plain) {
            (true, _) => Some(amount(1 + self.cost / 2)),
            (false, true) => None,
            (false, false) => Some(cost),
        };
        Spend {
            charge: Charge { action, units: None, cost },
            agreed,
            limits: self.limits,
            description: self.is_plain.then(reason),
        }
    }
}

impl Pick {
    fn version(&self, apt: Vec<Version>, any: Vec<Version>) -> Version {
        match self {
            Self::Apt(index) if !apt.is_empty() => *index.get(&apt),
            Self::Apt(index) | Self::Any(index) if !any.is_empty() => *index.get(&any),
            Self::Number(number) => Version(*number),
            _ => Version(1),
        }
    }

    fn lot(&self, model: &Model, is_apt: impl Fn(&Parcel) -> bool) -> LotNumber {
        let number = |lot: &Parcel| Version(lot.number.0);
        let apt = model.lots.iter().filter(|lot| is_apt(lot)).map(number).collect();
        LotNumber(self.version(apt, model.lots.iter().map(number).collect()).0)
    }
}

impl Part {
    /// So much of it, and what comes on top; at most what can be asked for.
    fn of(self, whole: i128) -> i64 {
        let part = whole * i128::from(self.0) / 100 + i128::from(self.1);
        part.clamp(0, Amount::MAX.get().into()) as i64
    }
}

fn open_holds(model: &Model) -> Vec<Version> {
    model.holds.iter().map(|hold| hold.number).collect()
}

fn all_holds(model: &Model) -> Vec<Version> {
    let holds = model.entries.iter().filter(|entry| matches!(entry.kind, Kind::Hold { .. }));
    holds.map(|entry| entry.version).collect()
}

/// Spends and captures of which at least so much can be refunded.
fn spends(model: &Model, at_least: i128) -> Vec<Version> {
    let refundable = |spend: Version| {
        let taken = model.takes(spend)?.iter().map(|(_, part)| part).sum::<i128>();
        (taken - model.refunded(spend) >= at_least).then_some(spend)
    };
    model.entries.iter().filter_map(|entry| refundable(entry.version)).collect()
}
