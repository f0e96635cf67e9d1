//! How numbers and times are written: by one formatter, in UTC, so that the page that the server sends and
//! the one that the browser makes of it agree to the letter.

use chrono::{DateTime, Datelike, Timelike, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::{Source, catalog::Cost};

/// Everything but what is plain in every part of an address.
const QUERY_VALUE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `1,234,567`, with a real minus sign where it is negative.
pub fn number(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('−');
    }
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A change: `+6`, `−3`.
pub fn signed(change: i64) -> String {
    if change > 0 { format!("+{}", number(change)) } else { number(change) }
}

/// `1 credit`, `12 credits`.
pub fn credits(amount: i64) -> String {
    format!("{} {}", number(amount), credits_unit(amount))
}

pub const fn credits_unit(amount: i64) -> &'static str {
    if amount == 1 { "credit" } else { "credits" }
}

/// `3 credits`, or `1 credit per 2,000 tokens`.
pub fn cost(cost: &Cost) -> String {
    match cost {
        Cost::Fixed(amount) => credits(amount.get()),
        Cost::PerUnit { unit, units_per_credit } => {
            format!("1 credit per {} {unit}", number(units_per_credit.get()))
        }
    }
}

/// `3 Dec 2026`.
pub fn date(time: DateTime<Utc>) -> String {
    format!("{} {} {}", time.day(), MONTHS[time.month0() as usize], time.year())
}

/// `3 Dec 2026, 09:05`.
pub fn date_time(time: DateTime<Utc>) -> String {
    format!("{}, {:02}:{:02}", date(time), time.hour(), time.minute())
}

/// RFC 3339, to the second, for the `datetime` attribute.
pub fn machine_time(time: DateTime<Utc>) -> String {
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// A text as the value of a query parameter or a cookie.
pub fn query_value(text: &str) -> String {
    utf8_percent_encode(text, QUERY_VALUE).to_string()
}

pub const fn source(source: Source) -> &'static str {
    match source {
        Source::SignUp => "Sign-up",
        Source::Plan => "Plan",
        Source::Pack => "Pack",
        Source::Bonus => "Bonus",
        Source::Adjustment => "Adjustment",
    }
}

/// Bytes in hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Amount, catalog::Units};

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567"), (-1_000, "−1,000")];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(number(i64::MIN), "−9,223,372,036,854,775,808");
    }

    #[test]
    fn a_change_bears_its_sign() {
        assert_eq!(signed(6), "+6");
        assert_eq!(signed(-3), "−3");
        assert_eq!(signed(0), "0");
    }

    #[test]
    fn one_credit_is_not_several() {
        assert_eq!(credits(1), "1 credit");
        assert_eq!(credits(0), "0 credits");
        assert_eq!(credits(1_200), "1,200 credits");
    }

    #[test]
    fn a_cost_says_what_it_counts() {
        let tokens =
            Cost::PerUnit { unit: "tokens".into(), units_per_credit: Units::try_from(2_000).unwrap() };
        assert_eq!(cost(&tokens), "1 credit per 2,000 tokens");
        assert_eq!(cost(&Cost::Fixed(Amount::try_from(3).unwrap())), "3 credits");
    }

    #[test]
    fn a_query_value_keeps_what_is_in_it() {
        assert_eq!(
            query_value("/history?before=5&x=a+b%20#é"),
            "/history%3Fbefore%3D5%26x%3Da%2Bb%2520%23%C3%A9"
        );
    }

    #[test]
    fn times_are_written_in_utc() {
        let time = DateTime::from_timestamp(1_796_288_705, 999_999_000).unwrap();
        assert_eq!(date(time), "3 Dec 2026");
        assert_eq!(date_time(time), "3 Dec 2026, 09:05");
        assert_eq!(machine_time(time), "2026-12-03T09:05:05Z");
    }
}
