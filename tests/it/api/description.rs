//! The API's description: it is committed, it is right, and it names every call.

use std::collections::BTreeSet;

use scrip::server::api::openapi;
use serde_json::Value;
use sqlx::PgPool;

use super::host::Host;
use crate::support::App;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");

/// Every call of the description: its method, its path, and what it says of it.
pub fn calls() -> Vec<(String, String, Value)> {
    let document: Value = serde_json::from_str(&openapi::text()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let calls = paths.iter().flat_map(|(path, calls)| {
        let calls = calls.as_object().unwrap().iter();
        calls.map(|(method, call)| (method.to_uppercase(), path.clone(), call.clone()))
    });
    calls.collect()
}

/// Every call that `src/router.rs` names under `/api/v1`, as its method and its path.
fn routes() -> BTreeSet<(String, String)> {
    let lines = include_str!("../../../src/router.rs").lines().map(str::trim);
    lines
        .filter_map(|line| line.split_once(".route(\"/api/v1/"))
        .map(|(_, route)| {
            let (path, handler) = route.split_once("\", ").unwrap();
            let method = handler.split('(').next().unwrap().to_uppercase();
            (method, format!("/api/v1/{path}"))
        })
        .collect()
}

/// `SCRIP_WRITE_DESCRIPTION=1` writes it instead.
#[test]
fn the_committed_description_is_what_the_program_says() {
    if std::env::var_os("SCRIP_WRITE_DESCRIPTION").is_some() {
        std::fs::write(COMMITTED, openapi::text()).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(
        committed == openapi::text(),
        "docs/openapi.json is out of date: SCRIP_WRITE_DESCRIPTION=1 scripts/with-postgres cargo test --features ssr \
         --test it the_committed_description"
    );
}

#[test]
fn the_description_and_the_router_name_the_same_calls() {
    let mut described: BTreeSet<(String, String)> =
        calls().into_iter().map(|(method, path, _)| (method, path)).collect();
    // It does not describe itself.
    described.insert(("GET".into(), "/api/v1/openapi.json".into()));
    assert_eq!(described, routes());
}

#[test]
fn every_call_says_what_it_is_and_what_a_key_needs_for_it() {
    for (method, path, call) in calls() {
        assert!(call["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
        let scopes = call["security"][0]["key"].as_array().unwrap();
        assert_eq!(scopes.len(), 1, "{method} {path}");
        assert!(call["responses"]["default"].is_object(), "{method} {path}");
    }
    let ids: BTreeSet<String> =
        calls().into_iter().map(|(_, _, call)| call["operationId"].to_string()).collect();
    assert_eq!(ids.len(), calls().len(), "each has a name of its own");
}

#[sqlx::test]
async fn the_description_is_served_to_anybody(pool: PgPool) {
    let app = App::start(pool).await;
    let served = Host::at(&app.url, String::new()).get("/openapi.json").await.ok();
    assert_eq!(served["openapi"], "3.1.0");
    assert_eq!(served, serde_json::from_str::<Value>(&openapi::text()).unwrap());
}
