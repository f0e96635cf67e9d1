//! Prices and products, which are made where they are used and stay as they are.

use serde_json::{Value, json};

use super::{
    params::{Field, Shape, may, must},
    refused::Refused,
    step::{Step, metadata, number},
};

pub const RECURRING: Shape = Shape::Fields(&[
    must("interval", Shape::OneOf(&["month", "year"])),
    may("interval_count", Shape::Integer(1, 1)),
]);
pub const CREATE: &[Field] = &[
    must("name", Shape::Text(250)),
    may("description", Shape::Text(5_000)),
    may("metadata", Shape::Metadata),
];

/// `POST /v1/products`, and what is bought without one.
pub async fn new_product(step: &mut Step<'_>, ask: &Value) -> Result<Value, Refused> {
    let product = json!({
        "id": step.new_id("prod"),
        "object": "product",
        "active": true,
        "created": step.seconds(),
        "default_price": null,
        "description": ask["description"],
        "images": [],
        "livemode": false,
        "marketing_features": [],
        "metadata": metadata(&ask["metadata"], &Value::Null),
        "name": ask["name"],
        "package_dimensions": null,
        "shippable": null,
        "tax_code": null,
        "type": "service",
        "updated": step.seconds(),
        "url": null,
    });
    step.put(&product).await?;
    Ok(product)
}

/// A price that is part of what it is the price of.
pub fn new_price(step: &Step<'_>, ask: &Value, product: &Value) -> Value {
    let recurring = match ask["recurring"]["interval"].as_str() {
        Some(interval) => json!({
            "interval": interval, "interval_count": 1, "meter": null, "trial_period_days": null, "usage_type": "licensed",
        }),
        None => Value::Null,
    };
    json!({
        "id": step.new_id("price"),
        "object": "price",
        "active": false,
        "billing_scheme": "per_unit",
        "created": step.seconds(),
        "currency": ask["currency"],
        "custom_unit_amount": null,
        "livemode": false,
        "lookup_key": null,
        "metadata": {},
        "nickname": null,
        "product": product,
        "type": if recurring.is_null() { "one_time" } else { "recurring" },
        "recurring": recurring,
        "tax_behavior": "unspecified",
        "tiers_mode": null,
        "transform_quantity": null,
        "unit_amount": ask["unit_amount"],
        "unit_amount_decimal": number(ask, "unit_amount").to_string(),
    })
}

/// The same as the API told it before there were prices; subscriptions still have both.
pub fn plan_of(price: &Value) -> Value {
    json!({
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": "per_unit",
        "created": price["created"],
        "currency": price["currency"],
        "interval": price["recurring"]["interval"],
        "interval_count": 1,
        "livemode": false,
        "metadata": {},
        "meter": null,
        "nickname": null,
        "product": price["product"],
        "tiers_mode": null,
        "transform_usage": null,
        "trial_period_days": null,
        "usage_type": "licensed",
    })
}
