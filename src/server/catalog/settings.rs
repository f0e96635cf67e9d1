//! The file's own settings, and the whole of it.
//!
//! Here as beside it, each function reads one table to its end before it gives up with `?`, so that no flaw stays
//! unnamed.

use std::collections::HashMap;

use chrono::TimeDelta;
use toml::de::DeValue;

use super::{
    ACTIONS_MAX, EXPIRES_DAYS_MAX, FAIR_USE_MAX, GRACE_DAYS_DEFAULT, GRACE_DAYS_MAX, PACKS_MAX, PLANS_MAX,
    SUMMARY_CHARS_MAX, TITLE_CHARS_MAX,
    actions::read_action,
    reader::{Lines, Reader, integer, quoted},
    sales::{read_pack, read_plan},
};
use crate::{
    domain::{
        Amount, Catalog, Credits, Grace, Limits, WhenSpent,
        catalog::{Allowance, InsufficientStatus, LowBalance, Percentage, Plan, PlanKey, SignUpGrant},
    },
    text::number,
};

pub(super) fn read(file: &mut Reader<'_>) -> Option<Catalog> {
    file.require("name", r#"name = "Interior design""#);
    file.require("summary", r#"summary = "Redesigns rooms from a photo""#);
    file.require("actions", "[[actions]] and below it the key, title and cost of an action");
    let name = file.text("name", 1..=TITLE_CHARS_MAX);
    let summary = file.text("summary", 1..=SUMMARY_CHARS_MAX);
    let min_balance = file.number("min_balance", "a number of credits", 0..=Amount::MAX.get());
    let low_balance = read_low_balance(file);
    let insufficient_status =
        file.value("insufficient_status", "a status for refusals", "402 or 429", |value| {
            match integer(value)? {
                402 => Some(InsufficientStatus::PaymentRequired),
                429 => Some(InsufficientStatus::TooManyRequests),
                _ => None,
            }
        });
    let refund_grace: Option<i64> =
        file.number("refund_grace_days", "a number of days", 1..=EXPIRES_DAYS_MAX);
    let clawback =
        file.value("clawback", "a way to take credits back", "\"debt\" or \"forgive\"", |value| match value
            .as_str()?
        {
            "debt" => Some(WhenSpent::Debt),
            "forgive" => Some(WhenSpent::Forgive),
            _ => None,
        });
    let grace_days = file.number("grace_days", "a number of days", 0..=GRACE_DAYS_MAX);
    let fair_use = file.table("fair_use", read_fair_use);

    let mut keys = HashMap::new();
    let actions = file.tables("actions", ACTIONS_MAX, |action| read_action(action, &mut keys));
    let mut keys = HashMap::new();
    let plans = file.tables("plans", PLANS_MAX, |plan| read_plan(plan, &mut keys)).unwrap_or_default();
    let signup = file.table("signup", |signup| read_signup(signup, &plans, &keys));
    if let Some(LowBalance::Share(_)) = low_balance
        && plans.iter().all(|plan| plan.allowance == Allowance::Unlimited)
        // Where none is left they all have flaws of their own.
        && file.has("plans") != plans.is_empty()
    {
        let message = "a share of the monthly credits, and no plan gives any; write a number of credits";
        file.flaw("low_balance", message);
    }
    let mut keys = HashMap::new();
    let packs = file.tables("packs", PACKS_MAX, |pack| read_pack(pack, &mut keys)).unwrap_or_default();

    let (signup, default_plan) = signup.unwrap_or_default();
    Some(Catalog {
        name: name?,
        summary: summary?,
        signup,
        default_plan,
        limits: Limits { min_balance: min_balance.unwrap_or_default(), ..fair_use.unwrap_or_default() },
        low_balance: low_balance.unwrap_or_default(),
        insufficient_status: insufficient_status.unwrap_or_default(),
        refund_grace: refund_grace.and_then(|days| Grace::try_from(TimeDelta::days(days)).ok()),
        clawback: clawback.unwrap_or(WhenSpent::Debt),
        grace_days: grace_days.unwrap_or(GRACE_DAYS_DEFAULT),
        actions: actions?,
        plans,
        packs,
    })
}

/// A number of credits, or a share (`"20%"`) of the last monthly allowance.
fn read_low_balance(file: &mut Reader<'_>) -> Option<LowBalance> {
    let most = number(Amount::MAX.get());
    let remedy = format!("a whole number from 0 to {most}, or a share from \"1%\" to \"100%\"");
    let share = |text: &str| {
        let digits = text.strip_suffix('%')?;
        let number =
            digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse::<i64>().ok())??;
        Percentage::try_from(number).ok().map(LowBalance::Share)
    };
    file.value("low_balance", "a number of credits", &remedy, |value| match value {
        DeValue::String(text) => share(text),
        value => {
            let number = integer(value).filter(|number| *number <= Amount::MAX.get())?;
            Credits::try_from(number).ok().map(LowBalance::Credits)
        }
    })
}

/// What everybody begins with: credits, a plan, or both. `keys`: those of all plans, also of the flawed.
fn read_signup(
    signup: &mut Reader<'_>,
    plans: &[Plan],
    keys: &Lines,
) -> Option<(Option<SignUpGrant>, Option<PlanKey>)> {
    if !signup.has("plan") {
        signup.require("credits", "credits = 6, or plan = \"free\" and a plan of that key");
    }
    let credits = signup.number("credits", "an amount", 1..=Amount::MAX.get());
    let expires_days = signup.number("expires_days", "a number of days", 1..=EXPIRES_DAYS_MAX);
    if signup.has("expires_days") && signup.has("plan") && !signup.has("credits") {
        signup.flaw("expires_days", "there are no credits to expire; add credits = 6, or remove it");
    }
    let plan = signup.value("plan", "the key of a plan", "one of a plan of this file", |value| {
        PlanKey::try_from(value.as_str()?.to_owned()).ok()
    });
    if let Some(key) = &plan {
        if !keys.contains_key(key.as_str()) {
            let message =
                format!("no plan has the key {}; write that of one, or add it", quoted(key.as_str()));
            signup.flaw("plan", &message);
        } else if plans.iter().any(|plan| plan.key == *key && !plan.is_free()) {
            let message = "this plan has a price, and everybody begins on it; write the key of a free one";
            signup.flaw("plan", message);
        }
    }
    Some((credits.map(|credits| SignUpGrant { credits, expires_days }), plan))
}

/// How many spends an account may make; without a cap, any number.
fn read_fair_use(fair_use: &mut Reader<'_>) -> Option<Limits> {
    let per_hour = fair_use.number("per_hour", "a number of spends", 1..=FAIR_USE_MAX);
    let per_day = fair_use.number("per_day", "a number of spends", 1..=FAIR_USE_MAX);
    Some(Limits { per_hour, per_day, ..Limits::default() })
}

#[cfg(test)]
mod tests {
    use crate::server::catalog::{
        parse,
        testing::{ACTION, HEAD, PLAN, flaws},
    };

    /// Parses `HEAD` (lines 1 and 2), then `settings` from line 3, then a good action.
    fn flaws_of_settings(settings: &str) -> Vec<String> {
        flaws(&format!("{HEAD}{settings}\n{ACTION}"))
    }

    #[test]
    fn a_setting_with_a_flaw_is_named_with_its_line_and_a_remedy() {
        let credits = "is not a number of credits; write a whole number from 0 to 1,000,000,000,000";
        let low = "is not a number of credits; write a whole number from 0 to 1,000,000,000,000, or a share from \
                   \"1%\" to \"100%\"";
        let amount = "is not an amount; write a whole number from 1 to 1,000,000,000,000";
        let missing = "missing; add credits = 6, or plan = \"free\" and a plan of that key";
        let status = "is not a status for refusals; write 402 or 429";
        let days = "is not a number of days; write a whole number from 1 to 3,650";
        let table = "is not a table; write [signup] on a line of its own and its settings below it";
        for (settings, flaw) in [
            ("min_balance = -1", format!("3: min_balance: -1 {credits}")),
            ("min_balance = 1.5", format!("3: min_balance: 1.5 {credits}")),
            ("\n\nlow_balance = \"2\"", format!("5: low_balance: \"2\" {low}")),
            ("low_balance = 1000000000001", format!("3: low_balance: 1000000000001 {low}")),
            ("low_balance = 99999999999999999999", format!("3: low_balance: 99999999999999999999 {low}")),
            ("low_balance = -1", format!("3: low_balance: -1 {low}")),
            ("low_balance = 0.2", format!("3: low_balance: 0.2 {low}")),
            ("low_balance = \"0%\"", format!("3: low_balance: \"0%\" {low}")),
            ("low_balance = \"101%\"", format!("3: low_balance: \"101%\" {low}")),
            ("low_balance = \"+20%\"", format!("3: low_balance: \"+20%\" {low}")),
            ("low_balance = \"%\"", format!("3: low_balance: \"%\" {low}")),
            (
                "low_balance = \"20%\"",
                "3: low_balance: a share of the monthly credits, and no plan gives any; write a number of credits"
                    .into(),
            ),
            ("refund_grace_days = 0", format!("3: refund_grace_days: 0 {days}")),
            (
                "clawback = \"ask\"",
                "3: clawback: \"ask\" is not a way to take credits back; write \"debt\" or \"forgive\"".into(),
            ),
            (
                "grace_days = 31",
                "3: grace_days: 31 is not a number of days; write a whole number from 0 to 30".into(),
            ),
            ("insufficient_status = 403", format!("3: insufficient_status: 403 {status}")),
            ("insufficient_status = true", format!("3: insufficient_status: true {status}")),
            ("signup = 6", format!("3: signup: 6 {table}")),
            ("[[signup]]\ncredits = 6", format!("3: signup: a list {table}")),
            ("[signup]", format!("3: signup.credits: {missing}")),
            ("[signup]\nexpires_days = 6", format!("3: signup.credits: {missing}")),
            ("[signup]\ncredits = 0", format!("4: signup.credits: 0 {amount}")),
            ("[signup]\ncredits = []", format!("4: signup.credits: an empty list {amount}")),
            ("[signup]\ncredits = 6\nexpires_days = 0", format!("5: signup.expires_days: 0 {days}")),
            ("[signup]\ncredits = 6\nexpires_days = 3651", format!("5: signup.expires_days: 3651 {days}")),
            (
                "[signup]\ncredits = 6\nlow_balance = 2",
                "5: signup.low_balance: unknown key; remove it; the keys known here are credits, expires_days, plan"
                    .into(),
            ),
            (
                "[fair_use]\nper_hour = 0",
                "4: fair_use.per_hour: 0 is not a number of spends; write a whole number from 1 to 1,000,000".into(),
            ),
            ("low_balanse = 2", "3: low_balanse: unknown key; did you mean low_balance?".into()),
            ("min = 2", "3: min: unknown key; did you mean min_balance?".into()),
            ("[sign_up]\ncredits = 6", "3: sign_up: unknown key; did you mean signup?".into()),
        ] {
            assert_eq!(flaws_of_settings(settings), [flaw], "{settings}");
        }
    }
    #[test]
    fn everybody_begins_on_a_plan_of_the_file_that_is_free() {
        let free = PLAN.replace("\"pro\"", "\"free\"").replace("price = \"12.00\"\ncurrency = \"usd\"\n", "");
        let file = |signup: &str| format!("{HEAD}[signup]\n{signup}\n{ACTION}{PLAN}{free}");
        assert!(parse(&file("plan = \"free\"")).unwrap().signup.is_none());
        let both = parse(&file("plan = \"free\"\ncredits = 6")).unwrap();
        assert!(both.signup.is_some() && both.default_plan().is_some());
        for (signup, flaw) in [
            (
                "plan = \"pro\"",
                "4: signup.plan: this plan has a price, and everybody begins on it; write the key of a free one",
            ),
            (
                "plan = \"basic\"",
                "4: signup.plan: no plan has the key \"basic\"; write that of one, or add it",
            ),
            ("plan = 7", "4: signup.plan: 7 is not the key of a plan; write one of a plan of this file"),
            (
                "plan = \"free\"\nexpires_days = 30",
                "5: signup.expires_days: there are no credits to expire; add credits = 6, or remove it",
            ),
        ] {
            assert_eq!(flaws(&file(signup)), [flaw], "{signup}");
        }
    }

    #[test]
    fn a_flaw_of_a_plan_is_not_also_one_of_what_names_it() {
        let text = format!("{HEAD}low_balance = \"20%\"\n[signup]\nplan = \"pro\"\n{ACTION}{PLAN}");
        let text = text.replace("monthly_credits = 100", "monthly_credits = 0");
        let found = flaws(&text);
        assert!(found.len() == 1 && found[0].starts_with("13: plans[1].monthly_credits: 0"), "{found:?}");
    }
}
