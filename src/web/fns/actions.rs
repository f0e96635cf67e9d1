//! Actions: what they cost, and running one.

use leptos::prelude::*;

use crate::{
    domain::Amount,
    problem::Problem,
    views::{ActionsView, OfferView, QuoteView},
};

/// What anybody may see: the product and its prices.
#[server(prefix = "/fn", endpoint = "offer")]
pub async fn offer() -> Result<OfferView, Problem> {
    use crate::server::caller::answer;
    answer(|caller| async move { Ok(OfferView::of(&caller.state.catalog())) }).await
}

/// The actions, and the spend that entry number `spent` records.
#[server(prefix = "/fn", endpoint = "actions")]
pub async fn list_actions(spent: Option<String>) -> Result<ActionsView, Problem> {
    use crate::{
        domain::Version,
        server::{caller::answer, ledger::Filter},
        views::{ActionView, SpentView},
    };
    answer(|caller| async move {
        let member = caller.member().await?;
        let state = &caller.state;
        let catalog = state.catalog();
        let before = spent.and_then(|version| version.parse::<i64>().ok()?.checked_add(1)).map(Version);
        let spent = match before {
            Some(before) => {
                let history =
                    state.ledger.history(member.account, Some(before), &Filter::default(), 1).await?;
                let available = history.account.available(state.clock.now());
                let entry = history.entries.first().filter(|entry| entry.version.next() == before);
                entry.and_then(|entry| SpentView::of(entry, available, &catalog))
            }
            None => None,
        };
        Ok(ActionsView { actions: ActionView::all(&catalog), spent })
    })
    .await
}

/// What one run of `action` would cost now and which lots would pay; writes nothing. A page asks with the
/// key of its form: where that was used, it is led to what became of it.
#[server(prefix = "/fn", endpoint = "quote")]
pub async fn quote(
    action: String,
    units: Option<String>,
    idempotency_key: Option<String>,
) -> Result<QuoteView, Problem> {
    use crate::{
        domain::IdempotencyKey,
        server::{caller::answer, spending},
    };
    answer(|caller| async move {
        let member = caller.member().await?;
        let key = idempotency_key.unwrap_or_else(|| caller.state.clock.new_id().to_string());
        let parsed = IdempotencyKey::of_browser(&key).map_err(|_| Problem::Malformed)?;
        let order = spending::Order { action: &action, units: units.as_deref() };
        let quote = spending::quote(&caller.state, &member, &order, key.clone()).await?;
        if caller.is_page() {
            match spending::spent(&caller.state, &member, parsed).await? {
                Some(entry) => caller.lead_to_spent(&entry),
                None => caller.keep_key(&key),
            }
        }
        Ok(quote)
    })
    .await
}

/// Runs `action` for the account and at the cost that the member was shown. Sent twice with the same key, it
/// happens once.
#[server(prefix = "/fn", endpoint = "spend")]
pub async fn spend(
    account: String,
    action: String,
    units: Option<String>,
    cost: Amount,
    idempotency_key: String,
) -> Result<(), Problem> {
    use crate::{
        domain::{AccountId, IdempotencyKey},
        server::{caller::answer, spending},
    };
    answer(|caller| async move {
        let member = caller.member().await?;
        let account = account.parse::<AccountId>().map_err(|_| Problem::Malformed)?;
        let key = IdempotencyKey::of_browser(&idempotency_key).map_err(|_| Problem::Malformed)?;
        let order = spending::Order { action: &action, units: units.as_deref() };
        let agreed = spending::Agreed { account, cost };
        let receipt = spending::spend(&caller.state, &member, &order, &agreed, key).await?;
        caller.lead_to_spent(&receipt.entry);
        Ok(())
    })
    .await
}
