//! Signing up, in and out.

use leptos::prelude::*;

use crate::{problem::Problem, views::FrameView};

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

/// The product, who is signed in, and what they have and are warned of.
#[server(prefix = "/fn", endpoint = "session")]
pub async fn session() -> Result<FrameView, Problem> {
    use crate::{
        server::{caller::answer, store::people::Role, top_ups, warnings},
        views::{MemberView, ShopView, WarningView},
    };
    answer(|caller| async move {
        let state = &caller.state;
        let catalog = state.catalog();
        let frame = |member| FrameView {
            product: catalog.name.clone(),
            sells: ShopView::is_open(&catalog),
            is_sandbox: state.is_sandbox,
            member,
        };
        let Some(user) = caller.user().await? else { return Ok(frame(None)) };
        let account = state.ledger.account(user.account).await?;
        let standing = warnings::of(state, &account).await.unwrap_or_else(|error| {
            // A page is worth showing without them.
            tracing::warn!(error = &error as &dyn std::error::Error, "nobody saw whether to warn");
            Vec::new()
        });
        let is_admin = user.role == Role::Admin;
        let return_url = state.auth.return_url(&caller.session).await?;
        let now = state.clock.now();
        let mut member = MemberView::of(user.name, return_url, is_admin, &account, &standing, &catalog, now);
        let paused = top_ups::paused(state, user.account).await?;
        member.warnings.extend(paused.map(WarningView::TopUpPaused));
        Ok(frame(Some(member)))
    })
    .await
}

/// Shows no more, until there is news, what the member has seen by `seen`: that lots lapse, or that little is left.
#[server(prefix = "/fn", endpoint = "dismiss_warning")]
pub async fn dismiss_warning(are_of_lots: bool, seen: i64) -> Result<(), Problem> {
    use chrono::DateTime;

    use crate::{
        domain::moment,
        server::{caller::answer, warnings},
    };
    answer(|caller| async move {
        let member = caller.member().await?;
        let seen = DateTime::from_timestamp_micros(seen).filter(|seen| moment::is_kept(*seen));
        let seen = seen.ok_or(Problem::Malformed)?;
        warnings::dismiss(&caller.state, member.account, are_of_lots, seen).await
    })
    .await
}
