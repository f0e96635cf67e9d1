//! What a call is refused with, in Stripe's words and codes.

use std::error::Error as StdError;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

/// An answer that is an error.
#[derive(Debug)]
pub struct Refused {
    pub status: StatusCode,
    pub body: Value,
    /// Whether an idempotency key brings the same answer again. What was refused for its form was never begun.
    pub is_kept: bool,
}

impl Refused {
    fn new(status: StatusCode, kind: &str, code: Option<&str>, message: String, param: Option<&str>) -> Self {
        let mut error = Map::new();
        error.insert("type".to_owned(), json!(kind));
        error.insert("message".to_owned(), json!(message));
        if let Some(code) = code {
            error.insert("code".to_owned(), json!(code));
            let url = format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-"));
            error.insert("doc_url".to_owned(), json!(url));
        }
        if let Some(param) = param {
            error.insert("param".to_owned(), json!(param));
        }
        Self { status, body: json!({ "error": error }), is_kept: true }
    }

    fn request(code: Option<&str>, message: String, param: Option<&str>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", code, message, param)
    }

    /// A parameter that is not what it has to be.
    pub fn parameter(code: Option<&str>, param: &str, message: impl Into<String>) -> Self {
        Self { is_kept: false, ..Self::request(code, message.into(), Some(param)) }
    }

    /// What can't be done now.
    pub fn state(code: Option<&str>, message: impl Into<String>) -> Self {
        Self::request(code, message.into(), None)
    }

    /// An object that a parameter names and that is not there.
    pub fn no_such(kind: &str, id: &str, param: &str) -> Self {
        let message = format!("No such {}: '{id}'", kind.replace('.', " "));
        Self::request(Some("resource_missing"), message, Some(param))
    }

    /// The object that the call is about is not there.
    pub fn not_found(kind: &str, id: &str) -> Self {
        Self { status: StatusCode::NOT_FOUND, ..Self::no_such(kind, id, "id") }
    }

    pub fn unknown_call(method: &str, path: &str) -> Self {
        let message = format!("Unrecognized request URL ({method}: {path}).");
        let refused = Self::request(None, message, None);
        Self { status: StatusCode::NOT_FOUND, is_kept: false, ..refused }
    }

    pub fn unauthorized(message: &str) -> Self {
        let refused = Self::request(None, message.to_owned(), None);
        Self { status: StatusCode::UNAUTHORIZED, is_kept: false, ..refused }
    }

    /// An idempotency key that can't be used for this request.
    pub fn key(message: &str) -> Self {
        let refused = Self::new(StatusCode::BAD_REQUEST, "idempotency_error", None, message.to_owned(), None);
        Self { is_kept: false, ..refused }
    }

    fn by_the_bank() -> Self {
        let message = "Your card was declined.".to_owned();
        let mut refused =
            Self::new(StatusCode::PAYMENT_REQUIRED, "card_error", Some("card_declined"), message, None);
        refused.body["error"]["decline_code"] = json!("generic_decline");
        refused
    }

    /// The bank said no, and nothing is to be left of what was tried.
    pub fn undone() -> Self {
        Self { is_kept: false, ..Self::by_the_bank() }
    }

    /// The bank said no. What was tried is told with it.
    pub fn declined(charge: &str, intent: &Value) -> Self {
        let mut refused = Self::by_the_bank();
        refused.body["error"]["charge"] = json!(charge);
        refused.body["error"]["payment_intent"] = intent.clone();
        refused
    }

    pub fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }
}

/// The stand-in itself failed: nothing was done.
impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(error = &error as &dyn StdError, "the stand-in Stripe failed");
        let message = "An error occurred with our connection to the database.".to_owned();
        let refused = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "api_error", None, message, None);
        Self { is_kept: false, ..refused }
    }
}
