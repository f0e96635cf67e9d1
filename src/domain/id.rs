//! Identifiers. Public ones carry a prefix that says what they name (`acct_…`), so that one pasted into
//! the wrong place is noticed; numbers within an account are plain counters.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

/// A text that is not an identifier of the kind that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an identifier that starts with {0}")]
pub struct NotAnId(&'static str);

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
                text.strip_prefix($prefix)
                    .filter(|digits| digits.len() == 32)
                    .and_then(|digits| Uuid::try_parse(digits).ok())
                    .map(Self)
                    .ok_or(NotAnId($prefix))
            }
        }
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
        ] {
            assert_eq!(text.parse::<AccountId>(), Err(NotAnId("acct_")), "{text}");
        }
    }
}
