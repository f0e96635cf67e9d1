//! What can go wrong when Stripe is asked for something.

use std::error::Error as StdError;

use ::stripe::{IdempotentKeyError, StripeError};
use thiserror::Error;

use super::fields::Unreadable;

#[derive(Debug, Error)]
pub enum Error {
    /// It is not known whether it happened; the same idempotency key may be sent again, later.
    #[error("Stripe can't be reached, or does not answer as it should")]
    Unreachable(#[source] Box<dyn StdError + Send + Sync>),
    /// By whoever would have paid, or their bank. The message is for people.
    #[error("the payment was declined ({code}): {message}")]
    Declined { code: String, message: String },
    /// It did not happen, and will not if the same is asked again.
    #[error("Stripe refuses this ({status}, {code}): {message}")]
    Refused { status: u16, code: String, message: String },
}

/// Stripe asks for patience: too many requests, or the first one with this key is under way.
const NOT_NOW: [u16; 2] = [409, 429];

/// Where Stripe's error is too odd for the library, its status is lost: then it counts as no answer.
impl From<StripeError> for Error {
    fn from(error: StripeError) -> Self {
        let StripeError::Stripe(told, status) = error else {
            return Self::Unreachable(Box::new(error));
        };
        let code = told.code.as_ref().map_or(told.type_.as_str(), |code| code.as_str()).to_owned();
        let message = told.message.unwrap_or_default();
        if status == 402 {
            return Self::Declined { code: told.decline_code.unwrap_or(code), message };
        }
        if status >= 500 || NOT_NOW.contains(&status) {
            return Self::Unreachable(format!("answered {status} ({code}): {message}").into());
        }
        Self::Refused { status, code, message }
    }
}

/// A key that Stripe would not take. It is not asked.
impl From<IdempotentKeyError> for Error {
    fn from(error: IdempotentKeyError) -> Self {
        Self::Refused { status: 400, code: "idempotency_key".to_owned(), message: error.to_string() }
    }
}

/// An answer that can't be read: it may well have happened.
impl From<Unreadable> for Error {
    fn from(unreadable: Unreadable) -> Self {
        Self::Unreachable(Box::new(unreadable))
    }
}
