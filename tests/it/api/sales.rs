//! A host sells credits from its own pages.

use reqwest::Method;
use scrip::server::{
    clock::Clock,
    purchases,
    store::{self, api_keys::Scope},
};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::host::{Host, new_key};
use crate::support::App;

const CATALOG: &str = r#"
    name = "Test product"
    summary = "What the tests run."
    [signup]
    credits = 10
    [[actions]]
    key = "render"
    title = "Render a picture"
    cost = 1
    [[packs]]
    key = "small"
    title = "Small pack"
    credits = 50
    price = "9.00"
    currency = "usd"
    [[plans]]
    key = "free"
    title = "Free"
    monthly_credits = 5
"#;

const HERE: &str = "http://localhost:8080/account?bought={PURCHASE}";

fn pack(key: &str) -> Value {
    json!({"pack": key, "success_url": HERE, "cancel_url": HERE})
}

async fn shop(pool: PgPool) -> (App, Host, String) {
    let app = App::start_with(pool, Clock::default(), CATALOG).await;
    let host = Host::of(&app).await;
    let path = format!("/accounts/{}/checkout-sessions", host.account("ada", 0).await);
    (app, host, path)
}

#[sqlx::test]
async fn what_is_not_for_sale_gets_no_payment_page(pool: PgPool) {
    let (app, host, path) = shop(pool).await;
    for (body, problem) in [
        (pack("none"), (404, "unknown_pack")),
        (json!({"plan": "none", "success_url": HERE, "cancel_url": HERE}), (404, "unknown_plan")),
        (json!({"plan": "free", "success_url": HERE, "cancel_url": HERE}), (422, "not_for_sale")),
    ] {
        assert_eq!(host.command(&path, "k", body.clone()).await.problem(), problem, "{body}");
    }
    let both = json!({"pack": "small", "plan": "free", "success_url": HERE, "cancel_url": HERE});
    let none = json!({"success_url": HERE, "cancel_url": HERE});
    for (body, field) in [(both, "plan"), (none, "pack")] {
        let refused = host.command(&path, "k", body).await;
        assert_eq!(refused.problem(), (422, "invalid"));
        assert_eq!(refused.body["errors"][0]["path"], field);
    }
    assert_eq!(host.post(&path, pack("small")).await.problem(), (400, "idempotency_key_missing"));
    let nobody = format!("/accounts/acct_{}/checkout-sessions", Uuid::nil().simple());
    assert_eq!(host.command(&nobody, "k", pack("small")).await.problem(), (404, "unknown_account"));
    let (_, key) = new_key(&app.state.pool, &[Scope::Spend, Scope::Read], 100).await;
    let spender = Host::at(&app.url, key);
    assert_eq!(spender.command(&path, "k", pack("small")).await.problem(), (403, "scope_missing"));
}

#[sqlx::test]
async fn a_buyer_is_led_back_only_to_where_the_operator_says(pool: PgPool) {
    let (_app, host, path) = shop(pool).await;
    for url in ["https://evil.example/", "//localhost/", "/credits", "javascript:alert(1)"] {
        for (success_url, cancel_url) in [(url, HERE), (HERE, url)] {
            let body = json!({"pack": "small", "success_url": success_url, "cancel_url": cancel_url});
            assert_eq!(host.command(&path, "k", body).await.problem(), (422, "return_url_refused"), "{url}");
        }
    }
}

#[sqlx::test]
async fn the_key_of_a_purchase_that_was_given_up_is_told_to_begin_another(pool: PgPool) {
    let (app, host, path) = shop(pool).await;
    // Nobody answers there.
    let unanswered = (503, "payments_unavailable");
    assert_eq!(host.command(&path, "k", pack("small")).await.problem(), unanswered);
    let mut conn = app.state.pool.acquire().await.unwrap();
    let begun = store::purchases::page(&mut conn, None, None, 1).await.unwrap()[0].id;
    purchases::give_up_unsent(&app.state, begun).await.unwrap();
    assert_eq!(host.command(&path, "k", pack("small")).await.problem(), (409, "purchase_ended"));
    assert_eq!(host.command(&path, "k2", pack("small")).await.problem(), unanswered, "it begins anew");
}

#[sqlx::test]
async fn a_purchase_that_does_not_exist_is_not_found(pool: PgPool) {
    let (_app, host, _) = shop(pool).await;
    for id in [Uuid::nil().to_string(), "none".to_owned()] {
        let answer = host.send(Method::GET, &format!("/purchases/{id}"), None, Value::Null).await;
        assert_eq!(answer.problem(), (404, "unknown_purchase"), "{id}");
    }
}
