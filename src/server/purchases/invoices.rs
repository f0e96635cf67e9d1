//! The money of plans: with which payments an invoice was paid, and what goes back of its credits with its money. An invoice
//! is locked first, then its payments, then its subscription, and that before its account.

use sqlx::PgConnection;

use super::{Applied, bought::Bought, differ, money, settle};
use crate::{
    domain::{
        AccountId, Amount, LotNumber, WhenSpent,
        note::Reference,
        purchase::{Facts, allowance_within},
    },
    server::{
        AppState, Error,
        store::{
            payments,
            stripe_invoices::{self as store, Invoice},
            stripe_subscriptions,
        },
        stripe::InvoicePayment,
    },
};

/// An invoice was paid, with this payment.
pub async fn payment(
    state: &AppState,
    conn: &mut PgConnection,
    told: &InvoicePayment,
) -> Result<Applied, Error> {
    let Some(payment_intent) = told.payment_intent.as_deref().filter(|_| told.is_paid) else {
        return Ok(Applied::ignored("it is of no payment, or was not paid"));
    };
    store::lock(conn, &told.invoice).await?;
    store::note_payment(conn, &told.invoice, payment_intent).await?;
    payments::lock(conn, payment_intent).await?;
    settle::payment(state, conn, payment_intent).await
}

/// All that is known of an invoice's money.
pub async fn facts_of(conn: &mut PgConnection, invoice: &Invoice) -> Result<Facts, Error> {
    let payments = store::payments_of(conn, &invoice.id).await?;
    Ok(Facts { paid: Some(invoice.paid), ..payments::facts(conn, &payments).await? })
}

/// What follows from the money of an invoice (rule 18).
pub async fn settle(state: &AppState, conn: &mut PgConnection, id: &str) -> Result<Applied, Error> {
    let Some(invoice) = store::find(conn, id).await? else { return Ok(Applied::default()) };
    stripe_subscriptions::lock(conn, &invoice.subscription, invoice.mode).await?;
    // Only now: before the lock it might be out of date.
    let Some(mut invoice) = store::find(conn, id).await? else { return Ok(Applied::default()) };
    let facts = facts_of(conn, &invoice).await?;
    let back = facts.money_back();
    let Some(account) = invoice.account.filter(|_| back > 0 || invoice.clawed.get() > 0) else {
        return Ok(Applied::default());
    };
    if invoice.lot.is_none() {
        invoice.lot = credits_of(state, conn, account, &invoice).await?;
    }
    let Some((lot, credits)) = invoice.lot else {
        let what = format!("{}: it brought no credits that could go with it", went_back(&invoice, back));
        differ(state, conn, "money_back_of_a_plan", id, what).await?;
        return Ok(Applied::default());
    };
    let Invoice { clawed, commands, .. } = invoice;
    let title = &plan_of(state, conn, &invoice).await?;
    let when_spent = when_spent(state, &invoice);
    let mut bought = Bought { account, kind: "invoice", name: id, title, lot, when_spent, clawed, commands };
    bought.take(state, conn, &facts, credits).await?;
    (invoice.clawed, invoice.commands) = (bought.clawed, bought.commands);
    store::settled(conn, &invoice).await?;
    if back == invoice.paid && invoice.is_of_many_months() {
        let what = format!("{}: if the plan is to end with it, end it at Stripe", went_back(&invoice, back));
        differ(state, conn, "whole_plan_refunded", id, what).await?;
    }
    Ok(Applied::to(account))
}

/// The credits that go with an invoice's money: those of the month that is under way, where it is for several.
pub async fn credits_of(
    state: &AppState,
    conn: &mut PgConnection,
    account: AccountId,
    invoice: &Invoice,
) -> Result<Option<(LotNumber, Amount)>, Error> {
    let Some(period) = invoice.period else { return Ok(None) };
    let entries = state.ledger.of_subscription_in(conn, account).await?;
    let reference = Reference::parse(invoice.subscription.as_str()).map_err(Error::internal)?;
    Ok(allowance_within(entries.iter().map(AsRef::as_ref), &reference, period))
}

/// What becomes of credits whose money goes back once they are gone. When their time is over they may have rolled over, and
/// nobody can tell what of them was spent: then they are let go.
pub fn when_spent(state: &AppState, invoice: &Invoice) -> WhenSpent {
    match invoice.period {
        Some((_, end)) if end <= state.clock.now() => WhenSpent::Forgive,
        _ => state.catalog().clawback,
    }
}

/// What people know the plan by that an invoice is for.
async fn plan_of(state: &AppState, conn: &mut PgConnection, invoice: &Invoice) -> Result<String, Error> {
    let known = stripe_subscriptions::find(conn, &invoice.subscription).await?;
    let Some((_, key)) = known.and_then(|known| known.terms) else { return Ok("Plan".to_owned()) };
    let title = state.catalog().plan(key.as_str()).map(|plan| plan.title.clone());
    Ok(title.unwrap_or_else(|| key.to_string()))
}

fn went_back(invoice: &Invoice, back: i64) -> String {
    let (back, paid) = (money(back, &invoice.currency), money(invoice.paid, &invoice.currency));
    format!("{back} of {paid} went back for a plan")
}
