//! Entries: the immutable lines of an account's ledger.

use chrono::{DateTime, Utc};

use super::{
    AccountId, Credits, Fingerprint, IdempotencyKey, LotNumber, Version, catalog::Price, command::Description,
};

/// One line of an account's ledger: what changed, and the balance on either side of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub account: AccountId,
    /// 1, 2, 3 … within the account, without gaps.
    pub version: Version,
    pub at: DateTime<Utc>,
    pub kind: Kind,
    pub balance_before: Credits,
    pub balance_after: Credits,
    /// Per lot, in the order in which the lots were touched. Their changes add up to [`Entry::delta`].
    pub movements: Vec<Movement>,
    /// The command that the entry answers; `None` where the law itself acted.
    pub cause: Option<Cause>,
}

/// What happened, with what is known only of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Grant(Description),
    Spend(Price),
    Expiry,
}

/// A change of what remains in one lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    pub lot: LotNumber,
    pub change: i64,
}

/// The command behind an entry, as far as it is needed to recognise the command again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    pub key: IdempotencyKey,
    pub fingerprint: Fingerprint,
}

impl Entry {
    /// The signed change of the balance.
    pub fn delta(&self) -> i64 {
        self.balance_after.get() - self.balance_before.get()
    }
}
