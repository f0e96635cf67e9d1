//! The four products that ship as catalogs, each walked through from end to end: what its pages call with a session, what
//! its server calls with a key, and the time between.

mod interior;
mod stems;
mod tokens;
mod video;

use reqwest::Method;
use scrip::server::clock::Clock;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{
    api::host::{Answer, Host},
    support::{App, Browser, noon},
};

/// A product with one customer, who has just signed up. Its clock begins at noon of 21 November 2026.
struct Walk {
    app: App,
    host: Host,
    customer: Browser,
    account: String,
}

impl Walk {
    async fn begin(pool: PgPool, catalog: &str) -> Self {
        let app = App::start_with(pool, Clock::standing_at(noon()), catalog).await;
        let (host, customer) = (Host::of(&app).await, app.member("ada@example.com").await);
        let account = app.account_of("ada@example.com").await.to_string();
        Self { app, host, customer, account }
    }

    /// Time goes by until then.
    async fn at(&self, now: &str) {
        self.host.send(Method::PUT, "/test/clock", None, json!({"now": now})).await.ok();
    }

    // What the customer's browser asks of the product's own routes.

    async fn page(&self, path: &str) -> Value {
        Answer::of(self.customer.request(Method::GET, path)).await.ok()
    }

    async fn remaining(&self) -> i64 {
        self.page("/api/user/credits").await["remaining"].as_i64().unwrap()
    }

    async fn consume(&self, body: Value) -> Answer {
        let request = self.customer.request(Method::POST, "/api/user/credits/consume");
        let request = request.header("origin", &self.app.url).header("content-type", "application/json");
        Answer::of(request.body(body.to_string())).await
    }

    /// What one use took.
    async fn used(&self, body: Value) -> i64 {
        self.consume(body).await.ok()["creditsUsed"].as_i64().unwrap()
    }

    /// The newest items of the customer's history.
    async fn history(&self, limit: usize) -> Vec<Value> {
        let history = self.page(&format!("/api/user/credits/history?limit={limit}")).await;
        history["history"].as_array().unwrap().clone()
    }

    // What the product's server asks with its key.

    async fn quote(&self, action: &str) -> Value {
        self.host.post("/quotes", json!({"account": self.account, "action": action})).await.ok()
    }

    /// A grant by the product's server; the lot.
    async fn grant(&self, key: &str, body: Value) -> Value {
        self.host.command(&format!("/accounts/{}/grants", self.account), key, body).await.ok()
    }

    async fn subscribe(&self, body: Value) -> Value {
        let path = format!("/accounts/{}/subscription", self.account);
        self.host.send(Method::PUT, &path, None, body).await.ok()
    }

    async fn unsubscribe(&self) -> Value {
        let path = format!("/accounts/{}/subscription", self.account);
        Answer::of(self.host.request(Method::DELETE, &path)).await.ok()
    }

    async fn balance(&self) -> Value {
        self.host.get(&format!("/accounts/{}/balance", self.account)).await.ok()
    }

    /// The newest entries of one kind.
    async fn entries(&self, kind: &str) -> Vec<Value> {
        let path = format!("/accounts/{}/entries?kind={kind}", self.account);
        self.host.get(&path).await.ok()["data"].as_array().unwrap().clone()
    }
}
