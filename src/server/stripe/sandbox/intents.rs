//! Payment intents as the API makes them: payments without a page, such as one with a card that was kept.

use serde_json::{Value, json};

use super::{
    params::{Field, Shape, may, must},
    payments::{self, AMOUNT_MIN, Outcome},
    refused::Refused,
    step::{Step, metadata, number, text},
};
use crate::domain::catalog::Price;

const AUTOMATIC: &[Field] =
    &[must("enabled", Shape::Flag), may("allow_redirects", Shape::OneOf(&["always", "never"]))];
pub const CREATE: &[Field] = &[
    must("amount", Shape::Integer(1, Price::MINOR_MAX)),
    must("currency", Shape::Currency),
    may("customer", Shape::Text(255)),
    may("payment_method", Shape::Text(255)),
    may("payment_method_types", Shape::List(&Shape::OneOf(&["card", "us_bank_account"]), 2)),
    may("automatic_payment_methods", Shape::Fields(AUTOMATIC)),
    may("return_url", Shape::Url),
    may("off_session", Shape::Flag),
    may("confirm", Shape::Flag),
    may("description", Shape::Text(1_000)),
    may("metadata", Shape::Metadata),
];
pub const UPDATE: &[Field] = &[may("description", Shape::Text(1_000)), may("metadata", Shape::Metadata)];

/// `POST /v1/payment_intents`
pub async fn create(step: &mut Step<'_>, ask: &Value) -> Result<Value, Refused> {
    let (amount, is_confirmed) = (number(ask, "amount"), ask["confirm"] == true);
    if amount < AMOUNT_MIN {
        let message = format!("Amount must be at least {AMOUNT_MIN} of the currency's smallest unit");
        return Err(Refused::parameter(Some("amount_too_small"), "amount", message));
    }
    if ask["off_session"] == true && !is_confirmed {
        let message = "You cannot set `off_session` on a PaymentIntent unless `confirm` is true.";
        return Err(Refused::parameter(None, "off_session", message));
    }
    let stays = ask["payment_method_types"].is_array()
        || ask["automatic_payment_methods"]["allow_redirects"] == "never";
    if is_confirmed && !stays && ask["return_url"].is_null() {
        let message = "Some payment methods might redirect your customer off of your page: you must provide a \
                       `return_url`, or set `automatic_payment_methods[allow_redirects]` to `never`.";
        return Err(Refused::state(None, message));
    }
    if let Some(customer) = ask["customer"].as_str() {
        step.named("customer", customer, "customer").await?;
    }
    let method = match ask["payment_method"].as_str() {
        Some(id) => Some(step.named("payment_method", id, "payment_method").await?),
        None if is_confirmed => {
            let message = "You cannot confirm this PaymentIntent because it's missing a payment method. Update the \
                           PaymentIntent with a payment method and then confirm it again.";
            return Err(Refused::state(Some("payment_intent_unexpected_state"), message));
        }
        None => None,
    };
    if method.as_ref().is_some_and(|method| method["customer"] != ask["customer"]) {
        let message = "The provided PaymentMethod is not attached to this Customer.";
        return Err(Refused::state(Some("payment_method_unexpected_state"), message));
    }
    let of = json!({
        "amount": amount,
        "currency": ask["currency"],
        "customer": ask["customer"],
        "description": ask["description"],
        "metadata": ask["metadata"],
    });
    let mut intent = payments::new_intent(step, &of).await?;
    let Some(method) = method.filter(|_| is_confirmed) else { return Ok(intent) };
    match payments::confirm(step, &mut intent, &method, ask["off_session"] != true).await? {
        Outcome::Declined => Err(Refused::declined(text(&intent, "latest_charge"), &intent)),
        Outcome::Paid | Outcome::Processing => Ok(intent),
    }
}

/// `POST /v1/payment_intents/{id}`
pub async fn update(step: &mut Step<'_>, id: &str, ask: &Value) -> Result<Value, Refused> {
    let mut intent = step.get("payment_intent", id).await?;
    intent["metadata"] = metadata(&ask["metadata"], &intent["metadata"]);
    if let Some(description) = ask.get("description") {
        intent["description"] = description.clone();
    }
    step.put(&intent).await?;
    Ok(intent)
}
