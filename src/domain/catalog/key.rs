//! Keys: what actions, plans and packs are called in the file, in addresses, in calls and in the ledger.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use thiserror::Error;

const LENGTH_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a key is 1 to {LENGTH_MAX} of a-z, 0-9 and _, the first a letter")]
pub struct NotACatalogKey;

/// What all keys have in common.
fn checked(text: &str) -> Result<Arc<str>, NotACatalogKey> {
    let is_key = text.len() <= LENGTH_MAX
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_key { Ok(text.into()) } else { Err(NotACatalogKey) }
}

/// Defines a type of keys, so that a plan's is never taken for an action's.
macro_rules! key {
    ($name:ident, $whose:literal) => {
        #[doc = $whose]
        /// 1 to 64 of `a-z`, `0-9`, `_`, the first a letter.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotACatalogKey;

            fn try_from(text: String) -> Result<Self, NotACatalogKey> {
                checked(&text).map(Self)
            }
        }

        impl From<$name> for String {
            fn from(key: $name) -> Self {
                key.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

key!(ActionKey, "An action's name.");
key!(PlanKey, "A plan's name.");
key!(PackKey, "A pack's name.");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_lower_case_and_starts_with_a_letter() {
        for good in ["render", "a", "stem_separation", "v2", &"a".repeat(64)] {
            assert!(ActionKey::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "Render", "2v", "_a", "a-b", "a b", &"a".repeat(65)] {
            assert_eq!(PlanKey::try_from(bad.to_owned()), Err(NotACatalogKey), "{bad}");
        }
    }
}
