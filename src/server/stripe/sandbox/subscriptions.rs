//! Subscriptions: begun in Checkout, renewed when their period ends, ended by the API or by hand.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    invoices::{self, Line},
    payments::{self, Outcome},
    prices,
    refused::Refused,
    step::{Step, metadata, number, text, with_nulls},
};
use crate::domain::calendar;

const SECONDS_A_DAY: i64 = 24 * 60 * 60;
const MONTHS_A_YEAR: usize = 12;

/// Begins what a session sells. A card that declines begins nothing.
pub async fn begin(
    step: &mut Step<'_>,
    session: &mut Value,
    bought: &Value,
    last4: &str,
) -> Result<Outcome, Refused> {
    if last4 == payments::DECLINES {
        return Ok(Outcome::Declined);
    }
    if session["customer"].is_null() {
        session["customer"] = super::customers::create(step, &json!({})).await?["id"].clone();
    }
    let method = payments::new_method(step, last4, &session["customer"]).await?;
    let ask = &bought["asked"]["subscription_data"];
    let item = &bought["data"][0];
    let mut subscription = body(step, session, item, ask, &method)?;
    step.put(&subscription).await?;
    step.tell("customer.subscription.created", &subscription).await?;
    let (price, title) = (&item["price"], text(&item["product"], "name"));
    let is_trial = subscription["status"] == "trialing";
    let amount = if is_trial { 0 } else { number(price, "unit_amount") * number(item, "quantity") };
    let line = Line { amount, description: title, price, period: period(&subscription), is_proration: false };
    let invoice = invoices::bill(step, &mut subscription, "subscription_create", &[line]).await?;
    step.put(&subscription).await?;
    session["subscription"] = subscription["id"].clone();
    session["invoice"] = invoice["id"].clone();
    Ok(Outcome::Paid)
}

fn body(
    step: &Step<'_>,
    session: &Value,
    item: &Value,
    ask: &Value,
    method: &Value,
) -> Result<Value, Refused> {
    let (id, now) = (step.new_id("sub"), step.seconds());
    let trial_end = ask["trial_period_days"].as_i64().map(|days| now + days * SECONDS_A_DAY);
    let anchor = trial_end.unwrap_or(now);
    let end = match trial_end {
        Some(end) => end,
        None => next_period(anchor, now, text(&item["price"]["recurring"], "interval"))?,
    };
    Ok(with_nulls(
        json!({
            "id": id,
            "object": "subscription",
            "automatic_tax": {"disabled_reason": null, "enabled": false, "liability": null},
            "billing_cycle_anchor": anchor,
            "billing_schedules": [],
            "billing_mode": {"type": "flexible", "flexible": {"proration_discounts": "included"}},
            "cancel_at_period_end": false,
            "cancellation_details": {"comment": null, "feedback": null, "reason": null},
            "collection_method": "charge_automatically",
            "created": now,
            "currency": session["currency"],
            "customer": session["customer"],
            "default_payment_method": method["id"],
            "default_tax_rates": [],
            "discounts": [],
            "invoice_settings": {"account_tax_ids": null, "issuer": {"type": "self"}},
            "items": {
                "object": "list",
                "data": [{
                    "id": step.new_id("si"),
                    "object": "subscription_item",
                    "billing_thresholds": null,
                    "created": now,
                    "current_period_start": now,
                    "current_period_end": end,
                    "discounts": [],
                    "metadata": {},
                    "plan": prices::plan_of(&item["price"]),
                    "price": item["price"],
                    "quantity": item["quantity"],
                    "subscription": id,
                    "tax_rates": [],
                }],
                "has_more": false,
                "total_count": 1,
                "url": format!("/v1/subscription_items?subscription={id}"),
            },
            "livemode": false,
            "metadata": metadata(&ask["metadata"], &Value::Null),
            "payment_settings": {
                "payment_method_options": null, "payment_method_types": null, "save_default_payment_method": "off",
            },
            "start_date": now,
            "status": if trial_end.is_some() { "trialing" } else { "active" },
            "trial_end": trial_end,
            "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
            "trial_start": trial_end.map(|_| now),
        }),
        &[
            "application",
            "application_fee_percent",
            "billing_cycle_anchor_config",
            "billing_thresholds",
            "cancel_at",
            "canceled_at",
            "days_until_due",
            "default_source",
            "description",
            "ended_at",
            "latest_invoice",
            "next_pending_invoice_item_invoice",
            "on_behalf_of",
            "pause_collection",
            "pending_invoice_item_interval",
            "pending_setup_intent",
            "pending_update",
            "schedule",
            "test_clock",
            "transfer_data",
        ],
    ))
}

/// The end of the period that begins at `start`: whole months from the anchor, so that the 31st comes again.
pub fn next_period(anchor: i64, start: i64, interval: &str) -> Result<i64, Refused> {
    let moment = |seconds| DateTime::<Utc>::from_timestamp(seconds, 0);
    let months = if interval == "year" { MONTHS_A_YEAR } else { 1 };
    let end = moment(anchor)
        .zip(moment(start))
        .and_then(|(anchor, start)| (0..months).try_fold(start, |at, _| calendar::next_month(anchor, at)));
    end.map(|end| end.timestamp()).ok_or_else(|| Refused::state(None, "There is no such time."))
}

/// The present period.
pub fn period(subscription: &Value) -> (i64, i64) {
    let item = &subscription["items"]["data"][0];
    (number(item, "current_period_start"), number(item, "current_period_end"))
}

/// The next period begins, or the subscription ends.
pub async fn period_ends(step: &mut Step<'_>, mut subscription: Value) -> Result<(), Refused> {
    if subscription["cancel_at_period_end"] == true {
        return end(step, subscription).await.map(drop);
    }
    let start = period(&subscription).1;
    let price = subscription["items"]["data"][0]["price"].clone();
    let anchor = number(&subscription, "billing_cycle_anchor");
    let period = (start, next_period(anchor, start, text(&price["recurring"], "interval"))?);
    set_period(&mut subscription, period);
    subscription["status"] = json!("active");
    let line = Line {
        amount: number(&price, "unit_amount"),
        description: "Subscription",
        price: &price,
        period,
        is_proration: false,
    };
    let invoice = invoices::bill(step, &mut subscription, "subscription_cycle", &[line]).await?;
    follow(step, subscription, &invoice).await
}

pub fn set_period(subscription: &mut Value, (start, end): (i64, i64)) {
    let item = &mut subscription["items"]["data"][0];
    item["current_period_start"] = json!(start);
    item["current_period_end"] = json!(end);
}

/// The card of an invoice that it declined is tried again.
pub async fn pay_again(step: &mut Step<'_>, mut invoice: Value) -> Result<(), Refused> {
    let id = &invoice["parent"]["subscription_details"]["subscription"];
    let subscription = step.of("subscription", id).await?;
    invoices::pay(step, &subscription, &mut invoice).await?;
    follow(step, subscription, &invoice).await
}

/// A subscription's state is that of its last invoice.
async fn follow(step: &mut Step<'_>, mut subscription: Value, invoice: &Value) -> Result<(), Refused> {
    if invoices::is_given_up(invoice) {
        return end(step, subscription).await.map(drop);
    }
    subscription["status"] = json!(if invoice["status"] == "paid" { "active" } else { "past_due" });
    step.put(&subscription).await?;
    step.tell("customer.subscription.updated", &subscription).await?;
    Ok(())
}

/// Ends a subscription now: `DELETE /v1/subscriptions/{id}`.
pub async fn end(step: &mut Step<'_>, mut subscription: Value) -> Result<Value, Refused> {
    if subscription["status"] == "canceled" {
        return Err(Refused::not_found("subscription", text(&subscription, "id")));
    }
    let is_over = subscription["cancel_at_period_end"] == true;
    let reason =
        if subscription["status"] == "past_due" { "payment_failed" } else { "cancellation_requested" };
    subscription["status"] = json!("canceled");
    subscription["ended_at"] = json!(step.seconds());
    if !is_over {
        subscription["canceled_at"] = json!(step.seconds());
    }
    subscription["cancellation_details"]["reason"] = json!(reason);
    // Nobody tries any more to have it paid.
    if let Some(id) = subscription["latest_invoice"].as_str() {
        let mut invoice = step.get("invoice", id).await?;
        invoice["next_payment_attempt"] = Value::Null;
        step.put(&invoice).await?;
    }
    step.put(&subscription).await?;
    step.tell("customer.subscription.deleted", &subscription).await?;
    Ok(subscription)
}

/// By hand: lets the next period begin at once, or has an open invoice paid again, with a card that pays or declines.
pub async fn advance(step: &mut Step<'_>, subscription: Value, pays: bool) -> Result<(), Refused> {
    let mut method = step.of("payment_method", &subscription["default_payment_method"]).await?;
    payments::set_last4(&mut method, if pays { payments::PAYS } else { payments::DECLINES_LATER });
    step.put(&method).await?;
    match text(&subscription, "status") {
        "active" | "trialing" => period_ends(step, subscription).await,
        "past_due" => {
            let invoice = step.of("invoice", &subscription["latest_invoice"]).await?;
            pay_again(step, invoice).await
        }
        _ => Err(Refused::state(None, "This subscription has ended.")),
    }
}
