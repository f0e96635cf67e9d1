//! Subscriptions as they are asked for: a plan of the catalog in, a command for the engine out. What they do is the law's
//! ([`domain`](crate::domain), rule 16).

use chrono::{DateTime, TimeDelta, Utc};

use super::{AppState, Error};
use crate::{
    domain::{
        AccountId, Act, Catalog, Command, IdempotencyKey, Refusal, Subscribe, Subscription, Terms,
        Unsubscribe,
        catalog::{Plan, PlanKey},
    },
    problem::Problem,
};

/// What is asked for: to be on this plan.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub plan: PlanKey,
    /// From when months are counted, where a subscription begins; `None`: from now.
    pub anchor: Option<DateTime<Utc>>,
    /// `None`: until somebody ends it.
    pub paid_until: Option<DateTime<Utc>>,
    /// Whether it begins with the plan's trial.
    pub is_trial: bool,
}

/// A plan as it is agreed at the moment.
fn terms(catalog: &Catalog, plan: &Plan) -> Terms {
    Terms {
        plan: plan.key.clone(),
        allowance: plan.allowance,
        rollover_cap: plan.rollover_cap,
        priority: plan.priority,
        grace_days: catalog.grace_days,
        is_free: plan.is_free(),
    }
}

/// To be on a plan, from now until somebody ends it, and then on the one on which accounts begin.
pub fn subscribe(catalog: &Catalog, plan: &Plan) -> Subscribe {
    let fallback = catalog.default_plan().filter(|default| default.key != plan.key);
    Subscribe {
        terms: terms(catalog, plan),
        anchor: None,
        paid_until: None,
        fallback: fallback.map(|plan| terms(catalog, plan)),
        is_trial: false,
    }
}

/// To be on the plan on which accounts begin, where there is one.
pub fn first_plan(catalog: &Catalog) -> Option<Act> {
    catalog.default_plan().map(|plan| Act::Subscribe(subscribe(catalog, plan)))
}

/// Puts an account on a plan. What is so already stays so: it may be asked for again.
pub async fn put(state: &AppState, account: AccountId, wanted: Wanted) -> Result<Subscription, Error> {
    let catalog = state.catalog();
    let plan = catalog.plan(wanted.plan.as_str()).ok_or(Problem::UnknownPlan)?;
    if wanted.is_trial {
        return begin_trial(state, account, &catalog, plan).await;
    }
    let (anchor, paid_until) = (wanted.anchor, wanted.paid_until);
    let act = Act::Subscribe(Subscribe { anchor, paid_until, ..subscribe(&catalog, plan) });
    carry_out(state, account, new_key(state)?, act).await
}

/// A trial is for who begins, and once for each plan: its key is the plan's. So asking again does not make it longer.
async fn begin_trial(
    state: &AppState,
    account: AccountId,
    catalog: &Catalog,
    plan: &Plan,
) -> Result<Subscription, Error> {
    let days = plan.trial_days.ok_or(Problem::NoTrial)?;
    let end = Some(state.clock.now() + TimeDelta::days(days.into()));
    let trial = Subscribe { anchor: end, paid_until: end, is_trial: true, ..subscribe(catalog, plan) };
    let key = IdempotencyKey::parse(&format!("scrip:trial:{}", plan.key)).map_err(Error::internal)?;
    let current = match carry_out(state, account, key, Act::Subscribe(trial)).await {
        Err(Error::Problem(Problem::TrialUsed | Problem::KeyReused)) => find(state, account).await?,
        begun => begun?,
    };
    let is_on_it = !current.has_ended() && current.terms.plan == plan.key;
    if is_on_it { Ok(current) } else { Err(Problem::TrialUsed.into()) }
}

/// Ends an account's subscription, with its period or at once.
pub async fn end(state: &AppState, account: AccountId, at_once: bool) -> Result<Subscription, Error> {
    carry_out(state, account, new_key(state)?, Act::Unsubscribe(Unsubscribe { at_once })).await
}

/// The subscription that an account has, or had.
pub async fn find(state: &AppState, account: AccountId) -> Result<Subscription, Error> {
    let account = state.ledger.account(account).await?;
    Ok(account.subscription().cloned().ok_or(Problem::NotSubscribed)?)
}

/// Where a problem is too few credits: the next larger plan than the account's, if there is one. It is only advice: what
/// can't be read now is left out.
pub async fn larger_plan(state: &AppState, account: AccountId, problem: &Problem) -> Option<Plan> {
    let catalog = state.catalog();
    if !matches!(problem, Problem::Insufficient { .. }) || catalog.plans.is_empty() {
        return None;
    }
    let account = state.ledger.account(account).await.ok()?;
    let current = account.current_subscription();
    catalog.larger_plan(current.map(|current| current.terms.allowance)).cloned()
}

fn new_key(state: &AppState) -> Result<IdempotencyKey, Error> {
    IdempotencyKey::parse(&state.clock.new_id().to_string()).map_err(Error::internal)
}

async fn carry_out(
    state: &AppState,
    account: AccountId,
    key: IdempotencyKey,
    act: Act,
) -> Result<Subscription, Error> {
    match state.ledger.execute(Command::new(account, key, act)).await? {
        Ok(_) | Err(Refusal::SubscriptionUnchanged) => find(state, account).await,
        Err(refusal) => Err(state.refused(refusal).into()),
    }
}
