//! Checkout Sessions: a page of Stripe's on which somebody buys. It is made by the API, and completed or left on the page
//! (`pages::checkout`).

use serde_json::{Value, json};

use super::{
    params::{Field, Shape, may, must},
    payments::{self, Outcome},
    prices,
    refused::Refused,
    step::{Step, metadata, number, text, with_nulls},
    subscriptions,
};
use crate::domain::catalog::Price;

const LINE_ITEMS_MAX: usize = 20;
const LIFE_SECONDS: i64 = 24 * 60 * 60;
/// What Stripe puts the session's id in place of.
pub const SESSION_ID: &str = "{CHECKOUT_SESSION_ID}";

const LINE_ITEM: Shape = Shape::Fields(&[
    must("quantity", Shape::Integer(1, 999_999)),
    must("price_data", Shape::Fields(PRICE_DATA)),
]);
const PRICE_DATA: &[Field] = &[
    must("currency", Shape::Currency),
    must("unit_amount", Shape::Integer(0, Price::MINOR_MAX)),
    must(
        "product_data",
        Shape::Fields(&[must("name", Shape::Text(250)), may("description", Shape::Text(5_000))]),
    ),
    may("recurring", prices::RECURRING),
];
pub const CREATE: &[Field] = &[
    must("mode", Shape::OneOf(&["payment", "subscription"])),
    must("success_url", Shape::Url),
    may("cancel_url", Shape::Url),
    may("customer", Shape::Text(255)),
    may("client_reference_id", Shape::Text(200)),
    must("line_items", Shape::List(&LINE_ITEM, LINE_ITEMS_MAX)),
    may("metadata", Shape::Metadata),
    may(
        "payment_intent_data",
        Shape::Fields(&[
            may("description", Shape::Text(1_000)),
            may("metadata", Shape::Metadata),
            may("setup_future_usage", Shape::OneOf(&["off_session", "on_session"])),
        ]),
    ),
    may(
        "subscription_data",
        Shape::Fields(&[may("metadata", Shape::Metadata), may("trial_period_days", Shape::Integer(1, 730))]),
    ),
];

/// `POST /v1/checkout/sessions`
pub async fn create(step: &mut Step<'_>, ask: &Value) -> Result<Value, Refused> {
    check(ask)?;
    if let Some(customer) = ask["customer"].as_str() {
        step.named("customer", customer, "customer").await?;
    }
    let sold = ask["line_items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let has_trial = ask["subscription_data"]["trial_period_days"].is_i64();
    let amount = |item: &Value| number(item, "quantity") * number(&item["price_data"], "unit_amount");
    let total: i64 = if has_trial { 0 } else { sold.iter().map(amount).sum() };
    if ask["mode"] == "payment" && total < payments::AMOUNT_MIN || total > Price::MINOR_MAX {
        let code = if total > Price::MINOR_MAX { "amount_too_large" } else { "amount_too_small" };
        let bounds = format!("between {} and {}", payments::AMOUNT_MIN, Price::MINOR_MAX);
        let message = format!("The Checkout Session's total amount must be {bounds}, and is {total}.");
        return Err(Refused::state(Some(code), message));
    }
    let id = step.new_id("cs_test");
    let mut items = Vec::new();
    for item in sold {
        let product = prices::new_product(step, &item["price_data"]["product_data"]).await?;
        let price = prices::new_price(step, &item["price_data"], &product["id"]);
        items.push(json!({"product": product, "price": price, "quantity": item["quantity"]}));
    }
    // What is bought is not part of the session as the API tells it.
    let bought = json!({"id": items_of(&id), "object": "line_items", "data": items, "asked": ask});
    step.put(&bought).await?;
    let session = body(step, &id, ask, &items[0]["price"]["currency"], total);
    step.put(&session).await?;
    Ok(session)
}

fn items_of(session: &str) -> String {
    format!("{session}/line_items")
}

/// What can't be said of one parameter alone.
fn check(ask: &Value) -> Result<(), Refused> {
    let items = ask["line_items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(first) = items.first() else { return Err(super::params::missing("line_items")) };
    let refuse = |param: &str, message: &str| Err(Refused::parameter(None, param, message));
    if items.iter().any(|item| item["price_data"]["currency"] != first["price_data"]["currency"]) {
        return refuse("line_items", "All line items must be of the same currency.");
    }
    let recurring = items.iter().filter(|item| item["price_data"]["recurring"].is_object()).count();
    let is_payment = ask["mode"] == "payment";
    if is_payment && recurring > 0 {
        return refuse("line_items", "You specified `payment` mode but passed a recurring price.");
    }
    // More than one can be sold at Stripe; nothing here sells so.
    if !is_payment && (recurring, items.len()) != (1, 1) {
        return refuse("line_items", "You must provide one recurring price in `subscription` mode.");
    }
    if is_payment && ask.get("subscription_data").is_some() {
        return refuse("subscription_data", "You can not pass `subscription_data` in `payment` mode.");
    }
    if !is_payment && ask.get("payment_intent_data").is_some() {
        return refuse(
            "payment_intent_data",
            "You can not pass `payment_intent_data` in `subscription` mode.",
        );
    }
    Ok(())
}

fn body(step: &Step<'_>, id: &str, ask: &Value, currency: &Value, total: i64) -> Value {
    with_nulls(
        json!({
            "id": id,
            "object": "checkout.session",
            "adaptive_pricing": {"enabled": false},
            "amount_subtotal": total,
            "amount_total": total,
            "automatic_tax": {"enabled": false, "liability": null, "provider": null, "status": null},
            "cancel_url": ask["cancel_url"],
            "client_reference_id": ask["client_reference_id"],
            "created": step.seconds(),
            "currency": currency,
            "custom_fields": [],
            "custom_text": {
                "after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null,
            },
            "customer": ask["customer"],
            "customer_creation": if ask["mode"] == "payment" { json!("if_required") } else { json!("always") },
            "discounts": [],
            "expires_at": step.seconds() + LIFE_SECONDS,
            "livemode": false,
            "metadata": metadata(&ask["metadata"], &Value::Null),
            "mode": ask["mode"],
            "payment_method_collection": "always",
            "payment_method_options": {},
            "payment_method_types": ["card", "us_bank_account"],
            "payment_status": "unpaid",
            "phone_number_collection": {"enabled": false},
            "shipping_options": [],
            "status": "open",
            "success_url": ask["success_url"],
            "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
            "ui_mode": "hosted_page",
            "url": format!("{}/sandbox/checkout/{id}", step.base_url()),
        }),
        &[
            "after_expiration",
            "allow_promotion_codes",
            "billing_address_collection",
            "client_secret",
            "collected_information",
            "consent",
            "consent_collection",
            "currency_conversion",
            "customer_details",
            "customer_email",
            "invoice",
            "invoice_creation",
            "locale",
            "origin_context",
            "payment_intent",
            "payment_link",
            "payment_method_configuration_details",
            "permissions",
            "recovered_from",
            "saved_payment_method_options",
            "setup_intent",
            "shipping_address_collection",
            "shipping_cost",
            "submit_type",
            "subscription",
            "wallet_options",
        ],
    )
}

/// What a session sells, and what it was asked for with.
pub async fn bought(step: &mut Step<'_>, session: &Value) -> Result<Value, Refused> {
    step.get("line_items", &items_of(text(session, "id"))).await
}

/// `POST /v1/checkout/sessions/{id}/expire`, and what happens after a day.
pub async fn expire(step: &mut Step<'_>, mut session: Value) -> Result<Value, Refused> {
    if session["status"] != "open" {
        let message = format!(
            "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of {}.",
            text(&session, "status")
        );
        return Err(Refused::state(None, message));
    }
    session["status"] = json!("expired");
    session["url"] = Value::Null;
    step.put(&session).await?;
    step.tell("checkout.session.expired", &session).await?;
    Ok(session)
}

/// Somebody pays on the page, with the number that ends so.
pub async fn pay(step: &mut Step<'_>, mut session: Value, last4: &str) -> Result<Outcome, Refused> {
    if session["status"] != "open" {
        return Err(Refused::state(None, "This Checkout Session is no longer active."));
    }
    let bought = bought(step, &session).await?;
    let outcome = if session["mode"] == "payment" {
        pay_once(step, &mut session, &bought["asked"]["payment_intent_data"], last4).await?
    } else {
        subscriptions::begin(step, &mut session, &bought, last4).await?
    };
    if outcome == Outcome::Declined {
        // It stays open, for another try.
        step.put(&session).await?;
        return Ok(outcome);
    }
    session["status"] = json!("complete");
    session["url"] = Value::Null;
    session["payment_status"] = json!(match outcome {
        Outcome::Processing => "unpaid",
        _ if number(&session, "amount_total") == 0 => "no_payment_required",
        _ => "paid",
    });
    session["customer_details"] = customer_details(step, &session["customer"]).await?;
    step.put(&session).await?;
    step.tell("checkout.session.completed", &session).await?;
    Ok(outcome)
}

async fn pay_once(
    step: &mut Step<'_>,
    session: &mut Value,
    ask: &Value,
    last4: &str,
) -> Result<Outcome, Refused> {
    let mut intent = if session["payment_intent"].is_string() {
        step.of("payment_intent", &session["payment_intent"]).await?
    } else {
        let of = json!({
            "amount": session["amount_total"],
            "currency": session["currency"],
            "customer": session["customer"],
            "description": ask["description"],
            "metadata": ask["metadata"],
            "setup_future_usage": ask["setup_future_usage"],
        });
        payments::new_intent(step, &of).await?
    };
    session["payment_intent"] = intent["id"].clone();
    // Kept for later only where that was asked for.
    let keeper = if intent["setup_future_usage"].is_string() { &session["customer"] } else { &Value::Null };
    let method = payments::new_method(step, last4, keeper).await?;
    payments::confirm(step, &mut intent, &method, true).await
}

async fn customer_details(step: &mut Step<'_>, customer: &Value) -> Result<Value, Refused> {
    let customer = match customer.is_string() {
        true => step.of("customer", customer).await?,
        false => Value::Null,
    };
    Ok(json!({
        "address": null, "business_name": null, "email": customer["email"], "individual_name": null,
        "name": customer["name"], "phone": null, "tax_exempt": "none", "tax_ids": [],
    }))
}
