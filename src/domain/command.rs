//! Commands: what can be asked of an account, and the key by which a repeated question is recognised.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use thiserror::Error;

use super::{
    AccountId, Amount, Credits, Fingerprint, HoldLife, IdempotencyKey, LotNumber, Priority, Source, Version,
    catalog::{ActionKey, Units},
    key::ContentDigest,
    moment,
    note::{Description, Metadata, Reference},
    subscription::Terms,
};

/// One thing asked of one account.
#[derive(Clone, Debug)]
pub struct Command {
    pub account: AccountId,
    pub key: IdempotencyKey,
    pub act: Act,
    /// The caller's own name for what this is about.
    pub reference: Option<Reference>,
    /// Whatever else the caller wants to find with the entry.
    pub metadata: Option<Metadata>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Act {
    Grant(Grant),
    Spend(Spend),
    Hold(Spend, HoldLife),
    Capture(Capture),
    Release(Release),
    Refund(Refund),
    Void(Void),
    Adjust(Adjust),
    Clawback(Clawback),
    Reinstate(Reinstate),
    Unlimited(Unlimited),
    Subscribe(Subscribe),
    Unsubscribe(Unsubscribe),
}

/// A new lot.
#[derive(Clone, Debug)]
pub struct Grant {
    pub amount: Amount,
    pub source: Source,
    pub priority: Priority,
    /// `None`: at once.
    pub effective_at: Option<DateTime<Utc>>,
    /// `None`: never.
    pub expires_at: Option<DateTime<Utc>>,
    pub description: Description,
}

/// Credits taken for an action, at once or set aside first.
#[derive(Clone, Debug)]
pub struct Spend {
    /// What it costs at the moment.
    pub charge: Charge,
    /// What the spender was shown: at any other price the spend is refused. `None`: whatever it costs.
    pub agreed: Option<Amount>,
    pub limits: Limits,
    pub description: Option<Description>,
}

/// What is charged for and how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// `None`: an amount that the caller named, for nothing in the catalog.
    pub action: Option<ActionKey>,
    /// How many units, where the action is priced by them.
    pub units: Option<Units>,
    pub cost: Amount,
}

/// What the catalog demands of spends and holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// What must stay available (rule 5).
    pub min_balance: Credits,
    /// How many an account may make in a UTC hour and in a UTC day (rule 5).
    pub per_hour: Option<u32>,
    pub per_day: Option<u32>,
}

/// The end of a hold's work: what it came to is taken, and the rest returned.
#[derive(Clone, Debug)]
pub struct Capture {
    pub hold: Version,
    /// `None`: what the hold's charge says. More than was held comes from what is available.
    pub amount: Option<Amount>,
}

/// The end of a hold whose work came to nothing.
#[derive(Clone, Debug)]
pub struct Release {
    pub hold: Version,
}

/// Credits of a spend, or of a capture, given back.
#[derive(Clone, Debug)]
pub struct Refund {
    pub spend: Version,
    /// `None`: all that has not been refunded yet.
    pub amount: Option<Amount>,
    /// For how long credits live whose lot has lapsed meanwhile; `None`: they lapse at once, as their lot did.
    pub grace: Option<Grace>,
    pub reason: Description,
}

/// How long credits live that come back after their lot has ended: a second to ten years, in whole
/// microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace(TimeDelta);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a grace lasts between one second and ten years")]
pub struct NotAGrace;

/// The end of a lot: what remains of it is taken away.
#[derive(Clone, Debug)]
pub struct Void {
    pub lot: LotNumber,
    pub reason: Description,
}

/// A correction by hand.
#[derive(Clone, Debug)]
pub struct Adjust {
    pub by: Adjustment,
    pub reason: Description,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjustment {
    Give(Amount),
    Take(Amount),
}

/// Credits of a bought lot taken back because its money went back.
#[derive(Clone, Debug)]
pub struct Clawback {
    pub lot: LotNumber,
    /// How much of the lot has been clawed back when this is done, all earlier times included.
    pub total: Amount,
    pub when_spent: WhenSpent,
    pub reason: Description,
}

/// What becomes of credits that are clawed back and were spent already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenSpent {
    Debt,
    Forgive,
}

/// Credits given back because money came back after all: the reverse of a [`Clawback`].
#[derive(Clone, Debug)]
pub struct Reinstate {
    pub lot: LotNumber,
    /// How much of the lot is still clawed back when this is done.
    pub total: Credits,
    pub reason: Description,
}

/// Use without paying (rule 10).
#[derive(Clone, Debug)]
pub struct Unlimited {
    /// A moment that has passed ends it.
    pub until: DateTime<Utc>,
    pub reason: Description,
}

/// To be on a plan (rule 16). The first time it begins; later it goes on, or is another plan.
#[derive(Clone, Debug)]
pub struct Subscribe {
    pub terms: Terms,
    /// From when months are counted, where the subscription begins; `None`: from now.
    pub anchor: Option<DateTime<Utc>>,
    /// `None`: until somebody ends it.
    pub paid_until: Option<DateTime<Utc>>,
    /// What the account is on when this has ended.
    pub fallback: Option<Terms>,
    /// A trial is for who is on no plan that is paid for, and has its times from the catalog.
    pub is_trial: bool,
}

/// To be on no plan any more, or on the one that costs nothing.
#[derive(Clone, Copy, Debug)]
pub struct Unsubscribe {
    /// Rather than at the end of the period.
    pub at_once: bool,
}

impl Grace {
    pub const MAX: Self = Self(TimeDelta::days(3_653));

    pub const fn get(self) -> TimeDelta {
        self.0
    }
}

impl TryFrom<TimeDelta> for Grace {
    type Error = NotAGrace;

    fn try_from(grace: TimeDelta) -> Result<Self, NotAGrace> {
        let is_grace = (TimeDelta::seconds(1)..=Self::MAX.0).contains(&grace);
        if is_grace { Ok(Self(moment::whole_length(grace))) } else { Err(NotAGrace) }
    }
}

impl Act {
    /// Whether it is about entries or lots of the past, of which an account that is read with what is open on it knows
    /// nothing.
    pub const fn names_the_past(&self) -> bool {
        match self {
            Self::Refund(_) | Self::Void(_) | Self::Clawback(_) | Self::Reinstate(_) => true,
            Self::Grant(_)
            | Self::Spend(_)
            | Self::Hold(..)
            | Self::Capture(_)
            | Self::Release(_)
            | Self::Adjust(_)
            | Self::Unlimited(_)
            | Self::Subscribe(_)
            | Self::Unsubscribe(_) => false,
        }
    }
}

impl Command {
    /// What is finer in its times than the ledger keeps is cut off here, so that nothing is decided on it.
    pub fn new(account: AccountId, key: IdempotencyKey, act: Act) -> Self {
        Self { account, key, act: act.with_whole_times(), reference: None, metadata: None }
    }

    /// Covers what the caller asked for and nothing that the catalog adds: the first answer still stands
    /// after a price has changed.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut digest = ContentDigest::default();
        match &self.act {
            Act::Grant(grant) => digest
                .text("grant")
                .number(grant.amount.get())
                .text(grant.source.as_str())
                .number(grant.priority.0.into())
                .optional(grant.effective_at.map(|at| at.timestamp_micros()))
                .optional(grant.expires_at.map(|at| at.timestamp_micros()))
                .text(grant.description.as_str()),
            Act::Spend(spend) => digest.text("spend").spend(spend),
            Act::Hold(spend, life) => {
                digest.text("hold").spend(spend).number(life.get().num_microseconds().unwrap_or(i64::MAX))
            }
            Act::Capture(Capture { hold, amount }) => {
                digest.text("capture").number(hold.0).optional(amount.map(Into::into))
            }
            Act::Release(Release { hold }) => digest.text("release").number(hold.0),
            Act::Refund(Refund { spend, amount, grace: _, reason }) => {
                digest.text("refund").number(spend.0).optional(amount.map(Into::into)).text(reason.as_str())
            }
            Act::Void(Void { lot, reason }) => digest.text("void").number(lot.0).text(reason.as_str()),
            Act::Adjust(Adjust { by, reason }) => {
                let change = match by {
                    Adjustment::Give(amount) => amount.get(),
                    Adjustment::Take(amount) => -amount.get(),
                };
                digest.text("adjust").number(change).text(reason.as_str())
            }
            Act::Clawback(Clawback { lot, total, when_spent: _, reason }) => {
                digest.text("clawback").number(lot.0).number(total.get()).text(reason.as_str())
            }
            Act::Reinstate(Reinstate { lot, total, reason }) => {
                digest.text("reinstate").number(lot.0).number(total.get()).text(reason.as_str())
            }
            Act::Subscribe(Subscribe { terms, anchor, paid_until, fallback: _, is_trial }) => {
                let digest = digest.text("subscribe").text(terms.plan.as_str());
                if *is_trial {
                    digest.text("trial")
                } else {
                    let micros = |at: &DateTime<Utc>| at.timestamp_micros();
                    digest.optional(anchor.as_ref().map(micros)).optional(paid_until.as_ref().map(micros))
                }
            }
            Act::Unsubscribe(Unsubscribe { at_once }) => digest.text("unsubscribe").number((*at_once).into()),
            Act::Unlimited(Unlimited { until, reason }) => {
                digest.text("unlimited").number(until.timestamp_micros()).text(reason.as_str())
            }
        };
        if let Some(reference) = &self.reference {
            digest.text("reference").text(reference.as_str());
        }
        if let Some(metadata) = &self.metadata {
            digest.text("metadata").text(metadata.as_str());
        }
        digest.finish()
    }
}

impl Act {
    fn with_whole_times(mut self) -> Self {
        match &mut self {
            Self::Grant(grant) => {
                grant.effective_at = grant.effective_at.map(moment::whole);
                grant.expires_at = grant.expires_at.map(moment::whole);
            }
            Self::Unlimited(unlimited) => unlimited.until = moment::whole(unlimited.until),
            Self::Subscribe(subscribe) => {
                subscribe.anchor = subscribe.anchor.map(moment::whole);
                subscribe.paid_until = subscribe.paid_until.map(moment::whole);
            }
            Self::Spend(_)
            | Self::Hold(..)
            | Self::Capture(_)
            | Self::Release(_)
            | Self::Refund(_)
            | Self::Void(_)
            | Self::Adjust(_)
            | Self::Clawback(_)
            | Self::Reinstate(_)
            | Self::Unsubscribe(_) => {}
        }
        self
    }
}

impl ContentDigest {
    /// What a spend or a hold is asked for with.
    fn spend(&mut self, Spend { charge, agreed, limits: _, description }: &Spend) -> &mut Self {
        match &charge.action {
            Some(action) => self.text(action.as_str()).optional(charge.units.map(Into::into)),
            None => self.text("").optional(None),
        };
        match agreed {
            Some(agreed) => self.number(agreed.get()),
            None => self.text("at any price"),
        };
        match description {
            Some(description) => self.text("description").text(description.as_str()),
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    use crate::domain::testing::{amount, grant, key, spend};

    fn print(act: Act) -> Fingerprint {
        Command::new(AccountId::from(Uuid::nil()), key("k"), act).fingerprint()
    }

    #[test]
    fn a_fingerprint_covers_what_was_asked_and_not_what_the_catalog_adds() {
        let base = spend("render", 3);
        let print = |spend: &Spend| print(Act::Spend(spend.clone()));
        let dearer = Spend { charge: Charge { cost: amount(9), ..base.charge.clone() }, ..base.clone() };
        assert_eq!(print(&base), print(&dearer));
        let limits = Limits { min_balance: Credits::try_from(5).unwrap(), per_hour: Some(1), per_day: None };
        assert_eq!(print(&base), print(&Spend { limits, ..base.clone() }));
        assert_ne!(print(&base), print(&spend("render", 4)));
        assert_ne!(print(&base), print(&spend("paint", 3)));
        let unasked = Spend { agreed: None, ..base.clone() };
        assert_ne!(print(&base), print(&unasked));
        let dearer = Charge { cost: amount(9), ..base.charge.clone() };
        assert_eq!(print(&unasked), print(&Spend { charge: dearer, ..unasked.clone() }));
        let described = Some(Description::parse("A cat").unwrap());
        assert_ne!(print(&base), print(&Spend { description: described, ..base.clone() }));
    }

    #[test]
    fn a_fingerprint_of_a_plan_covers_its_name_and_times_and_of_a_trial_its_name() {
        let terms = crate::domain::testing::terms;
        let (anchor, paid_until) = (Some(DateTime::UNIX_EPOCH), Some(DateTime::UNIX_EPOCH));
        let base =
            Subscribe { terms: terms("pro", 100), anchor, paid_until, fallback: None, is_trial: false };
        let print = |asked: &Subscribe| print(Act::Subscribe(asked.clone()));
        let renewed = Subscribe { terms: terms("pro", 90), fallback: Some(terms("free", 5)), ..base.clone() };
        assert_eq!(print(&base), print(&renewed));
        assert_ne!(print(&base), print(&Subscribe { terms: terms("max", 100), ..base.clone() }));
        assert_ne!(print(&base), print(&Subscribe { anchor: None, ..base.clone() }));
        assert_ne!(print(&base), print(&Subscribe { paid_until: None, ..base.clone() }));
        let trial = Subscribe { is_trial: true, ..base.clone() };
        assert_ne!(print(&base), print(&trial));
        assert_eq!(print(&trial), print(&Subscribe { anchor: None, paid_until: None, ..trial.clone() }));
    }

    #[test]
    fn acts_of_different_kinds_differ() {
        let reason = || Description::parse("Bonus").unwrap();
        let prints = [
            print(Act::Grant(grant(3))),
            print(Act::Grant(Grant { expires_at: Some(DateTime::UNIX_EPOCH), ..grant(3) })),
            print(Act::Spend(spend("render", 3))),
            print(Act::Hold(spend("render", 3), HoldLife::default())),
            print(Act::Capture(Capture { hold: Version(3), amount: None })),
            print(Act::Capture(Capture { hold: Version(3), amount: Some(amount(3)) })),
            print(Act::Release(Release { hold: Version(3) })),
            print(Act::Refund(Refund { spend: Version(3), amount: None, grace: None, reason: reason() })),
            print(Act::Void(Void { lot: LotNumber(3), reason: reason() })),
            print(Act::Adjust(Adjust { by: Adjustment::Give(amount(3)), reason: reason() })),
            print(Act::Adjust(Adjust { by: Adjustment::Take(amount(3)), reason: reason() })),
            print(Act::Reinstate(Reinstate {
                lot: LotNumber(3),
                total: amount(3).credits(),
                reason: reason(),
            })),
        ];
        for (place, print) in prints.iter().enumerate() {
            assert!(!prints[..place].contains(print), "{place}");
        }
    }

    #[test]
    fn a_grace_lasts_between_a_second_and_ten_years() {
        assert!(Grace::try_from(TimeDelta::seconds(1)).is_ok());
        for grace in [TimeDelta::zero(), TimeDelta::seconds(-1), TimeDelta::days(3_654), TimeDelta::MAX] {
            assert_eq!(Grace::try_from(grace), Err(NotAGrace), "{grace}");
        }
    }

    #[test]
    fn a_fingerprint_covers_reference_and_metadata() {
        let plain = Command::new(AccountId::from(Uuid::nil()), key("k"), Act::Grant(grant(3)));
        let named = Command { reference: Some(Reference::parse("job-7").unwrap()), ..plain.clone() };
        let noted = Command { metadata: Some(Metadata::parse("{}").unwrap()), ..plain.clone() };
        assert_ne!(plain.fingerprint(), named.fingerprint());
        assert_ne!(plain.fingerprint(), noted.fingerprint());
    }
}
