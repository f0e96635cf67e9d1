//! Idempotency keys: by which a repeated command is recognised, and told from another one under its key
//! (rule 15).

use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;
use uuid::Uuid;

use super::AccountId;

/// A caller's own name for one command: 1 to 255 visible ASCII characters. Only its digest is kept, so
/// that every key takes the same small room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct IdempotencyKey([u8; 16]);

/// What the ledger keeps of a key: 64 bits of the digest of account and key. In a ledger of a billion commands
/// one new key in 18,000,000,000 finds its bits taken; it is refused as used already, and nothing is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyDigest(i64);

/// 32 bits of the digest of what a command asks for, so that a key used again with other content is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(i32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an idempotency key is 1 to {} visible ASCII characters", IdempotencyKey::LENGTH_MAX)]
pub struct NotAKey;

impl TryFrom<String> for IdempotencyKey {
    type Error = NotAKey;

    fn try_from(text: String) -> Result<Self, NotAKey> {
        Self::parse(&text)
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

    /// A key that a person's browser chose. None that a host chooses is the same, so that nobody can take a host's.
    pub fn of_browser(text: &str) -> Result<Self, NotAKey> {
        Self::parse(text).map(|key| key.apart("browser\n"))
    }

    /// A key of what Scrip does by itself, once for what the text names. None that a host or a browser chooses is the
    /// same, so that nobody can take it beforehand.
    pub fn of_program(text: &str) -> Result<Self, NotAKey> {
        Self::parse(text).map(|key| key.apart("program\n"))
    }

    /// The same text among others of this kind. No line end is in a key.
    fn apart(self, kind: &'static str) -> Self {
        Self(leading(&Sha256::new_with_prefix(kind).chain_update(self.0).finalize()))
    }

    /// The key as the ledger of this account knows it.
    pub fn within(self, account: AccountId) -> KeyDigest {
        let digest = Sha256::new().chain_update(Uuid::from(account)).chain_update(self.0).finalize();
        KeyDigest(i64::from_be_bytes(leading(&digest)))
    }
}

impl KeyDigest {
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl From<i64> for KeyDigest {
    fn from(digest: i64) -> Self {
        Self(digest)
    }
}

impl Fingerprint {
    pub const fn get(self) -> i32 {
        self.0
    }
}

impl From<i32> for Fingerprint {
    fn from(digest: i32) -> Self {
        Self(digest)
    }
}

/// Hashes fields so that no two different sequences of fields hash the same: every text is preceded by its
/// length, every optional number by whether it is there.
#[derive(Default)]
pub(super) struct ContentDigest(Sha256);

impl ContentDigest {
    pub fn number(&mut self, number: i64) -> &mut Self {
        self.0.update(number.to_be_bytes());
        self
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text);
        self
    }

    pub fn optional(&mut self, number: Option<i64>) -> &mut Self {
        self.0.update([u8::from(number.is_some())]);
        self.number(number.unwrap_or_default())
    }

    pub fn finish(self) -> Fingerprint {
        Fingerprint(i32::from_be_bytes(leading(&self.0.finalize())))
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
    use crate::domain::testing::key;

    #[test]
    fn a_key_is_visible_ascii_of_a_bounded_length() {
        assert!(IdempotencyKey::parse("0193a1b2-c3d4").is_ok());
        assert!(IdempotencyKey::parse(&"k".repeat(255)).is_ok());
        for text in ["", " ", "two words", "é", "a\n", &"k".repeat(256)] {
            assert_eq!(IdempotencyKey::parse(text), Err(NotAKey), "{text:?}");
        }
    }

    #[test]
    fn different_keys_differ_and_so_does_one_key_on_two_accounts() {
        assert_ne!(key("a"), key("b"));
        assert_eq!(key("a"), key("a"));
        let of_browser = |text| IdempotencyKey::of_browser(text).unwrap();
        assert_eq!(of_browser("a"), of_browser("a"));
        assert!(of_browser("a") != key("a") && of_browser("a") != of_browser("b"));
        let of_program = |text| IdempotencyKey::of_program(text).unwrap();
        assert_eq!(of_program("a"), of_program("a"));
        assert!(of_program("a") != key("a") && of_program("a") != of_browser("a"));
        assert_ne!(of_program("a"), of_program("b"));
        let (one, other) = (AccountId::from(Uuid::from_u128(1)), AccountId::from(Uuid::from_u128(2)));
        assert_ne!(key("a").within(one), key("a").within(other));
        assert_ne!(key("a").within(one), key("b").within(one));
    }
}
