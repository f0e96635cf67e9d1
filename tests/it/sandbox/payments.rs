//! Paying once: on the hosted page, in every way that it offers, and off session; refunds.

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::PgPool;

use super::{Place, answer, id};
use crate::support::noon;

const PAID: [&str; 4] =
    ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded", "checkout.session.completed"];

#[sqlx::test]
async fn a_card_that_works_pays_and_leads_back(pool: PgPool) {
    let place = Place::start(pool).await;
    let customer = place.customer().await;
    let more = [("payment_intent_data[metadata][scrip_purchase]", "p1")];
    let session = place.session(&customer, &more).await;
    let path = format!("checkout/sessions/{session}");
    let open = place.get(&path).await;
    assert_eq!((&open["status"], &open["payment_status"]), (&json!("open"), &json!("unpaid")));
    assert!(open["url"].as_str().unwrap().ends_with(&format!("/sandbox/checkout/{session}")));

    let page = place.page(&format!("/sandbox/checkout/{session}")).await;
    for shown in ["A &lt;thousand&gt; credits", "$10.00", "Sandbox", "noindex", "http://localhost:9/back"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    assert!(!page.contains("<script"));
    assert_eq!(place.pay(&session, "4242").await, format!("http://localhost:9/done?session={session}"));

    let events = place.events(4).await;
    let told: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(told, PAID);
    let done = place.get(&path).await;
    assert_eq!(events[3]["data"]["object"], done);
    assert_eq!((&done["status"], &done["payment_status"]), (&json!("complete"), &json!("paid")));
    assert_eq!((&done["metadata"]["scrip_purchase"], &done["amount_total"]), (&json!("p1"), &json!(1000)));
    assert_eq!(done["customer_details"]["email"], "ada@example.com");
    let charge = &events[1]["data"]["object"];
    assert_eq!(charge["metadata"]["scrip_purchase"], "p1");
    assert_eq!((&charge["paid"], &charge["payment_intent"]), (&json!(true), &done["payment_intent"]));
    let receipt = charge["receipt_url"].as_str().unwrap();
    assert!(place.page(&receipt[receipt.find("/sandbox/").unwrap()..]).await.contains("$10.00"));
    assert_eq!(place.get(&format!("events/{}", id(&events[0]))).await, events[0]);

    let again = place.submit(&format!("/sandbox/checkout/{session}"), &[("with", "4242")]).await;
    assert_eq!(again.status(), StatusCode::BAD_REQUEST);
    let page = place.page(&format!("/sandbox/checkout/{session}")).await;
    assert!(page.contains("paid for already") && page.contains(&format!("done?session={session}")));
    let refused = place.refused(Method::POST, &format!("{path}/expire"), &[]).await;
    assert_eq!(refused.0, 400, "what is complete does not expire");
}

#[sqlx::test]
async fn what_is_paid_in_two_tabs_at_once_is_paid_once(pool: PgPool) {
    let place = Place::start(pool).await;
    let session = place.session(&place.customer().await, &[]).await;
    let page = format!("/sandbox/checkout/{session}");
    let pay = || place.submit(&page, &[("with", "4242")]);
    let (one, other) = tokio::join!(pay(), pay());
    let mut statuses = [one.status().as_u16(), other.status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 400]);
    assert_eq!(place.told(4).await, PAID);
    assert_eq!(place.get("charges").await["data"].as_array().unwrap().len(), 1);
}

#[sqlx::test]
async fn a_card_may_decline_or_ask_its_holder_and_the_page_stays_open(pool: PgPool) {
    let place = Place::start(pool).await;
    let session = place.session(&place.customer().await, &[]).await;
    let here = format!("/sandbox/checkout/{session}");
    assert_eq!(place.pay(&session, "0002").await, format!("{here}?after=declined"));
    assert!(place.page(&format!("{here}?after=declined")).await.contains("The card was declined"));
    let declined = ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"];
    assert_eq!(place.told(3).await, declined);

    assert_eq!(place.pay(&session, "3184").await, format!("{here}?after=asks"));
    assert!(place.page(&format!("{here}?after=asks")).await.contains("Confirm"));
    assert_eq!(place.pay(&session, "refused").await, format!("{here}?after=declined"));
    assert_eq!(place.told(2).await, declined[1..], "the same payment intent");
    assert!(place.pay(&session, "confirmed").await.starts_with("http://localhost:9/done"));
    assert_eq!(place.told(3).await, PAID[1..]);
    assert_eq!(place.get("charges").await["data"].as_array().unwrap().len(), 3);
    let nonsense = place.submit(&here, &[("with", "gold")]).await;
    assert_eq!(nonsense.status(), StatusCode::BAD_REQUEST);
}

#[sqlx::test]
async fn a_bank_debit_completes_unpaid_and_comes_or_fails_later(pool: PgPool) {
    let place = Place::start(pool).await;
    let customer = place.customer().await;
    for (with, deed, has_come) in
        [("6789", None, true), ("2227", None, false), ("6789", Some("debit_fails"), false)]
    {
        let session = place.session(&customer, &[]).await;
        place.pay(&session, with).await;
        let told = place.told(4).await;
        assert_eq!(told[1..], ["charge.pending", "payment_intent.processing", "checkout.session.completed"]);
        let path = format!("checkout/sessions/{session}");
        let unpaid = place.get(&path).await;
        assert_eq!((&unpaid["status"], &unpaid["payment_status"]), (&json!("complete"), &json!("unpaid")));
        match deed {
            Some(deed) => place.deed(deed, unpaid["payment_intent"].as_str().unwrap()).await,
            None => {
                let later = place.app.state.clock.now() + TimeDelta::minutes(5);
                place.set_clock(&later.to_rfc3339()).await;
            }
        }
        let expected = match has_come {
            true => {
                ["charge.succeeded", "payment_intent.succeeded", "checkout.session.async_payment_succeeded"]
            }
            false => {
                ["charge.failed", "payment_intent.payment_failed", "checkout.session.async_payment_failed"]
            }
        };
        assert_eq!(place.told(3).await, expected);
        let status = if has_come { "paid" } else { "unpaid" };
        assert_eq!(place.get(&path).await["payment_status"], status);
    }
}

#[sqlx::test]
async fn a_session_that_is_left_expires_after_a_day(pool: PgPool) {
    let place = Place::start(pool).await;
    let customer = place.customer().await;
    let (left, ended) = (place.session(&customer, &[]).await, place.session(&customer, &[]).await);
    let expired = place.post(&format!("checkout/sessions/{ended}/expire"), &[]).await;
    assert_eq!(expired["status"], "expired");
    assert_eq!(place.told(1).await, ["checkout.session.expired"]);
    place.set_clock("2026-11-22T11:59:59Z").await;
    assert_eq!(place.get(&format!("checkout/sessions/{left}")).await["status"], "open");
    place.set_clock("2026-11-25T00:00:00Z").await;
    let events = place.events(1).await;
    assert_eq!((events.len(), &events[0]["data"]["object"]["id"]), (1, &json!(left)));
    assert_eq!(events[0]["created"], (noon() + TimeDelta::days(1)).timestamp(), "when it was due");
    assert!(place.page(&format!("/sandbox/checkout/{left}")).await.contains("has expired"));
    let late = place.submit(&format!("/sandbox/checkout/{left}"), &[("with", "4242")]).await;
    assert_eq!(late.status(), StatusCode::BAD_REQUEST);
}

#[sqlx::test]
async fn refunds_add_up_to_what_was_paid_and_no_more(pool: PgPool) {
    let place = Place::start(pool).await;
    let intent = id(&place.paid(&place.customer().await, &[]).await);
    place.events(4).await;
    let refund = place.post("refunds", &[("payment_intent", &intent), ("amount", "333")]).await;
    assert_eq!((&refund["status"], &refund["amount"]), (&json!("succeeded"), &json!(333)));
    let events = place.events(2).await;
    assert_eq!(
        (&events[0]["type"], &events[1]["type"]),
        (&json!("refund.created"), &json!("charge.refunded"))
    );
    let charge = &events[1]["data"]["object"];
    assert_eq!((&charge["amount_refunded"], &charge["refunded"]), (&json!(333), &json!(false)));

    let much = [("payment_intent", intent.as_str()), ("amount", "668")];
    assert_eq!(
        place.refused(Method::POST, "refunds", &much).await,
        (400, String::new(), "amount".to_owned())
    );
    place.submit("/sandbox", &[("deed", "refund"), ("id", &id(charge)), ("amount", "333")]).await;
    let rest = place.post("refunds", &[("charge", &id(charge))]).await;
    assert_eq!(rest["amount"], 334);
    let refused = place.refused(Method::POST, "refunds", &[("charge", &id(charge))]).await;
    assert_eq!((refused.0, refused.1.as_str()), (400, "charge_already_refunded"));
    let nothing = place.refused(Method::POST, "refunds", &[]).await;
    assert_eq!(nothing.1, "parameter_missing");
    let whole = place.get(&format!("charges/{}", id(charge))).await;
    assert_eq!((&whole["amount_refunded"], &whole["refunded"]), (&json!(1000), &json!(true)));
    place.events(4).await;

    place.deed("refund_fails", &id(&rest)).await;
    let events = place.events(3).await;
    assert_eq!(events[1]["type"], "refund.failed");
    assert_eq!(events[1]["data"]["object"]["status"], "failed");
    assert_eq!(place.get(&format!("refunds/{}", id(&rest))).await["status"], "failed");
    assert_eq!(place.get(&format!("charges/{}", id(charge))).await["amount_refunded"], 666);
}

#[sqlx::test]
async fn a_card_may_pay_while_its_holder_is_there_and_decline_once_it_is_kept(pool: PgPool) {
    let place = Place::start(pool).await;
    for later in ["0341", "3184"] {
        let customer = place.customer().await;
        let session =
            place.session(&customer, &[("payment_intent_data[setup_future_usage]", "off_session")]).await;
        place.pay(&session, if later == "3184" { "confirmed" } else { later }).await;
        assert_eq!(place.told(4).await, PAID, "{later}");
        let kept = place.get(&format!("customers/{customer}/payment_methods")).await;
        let form = [
            ("amount", "1200"),
            ("currency", "eur"),
            ("customer", customer.as_str()),
            ("payment_method", kept["data"][0]["id"].as_str().unwrap()),
            ("payment_method_types[0]", "card"),
            ("off_session", "true"),
            ("confirm", "true"),
        ];
        assert_eq!(place.refused(Method::POST, "payment_intents", &form).await.0, 402, "{later}");
        let declined = ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"];
        assert_eq!(place.told(3).await, declined, "{later}");
    }
}

#[sqlx::test]
async fn a_saved_card_pays_off_session_until_it_declines(pool: PgPool) {
    let place = Place::start(pool).await;
    let customer = place.customer().await;
    place.paid(&customer, &[]).await;
    let methods = format!("customers/{customer}/payment_methods");
    assert_eq!(place.get(&methods).await["data"], json!([]), "it was not to be saved");
    let saved = place.paid(&customer, &[("payment_intent_data[setup_future_usage]", "off_session")]).await;
    let method = id(&place.get(&methods).await["data"][0]);
    assert_eq!(saved["payment_method"], method.as_str());
    place.events(8).await;

    let form = [
        ("amount", "1200"),
        ("currency", "eur"),
        ("customer", customer.as_str()),
        ("payment_method", method.as_str()),
        ("automatic_payment_methods[enabled]", "true"),
        ("automatic_payment_methods[allow_redirects]", "never"),
        ("off_session", "true"),
        ("confirm", "true"),
        ("metadata[scrip_purchase]", "p2"),
    ];
    let intent = place.post("payment_intents", &form).await;
    assert_eq!((&intent["status"], &intent["amount_received"]), (&json!("succeeded"), &json!(1200)));
    assert_eq!(place.told(3).await, PAID[..3]);

    place.deed("card_declines", &customer).await;
    let pay = || place.call(Method::POST, "payment_intents", &form).header("idempotency-key", "k");
    let (status, declined) = answer(pay()).await;
    assert_eq!((status.as_u16(), &declined["error"]["code"]), (402, &json!("card_declined")));
    assert_eq!(declined["error"]["type"], "card_error");
    assert_eq!(declined["error"]["payment_intent"]["status"], "requires_payment_method");
    assert_eq!(place.told(3).await[2], "payment_intent.payment_failed", "what declined is written");
    place.deed("card_works", &customer).await;
    assert_eq!(answer(pay()).await, (status, declined), "the answer stays");
    assert_eq!(place.post("payment_intents", &form).await["status"], "succeeded");

    let without = [("amount", "1200"), ("currency", "eur"), ("confirm", "true")];
    assert_eq!(place.refused(Method::POST, "payment_intents", &without).await.0, 400);
    let small = [("amount", "49"), ("currency", "eur")];
    assert_eq!(place.refused(Method::POST, "payment_intents", &small).await.1, "amount_too_small");
    let other = place.customer().await;
    let of_another: Vec<(&str, &str)> = form
        .iter()
        .map(|(name, value)| (*name, if *name == "customer" { other.as_str() } else { *value }))
        .collect();
    assert_eq!(place.refused(Method::POST, "payment_intents", &of_another).await.0, 400);
}
