//! Refunds: of a charge, whole or in parts, by the API or by hand as in Stripe's dashboard. One may fail later, as banks do.

use serde_json::{Value, json};

use super::{
    disputes,
    params::{Field, Shape, may},
    refused::Refused,
    step::{Step, metadata, number, text},
};
use crate::domain::catalog::Price;

pub const CREATE: &[Field] = &[
    may("payment_intent", Shape::Text(255)),
    may("charge", Shape::Text(255)),
    may("amount", Shape::Integer(1, Price::MINOR_MAX)),
    may("reason", Shape::OneOf(&["duplicate", "fraudulent", "requested_by_customer"])),
    may("metadata", Shape::Metadata),
];

/// `POST /v1/refunds`
pub async fn create(step: &mut Step<'_>, ask: &Value) -> Result<Value, Refused> {
    let charge = match (ask["charge"].as_str(), ask["payment_intent"].as_str()) {
        (Some(charge), _) => step.named("charge", charge, "charge").await?,
        (None, Some(id)) => {
            let intent = step.named("payment_intent", id, "payment_intent").await?;
            if text(&intent, "status") != "succeeded" {
                let message =
                    format!("This PaymentIntent ({id}) does not have a successful charge to refund.");
                return Err(Refused::state(None, message));
            }
            step.of("charge", &intent["latest_charge"]).await?
        }
        (None, None) => {
            let message =
                "One of the following params should be provided for this request: payment_intent or charge.";
            return Err(Refused::parameter(Some("parameter_missing"), "payment_intent", message));
        }
    };
    refund(step, charge, ask).await
}

/// Pays back what was asked for of a charge, or all that is left.
pub async fn refund(step: &mut Step<'_>, mut charge: Value, ask: &Value) -> Result<Value, Refused> {
    let id = text(&charge, "id").to_owned();
    let refunded = number(&charge, "amount_refunded");
    let left = number(&charge, "amount_captured") - refunded;
    if disputes::has_taken_the_money(step, &charge).await? {
        let message = format!("Charge {id} has been charged back; cannot issue a refund.");
        return Err(Refused::state(Some("charge_disputed"), message));
    }
    if left <= 0 {
        let message = format!("Charge {id} has already been refunded.");
        return Err(Refused::state(Some("charge_already_refunded"), message));
    }
    let amount = ask["amount"].as_i64().unwrap_or(left);
    if amount > left {
        let message =
            format!("Refund amount ({amount}) is greater than unrefunded amount on charge ({left}).");
        return Err(Refused { is_kept: true, ..Refused::parameter(None, "amount", message) });
    }
    let refund = json!({
        "id": step.new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": step.new_id("txn"),
        "charge": id,
        "created": step.seconds(),
        "currency": charge["currency"],
        "destination_details": {"type": "card", "card": {"type": "refund", "reference_status": "pending", "reference_type": "acquirer_reference_number"}},
        "metadata": metadata(&ask["metadata"], &Value::Null),
        "payment_intent": charge["payment_intent"],
        "reason": ask["reason"],
        "receipt_number": null,
        "source_transfer_reversal": null,
        "status": "succeeded",
        "transfer_reversal": null,
    });
    charge["amount_refunded"] = json!(refunded + amount);
    charge["refunded"] = json!(amount == left);
    step.put(&refund).await?;
    step.put(&charge).await?;
    step.tell("refund.created", &refund).await?;
    step.tell("charge.refunded", &charge).await?;
    Ok(refund)
}

/// The bank sends the money of a refund back.
pub async fn fail(step: &mut Step<'_>, mut refund: Value) -> Result<(), Refused> {
    if text(&refund, "status") == "failed" {
        return Err(Refused::state(None, "This refund has failed already."));
    }
    refund["status"] = json!("failed");
    refund["failure_reason"] = json!("expired_or_canceled_card");
    refund["failure_balance_transaction"] = json!(step.new_id("txn"));
    let mut charge = step.of("charge", &refund["charge"]).await?;
    charge["amount_refunded"] = json!(number(&charge, "amount_refunded") - number(&refund, "amount"));
    charge["refunded"] = json!(false);
    step.put(&refund).await?;
    step.put(&charge).await?;
    step.tell("refund.updated", &refund).await?;
    step.tell("refund.failed", &refund).await?;
    step.tell("charge.updated", &charge).await?;
    Ok(())
}
