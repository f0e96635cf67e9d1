//! A host sends its user to the pages of their account.

use reqwest::{Method, StatusCode};
use scrip::server::clock::Clock;
use serde_json::json;
use sqlx::PgPool;

use super::host::Host;
use crate::support::App;

async fn way_in(host: &Host, account: &str) -> String {
    let body = json!({"return_url": "http://localhost:8080/account?tab=credits"});
    let session = host.post(&format!("/accounts/{account}/portal-sessions"), body).await.ok();
    let url = session["url"].as_str().unwrap();
    url[url.find("/portal/").unwrap()..].to_owned()
}

#[sqlx::test]
async fn the_hosts_user_comes_in_spends_and_finds_the_way_back(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let id = host.post("/accounts", json!({"external_id": "u7", "name": "Ada L."})).await.ok()["id"].clone();
    let id = id.as_str().unwrap();
    for _ in 0..2 {
        let browser = app.browser();
        let page = browser.get(&way_in(&host, id).await).await;
        assert_eq!((page.status(), page.url().path()), (StatusCode::OK, "/actions"));
        let page = page.text().await.unwrap();
        assert!(page.contains("Ada L."), "who it is");
        assert!(page.contains("http://localhost:8080/account?tab=credits"), "the way back");
        let fields = browser.prompt("/actions/render").await;
        let done = browser.confirm("/actions/render", &fields).await;
        assert_eq!(done.url().path(), "/actions");
    }
    assert_eq!(host.available(id).await, 8);
}

#[sqlx::test]
async fn a_way_in_can_be_gone_once_and_within_ten_minutes(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 0).await;
    let used = way_in(&host, &id).await;
    app.browser().get(&used).await;
    let stale = way_in(&host, &id).await;
    let left =
        sqlx::query_scalar!("select min(expires_at) as \"end!\" from portal_sessions").fetch_one(&pool).await;
    let left = left.unwrap() - Clock::default().now();
    assert!((595..=600).contains(&left.num_seconds()), "{left}");
    sqlx::query!("update portal_sessions set expires_at = now()").execute(&pool).await.unwrap();
    for path in [&used, &stale, "/portal/nonsense"] {
        let browser = app.browser();
        let page = browser.get(path).await;
        assert_eq!(page.status(), StatusCode::GONE, "{path}");
        assert!(page.text().await.unwrap().contains("used already, or is too old"), "{path}");
        assert_eq!(browser.get("/credits").await.url().path(), "/sign-in", "nobody is signed in");
    }
}

#[sqlx::test]
async fn who_is_signed_in_as_somebody_else_is_asked_first(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let browser = app.member("ada@example.com").await;
    let path = way_in(&host, &host.account("grace", 40).await).await;
    let page = browser.get(&path).await;
    assert_eq!(page.url().path(), path, "it leads nowhere");
    assert!(page.text().await.unwrap().contains("You are signed in as <strong>ada@example.com"));
    assert!(browser.get("/credits").await.text().await.unwrap().contains("ada@example.com"), "still she");
    let token = path.trim_start_matches("/portal/");
    let agreed = browser.submit(&path, "enter_portal", &[("token", token), ("agreed", "true")]).await;
    assert_eq!(agreed.url().path(), "/actions");
    assert!(!agreed.text().await.unwrap().contains("ada@example.com"));
}

#[sqlx::test]
async fn who_only_looks_ahead_does_not_use_a_way_in_up(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let path = way_in(&host, &host.account("ada", 0).await).await;
    let browser = app.browser();
    for request in [
        browser.request(Method::HEAD, &path),
        browser.request(Method::GET, &path).header("sec-purpose", "prefetch;prerender"),
        browser.request(Method::GET, &path).header("purpose", "prefetch"),
    ] {
        assert_eq!(request.send().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(browser.get("/credits").await.url().path(), "/sign-in", "nobody is signed in");
    }
    assert_eq!(browser.get(&path).await.url().path(), "/actions");
}

#[sqlx::test]
async fn nobody_is_led_back_to_where_the_operator_does_not_say(pool: PgPool) {
    let sandbox = App::start(pool.clone()).await;
    let host = Host::of(&sandbox).await;
    let id = host.account("ada", 0).await;
    let status = async |host: &Host, url: &str| {
        let path = format!("/accounts/{id}/portal-sessions");
        host.post(&path, json!({"return_url": url})).await.status.as_u16()
    };
    for url in ["http://localhost/", "http://127.0.0.1:9/x", "https://localhost:8443/a?b"] {
        assert_eq!(status(&host, url).await, 201, "{url}");
    }
    let elsewhere = [
        "https://evil.example/",
        "https://localhost@evil.example/",
        "https://evil.example@localhost/",
        "http://localhost.evil.example/",
        "javascript:alert(1)",
        "//localhost/",
        "/credits",
        "localhost",
    ];
    for url in elsewhere {
        assert_eq!(status(&host, url).await, 422, "{url}");
    }
    let live = App::start_live(pool).await;
    let host = Host::of(&live).await;
    for url in elsewhere.into_iter().chain([
        "http://localhost/",
        "http://app.example.com/",
        "https://app.example.com:444/",
    ]) {
        assert_eq!(status(&host, url).await, 422, "{url}");
    }
    assert_eq!(status(&host, "https://app.example.com/account").await, 201);
}

#[sqlx::test]
async fn nobody_is_led_into_an_account_that_somebody_signs_in_to(pool: PgPool) {
    let app = App::start(pool).await;
    let _ada = app.member("ada@example.com").await;
    let id = app.account_of("ada@example.com").await;
    let body = json!({"return_url": "http://localhost/"});
    let refused = Host::of(&app).await.post(&format!("/accounts/{id}/portal-sessions"), body).await;
    assert_eq!(refused.problem(), (409, "signs_in_here"));
}
