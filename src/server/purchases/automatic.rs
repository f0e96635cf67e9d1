//! An automatic purchase: nobody pays it on a page, a card that was kept is charged. It is noted before Stripe hears of
//! it, with the card before that is charged, so that what is asked again after a crash is the same.

use chrono::TimeDelta;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{
    KEY_LASTS, Till, give_up_unsent, learn_alone, settle,
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
/// Where it is turned off before the card is charged, it is given up.
///
/// # Errors
/// Also where Stripe refuses what has nothing to do with the card: the same may be asked again.
pub async fn go_on(state: &AppState, till: &dyn Till, purchase: &Purchase) -> Result<(), Error> {
    if purchase.state != PurchaseState::Pending || purchase.mode != state.stripe.mode() {
        return Ok(());
    }
    if let Some(payment_intent) = &purchase.payment_intent {
        let intent = till.intent(payment_intent).await?;
        return learn_alone(state, About::Intent(intent)).await;
    }
    if purchase.created_at + KEY_LASTS <= state.clock.now() {
        return give_up_unsent(state, purchase.id).await;
    }
    let Some((customer, kept)) = card_of(state, till, purchase).await? else {
        return fail(state, purchase.id).await;
    };
    let mut conn = state.pool.acquire().await?;
    let noted = purchases::note_card(&mut conn, purchase.id, &kept).await?;
    // Not kept from others while Stripe answers.
    drop(conn);
    let Some(card) = noted else { return give_up_unsent(state, purchase.id).await };
    match till.charge(purchase, &customer, &card).await {
        Ok(intent) => learn_alone(state, About::Intent(intent)).await,
        Err(error) if is_of_the_card(&error) => {
            tracing::warn!(purchase = %purchase.id, %error, "an automatic purchase was not paid");
            fail(state, purchase.id).await
        }
        // Nobody knows whether it was made, or our key may not at the moment; the same key may ask again.
        Err(error) => Err(error.into()),
    }
}

/// Whether it is the card, or its customer, that can't be charged, rather than we who may not, or not now.
fn is_of_the_card(error: &stripe::Error) -> bool {
    matches!(error, stripe::Error::Declined { .. } | stripe::Error::Refused { status: 400 | 402 | 404, .. })
}

/// Whose card is to be charged, and which: the one that is noted, or the one that is kept now.
async fn card_of(
    state: &AppState,
    till: &dyn Till,
    purchase: &Purchase,
) -> Result<Option<(String, String)>, Error> {
    let mut conn = state.pool.acquire().await?;
    let Some(customer) = stripe_customers::of(&mut conn, purchase.mode, purchase.account).await? else {
        return Ok(None);
    };
    drop(conn);
    if let Some(card) = &purchase.card {
        return Ok(Some((customer, card.clone())));
    }
    match till.kept_card(&customer).await {
        Ok(card) => Ok(card.map(|card| (customer, card))),
        // The customer may be gone.
        Err(error) if is_of_the_card(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
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
