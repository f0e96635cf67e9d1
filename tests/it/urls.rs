//! `src/router.rs` tells every URL, and tells it right.

use std::collections::BTreeSet;

use leptos_axum::generate_route_list;
use reqwest::{Method, StatusCode, header};
use scrip::web::app::App as Pages;
use sqlx::PgPool;

use crate::support::App;

/// The routes that `src/router.rs` names with this handler.
fn named(handler: &str) -> BTreeSet<String> {
    include_str!("../../src/router.rs")
        .lines()
        .filter(|line| line.trim_start().starts_with(".route(") && line.contains(handler))
        .filter_map(|line| line.split('"').nth(1).map(ToOwned::to_owned))
        .collect()
}

fn functions() -> BTreeSet<String> {
    server_fn::axum::server_fn_paths().map(|(path, _)| path.to_owned()).collect()
}

#[tokio::test]
async fn the_router_and_the_browser_know_the_same_pages() {
    let pages: BTreeSet<String> =
        generate_route_list(Pages).iter().map(|route| route.path().to_owned()).collect();
    assert_eq!(pages, named("get(page)"));
}

#[test]
fn the_router_names_every_server_function_and_all_are_posts() {
    assert_eq!(functions(), named("post(server_function)"));
    assert!(server_fn::axum::server_fn_paths().all(|(_, method)| method == Method::POST));
}

#[sqlx::test]
async fn no_server_function_answers_to_a_get_or_to_another_site(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    assert!(!functions().is_empty());
    for path in functions() {
        let get = ada.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(get.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let post = ada.request(Method::POST, &path).header("sec-fetch-site", "cross-site");
        assert_eq!(post.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{path}");
    }
}

#[sqlx::test]
async fn a_page_that_does_not_exist_says_so(pool: PgPool) {
    let app = App::start(pool).await;
    for path in ["/nonsense", "/actions/render/more", "/fn/nonsense", "/pkg/nonsense.js"] {
        assert_eq!(app.browser().get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert!(app.browser().get("/nonsense").await.text().await.unwrap().contains("There is no such page."));
}

#[sqlx::test]
async fn every_answer_bears_its_id_and_the_headers_that_protect_it(pool: PgPool) {
    let app = App::start(pool).await;
    for path in ["/", "/nonsense", "/healthz", "/readyz", "/credits"] {
        let response = app.browser().get(path).await;
        let headers = response.headers();
        assert_eq!(headers["x-request-id"].len(), 36, "{path}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY", "{path}");
    }
    let page = app.browser().get("/").await;
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    assert!(nonce.len() >= 16);
    let source = page.text().await.unwrap();
    for script in source.split("<script").skip(1) {
        assert!(script[..script.find('>').unwrap()].contains(&nonce), "no script runs without the nonce");
    }
}

#[sqlx::test]
async fn the_probes_tell_whether_the_program_runs_and_can_work(pool: PgPool) {
    let app = App::start(pool).await;
    assert_eq!(app.browser().get("/healthz").await.status(), StatusCode::OK);
    assert_eq!(app.browser().get("/readyz").await.status(), StatusCode::OK);
    app.state.pool.close().await;
    assert_eq!(app.browser().get("/healthz").await.status(), StatusCode::OK);
    assert_eq!(app.browser().get("/readyz").await.status(), StatusCode::SERVICE_UNAVAILABLE);
}
