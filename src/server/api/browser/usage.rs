//! What a person has used, in tokens, and what they are subscribed to.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tower_sessions::Session;

use super::{FREE, member, status};
use crate::{
    domain::{
        Account, AccountId, Catalog, Period, Subscription,
        catalog::{ActionKey, Cost},
    },
    problem::Problem,
    server::{
        AppState, Error,
        api::{Fault, objects::USAGE_ROWS_MAX},
        ledger::MonthTally,
    },
};

/// The unit whose numbers are told as tokens.
const TOKENS: &str = "tokens";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageAnswer {
    credits: i64,
    tokens_used: TokensUsed,
    /// When `monthly` begins at nothing again: the end of the account's month, which is counted from its opening. Not the
    /// subscription's: that begins anew with each plan, and what was used would be counted twice or not at all.
    monthly_reset_date: DateTime<Utc>,
    is_subscribed: bool,
    /// The plan's key.
    subscription_tier: String,
    /// Null where it goes on.
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
    let (account, rows) = token_usage(&state, &state.catalog(), user.account).await?;
    let month = Period::around(account.standing().opened_at, now).ok_or(Problem::TimeOutOfRange)?;
    let current = account.current_subscription();
    Ok(Json(UsageAnswer {
        credits: account.available(now).get(),
        tokens_used: TokensUsed {
            lifetime: tokens(&rows),
            monthly: tokens(rows.iter().filter(|row| row.month >= month.start)),
        },
        monthly_reset_date: month.end,
        is_subscribed: status(current, now) != FREE,
        subscription_tier: current.map_or_else(|| FREE.to_owned(), |current| current.terms.plan.to_string()),
        subscription_ends_at: current.and_then(Subscription::ends_at),
    }))
}

/// An account, and what it has run that is counted in tokens, by month.
pub(super) async fn token_usage(
    state: &AppState,
    catalog: &Catalog,
    account: AccountId,
) -> Result<(Account, Vec<MonthTally>), Error> {
    let (account, mut rows) = state.ledger.usage(account, None, None, None, USAGE_ROWS_MAX).await?;
    rows.retain(|row| counts_tokens(catalog, row.tally.action.as_ref()));
    Ok((account, rows))
}

pub(super) fn tokens<'a>(rows: impl IntoIterator<Item = &'a MonthTally>) -> i64 {
    rows.into_iter().fold(0, |sum, row| sum.saturating_add(row.tally.units))
}

pub(super) fn counts_tokens(catalog: &Catalog, action: Option<&ActionKey>) -> bool {
    let cost = action.and_then(|key| catalog.action(key.as_str())).map(|action| &action.cost);
    matches!(cost, Some(Cost::PerUnit { unit, .. }) if unit == TOKENS)
}
