//! An entry as its table holds it, and the way from the one form to the other.

use std::{fmt::Write, sync::Arc};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{corrupt, past, subscriptions};
use crate::domain::{
    Amount, Charge, Credits, Entry, Fingerprint, KeyDigest, Kind, LotNumber, Movement, Priority, Source,
    Version,
    catalog::{ActionKey, Units},
    entry::{Cause, Clawed, Opened},
    note::{Description, Metadata, Reference},
};

#[derive(Clone, PartialEq, sqlx::Type)]
#[sqlx(type_name = "entry_row")]
pub struct EntryRow {
    pub version: i64,
    pub at: DateTime<Utc>,
    pub balance_after: i64,
    pub key: Option<i64>,
    pub fingerprint: Option<i32>,
    pub link: i32,
    pub kind: i8,
    pub account_id: Uuid,
    pub movements: String,
    pub action: Option<String>,
    pub units: Option<i64>,
    pub cost: Option<i64>,
    pub about: Option<i64>,
    pub until: Option<DateTime<Utc>>,
    pub debt_change: Option<i64>,
    pub opened_lot: Option<i64>,
    pub source: Option<String>,
    pub priority: Option<i16>,
    pub effective_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub description: Option<String>,
    pub reference: Option<String>,
    pub metadata: Option<String>,
    pub clawed_taken: Option<i64>,
    pub clawed_owed: Option<i64>,
    pub clawed_forgiven: Option<i64>,
    pub subscription: Option<String>,
}

/// The letters that stand for the kinds (`entries.kind`), in the order of [`Kind::NAMES`].
const LETTERS: [u8; 14] = *b"gshcrfxvabiupn";

/// The letter for the kind of this name.
pub fn letter_named(name: &str) -> Option<i8> {
    let place = Kind::NAMES.iter().position(|known| *known == name)?;
    Some(LETTERS[place] as i8)
}

/// What a spend, a hold or a capture is about, with its price where that is not what it took.
fn charge(entry: &Entry) -> Option<(&Charge, Option<i64>)> {
    let charge = entry.kind.charge()?;
    let took = match entry.kind {
        Kind::Hold { .. } => entry.held_change(),
        _ => taken(&entry.movements),
    };
    Some((charge, Some(charge.cost.get()).filter(|cost| *cost != took)))
}

/// What left the lots for good.
fn taken(movements: &[Movement]) -> i64 {
    -movements.iter().map(|movement| movement.change + movement.held).sum::<i64>()
}

/// `lot:change` or `lot:change:held` for each movement.
fn render(movements: &[Movement]) -> String {
    let mut text = String::with_capacity(8 * movements.len());
    for Movement { lot, change, held } in movements {
        let space = if text.is_empty() { "" } else { " " };
        let written = match held {
            0 => write!(text, "{space}{}:{change}", lot.0),
            held => write!(text, "{space}{}:{change}:{held}", lot.0),
        };
        written.expect("a String takes everything");
    }
    text
}

fn parse(text: &str) -> Option<Vec<Movement>> {
    let movement = |part: &str| {
        let mut numbers = part.split(':').map(str::parse::<i64>);
        let (lot, change) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        let held = numbers.next().unwrap_or(Ok(0)).ok()?;
        Some(Movement { lot: LotNumber(lot), change, held })
    };
    text.split_ascii_whitespace().map(movement).collect()
}

impl EntryRow {
    pub fn write(entry: &Entry) -> Self {
        let (charge, cost) = charge(entry).unzip();
        let (opened, clawed) = (entry.opened, entry.kind.clawed());
        Self {
            version: entry.version.0,
            at: entry.at,
            balance_after: entry.balance_after.get(),
            key: entry.cause.map(|cause| cause.key.get()),
            fingerprint: entry.cause.map(|cause| cause.fingerprint.get()),
            link: entry.link,
            kind: LETTERS[entry.kind.place()] as i8,
            account_id: entry.account.into(),
            movements: render(&entry.movements),
            action: charge.and_then(|charge| charge.action.as_ref()).map(ToString::to_string),
            units: charge.and_then(|charge| charge.units).map(Units::get),
            cost: cost.flatten(),
            about: entry.kind.about().map(|version| version.0),
            until: entry.kind.until(),
            debt_change: Some(entry.debt_change).filter(|change| *change != 0),
            opened_lot: opened.map(|opened| opened.lot.0),
            source: opened.map(|opened| opened.source.as_str().to_owned()),
            priority: opened.map(|opened| opened.priority.0),
            effective_at: opened.map(|opened| opened.effective_at),
            expires_at: opened.and_then(|opened| opened.expires_at),
            description: entry.description.as_ref().map(|text| text.as_str().to_owned()),
            reference: entry.reference.as_ref().map(|text| text.as_str().to_owned()),
            metadata: entry.metadata.as_ref().map(|text| text.as_str().to_owned()),
            clawed_taken: clawed.map(|clawed| clawed.taken.get()),
            clawed_owed: clawed.map(|clawed| clawed.owed.get()),
            clawed_forgiven: clawed.map(|clawed| clawed.forgiven.get()),
            subscription: entry.kind.subscription().map(subscriptions::render),
        }
    }

    /// The entry, if all of the row is what would be written of it: nothing stands in a column that nobody reads.
    pub fn read_exactly(self) -> sqlx::Result<Arc<Entry>> {
        let entry = self.clone().read()?;
        if Self::write(&entry) == self {
            Ok(entry)
        } else {
            Err(corrupt("an entry in another form than its own"))
        }
    }

    pub fn read(self) -> sqlx::Result<Arc<Entry>> {
        let movements = parse(&self.movements).ok_or_else(|| corrupt(&self.movements))?;
        let kind = self.kind(&movements)?;
        let opened = self.opened()?;
        let cause = match (self.key, self.fingerprint) {
            (Some(key), Some(fingerprint)) => {
                Some(Cause { key: KeyDigest::from(key), fingerprint: Fingerprint::from(fingerprint) })
            }
            _ => None,
        };
        let balance_after = Credits::try_from(self.balance_after).map_err(corrupt)?;
        let change: i64 = movements.iter().map(|movement| movement.change).sum();
        Ok(Arc::new(Entry {
            account: self.account_id.into(),
            version: Version(self.version),
            at: self.at,
            kind,
            balance_before: balance_after.changed_by(-change).ok_or_else(|| corrupt(change))?,
            balance_after,
            movements,
            opened,
            debt_change: self.debt_change.unwrap_or_default(),
            description: self.description.map(Description::parse).transpose().map_err(corrupt)?,
            reference: self.reference.map(Reference::parse).transpose().map_err(corrupt)?,
            metadata: self.metadata.map(Metadata::parse).transpose().map_err(corrupt)?,
            cause,
            link: self.link,
        }))
    }

    fn kind(&self, movements: &[Movement]) -> sqlx::Result<Kind> {
        let wrong = || corrupt(format_args!("an entry of kind {} with the wrong columns", self.kind));
        let about = || self.about.map(Version).ok_or_else(wrong);
        let until = || self.until.ok_or_else(wrong);
        let subscription = || subscriptions::parse(self.subscription.as_deref().ok_or_else(wrong)?);
        let charge = |took: i64| {
            Ok::<_, sqlx::Error>(Charge {
                action: self.action.clone().map(ActionKey::try_from).transpose().map_err(corrupt)?,
                units: self.units.map(Units::try_from).transpose().map_err(corrupt)?,
                cost: Amount::try_from(self.cost.unwrap_or(took)).map_err(corrupt)?,
            })
        };
        let set_aside = || movements.iter().map(|movement| movement.held).sum();
        Ok(match self.kind as u8 {
            b'g' => Kind::Grant,
            b's' => Kind::Spend(charge(taken(movements))?),
            b'h' => Kind::Hold { charge: charge(set_aside())?, until: until()? },
            b'c' => Kind::Capture { hold: about()?, charge: charge(taken(movements))? },
            b'r' => Kind::Release { hold: about()? },
            b'f' => Kind::Refund { spend: about()? },
            b'x' => Kind::Expiry,
            b'v' => Kind::Void,
            b'a' => Kind::Adjustment,
            b'b' => Kind::Clawback(self.clawed()?),
            b'i' => Kind::Reinstatement(self.clawed()?),
            b'u' => Kind::Unlimited { until: until()? },
            b'p' => Kind::Subscription(subscription()?),
            b'n' => Kind::Renewal(subscription()?),
            _ => return Err(wrong()),
        })
    }

    fn clawed(&self) -> sqlx::Result<Clawed> {
        let part = |part: Option<i64>| part.unwrap_or(-1);
        past::clawed(part(self.clawed_taken), part(self.clawed_owed), part(self.clawed_forgiven))
    }

    fn opened(&self) -> sqlx::Result<Option<Opened>> {
        let (Some(lot), Some(source), Some(priority), Some(effective_at)) =
            (self.opened_lot, &self.source, self.priority, self.effective_at)
        else {
            return Ok(None);
        };
        Ok(Some(Opened {
            lot: LotNumber(lot),
            source: Source::named(source).ok_or_else(|| corrupt(source))?,
            priority: Priority(priority),
            effective_at,
            expires_at: self.expires_at,
        }))
    }
}
