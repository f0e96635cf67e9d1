//! An automatic purchase: nobody pays it on a page, a card that was kept is charged. It is noted before Stripe hears of
//! it, with the card before that is charged, so that what is asked again after a crash is the same.

use chrono::TimeDelta;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{
    Till, give_up_unsent, learn_alone, settle,
    start::{Wanted, begun},
};
use crate::{
    domain::{AccountId, PurchaseState, catalog::PackKey},
    server::{
        AppState, Error,
        clock::Clock,
        store::{
            purchases::{self, Purchase, Told},
            stripe_customers,
        },
        stripe::{self, About},
    },
};

/// After this Stripe is asked again where it is not known what came of it.
const ASK_AFTER: TimeDelta = TimeDelta::minutes(1);

/// Stripe knows a key for a day. After this nothing is asked under it again, which might be a second payment: one that was
/// made was heard of by then.
const KEY_LASTS: TimeDelta = TimeDelta::hours(23);

/// Notes a purchase of a pack of the catalog, in the caller's transaction. [`go_on`] pays it.
///
/// # Errors
/// Also where another one of the account is pending: the database holds that there is one.
pub async fn note(
    state: &AppState,
    conn: &mut PgConnection,
    account: AccountId,
    pack: &PackKey,
) -> Result<Purchase, Error> {
    let begun = begun(state, account, Wanted::Pack(pack.as_str()).agreed(&state.catalog())?);
    let purchase = Purchase { attempt: format!("top-up:{}", begun.id), is_automatic: true, ..begun };
    purchases::insert(conn, &purchase, Clock::default().now() + ASK_AFTER).await?;
    Ok(purchase)
}

/// Has it paid, unless it is over, or finds out how it stands. That its card was declined is no error: then it has failed.
pub async fn go_on(state: &AppState, till: &dyn Till, purchase: &Purchase) -> Result<(), Error> {
    if purchase.state != PurchaseState::Pending || purchase.mode != state.stripe.mode() {
        return Ok(());
    }
    let answer = match &purchase.payment_intent {
        Some(payment_intent) => till.intent(payment_intent).await,
        None if purchase.created_at + KEY_LASTS <= state.clock.now() => {
            return give_up_unsent(state, purchase.id).await;
        }
        None => match card_of(state, till, purchase).await? {
            Some((customer, card)) => till.charge(purchase, &customer, &card).await,
            None => return fail(state, purchase.id).await,
        },
    };
    match answer {
        Ok(intent) => learn_alone(state, About::Intent(intent)).await,
        // Nobody knows whether it was made; the same key may ask again.
        Err(error @ stripe::Error::Unreachable(_)) => Err(error.into()),
        Err(error) => {
            tracing::warn!(purchase = %purchase.id, %error, "an automatic purchase was not paid");
            fail(state, purchase.id).await
        }
    }
}

/// Whose card is charged, and which: the one that is noted, or the one that is kept now.
async fn card_of(
    state: &AppState,
    till: &dyn Till,
    purchase: &Purchase,
) -> Result<Option<(String, String)>, Error> {
    let mut conn = state.pool.acquire().await?;
    let Some(customer) = stripe_customers::of(&mut conn, purchase.mode, purchase.account).await? else {
        return Ok(None);
    };
    if let Some(card) = &purchase.card {
        return Ok(Some((customer, card.clone())));
    }
    // Not kept from others while Stripe answers.
    drop(conn);
    let card = match till.kept_card(&customer).await {
        Ok(Some(card)) => card,
        // The customer may be gone.
        Ok(None) | Err(stripe::Error::Refused { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut conn = state.pool.acquire().await?;
    Ok(Some((customer, purchases::note_card(&mut conn, purchase.id, &card).await?)))
}

/// Notes that it was not paid.
async fn fail(state: &AppState, id: Uuid) -> Result<(), Error> {
    let mut conn = state.pool.acquire().await?;
    let mut transaction = conn.begin().await?;
    purchases::lock(&mut transaction, id).await?;
    let told = Told { failed_at: Some(state.clock.now()), ..Told::default() };
    purchases::note(&mut transaction, id, &told).await?;
    settle::purchase(state, &mut transaction, id).await?;
    Ok(transaction.commit().await?)
}
