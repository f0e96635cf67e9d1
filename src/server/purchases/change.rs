//! Another plan for who pays for one through Stripe: the same subscription goes on, for another price. A larger one begins
//! at once, and the difference is charged then; a smaller one begins with the next period, and so does its price. One that
//! is billed as often takes its place; for another, this one has to end first.

use super::learn_alone;
use crate::{
    domain::AccountId,
    problem::Problem,
    server::{
        AppState, Error,
        store::stripe_subscriptions,
        stripe::{self, About, NewPlan},
    },
};

/// Changes what an account pays for. `false`, and nothing done, where it pays for nothing yet. The same attempt changes it
/// once.
pub async fn plan(state: &AppState, account: AccountId, key: &str, attempt: &str) -> Result<bool, Error> {
    let mut conn = state.pool.acquire().await?;
    let Some(subscription) = stripe_subscriptions::paid_by(&mut conn, state.stripe.mode(), account).await?
    else {
        return Ok(false);
    };
    drop(conn);
    let catalog = state.catalog();
    let plan = catalog.plan(key).ok_or(Problem::UnknownPlan)?;
    let price = plan.price.ok_or(Problem::NotForSale)?;
    let standing = state.ledger.account(account).await?;
    let current = standing.current_subscription().map(|current| &current.terms);
    if current.is_some_and(|terms| terms.plan == plan.key) {
        return Err(Problem::SubscriptionUnchanged.into());
    }
    let billed = state.stripe.billed(&subscription).await?;
    // A year is paid for at once: no invoice of a change brings its credits.
    if billed.interval != Some(plan.interval) {
        return Err(Problem::OtherInterval.into());
    }
    let prorates = current.is_none_or(|terms| plan.allowance > terms.allowance);
    let new = NewPlan { account, key: &plan.key, price, interval: plan.interval, prorates };
    let key = format!("scrip:change:{subscription}:{attempt}");
    let changed = match state.stripe.change_plan(&subscription, billed, new, &key).await {
        Err(stripe::Error::Declined { .. }) => return Err(Problem::CardDeclined.into()),
        changed => changed?,
    };
    learn_alone(state, About::Subscription(changed)).await?;
    Ok(true)
}
