//! The demo: a member with a little history and an admin, so that there is something to see at once.

use chrono::TimeDelta;
use sqlx::Connection;

use super::{
    AppState, Error,
    auth::Credentials,
    store::people::{self, Role},
    subscriptions,
};
use crate::{
    domain::{
        AccountId, Act, Amount, Command, Grant, IdempotencyKey, Source, Spend,
        catalog::{Action, Allowance, Cost, Plan, Units},
        note::Description,
    },
    problem::Problem,
};

/// Known to everybody who read this: for trying things out on one's own machine, and nowhere else.
pub const MEMBER: (&str, &str) = ("member@demo.example", "demo-member");
pub const ADMIN: (&str, &str) = ("admin@demo.example", "demo-admin");

const BONUS_CREDITS: i64 = 20;
const BONUS_DAYS: u16 = 30;
/// How often the member has run each of the catalog's first actions.
const RUNS: [usize; 3] = [3, 2, 1];
/// What a run comes to of an action that is priced by unit.
const CREDITS_A_RUN: i64 = 5;

/// Makes what is missing of the demo; run again, it changes nothing.
pub async fn seed(state: &AppState) -> Result<(), Error> {
    create(state, ADMIN, Role::Admin).await?;
    if let Some(account) = create(state, MEMBER, Role::Member).await? {
        give_history(state, account).await?;
    }
    Ok(())
}

/// Whether somebody can sign in with the demo's known passwords.
pub async fn is_there(state: &AppState) -> Result<bool, Error> {
    let mut conn = state.pool.acquire().await?;
    for (email, _) in [MEMBER, ADMIN] {
        if people::find_by_email(&mut conn, email).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The new user's account, or `None` where the user was there.
async fn create(
    state: &AppState,
    (email, password): (&str, &str),
    role: Role,
) -> Result<Option<AccountId>, Error> {
    let typed = Credentials { email: email.to_owned(), password: password.to_owned() };
    match state.auth.create(typed, role).await {
        Ok(user) => Ok(Some(user.account)),
        Err(Error::Problem(Problem::EmailTaken)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Of what one run is made, where the action is priced by unit.
fn units(action: &Action) -> Result<Option<Units>, Error> {
    let Cost::PerUnit { units_per_credit, .. } = &action.cost else { return Ok(None) };
    let units = units_per_credit.get().saturating_mul(CREDITS_A_RUN).min(Units::MAX);
    Units::try_from(units).map(Some).map_err(Error::internal)
}

async fn give_history(state: &AppState, account: AccountId) -> Result<(), Error> {
    let catalog = state.catalog();
    let lasts = |days: u16| state.clock.now() + TimeDelta::days(days.into());
    let bonus = Grant {
        amount: Amount::try_from(BONUS_CREDITS).map_err(Error::internal)?,
        source: Source::Bonus,
        priority: Source::Bonus.default_priority(),
        effective_at: None,
        expires_at: Some(lasts(BONUS_DAYS)),
        description: Description::parse("Welcome bonus").map_err(Error::internal)?,
    };
    let mut acts = vec![Act::Grant(bonus)];
    // An unlimited plan would leave nothing to see.
    let is_shown = |plan: &&Plan| !plan.is_free() && plan.allowance != Allowance::Unlimited;
    if let Some(plan) = catalog.plans.iter().find(is_shown) {
        acts.push(Act::Subscribe(subscriptions::subscribe(&catalog, plan)));
    }
    if let Some(pack) = catalog.packs.first() {
        acts.push(Act::Grant(Grant {
            amount: pack.credits,
            source: Source::Pack,
            priority: pack.priority,
            effective_at: None,
            expires_at: pack.expires_days.map(lasts),
            description: Description::parse(&*pack.title).map_err(Error::internal)?,
        }));
    }
    for (action, runs) in catalog.actions.iter().zip(RUNS) {
        let charge = action.price(units(action)?).map_err(Error::internal)?;
        let spend = Spend { agreed: Some(charge.cost), charge, limits: catalog.limits, description: None };
        acts.extend((0..runs).map(|_| Act::Spend(spend.clone())));
    }
    let commands = acts
        .into_iter()
        .enumerate()
        .map(|(number, act)| {
            let key = IdempotencyKey::parse(&format!("demo-{number}")).map_err(Error::internal)?;
            Ok(Command::new(account, key, act))
        })
        .collect::<Result<Vec<_>, Error>>()?;

    let mut conn = state.pool.acquire().await?;
    let mut transaction = conn.begin().await?;
    // A dear catalog may refuse some of the spends; what was refused is simply not in the history.
    state.ledger.execute_in(&mut transaction, account, &commands).await?;
    transaction.commit().await?;
    Ok(())
}
