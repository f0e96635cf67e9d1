//! What a file sells for money: plans, packs, and their prices.

use super::{
    EXPIRES_DAYS_MAX, SUMMARY_CHARS_MAX, TITLE_CHARS_MAX, TRIAL_DAYS_MAX,
    reader::{Lines, Reader},
};
use crate::domain::{
    Amount, Priority, Source,
    catalog::{Allowance, Currency, Interval, Pack, Plan, Price, RolloverCap},
};

pub(super) fn read_plan(plan: &mut Reader<'_>, keys: &mut Lines) -> Option<Plan> {
    let key = plan.key("plan", r#"key = "pro""#, keys);
    plan.require("title", r#"title = "Pro""#);
    let title = plan.text("title", 1..=TITLE_CHARS_MAX);
    let description = plan.text("description", 0..=SUMMARY_CHARS_MAX);
    let is_priced = ["price", "currency"].iter().any(|key| plan.has(key));
    if is_priced {
        require_price(plan);
    }
    let price = read_price(plan);
    let interval = plan
        .value("interval", "an interval", "\"month\" or \"year\"", |value| Interval::named(value.as_str()?));
    let allowance = read_allowance(plan);
    let rollover_cap = plan.number("rollover_cap", "a number of allowances", 1..=RolloverCap::MAX);
    if plan.has("rollover_cap") && plan.has("unlimited") {
        plan.flaw("rollover_cap", "a plan without limit has no credits to roll over; remove it");
    }
    let trial_days = plan.number("trial_days", "a number of days", 1..=TRIAL_DAYS_MAX);
    if plan.has("trial_days") && !is_priced {
        let message = "a free plan needs no trial; remove it, or add a price and a currency";
        plan.flaw("trial_days", message);
    }
    let priority = read_priority(plan, Source::Plan);
    Some(Plan {
        key: key?,
        title: title?,
        description: description.unwrap_or_default(),
        price,
        interval: interval.unwrap_or_default(),
        allowance: allowance?,
        rollover_cap,
        priority,
        trial_days,
    })
}

fn read_allowance(plan: &mut Reader<'_>) -> Option<Allowance> {
    let credits = plan.number("monthly_credits", "an amount", 1..=Amount::MAX.get());
    let unlimited = plan.value("unlimited", "what it can be", "unlimited = true, or remove it", |value| {
        value.as_bool().filter(|unlimited| *unlimited)
    });
    match (plan.has("monthly_credits"), plan.has("unlimited")) {
        (true, false) => credits.map(Allowance::Monthly),
        (false, true) => unlimited.map(|_| Allowance::Unlimited),
        (true, true) => {
            plan.flaw("unlimited", "a plan without limit has no monthly_credits; keep one of the two");
            None
        }
        (false, false) => {
            plan.flaw("monthly_credits", "missing; add monthly_credits = 100, or unlimited = true");
            None
        }
    }
}

pub(super) fn read_pack(pack: &mut Reader<'_>, keys: &mut Lines) -> Option<Pack> {
    let key = pack.key("pack", r#"key = "pack_100""#, keys);
    pack.require("title", r#"title = "100 credits""#);
    pack.require("credits", "credits = 100");
    require_price(pack);
    let title = pack.text("title", 1..=TITLE_CHARS_MAX);
    let description = pack.text("description", 0..=SUMMARY_CHARS_MAX);
    let credits = pack.number("credits", "an amount", 1..=Amount::MAX.get());
    let price = read_price(pack);
    let expires_days = pack.number("expires_days", "a number of days", 1..=EXPIRES_DAYS_MAX);
    let priority = read_priority(pack, Source::Pack);
    Some(Pack {
        key: key?,
        title: title?,
        description: description.unwrap_or_default(),
        credits: credits?,
        price: price?,
        expires_days,
        priority,
    })
}

fn require_price(sold: &mut Reader<'_>) {
    sold.require("price", r#"price = "12.00""#);
    sold.require("currency", r#"currency = "usd""#);
}

fn read_price(sold: &mut Reader<'_>) -> Option<Price> {
    let remedy = "three small letters that Stripe knows, such as \"usd\"";
    let currency = sold.value("currency", "a currency", remedy, |value| Currency::named(value.as_str()?));
    let what = currency.map_or_else(|| "a price".to_owned(), |currency| format!("a price in {currency}"));
    let remedy = match currency.map_or(2, Currency::decimals) {
        0 => "it in quotes and without decimals, from \"1\" to \"99999999\"",
        _ => "it in quotes and with two decimals, from \"0.01\" to \"999999.99\"",
    };
    // Without a currency nobody knows its decimals, and what is wrong has been said.
    sold.value("price", &what, remedy, |value| {
        let text = value.as_str()?;
        currency.map_or(Some(None), |currency| Price::parse(text, currency).ok().map(Some))
    })?
}

/// When credits of this source are spent, beside others.
fn read_priority(sold: &mut Reader<'_>, source: Source) -> Priority {
    let priority = sold.number("priority", "a place in the order of spending", 0..=i16::MAX.into());
    priority.map_or_else(|| source.default_priority(), Priority)
}

#[cfg(test)]
mod tests {
    use crate::server::catalog::{
        PACKS_MAX, PLANS_MAX, parse,
        testing::{ACTION, HEAD, PACK, PLAN, flaws},
    };

    /// Parses a good file but for its only plan, which begins on line 7 with a key and a title, and its settings on 10.
    fn flaws_of_plan(settings: &str) -> Vec<String> {
        flaws(&format!("{HEAD}{ACTION}[[plans]]\nkey = \"pro\"\ntitle = \"Pro\"\n{settings}"))
    }

    /// The same with a pack.
    fn flaws_of_pack(settings: &str) -> Vec<String> {
        flaws(&format!("{HEAD}{ACTION}[[packs]]\nkey = \"small\"\ntitle = \"Small\"\n{settings}"))
    }

    const USD: &str =
        "is not a price in usd; write it in quotes and with two decimals, from \"0.01\" to \"999999.99\"";
    const JPY: &str =
        "is not a price in jpy; write it in quotes and without decimals, from \"1\" to \"99999999\"";

    #[test]
    fn a_price_with_a_flaw_is_named_with_its_line_and_a_remedy() {
        let currency = "is not a currency; write three small letters that Stripe knows, such as \"usd\"";
        for (price, code, flaw) in [
            ("\"-12.00\"", "\"usd\"", format!("11: plans[1].price: \"-12.00\" {USD}")),
            ("\"12\"", "\"usd\"", format!("11: plans[1].price: \"12\" {USD}")),
            ("\"12.5\"", "\"usd\"", format!("11: plans[1].price: \"12.5\" {USD}")),
            ("\"0.00\"", "\"usd\"", format!("11: plans[1].price: \"0.00\" {USD}")),
            ("\"1000000.00\"", "\"usd\"", format!("11: plans[1].price: \"1000000.00\" {USD}")),
            ("12.00", "\"usd\"", format!("11: plans[1].price: 12.00 {USD}")),
            ("12", "\"usd\"", format!("11: plans[1].price: 12 {USD}")),
            ("\"12.00\"", "\"jpy\"", format!("11: plans[1].price: \"12.00\" {JPY}")),
            ("\"12.00\"", "\"USD\"", format!("12: plans[1].currency: \"USD\" {currency}")),
            ("\"12.00\"", "\"dollars\"", format!("12: plans[1].currency: \"dollars\" {currency}")),
            ("\"12.00\"", "840", format!("12: plans[1].currency: 840 {currency}")),
        ] {
            let settings = format!("monthly_credits = 100\nprice = {price}\ncurrency = {code}");
            assert_eq!(flaws_of_plan(&settings), [flaw], "{settings}");
        }
    }

    #[test]
    fn a_plan_with_a_flaw_is_named_with_its_line_and_a_remedy() {
        let amount = "is not an amount; write a whole number from 1 to 1,000,000,000,000";
        let price = "price = \"12.00\"\ncurrency = \"usd\"";
        let monthly = format!("{price}\nmonthly_credits = 100");
        for (settings, flaw) in [
            (
                price,
                "7: plans[1].monthly_credits: missing; add monthly_credits = 100, or unlimited = true".to_owned(),
            ),
            (
                &format!("{monthly}\nunlimited = true"),
                "13: plans[1].unlimited: a plan without limit has no monthly_credits; keep one of the two".into(),
            ),
            (
                &format!("{price}\nunlimited = false"),
                "12: plans[1].unlimited: false is not what it can be; write unlimited = true, or remove it".into(),
            ),
            (&format!("{price}\nmonthly_credits = 0"), format!("12: plans[1].monthly_credits: 0 {amount}")),
            (&format!("{price}\nmonthly_credits = -5"), format!("12: plans[1].monthly_credits: -5 {amount}")),
            (
                &format!("{monthly}\nrollover_cap = 0"),
                "13: plans[1].rollover_cap: 0 is not a number of allowances; write a whole number from 1 to 100".into(),
            ),
            (
                &format!("{price}\nunlimited = true\nrollover_cap = 2"),
                "13: plans[1].rollover_cap: a plan without limit has no credits to roll over; remove it".into(),
            ),
            (
                &format!("{monthly}\ninterval = \"week\""),
                "13: plans[1].interval: \"week\" is not an interval; write \"month\" or \"year\"".into(),
            ),
            (
                "monthly_credits = 5\ntrial_days = 7",
                "11: plans[1].trial_days: a free plan needs no trial; remove it, or add a price and a currency".into(),
            ),
            (
                &format!("{monthly}\ntrial_days = 731"),
                "13: plans[1].trial_days: 731 is not a number of days; write a whole number from 1 to 730".into(),
            ),
            (
                "monthly_credits = 5\nprice = \"12.00\"",
                "7: plans[1].currency: missing; add currency = \"usd\"".into(),
            ),
            (
                "monthly_credits = 5\ncurrency = \"usd\"",
                "7: plans[1].price: missing; add price = \"12.00\"".into(),
            ),
            (
                &format!("{monthly}\npriority = -1"),
                "13: plans[1].priority: -1 is not a place in the order of spending; write a whole number from 0 to 32,767"
                    .into(),
            ),
            (&format!("{monthly}\nrolover_cap = 2"), "13: plans[1].rolover_cap: unknown key; did you mean rollover_cap?".into()),
        ] {
            assert_eq!(flaws_of_plan(settings), [flaw], "{settings}");
        }
    }

    #[test]
    fn a_pack_with_a_flaw_is_named_with_its_line_and_a_remedy() {
        let price = "price = \"9.00\"\ncurrency = \"usd\"";
        for (settings, flaw) in [
            (price, "7: packs[1].credits: missing; add credits = 100".to_owned()),
            (
                &format!("{price}\ncredits = 0"),
                "12: packs[1].credits: 0 is not an amount; write a whole number from 1 to 1,000,000,000,000".into(),
            ),
            ("credits = 5\ncurrency = \"usd\"", "7: packs[1].price: missing; add price = \"12.00\"".into()),
            ("credits = 5\nprice = \"9.00\"", "7: packs[1].currency: missing; add currency = \"usd\"".into()),
            ("credits = 5\nprice = \"9\"\ncurrency = \"usd\"", format!("11: packs[1].price: \"9\" {USD}")),
            (
                &format!("credits = 5\n{price}\nexpires_days = 0"),
                "13: packs[1].expires_days: 0 is not a number of days; write a whole number from 1 to 3,650".into(),
            ),
            (
                &format!("credits = 5\n{price}\ninterval = \"month\""),
                "13: packs[1].interval: unknown key; remove it; the keys known here are credits, currency, description, \
                 expires_days, key, price, priority, title"
                    .into(),
            ),
        ] {
            assert_eq!(flaws_of_pack(settings), [flaw], "{settings}");
        }
    }

    #[test]
    fn two_of_one_kind_never_have_one_key() {
        assert_eq!(
            flaws(&format!("{HEAD}{ACTION}{PLAN}{PLAN}")),
            ["14: plans[2].key: \"pro\" is already the key of the plan on line 8; write another"]
        );
        assert_eq!(
            flaws(&format!("{HEAD}{ACTION}{PACK}{PACK}")),
            ["14: packs[2].key: \"pack_100\" is already the key of the pack on line 8; write another"]
        );
        let alike = PACK.replace("pack_100", "pro");
        assert!(parse(&format!("{HEAD}{ACTION}{PLAN}{alike}")).is_ok(), "those of two kinds may");
    }

    #[test]
    fn there_are_only_so_many_plans_and_packs() {
        let many = |what: &str, key: &str, count| {
            let each = (1..=count).map(|number| what.replace(key, &format!("{key}_{number}")));
            each.fold(format!("{HEAD}{ACTION}"), |text, one| text + &one)
        };
        assert_eq!(parse(&many(PLAN, "pro", PLANS_MAX)).unwrap().plans.len(), PLANS_MAX);
        assert_eq!(
            flaws(&many(PLAN, "pro", PLANS_MAX + 1)),
            ["127: plans[21]: one too many; keep 20 or fewer"]
        );
        assert_eq!(parse(&many(PACK, "pack_100", PACKS_MAX)).unwrap().packs.len(), PACKS_MAX);
        assert_eq!(
            flaws(&many(PACK, "pack_100", PACKS_MAX + 1)),
            ["127: packs[21]: one too many; keep 20 or fewer"]
        );
    }
}
