//! What a member has, and how it came to be.

use leptos::prelude::*;

use crate::{
    problem::Problem,
    views::{CreditsView, HistoryView},
};

#[server(prefix = "/fn", endpoint = "credits")]
pub async fn credits() -> Result<CreditsView, Problem> {
    use crate::server::{buying, caller::answer};
    answer(|caller| async move {
        let member = caller.member().await?;
        let state = &caller.state;
        let account = state.ledger.account(member.account).await?;
        let has_billing_portal = buying::has_billing_portal(state, &account).await?;
        Ok(CreditsView::of(&account, &state.catalog(), has_billing_portal, state.clock.now()))
    })
    .await
}

/// A page of entries older than the one numbered `before`; the newest page where it is `None`.
#[server(prefix = "/fn", endpoint = "history")]
pub async fn history(before: Option<String>) -> Result<HistoryView, Problem> {
    use crate::{
        domain::Version,
        server::{buying, caller::answer, ledger::Filter},
    };
    answer(|caller| async move {
        let member = caller.member().await?;
        let before = match before.as_deref().map(str::parse::<i64>) {
            None => None,
            Some(Ok(before)) if before >= 1 => Some(Version(before)),
            Some(_) => return Err(Problem::UnknownCursor.into()),
        };
        let history = caller
            .state
            .ledger
            .history(member.account, before, &Filter::default(), HistoryView::PAGE + 1)
            .await?;
        let bought = buying::named(&caller.state, member.account, &history.entries).await?;
        let latest = history.account.version();
        Ok(HistoryView::of(history.entries, before, latest, &caller.state.catalog(), &bought))
    })
    .await
}
