//! What the code in a product's own pages calls, for the person who is signed in: their credits, one use of a feature,
//! their history, their usage. The shapes are those that such pages know; what they do is what everything does, a
//! command through the ledger.

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tower_sessions::Session;

use super::{
    Fault,
    carry_out::{Notes, carry_out, command},
    names::{AccountName, entry_after},
    objects::{Page, USAGE_ROWS_MAX},
    sent::{Body, Limit, Query, idempotency_key, metadata},
};
use crate::{
    domain::{
        AccountId, Act, Amount, Catalog, Entry, EntryId, Grant, IdempotencyKey, Kind, Period, Source, Spend,
        UserId,
        catalog::{Action, ActionKey, Cost, Units},
        note::{Description, Metadata, Reference},
    },
    problem::Problem,
    server::{
        AppState, Error,
        auth::secret,
        caller::status_of,
        ledger::{Filter, MonthTally},
        store::people::{self, Role, User},
    },
    text::hexadecimal,
    views::title,
};

/// The unit whose numbers are told as tokens.
const TOKENS: &str = "tokens";

/// Of an account without a subscription.
const FREE: &str = "free";

#[derive(Serialize)]
pub struct CreditsAnswer {
    remaining: i64,
    /// What was granted and has not lapsed.
    total: i64,
    subscription_status: &'static str,
}

/// `GET /api/user/credits`
pub async fn credits(State(state): State<AppState>, session: Session) -> Result<Json<CreditsAnswer>, Fault> {
    let user = member(&state, &session).await?;
    let remaining = available(&state, user.account).await?;
    let total = state.ledger.granted(user.account).await?.get();
    Ok(Json(CreditsAnswer { remaining, total, subscription_status: FREE }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consume {
    feature: ActionKey,
    /// The same generation is paid for once.
    generation_id: Option<Reference>,
    units: Option<Units>,
    #[serde(default, deserialize_with = "metadata")]
    metadata: Option<Metadata>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Consumed {
    success: bool,
    credits_used: i64,
    /// Null where it can't be read at the moment.
    remaining_credits: Option<i64>,
    entry: EntryId,
    /// Where the feature counts tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    credit_info: Option<CreditInfo>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreditInfo {
    tokens_used: i64,
    credits_remaining: Option<i64>,
    /// Null where it can't be read at the moment.
    total_tokens_used: Option<i64>,
}

/// `POST /api/user/credits/consume`
pub async fn consume(
    State(state): State<AppState>,
    session: Session,
    headers: HeaderMap,
    body: Result<Body<Consume>, Fault>,
) -> Result<Response, Fault> {
    let user = member(&state, &session).await?;
    let Body(asked) = body?;
    let key = match &asked.generation_id {
        Some(generation) => key_of(generation)?,
        None => key_sent(&state, &headers)?,
    };
    let catalog = state.catalog();
    // What was paid for stays so, whatever the catalog says by now.
    if let Some(entry) = state.ledger.answered(user.account, key).await? {
        let action =
            entry.kind.charge().filter(|_| entry.kind.is_spend()).and_then(|charge| charge.action.as_ref());
        if action != Some(&asked.feature) {
            return Err(Problem::KeyReused.into());
        }
        return Ok(Json(consumed(&state, &catalog, &entry).await).into_response());
    }
    let action = catalog.action(asked.feature.as_str()).ok_or(Problem::UnknownAction)?;
    let units = asked.units.or_else(|| one_credit_of(action));
    let charge = action.price(units).map_err(|reason| Fault::field("units", reason))?;
    let spend = Spend { charge, agreed: None, limits: catalog.limits, description: None };
    let notes = Notes { reference: asked.generation_id, metadata: asked.metadata };
    let command = command(user.account, key, Act::Spend(spend), notes);
    match state.ledger.execute(command).await? {
        Ok(receipt) => Ok(Json(consumed(&state, &catalog, &receipt.entry).await).into_response()),
        Err(refusal) => {
            let problem = state.refused(refusal);
            let remaining = available(&state, user.account).await?;
            let said = json!({
                "success": false,
                "error": problem.to_string(),
                "code": problem.code(),
                "remainingCredits": remaining,
            });
            // Not as a problem: these pages look for `success`.
            Ok((status_of(&problem), Json(said)).into_response())
        }
    }
}

/// It is done: what can't be read now is no reason to say otherwise.
async fn consumed(state: &AppState, catalog: &Catalog, entry: &Entry) -> Consumed {
    let remaining = available(state, entry.account).await.ok();
    let charge = entry.kind.charge();
    let action = charge.and_then(|charge| charge.action.as_ref());
    let is_of_tokens = counts_tokens(catalog, action);
    let credit_info = match charge.and_then(|charge| charge.units).filter(|_| is_of_tokens) {
        Some(units) => Some(CreditInfo {
            tokens_used: units.get(),
            credits_remaining: remaining,
            total_tokens_used: token_usage(state, catalog, entry.account).await.ok().map(|all| tokens(&all)),
        }),
        None => None,
    };
    let (credits_used, entry) = (-entry.delta(), entry.id());
    Consumed { success: true, credits_used, remaining_credits: remaining, entry, credit_info }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    #[serde(default)]
    limit: Limit,
    starting_after: Option<String>,
}

#[derive(Serialize)]
pub struct HistoryAnswer {
    history: Vec<HistoryItem>,
    has_more: bool,
}

#[derive(Serialize)]
pub struct HistoryItem {
    id: EntryId,
    /// `purchase`, or the entry's kind.
    r#type: &'static str,
    amount: i64,
    balance: i64,
    description: String,
    generation_id: Option<String>,
    created_at: DateTime<Utc>,
}

/// `GET /api/user/credits/history`
pub async fn history(
    State(state): State<AppState>,
    session: Session,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<HistoryAnswer>, Fault> {
    let user = member(&state, &session).await?;
    let before = entry_after(user.account, query.starting_after.as_deref())?;
    let Limit(limit) = query.limit;
    let read = state.ledger.history(user.account, before, &Filter::default(), limit + 1).await?;
    let catalog = state.catalog();
    let Page { data: history, has_more } =
        Page::of(read.entries, limit, |entry| HistoryItem::of(&catalog, &entry));
    Ok(Json(HistoryAnswer { history, has_more }))
}

impl HistoryItem {
    fn of(catalog: &Catalog, entry: &Entry) -> Self {
        let is_purchase =
            entry.kind == Kind::Grant && entry.opened.is_some_and(|opened| opened.source == Source::Pack);
        Self {
            id: entry.id(),
            r#type: if is_purchase { "purchase" } else { entry.kind.as_str() },
            amount: entry.delta(),
            balance: entry.balance_after.get(),
            description: title(entry, catalog),
            generation_id: entry.reference.as_ref().map(|reference| reference.as_str().to_owned()),
            created_at: entry.at,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageAnswer {
    credits: i64,
    tokens_used: TokensUsed,
    monthly_reset_date: DateTime<Utc>,
    is_subscribed: bool,
    subscription_tier: &'static str,
    subscription_ends_at: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
pub struct TokensUsed {
    lifetime: i64,
    monthly: i64,
}

/// `GET /api/user/usage`
pub async fn usage(State(state): State<AppState>, session: Session) -> Result<Json<UsageAnswer>, Fault> {
    let user = member(&state, &session).await?;
    let now = state.clock.now();
    let account = state.ledger.account(user.account).await?;
    let month = Period::around(account.standing().opened_at, now).ok_or(Problem::TimeOutOfRange)?;
    let rows = token_usage(&state, &state.catalog(), user.account).await?;
    Ok(Json(UsageAnswer {
        credits: account.available(now).get(),
        tokens_used: TokensUsed {
            lifetime: tokens(&rows),
            monthly: tokens(rows.iter().filter(|row| row.month >= month.start)),
        },
        monthly_reset_date: month.end,
        is_subscribed: false,
        subscription_tier: FREE,
        subscription_ends_at: None,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminGrant {
    /// A user (`user_…`), or their account (`acct_…`, `ext_…`).
    user_id: String,
    credits: Amount,
    reason: Description,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Granted {
    success: bool,
    credits: Amount,
    remaining_credits: Option<i64>,
    entry: EntryId,
}

/// `POST /api/admin/credits/grant`
pub async fn grant(
    State(state): State<AppState>,
    session: Session,
    headers: HeaderMap,
    body: Result<Body<AdminGrant>, Fault>,
) -> Result<Json<Granted>, Fault> {
    if member(&state, &session).await?.role != Role::Admin {
        return Err(Problem::NotAnAdmin.into());
    }
    let Body(asked) = body?;
    let account = match asked.user_id.parse::<UserId>() {
        Ok(user) => {
            let found = people::find(&mut *state.pool.acquire().await?, user).await?;
            found.ok_or(Problem::UnknownAccount)?.account
        }
        Err(_) => {
            let named = AccountName::try_from(asked.user_id);
            named.map_err(|reason| Fault::field("user_id", reason))?.resolve(&state).await?
        }
    };
    let key = key_sent(&state, &headers)?;
    let grant = Grant {
        amount: asked.credits,
        source: Source::Bonus,
        priority: Source::Bonus.default_priority(),
        effective_at: None,
        expires_at: None,
        description: asked.reason,
    };
    let receipt = carry_out(&state, command(account, key, Act::Grant(grant), Notes::default())).await?;
    let remaining_credits = available(&state, account).await.ok();
    Ok(Json(Granted { success: true, credits: asked.credits, remaining_credits, entry: receipt.entry.id() }))
}

async fn member(state: &AppState, session: &Session) -> Result<User, Fault> {
    Ok(state.auth.current(session).await?.ok_or(Problem::SignedOut)?)
}

async fn available(state: &AppState, account: AccountId) -> Result<i64, Error> {
    Ok(state.ledger.account(account).await?.available(state.clock.now()).get())
}

/// What an account has run that is counted in tokens, by month.
async fn token_usage(
    state: &AppState,
    catalog: &Catalog,
    account: AccountId,
) -> Result<Vec<MonthTally>, Error> {
    let mut rows = state.ledger.usage(account, None, None, None, USAGE_ROWS_MAX).await?;
    rows.retain(|row| counts_tokens(catalog, row.tally.action.as_ref()));
    Ok(rows)
}

fn tokens<'a>(rows: impl IntoIterator<Item = &'a MonthTally>) -> i64 {
    rows.into_iter().fold(0, |sum, row| sum.saturating_add(row.tally.units))
}

fn counts_tokens(catalog: &Catalog, action: Option<&ActionKey>) -> bool {
    let cost = action.and_then(|key| catalog.action(key.as_str())).map(|action| &action.cost);
    matches!(cost, Some(Cost::PerUnit { unit, .. }) if unit == TOKENS)
}

/// Who does not say how many takes what one credit pays for.
fn one_credit_of(action: &Action) -> Option<Units> {
    match action.cost {
        Cost::PerUnit { units_per_credit, .. } => Some(units_per_credit),
        Cost::Fixed(_) => None,
    }
}

/// A generation is paid for once, however often its page asks.
fn key_of(generation: &Reference) -> Result<IdempotencyKey, Fault> {
    let digits = hexadecimal(&secret::digest(generation.as_str()));
    Ok(IdempotencyKey::of_browser(&format!("generation-{digits}")).map_err(Error::internal)?)
}

/// The key that was sent, or else one of its own: then the request is carried out each time that it is sent.
fn key_sent(state: &AppState, headers: &HeaderMap) -> Result<IdempotencyKey, Fault> {
    let sent = idempotency_key(headers)?.unwrap_or_else(|| state.clock.new_id().to_string());
    IdempotencyKey::of_browser(&sent).map_err(|_| Problem::IdempotencyKeyInvalid.into())
}
