//! What an admin gives to a user.

use axum::{Json, extract::State, http::HeaderMap};
use serde::{Deserialize, Serialize};
use tower_sessions::Session;

use super::{available, key_sent, member};
use crate::{
    domain::{Act, Amount, EntryId, Grant, Source, UserId, note::Description},
    problem::Problem,
    server::{
        AppState,
        api::{
            Fault,
            carry_out::{Notes, carry_out, command},
            names::AccountName,
            sent::Body,
        },
        store::people::{self, Role},
    },
};

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
