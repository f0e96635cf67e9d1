//! Everything that somebody could change in a line of history: what the chain is tried with.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::super::{
    catalog::{ActionKey, Allowance, PlanKey, RolloverCap, Units},
    entry::{Cause, Opened},
    note::{Description, Metadata, Reference},
    subscription::Next,
    testing::amount,
    *,
};

/// A change of one field: what it is called, and how it is made with some number that is not zero. It may
/// leave an entry as it is, where that has no such field.
pub type Change = (&'static str, fn(&mut Entry, i64));

pub const CHANGES: [Change; 41] = [
    ("account", |entry, number| entry.account = AccountId::from(Uuid::from_u64_pair(number as u64, 7))),
    ("version", |entry, number| entry.version.0 = entry.version.0.wrapping_add(number)),
    ("time", |entry, number| entry.at = moved(entry.at, number)),
    ("kind", |entry, number| entry.kind = kind(number)),
    ("balance before", |entry, number| entry.balance_before = credits(number)),
    ("balance after", |entry, number| entry.balance_after = credits(number)),
    ("lot of a movement", |entry, number| movement(entry, number, |part| &mut part.lot.0)),
    ("change of a movement", |entry, number| movement(entry, number, |part| &mut part.change)),
    ("what a movement holds", |entry, number| movement(entry, number, |part| &mut part.held)),
    ("a movement less", |entry, _| entry.movements.truncate(entry.movements.len().saturating_sub(1))),
    ("a movement more", |entry, number| entry.movements.push(Movement::of(LotNumber(1), number % 3))),
    ("order of movements", |entry, _| entry.movements.reverse()),
    ("two movements that cancel", |entry, number| {
        let number = number >> 1;
        entry.movements.extend([number, -number].map(|change| Movement::of(LotNumber(1), change)));
    }),
    ("a lot that begins", |entry, number| {
        let terms = Opened {
            lot: LotNumber(number),
            source: Source::Plan,
            priority: Priority(1),
            effective_at: entry.at,
            expires_at: None,
        };
        entry.opened = entry.opened.xor(Some(terms));
    }),
    ("number of the lot", |entry, number| opened(entry, |terms| terms.lot = LotNumber(number))),
    ("source of the lot", |entry, number| {
        opened(entry, |terms| terms.source = Source::ALL[number.unsigned_abs() as usize % 5]);
    }),
    ("priority of the lot", |entry, number| opened(entry, |terms| terms.priority.0 ^= number as i16)),
    ("beginning of the lot", |entry, number| {
        opened(entry, |terms| terms.effective_at = moved(terms.effective_at, number));
    }),
    ("end of the lot", |entry, number| {
        opened(entry, |terms| {
            terms.expires_at = match terms.expires_at {
                Some(_) if number % 2 == 0 => None,
                ends => Some(moved(ends.unwrap_or(terms.effective_at), number)),
            }
        });
    }),
    ("what is owed", |entry, number| entry.debt_change = entry.debt_change.wrapping_add(number)),
    ("fact of the kind", fact),
    ("plan", |entry, number| terms(entry, |terms| terms.plan = plan(number))),
    ("allowance", |entry, number| {
        terms(entry, |terms| {
            terms.allowance = match terms.allowance {
                Allowance::Monthly(_) if number % 5 == 0 => Allowance::Unlimited,
                _ => Allowance::Monthly(amount(number.unsigned_abs() as i64 % 1_000 + 1)),
            }
        });
    }),
    ("rollover cap", |entry, number| {
        terms(entry, |terms| terms.rollover_cap = RolloverCap::try_from(number % 9).ok());
    }),
    ("priority of the plan", |entry, number| terms(entry, |terms| terms.priority.0 ^= number as i16)),
    ("days of grace", |entry, number| terms(entry, |terms| terms.grace_days ^= number as u16)),
    ("whether the plan is free", |entry, _| terms(entry, |terms| terms.is_free ^= true)),
    ("anchor", |entry, number| subscription(entry, |after| after.anchor = moved(after.anchor, number))),
    ("start of the period", |entry, number| {
        subscription(entry, |after| after.period.start = moved(after.period.start, number));
    }),
    ("end of the credits", |entry, number| {
        subscription(entry, |after| after.credits_until = moved(after.credits_until, number));
    }),
    ("what was given", |entry, number| subscription(entry, |after| after.given = credits(number))),
    ("until when it is paid for, and when it ended", |entry, number| {
        subscription(entry, |after| {
            let time = if number % 2 == 0 { &mut after.paid_until } else { &mut after.ended_at };
            *time = time.map_or(Some(moved(after.anchor, number)), |time| Some(moved(time, number)));
        });
    }),
    ("until when the free plan brought its allowance", |entry, number| {
        subscription(entry, |after| {
            after.free_until = Some(moved(after.free_until.unwrap_or(after.anchor), number));
        });
    }),
    ("what comes next", |entry, number| {
        subscription(entry, |after| {
            after.next = match number % 3 {
                0 => Next::Renew,
                1 => Next::End,
                _ => Next::Change(Terms { plan: plan(number), ..after.terms.clone() }),
            }
        });
    }),
    ("what follows", |entry, number| {
        subscription(entry, |after| {
            after.fallback = match after.fallback.take() {
                Some(_) if number % 2 == 0 => None,
                Some(terms) => Some(Terms { plan: plan(number), ..terms }),
                None => Some(after.terms.clone()),
            }
        });
    }),
    ("description", |entry, number| entry.description = Description::parse(format!("No. {number}")).ok()),
    ("reference", |entry, number| entry.reference = Reference::parse(format!("no-{number}")).ok()),
    ("metadata", |entry, number| entry.metadata = Metadata::parse(format!("{{ \"no\": {number} }}")).ok()),
    ("a note less", |entry, _| (entry.description, entry.reference, entry.metadata) = (None, None, None)),
    ("cause", |entry, number| {
        entry.cause = match entry.cause {
            Some(_) if number % 3 == 0 => None,
            Some(cause) if number % 3 == 1 => {
                Some(Cause { fingerprint: Fingerprint::from(number as i32), ..cause })
            }
            Some(cause) => Some(Cause { key: KeyDigest::from(number), ..cause }),
            None => {
                Some(Cause { key: KeyDigest::from(number), fingerprint: Fingerprint::from(number as i32) })
            }
        };
    }),
    ("link", |entry, number| entry.link ^= number as i32),
];

/// What is particular to the entry's kind: the hold or the spend it is about, its moment, its charge.
fn fact(entry: &mut Entry, number: i64) {
    match &mut entry.kind {
        Kind::Hold { until, .. } if number % 2 == 0 => *until = moved(*until, number),
        Kind::Capture { hold, .. } if number % 2 == 0 => hold.0 = number,
        Kind::Spend(charge) | Kind::Hold { charge, .. } | Kind::Capture { charge, .. } => match number % 3 {
            0 => charge.cost = amount(number.unsigned_abs() as i64 % 1_000 + 1),
            1 => charge.units = Units::try_from(number.unsigned_abs() as i64 % 1_000 + 1).ok(),
            _ => charge.action = ActionKey::try_from(format!("a{}", number.unsigned_abs())).ok(),
        },
        Kind::Release { hold: version } | Kind::Refund { spend: version } => version.0 = number,
        Kind::Unlimited { until } => *until = moved(*until, number),
        Kind::Subscription(after) | Kind::Renewal(after) => {
            let after = Arc::make_mut(after);
            after.period.end = moved(after.period.end, number);
        }
        Kind::Clawback(clawed) | Kind::Reinstatement(clawed) => {
            clawed.forgiven = Credits::try_from(number.unsigned_abs() as i64 % 1_000).unwrap();
        }
        Kind::Grant | Kind::Expiry | Kind::Void | Kind::Adjustment => {}
    }
}

fn kind(number: i64) -> Kind {
    let plain = [
        Kind::Grant,
        Kind::Expiry,
        Kind::Void,
        Kind::Adjustment,
        Kind::Clawback(Clawed::default()),
        Kind::Reinstatement(Clawed::default()),
        Kind::Release { hold: Version(1) },
        Kind::Refund { spend: Version(1) },
        Kind::Spend(Charge { action: None, units: None, cost: amount(1) }),
    ];
    plain[number.unsigned_abs() as usize % plain.len()].clone()
}

fn movement(entry: &mut Entry, number: i64, field: fn(&mut Movement) -> &mut i64) {
    let place = number.unsigned_abs() as usize % entry.movements.len().max(1);
    if let Some(field) = entry.movements.get_mut(place).map(field) {
        *field = field.wrapping_add(number);
    }
}

fn subscription(entry: &mut Entry, change: impl FnOnce(&mut Subscription)) {
    if let Kind::Subscription(after) | Kind::Renewal(after) = &mut entry.kind {
        change(Arc::make_mut(after));
    }
}

fn terms(entry: &mut Entry, change: impl FnOnce(&mut Terms)) {
    subscription(entry, |after| change(&mut after.terms));
}

fn plan(number: i64) -> PlanKey {
    PlanKey::try_from(format!("p{}", number.unsigned_abs())).expect("a plan's name")
}

fn opened(entry: &mut Entry, change: impl FnOnce(&mut Opened)) {
    if let Some(terms) = &mut entry.opened {
        change(terms);
    }
}

fn credits(number: i64) -> Credits {
    Credits::try_from(number & i64::MAX).expect("not negative")
}

/// By some microseconds, within some centuries.
fn moved(time: DateTime<Utc>, number: i64) -> DateTime<Utc> {
    time.checked_add_signed(TimeDelta::microseconds(number % 10_000_000_000_000_000)).unwrap_or(time)
}
