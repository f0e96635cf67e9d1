//! Prices in money: whole numbers of a currency's smallest unit, which is also how Stripe counts.

use std::fmt;

use thiserror::Error;

/// What something costs in money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    minor: i64,
    currency: Currency,
}

/// A currency that Stripe takes, by its three small letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency {
    code: &'static str,
    decimals: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a price is between 1 and {} of its currency's smallest unit", Price::MINOR_MAX)]
pub struct NotAPrice;

/// Left out are those of which Stripe wants amounts in a form of their own: `isk` and `ugx`, which have no cents and are
/// charged in hundredths all the same, and those of three decimals, which are charged in whole tens.
const WITH_TWO_DECIMALS: &str = "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bmd bnd bob brl bsd bwp byn bzd \
    cad cdf chf cny cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr \
    jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd \
    pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah \
    usd uyu uzs wst xcd xcg yer zar zmw";
const WITHOUT_DECIMALS: &str = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf";

impl Price {
    /// The most that Stripe charges at once.
    pub const MINOR_MAX: i64 = 99_999_999;

    pub fn new(minor: i64, currency: Currency) -> Result<Self, NotAPrice> {
        if (1..=Self::MINOR_MAX).contains(&minor) { Ok(Self { minor, currency }) } else { Err(NotAPrice) }
    }

    /// `12.00`, or `1200` where the currency has no decimals: digits, all of its decimals, and nothing else.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, NotAPrice> {
        let (whole, decimals) = match currency.decimals {
            0 => (text, ""),
            _ => text.split_once('.').ok_or(NotAPrice)?,
        };
        let digits = [whole, decimals].concat();
        let is_price = !whole.is_empty()
            && decimals.len() == currency.decimals
            && digits.bytes().all(|digit| digit.is_ascii_digit());
        let minor = digits.parse().ok().filter(|_| is_price).ok_or(NotAPrice)?;
        Self::new(minor, currency)
    }

    /// As people type it in: with all decimals or without any, and blanks around.
    pub fn typed(text: &str, currency: Currency) -> Result<Self, NotAPrice> {
        let text = text.trim();
        if currency.decimals == 0 || text.contains('.') {
            return Self::parse(text, currency);
        }
        Self::parse(&format!("{text}.{}", "0".repeat(currency.decimals)), currency)
    }

    /// In the currency's smallest unit.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    pub const fn currency(self) -> Currency {
        self.currency
    }
}

impl Currency {
    /// The currency that these letters stand for.
    pub fn named(code: &str) -> Option<Self> {
        let among = |codes: &'static str| codes.split(' ').find(|known| *known == code);
        let two = among(WITH_TWO_DECIMALS).map(|code| Self { code, decimals: 2 });
        two.or_else(|| among(WITHOUT_DECIMALS).map(|code| Self { code, decimals: 0 }))
    }

    pub const fn as_str(self) -> &'static str {
        self.code
    }

    /// How many digits stand behind the point.
    pub const fn decimals(self) -> usize {
        self.decimals
    }

    /// The sign that goes before its amounts, where everybody knows it.
    pub fn sign(self) -> Option<&'static str> {
        match self.code {
            "usd" => Some("$"),
            "eur" => Some("€"),
            "gbp" => Some("£"),
            "jpy" => Some("¥"),
            _ => None,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::named(code).unwrap()
    }

    fn minor(text: &str, code: &str) -> Option<i64> {
        Price::parse(text, currency(code)).ok().map(Price::minor)
    }

    #[test]
    fn a_price_has_all_decimals_of_its_currency_and_no_more() {
        assert_eq!(minor("12.00", "usd"), Some(1_200));
        assert_eq!(minor("0.01", "chf"), Some(1));
        assert_eq!(minor("1200", "jpy"), Some(1_200));
        for (text, code) in [
            ("12", "usd"),
            ("12.0", "usd"),
            ("12.000", "usd"),
            ("12.", "usd"),
            (".50", "usd"),
            ("1.2.00", "usd"),
            ("1,200.00", "usd"),
            ("-12.00", "usd"),
            ("+12.00", "usd"),
            ("12.+1", "usd"),
            (" 12.00", "usd"),
            ("$12.00", "usd"),
            ("٣.00", "usd"),
            ("0.00", "usd"),
            ("", "usd"),
            ("12.00", "jpy"),
            ("", "jpy"),
            ("0", "jpy"),
        ] {
            assert_eq!(minor(text, code), None, "{text} {code}");
        }
    }

    #[test]
    fn a_price_that_is_typed_in_may_leave_its_decimals_out() {
        let minor = |text: &str, code: &str| Price::typed(text, currency(code)).ok().map(Price::minor);
        assert_eq!([minor(" 12 ", "usd"), minor("12.50", "usd")], [Some(1_200), Some(1_250)]);
        assert_eq!(minor("1200", "jpy"), Some(1_200));
        for (text, code) in [("12.5", "usd"), ("", "usd"), ("-1", "usd"), ("1 2", "usd"), ("12.00", "jpy")] {
            assert_eq!(minor(text, code), None, "{text} {code}");
        }
    }

    #[test]
    fn a_price_is_at_most_what_stripe_charges_at_once() {
        assert_eq!(minor("999999.99", "usd"), Some(Price::MINOR_MAX));
        assert_eq!(minor("1000000.00", "usd"), None);
        assert_eq!(minor("99999999999999999999.00", "usd"), None);
        assert_eq!(Price::new(0, currency("usd")), Err(NotAPrice));
    }

    #[test]
    fn a_currency_is_three_small_letters_and_stands_in_one_list() {
        let all: Vec<&str> = WITH_TWO_DECIMALS.split(' ').chain(WITHOUT_DECIMALS.split(' ')).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        for code in all {
            assert!(code.len() == 3 && code.bytes().all(|letter| letter.is_ascii_lowercase()), "{code}");
        }
        for unknown in ["", " ", "USD", "usd ", "us", "dollar", "kwd", "usd eur"] {
            assert_eq!(Currency::named(unknown), None, "{unknown}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_file_says_is_a_price_or_none(text in "[0-9.+ -]{0,12}|.{0,12}") {
            for code in ["usd", "jpy"] {
                if let Some(minor) = minor(&text, code) {
                    prop_assert!((1..=Price::MINOR_MAX).contains(&minor));
                }
            }
        }
    }
}
