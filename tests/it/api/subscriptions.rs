//! Subscriptions, as a host that bills elsewhere keeps them: begun, changed, paid for, not paid for, ended; also by two
//! processes at once, and by one that is killed in the middle of it.

use std::{process::Stdio, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, future::join_all, stream};
use reqwest::Method;
use scrip::server::{
    clock::Clock,
    store::{self, api_keys::Scope, embedded::Embedded},
};
use serde_json::{Value, json};
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::{
    process::Child,
    time::{sleep, timeout},
};

use super::host::{Answer, Host, new_key};
use crate::{
    program::{LONG, run, scrip, started, stop},
    support::{App, CATALOG, noon},
};

/// Everybody begins on a free plan; two paid ones, one to be tried, one without limit.
const PLANS: &str = r#"
    name = "Plans"
    summary = "What the tests subscribe to."
    grace_days = 3
    [signup]
    plan = "free"
    [[actions]]
    key = "render"
    title = "Render a picture"
    cost = 1
    [[plans]]
    key = "free"
    title = "Free"
    monthly_credits = 5
    [[plans]]
    key = "small"
    title = "Small"
    price = "10.00"
    currency = "usd"
    monthly_credits = 100
    [[plans]]
    key = "tried"
    title = "Tried"
    price = "20.00"
    currency = "usd"
    monthly_credits = 200
    trial_days = 7
    [[plans]]
    key = "large"
    title = "Large"
    price = "30.00"
    currency = "usd"
    monthly_credits = 300
    [[plans]]
    key = "unlimited"
    title = "Unlimited"
    price = "90.00"
    currency = "usd"
    unlimited = true
"#;

/// As the code generator sells it: everybody begins on a free plan.
const TOKENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/catalogs/tokens.toml");

/// A host's user, who came on 20 November, and whose clock stands at noon of the 21st.
struct Subscriber {
    app: App,
    host: Host,
    id: String,
}

impl Subscriber {
    async fn new(pool: PgPool) -> Self {
        let clock = Clock::standing_at(noon() - TimeDelta::days(1));
        let app = App::start_with(pool, clock, PLANS).await;
        let host = Host::of(&app).await;
        let id = host.account("ada", 0).await;
        let ada = Self { app, host, id };
        ada.at("2026-11-21T12:00:00Z").await;
        ada
    }

    fn path(&self) -> String {
        format!("/accounts/{}/subscription", self.id)
    }

    async fn put(&self, body: Value) -> Answer {
        self.host.send(Method::PUT, &self.path(), None, body).await
    }

    async fn put_once(&self, key: &str, body: Value) -> Answer {
        self.host.send(Method::PUT, &self.path(), Some(key), body).await
    }

    async fn end_once(&self, key: &str, query: &str) -> Answer {
        let request = self.host.request(Method::DELETE, &format!("{}{query}", self.path()));
        Answer::of(request.header("idempotency-key", key)).await
    }

    async fn end(&self, query: &str) -> Answer {
        Answer::of(self.host.request(Method::DELETE, &format!("{}{query}", self.path()))).await
    }

    async fn get(&self) -> Value {
        self.host.get(&self.path()).await.ok()
    }

    /// What they are on, and how it stands.
    async fn stands(&self) -> (String, String) {
        let told = self.get().await;
        (told["plan"].as_str().unwrap().to_owned(), told["state"].as_str().unwrap().to_owned())
    }

    async fn at(&self, now: &str) {
        self.host.send(Method::PUT, "/test/clock", None, json!({"now": now})).await.ok();
    }

    async fn available(&self) -> i64 {
        self.host.available(&self.id).await
    }

    async fn version(&self) -> i64 {
        self.host.version(&self.id).await
    }

    /// What happened since the account had so many entries, oldest first: kind, change, day.
    async fn since(&self, version: i64) -> Vec<(String, i64, String)> {
        let entries = self.host.get(&format!("/accounts/{}/entries?limit=100", self.id)).await.ok();
        let entries = entries["data"].as_array().unwrap().iter().rev();
        let new = entries.filter(|entry| entry["version"].as_i64().unwrap() > version);
        let text = |entry: &Value, field: &str| entry[field].as_str().unwrap().to_owned();
        new.map(|entry| {
            (text(entry, "kind"), entry["delta"].as_i64().unwrap(), text(entry, "at")[..10].to_owned())
        })
        .collect()
    }
}

fn on(plan: &str, state: &str) -> (String, String) {
    (plan.to_owned(), state.to_owned())
}

fn entry(kind: &str, delta: i64, day: &str) -> (String, i64, String) {
    (kind.to_owned(), delta, day.to_owned())
}

#[sqlx::test]
async fn a_plan_begins_at_once_and_asked_for_again_nothing_changes(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    assert_eq!((ada.stands().await, ada.available().await), (on("free", "active"), 5));
    let begun = ada.put(json!({"plan": "small"})).await;
    assert_eq!(begun.status, 200);
    let expected = json!({
        "plan": "small", "state": "active", "monthly_credits": 100, "unlimited": false, "rollover_cap": null,
        "period_start": "2026-11-21T12:00:00Z", "period_end": "2026-12-21T12:00:00Z",
        "anchor": "2026-11-21T12:00:00Z", "credits_until": "2026-12-21T12:00:00Z",
        "paid_until": null, "next_plan": null, "ended_at": null,
    });
    assert_eq!(begun.body, expected);
    assert_eq!((ada.available().await, ada.version().await), (105, 2));
    for now in ["2026-11-21T12:00:00Z", "2026-11-22T12:00:00Z"] {
        ada.at(now).await;
        let again = ada.put(json!({"plan": "small"})).await;
        assert_eq!((again.status.as_u16(), again.body), (200, expected.clone()));
        assert_eq!((ada.get().await, ada.version().await), (expected.clone(), 2));
    }
    ada.at("2026-12-21T12:00:00Z").await;
    assert_eq!(ada.stands().await, on("small", "active"));
    let month = [
        // What was left of the free plan.
        entry("expiry", -5, "2026-12-20"),
        entry("renewal", 100, "2026-12-21"),
        entry("expiry", -100, "2026-12-21"),
    ];
    assert_eq!(ada.since(2).await, month);
}

#[sqlx::test]
async fn a_larger_plan_brings_the_difference_once(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    ada.put(json!({"plan": "small"})).await.ok();
    for _ in 0..2 {
        assert_eq!(ada.put(json!({"plan": "large"})).await.ok()["plan"], "large");
        assert_eq!((ada.available().await, ada.version().await), (305, 3));
    }
    // Down and up again within the period.
    ada.put(json!({"plan": "small"})).await.ok();
    ada.put(json!({"plan": "large"})).await.ok();
    assert_eq!(ada.available().await, 305);
    ada.at("2026-12-21T12:00:00Z").await;
    assert_eq!((ada.stands().await, ada.available().await), (on("large", "active"), 300));
}

#[sqlx::test]
async fn a_smaller_plan_begins_with_the_next_period(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    ada.put(json!({"plan": "large"})).await.ok();
    for _ in 0..2 {
        let told = ada.put(json!({"plan": "small"})).await.ok();
        assert_eq!((&told["plan"], &told["next_plan"]), (&"large".into(), &"small".into()));
        assert_eq!((ada.available().await, ada.version().await), (305, 3));
    }
    ada.at("2026-12-21T12:00:00Z").await;
    assert_eq!((ada.stands().await, ada.available().await), (on("small", "active"), 100));
    assert_eq!(ada.get().await["next_plan"], Value::Null);
}

#[sqlx::test]
async fn an_end_comes_with_the_period_and_then_the_free_plan(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    ada.put(json!({"plan": "small"})).await.ok();
    for _ in 0..2 {
        let told = ada.end("").await.ok();
        assert_eq!((&told["state"], &told["next_plan"]), (&"canceled".into(), &"free".into()));
        assert_eq!((ada.available().await, ada.version().await), (105, 3));
    }
    ada.at("2026-12-21T12:00:00Z").await;
    assert_eq!((ada.stands().await, ada.available().await), (on("free", "active"), 5));
    // Nobody is rid of the free plan.
    assert_eq!(ada.end("").await.problem(), (404, "not_subscribed"));
    ada.at("2027-01-21T12:00:00Z").await;
    assert_eq!((ada.stands().await, ada.available().await), (on("free", "active"), 5));
}

#[sqlx::test]
async fn who_thinks_better_of_an_end_goes_on(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    ada.put(json!({"plan": "small"})).await.ok();
    ada.end("").await.ok();
    assert_eq!(ada.put(json!({"plan": "small"})).await.ok()["state"], "active");
    assert_eq!(ada.available().await, 105);
    ada.at("2026-12-21T12:00:00Z").await;
    assert_eq!((ada.stands().await, ada.available().await), (on("small", "active"), 100));
}

#[sqlx::test]
async fn an_end_at_once_takes_what_is_left_of_the_plan(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    ada.put(json!({"plan": "small"})).await.ok();
    let told = ada.end("?at_once=true").await.ok();
    assert_eq!((&told["plan"], &told["state"]), (&"free".into(), &"active".into()));
    let ended = [entry("renewal", 0, "2026-11-21"), entry("expiry", -100, "2026-11-21")];
    assert_eq!(ada.since(2).await, ended);
    // The free plan brought its credits for this month before: its months go on as they were.
    assert_eq!((ada.available().await, &told["period_end"]), (5, &"2026-12-20T12:00:00Z".into()));
    assert_eq!(ada.end("?at_once=true").await.problem(), (404, "not_subscribed"));
}

#[sqlx::test]
async fn what_is_bought_and_ended_again_and_again_brings_the_free_credits_once(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    for _ in 0..3 {
        ada.put(json!({"plan": "small"})).await.ok();
        ada.end("?at_once=true").await.ok();
        assert_eq!((ada.stands().await, ada.available().await), (on("free", "active"), 5));
    }
    for (now, available) in
        [("2026-12-20T11:59:59Z", 5), ("2026-12-20T12:00:00Z", 5), ("2027-01-20T12:00:00Z", 5)]
    {
        ada.at(now).await;
        assert_eq!(ada.available().await, available, "{now}");
    }
    let renewals = ada.since(1).await.into_iter().filter(|(kind, delta, _)| kind == "renewal" && *delta > 0);
    let days: Vec<String> = renewals.map(|(.., day)| day).collect();
    assert_eq!(days, ["2026-12-20", "2027-01-20"]);
}

#[sqlx::test]
async fn a_put_that_comes_again_after_the_end_is_recognised_by_its_key(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    let asked = || json!({"plan": "small", "paid_until": "2026-12-21T12:00:00Z"});
    let first = ada.put_once("invoice-1", asked()).await;
    assert!(!first.is_replayed());
    let first = first.ok();
    let ended = ada.end_once("end-1", "?at_once=true").await;
    assert!(!ended.is_replayed());
    let (ended, version) = (ended.ok(), ada.version().await);
    for now in ["2026-11-21T12:00:00Z", "2026-12-25T12:00:00Z"] {
        ada.app.state.clock.set(Some(now.parse().unwrap()));
        let late = ada.put_once("invoice-1", asked()).await;
        assert!(late.is_replayed());
        assert_eq!(late.ok(), first);
        let late = ada.end_once("end-1", "?at_once=true").await;
        assert!(late.is_replayed());
        assert_eq!(late.ok(), ended);
        assert_eq!(ada.stands().await, on("free", "active"));
    }
    // But for what fell due.
    let due = [entry("renewal", 5, "2026-12-20"), entry("expiry", -5, "2026-12-20")];
    assert_eq!(ada.since(version).await, due);
    let version = ada.version().await;
    for other in [
        json!({"plan": "large"}),
        json!({"plan": "small"}),
        json!({"plan": "small", "anchor": "2026-12-21T12:00:00Z"}),
    ] {
        assert_eq!(ada.put_once("invoice-1", other).await.problem(), (422, "key_reused"));
    }
    assert_eq!(ada.put_once("end-1", asked()).await.problem(), (422, "key_reused"));
    assert_eq!(ada.end_once("end-1", "").await.problem(), (422, "key_reused"));
    assert_eq!(ada.put_once("no key", asked()).await.problem(), (400, "idempotency_key_invalid"));
    assert_eq!(ada.version().await, version);
}

#[sqlx::test]
async fn what_is_paid_late_is_answered_again_as_it_was_with_the_period_that_it_began(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    ada.put(json!({"plan": "small", "paid_until": "2026-12-21T12:00:00Z"})).await.ok();
    ada.at("2026-12-23T12:00:00Z").await;
    let pay = || ada.put_once("late", json!({"plan": "small", "paid_until": "2027-02-21T12:00:00Z"}));
    let paid = pay().await.ok();
    assert_eq!((&paid["state"], &paid["period_start"]), (&"active".into(), &"2026-12-21T12:00:00Z".into()));
    ada.at("2027-01-23T12:00:00Z").await;
    assert_eq!(pay().await.ok(), paid);
}

/// The same with other plans, as after the catalog was read anew.
async fn with_catalog(ada: Subscriber, catalog: &str) -> Subscriber {
    let now = ada.app.state.clock.now();
    let app = App::start_with(ada.app.state.pool.clone(), Clock::standing_at(now), catalog).await;
    Subscriber { host: Host::of(&app).await, app, id: ada.id }
}

#[sqlx::test]
async fn a_plan_that_is_gone_from_the_catalog_can_be_paid_on_by_who_is_on_it(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    let paid = |until: &str| json!({"plan": "small", "paid_until": until});
    let first = ada.put_once("invoice-1", paid("2026-12-21T12:00:00Z")).await.ok();
    let ada = with_catalog(ada, &PLANS.replace("\"small\"", "\"tiny\"")).await;
    let told = ada.put(paid("2027-01-21T12:00:00Z")).await.ok();
    assert_eq!((&told["plan"], &told["monthly_credits"]), (&"small".into(), &100.into()));
    ada.at("2026-12-21T12:00:00Z").await;
    assert_eq!((ada.stands().await, ada.available().await), (on("small", "active"), 100));
    ada.end("?at_once=true").await.ok();
    assert_eq!(ada.put(paid("2027-01-21T12:00:00Z")).await.problem(), (404, "unknown_plan"));
    let trial = json!({"plan": "small", "trial": true});
    assert_eq!(ada.put(trial).await.problem(), (404, "unknown_plan"));
    // What was done under a key is answered all the same.
    assert_eq!(ada.put_once("invoice-1", paid("2026-12-21T12:00:00Z")).await.ok(), first);
    let other = ada.put_once("invoice-1", paid("2027-01-21T12:00:00Z")).await;
    assert_eq!(other.problem(), (422, "key_reused"));
}

#[sqlx::test]
async fn what_was_agreed_for_the_next_period_can_be_paid_for_though_its_plan_is_gone(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    let paid = |plan: &str, until: &str| json!({"plan": plan, "paid_until": until});
    ada.put(paid("small", "2026-12-21T12:00:00Z")).await.ok();
    // Newer terms of the same plan.
    let ada = with_catalog(ada, &PLANS.replace("monthly_credits = 100", "monthly_credits = 120")).await;
    ada.put(paid("small", "2026-12-21T12:00:00Z")).await.ok();
    let ada = with_catalog(ada, &PLANS.replace("\"small\"", "\"tiny\"")).await;
    ada.put(paid("small", "2027-01-21T12:00:00Z")).await.ok();
    ada.at("2026-12-21T12:00:00Z").await;
    assert_eq!((ada.stands().await, ada.available().await), (on("small", "active"), 120));
    // Another plan, smaller than the one that they are on.
    let ada = with_catalog(ada, PLANS).await;
    ada.put(paid("large", "2027-01-21T12:00:00Z")).await.ok();
    ada.put(paid("tried", "2027-01-21T12:00:00Z")).await.ok();
    let ada = with_catalog(ada, &PLANS.replace("\"tried\"", "\"tiny\"")).await;
    assert_eq!(ada.put(paid("tried", "2027-02-21T12:00:00Z")).await.ok()["next_plan"], "tried");
    ada.at("2027-01-21T12:00:00Z").await;
    assert_eq!((ada.stands().await, ada.available().await), (on("tried", "active"), 200));
}

#[sqlx::test]
async fn newer_terms_of_a_plan_begin_with_the_next_period(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    ada.put(json!({"plan": "small"})).await.ok();
    let dearer = PLANS.replace("monthly_credits = 100", "monthly_credits = 120");
    let ada = with_catalog(ada, &dearer).await;
    for _ in 0..2 {
        let told = ada.put(json!({"plan": "small"})).await.ok();
        assert_eq!((&told["monthly_credits"], &told["next_plan"]), (&100.into(), &Value::Null));
        assert_eq!((ada.available().await, ada.version().await), (105, 3));
    }
    ada.at("2026-12-21T12:00:00Z").await;
    assert_eq!((ada.stands().await, ada.available().await), (on("small", "active"), 120));
}

#[sqlx::test]
async fn without_a_free_plan_an_end_leaves_nothing_but_what_it_was(pool: PgPool) {
    let catalog = PLANS.replace("plan = \"free\"", "credits = 7");
    let app = App::start_with(pool, Clock::standing_at(noon()), &catalog).await;
    let host = Host::of(&app).await;
    let ada = Subscriber { id: host.account("ada", 0).await, app, host };
    assert_eq!(ada.host.get(&ada.path()).await.problem(), (404, "not_subscribed"));
    assert_eq!(ada.end("").await.problem(), (404, "not_subscribed"));
    ada.put(json!({"plan": "small"})).await.ok();
    let told = ada.end("?at_once=true").await.ok();
    assert_eq!((&told["plan"], &told["state"]), (&"small".into(), &"ended".into()));
    assert_eq!(told["ended_at"], "2026-11-21T12:00:00Z");
    assert_eq!((ada.get().await, ada.available().await), (told, 7));
    assert_eq!(ada.end("").await.problem(), (404, "not_subscribed"));
    // And again from the beginning.
    assert_eq!(ada.put(json!({"plan": "small"})).await.ok()["state"], "active");
    assert_eq!(ada.available().await, 107);
}

#[sqlx::test]
async fn a_trial_begins_once_and_is_not_made_longer_by_asking_again(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    let trial = || ada.put(json!({"plan": "tried", "trial": true}));
    let asked: Vec<Value> = join_all((0..8).map(|_| trial())).await.into_iter().map(Answer::ok).collect();
    let begun = ada.get().await;
    let end = json!("2026-11-28T12:00:00Z");
    assert_eq!([&begun["anchor"], &begun["period_end"], &begun["paid_until"]], [&end; 3]);
    assert!(asked.iter().all(|told| *told == begun));
    ada.at("2026-11-25T12:00:00Z").await;
    assert_eq!(trial().await.ok(), begun);
    assert_eq!((ada.available().await, ada.version().await), (205, 2));
    ada.at("2026-11-28T12:00:00Z").await;
    assert_eq!(ada.stands().await, on("tried", "past_due"));
    assert_eq!(trial().await.ok()["state"], "past_due", "it is not begun anew");
    ada.at("2026-12-01T12:00:00Z").await;
    assert_eq!((ada.stands().await, ada.available().await), (on("free", "active"), 5));
    assert_eq!(trial().await.problem(), (409, "trial_used"));
    // For money it can be had.
    assert_eq!(ada.put(json!({"plan": "tried"})).await.ok()["state"], "active");
}

#[sqlx::test]
async fn a_trial_that_is_paid_for_in_time_goes_on_from_its_end(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    ada.put(json!({"plan": "tried", "trial": true})).await.ok();
    ada.put(json!({"plan": "tried", "paid_until": "2026-12-29T00:00:00Z"})).await.ok();
    ada.at("2026-11-28T12:00:00Z").await;
    let told = ada.get().await;
    assert_eq!((&told["state"], &told["period_end"]), (&"active".into(), &"2026-12-28T12:00:00Z".into()));
    assert_eq!(ada.available().await, 205);
}

#[sqlx::test]
async fn no_key_of_a_host_takes_a_trial_away_but_a_trial_under_an_old_key_was_one(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    ada.put_once("scrip:trial:tried", json!({"plan": "small"})).await.ok();
    ada.end("?at_once=true").await.ok();
    let trial = || json!({"plan": "tried", "trial": true});
    assert_eq!(ada.put(trial()).await.ok()["paid_until"], "2026-11-28T12:00:00Z");
    // As trials were begun before.
    let id = ada.host.account("bob", 0).await;
    let bob = Subscriber { id, ..ada };
    let end = "2026-11-28T12:00:00Z";
    let begun = json!({"plan": "tried", "anchor": end, "paid_until": end});
    bob.put_once("scrip:trial:tried", begun).await.ok();
    assert_eq!(bob.put(trial()).await.ok()["paid_until"], end);
    bob.end("?at_once=true").await.ok();
    assert_eq!(bob.put(trial()).await.problem(), (409, "trial_used"));
}

#[sqlx::test]
async fn a_trial_is_for_who_begins(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    assert_eq!(ada.put(json!({"plan": "small", "trial": true})).await.problem(), (422, "no_trial"));
    ada.put(json!({"plan": "small"})).await.ok();
    let version = ada.version().await;
    assert_eq!(ada.put(json!({"plan": "tried", "trial": true})).await.problem(), (409, "trial_used"));
    assert_eq!(ada.version().await, version);
    // Who pays for the plan already is not put back to a trial of it.
    ada.put(json!({"plan": "tried"})).await.ok();
    assert_eq!(ada.put(json!({"plan": "tried", "trial": true})).await.ok()["paid_until"], Value::Null);
}

#[sqlx::test]
async fn months_are_counted_from_the_day_on_which_the_host_bills(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    let told = ada.put(json!({"plan": "small", "anchor": "2026-08-31T00:00:00Z"})).await.ok();
    assert_eq!(told["period_end"], "2026-11-30T00:00:00Z");
    assert_eq!(ada.available().await, 105);
    let mut ends = Vec::new();
    for now in ["2026-11-30T00:00:00Z", "2026-12-31T00:00:00Z", "2027-01-31T00:00:00Z"] {
        ada.at(now).await;
        assert!([105, 100].contains(&ada.available().await));
        ends.push(ada.get().await["period_end"].as_str().unwrap().to_owned());
    }
    assert_eq!(ends, ["2026-12-31T00:00:00Z", "2027-01-31T00:00:00Z", "2027-02-28T00:00:00Z"]);
}

#[sqlx::test]
async fn what_is_not_paid_for_is_past_due_and_ends_after_the_grace(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    let told = ada.put(json!({"plan": "small", "paid_until": "2026-12-21T12:00:00Z"})).await.ok();
    assert_eq!(told["credits_until"], "2026-12-24T12:00:00Z");
    assert_eq!(told["next_plan"], "free");
    for (now, stands, available) in [
        ("2026-12-21T11:59:59Z", on("small", "active"), 100),
        ("2026-12-21T12:00:00Z", on("small", "past_due"), 100),
        ("2026-12-24T11:59:59Z", on("small", "past_due"), 100),
        ("2026-12-24T12:00:00Z", on("free", "active"), 5),
    ] {
        ada.at(now).await;
        assert_eq!((ada.stands().await, ada.available().await), (stands, available), "{now}");
    }
}

#[sqlx::test]
async fn what_is_paid_late_goes_on_as_if_it_had_been_paid_in_time(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    ada.put(json!({"plan": "small", "paid_until": "2026-12-21T12:00:00Z"})).await.ok();
    ada.at("2026-12-23T12:00:00Z").await;
    for _ in 0..2 {
        let told = ada.put(json!({"plan": "small", "paid_until": "2027-02-21T12:00:00Z"})).await.ok();
        let period = [&told["state"], &told["period_start"], &told["period_end"]];
        assert_eq!(period, ["active", "2026-12-21T12:00:00Z", "2027-01-21T12:00:00Z"]);
        assert_eq!(ada.available().await, 100);
    }
    // Later than the grace, it begins anew.
    ada.at("2027-02-25T00:00:00Z").await;
    assert_eq!(ada.stands().await, on("free", "active"));
    let told = ada.put(json!({"plan": "small", "paid_until": "2027-03-25T00:00:00Z"})).await.ok();
    assert_eq!(told["anchor"], "2027-02-25T00:00:00Z");
    assert_eq!(ada.available().await, 105);
}

#[sqlx::test]
async fn a_year_in_which_nobody_looked_is_caught_up_period_by_period(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    ada.put(json!({"plan": "small", "anchor": "2026-10-31T12:00:00Z"})).await.ok();
    let version = ada.version().await;
    ada.at("2027-11-21T12:00:00Z").await;
    let renewals = ada.since(version).await.into_iter().filter(|(kind, ..)| kind == "renewal");
    let days: Vec<String> = renewals.map(|(_, _, day)| day).collect();
    let expected = [
        "2026-11-30",
        "2026-12-31",
        "2027-01-31",
        "2027-02-28",
        "2027-03-31",
        "2027-04-30",
        "2027-05-31",
        "2027-06-30",
        "2027-07-31",
        "2027-08-31",
        "2027-09-30",
        "2027-10-31",
    ];
    assert_eq!((days, ada.available().await), (expected.map(str::to_owned).to_vec(), 100));
}

#[sqlx::test]
async fn what_fell_due_is_told_before_it_is_written(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    ada.put(json!({"plan": "small"})).await.ok();
    // Without the job that would write it down.
    ada.app.state.clock.set(Some("2027-01-21T12:00:00Z".parse().unwrap()));
    let told = ada.get().await;
    assert_eq!((&told["plan"], &told["period_end"]), (&"small".into(), &"2027-02-21T12:00:00Z".into()));
    assert_eq!(ada.available().await, 100);
    let granted = ada.app.state.ledger.granted(ada.id.parse().unwrap()).await.unwrap();
    assert_eq!(granted.get(), 100, "what is granted is not less than what is there");
}

#[sqlx::test]
async fn what_makes_no_sense_is_refused_and_changes_nothing(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    assert_eq!(ada.put(json!({"plan": "gold"})).await.problem(), (404, "unknown_plan"));
    for (body, field) in [
        (json!({}), "plan"),
        (json!({"plan": null}), "plan"),
        (json!({"plan": "Not a key"}), "plan"),
        (json!({"plan": "small", "anchor": "tomorrow"}), "anchor"),
        (json!({"plan": "small", "anchor": 7}), "anchor"),
        (json!({"plan": "small", "paid_until": "2026-13-01T00:00:00Z"}), "paid_until"),
        (json!({"plan": "small", "trial": 1}), "trial"),
        (json!({"plan": "tried", "trial": true, "anchor": "2026-12-01T00:00:00Z"}), "trial"),
        (json!({"plan": "tried", "trial": true, "paid_until": "2026-12-01T00:00:00Z"}), "trial"),
        (json!({"plan": "small", "months": 3}), "months"),
    ] {
        let answer = ada.put(body.clone()).await;
        assert_eq!(answer.problem(), (422, "invalid"), "{body}");
        assert!(answer.body["errors"].to_string().contains(field), "{body} {}", answer.body);
    }
    let late = json!({"plan": "small", "paid_until": "2026-11-21T12:00:00Z"});
    assert_eq!(ada.put(late).await.problem(), (422, "expires_too_early"));
    let free = json!({"plan": "free", "paid_until": "2026-12-21T12:00:00Z"});
    assert_eq!(ada.put(free).await.problem(), (422, "nothing_to_pay"));
    let odd = ada.end("?at_once=perhaps").await;
    assert_eq!(odd.problem(), (422, "invalid"), "{}", odd.body);
    let nobody = ada.host.send(Method::PUT, "/accounts/ext_bob/subscription", None, json!({"plan": "small"}));
    assert_eq!(nobody.await.problem(), (404, "unknown_account"));
    assert_eq!((ada.stands().await, ada.version().await), (on("free", "active"), 1));
}

#[sqlx::test]
async fn of_many_who_ask_at_once_one_brings_the_allowance(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    for (plan, available) in [("small", 105), ("large", 305)] {
        let asked = join_all((0..16).map(|_| ada.put(json!({"plan": plan})))).await;
        assert!(asked.into_iter().all(|answer| answer.ok()["plan"] == plan));
        assert_eq!(ada.available().await, available);
    }
    assert_eq!(ada.version().await, 3);
}

#[sqlx::test]
async fn who_has_too_little_is_told_which_plan_brings_more(pool: PgPool) {
    let ada = Subscriber::new(pool).await;
    let short = async |path: &str| {
        let answer = ada.host.command(path, "short", json!({"account": ada.id, "amount": 1_000_000})).await;
        assert_eq!(answer.problem(), (402, "insufficient_credits"));
        let detail = answer.body["detail"].as_str().unwrap();
        (
            detail.split_once("missing. ").map(|(_, advice)| advice.to_owned()),
            answer.body["upgrade_plan"].clone(),
        )
    };
    for path in ["/spends", "/holds"] {
        let small = (Some("Upgrade to Small for 100 credits a month.".to_owned()), json!("small"));
        assert_eq!(short(path).await, small);
    }
    ada.put(json!({"plan": "large"})).await.ok();
    let unlimited = (Some("Upgrade to Unlimited for use without limit.".to_owned()), json!("unlimited"));
    assert_eq!(short("/spends").await, unlimited);
}

#[sqlx::test]
async fn without_a_larger_plan_none_is_named(pool: PgPool) {
    let app = App::start_with(pool, Clock::default(), CATALOG).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 0).await;
    let answer = host.command("/spends", "short", json!({"account": id, "amount": 1_000})).await;
    assert_eq!(answer.body["detail"], "This costs 1,000 credits, you have 10: 990 missing.");
    assert_eq!(answer.body["upgrade_plan"], Value::Null);
}

/// A private database, and the programs that use it.
struct Place {
    data: TempDir,
    embedded: Embedded,
    pool: PgPool,
    key: String,
}

impl Place {
    async fn new() -> Self {
        let data = TempDir::new().unwrap();
        let embedded = Embedded::start(data.path()).await.unwrap();
        let pool = store::connect(embedded.connect_options());
        store::migrate(&pool).await.unwrap();
        let (_, key) = new_key(&pool, &[Scope::Admin], 1_000_000).await;
        Self { data, embedded, pool, key }
    }

    async fn serve(&self) -> (Child, Host) {
        let mut command = scrip(self.data.path(), &[]);
        command.env("SCRIP_CATALOG", TOKENS).stderr(Stdio::null());
        let (server, url) = started(command).await;
        (server, Host::at(&url, self.key.clone()))
    }

    /// How many renewals are written, and of how many different accounts and periods.
    async fn renewals(&self) -> (i64, i64) {
        let counted = sqlx::query!(
            r#"select count(*) as "all!",
                      count(distinct (account_id, at)) as "different!"
               from entries
               where kind = 'n'"#
        );
        let counted = counted.fetch_one(&self.pool).await.unwrap();
        (counted.all, counted.different)
    }

    async fn assert_books_hold_and_leave(self) {
        let (holds, said) = run(scrip(self.data.path(), &["verify"])).await;
        assert!(holds && said.contains("All of it holds."), "{said}");
        self.pool.close().await;
        self.embedded.stop().await;
    }
}

async fn set_clock(host: &Host, now: DateTime<Utc>) -> Answer {
    host.send(Method::PUT, "/test/clock", None, json!({"now": now})).await
}

/// So many accounts, each on the free plan since noon.
async fn open_accounts(host: &Host, count: usize) {
    set_clock(host, noon()).await.ok();
    let opening = stream::iter(0..count).map(|number| async move {
        let body = json!({"external_id": format!("user-{number}")});
        host.post("/accounts", body).await.ok();
    });
    opening.buffer_unordered(16).collect::<Vec<()>>().await;
}

#[tokio::test]
async fn two_processes_that_renew_the_same_accounts_renew_each_once() {
    let place = Place::new().await;
    let ((one, host), (other, other_host)) = (place.serve().await, place.serve().await);
    open_accounts(&host, 60).await;
    for month in 1..=3 {
        let now = noon() + TimeDelta::days(31 * month);
        let (here, there) = tokio::join!(set_clock(&host, now), set_clock(&other_host, now));
        here.ok();
        there.ok();
        assert_eq!(place.renewals().await, (60 * month, 60 * month));
    }
    stop(one).await;
    stop(other).await;
    place.assert_books_hold_and_leave().await;
}

#[tokio::test]
async fn a_process_that_is_killed_while_it_catches_up_leaves_each_renewal_done_once() {
    let place = Place::new().await;
    let (mut server, host) = place.serve().await;
    open_accounts(&host, 400).await;
    let (all, a_year_later) = (400 * 12, noon() + TimeDelta::days(365));
    let catching_up = async {
        // It is killed before it answers.
        let request = host.request(Method::PUT, "/test/clock").header("content-type", "application/json");
        drop(request.body(json!({"now": a_year_later}).to_string()).send().await);
    };
    let killing = async {
        while place.renewals().await.0 == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        server.kill().await.unwrap();
    };
    timeout(LONG, async { tokio::join!(catching_up, killing) }).await.expect("it catches up");
    let (done, _) = place.renewals().await;
    assert!((1..all).contains(&done), "{done}: it was in the middle of it");

    let (server, host) = place.serve().await;
    set_clock(&host, a_year_later).await.ok();
    assert_eq!(place.renewals().await, (all, all));
    stop(server).await;
    place.assert_books_hold_and_leave().await;
}
