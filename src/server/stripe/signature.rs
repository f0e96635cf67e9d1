//! Whether what came is really from Stripe: each delivery is signed over its raw bytes with a secret that only Stripe and
//! this endpoint know. Without this anybody could tell of payments that never were.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;

use crate::text::hexadecimal;

/// By how much a signature may be older or younger than now: what was overheard can't be sent again later.
pub const TOLERANCE_SECONDS: u64 = 300;
/// Stripe's header has some 80 bytes for each secret.
pub const HEADER_BYTES_MAX: usize = 4_096;
/// An endpoint's secret can be rolled: for a while, the old one and the new one both count.
pub const SECRETS_MAX: usize = 2;

/// What an endpoint's signatures are made with. Without any, nothing is from Stripe.
#[derive(Clone, Default)]
pub struct Secrets(Vec<String>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not one secret that starts with whsec_, or {SECRETS_MAX} with a comma between")]
pub struct NotSecrets;

/// Why something is not believed to be from Stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotSigned {
    #[error("the Stripe-Signature header is longer than {HEADER_BYTES_MAX} bytes")]
    TooLong,
    #[error("the Stripe-Signature header does not have a time `t` and a signature `v1`")]
    Malformed,
    #[error("none of the signatures is made with this endpoint's secret")]
    Unknown,
    #[error("the signature is not from the last or next {TOLERANCE_SECONDS} seconds")]
    OutOfTime,
}

/// `header` is what stands in `Stripe-Signature`, `body` what came, byte by byte.
///
/// # Errors
/// When it is not from Stripe, or not from about now.
pub fn verify(secrets: &Secrets, header: &str, body: &[u8], now: DateTime<Utc>) -> Result<(), NotSigned> {
    if header.len() > HEADER_BYTES_MAX {
        return Err(NotSigned::TooLong);
    }
    let Signed { time, seconds, signatures } = Signed::read(header).ok_or(NotSigned::Malformed)?;
    // Each is compared with each, whether or not one was right already.
    let mut found = Choice::from(0);
    for secret in &secrets.0 {
        let right = digest(secret, time, body);
        for signature in &signatures {
            found |= right.ct_eq(signature);
        }
    }
    if !bool::from(found) {
        return Err(NotSigned::Unknown);
    }
    if now.timestamp().abs_diff(seconds) > TOLERANCE_SECONDS {
        return Err(NotSigned::OutOfTime);
    }
    Ok(())
}

impl Secrets {
    /// As who signs with them: with the first.
    pub fn sign(&self, at: DateTime<Utc>, body: &[u8]) -> String {
        sign(self.0.first().map_or("", String::as_str), at, body)
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Secrets {
    type Err = NotSecrets;

    fn from_str(text: &str) -> Result<Self, NotSecrets> {
        let secrets: Vec<String> = text.split(',').map(|secret| secret.trim().to_owned()).collect();
        let is_secret = |secret: &String| {
            secret.strip_prefix("whsec_").is_some_and(|rest| !rest.is_empty())
                && secret.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let are_right = secrets.len() <= SECRETS_MAX && secrets.iter().all(is_secret);
        if are_right { Ok(Self(secrets)) } else { Err(NotSecrets) }
    }
}

/// What is secret is not shown, wherever it gets printed.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

/// What stands in `Stripe-Signature` when this secret signs the body at that time.
pub fn sign(secret: &str, at: DateTime<Utc>, body: &[u8]) -> String {
    let time = at.timestamp().to_string();
    let signature = digest(secret, &time, body);
    format!("t={time},v1={}", hexadecimal(&signature))
}

fn digest(secret: &str, time: &str, body: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key may have any length");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.finalize().into_bytes().into()
}

/// What a header says.
struct Signed<'a> {
    /// As it was signed.
    time: &'a str,
    seconds: i64,
    signatures: Vec<[u8; 32]>,
}

impl<'a> Signed<'a> {
    /// Schemes that are not known here, and signatures that can't be any, are passed over: Stripe may add such.
    fn read(header: &'a str) -> Option<Self> {
        let (mut time, mut signatures) = (None, None);
        for part in header.split(',') {
            match part.trim().split_once('=') {
                Some(("t", at)) if time.replace(at).is_some() => return None,
                Some(("v1", digits)) => signatures.get_or_insert_with(Vec::new).extend(decode(digits)),
                _ => {}
            }
        }
        let time = time?;
        Some(Self { time, seconds: time.parse().ok()?, signatures: signatures? })
    }
}

/// Reads 64 hexadecimal digits.
fn decode(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        for digit in pair {
            *byte = *byte << 4 | u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const SECRET: &str = "whsec_test_secret";
    const BODY: &[u8] = br#"{"id": "evt_1"}"#;

    fn noon() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn check(header: &str) -> Result<(), NotSigned> {
        verify(&secrets(SECRET), header, BODY, noon())
    }

    fn secrets(text: &str) -> Secrets {
        text.parse().unwrap()
    }

    /// The signature alone.
    fn signature(secret: &str) -> String {
        sign(secret, noon(), BODY).split_once(",v1=").unwrap().1.to_owned()
    }

    fn time() -> i64 {
        noon().timestamp()
    }

    #[test]
    fn a_signature_is_the_hmac_of_time_point_and_body() {
        // Made with: printf '1700000000.{}' | openssl dgst -sha256 -hmac whsec_test
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        assert_eq!(
            sign("whsec_test", at, b"{}"),
            "t=1700000000,v1=35495024f4ef3f94e5a93e22221544c4b75e9a42300cd965ab81cb85cd994e91"
        );
    }

    #[test]
    fn what_was_signed_just_now_is_believed() {
        assert_eq!(check(&sign(SECRET, noon(), BODY)), Ok(()));
    }

    #[test]
    fn another_secret_body_or_time_is_not_believed() {
        assert_eq!(check(&sign("whsec_other", noon(), BODY)), Err(NotSigned::Unknown));
        assert_eq!(check(&sign(SECRET, noon(), b"{}")), Err(NotSigned::Unknown));
        let header = sign(SECRET, noon(), BODY).replace(&time().to_string(), &(time() + 1).to_string());
        assert_eq!(check(&header), Err(NotSigned::Unknown));
    }

    #[test]
    fn a_signature_counts_for_300_seconds_either_way() {
        for (seconds, right) in [(-301, false), (-300, true), (300, true), (301, false)] {
            let header = sign(SECRET, noon() + TimeDelta::seconds(seconds), BODY);
            let expected = if right { Ok(()) } else { Err(NotSigned::OutOfTime) };
            assert_eq!(check(&header), expected, "{seconds}");
        }
    }

    #[test]
    fn any_of_several_signatures_may_be_the_right_one() {
        let (time, right, wrong) = (time(), signature(SECRET), signature("whsec_other"));
        for header in [
            format!("t={time},v1={right},v1={wrong}"),
            format!("t={time},v1={wrong},v1={right}"),
            format!("v1={right},t={time}"),
            format!("t={time}, v1={right}"),
            format!("t={time},v1=zz,v1=,v1={right},v0=abc,v2={wrong},,=,x"),
            format!("t={time},v1={}", right.to_uppercase()),
        ] {
            assert_eq!(check(&header), Ok(()), "{header}");
        }
    }

    #[test]
    fn a_signature_of_another_scheme_or_cut_short_is_none() {
        let (time, right) = (time(), signature(SECRET));
        for header in [
            format!("t={time},v0={right},v1=00"),
            format!("t={time},v1={}", &right[..62]),
            format!("t={time},v1={right}00"),
            format!("t={time},v1=+{}", &right[1..]),
        ] {
            assert_eq!(check(&header), Err(NotSigned::Unknown), "{header}");
        }
    }

    #[test]
    fn a_header_without_one_time_or_without_signature_is_malformed() {
        let (time, right) = (time(), signature(SECRET));
        for header in [
            String::new(),
            ",".to_owned(),
            format!("t={time}"),
            format!("v1={right}"),
            format!("t=,v1={right}"),
            format!("t=noon,v1={right}"),
            format!("t=99999999999999999999,v1={right}"),
            format!("t={time},t={time},v1={right}"),
            format!("t={time},v0={right}"),
        ] {
            assert_eq!(check(&header), Err(NotSigned::Malformed), "{header}");
        }
    }

    #[test]
    fn a_header_beyond_its_limit_is_not_read() {
        let header = |length: usize| format!("{:<length$}", sign(SECRET, noon(), BODY) + ",");
        assert_eq!(check(&header(HEADER_BYTES_MAX)), Ok(()));
        assert_eq!(check(&header(HEADER_BYTES_MAX + 1)), Err(NotSigned::TooLong));
    }

    #[test]
    fn while_a_secret_is_rolled_both_count() {
        let secrets = secrets("whsec_old, whsec_new");
        for secret in ["whsec_old", "whsec_new"] {
            let header = sign(secret, noon(), BODY);
            assert_eq!(verify(&secrets, &header, BODY, noon()), Ok(()));
        }
        let header = sign("whsec_third", noon(), BODY);
        assert_eq!(verify(&secrets, &header, BODY, noon()), Err(NotSigned::Unknown));
    }

    #[test]
    fn without_a_secret_nothing_is_believed() {
        let header = sign("", noon(), BODY);
        assert_eq!(verify(&Secrets::default(), &header, BODY, noon()), Err(NotSigned::Unknown));
    }

    #[test]
    fn secrets_are_one_or_two_of_stripes_form_and_are_never_shown() {
        for wrong in
            ["", ",", "whsec_", "whsec_a,", "secret", "whsec_a b", "whsec_a,whsec_b,whsec_c", "sk_test_1"]
        {
            assert_eq!(wrong.parse::<Secrets>().map(|_| ()), Err(NotSecrets), "{wrong}");
        }
        assert_eq!(format!("{:?}", "whsec_a,whsec_b".parse::<Secrets>().unwrap()), "Secrets(2)");
    }

    proptest! {
        #[test]
        fn whatever_comes_never_panics(header in ".{0,200}", body in vec(any::<u8>(), 0..200)) {
            let secrets = secrets(SECRET);
            prop_assert!(verify(&secrets, &header, &body, noon()).is_err());
        }

        #[test]
        fn whatever_resembles_a_header_is_refused(header in "(t=-?[0-9]{1,20}|v[01]=[0-9a-f]{0,66}|,|=|[tv1 ]){0,9}") {
            prop_assert!(check(&header).is_err());
        }

        #[test]
        fn one_changed_byte_is_noticed(
            body in vec(any::<u8>(), 1..200),
            place in any::<prop::sample::Index>(),
            change in 1..=u8::MAX,
        ) {
            let secrets = secrets(SECRET);
            let header = sign(SECRET, noon(), &body);
            prop_assert_eq!(verify(&secrets, &header, &body, noon()), Ok(()));
            let mut changed = body.clone();
            changed[place.index(body.len())] ^= change;
            prop_assert_eq!(verify(&secrets, &header, &changed, noon()), Err(NotSigned::Unknown));
            let mut header = header.into_bytes();
            let place = header.len() - 64 + place.index(64);
            // Another digit.
            header[place] ^= if header[place].is_ascii_digit() { 1 } else { 7 };
            let header = String::from_utf8(header).unwrap();
            prop_assert!(verify(&secrets, &header, &body, noon()).is_err());
        }

        #[test]
        fn the_order_in_a_header_does_not_matter(
            parts in Just(vec![
                format!("t={}", time()),
                format!("v1={}", signature(SECRET)),
                format!("v1={}", signature("whsec_other")),
                "v1=zz".to_owned(),
                "v0=abc".to_owned(),
            ]).prop_shuffle(),
        ) {
            prop_assert_eq!(check(&parts.join(",")), Ok(()));
        }
    }
}
