//! What happened on an account, newest first.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tower_sessions::Session;

use super::member;
use crate::{
    domain::{Catalog, Entry, EntryId, Kind, Source},
    server::{
        AppState,
        api::{
            Fault,
            names::entry_after,
            objects::{Page, metadata},
            sent::{Limit, Query},
        },
        ledger::Filter,
    },
    views::title,
};

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
    metadata: Option<Box<RawValue>>,
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
            metadata: metadata(entry),
            created_at: entry.at,
        }
    }
}
