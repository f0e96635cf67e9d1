//! The API: which calls there are, and what each may be sent. A call is carried out as one step; what it answers under an
//! idempotency key, it answers again.

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    changes, checkout, customers, deliver, intents,
    lists::{self, CHARGES, EVENTS, INTENTS, INVOICE_PAYMENTS, INVOICES, REFUNDS},
    params::{self, Field},
    portal, prices, refunds,
    refused::Refused,
    step::Step,
    subscriptions,
};
use crate::server::{
    AppState,
    store::sandbox::{self, Request},
    stripe::SANDBOX_KEY,
};

const KEY_BYTES_MAX: usize = 255;
/// For how long what was answered under a key is kept.
const KEYS_ARE_KEPT_SECONDS: i64 = 24 * 60 * 60;
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const PATH: &str = "/sandbox/stripe/v1/";

/// Of calls that name an object and nothing else.
const NOTHING: &[Field] = &[];

/// `/sandbox/stripe/v1/…`
pub async fn answer(
    State(state): State<AppState>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let sent = Sent::read(&method, &uri, &headers, &body);
    match carry_out(&state, sent).await {
        Ok((status, body, is_replayed)) => {
            if method != Method::GET {
                deliver::soon(&state);
            }
            let mut response = (status, Json(body)).into_response();
            if is_replayed {
                response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            }
            response
        }
        Err(refused) => (refused.status, Json(refused.body)).into_response(),
    }
}

/// A request as it came.
struct Sent {
    method: Method,
    path: String,
    form: Vec<(String, String)>,
    key: Option<String>,
}

impl Sent {
    fn read(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Self, Refused> {
        let given = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = given(header::AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
        match bearer {
            Some(SANDBOX_KEY) => {}
            Some(_) => return Err(Refused::unauthorized("Invalid API Key provided.")),
            None => return Err(Refused::unauthorized("You did not provide an API key.")),
        }
        // GET and DELETE may say it in the address.
        let mut form: Vec<(String, String)> = [uri.query().unwrap_or_default().as_bytes(), body]
            .into_iter()
            .flat_map(|part| form_urlencoded::parse(part).into_owned())
            .collect();
        form.sort();
        let key = given(IDEMPOTENCY_KEY).filter(|_| method == Method::POST).map(ToOwned::to_owned);
        if key.as_ref().is_some_and(|key| key.is_empty() || key.len() > KEY_BYTES_MAX) {
            return Err(Refused::key("An idempotency key has 1 to 255 characters."));
        }
        let path = uri.path().strip_prefix(PATH).unwrap_or_default().to_owned();
        Ok(Self { method: method.clone(), path, form, key })
    }

    /// What another request under the same key must be like.
    fn fingerprint(&self) -> Vec<u8> {
        Sha256::digest(json!([self.path, self.form]).to_string()).to_vec()
    }
}

/// Status and body, and whether they were answered before.
async fn carry_out(
    state: &AppState,
    sent: Result<Sent, Refused>,
) -> Result<(StatusCode, Value, bool), Refused> {
    let sent = sent?;
    let mut step = Step::begin(state).await?;
    step.key.clone_from(&sent.key);
    if let Some(key) = &sent.key
        && let Some(before) = sandbox::request(step.conn(), key).await?
    {
        if before.fingerprint != sent.fingerprint() {
            return Err(Refused::key(
                "Keys for idempotent requests can only be used with the same parameters they were first used with.",
            ));
        }
        let status = u16::try_from(before.status).ok().and_then(|code| StatusCode::from_u16(code).ok());
        return Ok((status.unwrap_or(StatusCode::OK), before.body, true));
    }
    let (status, body) = match call(&mut step, &sent).await {
        Ok(body) => (StatusCode::OK, body),
        // Also what is refused is an answer; what a card declined stays written.
        Err(refused) if refused.is_kept => (refused.status, refused.body),
        Err(refused) => return Err(refused),
    };
    if let Some(key) = &sent.key {
        let status = i16::try_from(status.as_u16()).unwrap_or_default();
        let answered = Request { fingerprint: sent.fingerprint(), status, body: body.clone() };
        let now = step.seconds();
        let end = now - KEYS_ARE_KEPT_SECONDS;
        sandbox::keep_request(step.conn(), key, &answered, now, end).await?;
    }
    step.commit().await?;
    Ok((status, body, false))
}

/// Every call that there is, and the table of what it may be sent.
async fn call(step: &mut Step<'_>, sent: &Sent) -> Result<Value, Refused> {
    let takes = |fields: &[Field]| params::read(&sent.form, fields);
    let alone = |id| takes(NOTHING).map(|_| id);
    let path: Vec<&str> = sent.path.split('/').collect();
    match (sent.method.as_str(), path.as_slice()) {
        ("POST", ["customers"]) => customers::create(step, &takes(customers::CREATE)?).await,
        ("GET", ["customers", id]) => step.get("customer", alone(id)?).await,
        ("GET", ["customers", id, "payment_methods"]) => {
            lists::methods(step, id, &takes(customers::METHODS)?).await
        }
        ("POST", ["products"]) => prices::new_product(step, &takes(prices::CREATE)?).await,

        ("POST", ["checkout", "sessions"]) => checkout::create(step, &takes(checkout::CREATE)?).await,
        ("GET", ["checkout", "sessions", id]) => step.get("checkout.session", alone(id)?).await,
        ("POST", ["checkout", "sessions", id, "expire"]) => {
            let session = step.get("checkout.session", alone(id)?).await?;
            checkout::expire(step, session).await
        }

        ("POST", ["payment_intents"]) => intents::create(step, &takes(intents::CREATE)?).await,
        ("GET", ["payment_intents"]) => lists::list(step, "payment_intent", &takes(INTENTS)?).await,
        ("GET", ["payment_intents", id]) => step.get("payment_intent", alone(id)?).await,
        ("POST", ["payment_intents", id]) => intents::update(step, id, &takes(intents::UPDATE)?).await,
        ("GET", ["charges"]) => lists::list(step, "charge", &takes(CHARGES)?).await,
        ("GET", ["charges", id]) => step.get("charge", alone(id)?).await,
        ("POST", ["refunds"]) => refunds::create(step, &takes(refunds::CREATE)?).await,
        ("GET", ["refunds"]) => lists::list(step, "refund", &takes(REFUNDS)?).await,
        ("GET", ["refunds", id]) => step.get("refund", alone(id)?).await,

        ("GET", ["subscriptions", id]) => step.get("subscription", alone(id)?).await,
        ("POST", ["subscriptions", id]) => changes::update(step, id, &takes(changes::UPDATE)?).await,
        ("DELETE", ["subscriptions", id]) => {
            let subscription = step.get("subscription", alone(id)?).await?;
            subscriptions::end(step, subscription).await
        }
        ("GET", ["invoices"]) => lists::list(step, "invoice", &takes(INVOICES)?).await,
        ("POST", ["invoices", "create_preview"]) => changes::preview(step, &takes(changes::PREVIEW)?).await,
        ("GET", ["invoices", id]) => step.get("invoice", alone(id)?).await,
        ("GET", ["invoice_payments"]) => {
            lists::list(step, "invoice_payment", &takes(INVOICE_PAYMENTS)?).await
        }
        ("POST", ["billing_portal", "sessions"]) => portal::create(step, &takes(portal::CREATE)?).await,

        ("GET", ["events"]) => lists::list(step, "event", &takes(EVENTS)?).await,
        ("GET", ["events", id]) => step.get("event", alone(id)?).await,
        (method, _) => Err(Refused::unknown_call(method, &format!("/v1/{}", sent.path))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_parameters_makes_no_other_request() {
        let read = |body: &str| {
            let mut headers = HeaderMap::new();
            let bearer = HeaderValue::from_str(&format!("Bearer {SANDBOX_KEY}")).unwrap();
            headers.insert(header::AUTHORIZATION, bearer);
            let uri = Uri::from_static("/sandbox/stripe/v1/customers");
            Sent::read(&Method::POST, &uri, &headers, body.as_bytes()).unwrap().fingerprint()
        };
        assert_eq!(read("name=Ada&email=a%40b.c"), read("email=a@b.c&name=Ada"));
        assert_ne!(read("name=Ada"), read("name=Bob"));
    }
}
