//! Subscriptions as they are asked for: a plan of the catalog in, a command for the engine out. What they do is the law's
//! ([`domain`](crate::domain), rule 16).

use chrono::{DateTime, TimeDelta, Utc};

use super::{AppState, Error};
use crate::{
    domain::{
        Account, AccountId, Act, Catalog, Command, IdempotencyKey, Receipt, Refusal, Subscribe, Subscription,
        Terms, Unsubscribe,
        catalog::{Plan, PlanKey},
    },
    problem::Problem,
};

/// A subscription, as a command left it.
pub struct Left {
    pub subscription: Subscription,
    pub at: DateTime<Utc>,
    /// The command had been carried out before; this is what it left then.
    pub replayed: bool,
}

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
    /// By which it is done once. Not of a trial, which has a key of its own.
    pub key: Option<IdempotencyKey>,
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
    on_terms(catalog, terms(catalog, plan))
}

fn on_terms(catalog: &Catalog, agreed: Terms) -> Subscribe {
    let fallback = catalog.default_plan().filter(|default| default.key != agreed.plan);
    Subscribe {
        terms: agreed,
        anchor: None,
        paid_until: None,
        fallback: fallback.map(|plan| terms(catalog, plan)),
        is_trial: false,
    }
}

/// The same with a plan by its name. One that is gone from the catalog goes on, on the terms that the account agreed to last.
pub fn subscribe_again(catalog: &Catalog, plan: &PlanKey, known: &Account) -> Option<Subscribe> {
    if let Some(plan) = catalog.plan(plan.as_str()) {
        return Some(subscribe(catalog, plan));
    }
    let agreed = known.subscription().and_then(|last| last.agreed(plan));
    agreed.map(|agreed| on_terms(catalog, agreed.clone()))
}

/// To be on the plan on which accounts begin, where there is one.
pub fn first_plan(catalog: &Catalog) -> Option<Act> {
    catalog.default_plan().map(|plan| Act::Subscribe(subscribe(catalog, plan)))
}

/// Puts an account on a plan. What is so already stays so: it may be asked for again.
pub async fn put(state: &AppState, account: AccountId, wanted: Wanted) -> Result<Left, Error> {
    let catalog = state.catalog();
    let terms = match catalog.plan(wanted.plan.as_str()) {
        Some(plan) if wanted.is_trial => return begin_trial(state, account, &catalog, plan).await,
        Some(plan) => terms(&catalog, plan),
        None if wanted.is_trial => return Err(Problem::UnknownPlan.into()),
        None => terms_of_old(state, account, &wanted).await?,
    };
    let Wanted { anchor, paid_until, key, .. } = wanted;
    let act = Act::Subscribe(Subscribe { anchor, paid_until, ..on_terms(&catalog, terms) });
    carry_out(state, account, key, act).await
}

/// Those of a plan that is gone from the catalog. Who is on it, or will be with the next period, may go on, on the terms
/// that were agreed; and what was done under a key before is answered again, whatever the terms.
async fn terms_of_old(state: &AppState, account: AccountId, wanted: &Wanted) -> Result<Terms, Error> {
    let known = state.ledger.account(account).await?;
    let agreed = known.current_subscription().and_then(|current| current.agreed(&wanted.plan));
    if let Some(agreed) = agreed {
        return Ok(agreed.clone());
    }
    let before = match wanted.key {
        Some(key) => state.ledger.answered(account, key).await?,
        None => None,
    };
    let before = before.as_ref().and_then(|entry| entry.kind.subscription()).ok_or(Problem::UnknownPlan)?;
    Ok(Terms { plan: wanted.plan.clone(), ..before.terms.clone() })
}

/// A trial is for who begins, and once for each plan: its key is the plan's. So asking again does not make it longer.
async fn begin_trial(
    state: &AppState,
    account: AccountId,
    catalog: &Catalog,
    plan: &Plan,
) -> Result<Left, Error> {
    let days = plan.trial_days.ok_or(Problem::NoTrial)?;
    let end = Some(state.clock.now() + TimeDelta::days(days.into()));
    let trial = Subscribe { anchor: end, paid_until: end, is_trial: true, ..subscribe(catalog, plan) };
    if !was_on_trial(state, account, plan).await? {
        let key = trial_key(plan)?;
        match carry_out(state, account, Some(key), Act::Subscribe(trial)).await {
            Ok(begun) if !begun.replayed => return Ok(begun),
            Ok(_) | Err(Error::Problem(Problem::TrialUsed | Problem::KeyReused)) => {}
            Err(error) => return Err(error),
        }
    }
    let current = find(state, account).await?;
    let is_on_it = !current.has_ended() && current.terms.plan == plan.key;
    if is_on_it { Ok(Left::now(state, current)) } else { Err(Problem::TrialUsed.into()) }
}

fn trial_key(plan: &Plan) -> Result<IdempotencyKey, Error> {
    IdempotencyKey::of_program(&format!("trial:{}", plan.key)).map_err(Error::internal)
}

/// Whether it had this plan's trial.
pub async fn had_trial(state: &AppState, account: AccountId, plan: &Plan) -> Result<bool, Error> {
    let begun = state.ledger.answered(account, trial_key(plan)?).await?;
    Ok(begun.is_some() || was_on_trial(state, account, plan).await?)
}

/// Whether it had this plan's trial when trials had keys that a host could choose as well. What a host did under such a
/// key is no trial: that one has its anchor at its end.
async fn was_on_trial(state: &AppState, account: AccountId, plan: &Plan) -> Result<bool, Error> {
    let old_key = IdempotencyKey::parse(&format!("scrip:trial:{}", plan.key)).map_err(Error::internal)?;
    let before = state.ledger.answered(account, old_key).await?;
    let begun = before.as_ref().and_then(|entry| entry.kind.subscription());
    Ok(begun.is_some_and(|begun| begun.terms.plan == plan.key && begun.paid_until == Some(begun.anchor)))
}

/// Ends an account's subscription, with its period or at once.
pub async fn end(
    state: &AppState,
    account: AccountId,
    key: Option<IdempotencyKey>,
    at_once: bool,
) -> Result<Left, Error> {
    carry_out(state, account, key, Act::Unsubscribe(Unsubscribe { at_once })).await
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

/// Carries it out under this key, or under one of its own.
async fn carry_out(
    state: &AppState,
    account: AccountId,
    key: Option<IdempotencyKey>,
    act: Act,
) -> Result<Left, Error> {
    let key = match key {
        Some(key) => key,
        None => IdempotencyKey::parse(&state.clock.new_id().to_string()).map_err(Error::internal)?,
    };
    match state.ledger.execute(Command::new(account, key, act)).await? {
        Ok(Receipt { entry, replayed }) => {
            let after = entry.kind.subscription();
            let after = after.ok_or_else(|| Error::internal("an answer of another kind"))?;
            // Of the entry alone, with what fell due at its moment, so that it is the same when it is asked for again.
            Ok(Left { subscription: after.settled(entry.at), at: entry.at, replayed })
        }
        Err(Refusal::SubscriptionUnchanged) => Ok(Left::now(state, find(state, account).await?)),
        Err(refusal) => Err(state.refused(refusal).into()),
    }
}

impl Left {
    /// One that nothing was done to.
    fn now(state: &AppState, subscription: Subscription) -> Self {
        Self { subscription, at: state.clock.now(), replayed: false }
    }
}
