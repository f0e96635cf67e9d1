//! Subscriptions: begun in Checkout, renewed by the clock, changed, declined, ended; the customer portal.

use chrono::{DateTime, Utc};
use reqwest::{Method, StatusCode};
use scrip::server::test_clock;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Place, id};

const SUBSCRIBE: (&str, &str) = ("mode", "subscription");

impl Place {
    /// A new subscription that a card pays.
    async fn subscribe(&self, customer: &str, more: &[(&str, &str)]) -> Value {
        let more = [&[SUBSCRIBE, ("subscription_data[metadata][scrip_plan]", "pro")][..], more].concat();
        let session = self.session(customer, &more).await;
        self.pay(&session, "4242").await;
        let session = self.get(&format!("checkout/sessions/{session}")).await;
        self.subscription(session["subscription"].as_str().unwrap()).await
    }

    async fn subscription(&self, id: &str) -> Value {
        self.get(&format!("subscriptions/{id}")).await
    }

    /// The latest invoice of all.
    async fn invoice(&self) -> Value {
        self.get("invoices?limit=1").await["data"][0].clone()
    }

    async fn forget_events(&self) {
        self.events(usize::MAX).await;
    }
}

fn days(object: &Value) -> (String, String) {
    let day = |name: &str| {
        let at = DateTime::from_timestamp(object[name].as_i64().unwrap(), 0).unwrap();
        at.format("%Y-%m-%d").to_string()
    };
    match object["object"].as_str() {
        Some("invoice") => (day("period_start"), day("period_end")),
        _ => (day("current_period_start"), day("current_period_end")),
    }
}

fn period(subscription: &Value) -> (String, String) {
    days(&subscription["items"]["data"][0])
}

fn pair(start: &str, end: &str) -> (String, String) {
    (start.to_owned(), end.to_owned())
}

#[sqlx::test]
async fn one_that_begins_is_paid_and_told_of(pool: PgPool) {
    let place = Place::start(pool).await;
    let subscription = place.subscribe(&place.customer().await, &[]).await;
    let told = [
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice_payment.paid",
        "invoice.paid",
        "invoice.payment_succeeded",
        "checkout.session.completed",
    ];
    assert_eq!(place.told(told.len()).await, told);
    assert_eq!(
        (&subscription["status"], &subscription["metadata"]["scrip_plan"]),
        (&json!("active"), &json!("pro"))
    );
    assert_eq!(period(&subscription), pair("2026-11-21", "2026-12-21"));
    let invoice = place.invoice().await;
    assert_eq!(
        (&invoice["status"], &invoice["billing_reason"]),
        (&json!("paid"), &json!("subscription_create"))
    );
    assert_eq!((&invoice["amount_paid"], &invoice["id"]), (&json!(1000), &subscription["latest_invoice"]));
    let parent = &invoice["parent"]["subscription_details"];
    assert_eq!(
        (&parent["subscription"], &parent["metadata"]["scrip_plan"]),
        (&subscription["id"], &json!("pro"))
    );
    let of_it = place.get(&format!("invoices?subscription={}", id(&subscription))).await;
    assert_eq!(of_it["data"].as_array().unwrap().len(), 1);
    let charge = place.get("charges?limit=1").await["data"][0].clone();
    let payment = charge["payment_intent"].as_str().unwrap();
    let by_payment = format!("payment[type]=payment_intent&payment[payment_intent]={payment}");
    let ties = place.get(&format!("invoice_payments?{by_payment}")).await;
    assert_eq!((&ties["data"][0]["invoice"], &ties["has_more"]), (&invoice["id"], &json!(false)));
    assert_eq!(invoice.get("payment_intent"), None, "the invoice does not name it");
}

#[sqlx::test]
async fn it_is_renewed_when_the_clock_passes_its_period_and_months_keep_their_day(pool: PgPool) {
    let place = Place::start(pool).await;
    place.set_clock("2027-01-31T10:00:00Z").await;
    let customer = place.customer().await;
    let subscription = id(&place.subscribe(&customer, &[]).await);
    place.set_clock("2027-02-28T09:59:59Z").await;
    assert_eq!(place.invoice().await["billing_reason"], "subscription_create");
    place.set_clock("2027-05-01T00:00:00Z").await;
    let invoices = place.get("invoices").await;
    let invoices: Vec<_> = invoices["data"].as_array().unwrap().iter().rev().map(days).collect();
    assert_eq!(
        invoices,
        [
            pair("2027-01-31", "2027-02-28"),
            pair("2027-02-28", "2027-03-31"),
            pair("2027-03-31", "2027-04-30"),
            pair("2027-04-30", "2027-05-31"),
        ]
    );
    let invoice = place.invoice().await;
    assert_eq!(
        (&invoice["billing_reason"], &invoice["status"]),
        (&json!("subscription_cycle"), &json!("paid"))
    );
    assert_eq!(invoice["created"], invoice["period_start"], "billed when it was due");

    let ending = [("cancel_at_period_end", "true")];
    let told = place.post(&format!("subscriptions/{subscription}"), &ending).await;
    assert_eq!((&told["cancel_at_period_end"], &told["status"]), (&json!(true), &json!("active")));
    place.set_clock("2027-08-01T00:00:00Z").await;
    let over = place.subscription(&subscription).await;
    assert_eq!((&over["status"], &over["ended_at"]), (&json!("canceled"), &told["cancel_at"]));
    assert_eq!(place.invoice().await, invoice, "nothing was billed any more");
    let refused = place.refused(Method::DELETE, &format!("subscriptions/{subscription}"), &[]).await;
    assert_eq!(refused.0, 404);
    let refused = place.refused(Method::POST, &format!("subscriptions/{subscription}"), &ending).await;
    assert_eq!(refused.0, 400);
}

#[sqlx::test]
async fn when_time_is_set_forward_each_renewal_is_told_when_it_is_due(pool: PgPool) {
    let place = Place::start(pool).await;
    place.subscribe(&place.customer().await, &[]).await;
    place.forget_events().await;
    let end: DateTime<Utc> = "2027-02-01T00:00:00Z".parse().unwrap();
    test_clock::set(&place.app.state, Some(end)).await.unwrap();
    let taken = place.taken(18).await;
    let paid = taken.iter().filter(|(event, _)| event["type"] == "invoice.paid");
    let paid: Vec<_> = paid.map(|(event, at)| (event["created"].as_i64().unwrap(), *at)).collect();
    let due = ["2026-12-21T12:00:00Z", "2027-01-21T12:00:00Z"].map(|at| at.parse::<DateTime<Utc>>().unwrap());
    assert_eq!(paid, due.map(|at| (at.timestamp(), at)));
    assert_eq!(place.app.state.clock.now(), end);
}

#[sqlx::test]
async fn a_year_is_renewed_after_a_year(pool: PgPool) {
    let place = Place::start(pool).await;
    let yearly = [("line_items[0][price_data][recurring][interval]", "year")];
    place.subscribe(&place.customer().await, &yearly).await;
    place.set_clock("2027-11-21T12:00:00Z").await;
    assert_eq!(days(&place.invoice().await), pair("2027-11-21", "2028-11-21"));
}

#[sqlx::test]
async fn a_trial_is_paid_for_when_it_ends(pool: PgPool) {
    let place = Place::start(pool).await;
    let trial =
        place.subscribe(&place.customer().await, &[("subscription_data[trial_period_days]", "7")]).await;
    assert_eq!((&trial["status"], period(&trial)), (&json!("trialing"), pair("2026-11-21", "2026-11-28")));
    let invoice = place.invoice().await;
    assert_eq!((&invoice["amount_paid"], &invoice["status"]), (&json!(0), &json!("paid")));
    assert_eq!(place.get("charges").await["data"], json!([]));
    let sessions = place.get("events?types[0]=checkout.session.completed").await;
    assert_eq!(sessions["data"][0]["data"]["object"]["payment_status"], "no_payment_required");
    place.set_clock("2026-11-28T12:00:00Z").await;
    let paid = place.subscription(&id(&trial)).await;
    assert_eq!((&paid["status"], period(&paid)), (&json!("active"), pair("2026-11-28", "2026-12-28")));
    assert_eq!(place.invoice().await["amount_paid"], 1000);
}

#[sqlx::test]
async fn a_card_that_declines_is_tried_again_and_then_it_ends(pool: PgPool) {
    let place = Place::start(pool).await;
    let customer = place.customer().await;
    let saved = id(&place.subscribe(&customer, &[]).await);
    let lost = id(&place.subscribe(&customer, &[]).await);
    place.deed("card_declines", &customer).await;
    place.forget_events().await;
    place.set_clock("2026-12-21T12:00:00Z").await;
    for subscription in [&saved, &lost] {
        let declined = place.subscription(subscription).await;
        assert_eq!(
            (&declined["status"], period(&declined)),
            (&json!("past_due"), pair("2026-12-21", "2027-01-21"))
        );
    }
    let told = place.told(14).await;
    assert!(
        told.contains(&"invoice.payment_failed".to_owned()) && !told.contains(&"invoice.paid".to_owned())
    );
    place.deed("renew", &saved).await;
    assert_eq!(place.subscription(&saved).await["status"], "active");
    place.set_clock("2026-12-30T12:00:00Z").await;
    let over = place.subscription(&lost).await;
    assert_eq!(
        (&over["status"], &over["cancellation_details"]["reason"]),
        (&json!("canceled"), &json!("payment_failed"))
    );
    place.set_clock("2027-01-21T12:00:00Z").await;
    assert_eq!(period(&place.subscription(&saved).await), pair("2027-01-21", "2027-02-21"));
}

/// What another price is asked for with.
fn change(subscription: &Value, amount: &str, how: &str) -> Vec<(String, String)> {
    let item = &subscription["items"]["data"][0];
    [
        ("items[0][id]", item["id"].as_str().unwrap()),
        ("items[0][price_data][currency]", "usd"),
        ("items[0][price_data][unit_amount]", amount),
        ("items[0][price_data][recurring][interval]", "month"),
        ("items[0][price_data][product]", item["price"]["product"].as_str().unwrap()),
        ("proration_behavior", how),
        ("metadata[scrip_plan]", "max"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

#[sqlx::test]
async fn a_change_whose_difference_the_card_declines_is_not_made(pool: PgPool) {
    let place = Place::start(pool).await;
    let customer = place.customer().await;
    let subscription = id(&place.subscribe(&customer, &[]).await);
    place.set_clock("2026-12-06T12:00:00Z").await;
    place.deed("card_declines", &customer).await;
    let (before, events) = (place.subscription(&subscription).await, place.get("events?limit=1").await);
    let mut form = change(&before, "3000", "always_invoice");
    form.push(("payment_behavior".to_owned(), "error_if_incomplete".to_owned()));
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let refused = place.refused(Method::POST, &format!("subscriptions/{subscription}"), &form).await;
    assert_eq!((refused.0, refused.1.as_str()), (402, "card_declined"));
    assert_eq!(place.subscription(&subscription).await, before);
    assert_eq!(place.get("events?limit=1").await, events, "nothing is told");
}

#[sqlx::test]
async fn a_change_in_the_middle_is_billed_by_the_second(pool: PgPool) {
    let place = Place::start(pool).await;
    let subscription = place.subscribe(&place.customer().await, &[]).await;
    let path = format!("subscriptions/{}", id(&subscription));
    let send = async |form: &[(String, String)]| {
        let form: Vec<(&str, &str)> =
            form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        place.post(&path, &form).await
    };
    place.set_clock("2026-12-06T12:00:00Z").await;
    let larger = send(&change(&subscription, "3000", "always_invoice")).await;
    assert_eq!(larger["metadata"]["scrip_plan"], "max");
    let invoice = place.invoice().await;
    assert_eq!(
        (&invoice["billing_reason"], &invoice["amount_paid"]),
        (&json!("subscription_update"), &json!(1000))
    );
    let amounts: Vec<_> =
        invoice["lines"]["data"].as_array().unwrap().iter().map(|line| &line["amount"]).collect();
    assert_eq!(amounts, [&json!(-500), &json!(1500)]);
    assert_eq!(period(&larger), pair("2026-11-21", "2026-12-21"));
    send(&change(&subscription, "500", "none")).await;
    assert_eq!(place.invoice().await["id"], invoice["id"], "nothing is billed");
    place.set_clock("2026-12-21T12:00:00Z").await;
    assert_eq!(place.invoice().await["amount_paid"], 500);

    let mut wrong = change(&subscription, "500", "none");
    wrong[4].1 = "prod_none".to_owned();
    let wrong: Vec<(&str, &str)> =
        wrong.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(place.refused(Method::POST, &path, &wrong).await.1, "resource_missing");
    let wrong = [("items[0][id]", "si_none")];
    assert_eq!(place.refused(Method::POST, &path, &wrong).await.1, "resource_missing");
}

#[sqlx::test]
async fn a_preview_is_what_the_change_is_billed_at_and_changes_nothing(pool: PgPool) {
    let place = Place::start(pool).await;
    let subscription = place.subscribe(&place.customer().await, &[]).await;
    place.set_clock("2026-12-06T12:00:00Z").await;
    let moment = |at: &str| at.parse::<DateTime<Utc>>().unwrap().timestamp().to_string();
    let mut form = change(&subscription, "3000", "always_invoice");
    form.pop();
    form.push(("proration_date".to_owned(), moment("2026-12-06T00:00:00Z")));
    let of = ("subscription".to_owned(), id(&subscription));
    let within = |(name, value): &(String, String)| match name.split_once('[') {
        Some((first, rest)) => (format!("subscription_details[{first}][{rest}"), value.clone()),
        None => (format!("subscription_details[{name}]"), value.clone()),
    };
    let asked: Vec<_> = form.iter().map(within).chain([of]).collect();
    let send = async |path: &str, form: &[(String, String)]| {
        let form: Vec<(&str, &str)> =
            form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        place.post(path, &form).await
    };
    let refused = async |form: &[(String, String)]| {
        let form: Vec<(&str, &str)> =
            form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        place.refused(Method::POST, "invoices/create_preview", &form).await.2
    };
    place.forget_events().await;
    let before = place.get("invoices").await;
    let preview = send("invoices/create_preview", &asked).await;
    assert_eq!(preview["amount_due"], json!(1_034));
    let path = format!("subscriptions/{}", id(&subscription));
    assert_eq!((place.get("invoices").await, place.get(&path).await), (before, subscription.clone()));
    send(&path, &form).await;
    assert_eq!(place.invoice().await["amount_paid"], preview["amount_due"]);

    let at = asked.iter().position(|(name, _)| name.ends_with("[proration_date]")).unwrap();
    for wrong in ["2026-11-21T11:59:59Z", "2026-12-21T12:00:00Z"] {
        let mut asked = asked.clone();
        asked[at].1 = moment(wrong);
        assert_eq!(refused(&asked).await, "subscription_details[proration_date]", "{wrong}");
    }
    let unknown = [asked.clone(), vec![("proration_date".to_owned(), "1".to_owned())]].concat();
    assert_eq!(refused(&unknown).await, "proration_date");
    assert_eq!(refused(&asked[..at]).await, "subscription");
}

#[sqlx::test]
async fn the_portal_cancels_and_resumes(pool: PgPool) {
    let place = Place::start(pool).await;
    let customer = place.customer().await;
    let subscription = id(&place.subscribe(&customer, &[]).await);
    let form = [("customer", customer.as_str()), ("return_url", "http://localhost:9/credits")];
    let session = place.post("billing_portal/sessions", &form).await;
    let url = session["url"].as_str().unwrap();
    let page = &url[url.find("/sandbox/").unwrap()..];
    let shown = place.page(page).await;
    assert!(shown.contains("$10.00 per month") && shown.contains("http://localhost:9/credits"));
    let choose = async |deed: &str| {
        let form = [("subscription", subscription.as_str()), ("deed", deed)];
        assert_eq!(place.submit(page, &form).await.status(), StatusCode::SEE_OTHER, "{deed}");
        place.subscription(&subscription).await
    };
    assert_eq!(choose("end").await["cancel_at_period_end"], true);
    assert!(place.page(page).await.contains("Resume"));
    assert_eq!(choose("resume").await["cancel_at_period_end"], false);
    assert_eq!(choose("end_now").await["status"], "canceled");
    let other = place.subscribe(&place.customer().await, &[]).await;
    let form = [("subscription", other["id"].as_str().unwrap()), ("deed", "end_now")];
    assert_eq!(place.submit(page, &form).await.status(), StatusCode::BAD_REQUEST, "of somebody else");
}
