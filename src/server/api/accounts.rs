//! Accounts: making them, and what they have, had and did.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Fault, csv, events,
    fault::Failure,
    fields,
    names::{AccountParam, AccountPath, entry_after, lot_after},
    objects::{AccountObject, BalanceObject, EntryObject, LotObject, Page, USAGE_ROWS_MAX, UsageObject},
    sent::{Body, KindName, Limit, Line, Moment, Query},
};
use crate::{
    domain::{AccountId, ExternalId, catalog::ActionKey, note::Reference},
    server::{
        AppState,
        auth::Key,
        ledger::Filter,
        portal::{self, RETURN_URL_BYTES_MAX},
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Your own name for it: the same one means the same account.
    #[schema(value_type = fields::ExternalId)]
    external_id: ExternalId,
    /// For people who look at the account.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    name: Option<Line<200>>,
    /// For people who look at the account.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 254, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    email: Option<Line<254>>,
}

/// Make an account
///
/// It gets what the catalog gives at sign-up. Where you have an account of this name, that one is the answer, as it is, and
/// nothing is granted again.
#[utoipa::path(
    post, operation_id = "create_account", path = "/api/v1/accounts", tag = "Accounts", security(("key" = ["spend"])),
    request_body = NewAccount,
    responses(
        (status = 201, description = "It was made.", body = AccountObject),
        (status = 200, description = "It was there.", body = AccountObject),
        (status = "default", response = Failure),
    ),
)]
pub async fn create(
    State(state): State<AppState>,
    Body(new): Body<NewAccount>,
) -> Result<(StatusCode, Json<AccountObject>), Fault> {
    let (name, email) = (new.name.map(|line| line.0), new.email.map(|line| line.0));
    let opened = state.accounts.open_for(&new.external_id, name.as_deref(), email.as_deref());
    let (profile, is_new) = opened.await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(profile.into())))
}

/// Look at an account
#[utoipa::path(
    get, operation_id = "get_account", path = "/api/v1/accounts/{account}", tag = "Accounts", security(("key" = ["read"])),
    params(AccountParam),
    responses(
        (status = 200, description = "The account.", body = AccountObject),
        (status = "default", response = Failure),
    ),
)]
pub async fn show(
    State(state): State<AppState>,
    AccountPath(account): AccountPath,
) -> Result<Json<AccountObject>, Fault> {
    Ok(Json(state.accounts.profile(account).await?.into()))
}

/// Look at a balance
///
/// What can be spent now, what is held, owed and still to come.
#[utoipa::path(
    get, operation_id = "get_balance", path = "/api/v1/accounts/{account}/balance", tag = "Accounts", security(("key" = ["read"])),
    params(AccountParam),
    responses(
        (status = 200, description = "What the account has at this moment.", body = BalanceObject),
        (status = "default", response = Failure),
    ),
)]
pub async fn balance(
    State(state): State<AppState>,
    AccountPath(account): AccountPath,
) -> Result<Json<BalanceObject>, Fault> {
    Ok(Json(events::balance(&state, account).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LotsQuery {
    /// How many, at most.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 100, default = 20)]
    #[serde(default)]
    limit: Limit,
    /// The id of the last lot of the page before.
    starting_after: Option<String>,
}

/// List lots
///
/// All that there ever were, newest first.
#[utoipa::path(
    get, operation_id = "list_lots", path = "/api/v1/accounts/{account}/lots", tag = "Accounts", security(("key" = ["read"])),
    params(AccountParam, LotsQuery),
    responses(
        (status = 200, description = "A page of lots.", body = Page<LotObject>),
        (status = "default", response = Failure),
    ),
)]
pub async fn lots(
    State(state): State<AppState>,
    AccountPath(account): AccountPath,
    Query(query): Query<LotsQuery>,
) -> Result<Json<Page<LotObject>>, Fault> {
    let before = lot_after(account, query.starting_after.as_deref())?;
    let Limit(limit) = query.limit;
    let lots = state.ledger.lots(account, before, limit + 1).await?;
    let now = state.clock.now();
    Ok(Json(Page::of(lots, limit, |lot| LotObject::of(account, &lot, now))))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EntriesQuery {
    /// How many, at most. CSV has all of them.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 100, default = 20)]
    #[serde(default)]
    limit: Limit,
    /// The id of the last entry of the page before.
    starting_after: Option<String>,
    /// Only entries of this kind.
    #[param(value_type = Option<fields::EntryKind>)]
    kind: Option<KindName>,
    /// Only what was charged for this action.
    #[param(value_type = Option<fields::ActionKey>)]
    action: Option<ActionKey>,
    /// Only what bears this reference.
    #[param(value_type = Option<fields::Reference>)]
    reference: Option<Reference>,
    /// Only what happened at this moment or later.
    #[param(value_type = Option<fields::Time>)]
    from: Option<Moment>,
    /// Only what happened before this moment.
    #[param(value_type = Option<fields::Time>)]
    to: Option<Moment>,
}

/// List entries
///
/// The account's history, newest first. With `Accept: text/csv` all entries that the filter admits come as one file.
#[utoipa::path(
    get, operation_id = "list_entries", path = "/api/v1/accounts/{account}/entries", tag = "Accounts", security(("key" = ["read"])),
    params(AccountParam, EntriesQuery),
    responses(
        (status = 200, description = "A page of entries.", content(
            (Page<EntryObject> = "application/json"), (String = "text/csv"),
        )),
        (status = "default", response = Failure),
    ),
)]
pub async fn entries(
    State(state): State<AppState>,
    AccountPath(account): AccountPath,
    Query(query): Query<EntriesQuery>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let before = entry_after(account, query.starting_after.as_deref())?;
    let kind = query.kind.map(|kind| kind.0);
    let EntriesQuery { action, reference, from, to, .. } = query;
    let (from, to) = (from.map(|from| from.0), to.map(|to| to.0));
    let filter = Filter { kind, action, reference, from, to };
    if csv::is_wanted(&headers) {
        return csv::history(state, account, before, filter).await;
    }
    let Limit(limit) = query.limit;
    let history = state.ledger.history(account, before, &filter, limit + 1).await?;
    let object = |entry: Arc<_>| EntryObject::of(&entry);
    Ok(Json(Page::of(history.entries, limit, object)).into_response())
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UsageQuery {
    /// Only this action.
    #[param(value_type = Option<fields::ActionKey>)]
    action: Option<ActionKey>,
    /// Only months that begin at this moment or later.
    #[param(value_type = Option<fields::Time>)]
    from: Option<Moment>,
    /// Only months that begin before this moment.
    #[param(value_type = Option<fields::Time>)]
    to: Option<Moment>,
}

/// Look at usage
///
/// What was run, per action and month, newest month first. Months are the account's own: they are counted from the moment at
/// which it was made.
#[utoipa::path(
    get, operation_id = "get_usage", path = "/api/v1/accounts/{account}/usage", tag = "Accounts", security(("key" = ["read"])),
    params(AccountParam, UsageQuery),
    responses(
        (status = 200, description = "One row for each month and action.", body = Page<UsageObject>),
        (status = "default", response = Failure),
    ),
)]
pub async fn usage(
    State(state): State<AppState>,
    AccountPath(account): AccountPath,
    Query(query): Query<UsageQuery>,
) -> Result<Json<Page<UsageObject>>, Fault> {
    state.accounts.profile(account).await?;
    let (from, to) = (query.from.map(|from| from.0), query.to.map(|to| to.0));
    let (_, rows) = state.ledger.usage(account, query.action.as_ref(), from, to, USAGE_ROWS_MAX + 1).await?;
    Ok(Json(Page::of(rows, USAGE_ROWS_MAX, UsageObject::from)))
}

/// Watch a balance
///
/// Server-sent events: `balance` with the balance as it is now, and again after each change. The event's id is the
/// balance's version; who comes back with `Last-Event-ID` is told nothing older.
#[utoipa::path(
    get, operation_id = "watch_balance", path = "/api/v1/accounts/{account}/events", tag = "Accounts", security(("key" = ["read"])),
    params(
        AccountParam,
        ("Last-Event-ID" = Option<String>, Header, description = "The version of the last balance that you have."),
    ),
    responses(
        (status = 200, description = "A stream of balances.", body = String, content_type = "text/event-stream"),
        (status = "default", response = Failure),
    ),
)]
pub async fn watch(
    State(state): State<AppState>,
    AccountPath(account): AccountPath,
    Extension(key): Extension<Arc<Key>>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<i64>().ok());
    events::stream(state, key, account, last).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPortalSession {
    /// Where to lead your user back to: an address whose origin the operator has named.
    #[schema(value_type = String, min_length = 1, max_length = 2048, example = "http://localhost:8080/account")]
    return_url: Line<RETURN_URL_BYTES_MAX>,
}

/// A way into the pages.
#[derive(Serialize, ToSchema)]
#[schema(as = PortalSession)]
pub struct PortalSessionObject {
    /// Send your user's browser there. It works once.
    url: String,
    #[schema(value_type = fields::AccountId)]
    account: AccountId,
    /// Until when it works.
    expires_at: DateTime<Utc>,
}

/// Lead your user into the pages
///
/// Gives a URL that signs a browser in to this account's pages, once and within ten minutes.
#[utoipa::path(
    post, operation_id = "create_portal_session", path = "/api/v1/accounts/{account}/portal-sessions", tag = "Accounts", security(("key" = ["spend"])),
    params(AccountParam),
    request_body = NewPortalSession,
    responses(
        (status = 201, description = "A way in.", body = PortalSessionObject),
        (status = "default", response = Failure),
    ),
)]
pub async fn open_portal(
    State(state): State<AppState>,
    AccountPath(account): AccountPath,
    Body(new): Body<NewPortalSession>,
) -> Result<(StatusCode, Json<PortalSessionObject>), Fault> {
    let session = portal::open(&state, account, &new.return_url.0).await?;
    let object = PortalSessionObject { url: session.url, account, expires_at: session.expires_at };
    Ok((StatusCode::CREATED, Json(object)))
}
