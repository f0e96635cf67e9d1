//! Customers, and what they can pay with.

use serde_json::{Value, json};

use super::{
    params::{Field, LIMIT, STARTING_AFTER, Shape, may},
    payments,
    refused::Refused,
    step::{Step, metadata},
};

/// Of one customer, that change together.
const METHODS_MAX: i64 = 100;

pub const CREATE: &[Field] = &[
    may("name", Shape::Text(256)),
    may("email", Shape::Text(512)),
    may("description", Shape::Text(5_000)),
    may("metadata", Shape::Metadata),
];
pub const METHODS: &[Field] =
    &[may("type", Shape::OneOf(&["card", "us_bank_account"])), LIMIT, STARTING_AFTER];

/// `POST /v1/customers`
pub async fn create(step: &mut Step<'_>, ask: &Value) -> Result<Value, Refused> {
    let customer = json!({
        "id": step.new_id("cus"),
        "object": "customer",
        "address": null,
        "balance": 0,
        "created": step.seconds(),
        "currency": null,
        "default_source": null,
        "delinquent": false,
        "description": ask["description"],
        "email": ask["email"],
        "invoice_prefix": "SANDBOX",
        "invoice_settings": {
            "custom_fields": null, "default_payment_method": null, "footer": null, "rendering_options": null,
        },
        "livemode": false,
        "metadata": metadata(&ask["metadata"], &Value::Null),
        "name": ask["name"],
        "next_invoice_sequence": 1,
        "phone": null,
        "preferred_locales": [],
        "shipping": null,
        "tax_exempt": "none",
        "test_clock": null,
    });
    step.put(&customer).await?;
    Ok(customer)
}

/// By hand: all that a customer pays with pays, or declines, from now on.
pub async fn set_cards(step: &mut Step<'_>, customer: &str, pays: bool) -> Result<(), Refused> {
    step.get("customer", customer).await?;
    let last4 = if pays { payments::PAYS } else { payments::DECLINES_LATER };
    for mut method in step.all("payment_method", json!({"customer": customer}), METHODS_MAX).await? {
        payments::set_last4(&mut method, last4);
        step.put(&method).await?;
    }
    Ok(())
}
