//! What every request passes on its way in and out: an id, a line in the log, a check of where it comes
//! from, and the headers that tell browsers to be careful.

use std::{convert::Infallible, time::Instant};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use leptos::prelude::{expect_context, use_context};
use leptos_axum::ResponseOptions;
use tracing::Instrument;
use uuid::Uuid;

use super::{AppState, caller::status_of};
use crate::problem::Problem;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PORTAL: &str = "/portal/";
/// Where a form of ours may lead to in the end: browsers hold a redirect to it as well.
const PAYMENT_PAGES: &str = "https://checkout.stripe.com https://billing.stripe.com";
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Names one request in the log and in what the caller is told.
#[derive(Clone, Copy, Debug)]
pub struct RequestId(Uuid);

impl RequestId {
    /// The nil id where a request never passed [`identify`].
    pub fn of(extensions: &Extensions) -> Uuid {
        extensions.get::<Self>().map_or(Uuid::nil(), |id| id.0)
    }

    pub fn get(self) -> Uuid {
        self.0
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(Self::of(&parts.extensions)))
    }
}

/// Gives the request its id, writes a line of it to the log, and tells the id to the caller.
pub async fn identify(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let id = state.clock.new_id();
    request.extensions_mut().insert(RequestId(id));
    // What follows is as good as a password, for ten minutes.
    let path = if request.uri().path().starts_with(PORTAL) { PORTAL } else { request.uri().path() };
    let span = tracing::info_span!("request", %id, method = %request.method(), path);
    async move {
        let started = Instant::now();
        let mut response = next.run(request).await;
        tracing::info!(
            status = response.status().as_u16(),
            micros = started.elapsed().as_micros() as u64,
            "answered"
        );
        if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }
    .instrument(span)
    .await
}

/// Refuses what a page of another site makes a browser send here: a signed-in browser adds its session to
/// any request, whoever thought of it.
pub async fn same_origin(request: Request, next: Next) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if is_safe || is_same_origin(request.headers()) {
        next.run(request).await
    } else {
        (status_of(&Problem::CrossSite), Problem::CrossSite.to_string()).into_response()
    }
}

/// Browsers say where a request comes from, in one header or the other. What says nothing is no browser,
/// and brings no session that it does not mean to bring.
fn is_same_origin(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (origin.as_ref().and_then(Uri::authority), host) {
        (Some(origin), Some(host)) => origin.as_str().eq_ignore_ascii_case(host),
        _ => false,
    }
}

/// Headers that every answer bears.
pub async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // The form that failed is found again by its referer, so it is kept within the site.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// Allows a page to run the one script that it was sent with, and to load nothing from elsewhere. Called
/// while the page is rendered, when its nonce is known.
pub fn content_security_policy() {
    let nonce = use_context::<leptos::nonce::Nonce>().map(|nonce| nonce.to_string()).unwrap_or_default();
    let policy = format!(
        "default-src 'self'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; img-src 'self' data:; \
         object-src 'none'; base-uri 'none'; form-action 'self' {PAYMENT_PAGES}; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        let response = expect_context::<ResponseOptions>();
        response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
        // A page shows one person's balance: no cache keeps it, and "back" asks again.
        response.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(headers: &[(HeaderName, &'static str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        is_same_origin(&headers.collect())
    }

    #[test]
    fn a_browser_on_our_own_page_is_let_through() {
        assert!(allowed(&[(SEC_FETCH_SITE, "same-origin"), (header::ORIGIN, "null")]));
        assert!(allowed(&[(SEC_FETCH_SITE, "none")]));
        assert!(allowed(&[(header::ORIGIN, "http://localhost:3000"), (header::HOST, "localhost:3000")]));
    }

    #[test]
    fn a_browser_on_another_page_is_not() {
        assert!(!allowed(&[(SEC_FETCH_SITE, "cross-site")]));
        assert!(!allowed(&[(SEC_FETCH_SITE, "same-site")]));
        assert!(!allowed(&[(header::ORIGIN, "https://evil.example"), (header::HOST, "localhost:3000")]));
        assert!(!allowed(&[(header::ORIGIN, "null"), (header::HOST, "localhost:3000")]));
        assert!(!allowed(&[(header::ORIGIN, "http://localhost:3001"), (header::HOST, "localhost:3000")]));
        assert!(!allowed(&[(header::ORIGIN, "http://localhost:3000")]));
    }

    #[test]
    fn what_is_no_browser_is_let_through() {
        assert!(allowed(&[(header::HOST, "localhost:3000")]));
    }
}
