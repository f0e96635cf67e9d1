//! Lists: the latest first, a page at a time, narrowed by the fields that a list may be asked for.

use serde_json::{Map, Value, json};

use super::{
    params::{CREATED, Field, LIMIT, STARTING_AFTER, Shape, may, must},
    refused::Refused,
    step::{Step, text},
};
use crate::server::store::sandbox::{self, Listed};

const LIMIT_DEFAULT: i64 = 10;
/// For how long events can be listed.
const EVENTS_ARE_LISTED_SECONDS: i64 = 30 * 24 * 60 * 60;
const TYPES_MAX: usize = 20;
const TEXT: Shape = Shape::Text(255);

pub const INTENTS: &[Field] = &[may("customer", TEXT), CREATED, LIMIT, STARTING_AFTER];
pub const CHARGES: &[Field] =
    &[may("customer", TEXT), may("payment_intent", TEXT), CREATED, LIMIT, STARTING_AFTER];
pub const REFUNDS: &[Field] =
    &[may("charge", TEXT), may("payment_intent", TEXT), CREATED, LIMIT, STARTING_AFTER];
pub const INVOICES: &[Field] = &[
    may("customer", TEXT),
    may("subscription", TEXT),
    may("status", Shape::OneOf(&["draft", "open", "paid", "uncollectible", "void"])),
    CREATED,
    LIMIT,
    STARTING_AFTER,
];
const PAYMENT: Shape =
    Shape::Fields(&[must("type", Shape::OneOf(&["payment_intent"])), may("payment_intent", TEXT)]);
pub const INVOICE_PAYMENTS: &[Field] = &[
    may("invoice", TEXT),
    may("payment", PAYMENT),
    may("status", Shape::OneOf(&["canceled", "open", "paid"])),
    CREATED,
    LIMIT,
    STARTING_AFTER,
];
pub const EVENTS: &[Field] =
    &[may("type", TEXT), may("types", Shape::List(&TEXT, TYPES_MAX)), CREATED, LIMIT, STARTING_AFTER];

/// `GET /v1/charges` and such.
pub async fn list(step: &mut Step<'_>, kind: &str, ask: &Value) -> Result<Value, Refused> {
    let url = match kind {
        "event" => "/v1/events",
        "payment_intent" => "/v1/payment_intents",
        "charge" => "/v1/charges",
        "refund" => "/v1/refunds",
        "invoice_payment" => "/v1/invoice_payments",
        _ => "/v1/invoices",
    };
    page(step, kind, ask, Map::new(), url).await
}

/// `GET /v1/customers/{id}/payment_methods`
pub async fn methods(step: &mut Step<'_>, customer: &str, ask: &Value) -> Result<Value, Refused> {
    step.get("customer", customer).await?;
    let fields = Map::from_iter([("customer".to_owned(), json!(customer))]);
    page(step, "payment_method", ask, fields, &format!("/v1/customers/{customer}/payment_methods")).await
}

async fn page(
    step: &mut Step<'_>,
    kind: &str,
    ask: &Value,
    mut fields: Map<String, Value>,
    url: &str,
) -> Result<Value, Refused> {
    for (name, value) in ask.as_object().into_iter().flatten() {
        match name.as_str() {
            "limit" | "starting_after" | "created" | "types" => {}
            "subscription" => {
                let parent = json!({"subscription_details": {"subscription": value}});
                fields.insert("parent".to_owned(), parent);
            }
            _ => drop(fields.insert(name.clone(), value.clone())),
        }
    }
    let types: Option<Vec<String>> = ask["types"]
        .as_array()
        .map(|types| types.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect());
    let mut created = between(&ask["created"]);
    if kind == "event" {
        created.0 = created.0.max(step.seconds() - EVENTS_ARE_LISTED_SECONDS);
    }
    let after = match ask["starting_after"].as_str() {
        Some(id) => {
            let found = sandbox::number(step.conn(), kind, id).await?;
            Some(found.ok_or_else(|| Refused::no_such(kind, id, "starting_after"))?)
        }
        None => None,
    };
    let limit = ask["limit"].as_i64().unwrap_or(LIMIT_DEFAULT);
    let listed = Listed {
        kind,
        fields: Value::Object(fields),
        types: types.as_deref(),
        created,
        after,
        // One more, to see whether there are more.
        limit: limit + 1,
    };
    let mut data = sandbox::list(step.conn(), &listed).await?;
    let shown = usize::try_from(limit).unwrap_or_default();
    let has_more = data.len() > shown;
    data.truncate(shown);
    Ok(json!({"object": "list", "data": data, "has_more": has_more, "url": url}))
}

/// From a time, or bounds of one, to what lies between, both included.
fn between(created: &Value) -> (i64, i64) {
    if let Some(at) = created.as_i64() {
        return (at, at);
    }
    let bound = |name: &str| created[name].as_i64();
    let from = [bound("gte"), bound("gt").map(|at| at + 1)].into_iter().flatten().max();
    let to = [bound("lte"), bound("lt").map(|at| at - 1)].into_iter().flatten().min();
    (from.unwrap_or_default(), to.unwrap_or(i64::MAX))
}

/// The ids of listed objects.
pub fn ids(objects: &[Value]) -> Vec<String> {
    objects.iter().map(|object| text(object, "id").to_owned()).collect()
}
