//! The pages of history.

use reqwest::StatusCode;
use sqlx::PgPool;

use crate::support::{App, grant};

fn rows(page: &str) -> usize {
    page.matches("<tr").count() - 1
}

fn link(page: &str, rel: &str) -> Option<String> {
    let anchors = page.split("<a ").skip(1).map(|rest| &rest[..rest.find('>').unwrap_or(0)]);
    let anchor = anchors.into_iter().find(|anchor| anchor.contains(&format!("rel=\"{rel}\"")))?;
    let href = anchor.split("href=\"").nth(1)?;
    Some(href[..href.find('"')?].to_owned())
}

#[sqlx::test]
async fn every_entry_is_on_exactly_one_page_and_every_page_leads_back(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    let account = app.account_of("ada@example.com").await;
    for number in 0..60 {
        let command = grant(account, &format!("grant-{number}"), 1, None);
        app.state.ledger.execute(command).await.unwrap().unwrap();
    }
    let newest = ada.page("/history").await;
    assert_eq!((rows(&newest), link(&newest, "prev")), (25, None));
    assert!(newest.contains("70"), "the running balance ends at what the account has");
    let second = ada.page(&link(&newest, "next").unwrap()).await;
    assert_eq!(rows(&second), 25);
    let last = ada.page(&link(&second, "next").unwrap()).await;
    assert_eq!((rows(&last), link(&last, "next")), (11, None));
    assert_eq!(link(&last, "prev").as_deref(), Some("/history?before=37"), "the second page");
    assert_eq!(link(&second, "prev").as_deref(), Some("/history"));
}

#[sqlx::test]
async fn a_cursor_that_means_nothing_is_a_page_that_says_so(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    for cursor in ["nonsense", "0", "-1", "1.5", "", "99999999999999999999", "%00"] {
        let response = ada.get(&format!("/history?before={cursor}")).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{cursor}");
        assert!(response.text().await.unwrap().contains("There is no such place in this list."), "{cursor}");
    }
    let beyond = ada.page("/history?before=9223372036854775807").await;
    assert_eq!(rows(&beyond), 1);
}

#[sqlx::test]
async fn nobody_sees_another_members_history(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    let bob = app.member("bob@example.com").await;
    let fields = ada.prompt("/actions/render").await;
    ada.confirm("/actions/render", &fields).await;
    assert_eq!(rows(&ada.page("/history").await), 2);
    assert_eq!(rows(&bob.page("/history").await), 1);
}
