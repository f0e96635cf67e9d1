//! What went wrong with a call, as `application/problem+json` (RFC 9457): the stable code, status and words of a
//! [`Problem`], what it knows in numbers, and the fields that it is about.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{ToResponse, ToSchema};
use uuid::Uuid;

use super::fields::ProblemCode;
use crate::{
    domain::catalog::Plan,
    problem::Problem,
    server::{AppState, Error, caller::status_of, layers::RequestId, store::api_keys::Scope},
};

const API: &str = "/api/";

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Why a call failed.
#[derive(Debug)]
pub struct Fault {
    error: Error,
    fields: Vec<FieldFault>,
    scope: Option<Scope>,
    /// Where credits are missing: the plan that brings more.
    larger: Option<Box<Plan>>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FieldFault {
    /// Where it is in what was sent, such as `spends[3].amount`.
    pub path: String,
    /// What is wrong, in words.
    pub message: String,
}

/// A failure. What is beside the first six depends on the code.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "it describes what `render` makes; a test compares them")]
pub struct ProblemObject {
    /// Where the code is explained.
    r#type: String,
    /// The code in words.
    title: String,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What went wrong this time, in a sentence for people.
    detail: String,
    #[schema(value_type = ProblemCode)]
    code: String,
    /// By which the operator finds this request in the log; also in `X-Request-Id`.
    request_id: Uuid,
    /// `invalid`: what is wrong with which fields.
    errors: Option<Vec<FieldFault>>,
    /// `scope_missing`: what the key would need.
    required_scope: Option<String>,
    /// `insufficient_credits`: what it costs.
    needed: Option<i64>,
    /// `insufficient_credits`: what there is.
    available: Option<i64>,
    /// `insufficient_credits`: what must stay.
    min_balance: Option<i64>,
    /// `insufficient_credits`: how much more would have to come in.
    shortfall: Option<i64>,
    /// `insufficient_credits`: where whoever is signed in to the account finds more; lead your own user there by a
    /// portal session.
    topup_url: Option<String>,
    /// `insufficient_credits`: the plan that would bring more, where there is one.
    upgrade_plan: Option<String>,
    /// `price_changed`: what it costs now.
    cost: Option<i64>,
    /// `refund_too_large`: how much can still be refunded.
    refundable: Option<i64>,
    /// `too_many_holds`: how many may be open.
    most: Option<i64>,
    /// `too_many_purchases`: how many may wait to be paid.
    most_pending: Option<i64>,
    /// After how long it is worth trying again.
    retry_after_secs: Option<u64>,
    /// `internal`: the request's id.
    reference: Option<Uuid>,
}

/// What a call answers with when it fails.
#[derive(ToResponse)]
#[response(
    description = "A problem. With a 4xx nothing was done. After a 500 or 503 that is not known: send it again, \
                          under the same key.",
    content_type = "application/problem+json"
)]
#[expect(dead_code, reason = "it describes what `render` makes")]
pub struct Failure(ProblemObject);

impl Fault {
    /// One field is not as it should be.
    pub fn field(path: impl Into<String>, message: impl ToString) -> Self {
        let fields = vec![FieldFault { path: path.into(), message: message.to_string() }];
        Self { fields, ..Problem::Invalid.into() }
    }

    pub fn scope_missing(scope: Scope) -> Self {
        Self { scope: Some(scope), ..Problem::ScopeMissing.into() }
    }

    /// With a plan that would help.
    #[must_use]
    pub fn with_plan(self, larger: Option<Plan>) -> Self {
        Self { larger: larger.map(Box::new), ..self }
    }

    /// Another problem in the place of one.
    #[must_use]
    pub fn instead_of(self, one: &Problem, other: Problem) -> Self {
        match &self.error {
            Error::Problem(problem) if problem == one => other.into(),
            _ => self,
        }
    }

    /// What a caller reads. The cause goes to the log.
    pub fn render(self, state: &AppState, request: Uuid) -> (Problem, Map<String, Value>) {
        let problem = self.error.into_problem(request);
        debug_assert!(problem.is_told_by_calls(), "{} is for pages", problem.code());
        let mut body = match serde_json::to_value(&problem) {
            Ok(Value::Object(body)) => body,
            _ => Map::new(),
        };
        // The status says it.
        body.remove("too_many_requests");
        let code = body.get("code").and_then(Value::as_str).unwrap_or_default().to_owned();
        body.insert("type".into(), format!("{}/docs/api#{code}", state.base_url).into());
        body.insert("title".into(), in_words(&code).into());
        body.insert("status".into(), problem.status().into());
        body.insert("detail".into(), problem.told_with(self.larger.as_deref()).into());
        body.insert("request_id".into(), request.to_string().into());
        if let Problem::Insufficient { .. } = problem {
            body.insert("topup_url".into(), format!("{}/buy", state.base_url).into());
        }
        if let Some(plan) = &self.larger {
            body.insert("upgrade_plan".into(), plan.key.as_str().into());
        }
        if let Some(seconds) = problem.retry_after_secs() {
            body.insert("retry_after_secs".into(), seconds.into());
        }
        if !self.fields.is_empty() {
            body.insert("errors".into(), serde_json::to_value(&self.fields).unwrap_or_default());
        }
        if let Some(scope) = self.scope {
            body.insert("required_scope".into(), scope.as_str().into());
        }
        (problem, body)
    }
}

impl<E: Into<Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self { error: error.into(), fields: Vec::new(), scope: None, larger: None }
    }
}

/// Leaves the rendering to [`render`], which knows the request.
impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Makes a problem of every answer of the API that is a failure, ours or the framework's.
pub async fn render(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with(API) {
        return next.run(request).await;
    }
    let id = RequestId::of(request.extensions());
    let mut response = next.run(request).await;
    let fault = match response.extensions_mut().remove::<Arc<Fault>>().and_then(Arc::into_inner) {
        Some(fault) => fault,
        None => match response.status() {
            StatusCode::FORBIDDEN => Problem::CrossSite.into(),
            StatusCode::METHOD_NOT_ALLOWED => Problem::MethodNotAllowed.into(),
            // It took too long, so nobody knows how it ended.
            StatusCode::SERVICE_UNAVAILABLE => Problem::Unavailable.into(),
            status if status.is_server_error() => Error::internal("a call panicked").into(),
            _ => return response,
        },
    };
    let (problem, body) = fault.render(&state, id);
    let mut failure = (status_of(&problem), Value::Object(body).to_string()).into_response();
    // What the framework knows, such as which methods are allowed.
    let known = std::mem::take(response.headers_mut());
    let body_headers = [header::CONTENT_TYPE, header::CONTENT_LENGTH];
    failure.headers_mut().extend(
        known.into_iter().filter(|(name, _)| name.as_ref().is_none_or(|name| !body_headers.contains(name))),
    );
    failure.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
    if let Some(seconds) = problem.retry_after_secs() {
        failure.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if matches!(problem, Problem::KeyMissing | Problem::KeyInvalid) {
        failure.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    failure
}

/// `insufficient_credits`: "Insufficient credits".
fn in_words(code: &str) -> String {
    let mut words = code.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}
