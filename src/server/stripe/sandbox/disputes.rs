//! Disputes: a bank takes the money of a charge back, or only asks; it is won or lost by hand.

use serde_json::{Value, json};

use super::{
    refused::Refused,
    step::{Step, number, text},
};

/// Of one charge, that are looked at.
const DISPUTES_MAX: i64 = 10;

/// Whether the money of a charge is with its holder's bank, so that it can't be refunded as well.
pub async fn has_taken_the_money(step: &mut Step<'_>, charge: &Value) -> Result<bool, Refused> {
    let disputes = step.all("dispute", json!({"charge": charge["id"]}), DISPUTES_MAX).await?;
    Ok(disputes.iter().any(|dispute| ["needs_response", "lost"].contains(&text(dispute, "status"))))
}

/// A bank asks about a charge, or takes its money at once.
pub async fn open(step: &mut Step<'_>, mut charge: Value, is_inquiry: bool) -> Result<(), Refused> {
    let left = number(&charge, "amount_captured") - number(&charge, "amount_refunded");
    if left <= 0 || charge["disputed"] == true {
        return Err(Refused::state(None, "Nothing of this charge can be disputed, or it is already."));
    }
    let status = if is_inquiry { "warning_needs_response" } else { "needs_response" };
    let dispute = json!({
        "id": step.new_id("du"),
        "object": "dispute",
        "amount": left,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": step.seconds(),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": null, "enhanced_eligibility": {}, "has_evidence": false, "past_due": false, "submission_count": 0,
        },
        "is_charge_refundable": is_inquiry,
        "livemode": false,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": "fraudulent",
        "status": status,
    });
    charge["disputed"] = json!(true);
    step.put(&charge).await?;
    step.put(&dispute).await?;
    step.tell("charge.dispute.created", &dispute).await?;
    if !is_inquiry {
        step.tell("charge.dispute.funds_withdrawn", &dispute).await?;
    }
    step.tell("charge.updated", &charge).await?;
    Ok(())
}

/// An inquiry becomes a dispute, and the money goes.
pub async fn escalate(step: &mut Step<'_>, mut dispute: Value) -> Result<(), Refused> {
    if text(&dispute, "status") != "warning_needs_response" {
        return Err(Refused::state(None, "This is no open inquiry."));
    }
    let charge = step.of("charge", &dispute["charge"]).await?;
    let left = number(&charge, "amount_captured") - number(&charge, "amount_refunded");
    if left <= 0 {
        return Err(Refused::state(None, "All of this charge was refunded meanwhile."));
    }
    dispute["amount"] = json!(left);
    dispute["status"] = json!("needs_response");
    dispute["is_charge_refundable"] = json!(false);
    step.put(&dispute).await?;
    step.tell("charge.dispute.updated", &dispute).await?;
    step.tell("charge.dispute.funds_withdrawn", &dispute).await?;
    Ok(())
}

/// The bank has decided. An inquiry is closed, however it ended.
pub async fn close(step: &mut Step<'_>, mut dispute: Value, is_won: bool) -> Result<(), Refused> {
    let status = match (text(&dispute, "status"), is_won) {
        ("warning_needs_response", _) => "warning_closed",
        ("needs_response", true) => "won",
        ("needs_response", false) => "lost",
        _ => return Err(Refused::state(None, "This dispute is closed.")),
    };
    dispute["status"] = json!(status);
    step.put(&dispute).await?;
    if status == "won" {
        step.tell("charge.dispute.funds_reinstated", &dispute).await?;
    }
    step.tell("charge.dispute.closed", &dispute).await?;
    Ok(())
}
