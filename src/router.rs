//! START HERE: every URL that Scrip answers, grouped by who calls it.
//!
//! Pages are rendered by the components of `web::pages`, whose paths are named again in `web::app` for the
//! browser; server functions are the ones of `web::fns`. A test keeps this file and those equal.

use std::time::Duration;

use any_spawner::Executor;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{any, delete, get, post, put},
};
use leptos::{prelude::provide_context, server_fn::error::SERVER_FN_ERROR_HEADER};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer, compression::CompressionLayer, limit::RequestBodyLimitLayer,
    services::ServeDir, set_header::SetResponseHeaderLayer, timeout::TimeoutLayer,
};
use tower_sessions::{Expiry, SessionManagerLayer, cookie::SameSite};

use crate::{
    problem::Problem,
    server::{
        AppState,
        api::{
            self, Fault, accounts, browser, grants, holds, openapi, product, reference, sales, spends,
            subscriptions,
        },
        auth::DatabaseSessions,
        caller::status_of,
        clock::Clock,
        layers, purchases,
        store::{self, api_keys::Scope},
        stripe::sandbox,
    },
    web::app::shell,
};

/// The largest form has an e-mail address and a password.
const FORM_BYTES_MAX: usize = 64 * 1024;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// From the last sign-in: the library extends only sessions whose content changes, and ours never does.
const SESSION_LIFE: time::Duration = time::Duration::days(30);

/// Every URL. `secure`: browsers reach the server over https, so cookies are kept to it.
pub fn router(state: AppState, secure: bool) -> Router {
    // Pages are rendered on the runtime that serves them. It fails only where it was done before.
    let _ = Executor::init_tokio();

    let pages = Router::new()
        // Anybody
        .route("/", get(page))
        .route("/sign-up", get(page))
        .route("/sign-in", get(page))
        // Members
        .route("/actions", get(page))
        .route("/actions/{action}", get(page))
        .route("/credits", get(page))
        .route("/history", get(page))
        .route("/buy", get(page))
        .route("/buy/{purchase}", get(page))
        .route("/buy/plan/{plan}", get(page))
        .route("/settings", get(page))
        // Admins
        .route("/admin", get(page))
        .route("/admin/purchases", get(page))
        .route("/admin/purchases/{purchase}", get(page))
        .route("/admin/purchases/{purchase}/refund", get(page))
        .route("/admin/inbox", get(page))
        .route("/admin/differences", get(page))
        // Users of a host that sends them here
        .route("/portal/{token}", get(page))
        .fallback(no_such_page);

    // What the pages call, with and without JavaScript
    let functions = Router::new()
        .route("/fn/sign_up", post(server_function))
        .route("/fn/sign_in", post(server_function))
        .route("/fn/sign_out", post(server_function))
        .route("/fn/enter_portal", post(server_function))
        .route("/fn/typed_email", post(server_function))
        .route("/fn/dismiss_warning", post(server_function))
        .route("/fn/session", post(server_function))
        .route("/fn/offer", post(server_function))
        .route("/fn/actions", post(server_function))
        .route("/fn/quote", post(server_function))
        .route("/fn/spend", post(server_function))
        .route("/fn/credits", post(server_function))
        .route("/fn/history", post(server_function))
        .route("/fn/shop", post(server_function))
        .route("/fn/buy", post(server_function))
        .route("/fn/preview_change", post(server_function))
        .route("/fn/change_plan", post(server_function))
        .route("/fn/purchase", post(server_function))
        .route("/fn/cancel_purchase", post(server_function))
        .route("/fn/open_billing_portal", post(server_function))
        .route("/fn/top_up", post(server_function))
        .route("/fn/set_top_up", post(server_function))
        .route("/fn/turn_off_top_up", post(server_function))
        // Admins
        .route("/fn/admin_purchases", post(server_function))
        .route("/fn/admin_purchase", post(server_function))
        .route("/fn/preview_refund", post(server_function))
        .route("/fn/refund_purchase", post(server_function))
        .route("/fn/inbox", post(server_function))
        .route("/fn/replay_event", post(server_function))
        .route("/fn/differences", post(server_function))
        .route("/fn/handle_difference", post(server_function));

    // A product's own pages, for the person who is signed in; admins
    let products = Router::new()
        .route("/api/user/credits", get(browser::credits))
        .route("/api/user/credits/consume", post(browser::consume))
        .route("/api/user/credits/history", get(browser::history))
        .route("/api/user/usage", get(browser::usage))
        .route("/api/admin/credits/grant", post(browser::grant));

    // Host applications, with a key for it
    let read = Router::new()
        .route("/api/v1/accounts/{account}", get(accounts::show))
        .route("/api/v1/accounts/{account}/balance", get(accounts::balance))
        .route("/api/v1/accounts/{account}/lots", get(accounts::lots))
        .route("/api/v1/accounts/{account}/entries", get(accounts::entries))
        .route("/api/v1/accounts/{account}/usage", get(accounts::usage))
        .route("/api/v1/accounts/{account}/subscription", get(subscriptions::show))
        .route("/api/v1/accounts/{account}/events", get(accounts::watch))
        .route("/api/v1/purchases/{purchase}", get(sales::show))
        .route("/api/v1/quotes", post(spends::quote))
        .route("/api/v1/catalog", get(product::catalog))
        .route("/api/v1/test/clock", get(product::clock));
    let spend = Router::new()
        .route("/api/v1/accounts", post(accounts::create))
        .route("/api/v1/accounts/{account}/portal-sessions", post(accounts::open_portal))
        .route("/api/v1/spends", post(spends::create))
        .route("/api/v1/spends/batch", post(spends::create_batch))
        .route("/api/v1/holds", post(holds::create))
        .route("/api/v1/holds/{hold}/capture", post(holds::capture))
        .route("/api/v1/holds/{hold}/release", post(holds::release))
        .route("/api/v1/refunds", post(grants::refund));
    let grant = Router::new()
        .route("/api/v1/accounts/{account}/grants", post(grants::grant))
        .route("/api/v1/accounts/{account}/checkout-sessions", post(sales::open_checkout))
        .route("/api/v1/accounts/{account}/subscription", put(subscriptions::put))
        .route("/api/v1/accounts/{account}/subscription", delete(subscriptions::end))
        .route("/api/v1/lots/{lot}/void", post(grants::void));
    let admin = Router::new().route("/api/v1/test/clock", put(product::set_clock));
    let with_key = |routes: Router<AppState>, scope| {
        routes.route_layer(from_fn_with_state((state.clone(), scope), api::authorize))
    };
    let hosts = with_key(read, Scope::Read)
        .merge(with_key(spend, Scope::Spend))
        .merge(with_key(grant, Scope::Grant))
        .merge(with_key(admin, Scope::Admin))
        // Developers
        .route("/api/v1/openapi.json", get(openapi::serve))
        .route("/api/{*rest}", any(no_such_call));

    // Stripe, which signs what it sends
    let stripe = Router::new().route("/webhooks/stripe", post(purchases::webhook::take_in));

    // Developers: a page to read, made of the description above
    let reference = Router::new().route("/docs/api", get(reference::serve));

    // The stand-in Stripe (sandbox only): its API, as src/server/stripe/sandbox/calls.rs lists it, and its pages
    let stand_in = Router::new()
        .route("/sandbox/stripe/v1/{*call}", any(sandbox::answer))
        .route("/sandbox", get(sandbox::pages::overview).post(sandbox::pages::act))
        .route("/sandbox/checkout/{session}", get(sandbox::pages::checkout::show))
        .route("/sandbox/checkout/{session}", post(sandbox::pages::checkout::choose))
        .route("/sandbox/portal/{session}", get(sandbox::pages::portal::show))
        .route("/sandbox/portal/{session}", post(sandbox::pages::portal::choose))
        .route("/sandbox/receipt/{id}", get(sandbox::pages::receipt))
        .route(sandbox::pages::STYLE_PATH, get(sandbox::pages::style));
    let stand_in = if state.is_sandbox { stand_in } else { Router::new() };

    // Files: the browser part and the style sheet, built beforehand
    let site = state.leptos.site_root.to_string();
    let files = Router::new()
        .nest_service("/pkg", ServeDir::new(format!("{site}/pkg")).precompressed_br().precompressed_gzip())
        .route_service("/favicon.svg", ServeDir::new(&site))
        .route_service("/robots.txt", ServeDir::new(&site))
        // Kept, but asked about each time: a page and its browser part must be of the same build.
        .layer(SetResponseHeaderLayer::if_not_present(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-cache"),
        ));

    // Operators
    let probes = Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz));

    // By the machine's time, also where a sandbox goes by another: browsers forget cookies by theirs.
    let sessions = SessionManagerLayer::new(DatabaseSessions::new(state.pool.clone(), Clock::default()))
        .with_name("scrip_session")
        .with_http_only(true)
        // Not `Strict`: whoever comes back from another site (a payment page) is still signed in.
        .with_same_site(SameSite::Lax)
        .with_secure(secure)
        .with_expiry(Expiry::OnInactivity(SESSION_LIFE));

    pages
        .merge(functions)
        .merge(stand_in)
        .layer(RequestBodyLimitLayer::new(FORM_BYTES_MAX))
        .merge(products)
        .layer(sessions)
        .layer(from_fn(layers::same_origin))
        .merge(reference)
        // The files lie compressed beside themselves, where the build made them for others.
        .layer(CompressionLayer::new())
        .merge(hosts)
        .merge(stripe)
        .merge(files)
        .merge(probes)
        .layer(
            ServiceBuilder::new()
                .layer(from_fn_with_state(state.clone(), layers::identify))
                .layer(from_fn(layers::harden))
                .layer(from_fn_with_state(state.clone(), api::fault::render))
                .layer(CatchPanicLayer::new())
                .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIMEOUT)),
        )
        .with_state(state)
}

/// A page, rendered whole before it is sent: it is complete without JavaScript.
async fn page(State(state): State<AppState>, request: Request) -> Response {
    let leptos = state.leptos.clone();
    let context = move || {
        provide_context(state.clone());
        layers::content_security_policy();
    };
    leptos_axum::render_app_async_with_context(context, move || shell(leptos.clone()))(request).await
}

async fn no_such_page(state: State<AppState>, request: Request) -> Response {
    let mut response = page(state, request).await;
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// A call by a page. Where it failed, the answer says how; the status says it too, for whoever reads only
/// that. (A form without JavaScript was redirected to its page by then.)
async fn server_function(State(state): State<AppState>, request: Request) -> Response {
    let context = move || provide_context(state.clone());
    let response = leptos_axum::handle_server_fns_with_context(context, request).await.into_response();
    if response.status().is_redirection() || !response.headers().contains_key(SERVER_FN_ERROR_HEADER) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, FORM_BYTES_MAX).await.unwrap_or_default();
    if let Ok(problem) = serde_json::from_slice::<Problem>(&body) {
        parts.status = status_of(&problem);
        if let Some(seconds) = problem.retry_after_secs() {
            parts.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
    Response::from_parts(parts, Body::from(body))
}

async fn no_such_call() -> Fault {
    Problem::UnknownCall.into()
}

/// The process runs.
async fn healthz() -> &'static str {
    "ok\n"
}

/// The process can do its work: its database answers.
async fn readyz(State(state): State<AppState>) -> Response {
    match store::ping(&state.pool).await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database is out of reach\n").into_response()
        }
    }
}
