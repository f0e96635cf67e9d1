//! The hosted page of a Checkout Session: what is bought, and what may come of paying for it.

use axum::{
    Form,
    extract::{Path, Query, State},
    response::Response,
};
use leptos::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::{
    super::{
        checkout::{self, SESSION_ID},
        deliver,
        payments::{ASKS, DEBIT, DEBIT_FAILS, DECLINES, DECLINES_LATER, Outcome, PAYS},
        refused::Refused,
        step::{Step, number, text},
    },
    Page, money, see,
};
use crate::server::AppState;

/// The holder of the card that asks said yes, or no.
const CONFIRMED: &str = "confirmed";
const REFUSED: &str = "refused";

#[derive(Default, Deserialize)]
pub struct Told {
    /// What has come of an attempt: `declined`, or `asks` for the second step.
    #[serde(default)]
    after: String,
}

#[derive(Deserialize)]
pub struct Choice {
    with: String,
}

/// `GET /sandbox/checkout/{session}`
pub async fn show(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Query(told): Query<Told>,
) -> Result<Response, Refused> {
    let mut step = Step::begin(&state).await?;
    let session = step.get("checkout.session", &id).await?;
    let bought = checkout::bought(&mut step, &session).await?;
    let leads_to = [text(&session, "success_url"), text(&session, "cancel_url")];
    let body = match (text(&session, "status"), told.after.as_str()) {
        ("open", "asks") => second_step(&session),
        ("open", after) => open(&session, &bought, after == "declined"),
        (status, _) => closed(&session, status == "complete"),
    };
    Ok(Page { title: "Checkout", leads_to: &leads_to, is_wide: false, body }.sent())
}

/// `POST /sandbox/checkout/{session}`
pub async fn choose(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Form(choice): Form<Choice>,
) -> Result<Response, Refused> {
    let here = |after: &str| see(&format!("/sandbox/checkout/{id}?after={after}"));
    let mut step = Step::begin(&state).await?;
    let session = step.get("checkout.session", &id).await?;
    let is_once = session["mode"] == "payment";
    let last4 = match choice.with.as_str() {
        ASKS if session["status"] == "open" => return Ok(here("asks")),
        CONFIRMED => ASKS,
        REFUSED => DECLINES,
        known @ (PAYS | DECLINES | DECLINES_LATER) => known,
        late @ (DEBIT | DEBIT_FAILS) if is_once => late,
        _ => return Err(Refused::state(None, "There is no such way to pay.")),
    };
    let success_url = text(&session, "success_url").replace(SESSION_ID, &id);
    let outcome = checkout::pay(&mut step, session, last4).await?;
    step.commit().await?;
    deliver::now(&state).await;
    Ok(if outcome == Outcome::Declined { here("declined") } else { see(&success_url) })
}

fn open(session: &Value, bought: &Value, is_declined: bool) -> AnyView {
    let item = &bought["data"][0];
    let total = money(number(session, "amount_total"), &session["currency"]);
    let trial = bought["asked"]["subscription_data"]["trial_period_days"].as_i64();
    let interval = item["price"]["recurring"]["interval"].as_str();
    let price = money(number(&item["price"], "unit_amount"), &session["currency"]);
    let terms = match (interval, trial) {
        (Some(interval), Some(days)) => format!("{days} days free, then {price} per {interval}"),
        (Some(interval), None) => format!("per {interval}"),
        (None, _) => String::new(),
    };
    let description = item["product"]["description"].as_str().map(ToOwned::to_owned);
    let late = (session["mode"] == "payment").then(|| {
        view! {
            {choice(DEBIT, "Bank debit that arrives", "Account …6789: the money comes in five minutes", false)}
            {choice(DEBIT_FAILS, "Bank debit that fails", "Account …2227: in five minutes it turns out to be empty", false)}
        }
    });
    view! {
        <h1>{text(&item["product"], "name").to_owned()}</h1>
        {description.map(|description| view! { <p>{description}</p> })}
        <p class="total">{total} " " <span class="quiet">{terms}</span></p>
        {is_declined
            .then(|| {
                view! {
                    <p class="notice" role="alert">
                        "The card was declined. Nothing was paid."
                    </p>
                }
            })}
        <form class="stack" method="post">
            {choice(PAYS, "Pay with a card that works", "4242 4242 4242 4242", true)}
            {choice(DECLINES, "Pay with a card that is declined", "4000 0000 0000 0002", false)}
            {choice(ASKS, "Pay with a card that asks its holder", "4000 0027 6000 3184", false)}
            {choice(DECLINES_LATER, "Pay with a card that declines later", "4000 0000 0000 0341: once it is kept", false)}
            {late}
        </form>
        {back(session)}
    }
    .into_any()
}

fn choice(with: &'static str, title: &'static str, about: &'static str, is_main: bool) -> impl IntoView {
    view! {
        <button name="with" value=with class=is_main.then_some("main")>
            {title}
            <small>{about}</small>
        </button>
    }
}

fn back(session: &Value) -> impl IntoView + use<> {
    session["cancel_url"]
        .as_str()
        .map(ToOwned::to_owned)
        .map(|url| view! { <p><a href=url>"Go back"</a></p> })
}

fn second_step(session: &Value) -> AnyView {
    let total = money(number(session, "amount_total"), &session["currency"]);
    view! {
        <h1>"Your bank asks"</h1>
        <p>{format!("Do you want to pay {total}?")}</p>
        <form class="stack" method="post">
            {choice(CONFIRMED, "Confirm", "It is you", true)}
            {choice(REFUSED, "Refuse", "The card is declined then", false)}
        </form>
    }
    .into_any()
}

fn closed(session: &Value, is_complete: bool) -> AnyView {
    let (told, url) = if is_complete {
        ("This was paid for already.", text(session, "success_url"))
    } else {
        ("This page has expired. Nothing was paid.", text(session, "cancel_url"))
    };
    let url = url.replace(SESSION_ID, text(session, "id"));
    view! {
        <h1>"Nothing to pay here"</h1>
        <p role="status">{told}</p>
        {(!url.is_empty()).then(|| view! { <p><a href=url>"Go back"</a></p> })}
    }
    .into_any()
}
