//! What a member has, and how it came to be.

use leptos::prelude::*;

use crate::{
    problem::Problem,
    views::{CreditsView, HistoryView},
};

#[server(prefix = "/fn", endpoint = "credits")]
pub async fn credits() -> Result<CreditsView, Problem> {
    use crate::server::caller::answer;
    answer(|caller| async move {
        let member = caller.member().await?;
        let account = caller.state.ledger.account(member.account).await?;
        Ok(CreditsView::of(&account, &caller.state.catalog(), caller.state.clock.now()))
    })
    .await
}

/// A page of entries older than the one numbered `before`; the newest page where it is `None`.
#[server(prefix = "/fn", endpoint = "history")]
pub async fn history(before: Option<String>) -> Result<HistoryView, Problem> {
    use crate::{
        domain::Version,
        server::{caller::answer, ledger::Filter},
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
        let latest = history.account.version();
        Ok(HistoryView::of(history.entries, before, latest, &caller.state.catalog()))
    })
    .await
}
