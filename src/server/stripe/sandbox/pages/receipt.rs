//! What was paid, as the receipt of a charge or the page of an invoice says it.

use axum::{
    extract::{Path, State},
    response::Response,
};
use leptos::prelude::*;
use serde_json::Value;

use super::{
    super::{
        refused::Refused,
        step::{Step, number, text},
    },
    Page, money, when,
};
use crate::server::AppState;

/// `GET /sandbox/receipt/{id}`
pub async fn show(State(state): State<AppState>, Path(id): Path<String>) -> Result<Response, Refused> {
    let mut step = Step::begin(&state).await?;
    let kind = if id.starts_with("in_") { "invoice" } else { "charge" };
    let paid = step.get(kind, &id).await?;
    let amount = number(&paid, if kind == "invoice" { "total" } else { "amount" });
    let refunded = number(&paid, "amount_refunded");
    let body = view! {
        <h1>{if kind == "invoice" { "Invoice" } else { "Receipt" }}</h1>
        <p class="total">{money(amount, &paid["currency"])}</p>
        <p>{description(&paid)}</p>
        <p>{format!("{}: {}", when(&paid["created"]), text(&paid, "status"))}</p>
        {(refunded > 0).then(|| view! { <p>{format!("{} of it went back.", money(refunded, &paid["currency"]))}</p> })}
        <p><code>{id}</code></p>
    };
    Ok(Page { title: "Receipt", leads_to: &[], is_wide: false, body: body.into_any() }.sent())
}

fn description(paid: &Value) -> String {
    paid["description"]
        .as_str()
        .or(paid["lines"]["data"][0]["description"].as_str())
        .unwrap_or_default()
        .to_owned()
}
