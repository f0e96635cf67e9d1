//! How webhooks go: as they are switched to, again where they were not taken, and by hand.

use std::time::Duration;

use reqwest::StatusCode;
use scrip::server::stripe::sandbox;
use sqlx::PgPool;

use super::{Place, id};

impl Place {
    async fn switch(&self, switches: &[(&str, &str)]) {
        let form = [&[("deed", "switch")][..], switches].concat();
        let set = self.submit("/sandbox", &form).await;
        assert_eq!(set.status(), StatusCode::SEE_OTHER, "{}", set.text().await.unwrap());
    }

    /// What pays and tells of it: payment_intent.created, charge.succeeded, payment_intent.succeeded,
    /// checkout.session.completed.
    async fn something_happens(&self) {
        self.paid(&self.customer().await, &[]).await;
    }

    /// As if the pause before the next attempt were over.
    async fn skip_pauses(&self, pool: &PgPool) {
        sqlx::query!("update sandbox_deliveries set due_at = now() where due_at is not null")
            .execute(pool)
            .await
            .unwrap();
        sandbox::go_on(&self.app.state).await.unwrap();
    }
}

#[sqlx::test]
async fn they_come_late_twice_or_in_another_order_where_that_is_set(pool: PgPool) {
    let place = Place::start(pool.clone()).await;
    place.switch(&[("delay_seconds", "0"), ("doubled", "on")]).await;
    place.something_happens().await;
    let events = place.events(8).await;
    let ids: Vec<String> = events.iter().map(id).collect();
    assert_eq!(ids.len(), 8);
    assert!(ids.chunks(2).all(|pair| pair[0] == pair[1]), "{ids:?}");

    place.switch(&[("delay_seconds", "0"), ("held_back", "on"), ("reordered", "on")]).await;
    place.something_happens().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(place.events(0).await.len(), 0, "held back");
    place.switch(&[("delay_seconds", "0"), ("reordered", "on")]).await;
    let told = place.told(4).await;
    assert_eq!(
        (told[0].as_str(), told[3].as_str()),
        ("checkout.session.completed", "payment_intent.created")
    );

    place.switch(&[("delay_seconds", "3600")]).await;
    place.something_happens().await;
    sandbox::go_on(&place.app.state).await.unwrap();
    assert_eq!(place.events(0).await.len(), 0, "not yet");
    place.skip_pauses(&pool).await;
    assert_eq!(place.told(4).await[0], "payment_intent.created");

    for wrong in ["-1", "3601", "soon", ""] {
        let refused = place.submit("/sandbox", &[("deed", "switch"), ("delay_seconds", wrong)]).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[sqlx::test]
async fn what_is_not_taken_comes_again_after_a_pause_and_for_three_days(pool: PgPool) {
    let place = Place::start(pool.clone()).await;
    place.switch(&[("delay_seconds", "0"), ("next_fails", "on")]).await;
    place.something_happens().await;
    assert_eq!(place.told(3).await[0], "charge.succeeded", "the first was lost");
    sandbox::go_on(&place.app.state).await.unwrap();
    assert_eq!(place.events(0).await.len(), 0, "it waits for its pause");
    place.skip_pauses(&pool).await;
    assert_eq!(place.told(1).await, ["payment_intent.created"]);

    place.answer_with(StatusCode::INTERNAL_SERVER_ERROR);
    place.something_happens().await;
    assert_eq!(place.events(4).await.len(), 4);
    place.skip_pauses(&pool).await;
    assert_eq!(place.events(4).await.len(), 4, "each again");
    sqlx::query!("update sandbox_deliveries set created_at = now() - interval '3 days'")
        .execute(&pool)
        .await
        .unwrap();
    place.skip_pauses(&pool).await;
    place.events(4).await;
    let left =
        sqlx::query_scalar!("select count(*) as \"left!\" from sandbox_deliveries where due_at is not null");
    assert_eq!(left.fetch_one(&pool).await.unwrap(), 0, "given up");
    assert!(place.page("/sandbox").await.contains("500 after 3"));
}

#[sqlx::test]
async fn an_event_is_delivered_again_by_hand(pool: PgPool) {
    let place = Place::start(pool).await;
    place.something_happens().await;
    let first = place.events(4).await.remove(3);
    place.deed("deliver", &id(&first)).await;
    assert_eq!(place.events(1).await, [first]);
}

#[sqlx::test]
async fn the_overview_shows_what_there_is_and_refuses_other_sites(pool: PgPool) {
    let place = Place::start(pool).await;
    let customer = place.customer().await;
    let session = place.session(&customer, &[]).await;
    place.something_happens().await;
    let response = place.app.browser().get("/sandbox").await;
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'self'"), "{policy}");
    assert_eq!(response.headers()["x-robots-tag"], "noindex");
    let page = response.text().await.unwrap();
    for shown in
        [session.as_str(), &customer, "Refund, as in the dashboard", "checkout.session.completed", "Expire"]
    {
        assert!(page.contains(shown), "{shown}");
    }
    assert_eq!(place.app.browser().get("/sandbox/style.css").await.status(), StatusCode::OK);
    for (deed, id) in [("dance", ""), ("expire", "cs_none"), ("refund", "ch_none")] {
        let refused = place.submit("/sandbox", &[("deed", deed), ("id", id)]).await;
        assert!(refused.status().is_client_error(), "{deed}");
    }
    place.deed("expire", &session).await;
    for path in ["/sandbox", "/sandbox/checkout/cs_1", "/sandbox/portal/bps_1"] {
        let url = format!("{}{path}", place.app.url);
        let elsewhere = reqwest::Client::new().post(url).form(&[("deed", "expire")]);
        let answer = elsewhere.header("origin", "https://evil.example").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
}
