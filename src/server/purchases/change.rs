//! Another plan for who pays for one through Stripe: the same subscription goes on, for another price. A larger one begins
//! at once, and the difference is charged then; a smaller one begins with the next period, and so does its price, as does
//! any other in a trial. One that is billed as often takes its place; for another, this one has to end first. What it
//! comes to is shown first, and only that is done.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::learn_alone;
use crate::{
    domain::{
        Account, AccountId, Credits,
        catalog::{Plan, PlanKey, Price},
    },
    problem::Problem,
    server::{
        AppState, Error,
        store::stripe_subscriptions,
        stripe::{self, About, Billed, NewPlan},
    },
};

/// For how long what was shown may be agreed to.
const STANDS_FOR: TimeDelta = TimeDelta::hours(1);

/// What a change comes to.
#[derive(Debug)]
pub struct Preview {
    /// The plan that the account is on, and the one that it would be on.
    pub from: PlanKey,
    pub to: Plan,
    pub price: Price,
    pub sum: Sum,
    /// What comes at once.
    pub credits: Credits,
    /// Whether it begins at once; else on `period_end`, from when on its price is charged either way.
    pub is_at_once: bool,
    pub period_end: DateTime<Utc>,
    pub is_trial: bool,
    /// Whether the present plan was to end with its period. With the change it goes on.
    pub was_to_end: bool,
}

/// What is charged at once, reckoned from a moment, a whole second; and what for each period from then on. In the smallest
/// unit of the plan's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    pub minor: i64,
    pub price: i64,
    pub at: DateTime<Utc>,
}

/// A change that can be made.
struct Change {
    account: Account,
    plan: Plan,
    price: Price,
    billed: Billed,
    is_at_once: bool,
}

/// Whether an account pays for a plan, so that another one is a change of it.
pub async fn is_for(state: &AppState, account: AccountId) -> Result<bool, Error> {
    let mut conn = state.pool.acquire().await?;
    Ok(stripe_subscriptions::paid_by(&mut conn, state.stripe.mode(), account).await?.is_some())
}

/// What it would come to now; nothing happens.
pub async fn preview(state: &AppState, account: AccountId, key: &str) -> Result<Preview, Error> {
    let change = find(state, account, key).await?;
    if change.is_made() {
        return Err(Problem::SubscriptionUnchanged.into());
    }
    let sum = change.sum(state, state.clock.now().trunc_subsecs(0)).await?;
    let Change { account, plan, price, billed, is_at_once } = change;
    let current = account.current_subscription();
    let stripe::Subscription { terms, status, period_end, ends_with_period, .. } = billed.subscription;
    let from = current.map(|current| current.terms.plan.clone()).or(terms.map(|terms| terms.plan));
    let credits = match current {
        Some(current) if is_at_once => current.more(plan.allowance),
        _ => Credits::ZERO,
    };
    Ok(Preview {
        from: from.ok_or(Problem::NotSubscribed)?,
        to: plan,
        price,
        sum,
        credits,
        is_at_once,
        period_end: period_end.ok_or_else(|| Error::internal("a subscription without a period"))?,
        is_trial: status == TRIALING,
        was_to_end: ends_with_period,
    })
}

/// Changes what an account pays for, if it still comes to what was shown. The same attempt changes it once, and one that
/// is made already stays.
pub async fn make(
    state: &AppState,
    account: AccountId,
    key: &str,
    shown: Sum,
    attempt: &str,
) -> Result<(), Error> {
    let change = find(state, account, key).await?;
    if change.is_made() {
        return learn_alone(state, About::Subscription(change.billed.subscription)).await;
    }
    let now = state.clock.now();
    let stands = (now - STANDS_FOR..=now).contains(&shown.at);
    if !stands || change.sum(state, shown.at).await? != shown {
        return Err(Problem::SumChanged.into());
    }
    let Change { billed, .. } = &change;
    let key = format!("scrip:change:{}:{attempt}", billed.subscription.id);
    let changed = match state.stripe.change_plan(billed, change.wanted(shown.at), &key).await {
        Err(stripe::Error::Declined { .. }) => return Err(Problem::CardDeclined.into()),
        changed => changed?,
    };
    learn_alone(state, About::Subscription(changed)).await
}

const TRIALING: &str = "trialing";

async fn find(state: &AppState, account: AccountId, key: &str) -> Result<Change, Error> {
    let catalog = state.catalog();
    let plan = catalog.plan(key).ok_or(Problem::UnknownPlan)?.clone();
    let price = plan.price.ok_or(Problem::NotForSale)?;
    let mut conn = state.pool.acquire().await?;
    let paying = stripe_subscriptions::paid_by(&mut conn, state.stripe.mode(), account).await?;
    // Not kept from others while Stripe answers.
    drop(conn);
    let paying = paying.ok_or(Problem::NotSubscribed)?;
    let billed = state.stripe.billed(&paying.id).await?;
    let status = billed.subscription.status.as_str();
    if !["active", TRIALING].contains(&status) {
        return Err(Problem::PlanNotPaid.into());
    }
    // A year is paid for at once: no invoice of a change brings its credits.
    if billed.interval != Some(plan.interval) {
        return Err(Problem::OtherInterval.into());
    }
    let account = state.ledger.account(account).await?;
    let current = account.current_subscription().filter(|current| !current.terms.is_free);
    let current = current.ok_or(Problem::PlanNotPaid)?;
    let is_at_once = status != TRIALING && current.makes_way_for(&plan.key, plan.allowance);
    let terms = billed.subscription.terms.as_ref();
    // Stripe would charge the difference to what follows, not to what was paid.
    let is_to_change = terms.is_some_and(|terms| ![&current.terms.plan, &plan.key].contains(&&terms.plan));
    if is_at_once && is_to_change {
        return Err(Problem::PlanChanging.into());
    }
    Ok(Change { account, plan, price, billed, is_at_once })
}

impl Change {
    /// Whether Stripe has it so already.
    fn is_made(&self) -> bool {
        self.billed.subscription.terms.as_ref().is_some_and(|terms| terms.plan == self.plan.key)
    }

    fn wanted(&self, at: DateTime<Utc>) -> NewPlan<'_> {
        NewPlan {
            account: self.account.id(),
            key: &self.plan.key,
            price: self.price,
            interval: self.plan.interval,
            prorated_from: self.is_at_once.then_some(at),
        }
    }

    /// What is charged at once. A subscription is billed in one currency, so it is the plan's.
    async fn sum(&self, state: &AppState, at: DateTime<Utc>) -> Result<Sum, Error> {
        let minor = match self.wanted(at) {
            wanted @ NewPlan { prorated_from: Some(from), .. } => {
                state.stripe.preview_change(&self.billed, wanted, from).await?
            }
            _ => 0,
        };
        Ok(Sum { minor, price: self.price.minor(), at })
    }
}
