//! Whose key a call brings, whether it is for that, and whether it comes too often.

use std::sync::{Arc, LazyLock};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::sync::Semaphore;

use super::Fault;
use crate::{
    problem::Problem,
    server::{
        AppState,
        auth::{Key, Left},
        store::api_keys::Scope,
    },
};

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// How many calls are under way at once, with all keys; one more is told to come back.
const CALLS_MAX: usize = 1_024;
static CALLS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(CALLS_MAX));

/// Lets a call through that brings a key with this scope.
pub async fn authorize(
    State((state, scope)): State<(AppState, Scope)>,
    mut request: Request,
    next: Next,
) -> Response {
    let key = match key(&state, request.headers()).await {
        Ok(key) => key,
        Err(fault) => return fault.into_response(),
    };
    let left = match key.count() {
        Ok(left) => left,
        Err(problem) => {
            let most = key.facts.requests_per_minute;
            let none = Left { most, now: 0, resets_after_secs: 60 };
            return with_limits(Fault::from(problem).into_response(), none);
        }
    };
    let response = if !key.may(scope) {
        Fault::scope_missing(scope).into_response()
    } else if let (Some(_of_key), Ok(_of_all)) = (key.room(), CALLS.try_acquire()) {
        request.extensions_mut().insert(Arc::clone(&key));
        next.run(request).await
    } else {
        Fault::from(Problem::Overloaded).into_response()
    };
    with_limits(response, left)
}

async fn key(state: &AppState, headers: &HeaderMap) -> Result<Arc<Key>, Fault> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    // Of two nobody knows which is meant.
    let (Some(sent), None) = (sent.next(), sent.next()) else { return Err(Problem::KeyMissing.into()) };
    let sent = sent.to_str().ok().and_then(|sent| sent.split_once(' '));
    let (_, key) =
        sent.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).ok_or(Problem::KeyMissing)?;
    Ok(state.api_keys.find(key.trim()).await?)
}

/// As in the draft "RateLimit header fields for HTTP".
fn with_limits(mut response: Response, left: Left) -> Response {
    let policy = format!("\"key\";q={};w=60", left.most);
    let limit = format!("\"key\";r={};t={}", left.now, left.resets_after_secs);
    for (name, value) in [(RATELIMIT_POLICY, policy), (RATELIMIT, limit)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
