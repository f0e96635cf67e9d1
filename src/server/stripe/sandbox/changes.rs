//! Changes of subscriptions: another price in the middle of a period, what that would be billed at, and whether a
//! subscription ends with its period.

use serde_json::{Value, json};

use super::{
    invoices::{self, Line},
    params::{Field, SECONDS, Shape, may, must},
    prices,
    refused::Refused,
    step::{Step, metadata, number, text},
    subscriptions::{next_period, period, set_period},
};
use crate::domain::catalog::Price;

const ITEM: Shape = Shape::Fields(&[
    must("id", Shape::Text(255)),
    may("quantity", Shape::Integer(1, 1)),
    may(
        "price_data",
        Shape::Fields(&[
            must("currency", Shape::Currency),
            must("product", Shape::Text(255)),
            must("recurring", prices::RECURRING),
            must("unit_amount", Shape::Integer(0, Price::MINOR_MAX)),
        ]),
    ),
]);
pub const UPDATE: &[Field] = &[
    may("items", Shape::List(&ITEM, 1)),
    may("payment_behavior", Shape::OneOf(&["allow_incomplete", "error_if_incomplete"])),
    may("proration_behavior", Shape::OneOf(&["always_invoice", "none"])),
    may("proration_date", SECONDS),
    may("cancel_at_period_end", Shape::Flag),
    may("metadata", Shape::Metadata),
];
/// Only of what is billed at once.
pub const PREVIEW: &[Field] = &[
    must("subscription", Shape::Text(255)),
    must(
        "subscription_details",
        Shape::Fields(&[
            must("items", Shape::List(&ITEM, 1)),
            must("proration_behavior", Shape::OneOf(&["always_invoice"])),
            may("proration_date", SECONDS),
            may("cancel_at_period_end", Shape::Flag),
        ]),
    ),
];

/// `POST /v1/subscriptions/{id}`
pub async fn update(step: &mut Step<'_>, id: &str, ask: &Value) -> Result<Value, Refused> {
    let mut subscription = step.get("subscription", id).await?;
    if subscription["status"] == "canceled" {
        let message = "A canceled subscription can only update its cancellation_details and metadata.";
        return Err(Refused::state(None, message));
    }
    let item = &ask["items"][0];
    check_item(step, &subscription, item, "items[0]").await?;
    subscription["metadata"] = metadata(&ask["metadata"], &subscription["metadata"]);
    if let Some(ends) = ask["cancel_at_period_end"].as_bool() {
        set_to_end(&mut subscription, ends, step.seconds());
    }
    if item["price_data"].is_object() {
        let bills_at_once = ask["proration_behavior"] != "none";
        let from = prorated_from(step, &subscription, &ask["proration_date"], "proration_date")?;
        let is_paid = change_price(step, &mut subscription, &item["price_data"], bills_at_once, from).await?;
        if !is_paid && ask["payment_behavior"] == "error_if_incomplete" {
            return Err(Refused::undone());
        }
    }
    step.put(&subscription).await?;
    step.tell("customer.subscription.updated", &subscription).await?;
    Ok(subscription)
}

/// `POST /v1/invoices/create_preview`: the invoice that an update would make at once, and nothing else.
pub async fn preview(step: &mut Step<'_>, ask: &Value) -> Result<Value, Refused> {
    let subscription = step.named("subscription", text(ask, "subscription"), "subscription").await?;
    if subscription["status"] == "canceled" {
        return Err(Refused::state(Some("invoice_upcoming_none"), "This subscription has ended."));
    }
    let details = &ask["subscription_details"];
    let (item, at) = (&details["items"][0], "subscription_details[items][0]");
    check_item(step, &subscription, item, at).await?;
    let at = "subscription_details[proration_date]";
    let from = prorated_from(step, &subscription, &details["proration_date"], at)?;
    let (before, price) = prices_of(step, &subscription, &item["price_data"]);
    let change = Change::of(&subscription, &before, &price, from)?;
    let lines = if subscription["status"] == "trialing" { Vec::new() } else { change.lines(true) };
    let mut invoice = invoices::new(step, &subscription, "subscription_update", &lines);
    invoice["id"] = json!(step.new_id("upcoming_in"));
    invoice["status"] = json!("draft");
    Ok(invoice)
}

async fn check_item(
    step: &mut Step<'_>,
    subscription: &Value,
    item: &Value,
    at: &str,
) -> Result<(), Refused> {
    if item.is_object() && item["id"] != subscription["items"]["data"][0]["id"] {
        return Err(Refused::no_such("subscription_item", text(item, "id"), &format!("{at}[id]")));
    }
    if let Some(product) = item["price_data"]["product"].as_str() {
        step.named("product", product, &format!("{at}[price_data][product]")).await?;
    }
    let currency = &item["price_data"]["currency"];
    if currency.is_string() && *currency != subscription["currency"] {
        let message = "The currency of a subscription can't be changed.";
        return Err(Refused::parameter(None, &format!("{at}[price_data][currency]"), message));
    }
    Ok(())
}

/// From when another price is reckoned: now, or a moment of the present period.
fn prorated_from(step: &Step<'_>, subscription: &Value, asked: &Value, param: &str) -> Result<i64, Refused> {
    let (start, end) = period(subscription);
    match asked.as_i64() {
        None => Ok(step.seconds()),
        Some(from) if (start..end).contains(&from) => Ok(from),
        Some(_) => {
            let message = "The proration date must be within the current billing period.";
            Err(Refused::parameter(None, param, message))
        }
    }
}

fn prices_of(step: &Step<'_>, subscription: &Value, ask: &Value) -> (Value, Value) {
    let before = subscription["items"]["data"][0]["price"].clone();
    (before, prices::new_price(step, ask, &ask["product"]))
}

/// Another price in the middle of a period: what is left of it is billed by the second, both ways; a period of another
/// length begins anew.
struct Change<'a> {
    before: &'a Value,
    price: &'a Value,
    from: i64,
    period: (i64, i64),
    begins_anew: bool,
    new_end: i64,
}

impl<'a> Change<'a> {
    fn of(subscription: &Value, before: &'a Value, price: &'a Value, from: i64) -> Result<Self, Refused> {
        let period = period(subscription);
        let interval = |price: &Value| price["recurring"]["interval"].clone();
        let begins_anew = interval(before) != interval(price) && subscription["status"] != "trialing";
        let new_end = if begins_anew {
            next_period(from, from, text(&price["recurring"], "interval"))?
        } else {
            period.1
        };
        Ok(Self { before, price, from, period, begins_anew, new_end })
    }

    fn lines(&self, credits_the_rest: bool) -> Vec<Line<'a>> {
        let Self { before, price, from, period: (start, end), begins_anew, new_end } = *self;
        let left = |price: &Value| {
            let amount = i128::from(number(price, "unit_amount"));
            let share = amount * i128::from((end - from).max(0)) / i128::from((end - start).max(1));
            i64::try_from(share).unwrap_or_default()
        };
        let unused = Line {
            amount: if credits_the_rest { -left(before) } else { 0 },
            description: "Unused time",
            price: before,
            period: (from, end),
            is_proration: true,
        };
        let remaining = Line {
            amount: if begins_anew { number(price, "unit_amount") } else { left(price) },
            description: "Remaining time",
            price,
            period: (from, new_end),
            is_proration: !begins_anew,
        };
        vec![unused, remaining]
    }
}

/// Another price from a moment on. Returns whether all that was billed is paid.
async fn change_price(
    step: &mut Step<'_>,
    subscription: &mut Value,
    ask: &Value,
    bills_at_once: bool,
    from: i64,
) -> Result<bool, Refused> {
    let (before, price) = prices_of(step, subscription, ask);
    let change = Change::of(subscription, &before, &price, from)?;
    let is_trial = subscription["status"] == "trialing";
    subscription["items"]["data"][0]["plan"] = prices::plan_of(&price);
    subscription["items"]["data"][0]["price"] = price.clone();
    if change.begins_anew {
        subscription["billing_cycle_anchor"] = json!(from);
        set_period(subscription, (from, change.new_end));
    }
    if is_trial || (!bills_at_once && !change.begins_anew) {
        return Ok(true);
    }
    let lines = change.lines(bills_at_once);
    let invoice = invoices::bill(step, subscription, "subscription_update", &lines).await?;
    let is_paid = invoice["status"] == "paid";
    if !is_paid {
        subscription["status"] = json!("past_due");
    }
    Ok(is_paid)
}

/// Lets a subscription end with its period, or go on.
fn set_to_end(subscription: &mut Value, ends: bool, now: i64) {
    let end = period(subscription).1;
    subscription["cancel_at_period_end"] = json!(ends);
    subscription["cancel_at"] = if ends { json!(end) } else { Value::Null };
    subscription["canceled_at"] = if ends { json!(now) } else { Value::Null };
    let reason = if ends { json!("cancellation_requested") } else { Value::Null };
    subscription["cancellation_details"]["reason"] = reason;
}
