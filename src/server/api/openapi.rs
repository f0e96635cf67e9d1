//! The API's own description (OpenAPI 3.1), made of the handlers and the shapes that they read and write. It is
//! committed as `docs/openapi.json`, so that a change of the API is seen where it is reviewed.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{accounts, fault::Failure, grants, holds, product, spends};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Scrip",
        description = "Credits in front of costly actions: ask what one costs, hold or spend, refund, grant, watch.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "Where this document is served")),
    tags(
        (name = "Spending", description = "What something costs, and paying for it"),
        (name = "Holds", description = "Credits set aside while work goes on"),
        (name = "Granting", description = "Giving credits and taking them away"),
        (name = "Accounts", description = "Wallets, what they have and how it came to be"),
        (name = "Product", description = "The catalog, and the clock of a sandbox"),
    ),
    paths(
        spends::quote,
        spends::create,
        spends::create_batch,
        grants::refund,
        holds::create,
        holds::capture,
        holds::release,
        grants::grant,
        grants::void,
        accounts::create,
        accounts::show,
        accounts::balance,
        accounts::lots,
        accounts::entries,
        accounts::usage,
        accounts::watch,
        accounts::open_portal,
        product::catalog,
        product::clock,
        product::set_clock,
    ),
    components(responses(Failure)),
    modifiers(&Keys),
)]
struct Description;

/// How a caller says who it is.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "A key (`sk_…`), with one of the scopes `read`, `spend`, `grant`, or with `admin`, which is for all.",
        ));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme.build()));
    }
}

/// The document.
pub fn document() -> openapi::OpenApi {
    Description::openapi()
}

/// The document, as it is served and committed.
///
/// # Panics
/// Never: it is made of texts and numbers.
pub fn text() -> String {
    let mut text = document().to_pretty_json().expect("a document of texts and numbers is JSON");
    text.push('\n');
    text
}

/// `GET /api/v1/openapi.json`
pub async fn serve() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text()).into_response()
}
