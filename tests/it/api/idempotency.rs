//! A command is carried out once, however often it is sent and whatever happens to its answer.

use futures_util::future::join_all;
use serde_json::json;
use sqlx::PgPool;
use tempfile::TempDir;

use super::host::{Answer, Host};
use crate::{
    program::{admin_key, serve, stop},
    support::App,
};

#[sqlx::test]
async fn a_hundred_parallel_posts_with_one_key_make_one_entry_and_get_one_answer(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 990).await;
    let spend =
        json!({"account": id, "action": "render", "reference": "job-7", "metadata": {"a": [1.0, "é"]}});
    let answers = join_all((0..100).map(|_| host.command("/spends", "one", spend.clone()))).await;
    assert!(answers.iter().all(|answer| answer.status == 201 && answer.body == answers[0].body));
    assert_eq!(answers.iter().filter(|answer| !answer.is_replayed()).count(), 1);
    assert_eq!((host.available(&id).await, host.version(&id).await), (999, 3));
}

#[sqlx::test]
async fn every_command_is_answered_again_as_the_first_time(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 90).await;
    let twice = async |path: String, key: &str, body: serde_json::Value| {
        let first = host.command(&path, key, body.clone()).await;
        // Whatever happens in between.
        host.command("/spends", &format!("{key}-between"), json!({"account": id, "amount": 1})).await.ok();
        let second = host.command(&path, key, body).await;
        assert_eq!((first.status.as_u16(), first.is_replayed()), (201, false), "{path} {}", first.body);
        assert_eq!((second.status.as_u16(), second.is_replayed()), (201, true), "{path}");
        assert_eq!(first.body, second.body, "{path}");
        first.body
    };
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let spend = twice("/spends".into(), "s", json!({"account": id, "amount": 2})).await;
    twice("/refunds".into(), "f", json!({"spend": spend["id"], "amount": 1, "reason": "Half"})).await;
    let hold = twice("/holds".into(), "h", json!({"account": id, "action": "render"})).await;
    twice(format!("/holds/{}/capture", text(&hold["id"])), "c", json!({})).await;
    let hold = twice("/holds".into(), "h2", json!({"account": id, "amount": 3})).await;
    twice(format!("/holds/{}/release", text(&hold["id"])), "r", json!({})).await;
    let grant = json!({"amount": 5, "source": "bonus", "reason": "Thanks"});
    let lot = twice(format!("/accounts/{id}/grants"), "g", grant).await;
    twice(format!("/lots/{}/void", text(&lot["id"])), "v", json!({"reason": "Oh"})).await;
}

#[sqlx::test]
async fn a_key_with_other_content_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 0).await;
    let spend = json!({"account": id, "action": "render"});
    host.command("/spends", "k", spend.clone()).await.ok();
    let others = [
        ("/spends", json!({"account": id, "amount": 1})),
        ("/spends", json!({"account": id, "action": "render", "reference": "job"})),
        ("/spends", json!({"account": id, "action": "render", "metadata": {}})),
        ("/spends", json!({"account": id, "action": "complete", "units": 1})),
        ("/holds", spend.clone()),
    ];
    for (path, other) in others {
        let refused = host.command(path, "k", other.clone()).await;
        assert_eq!(refused.problem(), (422, "key_reused"), "{other}");
    }
    let bob = host.account("bob", 0).await;
    let elsewhere = host.command("/spends", "k", json!({"account": bob, "action": "render"})).await;
    assert!(!elsewhere.is_replayed() && elsewhere.status == 201, "a key is one account's");
}

#[sqlx::test]
async fn the_first_answer_stands_after_the_price_has_changed(pool: PgPool) {
    let cheap = App::start(pool.clone()).await;
    let host = Host::of(&cheap).await;
    let id = host.account("ada", 0).await;
    let spend = json!({"account": id, "action": "render"});
    let first = host.command("/spends", "k", spend.clone()).await.ok();
    let catalog = crate::support::CATALOG.replace("cost = 1", "cost = 3");
    let dear = App::start_with(pool, scrip::server::clock::Clock::default(), &catalog).await;
    let again = Host::of(&dear).await.command("/spends", "k", spend).await;
    assert!(again.is_replayed());
    assert_eq!(again.ok(), first);
}

#[sqlx::test]
async fn the_first_answer_stands_after_the_action_is_sold_no_more_or_otherwise(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 0).await;
    let orders = [
        json!({"account": id, "action": "render"}),
        json!({"account": id, "action": "complete", "units": 1}),
    ];
    let mut first = Vec::new();
    for (order, key) in orders.iter().zip(["a", "b"]) {
        first.push(host.command("/spends", key, order.clone()).await.ok());
    }
    let catalog = crate::support::CATALOG
        .replace("key = \"render\"", "key = \"paint\"")
        .replace("unit = \"tokens\"", "cost = 4")
        .replace("units_per_credit = 2000", "");
    let other = App::start_with(pool, scrip::server::clock::Clock::default(), &catalog).await;
    let host = Host::of(&other).await;
    for ((order, key), first) in orders.iter().zip(["a", "b"]).zip(first) {
        let again = host.command("/spends", key, order.clone()).await;
        assert!(again.is_replayed(), "{}", again.body);
        assert_eq!(again.ok(), first);
        let mut changed = order.clone();
        changed["reference"] = "job".into();
        assert_eq!(host.command("/spends", key, changed).await.problem(), (422, "key_reused"));
        assert!([404, 422].contains(&host.command("/spends", "new", order.clone()).await.status.as_u16()));
    }
    assert_eq!(host.version(&id).await, 3);
}

#[sqlx::test]
async fn a_refused_command_leaves_no_trace_so_its_key_may_succeed_later(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 0).await;
    let spend = json!({"account": id, "amount": 15});
    assert_eq!(host.command("/spends", "k", spend.clone()).await.status, 402);
    let grant = json!({"amount": 5, "source": "bonus", "reason": "Thanks"});
    host.command(&format!("/accounts/{id}/grants"), "g", grant).await.ok();
    let done = host.command("/spends", "k", spend).await;
    assert!(done.status == 201 && !done.is_replayed());
}

#[sqlx::test]
async fn a_command_without_a_key_or_with_a_bad_one_is_not_carried_out(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 0).await;
    let spend = json!({"account": id, "amount": 1});
    let missing = host.post("/spends", spend.clone()).await;
    assert_eq!(missing.problem(), (400, "idempotency_key_missing"));
    for key in ["", "two words", &"k".repeat(256)] {
        let refused = host.command("/spends", key, spend.clone()).await;
        assert_eq!(refused.problem(), (400, "idempotency_key_invalid"), "{key:?}");
    }
    assert_eq!(host.version(&id).await, 1);
}

#[tokio::test]
async fn after_a_crash_between_commit_and_answer_the_first_answer_is_given() {
    let data = TempDir::new().unwrap();
    let (mut server, url) = serve(data.path()).await;
    let key = admin_key(data.path()).await;
    let host = Host::at(&url, key.clone());
    let id = host.account("ada", 0).await;
    let spend = json!({"account": id, "amount": 3, "reference": "job"});
    // Its answer is never read, and when it is known to be on disk the program is killed.
    let asking = Host::at(&url, key.clone());
    let body = spend.clone();
    let asked = tokio::spawn(async move {
        let request =
            asking.request(reqwest::Method::POST, "/spends").header("content-type", "application/json");
        request.header("idempotency-key", "k").body(body.to_string()).send().await
    });
    while host.version(&id).await < 2 {
        tokio::task::yield_now().await;
    }
    asked.abort();
    server.kill().await.unwrap();

    let (server, url) = serve(data.path()).await;
    let host = Host::at(&url, key);
    let again = host.command("/spends", "k", spend).await;
    assert!(again.is_replayed());
    let entry = again.ok();
    let entries = host.get(&format!("/accounts/{id}/entries?reference=job")).await.ok();
    assert_eq!(entries["data"], json!([entry]));
    assert_eq!(host.available(&id).await, 7);
    stop(server).await;
}

#[sqlx::test]
async fn two_keys_in_one_request_are_none(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 0).await;
    let request = host.request(reqwest::Method::POST, "/spends").header("content-type", "application/json");
    let request = request.header("idempotency-key", "a").header("idempotency-key", "b");
    let answer = Answer::of(request.body(json!({"account": id, "amount": 1}).to_string())).await;
    assert_eq!(answer.problem(), (400, "idempotency_key_invalid"));
    assert_eq!(host.version(&id).await, 1);
}
