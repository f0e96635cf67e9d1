//! The fields of Stripe's objects, each read into a type that can't be wrong: an event that holds something else is
//! refused with the field's place, rather than found out about in the database.

use chrono::{DateTime, Utc};
use serde::{Deserialize, de::DeserializeOwned};
use thiserror::Error;

use crate::domain::moment;

/// Stripe's ids have some 30 to 70 letters, and 255 at most.
const TEXT_BYTES_MAX: usize = 255;
/// Addresses of hosted pages and receipts hold long tokens.
const LINK_BYTES_MAX: usize = 4_096;
/// Far above what Stripe moves at once, and low enough that a million of them can be summed up.
const MINOR_MAX: i64 = 1_000_000_000_000;

/// JSON in which something is missing, or is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field}: {problem}")]
pub struct Unreadable {
    /// Where: `lines.data[0].period`.
    pub field: String,
    pub problem: String,
}

/// What is not asked for is passed over, whatever it is.
pub fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, Unreadable> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| Unreadable {
        field: error.path().to_string(),
        problem: error.inner().to_string(),
    })?;
    let end = reader.end();
    end.map_err(|error| Unreadable { field: ".".to_owned(), problem: error.to_string() })?;
    Ok(read)
}

/// An id or a word of Stripe's: short, and without anything that a database would not take.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Text(String);

/// An id, or the object itself where it was expanded.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Reference {
    Id(Text),
    Object { id: Text },
}

/// An amount in the smallest unit of a currency.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "i64")]
pub struct Minor(i64);

/// Three small letters.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub struct Currency(String);

/// A time, which Stripe tells in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "i64")]
pub struct Moment(DateTime<Utc>);

/// Where people can look at something. Nothing follows from it, so one that is odd is left out.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Link(String);

/// A page of a list.
#[derive(Deserialize)]
pub struct List<T> {
    pub data: Vec<T>,
    #[serde(default)]
    pub has_more: bool,
}

impl TryFrom<String> for Text {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_right = (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
        if is_right { Ok(Self(text)) } else { Err("not a text of one line with 1 to 255 bytes") }
    }
}

impl TryFrom<i64> for Minor {
    type Error = &'static str;

    fn try_from(minor: i64) -> Result<Self, Self::Error> {
        let is_right = (0..=MINOR_MAX).contains(&minor);
        if is_right { Ok(Self(minor)) } else { Err("not an amount between 0 and 1,000,000,000,000") }
    }
}

impl TryFrom<String> for Currency {
    type Error = &'static str;

    fn try_from(code: String) -> Result<Self, Self::Error> {
        let is_right = code.len() == 3 && code.bytes().all(|letter| letter.is_ascii_lowercase());
        if is_right { Ok(Self(code)) } else { Err("not three small letters") }
    }
}

impl TryFrom<i64> for Moment {
    type Error = &'static str;

    fn try_from(seconds: i64) -> Result<Self, Self::Error> {
        let at = DateTime::from_timestamp(seconds, 0).filter(|at| moment::is_kept(*at));
        at.map(Self).ok_or("not a time of the years 1 to 9999")
    }
}

impl Text {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        match reference {
            Reference::Id(id) | Reference::Object { id } => id.0,
        }
    }
}

impl From<Minor> for i64 {
    fn from(minor: Minor) -> Self {
        minor.0
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.0
    }
}

impl From<Moment> for DateTime<Utc> {
    fn from(moment: Moment) -> Self {
        moment.0
    }
}

impl Link {
    pub fn into_address(self) -> Option<String> {
        let is_web = self.0.starts_with("https://") || self.0.starts_with("http://");
        let is_right =
            is_web && self.0.len() <= LINK_BYTES_MAX && self.0.bytes().all(|byte| byte.is_ascii_graphic());
        is_right.then_some(self.0)
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { data: Vec::new(), has_more: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads<T: DeserializeOwned>(json: &str) -> bool {
        read::<T>(json.as_bytes()).is_ok()
    }

    #[test]
    fn a_field_is_what_it_should_be_or_refused() {
        let long = format!("\"{}\"", "x".repeat(TEXT_BYTES_MAX + 1));
        for (right, wrong) in [
            (reads::<Text>("\"cs_test_1\""), reads::<Text>("\"\"")),
            (reads::<Text>(&long.replacen('x', "", 1)), reads::<Text>(&long)),
            (reads::<Text>("\"ü\""), reads::<Text>("\"a\\u0000b\"")),
            (reads::<Minor>("0"), reads::<Minor>("-1")),
            (reads::<Minor>("1000000000000"), reads::<Minor>("1000000000001")),
            (reads::<Minor>("1"), reads::<Minor>("1.5")),
            (reads::<Currency>("\"usd\""), reads::<Currency>("\"USD\"")),
            (reads::<Currency>("\"kwd\""), reads::<Currency>("\"us\"")),
            (reads::<Moment>("253402300799"), reads::<Moment>("253402300800")),
            (reads::<Moment>("0"), reads::<Moment>("9223372036854775807")),
        ] {
            assert!(right && !wrong);
        }
    }

    #[test]
    fn an_id_may_be_the_object_itself() {
        for json in ["\"pi_1\"", r#"{"id": "pi_1", "object": "payment_intent", "amount": 1}"#] {
            assert_eq!(String::from(read::<Reference>(json.as_bytes()).unwrap()), "pi_1");
        }
        assert!(!reads::<Reference>("{}") && !reads::<Reference>("7"));
    }

    #[test]
    fn a_link_leads_to_the_web_or_nowhere() {
        let address = |text: &str| Link(text.to_owned()).into_address();
        assert!(address("https://pay.stripe.com/receipts/1").is_some());
        assert!(address("http://127.0.0.1:3000/sandbox/receipts/1").is_some());
        for odd in ["", "javascript:alert(1)", "/receipts/1", "https://pay stripe"] {
            assert_eq!(address(odd), None, "{odd}");
        }
    }

    #[test]
    fn what_follows_the_json_is_refused_too() {
        assert!(!reads::<Minor>("1 1"));
    }
}
