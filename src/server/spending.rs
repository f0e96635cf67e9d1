//! Running an action: what it would cost, and paying for it.

use std::sync::Arc;

use super::{AppState, Error, store::people::User};
use crate::{
    domain::{
        AccountId, Act, Amount, Catalog, Charge, Command, Entry, IdempotencyKey, Receipt, Spend,
        catalog::{Action, NoPrice, Units},
    },
    problem::Problem,
    views::{QuoteView, ReliefView},
};

/// What a member asks to run, as they typed it.
pub struct Order<'a> {
    pub action: &'a str,
    pub units: Option<&'a str>,
}

/// What a member was shown, and confirmed.
pub struct Agreed {
    pub account: AccountId,
    pub cost: Amount,
}

/// What running the order would cost now and which lots would pay, for a form that bears `key`. Writes
/// nothing.
pub async fn quote(
    state: &AppState,
    member: &User,
    order: &Order<'_>,
    key: String,
) -> Result<QuoteView, Error> {
    let catalog = state.catalog();
    let (action, charge) = price(&catalog, order)?;
    let account = state.ledger.account(member.account).await?;
    let quote = account.quote(charge.cost, &catalog.limits, state.clock.now());
    let relief = |missing| ReliefView::of(&catalog, &account, missing, state.clock.now());
    Ok(QuoteView::of(action, &charge, quote, &account, relief, |refusal| state.refused(refusal), key))
}

/// Takes what the order costs, if that is what the member was shown, from the account that they were shown: they may
/// have signed in as somebody else since. With the same key it happens once.
pub async fn spend(
    state: &AppState,
    member: &User,
    order: &Order<'_>,
    agreed: &Agreed,
    key: IdempotencyKey,
) -> Result<Receipt, Error> {
    if agreed.account != member.account {
        return Err(Problem::OtherAccount.into());
    }
    let catalog = state.catalog();
    let (_, charge) = price(&catalog, order)?;
    let spend = Spend { charge, agreed: Some(agreed.cost), limits: catalog.limits, description: None };
    let answer = state.ledger.execute(Command::new(member.account, key, Act::Spend(spend))).await?;
    Ok(answer.map_err(|refusal| state.refused(refusal))?)
}

/// The spend that was made under this key, if one was.
pub async fn spent(
    state: &AppState,
    member: &User,
    key: IdempotencyKey,
) -> Result<Option<Arc<Entry>>, Error> {
    state.ledger.answered(member.account, key).await
}

fn price<'a>(catalog: &'a Catalog, order: &Order<'_>) -> Result<(&'a Action, Charge), Problem> {
    let action = catalog.action(order.action).ok_or(Problem::UnknownAction)?;
    let units = order.units.map(|typed| {
        let number = typed.trim().parse::<i64>().ok();
        number.and_then(|number| Units::try_from(number).ok()).ok_or(Problem::UnitsInvalid)
    });
    let charge = action.price(units.transpose()?).map_err(|reason| match reason {
        NoPrice::UnitsMissing => Problem::UnitsInvalid,
        NoPrice::UnitsNotTaken => Problem::UnitsNotTaken,
    })?;
    Ok((action, charge))
}
