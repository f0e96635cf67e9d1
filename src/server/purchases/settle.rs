//! What follows from the facts of a purchase: what the account should have got is worked out anew (rule 18), compared
//! with what it has, and the difference goes to the engine as commands, in the same transaction.

use chrono::TimeDelta;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Applied,
    bought::{Bought, carry_out},
    differ, invoices, money, name_of,
};
use crate::{
    domain::{Act, Grant, Source, note::Description, purchase::Facts},
    server::{
        AppState, Error,
        store::{
            payments,
            purchases::{self, Item, Purchase},
            stripe_invoices, top_ups,
        },
    },
};

/// Settles what a payment is for, a purchase or an invoice, if that is known yet.
pub async fn payment(
    state: &AppState,
    conn: &mut PgConnection,
    payment_intent: &str,
) -> Result<Applied, Error> {
    if let Some(id) = purchases::id_of_payment(conn, payment_intent).await? {
        return purchase(state, conn, id).await;
    }
    match stripe_invoices::id_of_payment(conn, payment_intent).await? {
        Some(id) => invoices::settle(state, conn, &id).await,
        None => Ok(Applied::default()),
    }
}

pub async fn purchase(state: &AppState, conn: &mut PgConnection, id: Uuid) -> Result<Applied, Error> {
    let Some(mut purchase) = purchases::lock(conn, id).await? else { return Ok(Applied::default()) };
    let facts = facts_of(conn, &purchase).await?;
    if let Item::Pack { credits, .. } = purchase.item {
        if purchase.lot.is_none() && facts.paid.is_some() {
            give(state, conn, &mut purchase).await?;
        }
        if purchase.saves_card && purchase.is_paid_as_agreed() {
            top_ups::turn_on(conn, id, state.clock.now()).await?;
        }
        if let Some(lot) = purchase.lot {
            let (name, Purchase { account, title, clawed, commands, .. }) = (name_of(id), &purchase);
            let (account, clawed, commands) = (*account, *clawed, *commands);
            let when_spent = state.catalog().clawback;
            let mut bought =
                Bought { account, kind: "purchase", name: &name, title, lot, when_spent, clawed, commands };
            bought.take(state, conn, &facts, credits).await?;
            (purchase.clawed, purchase.commands) = (bought.clawed, bought.commands);
        }
    }
    purchase.state = facts.state();
    purchases::settled(conn, &purchase).await?;
    Ok(Applied::to(purchase.account))
}

/// All that is known of a purchase's money.
pub async fn facts_of(conn: &mut PgConnection, purchase: &Purchase) -> Result<Facts, Error> {
    let of_payment = payments::facts(conn, purchase.payment_intent.as_slice()).await?;
    Ok(Facts {
        paid: purchase.paid.as_ref().map(|paid| paid.minor),
        is_failed: purchase.failed_at.is_some(),
        is_expired: purchase.expired_at.is_some(),
        ..of_payment
    })
}

/// The credits that were paid for, if what was paid is what was agreed.
async fn give(state: &AppState, conn: &mut PgConnection, purchase: &mut Purchase) -> Result<(), Error> {
    let Item::Pack { credits, expires_days, priority, .. } = purchase.item else { return Ok(()) };
    if !purchase.is_paid_as_agreed() {
        let paid = purchase.paid.as_ref().map(|paid| money(paid.minor, &paid.currency));
        let what = format!(
            "paid {} where {} was agreed: no credits were given",
            paid.unwrap_or_default(),
            money(purchase.price.minor(), purchase.price.currency().as_str()),
        );
        differ(state, conn, "amount_differs", &name_of(purchase.id), what).await?;
        return Ok(());
    }
    let grant = Grant {
        amount: credits,
        source: Source::Pack,
        priority,
        effective_at: None,
        // From when they come: who paid slowly gets no less for it.
        expires_at: expires_days.map(|days| state.clock.now() + TimeDelta::days(days.into())),
        description: Description::parse(described(purchase)).map_err(Error::internal)?,
    };
    let key = format!("purchase:{}", purchase.id);
    let name = name_of(purchase.id);
    let entry = carry_out(state, conn, purchase.account, &name, &key, Act::Grant(grant))
        .await?
        .map_err(Error::internal)?;
    purchase.commands += 1;
    purchase.lot = entry.opened.map(|opened| opened.lot);
    Ok(())
}

/// What the account's history says of it.
fn described(purchase: &Purchase) -> String {
    let how = if purchase.is_automatic { ", by automatic top-up" } else { "" };
    format!("{}{how}", purchase.title)
}
