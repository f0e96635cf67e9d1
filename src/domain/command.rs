//! Commands: what can be asked of an account, and the key by which a repeated question is recognised.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{AccountId, Amount, Credits, Priority, Source, catalog::Price};

/// One thing asked of one account.
#[derive(Clone, Debug)]
pub struct Command {
    pub account: AccountId,
    pub key: IdempotencyKey,
    pub act: Act,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Act {
    Grant(Grant),
    Spend(Spend),
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

/// Credits taken for an action.
#[derive(Clone, Debug)]
pub struct Spend {
    /// What the catalog asks at the moment.
    pub price: Price,
    /// What the spender was shown. A spend at any other price is refused.
    pub agreed: Amount,
    /// What must stay available (rule 5).
    pub min_balance: Credits,
}

/// Words for a reader of the history: 1 to 500 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description(String);

/// A caller's own name for one command: 1 to 255 visible ASCII characters. Only its digest is kept, so
/// that every key takes the same small room in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey([u8; 16]);

/// A digest of what a command asks for, so that a key used again with other content is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 8]);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an idempotency key is 1 to {} visible ASCII characters", IdempotencyKey::LENGTH_MAX)]
pub struct NotAKey;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a description is 1 to {} characters", Description::CHARS_MAX)]
pub struct NotADescription;

impl Act {
    /// Covers what the caller asked for and nothing that the catalog adds: the first answer still stands
    /// after a price has changed.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut digest = ContentDigest::default();
        match self {
            Self::Grant(grant) => digest
                .text("grant")
                .number(grant.amount.get())
                .text(grant.source.as_str())
                .number(grant.priority.0.into())
                .optional(grant.effective_at.map(|at| at.timestamp_micros()))
                .optional(grant.expires_at.map(|at| at.timestamp_micros()))
                .text(grant.description.as_str()),
            Self::Spend(Spend { price, agreed, min_balance: _ }) => digest
                .text("spend")
                .text(price.action.as_str())
                .optional(price.units.map(Into::into))
                .number(agreed.get()),
        };
        digest.finish()
    }
}

impl IdempotencyKey {
    pub const LENGTH_MAX: usize = 255;

    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let is_key =
            (1..=Self::LENGTH_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_key {
            return Err(NotAKey);
        }
        Ok(Self(leading(&Sha256::digest(text))))
    }

    pub const fn from_digest(digest: [u8; 16]) -> Self {
        Self(digest)
    }

    pub const fn digest(self) -> [u8; 16] {
        self.0
    }
}

impl Fingerprint {
    pub const fn from_digest(digest: [u8; 8]) -> Self {
        Self(digest)
    }

    pub const fn digest(self) -> [u8; 8] {
        self.0
    }
}

impl Description {
    pub const CHARS_MAX: usize = 500;

    pub fn parse(text: impl Into<String>) -> Result<Self, NotADescription> {
        let text = text.into();
        if (1..=Self::CHARS_MAX).contains(&text.chars().count()) {
            Ok(Self(text))
        } else {
            Err(NotADescription)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Hashes fields so that no two different sequences of fields hash the same: every text is preceded by its
/// length, every optional number by whether it is there.
#[derive(Default)]
struct ContentDigest(Sha256);

impl ContentDigest {
    fn number(&mut self, number: i64) -> &mut Self {
        self.0.update(number.to_be_bytes());
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text);
        self
    }

    fn optional(&mut self, number: Option<i64>) -> &mut Self {
        self.0.update([u8::from(number.is_some())]);
        self.number(number.unwrap_or_default())
    }

    fn finish(self) -> Fingerprint {
        Fingerprint(leading(&self.0.finalize()))
    }
}

/// The first `N` bytes of a SHA-256 digest; `N` is at most 32.
fn leading<const N: usize>(digest: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&digest[..N]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{grant, spend};

    #[test]
    fn a_key_is_visible_ascii_of_a_bounded_length() {
        assert!(IdempotencyKey::parse("0193a1b2-c3d4").is_ok());
        assert!(IdempotencyKey::parse(&"k".repeat(255)).is_ok());
        for text in ["", " ", "two words", "é", "a\n", &"k".repeat(256)] {
            assert_eq!(IdempotencyKey::parse(text), Err(NotAKey), "{text:?}");
        }
    }

    #[test]
    fn different_keys_differ() {
        assert_ne!(IdempotencyKey::parse("a"), IdempotencyKey::parse("b"));
        assert_eq!(IdempotencyKey::parse("a"), IdempotencyKey::parse("a"));
    }

    #[test]
    fn a_description_is_counted_in_characters() {
        assert!(Description::parse("é".repeat(500)).is_ok());
        assert_eq!(Description::parse("é".repeat(501)), Err(NotADescription));
        assert_eq!(Description::parse(""), Err(NotADescription));
    }

    #[test]
    fn a_fingerprint_covers_what_was_asked_and_not_what_the_catalog_adds() {
        let base = spend("render", 3);
        let print = |spend: &Spend| Act::Spend(spend.clone()).fingerprint();
        let dearer = Spend {
            price: Price { cost: Amount::try_from(9).unwrap(), ..base.price.clone() },
            ..base.clone()
        };
        assert_eq!(print(&base), print(&dearer));
        let reserved = Spend { min_balance: Credits::try_from(5).unwrap(), ..base.clone() };
        assert_eq!(print(&base), print(&reserved));
        assert_ne!(print(&base), print(&spend("render", 4)));
        assert_ne!(print(&base), print(&spend("paint", 3)));
    }

    #[test]
    fn a_grant_and_a_spend_of_the_same_amount_differ() {
        assert_ne!(Act::Grant(grant(3)).fingerprint(), Act::Spend(spend("render", 3)).fingerprint());
        let expiring = Grant { expires_at: Some(DateTime::UNIX_EPOCH), ..grant(3) };
        assert_ne!(Act::Grant(grant(3)).fingerprint(), Act::Grant(expiring).fingerprint());
    }
}
