//! Entries: the immutable lines of an account's ledger.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    AccountId, Amount, Charge, Credits, EntryId, Fingerprint, KeyDigest, LotNumber, Priority, Source,
    Subscription, Version,
    note::{Description, Metadata, Reference},
};

/// One line of an account's ledger: what changed, and the balance on either side of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub account: AccountId,
    /// 1, 2, 3 … within the account, without gaps.
    pub version: Version,
    pub at: DateTime<Utc>,
    pub kind: Kind,
    /// What remained in all lots before and after. What holds set aside is not in it.
    pub balance_before: Credits,
    pub balance_after: Credits,
    /// Per lot, in the order in which the lots were touched. Their changes add up to [`Entry::delta`].
    pub movements: Vec<Movement>,
    /// The lot that began with this entry, if one did; its first movement is what it was granted.
    pub opened: Option<Opened>,
    /// By how much more (or less, where negative) the account owes.
    pub debt_change: i64,
    pub description: Option<Description>,
    pub reference: Option<Reference>,
    pub metadata: Option<Metadata>,
    /// The command that the entry answers; `None` where the law itself acted.
    pub cause: Option<Cause>,
    /// The beginning of the account's chain after this entry ([`Chain::link`](super::Chain::link)).
    pub link: i32,
}

/// What happened, with what is known only of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Grant,
    /// The charge names the price at the time; it was paid unless the account was unlimited.
    Spend(Charge),
    Hold {
        charge: Charge,
        until: DateTime<Utc>,
    },
    Capture {
        hold: Version,
        charge: Charge,
    },
    /// With no cause, the hold was past its time.
    Release {
        hold: Version,
    },
    Refund {
        spend: Version,
    },
    Expiry,
    Void,
    Adjustment,
    Clawback(Clawed),
    Reinstatement(Clawed),
    Unlimited {
        until: DateTime<Utc>,
    },
    /// The subscription as it is from here on: begun or changed.
    Subscription(Arc<Subscription>),
    /// A period was over: the subscription in its next one, or ended.
    Renewal(Arc<Subscription>),
}

/// How much of one lot has been clawed back, and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clawed {
    /// Taken from what remained.
    pub taken: Credits,
    /// Spent already, and owed since.
    pub owed: Credits,
    /// Let go: spent already and forgiven, or lapsed before anybody spent it.
    pub forgiven: Credits,
}

/// A change of one lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    pub lot: LotNumber,
    /// Of what remains.
    pub change: i64,
    /// Of what is held.
    pub held: i64,
}

/// The terms of a lot at its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    pub lot: LotNumber,
    pub source: Source,
    pub priority: Priority,
    pub effective_at: DateTime<Utc>,
    /// `None`: the lot never expires.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The command behind an entry, as far as it is needed to recognise the command again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    pub key: KeyDigest,
    pub fingerprint: Fingerprint,
}

impl Entry {
    /// The signed change of the balance.
    pub fn delta(&self) -> i64 {
        self.balance_after.get() - self.balance_before.get()
    }

    /// The signed change of what is held.
    pub fn held_change(&self) -> i64 {
        self.movements.iter().map(|movement| movement.held).sum()
    }

    pub fn id(&self) -> EntryId {
        EntryId { account: self.account, number: self.version }
    }
}

impl Kind {
    pub const NAMES: [&str; 14] = [
        "grant",
        "spend",
        "hold",
        "capture",
        "release",
        "refund",
        "expiry",
        "void",
        "adjustment",
        "clawback",
        "reinstatement",
        "unlimited",
        "subscription",
        "renewal",
    ];

    /// The word for it in calls and in the chain.
    pub const fn as_str(&self) -> &'static str {
        Self::NAMES[self.place()]
    }

    /// Its place among [`Kind::NAMES`].
    pub const fn place(&self) -> usize {
        match self {
            Self::Grant => 0,
            Self::Spend(_) => 1,
            Self::Hold { .. } => 2,
            Self::Capture { .. } => 3,
            Self::Release { .. } => 4,
            Self::Refund { .. } => 5,
            Self::Expiry => 6,
            Self::Void => 7,
            Self::Adjustment => 8,
            Self::Clawback(_) => 9,
            Self::Reinstatement(_) => 10,
            Self::Unlimited { .. } => 11,
            Self::Subscription(_) => 12,
            Self::Renewal(_) => 13,
        }
    }

    /// The hold that ends with the entry.
    pub const fn ends_hold(&self) -> Option<Version> {
        match self {
            Self::Capture { hold, .. } | Self::Release { hold } => Some(*hold),
            _ => None,
        }
    }

    /// The entry that this one is about: the hold that ends, the spend that is refunded.
    pub const fn about(&self) -> Option<Version> {
        match self {
            Self::Refund { spend } => Some(*spend),
            _ => self.ends_hold(),
        }
    }

    /// How the lot of the first movement stands after the entry, where it was clawed back or reinstated.
    pub const fn clawed(&self) -> Option<Clawed> {
        match self {
            Self::Clawback(clawed) | Self::Reinstatement(clawed) => Some(*clawed),
            _ => None,
        }
    }

    /// The moment to which a hold or unlimited use lasts.
    pub const fn until(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Hold { until, .. } | Self::Unlimited { until } => Some(*until),
            _ => None,
        }
    }

    /// The account's subscription after the entry, where it was begun, changed or renewed.
    pub fn subscription(&self) -> Option<&Subscription> {
        match self {
            Self::Subscription(after) | Self::Renewal(after) => Some(after),
            _ => None,
        }
    }

    /// Whether credits were taken for good, unless use was unlimited: what a refund can be about.
    pub const fn is_spend(&self) -> bool {
        matches!(self, Self::Spend(_) | Self::Capture { .. })
    }

    /// What is charged for at which price; of a hold, what would be if it were captured as it is.
    pub const fn charge(&self) -> Option<&Charge> {
        match self {
            Self::Spend(charge) | Self::Hold { charge, .. } | Self::Capture { charge, .. } => Some(charge),
            _ => None,
        }
    }
}

impl Clawed {
    pub fn total(self) -> Credits {
        super::credits::total([self.taken, self.owed, self.forgiven].into_iter())
    }
}

impl Movement {
    /// Credits that come to a lot, or leave it where negative.
    pub const fn of(lot: LotNumber, change: i64) -> Self {
        Self { lot, change, held: 0 }
    }

    /// What left the lot for good.
    pub fn taken(&self) -> Option<Amount> {
        Amount::try_from(-(self.change + self.held)).ok()
    }
}
