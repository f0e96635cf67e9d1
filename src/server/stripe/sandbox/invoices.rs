//! Invoices of subscriptions: what is billed, for which time, and whether it was paid.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{
    payments::{self, Outcome},
    refused::Refused,
    step::{Step, number, text, with_nulls},
};

/// How long after a card declined it is tried again, and how often in all.
const AGAIN_AFTER: TimeDelta = TimeDelta::days(3);
const ATTEMPTS_MAX: i64 = 4;

/// One line of an invoice: an amount for a time.
pub struct Line<'a> {
    pub amount: i64,
    pub description: &'a str,
    pub price: &'a Value,
    pub period: (i64, i64),
    pub is_proration: bool,
}

/// Bills a subscription, and tries to have it paid. Returns the invoice; it is paid, or open where the card declined.
pub async fn bill(
    step: &mut Step<'_>,
    subscription: &mut Value,
    reason: &str,
    lines: &[Line<'_>],
) -> Result<Value, Refused> {
    let mut invoice = new(step, subscription, reason, lines);
    subscription["latest_invoice"] = invoice["id"].clone();
    step.put(&invoice).await?;
    step.tell("invoice.created", &invoice).await?;
    step.tell("invoice.finalized", &invoice).await?;
    pay(step, subscription, &mut invoice).await?;
    Ok(invoice)
}

/// Tries to have an open invoice paid with what the subscription is paid with.
pub async fn pay(step: &mut Step<'_>, subscription: &Value, invoice: &mut Value) -> Result<(), Refused> {
    let due = number(invoice, "amount_due");
    let mut intent = Value::Null;
    if due > 0 {
        let of = json!({
            "amount": due,
            "currency": invoice["currency"],
            "customer": invoice["customer"],
            "description": "Subscription",
            "setup_future_usage": "off_session",
        });
        intent = match invoice_payment(step, invoice).await? {
            Some(payment) => step.of("payment_intent", &payment["payment"]["payment_intent"]).await?,
            None => payments::new_intent(step, &of).await?,
        };
        let method = step.of("payment_method", &subscription["default_payment_method"]).await?;
        // Only the first one is paid with its holder before a screen.
        let is_holder_there = invoice["billing_reason"] == "subscription_create";
        let outcome = payments::confirm(step, &mut intent, &method, is_holder_there).await?;
        invoice["attempted"] = json!(true);
        invoice["attempt_count"] = json!(number(invoice, "attempt_count") + 1);
        if outcome != Outcome::Paid {
            let is_last = number(invoice, "attempt_count") >= ATTEMPTS_MAX;
            invoice["next_payment_attempt"] =
                if is_last { Value::Null } else { json!((step.now + AGAIN_AFTER).timestamp()) };
            step.put(invoice).await?;
            pay_by(step, invoice, &intent, "open").await?;
            step.tell("invoice.payment_failed", invoice).await?;
            return Ok(());
        }
    }
    invoice["status"] = json!("paid");
    invoice["amount_paid"] = json!(due);
    invoice["amount_remaining"] = json!(0);
    invoice["next_payment_attempt"] = Value::Null;
    invoice["status_transitions"]["paid_at"] = json!(step.seconds());
    step.put(invoice).await?;
    if intent.is_object() {
        let payment = pay_by(step, invoice, &intent, "paid").await?;
        step.tell("invoice_payment.paid", &payment).await?;
    }
    step.tell("invoice.paid", invoice).await?;
    step.tell("invoice.payment_succeeded", invoice).await?;
    Ok(())
}

async fn invoice_payment(step: &mut Step<'_>, invoice: &Value) -> Result<Option<Value>, Refused> {
    Ok(step.all("invoice_payment", json!({"invoice": invoice["id"]}), 1).await?.pop())
}

/// What ties an invoice to its payment.
async fn pay_by(
    step: &mut Step<'_>,
    invoice: &Value,
    intent: &Value,
    status: &str,
) -> Result<Value, Refused> {
    let mut payment = match invoice_payment(step, invoice).await? {
        Some(payment) => payment,
        None => json!({
            "id": step.new_id("inpay"),
            "object": "invoice_payment",
            "amount_requested": invoice["amount_due"],
            "created": step.seconds(),
            "currency": invoice["currency"],
            "invoice": invoice["id"],
            "is_default": true,
            "livemode": false,
            "payment": {"type": "payment_intent", "payment_intent": intent["id"]},
            "status_transitions": {"canceled_at": null, "paid_at": null},
        }),
    };
    let is_paid = status == "paid";
    payment["status"] = json!(status);
    payment["amount_paid"] = if is_paid { invoice["amount_due"].clone() } else { Value::Null };
    payment["status_transitions"]["paid_at"] = if is_paid { json!(step.seconds()) } else { Value::Null };
    step.put(&payment).await?;
    Ok(payment)
}

/// One that nobody has tried to have paid yet; it is not written down.
pub fn new(step: &Step<'_>, subscription: &Value, reason: &str, lines: &[Line<'_>]) -> Value {
    let (id, now) = (step.new_id("in"), step.seconds());
    let total: i64 = lines.iter().map(|line| line.amount).sum();
    let period = lines.last().map_or((now, now), |line| line.period);
    let lines: Vec<Value> = lines.iter().map(|line| line_of(step, &id, subscription, line)).collect();
    let mut invoice = with_nulls(
        json!({
            "id": id,
            "object": "invoice",
            "account_country": "US",
            "account_name": "Sandbox",
            "amount_due": total.max(0),
            "amount_remaining": total.max(0),
            "attempted": false,
            "auto_advance": true,
            "automatic_tax": {"disabled_reason": null, "enabled": false, "liability": null, "provider": null, "status": null},
            "billing_reason": reason,
            "collection_method": "charge_automatically",
            "created": now,
            "currency": subscription["currency"],
            "customer": subscription["customer"],
            "customer_tax_exempt": "none",
            "effective_at": now,
            "hosted_invoice_url": format!("{}/sandbox/receipt/{id}", step.base_url()),
            "issuer": {"type": "self"},
            "lines": {
                "object": "list", "data": lines, "has_more": false, "total_count": lines.len(),
                "url": format!("/v1/invoices/{id}/lines"),
            },
            "livemode": false,
            "metadata": {},
            "parent": {
                "type": "subscription_details",
                "quote_details": null,
                "subscription_details": {"metadata": subscription["metadata"], "subscription": subscription["id"]},
            },
            "payment_settings": {"default_mandate": null, "payment_method_options": null, "payment_method_types": null},
            "period_start": period.0,
            "period_end": period.1,
            "status": "open",
            "status_transitions": {"finalized_at": now, "marked_uncollectible_at": null, "paid_at": null, "voided_at": null},
            "subtotal": total,
            "subtotal_excluding_tax": total,
            "total": total,
            "total_excluding_tax": total,
        }),
        &[
            "account_tax_ids",
            "application",
            "automatically_finalizes_at",
            "custom_fields",
            "customer_address",
            "customer_email",
            "customer_name",
            "customer_phone",
            "customer_shipping",
            "default_payment_method",
            "default_source",
            "description",
            "due_date",
            "footer",
            "from_invoice",
            "invoice_pdf",
            "last_finalization_error",
            "latest_revision",
            "next_payment_attempt",
            "number",
            "on_behalf_of",
            "receipt_number",
            "rendering",
            "shipping_cost",
            "shipping_details",
            "statement_descriptor",
            "test_clock",
            "webhooks_delivered_at",
        ],
    );
    for zero in [
        "amount_overpaid",
        "amount_paid",
        "amount_shipping",
        "attempt_count",
        "ending_balance",
        "post_payment_credit_notes_amount",
        "pre_payment_credit_notes_amount",
        "starting_balance",
    ] {
        invoice[zero] = json!(0);
    }
    for none in [
        "customer_tax_ids",
        "default_tax_rates",
        "discounts",
        "total_discount_amounts",
        "total_pretax_credit_amounts",
        "total_taxes",
    ] {
        invoice[none] = json!([]);
    }
    invoice
}

fn line_of(step: &Step<'_>, invoice: &str, subscription: &Value, line: &Line<'_>) -> Value {
    json!({
        "id": step.new_id("il"),
        "object": "line_item",
        "amount": line.amount,
        "currency": subscription["currency"],
        "description": line.description,
        "discount_amounts": [],
        "discountable": !line.is_proration,
        "discounts": [],
        "invoice": invoice,
        "livemode": false,
        "metadata": subscription["metadata"],
        "parent": {
            "type": "subscription_item_details",
            "invoice_item_details": null,
            "subscription_item_details": {
                "invoice_item": null,
                "proration": line.is_proration,
                "proration_details": {"credited_items": null},
                "subscription": subscription["id"],
                "subscription_item": subscription["items"]["data"][0]["id"],
            },
        },
        "period": {"start": line.period.0, "end": line.period.1},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": line.price["id"], "product": line.price["product"]},
            "type": "price_details",
            "unit_amount_decimal": line.price["unit_amount_decimal"],
        },
        "quantity": 1,
        "subscription": subscription["id"],
        "subtotal": line.amount,
        "taxes": [],
    })
}

/// Whether nobody tries any more to have an invoice paid.
pub fn is_given_up(invoice: &Value) -> bool {
    text(invoice, "status") == "open" && invoice["next_payment_attempt"].is_null()
}
