//! The pages of the stand-in Stripe: where somebody pays, where a customer changes what they subscribed to, and where
//! whoever tries the program decides what happens. Whole without scripts; each says that it is a sandbox.

pub mod checkout;
mod deeds;
mod overview;
pub mod portal;
mod receipt;

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use leptos::prelude::*;
use serde_json::Value;

pub use self::{deeds::act, overview::show as overview, receipt::show as receipt};
use super::{refused::Refused, step::number};
use crate::{
    domain::catalog::{Currency, Price},
    server::config::origin_of,
    text,
};

const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");
const STYLE: &str = include_str!("style.css");
pub const STYLE_PATH: &str = "/sandbox/style.css";

/// `GET /sandbox/style.css`
pub async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")], STYLE)
}

/// A page as it is sent. A form on it may lead to `leads_to` in the end: browsers ask for it beforehand.
pub struct Page<'a> {
    pub title: &'a str,
    pub leads_to: &'a [&'a str],
    pub is_wide: bool,
    pub body: AnyView,
}

impl Page<'_> {
    pub fn sent(self) -> Response {
        let mut targets = "'self'".to_owned();
        for origin in self.leads_to.iter().filter_map(|url| origin_of(url)) {
            targets = format!("{targets} {origin}");
        }
        let policy = format!(
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action {targets}; \
             frame-ancestors 'none'"
        );
        let main_class = if self.is_wide { "wide" } else { "narrow" };
        let page = view! {
            <html lang="en">
                <head>
                    <meta charset="utf-8" />
                    <meta name="viewport" content="width=device-width, initial-scale=1" />
                    <meta name="robots" content="noindex" />
                    <meta name="color-scheme" content="light dark" />
                    <title>{format!("{} · Sandbox", self.title)}</title>
                    <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                    <link rel="stylesheet" href=STYLE_PATH />
                </head>
                <body>
                    <header>
                        <a href="/sandbox">"Sandbox"</a>
                        <p>"This stands in for Stripe. No money is about, and no card is read."</p>
                    </header>
                    <main class=main_class>{self.body}</main>
                </body>
            </html>
        };
        // What the renderer puts between texts is for a browser part, which these pages don't have.
        let html = format!("<!DOCTYPE html>{}", page.to_html().replace("<!>", ""));
        let mut response = Html(html).into_response();
        let headers = response.headers_mut();
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(ROBOTS, HeaderValue::from_static("noindex"));
        response
    }
}

/// What can't be shown or done, as a page.
impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let message = self.message().to_owned();
        let body = view! {
            <h1>"That can’t be done"</h1>
            <p role="alert">{message}</p>
        };
        let page = Page { title: "Not done", leads_to: &[], is_wide: false, body: body.into_any() };
        (self.status, page.sent()).into_response()
    }
}

/// Leads on, with a page that is asked for anew.
fn see(url: &str) -> Response {
    Redirect::to(url).into_response()
}

/// `$12.00`
fn money(amount: i64, currency: &Value) -> String {
    let known = currency.as_str().and_then(Currency::named);
    match known.and_then(|currency| Price::new(amount.abs(), currency).ok()) {
        Some(price) if amount < 0 => format!("−{}", text::price(price)),
        Some(price) => text::price(price),
        None => format!("{amount} {}", currency.as_str().unwrap_or_default().to_uppercase()),
    }
}

/// An object's own amount.
fn amount_of(object: &Value) -> String {
    money(number(object, "amount"), &object["currency"])
}

fn when(seconds: &Value) -> String {
    let at = seconds.as_i64().and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0));
    at.map(text::date_time).unwrap_or_default()
}
