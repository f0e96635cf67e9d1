//! Portal sessions: a host sends its user to the pages of the user's account by a URL that works once, for a short
//! while, and leads back to the host afterwards.

use axum::http::Uri;
use chrono::{DateTime, TimeDelta, Utc};
use tower_sessions::Session;

use super::{
    AppState, Error,
    auth::secret,
    clock::Clock,
    config::origin_of,
    store::{people::User, portal_sessions},
};
use crate::{domain::AccountId, problem::Problem};

/// For how long its URL can be used, by the machine's time: browsers are real in a sandbox too.
const LIFE: TimeDelta = TimeDelta::minutes(10);
const TOKEN_BYTES: usize = 32;
pub const RETURN_URL_BYTES_MAX: usize = 2_048;

/// A way into the pages of an account.
pub struct PortalSession {
    pub url: String,
    pub expires_at: DateTime<Utc>,
}

/// Opens a way in.
pub async fn open(state: &AppState, account: AccountId, return_url: &str) -> Result<PortalSession, Error> {
    if !may_lead_back_to(state, return_url) {
        return Err(Problem::ReturnUrlRefused.into());
    }
    state.accounts.profile(account).await?;
    if !state.auth.is_led_into(account).await? {
        return Err(Problem::SignsInHere.into());
    }
    let token = secret::random_digits::<TOKEN_BYTES>()?;
    let expires_at = Clock::default().now() + LIFE;
    let mut conn = state.pool.acquire().await?;
    let digest = secret::digest(&token);
    portal_sessions::insert(&mut conn, &digest, account, return_url, expires_at).await?;
    Ok(PortalSession { url: format!("{}/portal/{token}", state.base_url), expires_at })
}

/// Goes in: signs the browser in to the account. Where somebody is signed in with a password of theirs, only once they have
/// agreed: whoever follows a link has not said that they want to be somebody else. Returns whom to ask; nothing has
/// happened then.
pub async fn enter(
    state: &AppState,
    session: &Session,
    token: &str,
    has_agreed: bool,
) -> Result<Option<User>, Error> {
    if !has_agreed
        && let Some(user) = state.auth.current(session).await?
        && !state.auth.is_led_into(user.account).await?
    {
        return Ok(Some(user));
    }
    let mut conn = state.pool.acquire().await?;
    let taken = portal_sessions::take(&mut conn, &secret::digest(token), Clock::default().now()).await?;
    drop(conn);
    let (account, return_url) = taken.ok_or(Problem::LinkUsed)?;
    state.auth.enter(session, account, &return_url).await?;
    Ok(None)
}

/// Whether a host's address is one of those that the operator has named; in a sandbox without any, one on this
/// machine.
pub fn may_lead_back_to(state: &AppState, url: &str) -> bool {
    let Some(origin) = origin_of(url).filter(|_| url.len() <= RETURN_URL_BYTES_MAX) else { return false };
    if !state.return_origins.is_empty() {
        return state.return_origins.contains(&origin);
    }
    let host = url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_ascii_lowercase));
    state.is_sandbox && host.is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host.as_str()))
}
