//! The API's reference for people, at `/docs/api`: one page without scripts, made of the OpenAPI document and of the
//! problems that calls answer with. Nothing of what a call takes and gives is written here a second time, so it can't
//! say anything else than the program does.

mod calls;
mod errors;
mod page;
mod shapes;

pub use self::errors::told;

use std::sync::OnceLock;

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::{Html, IntoResponse},
};

use super::openapi;
use crate::server::AppState;

/// It needs its style sheet and a picture, and nothing from elsewhere.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);
const CSP: HeaderName = header::CONTENT_SECURITY_POLICY;

/// The page. A program has one address and one API, so it is made once.
static PAGE: OnceLock<String> = OnceLock::new();

/// `GET /docs/api`
pub async fn serve(State(state): State<AppState>) -> impl IntoResponse {
    let page = PAGE.get_or_init(|| page::html(&openapi::document(), &state.base_url));
    ([(CSP, POLICY)], Html(page.as_str()))
}
