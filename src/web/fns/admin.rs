//! What admins look at and do. Nobody else gets an answer.

use leptos::prelude::*;

use crate::{
    problem::Problem,
    views::{DifferenceView, InboxView, PurchaseFactsView, PurchasesView, RefundPreviewView},
};

/// Purchases in one state, or in any, that began before the one named.
#[server(prefix = "/fn", endpoint = "admin_purchases")]
pub async fn admin_purchases(
    state: Option<String>,
    before: Option<String>,
) -> Result<PurchasesView, Problem> {
    use crate::server::{back_office, caller::answer};
    answer(|caller| async move {
        caller.admin().await?;
        back_office::purchases(&caller.state, state.as_deref(), before.as_deref()).await
    })
    .await
}

#[server(prefix = "/fn", endpoint = "admin_purchase")]
pub async fn admin_purchase(purchase: String) -> Result<PurchaseFactsView, Problem> {
    use crate::server::{back_office, caller::answer};
    answer(|caller| async move {
        caller.admin().await?;
        back_office::purchase(&caller.state, &purchase).await
    })
    .await
}

/// What sending so much back would do; nothing happens.
#[server(prefix = "/fn", endpoint = "preview_refund")]
pub async fn preview_refund(
    purchase: String,
    invoice: Option<String>,
    amount: String,
) -> Result<RefundPreviewView, Problem> {
    use crate::server::{back_office, caller::answer};
    answer(|caller| async move {
        caller.admin().await?;
        back_office::preview_refund(&caller.state, &purchase, invoice.as_deref(), &amount).await
    })
    .await
}

/// Sends so much of a purchase's money back, of a plan's that of one invoice. Sent twice with the same key, it happens once.
#[server(prefix = "/fn", endpoint = "refund_purchase")]
pub async fn refund_purchase(
    purchase: String,
    invoice: Option<String>,
    amount: String,
    reason: String,
    key: String,
) -> Result<(), Problem> {
    use crate::server::{back_office, caller::answer};
    answer(|caller| async move {
        let admin = caller.admin().await?;
        let of = (purchase.as_str(), invoice.as_deref());
        back_office::refund(&caller.state, &admin, of, &amount, &reason, &key).await?;
        caller.lead_to(&format!("/admin/purchases/{purchase}?refunded"));
        Ok(())
    })
    .await
}

/// What Stripe has sent before the event named.
#[server(prefix = "/fn", endpoint = "inbox")]
pub async fn inbox(only_failed: bool, before: Option<String>) -> Result<InboxView, Problem> {
    use crate::server::{back_office, caller::answer};
    answer(|caller| async move {
        caller.admin().await?;
        back_office::inbox(&caller.state, only_failed, before.as_deref()).await
    })
    .await
}

/// Tries an event again that was not applied.
#[server(prefix = "/fn", endpoint = "replay_event")]
pub async fn replay_event(event: String) -> Result<(), Problem> {
    use crate::server::{back_office, caller::answer};
    answer(|caller| async move {
        caller.admin().await?;
        back_office::replay(&caller.state, &event).await
    })
    .await
}

#[server(prefix = "/fn", endpoint = "differences")]
pub async fn differences() -> Result<Vec<DifferenceView>, Problem> {
    use crate::server::{back_office, caller::answer};
    answer(|caller| async move {
        caller.admin().await?;
        back_office::differences(&caller.state).await
    })
    .await
}

/// Notes that a difference was seen to.
#[server(prefix = "/fn", endpoint = "handle_difference")]
pub async fn handle_difference(difference: String, reason: String) -> Result<(), Problem> {
    use crate::server::{back_office, caller::answer};
    answer(|caller| async move {
        let admin = caller.admin().await?;
        back_office::handle(&caller.state, &admin, &difference, &reason).await
    })
    .await
}
