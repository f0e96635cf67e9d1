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
        let billing = buying::billing(state, member.account).await?;
        Ok(CreditsView::of(&account, &state.catalog(), billing.as_ref(), state.clock.now()))
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
        let receipts = buying::receipts(&caller.state, member.account, &history.entries).await?;
        let (account, catalog) = (&history.account, caller.state.catalog());
        Ok(HistoryView::of(history.entries, before, account, &catalog, &receipts))
    })
    .await
}
