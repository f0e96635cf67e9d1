//! Disputes, as banks open and decide them.

use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::PgPool;

use super::{Place, id};

async fn disputed(place: &Place, deed: &str) -> (String, String) {
    let intent = place.paid(&place.customer().await, &[]).await;
    let charge = intent["latest_charge"].as_str().unwrap().to_owned();
    place.events(4).await;
    place.deed(deed, &charge).await;
    let events = place.events(2).await;
    assert_eq!(events[0]["type"], "charge.dispute.created");
    (charge, id(&events[0]["data"]["object"]))
}

#[sqlx::test]
async fn a_dispute_takes_the_money_and_a_won_one_brings_it_back(pool: PgPool) {
    let place = Place::start(pool).await;
    for (deed, told) in [
        ("win", ["charge.dispute.funds_reinstated", "charge.dispute.closed"].as_slice()),
        ("lose", &["charge.dispute.closed"]),
    ] {
        let (charge, dispute) = disputed(&place, "dispute").await;
        let known = place.get("events?types[0]=charge.dispute.funds_withdrawn&limit=1").await;
        let withdrawn = &known["data"][0]["data"]["object"];
        assert_eq!((&withdrawn["id"], &withdrawn["amount"]), (&json!(dispute), &json!(1000)));
        let refused = place.refused(Method::POST, "refunds", &[("charge", &charge)]).await;
        assert_eq!(refused.1, "charge_disputed");
        place.deed(deed, &dispute).await;
        let events = place.events(told.len()).await;
        let types: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(types, told);
        let status = if deed == "win" { "won" } else { "lost" };
        assert!(events.iter().all(|event| event["data"]["object"]["status"] == status));
        let over = place.submit("/sandbox", &[("deed", "win"), ("id", &dispute)]).await;
        assert_eq!(over.status(), StatusCode::BAD_REQUEST);
    }
}

#[sqlx::test]
async fn an_inquiry_takes_nothing_until_the_bank_does(pool: PgPool) {
    let place = Place::start(pool).await;
    let (charge, closed) = disputed(&place, "inquiry").await;
    place.deed("win", &closed).await;
    let events = place.events(1).await;
    assert_eq!(events[0]["type"], "charge.dispute.closed");
    assert_eq!(events[0]["data"]["object"]["status"], "warning_closed");
    place.post("refunds", &[("charge", &charge), ("amount", "1")]).await;
    place.events(2).await;

    let (_, taken) = disputed(&place, "inquiry").await;
    place.deed("escalate", &taken).await;
    assert_eq!(place.told(2).await, ["charge.dispute.updated", "charge.dispute.funds_withdrawn"]);
}
