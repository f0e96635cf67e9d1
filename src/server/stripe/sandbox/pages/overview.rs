//! Everything that there is at the stand-in Stripe, the latest of each kind, and what can be done with it by hand.

use std::collections::HashMap;

use axum::{extract::State, response::Response};
use chrono::Months;
use leptos::prelude::*;
use serde_json::{Value, json};

use super::{
    super::{
        lists,
        payments::{self, DECLINES_LATER},
        refused::Refused,
        step::{Step, number, text},
    },
    Page, amount_of,
    deeds::DELAY_SECONDS_MAX,
    money, when,
};
use crate::server::{
    AppState,
    store::sandbox::{self, Delivered, Switches},
};

/// How many of each kind are shown.
const SHOWN_MAX: i64 = 25;
/// Of one charge.
const PARTS_MAX: i64 = 20;

/// `GET /sandbox`
pub async fn show(State(state): State<AppState>) -> Result<Response, Refused> {
    let mut step = Step::begin(&state).await?;
    let sessions = step.all("checkout.session", json!({}), SHOWN_MAX).await?;
    let subscriptions = step.all("subscription", json!({}), SHOWN_MAX).await?;
    let customers = step.all("customer", json!({}), SHOWN_MAX).await?;
    let events = step.all("event", json!({}), SHOWN_MAX).await?;
    let mut charges = Vec::new();
    for charge in step.all("charge", json!({}), SHOWN_MAX).await? {
        let of = json!({"charge": charge["id"]});
        let refunds = step.all("refund", of.clone(), PARTS_MAX).await?;
        let disputes = step.all("dispute", of, PARTS_MAX).await?;
        charges.push(charge_row(&charge, &refunds, &disputes));
    }
    let mut payers = Vec::new();
    for customer in &customers {
        let methods = step.all("payment_method", json!({"customer": customer["id"]}), PARTS_MAX).await?;
        payers.push(customer_row(customer, &methods));
    }
    let mut delivered: HashMap<String, Vec<String>> = HashMap::new();
    for delivery in sandbox::deliveries(step.conn(), &lists::ids(&events)).await? {
        delivered.entry(delivery.event.clone()).or_default().push(told(&delivery));
    }
    let events = events.iter().map(|event| event_row(event, &delivered)).collect_view();
    let body = view! {
        <h1>"The stand-in Stripe"</h1>
        {clock(&step)}
        {webhooks(&step.switches)}
        {section("sessions", "Checkout sessions", sessions.iter().map(session_row).collect_view())}
        {section("payments", "Payments", charges.into_iter().collect_view())}
        {section("subscriptions", "Subscriptions", subscriptions.iter().map(subscription_row).collect_view())}
        {section("customers", "Customers", payers.into_iter().collect_view())}
        {section("events", "Events", events)}
    };
    Ok(Page { title: "Stripe", leads_to: &[], is_wide: true, body: body.into_any() }.sent())
}

fn section(id: &'static str, title: &'static str, rows: impl IntoView) -> impl IntoView {
    view! {
        <h2 id=id>{title}</h2>
        <ul class="rows">{rows}</ul>
    }
}

/// What time it is, and how it is set: a month on in the example, when what is paid for by the month falls due.
fn clock(step: &Step<'_>) -> impl IntoView + use<> {
    let later = crate::text::machine_time(step.now + Months::new(1));
    let command = format!(
        "curl -X PUT {}/api/v1/test/clock \\\n  \
         -H \"Authorization: Bearer $(target/debug/scrip api-key create --name clock --scope admin)\" \\\n  \
         -H \"Content-Type: application/json\" \\\n  -d '{{\"now\": \"{later}\"}}'",
        step.base_url(),
    );
    view! {
        <p>{format!("It is {} here.", crate::text::date_time(step.now))}</p>
        <details>
            <summary>"Set the time"</summary>
            <p>
                "Everything that falls due until then happens, one thing after another. The key is made on this machine, with \
                the settings that the server has."
            </p>
            <pre><code>{command}</code></pre>
        </details>
    }
}

fn webhooks(switches: &Switches) -> impl IntoView + use<> {
    let flag = |name: &'static str, title: &'static str, is_on: bool| {
        view! {
            <label>
                <input type="checkbox" name=name checked=is_on />
                {title}
            </label>
        }
    };
    view! {
        <h2 id="webhooks">"Webhooks"</h2>
        <form method="post" class="card">
            <label>
                "Seconds late"
                <input
                    type="number"
                    name="delay_seconds"
                    min="0"
                    max=DELAY_SECONDS_MAX.to_string()
                    value=switches.delay_seconds.to_string()
                />
            </label>
            {flag("doubled", "Each twice", switches.is_doubled)}
            {flag("reordered", "The latest first", switches.is_reordered)}
            {flag("held_back", "Held back", switches.is_held_back)}
            {flag("next_fails", "The next is lost", switches.next_fails)}
            <button name="deed" value="switch" class="main">
                "Set"
            </button>
        </form>
    }
}

type Choice = (&'static str, &'static str);

/// A form of buttons, each of which does something to the object.
fn choices(object: &Value, choices: &[Choice]) -> impl IntoView + use<> {
    let button = |(deed, title): &Choice| view! { <button name="deed" value=*deed>{*title}</button> };
    (!choices.is_empty()).then(|| {
        view! {
            <form method="post">
                <input type="hidden" name="id" value=text(object, "id").to_owned() />
                {choices.iter().map(button).collect_view()}
            </form>
        }
    })
}

/// What an object is, its id, and what can be done with it.
fn row(object: &Value, about: String, possible: &[Choice]) -> impl IntoView + use<> {
    view! {
        <p>
            {format!("{} · {about} ", when(&object["created"]))}
            <code>{text(object, "id").to_owned()}</code>
        </p>
        {choices(object, possible)}
    }
}

fn session_row(session: &Value) -> impl IntoView + use<> {
    let amount = money(number(session, "amount_total"), &session["currency"]);
    let (status, payment) = (text(session, "status"), text(session, "payment_status"));
    let link = session["url"].as_str().map(|url| view! { <a href=url.to_owned()>"Open the page"</a> });
    let possible: &[Choice] = if status == "open" { &[("expire", "Expire")] } else { &[] };
    view! { <li>{row(session, format!("{amount}, {status}, {payment}"), possible)} {link}</li> }
}

fn charge_row(charge: &Value, refunds: &[Value], disputes: &[Value]) -> impl IntoView + use<> {
    let (amount, refunded) = (number(charge, "amount"), number(charge, "amount_refunded"));
    let mut about = format!("{}, {}", amount_of(charge), text(charge, "status"));
    if refunded > 0 {
        about = format!("{about}, {} refunded", money(refunded, &charge["currency"]));
    }
    let is_left = charge["paid"] == true && refunded < amount;
    let possible: &[Choice] = match is_left && charge["disputed"] != true {
        true => &[("dispute", "Dispute"), ("inquiry", "Inquiry")],
        false => &[],
    };
    let refund = is_left.then(|| {
        view! {
            <form method="post">
                <input type="hidden" name="id" value=text(charge, "id").to_owned() />
                <label>
                    "Amount in the smallest unit, or nothing for all"
                    <input type="number" name="amount" min="1" max=(amount - refunded).to_string() />
                </label>
                <button name="deed" value="refund">
                    "Refund, as in the dashboard"
                </button>
            </form>
        }
    });
    let late = (charge["status"] == "pending").then(|| {
        let intent = json!({"id": charge["payment_intent"]});
        choices(
            &intent,
            &[("debit_arrives", "The money arrives"), ("debit_fails", "The money does not come")],
        )
    });
    view! {
        <li>
            {row(charge, about, possible)} {late} {refund} {refunds.iter().map(refund_row).collect_view()}
            {disputes.iter().map(dispute_row).collect_view()}
        </li>
    }
}

fn refund_row(refund: &Value) -> impl IntoView + use<> {
    let about = format!("Refund of {}, {}", amount_of(refund), text(refund, "status"));
    let possible: &[Choice] =
        if refund["status"] == "succeeded" { &[("refund_fails", "It fails after all")] } else { &[] };
    row(refund, about, possible)
}

fn dispute_row(dispute: &Value) -> impl IntoView + use<> {
    let about = format!("Dispute of {}, {}", amount_of(dispute), text(dispute, "status"));
    let possible: &[Choice] = match text(dispute, "status") {
        "needs_response" => &[("win", "Win"), ("lose", "Lose")],
        "warning_needs_response" => &[("escalate", "The bank takes the money"), ("win", "Close")],
        _ => &[],
    };
    row(dispute, about, possible)
}

fn subscription_row(subscription: &Value) -> impl IntoView + use<> {
    let item = &subscription["items"]["data"][0];
    let price = money(number(&item["price"], "unit_amount"), &subscription["currency"]);
    let end = when(&item["current_period_end"]);
    let about = format!("{price}, {}, period until {end}", text(subscription, "status"));
    let possible: &[Choice] = match text(subscription, "status") {
        "canceled" => &[],
        _ => &[
            ("renew", "Next invoice, paid"),
            ("renew_fails", "Next invoice, declined"),
            ("end", "Cancel now"),
        ],
    };
    view! { <li>{row(subscription, about, possible)}</li> }
}

fn customer_row(customer: &Value, methods: &[Value]) -> impl IntoView + use<> {
    let numbers: Vec<String> = methods.iter().map(|method| format!("…{}", payments::last4(method))).collect();
    let about = format!("{} {}", text(customer, "email"), numbers.join(", "));
    let possible: &[Choice] = match methods.first() {
        None => &[],
        Some(_) if methods.iter().any(|method| payments::last4(method) == DECLINES_LATER) => {
            &[("card_works", "Cards work again")]
        }
        Some(_) => &[("card_declines", "Cards decline from now on")],
    };
    view! { <li>{row(customer, about, possible)}</li> }
}

fn event_row(event: &Value, delivered: &HashMap<String, Vec<String>>) -> impl IntoView + use<> {
    let told = delivered.get(text(event, "id")).map(|told| told.join("; ")).unwrap_or_default();
    view! { <li>{row(event, format!("{}: {told}", text(event, "type")), &[("deliver", "Deliver again")])}</li> }
}

fn told(delivery: &Delivered) -> String {
    let answer = delivery.answer.as_deref().unwrap_or("not sent yet");
    match (delivery.due_at, delivery.attempts) {
        (Some(at), 0) => format!("due {}", crate::text::date_time(at)),
        (Some(at), attempts) => {
            format!("{answer} after {attempts}, again {}", crate::text::date_time(at))
        }
        (None, attempts) => format!("{answer} after {attempts}"),
    }
}
