//! The test clock of a sandbox.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use scrip::server::{clock::Clock, test_clock};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::host::{Answer, Host};
use crate::support::{App, CATALOG, noon};

async fn set(host: &Host, now: Value) -> Answer {
    host.send(Method::PUT, "/test/clock", None, json!({"now": now})).await
}

#[sqlx::test]
async fn set_forward_what_fell_due_is_written_down_in_order(pool: PgPool) {
    let app = App::start_with(pool.clone(), Clock::standing_at(noon()), CATALOG).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 0).await;
    let grant =
        json!({"amount": 5, "source": "bonus", "reason": "Soon gone", "expires_at": "2026-11-21T13:00:00Z"});
    host.command(&format!("/accounts/{id}/grants"), "g", grant).await.ok();
    host.command("/holds", "h", json!({"account": id, "amount": 3, "expires_in": 600})).await.ok();
    let clock = set(&host, json!("2026-12-01T00:00:00.0000009Z")).await.ok();
    assert_eq!(clock, json!({"now": "2026-12-01T00:00:00Z", "standing": true}));
    assert_eq!(host.get("/test/clock").await.ok(), clock);
    let written =
        sqlx::query!("select kind::text as \"kind!\", at from entries where key is null order by version");
    let written = written.fetch_all(&pool).await.unwrap();
    let written: Vec<(&str, DateTime<Utc>)> = written.iter().map(|row| (row.kind.as_str(), row.at)).collect();
    assert_eq!(written, [("r", noon() + TimeDelta::minutes(10)), ("x", noon() + TimeDelta::hours(1))]);
    assert_eq!(host.available(&id).await, 10);
}

#[sqlx::test]
async fn set_back_it_serves_new_accounts_and_refuses_old_ones(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    set(&host, json!("2030-01-01T00:00:00Z")).await.ok();
    let old = host.account("old", 0).await;
    set(&host, json!("2029-01-01T00:00:00Z")).await.ok();
    let refused = host.command("/spends", "k", json!({"account": old, "amount": 1})).await;
    assert_eq!(refused.problem(), (409, "clock_behind"));
    let young = host.account("young", 0).await;
    let entry = host.command("/spends", "k", json!({"account": young, "amount": 1})).await.ok();
    assert_eq!(entry["at"], "2029-01-01T00:00:00Z");
    // And on with the time of the machine.
    let clock = set(&host, json!(null)).await.ok();
    assert_eq!(clock["standing"], false);
    assert!(app.state.clock.now() < "2029-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap());
}

#[sqlx::test]
async fn it_is_kept_when_the_program_starts_again(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    set(&Host::of(&app).await, json!("2030-01-01T00:00:00Z")).await.ok();
    drop(app);
    let again = App::start(pool).await;
    test_clock::follow(&again.state).await.unwrap();
    let clock = Host::of(&again).await.get("/test/clock").await.ok();
    assert_eq!(clock, json!({"now": "2030-01-01T00:00:00Z", "standing": true}));
}

#[sqlx::test]
async fn people_stay_signed_in_however_it_is_set(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    set(&Host::of(&app).await, json!("2035-01-01T00:00:00Z")).await.ok();
    assert!(ada.page("/credits").await.contains("10"));
    app.member("bob@example.com").await.page("/credits").await;
}

#[sqlx::test]
async fn where_money_is_real_time_is_as_well(pool: PgPool) {
    let sandbox = App::start(pool.clone()).await;
    set(&Host::of(&sandbox).await, json!("2030-01-01T00:00:00Z")).await.ok();
    let live = App::start_live(pool).await;
    test_clock::follow(&live.state).await.unwrap();
    let host = Host::of(&live).await;
    assert_eq!(set(&host, json!("2031-01-01T00:00:00Z")).await.problem(), (403, "not_a_sandbox"));
    assert_eq!(host.get("/test/clock").await.problem(), (403, "not_a_sandbox"));
    assert_eq!(live.state.clock.standing(), None);
}
