//! The inbox: what is not signed by Stripe is nothing, and what is signed is kept, applied once, and tried again where it
//! could not be.

use axum::{
    body::Body,
    http::{HeaderValue, Request, StatusCode},
};
use futures_util::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::Method;
use scrip::{
    router::router,
    server::{
        clock::Clock,
        jobs::{Inbox, Job},
        purchases::inbox::{ATTEMPTS_MAX, EVENT_BYTES_MAX, Endpoint, NotTaken, Tried, receive, try_one},
        stripe::signature::{NotSigned, Secrets, sign},
    },
};
use sqlx::PgPool;
use tower::Service;
use uuid::Uuid;

use super::{
    CATALOG, Shop, Started, counter::Counter, customer_of, money::refuse_once, payment_of, session_of, starts,
};
use crate::support::{App, noon};

const SECRET: &str = "whsec_test";

/// How many deliveries are made up; `SCRIP_FUZZ_DELIVERIES` asks for more.
const MADE_UP: u64 = 20_000;

fn secrets() -> Secrets {
    SECRET.parse().unwrap()
}

/// A session that was paid, as Stripe tells it.
pub fn completed(id: &str, started: &Started) -> String {
    event(
        id,
        "checkout.session.completed",
        &serde_json::json!({
            "id": session_of(started.id),
            "object": "checkout.session",
            "status": "complete",
            "payment_status": "paid",
            "amount_total": 1_000,
            "currency": "usd",
            "customer": customer_of(started.account),
            "payment_intent": payment_of(started.id),
            "metadata": { "scrip_account": started.account, "scrip_purchase": started.id },
        }),
    )
}

fn event(id: &str, kind: &str, object: &serde_json::Value) -> String {
    serde_json::json!({
        "id": id,
        "object": "event",
        "api_version": "2024-06-20",
        "created": 1_795_262_400,
        "livemode": false,
        "type": kind,
        "data": { "object": object },
    })
    .to_string()
}

/// Delivers a body as Stripe does.
async fn deliver(shop: &Shop, body: &str) -> Result<(), NotTaken> {
    let signature = sign(SECRET, Clock::default().now(), body.as_bytes());
    let endpoint = Endpoint { secrets: &secrets(), is_live: false };
    receive(&shop.state, endpoint, &signature, body.as_bytes()).await
}

/// State and note of each event that is kept, in the order in which they came.
async fn kept(shop: &Shop) -> Vec<(String, Option<String>)> {
    let rows = sqlx::query!("select state, note from stripe_events order by received_at");
    let rows = rows.fetch_all(&shop.state.pool).await.unwrap();
    rows.into_iter().map(|row| (row.state, row.note)).collect()
}

#[sqlx::test]
async fn a_delivery_is_kept_and_applied_once_also_when_two_come_at_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let started = shop.started().await;
    let body = completed("evt_1", &started);
    let at_once = join_all((0..4).map(|_| deliver(&shop, &body))).await;
    assert!(at_once.iter().all(Result::is_ok), "{at_once:?}");
    deliver(&shop, &body).await.unwrap();
    assert_eq!(shop.end(&started).await.balance, 1_000);
    assert_eq!(kept(&shop).await, [("done".to_owned(), None)]);
    shop.check().await;
}

#[sqlx::test]
async fn what_stripe_has_not_signed_now_is_refused_and_not_kept(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let started = shop.started().await;
    let body = completed("evt_1", &started);
    let now = Clock::default().now();
    let early = sign(SECRET, now - chrono::TimeDelta::seconds(400), body.as_bytes());
    let late = sign(SECRET, now + chrono::TimeDelta::seconds(400), body.as_bytes());
    let others = sign("whsec_other", now, body.as_bytes());
    let (secrets, right) = (secrets(), sign(SECRET, now, body.as_bytes()));
    let endpoint = Endpoint { secrets: &secrets, is_live: false };
    for signature in ["", "t=1", &early, &late, &others] {
        let answer = receive(&shop.state, endpoint, signature, body.as_bytes()).await;
        assert!(matches!(answer, Err(NotTaken::NotSigned(_))), "{signature}: {answer:?}");
    }
    let truncated = &body.as_bytes()[..body.len() - 1];
    let answer = receive(&shop.state, endpoint, &right, truncated).await;
    assert!(matches!(answer, Err(NotTaken::NotSigned(NotSigned::Unknown))));
    let huge = vec![b' '; 5 * 1024 * 1024];
    assert!(huge.len() > EVENT_BYTES_MAX);
    let answer = receive(&shop.state, endpoint, &sign(SECRET, now, &huge), &huge).await;
    assert!(matches!(answer, Err(NotTaken::TooLarge)));
    assert_eq!((kept(&shop).await.len(), shop.end(&started).await.balance), (0, 0));
}

#[sqlx::test]
async fn what_is_signed_and_makes_no_sense_is_kept_and_not_sent_again(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let lacking = event("evt_2", "checkout.session.completed", &serde_json::json!({ "id": "cs_1" }));
    for body in ["", "{", "[]", "{\"id\": \"evt_1\"}", &lacking] {
        deliver(&shop, body).await.unwrap();
        deliver(&shop, body).await.unwrap();
    }
    let kept = kept(&shop).await;
    assert_eq!(kept.len(), 5);
    assert!(kept.iter().all(|(state, note)| state == "failed" && note.is_some()), "{kept:?}");
    let due = sqlx::query_scalar!("select count(*) from stripe_events where next_at is not null");
    assert_eq!(due.fetch_one(&shop.state.pool).await.unwrap(), Some(0), "only an admin tries them again");
}

#[sqlx::test]
async fn a_first_invoice_that_differs_waits_for_an_admin_who_can_try_it_once_that_is_mended(pool: PgPool) {
    let (shop, till) = (Shop::open(pool).await, Counter::default());
    let account = shop.account().await;
    let purchase = starts::subscribe(&shop, &till, account, "first").await.unwrap().id;
    let terms = serde_json::json!({
        "scrip_account": account, "scrip_plan": "studio", "scrip_purchase": purchase,
    });
    let period = serde_json::json!({"start": noon().timestamp(), "end": noon().timestamp() + 30 * 86_400});
    let body = event(
        "evt_1",
        "invoice.paid",
        &serde_json::json!({
            "id": "in_1",
            "billing_reason": "subscription_create",
            "status": "paid",
            "total": 4_000,
            "currency": "usd",
            "payment_intent": "pi_1",
            "subscription": "sub_1",
            "subscription_details": { "metadata": terms },
            "lines": { "data": [{ "type": "subscription", "period": period }] },
        }),
    );
    deliver(&shop, &body).await.unwrap();
    let why = "what was paid is not what was agreed";
    assert_eq!(kept(&shop).await, [("failed".to_owned(), Some(why.to_owned()))]);
    assert_eq!(try_one(&shop.state, false, "evt_1").await.unwrap(), Tried::Failed(why.to_owned()));
    let mended = CATALOG.replace("50.00", "40.00");
    shop.state.in_force.take_up(scrip::server::catalog::parse(&mended).unwrap());
    assert_eq!(try_one(&shop.state, false, "evt_1").await.unwrap(), Tried::Applied);
    assert_eq!(shop.state.ledger.account(account).await.unwrap().balance().get(), 300);
    assert_eq!(kept(&shop).await, [("done".to_owned(), None)]);
}

#[sqlx::test]
async fn what_nothing_follows_from_is_ignored_and_says_why(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let started = shop.started().await;
    let unknown = Started { account: started.account, id: Uuid::from_u128(7) };
    let live = completed("evt_1", &started).replace("\"livemode\":false", "\"livemode\":true");
    for body in [live, completed("evt_2", &unknown), event("evt_3", "price.created", &serde_json::json!(3))] {
        deliver(&shop, &body).await.unwrap();
    }
    let kept = kept(&shop).await;
    assert!(kept.len() == 3 && kept.iter().all(|(state, note)| state == "ignored" && note.is_some()));
    assert_eq!(shop.end(&started).await.balance, 0);
}

#[sqlx::test]
async fn what_fails_leaves_nothing_and_is_tried_again_by_a_job(pool: PgPool) {
    let shop = Shop::open(pool.clone()).await;
    let started = shop.started().await;
    refuse_once(&pool).await;
    deliver(&shop, &completed("evt_1", &started)).await.unwrap();
    let (state, note) = kept(&shop).await.remove(0);
    assert_eq!((state.as_str(), shop.end(&started).await.balance), ("failed", 0));
    assert!(note.unwrap().contains("not this time"));
    let now = Clock::default().now();
    let done = Inbox.run_once(&shop.state, now).await.unwrap();
    assert_eq!(done.things, 0, "it waits for a while");
    let done = Inbox.run_once(&shop.state, now + chrono::TimeDelta::minutes(1)).await.unwrap();
    assert_eq!((done.things, done.trouble), (1, None));
    assert_eq!(shop.end(&started).await.balance, 1_000);
    assert_eq!(kept(&shop).await, [("done".to_owned(), None)]);
    shop.check().await;
}

#[sqlx::test]
async fn what_fails_for_too_long_waits_for_an_admin_who_can_replay_it(pool: PgPool) {
    let shop = Shop::open(pool.clone()).await;
    let started = shop.started().await;
    let refuse = "alter table purchases add constraint refuse_all check (lot is null)";
    sqlx::raw_sql(refuse).execute(&pool).await.unwrap();
    deliver(&shop, &completed("evt_1", &started)).await.unwrap();
    let mut now = Clock::default().now();
    let mut tries = 1;
    for _ in 0..ATTEMPTS_MAX * 2 {
        now += chrono::TimeDelta::days(1);
        let done = Inbox.run_once(&shop.state, now).await.unwrap();
        tries += i32::from(done.trouble.is_some());
    }
    assert_eq!(tries, ATTEMPTS_MAX);
    sqlx::raw_sql("alter table purchases drop constraint refuse_all").execute(&pool).await.unwrap();
    assert_eq!(try_one(&shop.state, false, "evt_1").await.unwrap(), Tried::Applied);
    assert_eq!(try_one(&shop.state, false, "evt_1").await.unwrap(), Tried::NothingToDo);
    assert_eq!(try_one(&shop.state, false, "evt_none").await.unwrap(), Tried::NothingToDo);
    assert_eq!(shop.end(&started).await.balance, 1_000);
}

#[sqlx::test]
async fn the_endpoint_answers_by_its_status_and_asks_for_no_session(pool: PgPool) {
    let app = App::start_live(pool).await;
    let answer = async |secret: &str, body: &[u8]| {
        let signature = sign(secret, Clock::default().now(), body);
        let request = app.browser().request(Method::POST, "/webhooks/stripe").body(body.to_vec());
        let request = request.header("stripe-signature", signature).header("sec-fetch-site", "cross-site");
        request.send().await.unwrap().status().as_u16()
    };
    let body = event("evt_1", "price.created", &serde_json::json!({}));
    assert_eq!(answer("whsec_1", body.as_bytes()).await, 200);
    assert_eq!(answer("whsec_1", body.as_bytes()).await, 200);
    assert_eq!(answer("whsec_1", b"nonsense").await, 200);
    assert_eq!(answer("whsec_2", body.as_bytes()).await, 400);
    assert_eq!(answer("whsec_1", &vec![b' '; EVENT_BYTES_MAX + 1]).await, 413);
    let unsigned = app.browser().request(Method::POST, "/webhooks/stripe").body(body);
    assert_eq!(unsigned.send().await.unwrap().status().as_u16(), 400);
    let kept = sqlx::query_scalar!("select count(*) from stripe_events").fetch_one(&app.state.pool);
    assert_eq!(kept.await.unwrap(), Some(2));
}

/// Bodies that were once right, and headers that were once right, with parts of them changed, cut off or doubled.
#[sqlx::test]
async fn whatever_comes_without_a_right_signature_has_no_effect(pool: PgPool) {
    let deliveries = std::env::var("SCRIP_FUZZ_DELIVERIES").ok();
    let deliveries = deliveries.map_or(MADE_UP, |text| text.parse().expect("it is a whole number"));
    let shop = Shop::open(pool).await;
    let started = shop.started().await;
    let mut url = router(shop.state.clone(), false);
    let body = completed("evt_1", &started).into_bytes();
    let header = shop.state.stripe_secrets.sign(Clock::default().now(), &body).into_bytes();
    for seed in 0..deliveries {
        let mut rng = StdRng::seed_from_u64(seed);
        let (mut made_up_body, mut made_up_header) = (body.clone(), header.clone());
        if rng.random() {
            spoil(&mut made_up_body, &mut rng);
        } else {
            spoil(&mut made_up_header, &mut rng);
        }
        let mut request = Request::post("/webhooks/stripe").body(Body::from(made_up_body.clone())).unwrap();
        // What no header can have is not sent.
        if let Ok(signature) = HeaderValue::from_bytes(&made_up_header) {
            request.headers_mut().insert("stripe-signature", signature);
        }
        let status = url.call(request).await.unwrap().status();
        // What was added to the header may be of a scheme that nobody knows: then it is signed as before.
        let is_signed = made_up_body == body && status == StatusCode::OK;
        assert!(is_signed || status == StatusCode::BAD_REQUEST, "seed {seed}: {status}");
    }
    let balance = shop.end(&started).await.balance;
    assert!([0, 1_000].contains(&balance) && kept(&shop).await.len() <= 1);
}

fn spoil(bytes: &mut Vec<u8>, rng: &mut StdRng) {
    let before = bytes.clone();
    while *bytes == before {
        for _ in 0..rng.random_range(1..4) {
            let place = rng.random_range(0..=bytes.len());
            match rng.random_range(0..4) {
                0 => bytes.truncate(place),
                1 => bytes.insert(place, rng.random()),
                2 => bytes.extend_from_within(place..),
                _ => {
                    if let Some(byte) = bytes.get_mut(place) {
                        *byte = rng.random();
                    }
                }
            }
        }
    }
}

/// Bodies that are signed rightly, and are anything.
#[sqlx::test]
async fn whatever_is_signed_is_taken_in_and_gives_nothing_that_was_not_paid(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let started = shop.started().await;
    let body = completed("evt_1", &started).replace("\"paid\"", "\"unpaid\"").into_bytes();
    for seed in 0..200 {
        let mut spoilt = body.clone();
        spoil(&mut spoilt, &mut StdRng::seed_from_u64(seed));
        let signature = sign(SECRET, Clock::default().now(), &spoilt);
        let endpoint = Endpoint { secrets: &secrets(), is_live: false };
        receive(&shop.state, endpoint, &signature, &spoilt).await.unwrap();
    }
    assert_eq!(shop.end(&started).await.balance, 0);
}
