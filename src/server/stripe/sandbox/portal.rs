//! The customer portal: a page of Stripe's on which a customer sees and changes what they subscribed to.

use serde_json::{Value, json};

use super::{
    params::{Field, Shape, may, must},
    refused::Refused,
    step::{Step, text},
};

pub const CREATE: &[Field] = &[must("customer", Shape::Text(255)), may("return_url", Shape::Url)];

/// `POST /v1/billing_portal/sessions`
pub async fn create(step: &mut Step<'_>, ask: &Value) -> Result<Value, Refused> {
    step.named("customer", text(ask, "customer"), "customer").await?;
    let id = step.new_id("bps");
    let session = json!({
        "id": id,
        "object": "billing_portal.session",
        "configuration": "bpc_sandbox",
        "created": step.seconds(),
        "customer": ask["customer"],
        "flow": null,
        "livemode": false,
        "locale": null,
        "on_behalf_of": null,
        "return_url": ask["return_url"],
        "url": format!("{}/sandbox/portal/{id}", step.base_url()),
    });
    step.put(&session).await?;
    Ok(session)
}
