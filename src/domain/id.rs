//! Identifiers. Public ones carry a prefix that says what they name (`acct_…`), so that one pasted into
//! the wrong place is noticed; numbers within an account are plain counters. What lies within an account is named by
//! the account and its number there, so that its name alone tells where to look.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;
use uuid::Uuid;

use super::note::is_line;

/// A text that is not an identifier of the kind that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an identifier that starts with {0}")]
pub struct NotAnId(&'static str);

/// Reads and writes an identifier as its text in calls.
macro_rules! as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

/// Defines a UUID newtype that is written as its prefix and 32 hexadecimal digits.
macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Uuid {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let id = text.strip_prefix($prefix).and_then(|digits| Uuid::try_parse(digits).ok()).map(Self);
                // One thing has one name.
                id.filter(|id| id.to_string() == text).ok_or(NotAnId($prefix))
            }
        }

        as_text!($name);
    };
}

/// Defines the name of something that is numbered within an account: a prefix, the account's 32 digits and the
/// number.
macro_rules! numbered_id {
    ($(#[$doc:meta])* $name:ident, $number:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            pub account: AccountId,
            pub number: $number,
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}_{}"), self.account.0.simple(), self.number.0)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let parse = || {
                    let (digits, number) = text.strip_prefix($prefix)?.split_once('_')?;
                    let account = AccountId(Uuid::try_parse(digits).ok()?);
                    let number = $number(number.parse::<i64>().ok().filter(|number| *number >= 1)?);
                    let id = Self { account, number };
                    // One thing has one name: no other digits, no sign, no leading zeros.
                    (id.to_string() == text).then_some(id)
                };
                parse().ok_or(NotAnId($prefix))
            }
        }

        as_text!($name);
    };
}

prefixed_id!(
    /// An account: a wallet that holds credits.
    AccountId,
    "acct_"
);
prefixed_id!(
    /// A person who signs in.
    UserId,
    "user_"
);

prefixed_id!(
    /// A key of the HTTP API.
    KeyId,
    "key_"
);
numbered_id!(
    /// A line of an account's ledger.
    EntryId,
    Version,
    "entry_"
);
numbered_id!(
    /// A hold, by the entry that made it.
    HoldId,
    Version,
    "hold_"
);
numbered_id!(
    /// A lot.
    LotId,
    LotNumber,
    "lot_"
);

/// The name that a host application has for an account: 1 to 200 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExternalId(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an external_id is 1 to {} characters without control characters", ExternalId::CHARS_MAX)]
pub struct NotAnExternalId;

impl ExternalId {
    pub const CHARS_MAX: usize = 200;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ExternalId {
    type Error = NotAnExternalId;

    fn try_from(text: String) -> Result<Self, NotAnExternalId> {
        if is_line(&text, Self::CHARS_MAX) { Ok(Self(text)) } else { Err(NotAnExternalId) }
    }
}

impl From<ExternalId> for String {
    fn from(id: ExternalId) -> Self {
        id.0
    }
}

impl AccountId {
    /// The byte that assigns the account to a bucket; random in every version of UUID that Scrip makes.
    pub fn bucket_byte(self) -> u8 {
        self.0.as_bytes()[15]
    }
}

/// The number of an account's last entry; 0 before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version(pub i64);

impl Version {
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A lot's number within its account: 1, 2, 3 … in order of creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LotNumber(pub i64);

impl LotNumber {
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        let id = AccountId::from(Uuid::from_u128(0x0193_a1b2_c3d4_7e5f_8a9b_0c1d_2e3f_4a5b));
        assert_eq!(id.to_string(), "acct_0193a1b2c3d47e5f8a9b0c1d2e3f4a5b");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.bucket_byte(), 0x5b);
    }

    #[test]
    fn an_id_of_another_kind_or_shape_is_refused() {
        for text in [
            "user_0193a1b2c3d47e5f8a9b0c1d2e3f4a5b",
            "acct_",
            "acct_0193",
            "",
            "acct_0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
            "acct_0193A1B2C3D47E5F8A9B0C1D2E3F4A5B",
        ] {
            assert_eq!(text.parse::<AccountId>(), Err(NotAnId("acct_")), "{text}");
        }
    }

    #[test]
    fn what_lies_within_an_account_has_one_name() {
        let account = AccountId::from(Uuid::from_u128(7));
        let id = LotId { account, number: LotNumber(12) };
        assert_eq!(id.to_string(), "lot_00000000000000000000000000000007_12");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in [
            "entry_00000000000000000000000000000007_12",
            "lot_00000000000000000000000000000007_012",
            "lot_00000000000000000000000000000007_+12",
            "lot_00000000000000000000000000000007_0",
            "lot_00000000000000000000000000000007_-1",
            "lot_00000000000000000000000000000007_9223372036854775808",
            "lot_00000000-0000-0000-0000-000000000007_12",
            "lot_00000000000000000000000000000007",
            "lot_12",
            "",
        ] {
            assert_eq!(text.parse::<LotId>(), Err(NotAnId("lot_")), "{text}");
        }
    }

    #[test]
    fn an_external_id_is_counted_in_characters_and_has_no_control_characters() {
        assert!(ExternalId::try_from("user 7/é".to_owned()).is_ok());
        assert!(ExternalId::try_from("é".repeat(200)).is_ok());
        for text in ["", "a\0b", "a\nb", &"é".repeat(201)] {
            assert_eq!(ExternalId::try_from(text.to_owned()), Err(NotAnExternalId), "{text:?}");
        }
    }
}
