//! How numbers and times are written: by one formatter, in UTC, so that the page that the server sends and
//! the one that the browser makes of it agree to the letter.

use chrono::{DateTime, Datelike, Timelike, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::{
    Amount, Credits, PurchaseState, Source,
    catalog::{Allowance, Cost, Currency, Interval, Plan, Price, RolloverCap},
};

/// Everything but what is plain in every part of an address.
const QUERY_VALUE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// How many digits more than its currency has a price per credit may need.
const PER_CREDIT_DIGITS_MAX: u32 = 6;

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

/// `12 credits owed: what comes in next pays them first`.
pub fn owed(debt: Credits) -> String {
    let pays = if debt.get() == 1 { "it" } else { "them" };
    format!("{} owed: what comes in next pays {pays} first", credits(debt.get()))
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

/// `$1,200.00`, `12.00 CHF`, `¥1,200`.
pub fn price(price: Price) -> String {
    money(price.minor(), price.currency())
}

/// The amount alone, as it is typed in: `1200.00`.
pub fn typed_price(price: Price) -> String {
    let decimals = price.currency().decimals();
    let digits = format!("{:0>1$}", price.minor(), decimals + 1);
    let (whole, part) = digits.split_at(digits.len() - decimals);
    if decimals == 0 { digits } else { format!("{whole}.{part}") }
}

/// The same of any sum, also of nothing.
pub fn money(minor: i64, currency: Currency) -> String {
    amount_of(minor, currency.decimals(), currency)
}

/// `$0.18 per credit`, to two figures or more.
pub fn per_credit(price: Price, credits: Amount) -> String {
    let currency = price.currency();
    let (minor, credits) = (i128::from(price.minor()), i128::from(credits.get()));
    let mut extra = 0;
    let mut scaled = (2 * minor + credits) / (2 * credits);
    // Enough digits that a difference between two packs is seen.
    while scaled < 100 && extra < PER_CREDIT_DIGITS_MAX {
        extra += 1;
        scaled = (2 * minor * 10_i128.pow(extra) + credits) / (2 * credits);
    }
    while extra > 0 && scaled % 10 == 0 {
        extra -= 1;
        scaled /= 10;
    }
    let decimals = currency.decimals() + extra as usize;
    format!("{} per credit", amount_of(i64::try_from(scaled).unwrap_or(i64::MAX), decimals, currency))
}

fn amount_of(number_of_units: i64, decimals: usize, currency: Currency) -> String {
    let digits = format!("{:0>1$}", number_of_units, decimals + 1);
    let (whole, part) = digits.split_at(digits.len() - decimals);
    let whole = number(whole.parse().unwrap_or_default());
    let amount = if decimals == 0 { whole } else { format!("{whole}.{part}") };
    match currency.sign() {
        Some(sign) => format!("{sign}{amount}"),
        None => format!("{amount} {}", currency.as_str().to_uppercase()),
    }
}

/// `$12.00 per month`, or `free`.
pub fn plan_price(amount: Option<Price>, interval: Interval) -> String {
    let per = match interval {
        Interval::Month => "per month",
        Interval::Year => "per year",
    };
    amount.map_or_else(|| "free".to_owned(), |amount| format!("{} {per}", price(amount)))
}

/// What a plan gives: `100 credits a month · up to 200 kept · 14 days free to try`, or `unlimited`.
pub fn plan_terms(plan: &Plan) -> String {
    let trial = plan.trial_days.map(|count| format!(" · {} free to try", days(count)));
    allowance(plan.allowance, plan.rollover_cap) + trial.as_deref().unwrap_or_default()
}

/// `100 credits a month · up to 200 kept`, or `unlimited`.
pub fn allowance(allowance: Allowance, rollover_cap: Option<RolloverCap>) -> String {
    let Allowance::Monthly(amount) = allowance else { return "unlimited".to_owned() };
    let monthly = monthly(amount);
    match rollover_cap.map(RolloverCap::get) {
        Some(cap) if cap > 1 => {
            format!("{monthly} · up to {} kept", number(amount.get().saturating_mul(cap.into())))
        }
        _ => monthly,
    }
}

/// A plan by its title, which may say already that it is one: `Pro plan`.
pub fn plan_named(title: &str) -> String {
    let says_so = title.split(' ').next_back().is_some_and(|word| word.eq_ignore_ascii_case("plan"));
    if says_so { title.to_owned() } else { format!("{title} plan") }
}

/// To whom a plan would give enough: `Upgrade to Pro for 100 credits a month.`
pub fn upgrade(plan: &Plan) -> String {
    let more = match plan.allowance {
        Allowance::Monthly(amount) => monthly(amount),
        Allowance::Unlimited => "use without limit".to_owned(),
    };
    format!("Upgrade to {} for {more}.", plan.title)
}

fn monthly(amount: Amount) -> String {
    format!("{} a month", credits(amount.get()))
}

/// What a pack gives: `100 credits · good for 90 days`.
pub fn pack_terms(amount: Amount, expires_days: Option<u16>) -> String {
    let life = expires_days.map(|count| format!("good for {}", days(count)));
    [Some(credits(amount.get())), life].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn days(count: u16) -> String {
    format!("{} {}", number(count.into()), if count == 1 { "day" } else { "days" })
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

pub const fn purchase_state(state: PurchaseState) -> &'static str {
    match state {
        PurchaseState::Pending => "Pending",
        PurchaseState::Paid => "Paid",
        PurchaseState::Failed => "Failed",
        PurchaseState::Expired => "Expired",
        PurchaseState::Refunded => "Refunded",
        PurchaseState::PartlyRefunded => "Partly refunded",
        PurchaseState::Disputed => "Disputed",
    }
}

/// Bytes in hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Priority,
        catalog::{PlanKey, Units},
    };

    fn priced(minor: i64, currency: &str) -> Price {
        Price::new(minor, Currency::named(currency).unwrap()).unwrap()
    }

    fn plan(allowance: Allowance) -> Plan {
        Plan {
            key: PlanKey::try_from("pro".to_owned()).unwrap(),
            title: "Pro".into(),
            description: String::new(),
            price: None,
            interval: Interval::Month,
            allowance,
            rollover_cap: None,
            priority: Priority(30),
            trial_days: None,
        }
    }

    #[test]
    fn an_upgrade_says_what_it_brings() {
        let amount = Amount::try_from(1_000).unwrap();
        let monthly = upgrade(&plan(Allowance::Monthly(amount)));
        assert_eq!(monthly, "Upgrade to Pro for 1,000 credits a month.");
        assert_eq!(upgrade(&plan(Allowance::Unlimited)), "Upgrade to Pro for use without limit.");
    }

    #[test]
    fn a_plan_is_named_as_one_once() {
        let named = ["Pro", "Studio plan", "Floor Plan", "Planet"].map(plan_named);
        assert_eq!(named, ["Pro plan", "Studio plan", "Floor Plan", "Planet plan"]);
    }

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
    fn money_is_told_exactly_with_the_decimals_of_its_currency() {
        for (minor, currency, text) in [
            (1_200, "usd", "$12.00"),
            (5, "eur", "€0.05"),
            (123_456, "gbp", "£1,234.56"),
            (1_200, "chf", "12.00 CHF"),
            (1_200, "jpy", "¥1,200"),
            (5, "krw", "5 KRW"),
            (Price::MINOR_MAX, "usd", "$999,999.99"),
        ] {
            assert_eq!(price(priced(minor, currency)), text);
        }
    }

    #[test]
    fn a_price_per_credit_has_as_many_digits_as_it_takes_to_compare() {
        for (minor, currency, credits, text) in [
            (900, "usd", 50, "$0.18 per credit"),
            (3_900, "usd", 250, "$0.156 per credit"),
            (9_900, "usd", 500, "$0.198 per credit"),
            (900, "usd", 9, "$1.00 per credit"),
            (1_000, "usd", 100_000, "$0.0001 per credit"),
            (1_200, "jpy", 7, "¥171 per credit"),
            (100, "chf", 3, "0.333 CHF per credit"),
            (1, "usd", 1_000_000_000_000, "$0.00 per credit"),
        ] {
            let credits = Amount::try_from(credits).unwrap();
            assert_eq!(per_credit(priced(minor, currency), credits), text);
        }
    }

    #[test]
    fn a_plan_says_what_it_gives_and_what_it_costs() {
        let hundred = Amount::try_from(100).unwrap();
        let pro = Plan {
            rollover_cap: Some(RolloverCap::try_from(2).unwrap()),
            trial_days: Some(14),
            ..plan(Allowance::Monthly(hundred))
        };
        assert_eq!(plan_terms(&pro), "100 credits a month · up to 200 kept · 14 days free to try");
        let lapsing =
            Plan { rollover_cap: Some(RolloverCap::try_from(1).unwrap()), trial_days: Some(1), ..pro };
        assert_eq!(plan_terms(&lapsing), "100 credits a month · 1 day free to try");
        assert_eq!(plan_terms(&plan(Allowance::Unlimited)), "unlimited");
        assert_eq!(plan_price(None, Interval::Month), "free");
        assert_eq!(plan_price(Some(priced(1_200, "usd")), Interval::Month), "$12.00 per month");
        assert_eq!(plan_price(Some(priced(12_000, "usd")), Interval::Year), "$120.00 per year");
    }

    #[test]
    fn a_pack_says_how_much_it_holds_and_for_how_long() {
        let hundred = Amount::try_from(100).unwrap();
        assert_eq!(pack_terms(hundred, Some(90)), "100 credits · good for 90 days");
        assert_eq!(pack_terms(hundred, None), "100 credits");
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
