//! Buying: what is for sale, going to pay for it, and what became of it.

use leptos::prelude::*;

use crate::{
    problem::Problem,
    views::{ChangeView, PurchaseView, ShopView},
};

/// What the member can buy, and has begun to.
#[server(prefix = "/fn", endpoint = "shop")]
pub async fn shop() -> Result<ShopView, Problem> {
    use crate::server::{buying, caller::answer};
    answer(|caller| async move {
        let member = caller.member().await?;
        buying::shop(&caller.state, &member).await
    })
    .await
}

/// Leads to the payment page for `pack:…` or `plan:…`. Sent twice with the same attempt, it is one purchase.
#[server(prefix = "/fn", endpoint = "buy")]
pub async fn buy(item: String, attempt: String, return_to: Option<String>) -> Result<(), Problem> {
    use crate::server::{buying, caller::answer};
    answer(|caller| async move {
        let member = caller.member().await?;
        let url = buying::buy(&caller.state, &member, &item, &attempt, return_to.as_deref()).await?;
        caller.lead_out(&url);
        Ok(())
    })
    .await
}

/// What another plan comes to for a member who pays for one; nothing happens.
#[server(prefix = "/fn", endpoint = "preview_change")]
pub async fn preview_change(plan: String) -> Result<ChangeView, Problem> {
    use crate::server::{buying, caller::answer};
    answer(|caller| async move {
        let member = caller.member().await?;
        buying::preview_change(&caller.state, &member, &plan).await
    })
    .await
}

/// Changes the plan that a member pays for, if that still comes to `charged` when it is reckoned from `at`: in the smallest
/// unit of its currency, and Unix seconds. Sent twice with the same attempt, it is one change.
#[server(prefix = "/fn", endpoint = "change_plan")]
pub async fn change_plan(
    plan: String,
    charged: i64,
    price: i64,
    at: i64,
    attempt: String,
    return_to: Option<String>,
) -> Result<(), Problem> {
    use crate::server::{buying, caller::answer};
    answer(|caller| async move {
        let member = caller.member().await?;
        let (shown, back) = ((charged, price, at), return_to.as_deref());
        let next = buying::change_plan(&caller.state, &member, &plan, shown, &attempt, back).await?;
        caller.lead_to(&next);
        Ok(())
    })
    .await
}

/// How a purchase of the member stands. A page asks Stripe as well, since its news may be on the way.
#[server(prefix = "/fn", endpoint = "purchase")]
pub async fn purchase(id: String) -> Result<PurchaseView, Problem> {
    use crate::server::{buying, caller::answer};
    answer(|caller| async move {
        let member = caller.member().await?;
        if caller.is_page() && buying::ask(&caller.state, &member, &id).await? {
            // What stands around the page was read beside this, and is out of date.
            caller.lead_to(&caller.page());
        }
        buying::look(&caller.state, &member, &id).await
    })
    .await
}

/// Ends a purchase that nobody has paid.
#[server(prefix = "/fn", endpoint = "cancel_purchase")]
pub async fn cancel_purchase(purchase: String) -> Result<(), Problem> {
    use crate::server::{buying, caller::answer};
    answer(|caller| async move {
        let member = caller.member().await?;
        buying::cancel(&caller.state, &member, &purchase).await
    })
    .await
}

/// Leads to where a subscription that is paid through Stripe is changed, and its card.
#[server(prefix = "/fn", endpoint = "open_billing_portal")]
pub async fn open_billing_portal() -> Result<(), Problem> {
    use crate::server::{buying, caller::answer};
    answer(|caller| async move {
        let member = caller.member().await?;
        let url = buying::open_billing_portal(&caller.state, &member).await?;
        caller.lead_out(&url);
        Ok(())
    })
    .await
}
