//! Payments: payment intents, the charges that they make, and what they are paid with. The last digits of a number decide
//! what comes of it, as with the numbers that Stripe has for tests.

use serde_json::{Value, json};

use super::{
    refused::Refused,
    step::{Step, metadata, text, with_nulls},
};

/// A card that pays.
pub const PAYS: &str = "4242";
/// A card that is always declined.
pub const DECLINES: &str = "0002";
/// A card that wants a second step from its holder, each time.
pub const ASKS: &str = "3184";
/// A card that pays while its holder is there, and declines once it is kept.
pub const DECLINES_LATER: &str = "0341";
/// A bank account that pays, days later.
pub const DEBIT: &str = "6789";
/// A bank account that turns out to be empty.
pub const DEBIT_FAILS: &str = "2227";

/// Stripe takes half a dollar at least; where there are no cents, fifty of the smallest unit are less than that, and pass.
pub const AMOUNT_MIN: i64 = 50;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Paid,
    Processing,
    Declined,
}

/// What somebody pays with, from now on this customer's if there is one.
pub async fn new_method(step: &mut Step<'_>, last4: &str, customer: &Value) -> Result<Value, Refused> {
    let kind = if [DEBIT, DEBIT_FAILS].contains(&last4) { "us_bank_account" } else { "card" };
    let method = json!({
        "id": step.new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": billing_details(),
        "created": step.seconds(),
        "customer": customer,
        "livemode": false,
        "metadata": {},
        "type": kind,
        kind: details(kind, last4),
    });
    step.put(&method).await?;
    Ok(method)
}

fn billing_details() -> Value {
    let address = json!({
        "city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null,
    });
    json!({"address": address, "email": null, "name": null, "phone": null, "tax_id": null})
}

fn details(kind: &str, last4: &str) -> Value {
    if kind == "us_bank_account" {
        return json!({
            "account_holder_type": "individual", "account_type": "checking", "bank_name": "STRIPE TEST BANK",
            "fingerprint": null, "last4": last4, "routing_number": "110000000",
        });
    }
    json!({
        "brand": "visa", "checks": null, "country": "US", "display_brand": "visa", "exp_month": 12,
        "exp_year": 2099, "fingerprint": null, "funding": "credit", "last4": last4, "networks": null,
        "three_d_secure_usage": {"supported": true}, "wallet": null,
    })
}

/// The last digits of what is paid with.
pub fn last4(method: &Value) -> &str {
    text(&method[text(method, "type")], "last4")
}

/// What is paid with pays, or declines, from now on.
pub fn set_last4(method: &mut Value, last4: &str) {
    let kind = text(method, "type").to_owned();
    method[kind]["last4"] = json!(last4);
}

/// A payment that nobody has tried to make yet, from what it is for: amount, currency, customer, description, metadata.
pub async fn new_intent(step: &mut Step<'_>, of: &Value) -> Result<Value, Refused> {
    let id = step.new_id("pi");
    let intent = with_nulls(
        json!({
            "id": id,
            "object": "payment_intent",
            "amount": of["amount"],
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": 0,
            "capture_method": "automatic_async",
            "client_secret": format!("{id}_secret"),
            "confirmation_method": "automatic",
            "created": step.seconds(),
            "currency": of["currency"],
            "customer": of["customer"],
            "description": of["description"],
            "livemode": false,
            "metadata": metadata(&of["metadata"], &Value::Null),
            "payment_method_options": {},
            "payment_method_types": ["card", "us_bank_account"],
            "setup_future_usage": of["setup_future_usage"],
            "status": "requires_payment_method",
        }),
        &[
            "automatic_payment_methods",
            "canceled_at",
            "cancellation_reason",
            "last_payment_error",
            "latest_charge",
            "next_action",
            "payment_method",
            "processing",
            "receipt_email",
            "shipping",
        ],
    );
    step.put(&intent).await?;
    step.tell("payment_intent.created", &intent).await?;
    Ok(intent)
}

/// Tries to make a payment.
pub async fn confirm(
    step: &mut Step<'_>,
    intent: &mut Value,
    method: &Value,
    is_holder_there: bool,
) -> Result<Outcome, Refused> {
    let outcome = match last4(method) {
        DECLINES => Outcome::Declined,
        ASKS | DECLINES_LATER if !is_holder_there => Outcome::Declined,
        DEBIT | DEBIT_FAILS => Outcome::Processing,
        _ => Outcome::Paid,
    };
    let mut charge = new_charge(step, intent, method);
    intent["latest_charge"] = charge["id"].clone();
    intent["payment_method"] = method["id"].clone();
    settle(step, intent, &mut charge, outcome).await?;
    Ok(outcome)
}

fn new_charge(step: &Step<'_>, intent: &Value, method: &Value) -> Value {
    let (id, kind) = (step.new_id("ch"), text(method, "type"));
    with_nulls(
        json!({
            "id": id,
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": 0,
            "amount_refunded": 0,
            "billing_details": billing_details(),
            "calculated_statement_descriptor": "SANDBOX",
            "captured": false,
            "created": step.seconds(),
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": false,
            "fraud_details": {},
            "livemode": false,
            "metadata": intent["metadata"],
            "paid": false,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": {"type": kind, kind: method[kind]},
            "receipt_url": format!("{}/sandbox/receipt/{id}", step.base_url()),
            "refunded": false,
            "status": "pending",
        }),
        &[
            "balance_transaction",
            "failure_code",
            "failure_message",
            "outcome",
            "receipt_email",
            "receipt_number",
        ],
    )
}

/// Writes down what came of a payment and its charge, and tells of it.
async fn settle(
    step: &mut Step<'_>,
    intent: &mut Value,
    charge: &mut Value,
    outcome: Outcome,
) -> Result<(), Refused> {
    let (status, intent_status) = match outcome {
        Outcome::Paid => ("succeeded", "succeeded"),
        Outcome::Processing => ("pending", "processing"),
        Outcome::Declined => ("failed", "requires_payment_method"),
    };
    charge["status"] = json!(status);
    intent["status"] = json!(intent_status);
    intent["last_payment_error"] = Value::Null;
    match outcome {
        Outcome::Paid => {
            charge["paid"] = json!(true);
            charge["captured"] = json!(true);
            charge["amount_captured"] = charge["amount"].clone();
            charge["balance_transaction"] = json!(step.new_id("txn"));
            intent["amount_received"] = intent["amount"].clone();
        }
        Outcome::Processing => {}
        Outcome::Declined => {
            charge["failure_code"] = json!("card_declined");
            charge["failure_message"] = json!("Your card was declined.");
            intent["last_payment_error"] =
                Refused::declined(text(charge, "id"), &Value::Null).body["error"].clone();
            intent["payment_method"] = Value::Null;
        }
    }
    step.put(charge).await?;
    step.put(intent).await?;
    let told = match outcome {
        Outcome::Paid => ("charge.succeeded", "payment_intent.succeeded"),
        Outcome::Processing => ("charge.pending", "payment_intent.processing"),
        Outcome::Declined => ("charge.failed", "payment_intent.payment_failed"),
    };
    step.tell(told.0, charge).await?;
    step.tell(told.1, intent).await?;
    Ok(())
}

/// The end of a bank debit whose time has come.
pub async fn debit_arrives(step: &mut Step<'_>, charge: Value) -> Result<(), Refused> {
    let method = step.of("payment_method", &charge["payment_method"]).await?;
    let intent = step.of("payment_intent", &charge["payment_intent"]).await?;
    end_debit(step, intent, last4(&method) == DEBIT).await
}

/// The money of a bank debit has come, or will not.
pub async fn end_debit(step: &mut Step<'_>, mut intent: Value, has_come: bool) -> Result<(), Refused> {
    if text(&intent, "status") != "processing" {
        return Err(Refused::state(None, "This payment is not on its way any more."));
    }
    let mut charge = step.of("charge", &intent["latest_charge"]).await?;
    let outcome = if has_come { Outcome::Paid } else { Outcome::Declined };
    settle(step, &mut intent, &mut charge, outcome).await?;
    let sessions = step.all("checkout.session", json!({"payment_intent": intent["id"]}), 1).await?;
    for mut session in sessions {
        if has_come {
            session["payment_status"] = json!("paid");
            step.put(&session).await?;
            step.tell("checkout.session.async_payment_succeeded", &session).await?;
        } else {
            step.tell("checkout.session.async_payment_failed", &session).await?;
        }
    }
    Ok(())
}
