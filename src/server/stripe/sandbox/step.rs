//! One thing that happens at the stand-in Stripe: a transaction, when it happens, and what is told of it. One happens
//! after another, under a lock, so that none need think of others.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::{PgConnection, Postgres, Transaction};

use super::{due, refused::Refused};
use crate::server::{
    AppState,
    clock::Clock,
    store::sandbox::{self, Listed, Object, Switches},
};

/// The version of the API that the objects have the shape of.
pub const API_VERSION: &str = "2026-09-30.endive";

pub struct Step<'a> {
    tx: Transaction<'static, Postgres>,
    state: &'a AppState,
    pub switches: Switches,
    /// When this happens, by the program's clock: what fell due happens when it did.
    pub now: DateTime<Utc>,
    /// Of the request that is carried out, for its events.
    pub key: Option<String>,
}

impl<'a> Step<'a> {
    pub async fn begin(state: &'a AppState) -> sqlx::Result<Self> {
        let mut tx = state.pool.begin().await?;
        sandbox::lock(&mut tx).await?;
        let switches = sandbox::switches(&mut tx).await?;
        Ok(Self { tx, switches, now: state.clock.now(), state, key: None })
    }

    pub async fn commit(self) -> sqlx::Result<()> {
        self.tx.commit().await
    }

    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    pub fn seconds(&self) -> i64 {
        self.now.timestamp()
    }

    pub fn base_url(&self) -> &'a str {
        &self.state.base_url
    }

    /// `pi_…`
    pub fn new_id(&self, prefix: &str) -> String {
        format!("{prefix}_{}", self.state.clock.new_id().simple())
    }

    /// The object that a call is about.
    pub async fn get(&mut self, kind: &str, id: &str) -> Result<Value, Refused> {
        let found = sandbox::object(&mut self.tx, kind, id).await?;
        found.ok_or_else(|| Refused::not_found(kind, id))
    }

    /// An object that a parameter names.
    pub async fn named(&mut self, kind: &str, id: &str, param: &str) -> Result<Value, Refused> {
        let found = sandbox::object(&mut self.tx, kind, id).await?;
        found.ok_or_else(|| Refused::no_such(kind, id, param))
    }

    /// An object that another one names, so that it is there.
    pub async fn of(&mut self, kind: &str, id: &Value) -> Result<Value, Refused> {
        self.get(kind, id.as_str().unwrap_or_default()).await
    }

    /// Writes an object as it is now.
    pub async fn put(&mut self, body: &Value) -> sqlx::Result<()> {
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        let object = Object {
            id: text("id"),
            kind: text("object"),
            body,
            created: body["created"].as_i64().unwrap_or_else(|| self.seconds()),
            due: due::of(body),
        };
        sandbox::put(&mut self.tx, &object).await
    }

    /// The objects whose bodies contain these fields, the latest first.
    pub async fn all(&mut self, kind: &str, fields: Value, limit: i64) -> sqlx::Result<Vec<Value>> {
        let listed = Listed { kind, fields, types: None, created: (0, i64::MAX), after: None, limit };
        sandbox::list(&mut self.tx, &listed).await
    }

    /// Tells those who listen what has become of an object.
    pub async fn tell(&mut self, kind: &str, object: &Value) -> sqlx::Result<()> {
        let id = self.new_id("evt");
        let event = json!({
            "id": id,
            "object": "event",
            "api_version": API_VERSION,
            "created": self.seconds(),
            "data": {"object": object},
            "livemode": false,
            "pending_webhooks": 1,
            "request": {"id": null, "idempotency_key": self.key},
            "type": kind,
        });
        self.put(&event).await?;
        for _ in 0..if self.switches.is_doubled { 2 } else { 1 } {
            self.deliver(&id).await?;
        }
        Ok(())
    }

    /// Has an event sent, once the delay is over.
    pub async fn deliver(&mut self, event: &str) -> sqlx::Result<()> {
        let now = Clock::default().now();
        let due_at = now + TimeDelta::seconds(self.switches.delay_seconds.into());
        sandbox::insert_delivery(&mut self.tx, event, now, due_at).await
    }
}

/// The id in a field, or nothing.
pub fn text<'v>(object: &'v Value, name: &str) -> &'v str {
    object[name].as_str().unwrap_or_default()
}

pub fn number(object: &Value, name: &str) -> i64 {
    object[name].as_i64().unwrap_or_default()
}

/// What was asked to be kept with an object, with what is there already.
pub fn metadata(ask: &Value, before: &Value) -> Value {
    let mut kept = before.as_object().cloned().unwrap_or_default();
    for (key, value) in ask.as_object().into_iter().flatten() {
        // An empty value takes a key away.
        if value == "" {
            kept.remove(key);
        } else {
            kept.insert(key.clone(), value.clone());
        }
    }
    Value::Object(kept)
}

/// With fields that are there and say nothing.
pub fn with_nulls(mut body: Value, names: &[&str]) -> Value {
    for name in names {
        body[*name] = Value::Null;
    }
    body
}
