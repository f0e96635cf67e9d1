//! The hosted page of the customer portal: what somebody subscribed to, and what they paid.

use axum::{
    Form,
    extract::{Path, State},
    response::Response,
};
use leptos::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        changes, deliver,
        refused::Refused,
        step::{Step, number, text},
        subscriptions,
    },
    Page, amount_of, money, see, when,
};
use crate::server::AppState;

/// How many of each are shown.
const SHOWN_MAX: i64 = 50;

#[derive(Deserialize)]
pub struct Choice {
    subscription: String,
    /// `end`, `end_now` or `resume`.
    deed: String,
}

/// `GET /sandbox/portal/{session}`
pub async fn show(State(state): State<AppState>, Path(id): Path<String>) -> Result<Response, Refused> {
    let mut step = Step::begin(&state).await?;
    let session = step.get("billing_portal.session", &id).await?;
    let of = json!({"customer": session["customer"]});
    let subscriptions = step.all("subscription", of.clone(), SHOWN_MAX).await?;
    let charges = step.all("charge", of, SHOWN_MAX).await?;
    let url = session["return_url"].as_str().map(ToOwned::to_owned);
    let paid = charges.iter().map(|charge| {
        view! { <li>{format!("{} {} {}", when(&charge["created"]), amount_of(charge), text(charge, "status"))}</li> }
    });
    let body = view! {
        <h1>"Your subscriptions"</h1>
        {subscriptions.is_empty().then(|| view! { <p>"There are none."</p> })}
        <ul class="rows">{subscriptions.iter().map(subscription).collect_view()}</ul>
        <h2>"Payments"</h2>
        {charges.is_empty().then(|| view! { <p>"There are none."</p> })}
        <ul class="rows">{paid.collect_view()}</ul>
        {url.map(|url| view! { <p><a href=url>"Go back"</a></p> })}
    };
    Ok(Page { title: "Customer portal", leads_to: &[], is_wide: false, body: body.into_any() }.sent())
}

fn subscription(subscription: &Value) -> impl IntoView + use<> {
    let item = &subscription["items"]["data"][0];
    let price = money(number(&item["price"], "unit_amount"), &subscription["currency"]);
    let interval = text(&item["price"]["recurring"], "interval").to_owned();
    let ends = subscription["cancel_at_period_end"] == true;
    let state = match text(subscription, "status") {
        "canceled" => format!("ended {}", when(&subscription["ended_at"])),
        _ if ends => format!("ends {}", when(&item["current_period_end"])),
        status => format!("{status}, renews {}", when(&item["current_period_end"])),
    };
    let choices = (subscription["status"] != "canceled").then(|| {
        let (deed, title) = if ends { ("resume", "Resume") } else { ("end", "Cancel at the period’s end") };
        view! {
            <form method="post">
                <input type="hidden" name="subscription" value=text(subscription, "id").to_owned() />
                <button name="deed" value=deed>
                    {title}
                </button>
                <button name="deed" value="end_now">
                    "Cancel now"
                </button>
            </form>
        }
    });
    view! {
        <li>
            <p>
                <strong>{format!("{price} per {interval}")}</strong>
                {format!(": {state}")}
            </p>
            {choices}
        </li>
    }
}

/// `POST /sandbox/portal/{session}`
pub async fn choose(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Form(choice): Form<Choice>,
) -> Result<Response, Refused> {
    let mut step = Step::begin(&state).await?;
    let session = step.get("billing_portal.session", &id).await?;
    let subscription = step.named("subscription", &choice.subscription, "subscription").await?;
    if subscription["customer"] != session["customer"] {
        return Err(Refused::no_such("subscription", &choice.subscription, "subscription"));
    }
    match choice.deed.as_str() {
        "end_now" => drop(subscriptions::end(&mut step, subscription).await?),
        deed @ ("end" | "resume") => {
            let ask = json!({"cancel_at_period_end": deed == "end"});
            changes::update(&mut step, &choice.subscription, &ask).await?;
        }
        _ => return Err(Refused::state(None, "There is no such choice.")),
    }
    step.commit().await?;
    deliver::now(&state).await;
    Ok(see(&format!("/sandbox/portal/{id}")))
}
