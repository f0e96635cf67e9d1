//! Refunds that admins start: what would go with the money, and the refund itself. It is noted before Stripe is asked, and
//! Stripe's key is made of it, so that the same refund is never made twice.

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{KEY_LASTS, Till, invoices, learn_alone, settle::facts_of, start::find};
use crate::{
    domain::{
        Amount, Credits, IdempotencyKey, LotNumber, UserId, WhenSpent,
        catalog::Price,
        note::Description,
        purchase::{Facts, Refunded},
    },
    problem::Problem,
    server::{
        AppState, Error,
        store::{
            purchases::{self, Item, Purchase},
            refunds_asked::{self, Asked},
            stripe_invoices,
        },
        stripe::{self, About},
    },
};

/// A payment that may be refunded: of a pack its only one, of a plan that of an invoice, by Stripe's id.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    pub purchase: Uuid,
    pub invoice: Option<&'a str>,
}

/// What is known of such a payment.
struct Payment {
    purchase: Purchase,
    payment_intent: String,
    facts: Facts,
    /// The credits that go with its money, and how many of them went.
    lot: Option<(LotNumber, Amount)>,
    clawed: Credits,
    when_spent: WhenSpent,
}

/// What a refund would come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preview {
    pub money: Price,
    /// How many credits go with it.
    pub credits: Credits,
    /// How many of these are still there.
    pub there: Credits,
    /// How many are spent or held, or have lapsed; of what was spent, what the catalog says.
    pub gone: Credits,
    pub when_spent: WhenSpent,
}

/// What an admin asks for: so much of the money, in its smallest unit.
#[derive(Clone, Copy, Debug)]
pub struct NewRefund<'a> {
    pub amount: i64,
    pub reason: &'a str,
    /// The admin's own name for it.
    pub key: &'a str,
    pub by: UserId,
}

/// Writes nothing.
pub async fn preview(state: &AppState, of: Of<'_>, amount: i64) -> Result<Preview, Error> {
    let mut conn = state.pool.acquire().await?;
    let purchase = purchases::find(&mut conn, of.purchase).await?.ok_or(Problem::UnknownPurchase)?;
    let payment = payment(state, &mut conn, purchase, of.invoice).await?;
    let money = refundable(state, &mut conn, &payment, amount).await?;
    drop(conn);
    let Payment { purchase, mut facts, lot, clawed, when_spent, .. } = payment;
    let back = facts.money_back();
    // As if that much had gone back by refunds alone, so that it counts beside whatever is known.
    facts.refunded = 0;
    facts.disputes.clear();
    facts.refunds = vec![Refunded { amount: back + amount, is_failed: false }];
    let credits = lot.map_or(Credits::ZERO, |(_, credits)| facts.clawed(credits).less(clawed));
    let account = state.ledger.account(purchase.account).await?;
    let lot = lot.and_then(|(lot, _)| account.lot(lot));
    let remaining = lot.map_or(Credits::ZERO, |lot| lot.remaining);
    let there = credits.min(remaining);
    Ok(Preview { money, credits, there, gone: credits.less(there), when_spent })
}

/// Sends money back, and takes its credits. The same key goes on where the first attempt was.
pub async fn start(
    state: &AppState,
    till: &dyn Till,
    of: Of<'_>,
    new: NewRefund<'_>,
) -> Result<Purchase, Error> {
    IdempotencyKey::parse(new.key).map_err(|_| Problem::IdempotencyKeyInvalid)?;
    Description::parse(new.reason).map_err(|_| Problem::Invalid)?;
    let (asked, id) = (noted(state, of, &new).await?, of.purchase);
    if asked.is_answered {
        return find(state, id).await;
    }
    if asked.is_refused || asked.asked_at + KEY_LASTS <= state.clock.now() {
        return Err(Problem::NotRefundable.into());
    }
    let key = format!("scrip:refund:{}", asked.id);
    let answer = till.refund(&asked.payment_intent, asked.amount, &key, new.reason).await;
    let mut conn = state.pool.acquire().await?;
    match answer {
        Ok(refund) => {
            refunds_asked::answered(&mut conn, asked.id, &refund.id).await?;
            drop(conn);
            learn_alone(state, About::Refund(refund)).await?;
            find(state, id).await
        }
        // Nobody knows whether it was made; the same key may ask again.
        Err(error @ stripe::Error::Unreachable(_)) => Err(error.into()),
        Err(error) => {
            refunds_asked::refused(&mut conn, asked.id, &error.to_string()).await?;
            tracing::warn!(purchase = %id, %error, "Stripe refused a refund");
            Err(Problem::NotRefundable.into())
        }
    }
}

async fn noted(state: &AppState, of: Of<'_>, new: &NewRefund<'_>) -> Result<Asked, Error> {
    let mut conn = state.pool.acquire().await?;
    let mut transaction = conn.begin().await?;
    let purchase = purchases::lock(&mut transaction, of.purchase).await?.ok_or(Problem::UnknownPurchase)?;
    let known = refunds_asked::of_key(&mut transaction, of.purchase, new.key).await?;
    if let Some(asked) = &known
        && (asked.amount != new.amount || asked.reason != new.reason)
    {
        return Err(Problem::KeyReused.into());
    }
    let payment = payment(state, &mut transaction, purchase, of.invoice).await?;
    if let Some(asked) = known {
        let is_same = asked.payment_intent == payment.payment_intent;
        return if is_same { Ok(asked) } else { Err(Problem::KeyReused.into()) };
    }
    refundable(state, &mut transaction, &payment, new.amount).await?;
    let asked = Asked {
        id: state.clock.new_id(),
        payment_intent: payment.payment_intent,
        amount: new.amount,
        reason: new.reason.to_owned(),
        asked_at: state.clock.now(),
        is_answered: false,
        is_refused: false,
    };
    refunds_asked::insert(&mut transaction, of.purchase, new.key, &asked, new.by).await?;
    transaction.commit().await?;
    Ok(asked)
}

/// A payment of a purchase, if there is one and whom we ask knows of it.
async fn payment(
    state: &AppState,
    conn: &mut PgConnection,
    purchase: Purchase,
    invoice: Option<&str>,
) -> Result<Payment, Error> {
    if purchase.mode != state.stripe.mode() {
        return Err(Problem::NotRefundable.into());
    }
    let Some(invoice) = invoice else {
        let payment_intent = purchase.payment_intent.clone().ok_or(Problem::NotRefundable)?;
        let credits = if let Item::Pack { credits, .. } = purchase.item { Some(credits) } else { None };
        let (facts, lot) = (facts_of(conn, &purchase).await?, purchase.lot.zip(credits));
        let (clawed, when_spent) = (purchase.clawed, state.catalog().clawback);
        return Ok(Payment { payment_intent, facts, lot, clawed, when_spent, purchase });
    };
    let found = stripe_invoices::find(conn, invoice).await?.filter(|invoice| {
        purchase.subscription.as_ref() == Some(&invoice.subscription)
            && invoice.currency == purchase.price.currency().as_str()
    });
    let invoice = found.ok_or(Problem::NotRefundable)?;
    let payments = stripe_invoices::payments_of(conn, &invoice.id).await?;
    let payment_intent = payments.into_iter().next().ok_or(Problem::NotRefundable)?;
    let facts = invoices::facts_of(conn, &invoice).await?;
    let lot = match invoice.lot {
        Some(lot) => Some(lot),
        None => invoices::credits_of(state, conn, purchase.account, &invoice).await?,
    };
    let (clawed, when_spent) = (invoice.clawed, invoices::when_spent(state, &invoice));
    Ok(Payment { payment_intent, facts, lot, clawed, when_spent, purchase })
}

/// So much of a payment's money, if so much of it is still with us and not asked for already.
async fn refundable(
    state: &AppState,
    conn: &mut PgConnection,
    payment: &Payment,
    amount: i64,
) -> Result<Price, Error> {
    let Payment { purchase, payment_intent, facts, .. } = payment;
    let asked = refunds_asked::unanswered(conn, payment_intent, state.clock.now() - KEY_LASTS).await?;
    let left = facts.paid.unwrap_or_default() - facts.money_back() - asked;
    let money = Price::new(amount, purchase.price.currency()).ok();
    Ok(money.filter(|_| amount <= left).ok_or(Problem::NotRefundable)?)
}
