//! Notes: the words and the data that a command leaves with its entry, for readers and for hosts.

use serde::Deserialize;
use thiserror::Error;

/// Words for a reader of the history: 1 to 500 characters.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Description(String);

/// A host's own name for what an entry is about, such as a job's id: 1 to 200 characters.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Reference(String);

/// A JSON object of at most 8 kB, kept letter by letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a description is 1 to {} characters without control characters", Description::CHARS_MAX)]
pub struct NotADescription;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a reference is 1 to {} characters without control characters", Reference::CHARS_MAX)]
pub struct NotAReference;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotMetadata {
    #[error("metadata is at most {} bytes", Metadata::BYTES_MAX)]
    TooLong,
    #[error("metadata is a JSON object")]
    NotAnObject,
}

impl Description {
    pub const CHARS_MAX: usize = 500;

    pub fn parse(text: impl Into<String>) -> Result<Self, NotADescription> {
        let text = text.into();
        if is_line(&text, Self::CHARS_MAX) { Ok(Self(text)) } else { Err(NotADescription) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Reference {
    pub const CHARS_MAX: usize = 200;

    pub fn parse(text: impl Into<String>) -> Result<Self, NotAReference> {
        let text = text.into();
        if is_line(&text, Self::CHARS_MAX) { Ok(Self(text)) } else { Err(NotAReference) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Metadata {
    pub const BYTES_MAX: usize = 8 * 1024;

    pub fn parse(text: impl Into<String>) -> Result<Self, NotMetadata> {
        let text = text.into();
        if text.len() > Self::BYTES_MAX {
            return Err(NotMetadata::TooLong);
        }
        // Checked for its form alone: what is in it is the caller's business.
        match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text) {
            Ok(_) => Ok(Self(text)),
            Err(_) => Err(NotMetadata::NotAnObject),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Description {
    type Error = NotADescription;

    fn try_from(text: String) -> Result<Self, NotADescription> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Reference {
    type Error = NotAReference;

    fn try_from(text: String) -> Result<Self, NotAReference> {
        Self::parse(text)
    }
}

/// Whether a text is one line of some length, without control characters.
pub fn is_line(text: &str, chars_max: usize) -> bool {
    (1..=chars_max).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_counted_in_characters_and_has_no_control_characters() {
        assert!(Description::parse("é".repeat(500)).is_ok());
        for text in ["", "a\0b", "a\nb", &"é".repeat(501)] {
            assert_eq!(Description::parse(text), Err(NotADescription), "{text:?}");
        }
    }

    #[test]
    fn a_reference_is_shorter_than_a_description() {
        assert!(Reference::parse("job-7".repeat(40)).is_ok());
        for text in ["", "a\0b", &"é".repeat(201)] {
            assert_eq!(Reference::parse(text), Err(NotAReference), "{text:?}");
        }
    }

    #[test]
    fn metadata_is_a_json_object_of_at_most_eight_kilobytes_kept_letter_by_letter() {
        let text = "{ \"seed\": 7.0,\n \"seed\": null }";
        assert_eq!(Metadata::parse(text).unwrap().as_str(), text);
        let sized = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
        assert!(Metadata::parse(sized(8_192)).is_ok());
        assert_eq!(Metadata::parse(sized(8_193)), Err(NotMetadata::TooLong));
        for text in ["", "[]", "7", "{", "{\"a\":1}}", "{\"a\":\"\0\"}"] {
            assert_eq!(Metadata::parse(text), Err(NotMetadata::NotAnObject), "{text:?}");
        }
    }
}
