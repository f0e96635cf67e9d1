//! What the crowd asks for: deeds, which can be written down for another process, and the choice of the next
//! one from what is known of an account.

use chrono::{DateTime, TimeDelta, Utc};
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use scrip::domain::{
    AccountId, Act, Adjust, Adjustment, Amount, Capture, Charge, Clawback, Command, Credits, Entry, Grace,
    Grant, HoldLife, IdempotencyKey, Kind, Limits, LotNumber, Refund, Reinstate, Release, Source, Spend,
    Subscribe, Terms, Unlimited, Unsubscribe, Version, Void, WhenSpent,
    catalog::{Allowance, PlanKey, RolloverCap},
    note::Description,
};
use serde::{Deserialize, Serialize};

/// What a command asks for, in plain numbers: moments in microseconds, spans in milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Deed {
    Grant {
        amount: i64,
        source: Source,
        from: Option<i64>,
        until: Option<i64>,
    },
    Spend {
        cost: i64,
        keep: i64,
    },
    Hold {
        cost: i64,
        life: i64,
    },
    Capture {
        hold: i64,
        amount: Option<i64>,
    },
    Release {
        hold: i64,
    },
    Refund {
        spend: i64,
        amount: Option<i64>,
        grace: Option<i64>,
    },
    Void {
        lot: i64,
    },
    Give {
        amount: i64,
    },
    Take {
        amount: i64,
    },
    Clawback {
        lot: i64,
        total: i64,
        forgive: bool,
    },
    Reinstate {
        lot: i64,
        total: i64,
    },
    Unlimited {
        until: i64,
    },
    /// Its first period ends at the anchor.
    Subscribe {
        allowance: i64,
        cap: i64,
        anchor: i64,
        paid_until: Option<i64>,
    },
    Unsubscribe {
        at_once: bool,
    },
}

impl Deed {
    pub fn asked_of(&self, account: AccountId, key: &str) -> Command {
        Command::new(account, IdempotencyKey::parse(key).unwrap(), self.act())
    }

    fn act(&self) -> Act {
        let reason = || Description::parse("Because").unwrap();
        match *self {
            Self::Grant { amount, source, from, until } => Act::Grant(Grant {
                amount: credits(amount),
                source,
                priority: source.default_priority(),
                effective_at: from.map(moment),
                expires_at: until.map(moment),
                description: reason(),
            }),
            Self::Spend { cost, keep } => Act::Spend(spend(cost, keep)),
            Self::Hold { cost, life } => {
                Act::Hold(spend(cost, 0), HoldLife::try_from(TimeDelta::milliseconds(life)).unwrap())
            }
            Self::Capture { hold, amount } => {
                Act::Capture(Capture { hold: Version(hold), amount: amount.map(credits) })
            }
            Self::Release { hold } => Act::Release(Release { hold: Version(hold) }),
            Self::Refund { spend, amount, grace } => Act::Refund(Refund {
                spend: Version(spend),
                amount: amount.map(credits),
                grace: grace.map(|grace| Grace::try_from(TimeDelta::milliseconds(grace)).unwrap()),
                reason: reason(),
            }),
            Self::Void { lot } => Act::Void(Void { lot: LotNumber(lot), reason: reason() }),
            Self::Give { amount } => {
                Act::Adjust(Adjust { by: Adjustment::Give(credits(amount)), reason: reason() })
            }
            Self::Take { amount } => {
                Act::Adjust(Adjust { by: Adjustment::Take(credits(amount)), reason: reason() })
            }
            Self::Clawback { lot, total, forgive } => Act::Clawback(Clawback {
                lot: LotNumber(lot),
                total: credits(total),
                when_spent: if forgive { WhenSpent::Forgive } else { WhenSpent::Debt },
                reason: reason(),
            }),
            Self::Reinstate { lot, total } => Act::Reinstate(Reinstate {
                lot: LotNumber(lot),
                total: Credits::try_from(total).unwrap(),
                reason: reason(),
            }),
            Self::Unlimited { until } => Act::Unlimited(Unlimited { until: moment(until), reason: reason() }),
            Self::Subscribe { allowance, cap, anchor, paid_until } => Act::Subscribe(Subscribe {
                terms: plan(allowance, cap),
                anchor: Some(moment(anchor)),
                paid_until: paid_until.map(moment),
                // Every other plan is followed by the one that costs nothing.
                fallback: (allowance % 2 == 0).then(|| Terms { is_free: true, ..plan(3, 1) }),
                is_trial: false,
            }),
            Self::Unsubscribe { at_once } => Act::Unsubscribe(Unsubscribe { at_once }),
        }
    }
}

/// One that is named by its allowance, and ends with a period that is not paid for.
fn plan(allowance: i64, cap: i64) -> Terms {
    Terms {
        plan: PlanKey::try_from(format!("plan_{allowance}")).unwrap(),
        allowance: Allowance::Monthly(credits(allowance)),
        rollover_cap: RolloverCap::try_from(cap).ok(),
        priority: Source::Plan.default_priority(),
        grace_days: 0,
        is_free: false,
    }
}

/// A pack of credits that never lapse.
pub const fn pack(amount: i64) -> Deed {
    Deed::Grant { amount, source: Source::Pack, from: None, until: None }
}

pub const fn cost(cost: i64) -> Deed {
    Deed::Spend { cost, keep: 0 }
}

fn spend(cost: i64, keep: i64) -> Spend {
    let charge = Charge { action: None, units: None, cost: credits(cost) };
    let limits = Limits { min_balance: Credits::try_from(keep).unwrap(), ..Limits::default() };
    Spend { agreed: Some(charge.cost), charge, limits, description: None }
}

fn credits(amount: i64) -> Amount {
    Amount::try_from(amount).unwrap()
}

fn moment(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap()
}

/// What a caller has heard of an account, so that it can name it: the newest of each, with what they are
/// worth.
#[derive(Default)]
pub struct Known {
    holds: Vec<(i64, i64)>,
    spends: Vec<(i64, i64)>,
    lots: Vec<(i64, i64)>,
}

/// More than a few would only be answered that they are closed.
const KNOWN_MAX: usize = 12;

impl Known {
    pub fn learn(&mut self, entry: &Entry) {
        let version = entry.version.0;
        if let Some(opened) = entry.opened {
            remember(&mut self.lots, (opened.lot.0, entry.movements[0].change.max(1)));
        }
        match &entry.kind {
            Kind::Hold { charge, .. } => remember(&mut self.holds, (version, charge.cost.get())),
            Kind::Spend(charge) | Kind::Capture { charge, .. } => {
                remember(&mut self.spends, (version, charge.cost.get()));
            }
            _ => {}
        }
    }

    /// What to ask next. It may well be refused: what is known may be over, or somebody else's choice too.
    pub fn invent(&self, rng: &mut StdRng, now: DateTime<Utc>) -> Deed {
        let now = now.timestamp_micros();
        let soon = |rng: &mut StdRng| now + rng.random_range(1_000..2_000_000);
        let amount = |rng: &mut StdRng, max: i64| rng.random_range(1..=max);
        let hold = self.holds.choose(rng).copied();
        let spent = self.spends.choose(rng).copied();
        let lot = self.lots.choose(rng).copied();
        match (rng.random_range(0..100), hold, spent, lot) {
            (0..14, ..) => Deed::Grant {
                amount: amount(rng, 30),
                source: *Source::ALL.choose(rng).unwrap(),
                from: rng.random_bool(0.2).then(|| now + rng.random_range(-50_000..50_000)),
                until: rng.random_bool(0.6).then(|| soon(rng) + 100_000),
            },
            (14..20, ..) => Deed::Hold { cost: amount(rng, 8), life: rng.random_range(1_000..3_000) },
            (20..34, Some((hold, held)), ..) => Deed::Capture {
                hold,
                // Exactly, in part, or more than was held.
                amount: rng.random_bool(0.6).then(|| amount(rng, held + 4)),
            },
            (34..40, Some((hold, _)), ..) => Deed::Release { hold },
            (40..50, _, Some((spend, cost)), _) => Deed::Refund {
                spend,
                amount: rng.random_bool(0.6).then(|| amount(rng, cost)),
                grace: rng.random_bool(0.4).then(|| rng.random_range(1_000..3_000)),
            },
            (50..53, .., Some((lot, _))) => Deed::Void { lot },
            (53..56, ..) => Deed::Give { amount: amount(rng, 10) },
            (56..60, ..) => Deed::Take { amount: amount(rng, 6) },
            (60..66, .., Some((lot, granted))) => {
                Deed::Clawback { lot, total: amount(rng, granted), forgive: rng.random_bool(0.3) }
            }
            (66..70, .., Some((lot, granted))) => {
                Deed::Reinstate { lot, total: rng.random_range(0..granted) }
            }
            // Mostly over at once: where nothing costs anything, nothing can go wrong.
            (70..72, ..) => Deed::Unlimited { until: now + rng.random_range(-5_000..5_000) },
            // A month is too long for anything here: what is tried are first periods, renewed once or ended.
            (72..77, ..) => Deed::Subscribe {
                allowance: amount(rng, 9),
                cap: amount(rng, 3),
                anchor: soon(rng),
                paid_until: rng.random_bool(0.5).then(|| soon(rng)),
            },
            (77..79, ..) => Deed::Unsubscribe { at_once: rng.random_bool(0.7) },
            _ => Deed::Spend {
                cost: amount(rng, 9),
                keep: if rng.random_bool(0.1) { amount(rng, 5) } else { 0 },
            },
        }
    }
}

fn remember(known: &mut Vec<(i64, i64)>, new: (i64, i64)) {
    if known.len() == KNOWN_MAX {
        known.remove(0);
    }
    known.push(new);
}
