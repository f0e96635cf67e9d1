//! E-mail addresses, as far as a syntax can tell.

use email_address::{EmailAddress, Options};

use crate::problem::Problem;

/// The longest address that mail can be sent to (RFC 3696, erratum 1690).
const LENGTH_MAX: usize = 254;

/// An address that may exist, kept as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        let options = Options::default().with_required_tld().without_display_text().without_domain_literal();
        // ASCII alone: of other letters, programs do not agree which differ only in case.
        let is_address = text.is_ascii()
            && text.len() <= LENGTH_MAX
            && EmailAddress::parse_with_options(text, options).is_ok();
        if is_address { Ok(Self(text.to_owned())) } else { Err(Problem::EmailMalformed) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_look_unusual() {
        for text in
            ["ada@example.com", "ada+scrip@mail.example.co.uk", " ada@example.com ", "o'neil@example.org"]
        {
            assert!(Email::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_no_mail_could_reach_is_refused() {
        let long = format!("{}@example.com", "a".repeat(250));
        for text in [
            "",
            "ada",
            "ada@",
            "@example.com",
            "ada@example",
            "a b@example.com",
            "Ada <ada@example.com>",
            "é@example.com",
            &long,
        ] {
            assert_eq!(Email::parse(text), Err(Problem::EmailMalformed), "{text}");
        }
    }
}
