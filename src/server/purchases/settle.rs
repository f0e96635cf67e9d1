//! What follows from the facts of a purchase: what the account should have got is worked out anew (rule 18), compared
//! with what it has, and the difference goes to the engine as commands, in the same transaction.

use std::sync::Arc;

use chrono::TimeDelta;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Applied, differ, money, name_of};
use crate::{
    domain::{
        Act, Amount, Clawback, Command, Credits, Entry, Grant, IdempotencyKey, LotNumber, Reinstate, Source,
        note::{Description, Reference},
        purchase::Facts,
    },
    server::{
        AppState, Error,
        store::{
            payments,
            purchases::{self, Item, Purchase},
            top_ups,
        },
    },
};

/// Settles the purchase that a payment is for, if that is known yet.
pub async fn payment(
    state: &AppState,
    conn: &mut PgConnection,
    payment_intent: &str,
) -> Result<Applied, Error> {
    match purchases::id_of_payment(conn, payment_intent).await? {
        Some(id) => purchase(state, conn, id).await,
        None => plan_payment(state, conn, payment_intent).await,
    }
}

/// Money that goes back of a plan's payment takes no credits by itself: admins are told of it once.
async fn plan_payment(
    state: &AppState,
    conn: &mut PgConnection,
    payment_intent: &str,
) -> Result<Applied, Error> {
    let Some(invoice) = payments::invoice_of(conn, payment_intent).await? else {
        return Ok(Applied::default());
    };
    let facts = Facts { paid: Some(invoice.paid), ..payments::facts(conn, payment_intent).await? };
    let back = facts.money_back();
    if back > 0 {
        let what = format!(
            "{} of {} went back for a plan: its credits and its subscription are as they were",
            money(back, &invoice.currency),
            money(invoice.paid, &invoice.currency),
        );
        differ(state, conn, "money_back_of_a_plan", &invoice.id, what).await?;
    }
    Ok(Applied::default())
}

pub async fn purchase(state: &AppState, conn: &mut PgConnection, id: Uuid) -> Result<Applied, Error> {
    let Some(mut purchase) = purchases::lock(conn, id).await? else { return Ok(Applied::default()) };
    let facts = facts_of(conn, &purchase).await?;
    if let Item::Pack { credits, .. } = purchase.item {
        if purchase.lot.is_none() && facts.paid.is_some() {
            give(state, conn, &mut purchase).await?;
        }
        if purchase.saves_card && facts.paid.is_some() {
            top_ups::turn_on(conn, id, state.clock.now()).await?;
        }
        if let Some(lot) = purchase.lot {
            take(state, conn, &mut purchase, lot, facts.clawed(credits)).await?;
        }
    }
    purchase.state = facts.state();
    purchases::settled(conn, &purchase).await?;
    Ok(Applied::to(purchase.account))
}

/// All that is known of a purchase's money.
pub async fn facts_of(conn: &mut PgConnection, purchase: &Purchase) -> Result<Facts, Error> {
    let of_payment = match &purchase.payment_intent {
        Some(payment_intent) => payments::facts(conn, payment_intent).await?,
        None => Facts::default(),
    };
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
    let entry = carry_out(state, conn, purchase, &key, Act::Grant(grant)).await?;
    purchase.lot = entry.opened.map(|opened| opened.lot);
    Ok(())
}

/// What the account's history says of it.
fn described(purchase: &Purchase) -> String {
    let how = if purchase.is_automatic { ", by automatic top-up" } else { "" };
    format!("{}{how}", purchase.title)
}

/// Takes credits back, or gives them back, until as many are gone as should be.
async fn take(
    state: &AppState,
    conn: &mut PgConnection,
    purchase: &mut Purchase,
    lot: LotNumber,
    wanted: Credits,
) -> Result<(), Error> {
    let reason = |words| Description::parse(words).expect("it is short");
    let act = match Amount::try_from(wanted.get()) {
        _ if wanted == purchase.clawed => return Ok(()),
        Ok(total) if wanted > purchase.clawed => {
            let when_spent = state.catalog().clawback;
            Act::Clawback(Clawback { lot, total, when_spent, reason: reason("The payment went back") })
        }
        _ => Act::Reinstate(Reinstate { lot, total: wanted, reason: reason("The payment came back") }),
    };
    let key = format!("purchase:{}:{}", purchase.id, purchase.commands);
    carry_out(state, conn, purchase, &key, act).await?;
    purchase.clawed = wanted;
    Ok(())
}

async fn carry_out(
    state: &AppState,
    conn: &mut PgConnection,
    purchase: &mut Purchase,
    key: &str,
    act: Act,
) -> Result<Arc<Entry>, Error> {
    let key = IdempotencyKey::of_program(key).map_err(Error::internal)?;
    let mut command = Command::new(purchase.account, key, act);
    command.reference = Some(Reference::parse(name_of(purchase.id)).map_err(Error::internal)?);
    let mut answers = state.ledger.execute_in(conn, purchase.account, &[command]).await?;
    purchase.commands += 1;
    Ok(answers.remove(0).map_err(Error::internal)?.entry)
}
