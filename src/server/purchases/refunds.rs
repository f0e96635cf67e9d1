//! Refunds that admins start: what would go with the money, and the refund itself. It is noted before Stripe is asked, and
//! Stripe's key is made of it, so that the same refund is never made twice.

use chrono::TimeDelta;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{Till, learn_alone, settle::facts_of, start::find};
use crate::{
    domain::{
        Credits, IdempotencyKey, UserId, WhenSpent, catalog::Price, note::Description, purchase::Refunded,
    },
    problem::Problem,
    server::{
        AppState, Error,
        store::{
            purchases::{self, Item, Purchase},
            refunds_asked::{self, Asked},
        },
        stripe::{self, About},
    },
};

/// Stripe knows a key for a day. After this nothing is asked under it again, which might be a second refund: one that was
/// made was heard of by then.
const KEY_LASTS: TimeDelta = TimeDelta::hours(23);

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
pub async fn preview(state: &AppState, id: Uuid, amount: i64) -> Result<Preview, Error> {
    let mut conn = state.pool.acquire().await?;
    let purchase = purchases::find(&mut conn, id).await?.ok_or(Problem::UnknownPurchase)?;
    let money = refundable(state, &mut conn, &purchase, amount).await?;
    let mut facts = facts_of(&mut conn, &purchase).await?;
    drop(conn);
    let back = facts.money_back();
    // As if that much had gone back by refunds alone, so that it counts beside whatever is known.
    facts.refunded = 0;
    facts.disputes.clear();
    facts.refunds = vec![Refunded { amount: back + amount, is_failed: false }];
    let credits = match (&purchase.item, purchase.lot) {
        (Item::Pack { credits, .. }, Some(_)) => facts.clawed(*credits).less(purchase.clawed),
        _ => Credits::ZERO,
    };
    let account = state.ledger.account(purchase.account).await?;
    let remaining = purchase.lot.and_then(|lot| account.lot(lot)).map_or(Credits::ZERO, |lot| lot.remaining);
    let there = credits.min(remaining);
    let when_spent = state.catalog().clawback;
    Ok(Preview { money, credits, there, gone: credits.less(there), when_spent })
}

/// Sends money back, and takes its credits. The same key goes on where the first attempt was.
pub async fn start(
    state: &AppState,
    till: &dyn Till,
    id: Uuid,
    new: NewRefund<'_>,
) -> Result<Purchase, Error> {
    IdempotencyKey::parse(new.key).map_err(|_| Problem::IdempotencyKeyInvalid)?;
    Description::parse(new.reason).map_err(|_| Problem::Invalid)?;
    let (purchase, asked) = noted(state, id, &new).await?;
    let payment_intent = purchase.payment_intent.ok_or(Problem::NotRefundable)?;
    if asked.is_answered {
        return find(state, id).await;
    }
    if asked.is_refused || asked.asked_at + KEY_LASTS <= state.clock.now() {
        return Err(Problem::NotRefundable.into());
    }
    let key = format!("scrip:refund:{}", asked.id);
    let answer = till.refund(&payment_intent, asked.amount, &key, new.reason).await;
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

async fn noted(state: &AppState, id: Uuid, new: &NewRefund<'_>) -> Result<(Purchase, Asked), Error> {
    let mut conn = state.pool.acquire().await?;
    let mut transaction = conn.begin().await?;
    let purchase = purchases::lock(&mut transaction, id).await?.ok_or(Problem::UnknownPurchase)?;
    if let Some(asked) = refunds_asked::of_key(&mut transaction, id, new.key).await? {
        let is_same = asked.amount == new.amount && asked.reason == new.reason;
        return if is_same { Ok((purchase, asked)) } else { Err(Problem::KeyReused.into()) };
    }
    refundable(state, &mut transaction, &purchase, new.amount).await?;
    let asked = Asked {
        id: state.clock.new_id(),
        amount: new.amount,
        reason: new.reason.to_owned(),
        asked_at: state.clock.now(),
        is_answered: false,
        is_refused: false,
    };
    refunds_asked::insert(&mut transaction, id, new.key, &asked, new.by).await?;
    transaction.commit().await?;
    Ok((purchase, asked))
}

/// So much of a purchase's money, if so much of it is still with us and not asked for already.
async fn refundable(
    state: &AppState,
    conn: &mut PgConnection,
    purchase: &Purchase,
    amount: i64,
) -> Result<Price, Error> {
    let facts = facts_of(conn, purchase).await?;
    let asked = refunds_asked::unanswered(conn, purchase.id, state.clock.now() - KEY_LASTS).await?;
    let left = facts.paid.unwrap_or_default() - facts.money_back() - asked;
    let is_payment = purchase.payment_intent.is_some() && purchase.mode == state.stripe.mode();
    let money = Price::new(amount, purchase.price.currency()).ok();
    Ok(money.filter(|_| is_payment && amount <= left).ok_or(Problem::NotRefundable)?)
}
