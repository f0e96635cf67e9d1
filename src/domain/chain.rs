//! The chain of an account's entries (rule 12): each link is the SHA-256 of the link before and of everything
//! that the entry says, so that no line of history can be changed, removed or moved unnoticed.
//!
//! What is hashed, in this order: the link before (32 bytes, zeros before the first entry), the account's
//! UUID (16 bytes), then the fields of the entry. A number is 8 bytes, most significant first; a time is the
//! number of its microseconds since 1970; a text is the number of its bytes and then its UTF-8; an optional
//! field is one byte, 1 or 0, and the field only after a 1. The order of the fields is that of
//! [`Chain::after`]; how a lot stands with clawbacks, or the subscription,
//! ends the entries of these alone. A yes is the number 1, a no is 0. `free_until` came later than the rest: it is the
//! last of a subscription, its time alone, where there is one.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    Entry,
    catalog::Allowance,
    subscription::{Next, Subscription, Terms},
};

/// The state of an account's chain after its last entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain([u8; 32]);

impl Chain {
    /// Before the first entry.
    pub const START: Self = Self([0; 32]);

    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first four bytes as a number. Each entry keeps these to say where a chain is broken; that it is
    /// whole is said by the account, which keeps the last link in full.
    pub const fn link(&self) -> i32 {
        let [a, b, c, d, ..] = self.0;
        i32::from_be_bytes([a, b, c, d])
    }

    #[must_use]
    pub fn after(self, entry: &Entry) -> Self {
        let charge = entry.kind.charge();
        let mut line = Line::new(self);
        line.bytes(Uuid::from(entry.account).as_bytes());
        line.number(entry.version.0);
        line.time(entry.at);
        line.text(entry.kind.as_str());
        line.number(entry.balance_after.get());
        line.number(entry.debt_change);
        line.number(entry.movements.len() as i64);
        for movement in &entry.movements {
            line.number(movement.lot.0);
            line.number(movement.change);
            line.number(movement.held);
        }
        line.optional(entry.opened, |line, opened| {
            line.number(opened.lot.0);
            line.text(opened.source.as_str());
            line.number(opened.priority.0.into());
            line.time(opened.effective_at);
            line.optional(opened.expires_at, Line::time);
        });
        line.optional(entry.kind.about(), |line, version| line.number(version.0));
        line.optional(entry.kind.until(), Line::time);
        line.optional(charge.and_then(|charge| charge.action.as_ref()), |line, action| {
            line.text(action.as_str())
        });
        line.optional(charge.and_then(|charge| charge.units), |line, units| line.number(units.get()));
        line.optional(charge.map(|charge| charge.cost), |line, cost| line.number(cost.get()));
        line.optional(entry.description.as_ref(), |line, text| line.text(text.as_str()));
        line.optional(entry.reference.as_ref(), |line, text| line.text(text.as_str()));
        line.optional(entry.metadata.as_ref(), |line, text| line.text(text.as_str()));
        line.optional(entry.cause, |line, cause| {
            line.number(cause.key.get());
            line.number(cause.fingerprint.get().into());
        });
        // Of these kinds alone, and so without a sign that it is there.
        if let Some(clawed) = entry.kind.clawed() {
            for part in [clawed.taken, clawed.owed, clawed.forgiven] {
                line.number(part.get());
            }
        }
        if let Some(subscription) = entry.kind.subscription() {
            line.subscription(subscription);
        }
        Self(Sha256::digest(&line.0).into())
    }
}

/// The bytes that are hashed for one entry.
struct Line(Vec<u8>);

impl Line {
    /// Longer than nearly every entry, so that the line is not moved while it grows.
    const ROOM: usize = 256;

    fn new(before: Chain) -> Self {
        let mut line = Self(Vec::with_capacity(Self::ROOM));
        line.bytes(&before.0);
        line
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, number: i64) {
        self.bytes(&number.to_be_bytes());
    }

    fn time(&mut self, time: DateTime<Utc>) {
        self.number(time.timestamp_micros());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as i64);
        self.bytes(text.as_bytes());
    }

    fn subscription(&mut self, subscription: &Subscription) {
        let Subscription {
            terms,
            anchor,
            period,
            credits_until,
            given,
            paid_until,
            next,
            fallback,
            ended_at,
            free_until,
        } = subscription;
        self.terms(terms);
        for time in [*anchor, period.start, period.end, *credits_until] {
            self.time(time);
        }
        self.number(given.get());
        self.optional(*paid_until, Self::time);
        match next {
            Next::Renew => self.text("renew"),
            Next::End => self.text("end"),
            Next::Change(terms) => {
                self.text("change");
                self.terms(terms);
            }
        }
        self.optional(fallback.as_ref(), Self::terms);
        self.optional(*ended_at, Self::time);
        if let Some(free_until) = free_until {
            self.time(*free_until);
        }
    }

    fn terms(&mut self, terms: &Terms) {
        let Terms { plan, allowance, rollover_cap, priority, grace_days, is_free } = terms;
        self.text(plan.as_str());
        let monthly = match allowance {
            Allowance::Monthly(amount) => Some(amount.get()),
            Allowance::Unlimited => None,
        };
        self.optional(monthly, Self::number);
        self.optional(*rollover_cap, |line, cap| line.number(cap.get().into()));
        for number in [priority.0.into(), (*grace_days).into(), (*is_free).into()] {
            self.number(number);
        }
    }

    fn optional<T>(&mut self, field: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.bytes(&[u8::from(field.is_some())]);
        if let Some(field) = field {
            write(self, field);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fmt::Write};

    use super::*;
    use crate::domain::{
        Charge, Clawed, Credits, Fingerprint, KeyDigest, Kind, LotNumber, Movement, Priority, Source,
        Version,
        catalog::Units,
        entry::{Cause, Opened},
        note::{Description, Metadata, Reference},
        testing::{at, credits, new_account, reason, spend, terms},
    };
    use crate::domain::{
        Period,
        catalog::{PlanKey, RolloverCap},
    };

    fn entry(kind: Kind) -> Entry {
        Entry {
            account: new_account().id(),
            version: Version(3),
            at: at(0),
            kind,
            balance_before: credits(9),
            balance_after: credits(5),
            movements: vec![Movement { lot: LotNumber(1), change: -4, held: 2 }],
            opened: None,
            debt_change: 0,
            description: None,
            reference: None,
            metadata: None,
            cause: None,
            link: 0,
        }
    }

    fn opened() -> Opened {
        Opened {
            lot: LotNumber(2),
            source: Source::Plan,
            priority: Priority(30),
            effective_at: at(10),
            expires_at: None,
        }
    }

    /// An entry that says everything which an entry can say besides its kind.
    fn talkative() -> Entry {
        Entry {
            opened: Some(Opened { expires_at: Some(at(60)), ..opened() }),
            debt_change: 7,
            description: Some(reason()),
            reference: Some(Reference::parse("job-7").unwrap()),
            metadata: Some(Metadata::parse(r#"{"é": 1}"#).unwrap()),
            cause: Some(Cause { key: KeyDigest::from(-8), fingerprint: Fingerprint::from(-9) }),
            ..entry(Kind::Expiry)
        }
    }

    fn charge() -> Charge {
        spend("render", 3).charge
    }

    fn by_unit() -> Charge {
        Charge { units: Some(Units::try_from(2000).unwrap()), ..charge() }
    }

    fn clawed() -> Clawed {
        Clawed { taken: credits(1), owed: credits(2), forgiven: credits(3) }
    }

    /// One that says everything which a subscription can say.
    fn subscription() -> Subscription {
        let capped = Terms { rollover_cap: RolloverCap::try_from(2).ok(), ..terms("pro", 100) };
        Subscription {
            terms: capped,
            anchor: at(-9),
            period: Period { start: at(0), end: at(60) },
            credits_until: at(70),
            given: credits(100),
            paid_until: Some(at(60)),
            next: Next::Change(terms("small", 5)),
            fallback: Some(Terms { allowance: Allowance::Unlimited, is_free: true, ..terms("free", 1) }),
            ended_at: Some(at(80)),
            free_until: None,
        }
    }

    /// The same with none of what may be left out.
    fn plain_subscription() -> Subscription {
        let terms = terms("pro", 100);
        Subscription {
            terms,
            paid_until: None,
            next: Next::Renew,
            fallback: None,
            ended_at: None,
            ..subscription()
        }
    }

    /// One entry of every shape.
    fn entries() -> Vec<Entry> {
        let (about, until) = (Version(2), at(60));
        let owing = |debt_change, kind| Entry { debt_change, ..entry(kind) };
        vec![
            Entry { opened: Some(opened()), ..entry(Kind::Grant) },
            entry(Kind::Spend(charge())),
            entry(Kind::Spend(Charge { action: None, ..charge() })),
            entry(Kind::Hold { charge: by_unit(), until }),
            entry(Kind::Capture { hold: about, charge: charge() }),
            entry(Kind::Release { hold: about }),
            entry(Kind::Refund { spend: about }),
            entry(Kind::Expiry),
            entry(Kind::Void),
            entry(Kind::Adjustment),
            owing(4, Kind::Clawback(clawed())),
            owing(-4, Kind::Reinstatement(clawed())),
            entry(Kind::Unlimited { until }),
            talkative(),
            entry(Kind::Subscription(plain_subscription().into())),
            entry(Kind::Renewal(subscription().into())),
            entry(Kind::Renewal(Subscription { free_until: Some(at(90)), ..subscription() }.into())),
        ]
    }

    fn hex(chain: Chain) -> String {
        chain.bytes().iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        })
    }

    /// Worked out by another program from nothing but this module's description. Where this test fails, every
    /// ledger that exists would be found broken.
    #[test]
    fn an_entry_is_hashed_as_it_always_was() {
        let known = [
            "9e631ec3a9ae131536d00a14468d2edde014570986568762d0232c23ca102522",
            "2066ab5bc209462b8797d3ee3cd50baf541b5669820df18475b75ab4192e31ea",
            "5cf9c7eafa0ed056593e571acb8e58b069b4a733b1589a2d684e7ddd0091e7b2",
            "1a89be816f13bd2fa0260ab36e8291b35e04ae74822b19f0bafb6ba9c0e28ac3",
            "3ef890af60633a54e1e090a8756cc05a012f16f9c5a5b69fbc12d15af073fdef",
            "0221c65f1389496e6f32372f4c8e5dbd2b0e4c05730d8780d2eda03fed829322",
            "a7c7748876efc764e46522c9c220760b76a66b22adc56334589575c12c735df4",
            "eeabb5a7a8e9f741bbc25964ed545bcc58666d03799bbf78df3d0485e05b3dbe",
            "0300f37cd7f2bfa78df5f7094239fd6fd5905604ae3832c3769f9c2bc4b1f345",
            "f255dbdb256ffbdc2c3dbde7d8420b631a6dc832cdb36449ea962d58c7c2c520",
            "e888bf1b1014b99981cb90a32ee8aaa562d38fac634f52c82360943e3f6d95f2",
            "780cb72d8895891c6b1184eb7a721421d5f5cf9c139e64455c965fa81e06de8b",
            "049a6a116976d3145286811294a491a9c1e3008980c5156e9814c74411bc008f",
            "21cb2d2c6e56283a7bf08d5ba1ad6573b69a3e1811af7d1371be0d290eda2e52",
            "1546a6e7e321dd813b0a5bdce727f74f1415bde44140ba1ce5223010f5671c39",
            "16a53bd0329162254175b2f9367f339924e02ecea6b0cb198c51321afeded3b4",
            "c160109b72f4b0f4a0d06a0278fb850826016ee1be44007e831debf67c1867fe",
        ];
        let made: Vec<String> = entries().iter().map(|entry| hex(Chain::START.after(entry))).collect();
        assert_eq!(made, known);
        let before = Chain::from_bytes([0xff; 32]);
        let after = "b5d81a617b4f5bc0332d569957214b15f7cca64711c92174a7b62b4ac539da11";
        assert_eq!(hex(before.after(&entry(Kind::Expiry))), after);
    }

    #[test]
    fn every_kind_of_entry_is_among_the_known_ones() {
        let kinds: BTreeSet<&str> = entries().iter().map(|entry| entry.kind.as_str()).collect();
        assert_eq!(kinds, BTreeSet::from(Kind::NAMES));
    }

    #[test]
    fn a_link_is_the_first_four_bytes() {
        let mut bytes = [0; 32];
        assert_eq!(Chain::from_bytes(bytes).link(), 0);
        bytes[..5].copy_from_slice(&[0xff, 0xff, 0xff, 0xfe, 0x77]);
        assert_eq!(Chain::from_bytes(bytes).link(), -2);
        bytes[..5].copy_from_slice(&[0x01, 0x02, 0x03, 0x04, 0x77]);
        assert_eq!(Chain::from_bytes(bytes).link(), 0x0102_0304);
    }

    #[test]
    fn a_chain_reads_back_as_it_was_written() {
        let chain = Chain::START.after(&talkative());
        assert_eq!(Chain::from_bytes(*chain.bytes()), chain);
        assert_eq!(Chain::default(), Chain::START);
    }

    #[test]
    fn no_two_entries_of_different_shapes_hash_the_same() {
        let made: BTreeSet<String> = entries().iter().map(|entry| hex(Chain::START.after(entry))).collect();
        assert_eq!(made.len(), entries().len());
    }

    #[test]
    fn nothing_that_an_entry_says_can_change_unnoticed() {
        let edit = |change: fn(&mut Entry)| {
            let mut edited = talkative();
            change(&mut edited);
            assert_ne!(edited, talkative());
            edited
        };
        let edited = [
            edit(|entry| entry.account = uuid::Uuid::nil().into()),
            edit(|entry| entry.version = Version(4)),
            edit(|entry| entry.at += chrono::TimeDelta::microseconds(1)),
            edit(|entry| entry.kind = Kind::Void),
            edit(|entry| entry.balance_after = Credits::ZERO),
            edit(|entry| entry.debt_change = -7),
            edit(|entry| entry.movements.clear()),
            edit(|entry| entry.movements[0].lot = LotNumber(2)),
            edit(|entry| entry.movements[0].change = -3),
            edit(|entry| entry.movements[0].held = 0),
            edit(|entry| entry.opened = None),
            edit(|entry| entry.opened.as_mut().unwrap().lot = LotNumber(3)),
            edit(|entry| entry.opened.as_mut().unwrap().source = Source::Pack),
            edit(|entry| entry.opened.as_mut().unwrap().priority = Priority(31)),
            edit(|entry| entry.opened.as_mut().unwrap().effective_at = at(11)),
            edit(|entry| entry.opened.as_mut().unwrap().expires_at = None),
            edit(|entry| entry.description = None),
            edit(|entry| entry.description = Some(Description::parse("Because!").unwrap())),
            edit(|entry| entry.reference = None),
            edit(|entry| entry.metadata = Some(Metadata::parse(r#"{"é": 2}"#).unwrap())),
            edit(|entry| entry.cause = None),
            edit(|entry| entry.cause.as_mut().unwrap().key = KeyDigest::from(8)),
            edit(|entry| entry.cause.as_mut().unwrap().fingerprint = Fingerprint::from(9)),
        ];
        let mut seen = BTreeSet::from([hex(Chain::START.after(&talkative()))]);
        for entry in &edited {
            assert!(seen.insert(hex(Chain::START.after(entry))), "{entry:?}");
        }
    }

    #[test]
    fn nothing_that_a_subscription_says_can_change_unnoticed() {
        let other = || Some(terms("other", 7));
        let edits: [fn(&mut Subscription); 16] = [
            |after| after.terms.plan = PlanKey::try_from("max".to_owned()).unwrap(),
            |after| after.terms.allowance = terms("pro", 101).allowance,
            |after| after.terms.allowance = Allowance::Unlimited,
            |after| after.terms.rollover_cap = RolloverCap::try_from(3).ok(),
            |after| after.terms.priority.0 = 31,
            |after| after.terms.grace_days = 4,
            |after| after.terms.is_free = true,
            |after| after.anchor = at(-8),
            |after| after.period.start = at(1),
            |after| after.period.end = at(61),
            |after| after.credits_until = at(71),
            |after| after.given = credits(101),
            |after| after.paid_until = Some(at(59)),
            |after| after.next = Next::End,
            |after| after.ended_at = Some(at(81)),
            |after| after.free_until = Some(at(91)),
        ];
        let hash =
            |after: &Subscription| hex(Chain::START.after(&entry(Kind::Renewal(after.clone().into()))));
        for whole in [subscription(), plain_subscription()] {
            let mut seen = BTreeSet::from([hash(&whole)]);
            for edit in edits {
                let mut edited = whole.clone();
                edit(&mut edited);
                assert!(seen.insert(hash(&edited)), "{edited:?}");
            }
            for terms in [other(), whole.fallback.is_none().then(|| terms("pro", 100))].into_iter().flatten()
            {
                let change = Subscription { next: Next::Change(terms.clone()), ..whole.clone() };
                assert!(seen.insert(hash(&change)), "{change:?}");
                let follows = Subscription { fallback: Some(terms), ..whole.clone() };
                assert!(seen.insert(hash(&follows)), "{follows:?}");
            }
        }
        let without: [fn(&mut Subscription); 4] = [
            |after| after.terms.rollover_cap = None,
            |after| after.paid_until = None,
            |after| after.fallback = None,
            |after| after.ended_at = None,
        ];
        for edit in without {
            let mut edited = subscription();
            edit(&mut edited);
            assert_ne!(hash(&edited), hash(&subscription()), "{edited:?}");
        }
    }

    #[test]
    fn a_word_that_moves_from_one_field_to_the_next_is_noticed() {
        let described = Entry { description: Some(reason()), ..entry(Kind::Expiry) };
        let referred = Entry { reference: Reference::parse("Because").ok(), ..entry(Kind::Expiry) };
        assert_ne!(Chain::START.after(&described), Chain::START.after(&referred));
    }

    #[test]
    fn two_entries_that_change_places_are_noticed() {
        let (one, other) = (entry(Kind::Void), entry(Kind::Expiry));
        assert_ne!(Chain::START.after(&one).after(&other), Chain::START.after(&other).after(&one));
    }
}
