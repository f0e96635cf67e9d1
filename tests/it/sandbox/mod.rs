//! The stand-in Stripe: how strict its API is, what its pages do, and which webhooks it sends. What it does is looked at
//! from where the program stands: over HTTP, and at an endpoint that checks every signature itself.

mod disputes;
mod library;
mod payments;
mod strictness;
mod subscriptions;
mod webhooks;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, http::HeaderMap, routing::post};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, Response, StatusCode, redirect::Policy};
use scrip::{
    server::{
        clock::Clock,
        jobs::{Job, Sandbox},
        store::sandbox,
        stripe::{SANDBOX_KEY, event},
    },
    text::hexadecimal,
};
use serde_json::Value;
use sha2::Sha256;
use sqlx::PgPool;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::support::{App, noon};

/// What came in at the endpoint.
struct Taken {
    signature: String,
    body: Vec<u8>,
    /// By the program's clock.
    at: DateTime<Utc>,
}

/// A program in a sandbox, and an endpoint for webhooks.
pub struct Place {
    pub app: App,
    client: reqwest::Client,
    taken: Arc<Mutex<Vec<Taken>>>,
    /// What the endpoint answers.
    answers: Arc<Mutex<StatusCode>>,
    endpoint: JoinHandle<()>,
}

impl Place {
    pub async fn start(pool: PgPool) -> Self {
        let (taken, answers) = (Arc::<Mutex<Vec<Taken>>>::default(), Arc::new(Mutex::new(StatusCode::OK)));
        let (took, answer) = (taken.clone(), answers.clone());
        let clock = Clock::standing_at(noon());
        let there = clock.clone();
        let take = move |headers: HeaderMap, body: Bytes| {
            let signature = headers["stripe-signature"].to_str().unwrap().to_owned();
            took.lock().unwrap().push(Taken { signature, body: body.to_vec(), at: there.now() });
            std::future::ready(*answer.lock().unwrap())
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let router: Router = Router::new().route("/webhooks/stripe", post(take));
        let endpoint = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let app = App::start_told(pool, clock, address).await;
        let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        Self { app, client, taken, answers, endpoint }
    }

    /// A call of the API.
    pub fn call(&self, method: Method, path: &str, form: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let url = format!("{}/sandbox/stripe/v1/{path}", self.app.url);
        if method == Method::GET && !form.is_empty() {
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            return self.client.get(format!("{url}?{query}")).bearer_auth(SANDBOX_KEY);
        }
        self.client.request(method, url).bearer_auth(SANDBOX_KEY).form(form)
    }

    pub async fn get(&self, path: &str) -> Value {
        answer(self.call(Method::GET, path, &[])).await.1
    }

    /// One that must succeed.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let (status, body) = answer(self.call(Method::POST, path, form)).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    /// One that must not: status, code and parameter.
    pub async fn refused(&self, method: Method, path: &str, form: &[(&str, &str)]) -> (u16, String, String) {
        let (status, body) = answer(self.call(method, path, form)).await;
        let text = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
        assert!(!text("message").is_empty(), "{path}: {body}");
        (status.as_u16(), text("code"), text("param"))
    }

    /// A form of a page, sent as by a browser.
    pub async fn submit(&self, page: &str, form: &[(&str, &str)]) -> Response {
        let request = self.client.post(format!("{}{page}", self.app.url)).form(form);
        request.header("origin", &self.app.url).send().await.unwrap()
    }

    /// What is done by hand on the overview.
    pub async fn deed(&self, deed: &str, id: &str) {
        let done = self.submit("/sandbox", &[("deed", deed), ("id", id)]).await;
        assert_eq!(done.status(), StatusCode::SEE_OTHER, "{deed}: {}", done.text().await.unwrap());
    }

    pub async fn page(&self, path: &str) -> String {
        self.app.browser().page(path).await
    }

    pub async fn customer(&self) -> String {
        id(&self.post("customers", &[("email", "ada@example.com"), ("name", "Ada")]).await)
    }

    /// A session for one thing at ten dollars.
    pub async fn session(&self, customer: &str, more: &[(&str, &str)]) -> String {
        let mut form = vec![
            ("mode", "payment"),
            ("customer", customer),
            ("success_url", "http://localhost:9/done?session={CHECKOUT_SESSION_ID}"),
            ("cancel_url", "http://localhost:9/back"),
            ("line_items[0][quantity]", "1"),
            ("line_items[0][price_data][currency]", "usd"),
            ("line_items[0][price_data][unit_amount]", "1000"),
            ("line_items[0][price_data][product_data][name]", "A <thousand> credits"),
            ("metadata[scrip_purchase]", "p1"),
        ];
        if more.contains(&("mode", "subscription")) {
            form.push(("line_items[0][price_data][recurring][interval]", "month"));
        }
        form.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        form.extend(more);
        id(&self.post("checkout/sessions", &form).await)
    }

    /// Chooses on the hosted page; returns where that leads.
    pub async fn pay(&self, session: &str, with: &str) -> String {
        let chosen = self.submit(&format!("/sandbox/checkout/{session}"), &[("with", with)]).await;
        assert_eq!(chosen.status(), StatusCode::SEE_OTHER, "{}", chosen.text().await.unwrap());
        chosen.headers()["location"].to_str().unwrap().to_owned()
    }

    /// A session that was paid with a card: its payment intent.
    pub async fn paid(&self, customer: &str, more: &[(&str, &str)]) -> Value {
        let session = self.session(customer, more).await;
        self.pay(&session, "4242").await;
        let session = self.get(&format!("checkout/sessions/{session}")).await;
        self.get(&format!("payment_intents/{}", session["payment_intent"].as_str().unwrap())).await
    }

    /// Lets the clock stand at another time, and what is due by then happen.
    pub async fn set_clock(&self, now: &str) {
        self.app.state.clock.set(now.parse::<DateTime<Utc>>().unwrap());
        while Sandbox.run_once(&self.app.state, noon()).await.unwrap().is_more {}
    }

    pub fn answer_with(&self, status: StatusCode) {
        *self.answers.lock().unwrap() = status;
    }

    /// The events that came in since the last time, once there are so many; each was signed.
    pub async fn events(&self, count: usize) -> Vec<Value> {
        self.taken(count).await.into_iter().map(|(event, _)| event).collect()
    }

    /// And when.
    pub async fn taken(&self, count: usize) -> Vec<(Value, DateTime<Utc>)> {
        for _ in 0..200 {
            if self.taken.lock().unwrap().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let secret = sandbox::secret(&self.app.state.pool).await.unwrap();
        let taken = std::mem::take(&mut *self.taken.lock().unwrap());
        taken.iter().map(|taken| (verified(&secret, &taken.signature, &taken.body), taken.at)).collect()
    }

    /// Their types.
    pub async fn told(&self, count: usize) -> Vec<String> {
        self.events(count).await.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.endpoint.abort();
    }
}

pub async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

pub fn id(object: &Value) -> String {
    object["id"].as_str().unwrap().to_owned()
}

/// Reads a delivery as Stripe's documentation tells to.
fn verified(secret: &str, header: &str, body: &[u8]) -> Value {
    let part = |name: &str| header.split(',').find_map(|part| part.strip_prefix(name)).unwrap().to_owned();
    let (time, signature) = (part("t="), part("v1="));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{time}.").as_bytes());
    mac.update(body);
    assert_eq!(hexadecimal(&mac.finalize().into_bytes()), signature);
    let age = Clock::default().now().timestamp() - time.parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{age} seconds old");
    // The program can read it, too.
    event::parse(body).unwrap();
    serde_json::from_slice(body).unwrap()
}
