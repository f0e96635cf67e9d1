//! The reference of the API says all that the API's description and its problems say, and asks nothing of its reader's
//! browser.

use std::collections::{BTreeSet, HashSet};

use reqwest::StatusCode;
use scrip::{problem::Problem, server::api::openapi};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::App;

const PATH: &str = "/docs/api";

/// What stands between `before` and the next quote, each time.
fn quoted<'a>(page: &'a str, before: &str) -> Vec<&'a str> {
    page.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// Every code, as whoever sends none of them is told.
fn codes() -> BTreeSet<String> {
    let error = serde_json::from_value::<Problem>(json!({ "code": "none" })).unwrap_err().to_string();
    error.split('`').skip(3).step_by(2).map(ToOwned::to_owned).collect()
}

#[sqlx::test]
async fn the_reference_has_every_call_and_every_object(pool: PgPool) {
    let app = App::start(pool).await;
    let page = app.browser().page(PATH).await;
    let document: Value = serde_json::from_str(&openapi::text()).unwrap();
    let ids: HashSet<&str> = quoted(&page, " id=\"").into_iter().collect();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, call) in methods.as_object().unwrap() {
            let name = path.trim_start_matches("/api/v1/").replace(['{', '}'], "").replace('/', "-");
            let id = format!("{method}-{name}");
            assert!(ids.contains(id.as_str()), "{id}");
            assert!(page.contains(&format!(">{}<", call["summary"].as_str().unwrap())), "{id}");
            assert!(page.contains(&format!("<code>{path}</code>")), "{path}");
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        // What is but a value is told of where it stands.
        if let Some(words) = schema["enum"].as_array() {
            assert!(
                words.iter().all(|word| page.contains(&format!(">{}<", word.as_str().unwrap()))),
                "{name}"
            );
        }
        let is_object = schema["properties"].is_object() || schema["additionalProperties"] == false;
        assert_eq!(ids.contains(name.as_str()), is_object, "{name}");
        for field in schema["properties"].as_object().into_iter().flatten().map(|(field, _)| field) {
            assert!(page.contains(&format!("<dt><code>{field}</code>")), "{name}.{field}");
        }
    }
}

#[sqlx::test]
async fn the_reference_explains_every_problem_that_a_call_answers_with(pool: PgPool) {
    let app = App::start(pool).await;
    let page = app.browser().page(PATH).await;
    let ids: HashSet<&str> = quoted(&page, " id=\"").into_iter().collect();
    let only_pages = [
        "amount_invalid",
        "card_declined",
        "changed_meanwhile",
        "clawback_too_large",
        "clawback_unchanged",
        "email_malformed",
        "email_taken",
        "handled_already",
        "limit_too_low",
        "link_used",
        "not_found",
        "not_refundable",
        "nothing_to_replay",
        "offline",
        "other_account",
        "other_interval",
        "password_length",
        "plan_changing",
        "plan_not_paid",
        "reason_missing",
        "replay_failed",
        "subscription_unchanged",
        "sum_changed",
        "too_many_attempts",
        "units_invalid",
        "units_not_taken",
        "wrong_credentials",
    ];
    assert!(codes().contains("insufficient_credits"));
    for code in codes() {
        assert_eq!(ids.contains(code.as_str()), !only_pages.contains(&code.as_str()), "{code}");
    }

    // What a problem says about itself leads there.
    let refused = app.browser().get("/api/v1/catalog").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let problem: Value = serde_json::from_slice(&refused.bytes().await.unwrap()).unwrap();
    let (address, code) = problem["type"].as_str().unwrap().split_once('#').unwrap();
    assert!(address.ends_with(PATH), "{address}");
    assert!(ids.contains(code), "{code}");
}

#[sqlx::test]
async fn every_link_of_the_reference_leads_somewhere(pool: PgPool) {
    let app = App::start(pool).await;
    let page = app.browser().page(PATH).await;
    let ids = quoted(&page, " id=\"");
    let places: HashSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), places.len(), "no two places have one name");
    let links: BTreeSet<&str> = quoted(&page, " href=\"").into_iter().collect();
    assert!(links.len() > 80, "{links:?}");
    for link in links {
        match link.strip_prefix('#') {
            Some(place) => assert!(places.contains(place), "{link}"),
            // The files are not there without a build.
            None => assert!(
                ["/", "/api/v1/openapi.json", "/favicon.svg", "/pkg/scrip.css"].contains(&link),
                "{link}"
            ),
        }
    }
    for place in quoted(&page, " aria-labelledby=\"") {
        assert!(places.contains(place), "{place}");
    }
}

#[sqlx::test]
async fn the_reference_runs_nothing_and_loads_nothing_from_elsewhere(pool: PgPool) {
    let app = App::start(pool).await;
    let response = app.browser().get(PATH).await;
    assert_eq!(response.status(), StatusCode::OK);
    let policy = response.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'; img-src 'self' data:;"), "{policy}");
    let page = response.text().await.unwrap();
    for none in ["<script", "<!--", "<!>", " style=", " onclick=", "http-equiv"] {
        let tags = page.split('<').skip(1).filter_map(|rest| rest.split('>').next());
        let found = tags.map(|tag| format!("<{tag}>")).find(|tag| tag.contains(none));
        assert_eq!(found, None, "{none}");
    }
    for source in quoted(&page, " src=\"") {
        assert!(source.starts_with('/'), "{source}");
    }
}
