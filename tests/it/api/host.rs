//! A host application: it has a key, and reads what it is answered.

use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap};
use scrip::server::{
    auth::{ApiKeys, NewKey},
    store::api_keys::{ApiKey, Scope},
};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::App;

pub struct Host {
    client: reqwest::Client,
    url: String,
    key: String,
}

/// What was answered; `Null` where that is no JSON.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

pub async fn new_key(pool: &PgPool, scopes: &[Scope], requests_per_minute: u32) -> (ApiKey, String) {
    let new = NewKey::parse("test".into(), scopes.to_vec(), requests_per_minute.try_into().unwrap());
    ApiKeys::new(pool.clone()).create(new.unwrap()).await.unwrap()
}

impl Host {
    /// One whose key is for everything.
    pub async fn of(app: &App) -> Self {
        let (_, key) = new_key(&app.state.pool, &[Scope::Admin], 1_000_000).await;
        Self::at(&app.url, key)
    }

    pub fn at(url: &str, key: String) -> Self {
        Self { client: reqwest::Client::new(), url: url.to_owned(), key }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}/api/v1{path}", self.url)).bearer_auth(&self.key)
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    /// Posts what needs no idempotency key.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, None, body).await
    }

    /// Posts a command under a key.
    pub async fn command(&self, path: &str, key: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(key), body).await
    }

    pub async fn send(&self, method: Method, path: &str, key: Option<&str>, body: Value) -> Answer {
        let mut request = self.request(method, path).header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        Answer::of(request.body(body.to_string())).await
    }

    /// An account with so many credits, besides the ten that the catalog gives.
    pub async fn account(&self, external_id: &str, credits: i64) -> String {
        let account = self.post("/accounts", json!({"external_id": external_id})).await.ok();
        let id = account["id"].as_str().unwrap().to_owned();
        if credits > 0 {
            let grant = json!({"amount": credits, "source": "pack", "reason": "Pack"});
            self.command(&format!("/accounts/{id}/grants"), "first", grant).await.ok();
        }
        id
    }

    pub async fn available(&self, account: &str) -> i64 {
        self.get(&format!("/accounts/{account}/balance")).await.ok()["available"].as_i64().unwrap()
    }

    /// How many entries an account has.
    pub async fn version(&self, account: &str) -> i64 {
        self.get(&format!("/accounts/{account}/balance")).await.ok()["version"].as_i64().unwrap()
    }
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
        Self { status, headers, body }
    }

    /// What was answered to a call that succeeded.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.body);
        self.body
    }

    /// Status and code of a problem, which is one in all respects.
    #[track_caller]
    pub fn problem(&self) -> (u16, &str) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        assert_eq!(self.body["status"], self.status.as_u16());
        assert_eq!(self.body["request_id"].as_str(), self.headers["x-request-id"].to_str().ok());
        let code = self.body["code"].as_str().unwrap();
        let anchor = self.body["type"].as_str().unwrap().rsplit_once("/docs/api#").unwrap().1;
        assert_eq!(anchor, code);
        assert!(self.body["title"].is_string() && self.body["detail"].is_string());
        (self.status.as_u16(), code)
    }

    pub fn is_replayed(&self) -> bool {
        self.headers.get("idempotent-replayed").is_some_and(|told| told == "true")
    }
}
