//! Signing up, in and out, and what bad input gets.

use reqwest::{Method, StatusCode, header};
use scrip::server::clock::Clock;
use serde_json::Value;
use sqlx::PgPool;

use crate::support::{App, Browser, CATALOG, PASSWORD};

async fn count(pool: &PgPool, table: &'static str) -> i64 {
    let counts = sqlx::query!(
        r#"select (select count(*) from users) as "users!",
                  (select count(*) from accounts) as "accounts!",
                  (select count(*) from sessions) as "sessions!""#
    );
    let counts = counts.fetch_one(pool).await.unwrap();
    match table {
        "users" => counts.users,
        "accounts" => counts.accounts,
        "sessions" => counts.sessions,
        _ => unreachable!("no test counts {table}"),
    }
}

async fn code(response: reqwest::Response) -> (StatusCode, String) {
    let status = response.status();
    let problem: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    (status, problem["code"].as_str().unwrap().to_owned())
}

fn session_cookie(response: &reqwest::Response) -> String {
    let cookies = response.headers().get_all(header::SET_COOKIE).iter();
    let cookie =
        cookies.map(|cookie| cookie.to_str().unwrap()).find(|cookie| cookie.starts_with("scrip_session="));
    cookie.expect("a session begins").to_owned()
}

#[sqlx::test]
async fn signing_up_brings_the_credits_that_the_catalog_promises(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    assert!(ada.page("/credits").await.contains("10 of 10"));
    assert!(ada.page("/history").await.contains("Sign-up credits"));
}

#[sqlx::test]
async fn an_address_can_be_used_once_however_it_is_written(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    app.member("ada@example.com").await;
    let again = [("email", "ADA@Example.com"), ("password", PASSWORD)];
    assert_eq!(
        code(app.browser().call("sign_up", &again).await).await,
        (StatusCode::CONFLICT, "email_taken".into())
    );
    assert_eq!(count(&pool, "users").await, 1);
    assert_eq!(count(&pool, "accounts").await, 1, "nothing is half done");
}

#[sqlx::test]
async fn sixteen_sign_ups_with_one_address_make_one_member(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let url = app.url.clone();
    let tries = (0..16).map(|_| {
        let browser = Browser::new(&url, false);
        tokio::spawn(async move {
            let typed = [("email", "ada@example.com"), ("password", PASSWORD)];
            browser.call("sign_up", &typed).await.status()
        })
    });
    let mut made = 0;
    for status in tries.collect::<Vec<_>>() {
        match status.await.unwrap() {
            StatusCode::OK => made += 1,
            status => assert_eq!(status, StatusCode::CONFLICT),
        }
    }
    assert_eq!((made, count(&pool, "users").await, count(&pool, "accounts").await), (1, 1, 1));
}

#[sqlx::test]
async fn what_cannot_be_an_account_is_refused_with_its_reason(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let long = "x".repeat(10_000);
    for (email, password, expected) in [
        ("ada", PASSWORD, "email_malformed"),
        ("", PASSWORD, "email_malformed"),
        ("ada@example.com", "1234567", "password_length"),
        ("ada@example.com", &long, "password_length"),
    ] {
        let typed = [("email", email), ("password", password)];
        let answer = code(app.browser().call("sign_up", &typed).await).await;
        assert_eq!(answer, (StatusCode::UNPROCESSABLE_ENTITY, expected.to_owned()), "{email}");
    }
    assert_eq!(count(&pool, "users").await, 0);
}

#[sqlx::test]
async fn without_javascript_a_refused_form_says_why_and_keeps_the_address(pool: PgPool) {
    let app = App::start(pool).await;
    let browser = app.browser();
    let typed = [("email", "ada@example.com"), ("password", "short")];
    let response = browser.submit("/sign-up", "sign_up", &typed).await;
    assert_eq!((response.status(), response.url().path()), (StatusCode::OK, "/sign-up"));
    let address = response.url().to_string();
    assert!(!address.contains("ada"), "what was typed is not in the address: {address}");
    let page = response.text().await.unwrap();
    assert!(page.contains("A password has 8 to 256 characters."));
    assert!(page.contains("value=\"ada@example.com\""));
    assert!(!page.contains("short\""), "a password is never sent back");
}

#[sqlx::test]
async fn an_unknown_address_and_a_wrong_password_get_the_same_answer(pool: PgPool) {
    let app = App::start(pool).await;
    app.member("ada@example.com").await;
    let mut answers = Vec::new();
    for (email, password) in
        [("ada@example.com", "wrong password"), ("bob@example.com", PASSWORD), ("bob", PASSWORD)]
    {
        let response = app.browser().call("sign_in", &[("email", email), ("password", password)]).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(
            response
                .headers()
                .get(header::SET_COOKIE)
                .is_none_or(|cookie| !cookie.to_str().unwrap().contains("session"))
        );
        answers.push(response.text().await.unwrap());
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
}

#[sqlx::test]
async fn guessing_is_slowed_down_and_told_when_to_come_back(pool: PgPool) {
    let app = App::start(pool).await;
    let browser = app.browser();
    // Too short a password is not even hashed, so the attempts are quick.
    let guess = [("email", "ada@example.com"), ("password", "guess")];
    for _ in 0..10 {
        assert_eq!(browser.call("sign_in", &guess).await.status(), StatusCode::UNAUTHORIZED);
    }
    let response = browser.call("sign_in", &guess).await;
    let retry_after: u64 = response.headers()[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&retry_after));
    assert_eq!(code(response).await, (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts".into()));
}

#[sqlx::test]
async fn a_session_cookie_is_kept_from_scripts_and_other_sites(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let browser = Browser::new(&app.url, false);
    let response = browser.call("sign_up", &[("email", "ada@example.com"), ("password", PASSWORD)]).await;
    let cookie = session_cookie(&response);
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    assert!(!cookie.contains("Secure"), "a browser would never send it back over http");
    let value = cookie["scrip_session=".len()..].split(';').next().unwrap();
    let leaked = sqlx::query_scalar!(
        r#"select count(*) as "count!" from sessions where position($1 in sessions::text) > 0"#,
        value
    );
    assert_eq!(leaked.fetch_one(&pool).await.unwrap(), 0, "the database does not know the cookie");
}

#[sqlx::test]
async fn a_session_begins_under_a_new_id_each_time(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let browser = Browser::new(&app.url, false);
    let typed = [("email", "ada@example.com"), ("password", PASSWORD)];
    let first = session_cookie(&browser.call("sign_up", &typed).await);
    let second = session_cookie(&browser.call("sign_in", &typed).await);
    assert_ne!(first.split(';').next(), second.split(';').next());
    assert_eq!(count(&pool, "sessions").await, 1, "the old one is gone");
    let planted = "scrip_session=AAAAAAAAAAAAAAAAAAAAAA";
    let request =
        app.browser().request(Method::POST, "/fn/sign_in").form(&typed).header(header::COOKIE, planted);
    let begun = session_cookie(&request.send().await.unwrap());
    assert!(!begun.starts_with(planted));
}

#[sqlx::test]
async fn signing_out_ends_the_session_on_the_server_too(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let browser = Browser::new(&app.url, false);
    let cookie = session_cookie(
        &browser.call("sign_up", &[("email", "ada@example.com"), ("password", PASSWORD)]).await,
    );
    let stolen = cookie.split(';').next().unwrap().to_owned();
    assert_eq!(browser.get("/credits").await.status(), StatusCode::OK);
    browser.call("sign_out", &[]).await;
    assert_eq!(count(&pool, "sessions").await, 0);
    let request = app.browser().request(Method::GET, "/credits").header(header::COOKIE, stolen);
    assert_eq!(request.send().await.unwrap().url().path(), "/sign-in");
}

#[sqlx::test]
async fn a_forged_or_expired_session_is_nobodys(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    for forged in ["scrip_session=AAAAAAAAAAAAAAAAAAAAAA", "scrip_session=nonsense", "scrip_session="] {
        let request = app.browser().request(Method::GET, "/credits").header(header::COOKIE, forged);
        let response = request.send().await.unwrap();
        assert_eq!((response.status(), response.url().path()), (StatusCode::OK, "/sign-in"), "{forged}");
    }
    let ada = app.member("ada@example.com").await;
    sqlx::query!("update sessions set expires_at = now() - interval '1 second'")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(ada.get("/credits").await.url().path(), "/sign-in");
}

#[sqlx::test]
async fn whoever_is_asked_to_sign_in_gets_where_they_wanted_to_go(pool: PgPool) {
    let app = App::start(pool).await;
    app.member("ada@example.com").await;
    let browser = app.browser();
    let asked = browser.get("/history?before=5").await;
    assert_eq!((asked.url().path(), asked.url().query()), ("/sign-in", Some("next=/history%3Fbefore%3D5")));
    let page = asked.text().await.unwrap();
    assert!(page.contains("name=\"next\" value=\"/history?before=5\""), "{page}");
    let typed = [("email", "ada@example.com"), ("password", PASSWORD), ("next", "/history?before=5")];
    let there = browser.submit("/sign-in", "sign_in", &typed).await;
    assert_eq!((there.url().path(), there.url().query()), ("/history", Some("before=5")));
}

#[sqlx::test]
async fn nobody_is_led_to_another_site_after_signing_in(pool: PgPool) {
    let app = App::start(pool).await;
    app.member("ada@example.com").await;
    for next in ["//evil.example", "https://evil.example/", "/\\evil.example"] {
        let browser = Browser::new(&app.url, false);
        let typed = [("email", "ada@example.com"), ("password", PASSWORD), ("next", next)];
        let response = browser.submit("/sign-in", "sign_in", &typed).await;
        assert_eq!(response.status(), StatusCode::FOUND);
        assert_eq!(response.headers()[header::LOCATION], "/", "{next}");
    }
}

#[sqlx::test]
async fn a_post_from_another_site_does_nothing(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let ada = app.member("ada@example.com").await;
    let prompt = ada.prompt("/actions/render").await;
    let fields: Vec<(&str, &str)> =
        prompt.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for origin in ["https://evil.example", "null"] {
        assert_eq!(ada.call_from(origin, "spend", &fields).await.status(), StatusCode::FORBIDDEN);
        assert_eq!(ada.call_from(origin, "sign_out", &[]).await.status(), StatusCode::FORBIDDEN);
    }
    assert!(ada.page("/credits").await.contains("10 of 10"));
}

#[sqlx::test]
async fn a_body_of_any_size_and_shape_gets_a_plain_answer(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    let huge = "x".repeat(200_000);
    let response = ada.call("sign_in", &[("email", &huge), ("password", "12345678")]).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let account = app.account_of("ada@example.com").await.to_string();
    let account = ("account", account.as_str());
    for fields in [
        &[][..],
        &[account, ("action", "render")],
        &[account, ("action", "render"), ("cost", "many"), ("idempotency_key", "k")],
        &[account, ("action", "render"), ("cost", "0"), ("idempotency_key", "k")],
        &[account, ("action", "render"), ("cost", "-1"), ("idempotency_key", "k")],
        &[account, ("action", "render"), ("cost", "1"), ("idempotency_key", "")],
        &[account, ("action", "render"), ("cost", "1"), ("idempotency_key", "a key")],
        &[("account", "acct_1"), ("action", "render"), ("cost", "1"), ("idempotency_key", "k")],
    ] {
        assert_eq!(
            code(ada.call("spend", fields).await).await,
            (StatusCode::BAD_REQUEST, "malformed".into())
        );
    }
    let json =
        ada.request(Method::POST, "/fn/spend").header(header::CONTENT_TYPE, "application/json").body("{");
    assert_eq!(json.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
}

#[sqlx::test]
async fn sign_up_credits_last_as_long_as_the_catalog_says(pool: PgPool) {
    let clock = Clock::standing_at(crate::support::noon());
    let catalog = CATALOG.replace("credits = 10", "credits = 10\nexpires_days = 12");
    let app = App::start_with(pool, clock, &catalog).await;
    let ada = app.member("ada@example.com").await;
    let page = ada.page("/credits").await;
    assert!(page.contains("10 expire on") && page.contains("3 Dec 2026"), "{page}");
}
