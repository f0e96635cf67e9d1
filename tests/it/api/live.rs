//! Balances as they change: streams of server-sent events.

use std::time::Duration;

use reqwest::{Method, Response};
use scrip::server::{auth::ApiKeys, notify, store::api_keys::Scope};
use serde_json::{Value, json};
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::host::{Host, new_key};
use crate::{
    program::{admin_key, serve, stop},
    support::App,
};

/// An open stream of a balance.
struct Stream {
    response: Response,
    read: String,
}

impl Stream {
    async fn open(host: &Host, account: &str, last: Option<i64>) -> Self {
        let mut request = host.request(Method::GET, &format!("/accounts/{account}/events"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, read: String::new() }
    }

    /// The next event, with its id; `None` where the stream ends.
    async fn next(&mut self) -> Option<(i64, Value)> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                let event = field("data: ").map(|data| {
                    assert_eq!(field("event: "), Some("balance"));
                    (field("id: ").unwrap().parse().unwrap(), serde_json::from_str(data).unwrap())
                });
                self.read = rest.to_owned();
                match event {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let piece = timeout(Duration::from_secs(30), self.response.chunk()).await.expect("it goes on");
            self.read.push_str(std::str::from_utf8(&piece.unwrap()?).unwrap());
        }
    }
}

/// The program with all that goes on beside it.
fn beside(app: &App) -> [JoinHandle<()>; 2] {
    let state = app.state.clone();
    [tokio::spawn(notify::hear(state.clone())), tokio::spawn(notify::tell(state))]
}

#[sqlx::test]
async fn a_stream_begins_with_the_balance_and_tells_each_change(pool: PgPool) {
    let app = App::start(pool).await;
    let tasks = beside(&app);
    let host = Host::of(&app).await;
    let (id, other) = (host.account("ada", 0).await, host.account("bob", 0).await);
    let mut stream = Stream::open(&host, "ext_ada", None).await;
    let (version, first) = stream.next().await.unwrap();
    assert_eq!(first, host.get(&format!("/accounts/{id}/balance")).await.ok());
    assert_eq!((version, &first["available"]), (1, &10.into()));
    for key in ["1", "2", "3"] {
        host.command("/spends", key, json!({"account": other, "amount": 1})).await.ok();
        let entry = host.command("/spends", key, json!({"account": id, "amount": 1})).await.ok();
        let (version, told) = stream.next().await.unwrap();
        assert_eq!(
            (version, &told["available"]),
            (entry["version"].as_i64().unwrap(), &entry["balance_after"])
        );
    }
    // The program stops: so do its streams.
    app.state.live.close();
    assert!(stream.next().await.is_none());
    tasks.iter().for_each(JoinHandle::abort);
}

#[sqlx::test]
async fn under_many_changes_a_stream_never_goes_back_and_ends_at_the_last(pool: PgPool) {
    let app = App::start(pool).await;
    let tasks = beside(&app);
    let host = Host::of(&app).await;
    let id = host.account("ada", 990).await;
    let mut stream = Stream::open(&host, &id, None).await;
    let spending = futures_util::future::join_all((0..200).map(async |number| {
        let spend = json!({"account": id, "amount": 1});
        host.command("/spends", &number.to_string(), spend).await.ok()
    }));
    let watching = async {
        let mut last = 0;
        while last < 202 {
            let (version, told) = stream.next().await.unwrap();
            assert!(version > last, "{version} after {last}");
            assert_eq!(told["available"], 1000 - (version - 2));
            last = version;
        }
    };
    tokio::join!(spending, watching);
    tasks.iter().for_each(JoinHandle::abort);
}

#[sqlx::test]
async fn who_comes_back_is_told_nothing_older_than_what_they_have(pool: PgPool) {
    let app = App::start(pool).await;
    let tasks = beside(&app);
    let host = Host::of(&app).await;
    let id = host.account("ada", 0).await;
    host.command("/spends", "1", json!({"account": id, "amount": 1})).await.ok();
    let (version, _) = Stream::open(&host, &id, Some(1)).await.next().await.unwrap();
    assert_eq!(version, 2, "what was missed");
    // Of a page that has seen what this process has not: it waits until there is news.
    let mut ahead = Stream::open(&host, &id, Some(3)).await;
    host.command("/spends", "2", json!({"account": id, "amount": 1})).await.ok();
    let (version, told) = ahead.next().await.unwrap();
    assert_eq!((version, &told["available"]), (3, &8.into()));
    tasks.iter().for_each(JoinHandle::abort);
}

#[sqlx::test]
async fn so_many_changes_that_they_are_not_named_are_told_all_the_same(pool: PgPool) {
    let app = App::start(pool).await;
    let tasks = beside(&app);
    let host = Host::of(&app).await;
    let made = (0..400).map(|number| {
        let host = &host;
        async move { host.account(&format!("user-{number}"), 0).await }
    });
    let accounts: Vec<String> = futures_util::StreamExt::collect(futures_util::StreamExt::buffered(
        futures_util::stream::iter(made),
        16,
    ))
    .await;
    let mut streams = Vec::new();
    for account in accounts.iter().step_by(40) {
        let mut stream = Stream::open(&host, account, None).await;
        stream.next().await.unwrap();
        streams.push(stream);
    }
    let spend = |account: &String| json!({"idempotency_key": "one", "account": account, "amount": 1});
    let spends: Vec<Value> = accounts.iter().map(spend).collect();
    host.post("/spends/batch", json!({"spends": spends})).await.ok();
    for stream in &mut streams {
        let told = timeout(Duration::from_secs(5), stream.next()).await.expect("it is told");
        assert_eq!(told.unwrap().1["available"], 9);
    }
    tasks.iter().for_each(JoinHandle::abort);
}

#[sqlx::test]
async fn a_stream_ends_with_the_key_that_opened_it(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let tasks = beside(&app);
    let id = Host::of(&app).await.account("ada", 0).await;
    let (key, secret) = new_key(&pool, &[Scope::Read], 1_000).await;
    let mut stream = Stream::open(&Host::at(&app.url, secret), &id, None).await;
    stream.next().await.unwrap();
    ApiKeys::new(pool).revoke(key.id).await.unwrap();
    assert!(timeout(Duration::from_secs(5), stream.next()).await.expect("at once").is_none());
    tasks.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn a_stream_of_one_process_shows_within_a_second_what_another_did() {
    let data = TempDir::new().unwrap();
    // The second one uses the first one's database.
    let ((one, one_url), (other, other_url)) = (serve(data.path()).await, serve(data.path()).await);
    let key = admin_key(data.path()).await;
    let (watcher, spender) = (Host::at(&one_url, key.clone()), Host::at(&other_url, key));
    let id = spender.account("ada", 100).await;
    let mut stream = Stream::open(&watcher, &id, None).await;
    stream.next().await.unwrap();
    for number in 0..10 {
        let spend = json!({"account": id, "amount": 1});
        let entry = spender.command("/spends", &number.to_string(), spend).await.ok();
        let spent = Instant::now();
        let (version, _) = stream.next().await.unwrap();
        assert_eq!(version, entry["version"].as_i64().unwrap());
        assert!(spent.elapsed() < Duration::from_secs(1), "{:?}", spent.elapsed());
    }
    stop(other).await;
    stop(one).await;
    assert!(stream.next().await.is_none(), "a stream does not keep the program from stopping");
}
