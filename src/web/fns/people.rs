//! Signing up, in and out.

use leptos::prelude::*;

use crate::{problem::Problem, views::SessionView};

/// Where a person goes who signed in from nowhere in particular.
#[cfg(feature = "ssr")]
const FIRST_PAGE: &str = "/actions";

#[server(prefix = "/fn", endpoint = "sign_up")]
pub async fn sign_up(email: String, password: String, next: Option<String>) -> Result<(), Problem> {
    use crate::server::{auth::Credentials, caller::answer};
    answer(|caller| async move {
        let typed = Credentials { email: email.clone(), password };
        let signed_up = caller.state.auth.sign_up(&caller.session, caller.address(), typed).await;
        caller.finish_form(signed_up, &email, next.as_deref().unwrap_or(FIRST_PAGE))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "sign_in")]
pub async fn sign_in(email: String, password: String, next: Option<String>) -> Result<(), Problem> {
    use crate::server::{auth::Credentials, caller::answer};
    answer(|caller| async move {
        let typed = Credentials { email: email.clone(), password };
        let signed_in = caller.state.auth.sign_in(&caller.session, caller.address(), typed).await;
        caller.finish_form(signed_in, &email, next.as_deref().unwrap_or(FIRST_PAGE))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "sign_out")]
pub async fn sign_out() -> Result<(), Problem> {
    use crate::server::caller::answer;
    answer(|caller| async move {
        caller.state.auth.sign_out(&caller.session).await?;
        caller.lead_to("/");
        Ok(())
    })
    .await
}

/// Signs in whom a host has sent here, with a link that works once; leads to the actions. Where somebody else is signed in
/// who has not agreed to it, the answer is who, and nothing has happened.
#[server(prefix = "/fn", endpoint = "enter_portal")]
pub async fn enter_portal(token: String, agreed: Option<bool>) -> Result<Option<String>, Problem> {
    use crate::server::{caller::answer, portal};
    answer(|caller| async move {
        if caller.looks_ahead() {
            return Err(Problem::Unavailable.into());
        }
        let has_agreed = agreed.unwrap_or_default();
        let somebody = portal::enter(&caller.state, &caller.session, &token, has_agreed).await?;
        if somebody.is_none() {
            caller.lead_to(FIRST_PAGE);
        }
        Ok(somebody.map(|user| user.name))
    })
    .await
}

/// The e-mail address of a form that was just refused, to be shown in it again.
#[server(prefix = "/fn", endpoint = "typed_email")]
pub async fn typed_email() -> Result<Option<String>, Problem> {
    use crate::server::caller::answer;
    answer(|caller| async move { Ok(caller.typed_email()) }).await
}

/// Who is signed in, and the balance of their account.
#[server(prefix = "/fn", endpoint = "session")]
pub async fn session() -> Result<Option<SessionView>, Problem> {
    use crate::{server::caller::answer, views::BalanceView};
    answer(|caller| async move {
        let Some(user) = caller.user().await? else { return Ok(None) };
        let state = &caller.state;
        let account = state.ledger.account(user.account).await?;
        let return_url = state.auth.return_url(&caller.session).await?;
        let balance = BalanceView::of(account.available(state.clock.now()), &state.catalog());
        Ok(Some(SessionView { name: user.name, balance, return_url }))
    })
    .await
}
