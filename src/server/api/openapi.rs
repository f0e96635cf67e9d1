//! The API's own description (OpenAPI 3.1), made of the handlers and the shapes that they read and write. It is
//! committed as `docs/openapi.json`, so that a change of the API is seen where it is reviewed.

use std::sync::LazyLock;

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self, HeaderBuilder, Object, RefOr, Schema, Type,
        path::Parameter,
        schema::{ArrayItems, SchemaType},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{
    accounts,
    fault::{Failure, ProblemObject},
    grants, holds, product, sales, spends, subscriptions,
};

const PROBLEM: &str = "Problem";

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
        (name = "Subscriptions", description = "What plan an account is on"),
        (name = "Purchases", description = "Selling credits for money from your own pages"),
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
        subscriptions::show,
        subscriptions::put,
        subscriptions::end,
        sales::open_checkout,
        sales::show,
        product::catalog,
        product::clock,
        product::set_clock,
    ),
    components(schemas(ProblemObject), responses(Failure)),
    modifiers(&Keys, &Answers),
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

/// What is true of all answers.
struct Answers;

impl Modify for Answers {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        for (name, schema) in &mut components.schemas {
            if name == PROBLEM {
                never_null(schema);
            } else if !is_sent(name) {
                always_there(schema);
            }
        }
        for response in components.responses.values_mut() {
            if let RefOr::T(failure) = response {
                bears(
                    failure,
                    "Retry-After",
                    "After how many seconds it is worth trying again, where that is known.",
                );
            }
        }
        let paths = document.paths.paths.values_mut();
        let calls =
            paths.flat_map(|path| [&mut path.get, &mut path.post, &mut path.put, &mut path.delete]).flatten();
        for call in calls {
            let has_key =
                call.parameters.iter().flatten().any(|parameter| is_named(parameter, "Idempotency-Key"));
            for (status, response) in &mut call.responses.responses {
                let RefOr::T(response) = response else { continue };
                bears(response, "X-Request-Id", "The request's name in the log.");
                bears(response, "RateLimit", "How many requests the key has left: `\"key\";r=5999;t=1`.");
                bears(response, "RateLimit-Policy", "How many it has in a minute: `\"key\";q=6000;w=60`.");
                if has_key && status.starts_with('2') {
                    bears(response, "Idempotent-Replayed", "`true` where it had been done before.");
                }
            }
        }
    }
}

fn is_named(parameter: &RefOr<Parameter>, name: &str) -> bool {
    matches!(parameter, RefOr::T(parameter) if parameter.name == name)
}

/// Whether a shape is what a caller sends.
fn is_sent(name: &str) -> bool {
    name.starts_with("New") || name == "BatchSpend"
}

/// What a problem has not is left out.
fn never_null(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(problem)) = schema else { return };
    for field in problem.properties.values_mut() {
        let types = match field {
            RefOr::T(Schema::Object(field)) => &mut field.schema_type,
            RefOr::T(Schema::Array(field)) => &mut field.schema_type,
            _ => continue,
        };
        if let SchemaType::Array(types) = types {
            types.retain(|kind| *kind != Type::Null);
        }
    }
}

/// Every field of an answer is always there, though it may be null; also of the items of a list.
fn always_there(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            object.required = object.properties.keys().cloned().collect();
            object.properties.values_mut().for_each(always_there);
        }
        RefOr::T(Schema::Array(list)) => {
            if let ArrayItems::RefOrSchema(item) = &mut list.items {
                always_there(item);
            }
        }
        _ => {}
    }
}

fn bears(response: &mut openapi::Response, name: &str, description: &str) {
    let text = Object::builder().schema_type(Type::String);
    let header = HeaderBuilder::new().schema(Some(text)).description(Some(description)).build();
    response.headers.insert(name.to_owned(), header.into());
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
    static TEXT: LazyLock<String> = LazyLock::new(text);
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}
