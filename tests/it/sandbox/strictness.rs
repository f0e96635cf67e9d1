//! What the API is sent has to be right in every part, as Stripe has it.

use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::PgPool;

use super::{Place, answer, id};
use crate::support::App;

/// A request of a session that is right.
const SESSION: &[(&str, &str)] = &[
    ("mode", "payment"),
    ("success_url", "http://localhost:9/done"),
    ("line_items[0][quantity]", "1"),
    ("line_items[0][price_data][currency]", "usd"),
    ("line_items[0][price_data][unit_amount]", "1000"),
    ("line_items[0][price_data][product_data][name]", "Credits"),
];

const UNIT_AMOUNT: &str = "line_items[0][price_data][unit_amount]";

#[sqlx::test]
async fn a_parameter_that_is_wrong_is_named(pool: PgPool) {
    let place = Place::start(pool).await;
    place.post("checkout/sessions", SESSION).await;
    let recurring = "line_items[0][price_data][recurring][interval]";
    for (name, value, code) in [
        ("colour", "red", "parameter_unknown"),
        ("line_items[0][colour]", "red", "parameter_unknown"),
        ("payment_intent_data[colour]", "red", "parameter_unknown"),
        ("mode", "", "parameter_missing"),
        ("success_url", "", "parameter_missing"),
        ("line_items[0][quantity]", "", "parameter_missing"),
        ("line_items[0][price_data][product_data][name]", "", "parameter_missing"),
        (UNIT_AMOUNT, "ten", "parameter_invalid_integer"),
        (UNIT_AMOUNT, "-1", "parameter_invalid_integer"),
        (UNIT_AMOUNT, "99999999999", "parameter_invalid_integer"),
        ("success_url", "/done", "url_invalid"),
        ("mode", "gift", ""),
        ("line_items[0][price_data][currency]", "xyz", ""),
        ("customer", "cus_nobody", "resource_missing"),
        (recurring, "fortnight", ""),
    ] {
        let mut form: Vec<(&str, &str)> =
            SESSION.iter().copied().filter(|(other, _)| *other != name).collect();
        if !value.is_empty() {
            form.push((name, value));
        }
        // What a missing part belongs to is there all the same.
        let refused = place.refused(Method::POST, "checkout/sessions", &form).await;
        let param = if code == "parameter_missing" && name.ends_with("[name]") {
            "line_items[0][price_data][product_data]"
        } else {
            name
        };
        assert_eq!(refused, (400, code.to_owned(), param.to_owned()), "{name}={value}");
    }
    let with = |more: (&'static str, &'static str)| [SESSION, &[more]].concat();
    for (more, param) in [
        ((recurring, "month"), "line_items"),
        (("subscription_data[trial_period_days]", "7"), "subscription_data"),
        (("customer", ""), "customer"),
    ] {
        assert_eq!(place.refused(Method::POST, "checkout/sessions", &with(more)).await.2, param);
    }
    let small = [&SESSION[..4], &[(UNIT_AMOUNT, "49")], &SESSION[5..]].concat();
    let refused = place.refused(Method::POST, "checkout/sessions", &small).await;
    assert_eq!((refused.0, refused.1.as_str()), (400, "amount_too_small"));
}

#[sqlx::test]
async fn calls_need_the_key_and_objects_that_are_there(pool: PgPool) {
    let place = Place::start(pool).await;
    for key in [Some("sk_test_other"), None] {
        let request = reqwest::Client::new().get(format!("{}/sandbox/stripe/v1/events", place.app.url));
        let (status, body) = answer(match key {
            Some(key) => request.bearer_auth(key),
            None => request,
        })
        .await;
        assert_eq!(
            (status, &body["error"]["type"]),
            (StatusCode::UNAUTHORIZED, &json!("invalid_request_error"))
        );
    }
    for path in
        ["charges/ch_1", "checkout/sessions/cs_1", "subscriptions/sub_1", "refunds/re_1", "events/evt_1"]
    {
        let refused = place.refused(Method::GET, path, &[]).await;
        assert_eq!(refused, (404, "resource_missing".to_owned(), "id".to_owned()), "{path}");
    }
    assert_eq!(place.refused(Method::GET, "sources", &[]).await.0, 404);
    assert_eq!(place.refused(Method::DELETE, "charges/ch_1", &[]).await.0, 404);
    let unknown = place.refused(Method::GET, "charges", &[("colour", "red")]).await;
    assert_eq!(unknown.1, "parameter_unknown");
    let unknown = place.refused(Method::GET, "events", &[("starting_after", "evt_1")]).await;
    assert_eq!(unknown, (400, "resource_missing".to_owned(), "starting_after".to_owned()));
}

#[sqlx::test]
async fn a_key_brings_the_first_answer_again_and_serves_no_other_request(pool: PgPool) {
    let place = Place::start(pool).await;
    let create = |name: &'static str, key: &'static str| {
        let form = [("name", name), ("metadata[a]", "1")];
        place.call(Method::POST, "customers", &form).header("idempotency-key", key)
    };
    let first = create("Ada", "k1").send().await.unwrap();
    assert!(first.headers().get("idempotent-replayed").is_none());
    let first: serde_json::Value = first.json().await.unwrap();
    let again = create("Ada", "k1").send().await.unwrap();
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(again.json::<serde_json::Value>().await.unwrap(), first);
    let (status, other) = answer(create("Bob", "k1")).await;
    assert_eq!((status.as_u16(), &other["error"]["type"]), (400, &json!("idempotency_error")));
    assert_ne!(answer(create("Ada", "k2")).await.1["id"], first["id"]);

    // What was refused for its form was never begun.
    let form = [("colour", "red")];
    let wrong = place.call(Method::POST, "customers", &form).header("idempotency-key", "k3");
    assert_eq!(answer(wrong).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(answer(create("Ada", "k3")).await.0, StatusCode::OK);

    // What was refused for its sense is an answer, also when it would go now.
    let intent = place.paid(&id(&first), &[]).await;
    let form = [("payment_intent", intent["id"].as_str().unwrap()), ("amount", "1001")];
    for is_replayed in [false, true] {
        let refund = place.call(Method::POST, "refunds", &form).header("idempotency-key", "k4");
        let refused = refund.send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        assert_eq!(refused.headers().contains_key("idempotent-replayed"), is_replayed);
    }

    // After a day a key is forgotten.
    place.set_clock("2026-11-22T12:00:01Z").await;
    place.call(Method::POST, "customers", &[]).header("idempotency-key", "k5").send().await.unwrap();
    assert_eq!(answer(create("Bob", "k1")).await.0, StatusCode::OK);
}

#[sqlx::test]
async fn lists_come_a_page_at_a_time_and_are_narrowed(pool: PgPool) {
    let place = Place::start(pool).await;
    let customer = place.customer().await;
    let mut intents = Vec::new();
    for day in 22..25 {
        place.set_clock(&format!("2026-11-{day}T12:00:00Z")).await;
        intents.push(id(&place.paid(&customer, &[]).await));
    }
    let list = async |form: &[(&str, &str)]| {
        let list = answer(place.call(Method::GET, "charges", form)).await.1;
        let data = list["data"].as_array().unwrap().clone();
        (data, list["has_more"].as_bool().unwrap())
    };
    let (page, has_more) = list(&[("limit", "2")]).await;
    assert_eq!((page.len(), has_more), (2, true));
    assert_eq!(page[0]["payment_intent"], intents[2].as_str(), "the latest first");
    let (rest, has_more) = list(&[("limit", "2"), ("starting_after", &id(&page[1]))]).await;
    assert_eq!((rest.len(), has_more, &rest[0]["payment_intent"]), (1, false, &json!(intents[0])));
    let (of_one, _) = list(&[("payment_intent", &intents[1])]).await;
    assert_eq!(of_one.len(), 1);
    let at = of_one[0]["created"].as_i64().unwrap();
    for (bound, at, count) in [("gte", at, 2), ("gt", at, 1), ("lt", at, 1), ("lte", at, 2)] {
        let (found, _) = list(&[(&format!("created[{bound}]"), &at.to_string())]).await;
        assert_eq!(found.len(), count, "{bound}");
    }
    let types = [("types[0]", "charge.succeeded"), ("types[1]", "checkout.session.completed")];
    let events = answer(place.call(Method::GET, "events", &types)).await.1;
    assert_eq!(events["data"].as_array().unwrap().len(), 6);
    place.set_clock("2026-12-23T12:00:00Z").await;
    let events = answer(place.call(Method::GET, "events", &types)).await.1;
    assert_eq!(events["data"].as_array().unwrap().len(), 4, "of thirty days");
}

#[sqlx::test]
async fn where_money_is_real_there_is_no_stand_in(pool: PgPool) {
    let live = App::start_live(pool).await;
    for path in ["/sandbox", "/sandbox/checkout/cs_1", "/sandbox/portal/bps_1", "/sandbox/stripe/v1/events"] {
        assert_eq!(live.browser().get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}
