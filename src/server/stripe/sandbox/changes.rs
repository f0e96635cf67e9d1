//! Changes of subscriptions: another price in the middle of a period, and whether it ends with the period.

use serde_json::{Value, json};

use super::{
    invoices::{self, Line},
    params::{Field, Shape, may, must},
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
    may("cancel_at_period_end", Shape::Flag),
    may("metadata", Shape::Metadata),
];

/// `POST /v1/subscriptions/{id}`
pub async fn update(step: &mut Step<'_>, id: &str, ask: &Value) -> Result<Value, Refused> {
    let mut subscription = step.get("subscription", id).await?;
    if subscription["status"] == "canceled" {
        let message = "A canceled subscription can only update its cancellation_details and metadata.";
        return Err(Refused::state(None, message));
    }
    let item = &ask["items"][0];
    if item.is_object() && item["id"] != subscription["items"]["data"][0]["id"] {
        return Err(Refused::no_such("subscription_item", text(item, "id"), "items[0][id]"));
    }
    if let Some(product) = item["price_data"]["product"].as_str() {
        step.named("product", product, "items[0][price_data][product]").await?;
    }
    let currency = &item["price_data"]["currency"];
    if currency.is_string() && *currency != subscription["currency"] {
        let message = "The currency of a subscription can't be changed.";
        return Err(Refused::parameter(None, "items[0][price_data][currency]", message));
    }
    subscription["metadata"] = metadata(&ask["metadata"], &subscription["metadata"]);
    if let Some(ends) = ask["cancel_at_period_end"].as_bool() {
        set_to_end(&mut subscription, ends, step.seconds());
    }
    if item["price_data"].is_object() {
        let bills_at_once = ask["proration_behavior"] != "none";
        let is_paid = change_price(step, &mut subscription, &item["price_data"], bills_at_once).await?;
        if !is_paid && ask["payment_behavior"] == "error_if_incomplete" {
            return Err(Refused::undone());
        }
    }
    step.put(&subscription).await?;
    step.tell("customer.subscription.updated", &subscription).await?;
    Ok(subscription)
}

/// Another price from now on. What is left of the period is billed by the second, both ways; a period of another length
/// begins anew. Returns whether all that was billed is paid.
async fn change_price(
    step: &mut Step<'_>,
    subscription: &mut Value,
    ask: &Value,
    bills_at_once: bool,
) -> Result<bool, Refused> {
    let now = step.seconds();
    let before = subscription["items"]["data"][0]["price"].clone();
    let price = prices::new_price(step, ask, &ask["product"]);
    let (start, end) = period(subscription);
    let is_trial = subscription["status"] == "trialing";
    subscription["items"]["data"][0]["plan"] = prices::plan_of(&price);
    subscription["items"]["data"][0]["price"] = price.clone();
    let interval = |price: &Value| price["recurring"]["interval"].clone();
    let begins_anew = interval(&before) != interval(&price) && !is_trial;
    let new_end = if begins_anew {
        subscription["billing_cycle_anchor"] = json!(now);
        next_period(now, now, text(&price["recurring"], "interval"))?
    } else {
        end
    };
    if begins_anew {
        set_period(subscription, (now, new_end));
    }
    if is_trial || (!bills_at_once && !begins_anew) {
        return Ok(true);
    }
    let left = |amount: i64| {
        let share = i128::from(amount) * i128::from((end - now).max(0)) / i128::from((end - start).max(1));
        i64::try_from(share).unwrap_or_default()
    };
    let old = number(&before, "unit_amount");
    let new = number(&price, "unit_amount");
    let charged = if begins_anew { new } else { left(new) };
    let credited = if bills_at_once { -left(old) } else { 0 };
    let lines = [
        Line {
            amount: credited,
            description: "Unused time",
            price: &before,
            period: (now, end),
            is_proration: true,
        },
        Line {
            amount: charged,
            description: "Remaining time",
            price: &price,
            period: (now, new_end),
            is_proration: !begins_anew,
        },
    ];
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
