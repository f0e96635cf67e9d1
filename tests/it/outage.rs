//! PostgreSQL stops while Scrip serves, and comes back.

use std::time::Duration;

use reqwest::StatusCode;
use scrip::server::{
    clock::Clock,
    store::{self, embedded::Embedded},
};

use crate::support::{App, CATALOG};

const WORDS: &str = "We can’t reach our records right now.";

#[tokio::test]
async fn pages_say_that_the_database_is_away_and_work_again_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let database = Embedded::start(folder.path()).await.unwrap();
    let pool = store::connect(database.connect_options());
    store::migrate(&pool).await.unwrap();
    let app = App::start_with(pool.clone(), Clock::default(), CATALOG).await;
    let ada = app.member("ada@example.com").await;
    let fields = ada.prompt("/actions/render").await;

    database.stop().await;
    for path in ["/credits", "/history", "/actions", "/actions/render"] {
        let response = ada.get(path).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        let page = response.text().await.unwrap();
        assert!(page.contains(WORDS), "{path}");
        assert!(!page.contains("postgres") && !page.contains("sqlx"), "nothing is told of the inside");
    }
    let home = ada.get("/").await;
    assert_eq!(home.status(), StatusCode::SERVICE_UNAVAILABLE, "it can't tell who is signed in");
    assert!(home.text().await.unwrap().contains("Prices"), "but it shows what it has");
    let sent = ada.confirm("/actions/render", &fields).await;
    assert_eq!(sent.status(), StatusCode::SERVICE_UNAVAILABLE, "the form's page is away too");
    assert!(sent.text().await.unwrap().contains(WORDS));
    let called = ada.call("session", &[]).await;
    assert_eq!(called.status(), StatusCode::SERVICE_UNAVAILABLE);

    let database = Embedded::start(folder.path()).await.unwrap();
    for _ in 0..50 {
        if ada.get("/readyz").await.status() == StatusCode::OK {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(ada.page("/credits").await.contains("10 of 10"), "still signed in, and nothing was taken");
    let done = ada.confirm("/actions/render", &fields).await;
    assert_eq!(done.url().path(), "/actions", "the same form, sent again, spends");
    assert!(ada.page("/credits").await.contains("9 of 10"));

    drop(app);
    pool.close().await;
    database.stop().await;
}
