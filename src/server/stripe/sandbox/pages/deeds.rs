//! What is done by hand on the overview: how webhooks go, and what customers, banks and the dashboard would do.

use axum::{Form, extract::State, response::Response};
use serde::Deserialize;
use serde_json::json;

use super::{
    super::{
        checkout, customers, deliver, disputes, payments, refunds, refused::Refused, step::Step,
        subscriptions,
    },
    see,
};
use crate::server::{
    AppState,
    store::sandbox::{self, Switches},
};

/// A longer delay is no delay but a switch.
pub const DELAY_SECONDS_MAX: i32 = 3_600;

#[derive(Deserialize)]
pub struct Deed {
    deed: String,
    /// What it is done to.
    #[serde(default)]
    id: String,
    /// Of a refund, in the currency's smallest unit; nothing: all that is left.
    #[serde(default)]
    amount: String,
    #[serde(default)]
    delay_seconds: String,
    doubled: Option<String>,
    reordered: Option<String>,
    held_back: Option<String>,
    next_fails: Option<String>,
}

/// `POST /sandbox`
pub async fn act(State(state): State<AppState>, Form(deed): Form<Deed>) -> Result<Response, Refused> {
    let mut step = Step::begin(&state).await?;
    let place = carry_out(&mut step, &deed).await?;
    step.commit().await?;
    deliver::now(&state).await;
    Ok(see(&format!("/sandbox#{place}")))
}

/// Returns where on the page it is to be seen.
async fn carry_out(step: &mut Step<'_>, deed: &Deed) -> Result<&'static str, Refused> {
    let id = deed.id.as_str();
    match deed.deed.as_str() {
        "switch" => {
            set_switches(step, deed).await?;
            Ok("webhooks")
        }
        "deliver" => {
            step.get("event", id).await?;
            step.deliver(id).await?;
            Ok("events")
        }
        "expire" => {
            let session = step.get("checkout.session", id).await?;
            checkout::expire(step, session).await?;
            Ok("sessions")
        }
        "refund" => {
            let charge = step.get("charge", id).await?;
            let amount = match deed.amount.as_str() {
                "" => json!(null),
                amount => {
                    json!(amount.parse::<u32>().ok().filter(|amount| *amount > 0).ok_or_else(|| {
                        Refused::state(None, "An amount is a whole number of the currency’s smallest unit.")
                    })?)
                }
            };
            refunds::refund(step, charge, &json!({ "amount": amount })).await?;
            Ok("payments")
        }
        "refund_fails" => {
            let refund = step.get("refund", id).await?;
            refunds::fail(step, refund).await?;
            Ok("payments")
        }
        deed @ ("dispute" | "inquiry") => {
            let charge = step.get("charge", id).await?;
            disputes::open(step, charge, deed == "inquiry").await?;
            Ok("payments")
        }
        deed @ ("win" | "lose" | "escalate") => {
            let dispute = step.get("dispute", id).await?;
            match deed {
                "escalate" => disputes::escalate(step, dispute).await?,
                _ => disputes::close(step, dispute, deed == "win").await?,
            }
            Ok("payments")
        }
        deed @ ("debit_arrives" | "debit_fails") => {
            let intent = step.get("payment_intent", id).await?;
            payments::end_debit(step, intent, deed == "debit_arrives").await?;
            Ok("payments")
        }
        deed @ ("card_works" | "card_declines") => {
            customers::set_cards(step, id, deed == "card_works").await?;
            Ok("customers")
        }
        deed @ ("renew" | "renew_fails") => {
            let subscription = step.get("subscription", id).await?;
            subscriptions::advance(step, subscription, deed == "renew").await?;
            Ok("subscriptions")
        }
        "end" => {
            let subscription = step.get("subscription", id).await?;
            subscriptions::end(step, subscription).await?;
            Ok("subscriptions")
        }
        _ => Err(Refused::state(None, "There is nothing of that name to do.")),
    }
}

async fn set_switches(step: &mut Step<'_>, deed: &Deed) -> Result<(), Refused> {
    let delay = deed.delay_seconds.parse().ok().filter(|delay| (0..=DELAY_SECONDS_MAX).contains(delay));
    let message = format!("A delay is between 0 and {DELAY_SECONDS_MAX} seconds.");
    let switches = Switches {
        delay_seconds: delay.ok_or_else(|| Refused::state(None, message))?,
        is_doubled: deed.doubled.is_some(),
        is_reordered: deed.reordered.is_some(),
        is_held_back: deed.held_back.is_some(),
        next_fails: deed.next_fails.is_some(),
    };
    sandbox::set_switches(step.conn(), &switches).await?;
    Ok(())
}
