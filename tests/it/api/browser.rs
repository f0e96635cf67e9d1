//! What a product's own pages call.

use reqwest::{Method, StatusCode};
use scrip::server::{auth::Credentials, clock::Clock, store::people::Role};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::host::Answer;
use crate::support::{App, Browser, CATALOG, PASSWORD, noon};

/// As the interior-design product sells it.
const INTERIOR: &str = include_str!("../../../catalogs/interior.toml");

async fn get(browser: &Browser, path: &str) -> Value {
    Answer::of(browser.request(Method::GET, path)).await.ok()
}

async fn post(app: &App, browser: &Browser, path: &str, body: Value) -> Answer {
    let request = browser.request(Method::POST, path).header("origin", &app.url);
    Answer::of(request.header("content-type", "application/json").body(body.to_string())).await
}

#[sqlx::test]
async fn a_page_sees_credits_and_consumes_them(pool: PgPool) {
    let app = App::start_with(pool, Clock::default(), INTERIOR).await;
    let ada = app.member("ada@example.com").await;
    let fresh = json!({"remaining": 6, "total": 6, "subscription_status": "free"});
    assert_eq!(get(&ada, "/api/user/credits").await, fresh);
    let consume = json!({"feature": "interior", "generation_id": "gen_123", "metadata": {}});
    for _ in 0..2 {
        let done = post(&app, &ada, "/api/user/credits/consume", consume.clone()).await.ok();
        assert_eq!((&done["success"], &done["remainingCredits"]), (&true.into(), &5.into()));
        assert!(done.get("creditInfo").is_none());
    }
    let other = json!({"feature": "exterior", "generation_id": "gen_123"});
    let refused = post(&app, &ada, "/api/user/credits/consume", other).await;
    assert_eq!(refused.problem(), (422, "key_reused"), "a generation is one");
    let next = json!({"feature": "exterior", "generation_id": "gen_124"});
    post(&app, &ada, "/api/user/credits/consume", next).await.ok();
    let left = json!({"remaining": 4, "total": 6, "subscription_status": "free"});
    assert_eq!(get(&ada, "/api/user/credits").await, left);
    let history = get(&ada, "/api/user/credits/history?limit=2").await;
    let newest = &history["history"][0];
    assert_eq!(
        (&newest["type"], &newest["amount"], &newest["balance"]),
        (&"spend".into(), &(-1).into(), &4.into())
    );
    assert_eq!((&newest["generation_id"], &history["has_more"]), (&"gen_124".into(), &true.into()));
}

#[sqlx::test]
async fn what_cannot_be_paid_is_refused_with_the_catalogs_status(pool: PgPool) {
    for (setting, status) in [(402, StatusCode::PAYMENT_REQUIRED), (429, StatusCode::TOO_MANY_REQUESTS)] {
        let catalog =
            CATALOG.replace("low_balance", &format!("insufficient_status = {setting}\nlow_balance"));
        let app = App::start_with(pool.clone(), Clock::default(), &catalog).await;
        let ada = app.member(&format!("ada{setting}@example.com")).await;
        let consume = json!({"feature": "complete", "units": 30_000});
        let refused = post(&app, &ada, "/api/user/credits/consume", consume).await;
        assert_eq!((refused.status, &refused.body["success"]), (status, &false.into()));
        assert_eq!(refused.body["remainingCredits"], 10);
        assert_eq!(refused.body["error"], "This costs 15 credits, you have 10: 5 missing.");
    }
}

#[sqlx::test]
async fn tokens_are_counted_for_life_and_for_the_month(pool: PgPool) {
    let clock = Clock::standing_at(noon());
    let app = App::start_with(pool, clock.clone(), CATALOG).await;
    let ada = app.member("ada@example.com").await;
    let consume = async |id: &str| {
        let body = json!({"feature": "complete", "generation_id": id});
        post(&app, &ada, "/api/user/credits/consume", body).await.ok()["creditInfo"].clone()
    };
    let first = json!({"tokensUsed": 2000, "creditsRemaining": 9, "totalTokensUsed": 2000});
    assert_eq!(consume("a").await, first);
    clock.set("2026-12-21T12:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap());
    let second = json!({"tokensUsed": 2000, "creditsRemaining": 8, "totalTokensUsed": 4000});
    assert_eq!(consume("b").await, second);
    let usage = json!({
        "credits": 8,
        "tokensUsed": {"lifetime": 4000, "monthly": 2000},
        "monthlyResetDate": "2027-01-21T12:00:00Z",
        "isSubscribed": false,
        "subscriptionTier": "free",
        "subscriptionEndsAt": null,
    });
    assert_eq!(get(&ada, "/api/user/usage").await, usage);
}

#[sqlx::test]
async fn an_admin_grants_to_a_user(pool: PgPool) {
    let app = App::start(pool).await;
    let typed = |email: &str| Credentials { email: email.into(), password: PASSWORD.into() };
    app.state.auth.create(typed("root@example.com"), Role::Admin).await.unwrap();
    let user = app.state.auth.create(typed("ada@example.com"), Role::Member).await.unwrap();
    let root = app.browser();
    root.submit("/sign-in", "sign_in", &[("email", "root@example.com"), ("password", PASSWORD)]).await;
    let grant = json!({"user_id": user.id.to_string(), "credits": 7, "reason": "Sorry"});
    let done = post(&app, &root, "/api/admin/credits/grant", grant).await.ok();
    assert_eq!(
        (&done["success"], &done["credits"], &done["remainingCredits"]),
        (&true.into(), &7.into(), &17.into())
    );
    for (grant, status) in [
        (json!({"user_id": "user_00000000000000000000000000000007", "credits": 7, "reason": "?"}), 404),
        (json!({"user_id": "ada", "credits": 7, "reason": "?"}), 422),
        (json!({"user_id": "ext_nobody", "credits": 7, "reason": "?"}), 404),
        (json!({"user_id": user.account.to_string(), "credits": 1, "reason": "?"}), 200),
        (json!({"user_id": user.id.to_string(), "credits": 0, "reason": "?"}), 422),
        (json!({"user_id": user.id.to_string(), "credits": 1_000_000_000_000_000_i64, "reason": "?"}), 422),
        (json!({"user_id": user.id.to_string(), "credits": 7}), 422),
    ] {
        assert_eq!(
            post(&app, &root, "/api/admin/credits/grant", grant.clone()).await.status,
            status,
            "{grant}"
        );
    }
}

#[sqlx::test]
async fn bad_input_is_refused_with_its_field(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    for (body, field) in [
        (json!({}), "feature"),
        (json!({"feature": "complete", "units": 0}), "units"),
        (json!({"feature": "render", "units": 1}), "units"),
        (json!({"feature": "render", "generation_id": ""}), "generation_id"),
        (json!({"feature": "render", "metadata": 7}), "metadata"),
        (json!({"feature": "render", "nonsense": 7}), "nonsense"),
    ] {
        let answer = post(&app, &ada, "/api/user/credits/consume", body.clone()).await;
        assert_eq!(answer.problem(), (422, "invalid"), "{body}");
        assert!(answer.body["errors"][0].to_string().contains(field), "{body} {}", answer.body);
    }
    let unknown = post(&app, &ada, "/api/user/credits/consume", json!({"feature": "paint"})).await;
    assert_eq!(unknown.problem(), (404, "unknown_action"));
    assert_eq!(get(&ada, "/api/user/credits").await["remaining"], 10);
}

#[sqlx::test]
async fn what_was_paid_for_stays_paid_whatever_the_catalog_says(pool: PgPool) {
    let app = App::start_with(pool.clone(), Clock::default(), CATALOG).await;
    let ada = app.member("ada@example.com").await;
    let consume = json!({"feature": "complete", "generation_id": "gen_1"});
    let first = post(&app, &ada, "/api/user/credits/consume", consume.clone()).await.ok();
    for catalog in [CATALOG.replace("2000", "500"), CATALOG.replace("\"complete\"", "\"write\"")] {
        let other = App::start_with(pool.clone(), Clock::default(), &catalog).await;
        let ada = other.browser();
        ada.submit("/sign-in", "sign_in", &[("email", "ada@example.com"), ("password", PASSWORD)]).await;
        let again = post(&other, &ada, "/api/user/credits/consume", consume.clone()).await.ok();
        assert_eq!((&again["entry"], &again["remainingCredits"]), (&first["entry"], &9.into()));
    }
}

#[sqlx::test]
async fn nobody_takes_a_key_that_a_host_will_use(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    let request = ada.request(Method::POST, "/api/user/credits/consume").header("idempotency-key", "job-77");
    let request = request.header("content-type", "application/json").body(r#"{"feature": "render"}"#);
    Answer::of(request).await.ok();
    let id = app.account_of("ada@example.com").await;
    let hold = json!({"account": id.to_string(), "amount": 1});
    let hold = super::host::Host::of(&app).await.command("/holds", "job-77", hold).await;
    assert_eq!((hold.status.as_u16(), hold.is_replayed()), (201, false));
}
