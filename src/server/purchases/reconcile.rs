//! Reconciliation: what Stripe's books say, against ours. Events that never arrived are fetched, charges are learned of
//! once more day by day, and what does not agree then is noted for admins.

use std::error::Error as StdError;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use sqlx::Connection;

use super::{Till, differ, inbox, learn, learn_alone, money, name_of};
use crate::server::{
    AppState, Error,
    store::{
        payments,
        reconciled::{self, Reconciled},
        stripe_events,
    },
    stripe::{self, About, Charge},
};

/// Events may still be on their way, and Stripe lists them with a delay: this far back they are asked for again.
const OVERLAP: TimeDelta = TimeDelta::hours(1);

/// How far back the first reconciliation looks.
const FIRST_LOOK: TimeDelta = TimeDelta::days(1);

/// So long after its end a day is compared: what happened in it was told by then.
const DAY_RESTS: TimeDelta = TimeDelta::hours(2);

/// How many purchases of a day that have no charge are told one by one.
const TOLD_MAX: i64 = 100;

/// How far a reconciliation that is under way has come. Each step asks Stripe for one part of one list.
#[derive(Debug, Default)]
pub struct Progress {
    events: Option<Listing>,
    charges: Option<Listing>,
}

#[derive(Debug)]
struct Listing {
    began_at: DateTime<Utc>,
    after: Option<String>,
}

/// Does one step; returns how many things it found, and whether there is more to do.
pub async fn step(
    state: &AppState,
    till: &dyn Till,
    is_live: bool,
    progress: &mut Progress,
) -> Result<(u64, bool), Error> {
    let now = state.clock.now();
    let known = reconciled::read(&state.pool).await?;
    let known = known.unwrap_or(Reconciled { events_until: now - FIRST_LOOK, next_day: now.date_naive() });
    if progress.charges.is_none() {
        let listing = progress.events.take().unwrap_or(Listing { began_at: now, after: None });
        let (found, next) = missed_events(state, till, is_live, known, &listing).await?;
        if next.is_some() {
            progress.events = Some(Listing { after: next, ..listing });
            return Ok((found, true));
        }
        reconciled::write(&state.pool, Reconciled { events_until: listing.began_at, ..known }).await?;
        let is_over = end_of(known.next_day).is_some_and(|end| end + DAY_RESTS <= now);
        progress.charges = is_over.then_some(Listing { began_at: now, after: None });
        return Ok((found, is_over));
    }
    let listing = progress.charges.take().unwrap_or(Listing { began_at: now, after: None });
    let (found, next) = compare_charges(state, till, known.next_day, &listing).await?;
    if next.is_some() {
        progress.charges = Some(Listing { after: next, ..listing });
        return Ok((found, true));
    }
    let found = found + purchases_without_charge(state, known.next_day).await?;
    let next_day = known.next_day.checked_add_days(Days::new(1)).unwrap_or(known.next_day);
    reconciled::write(&state.pool, Reconciled { next_day, ..known }).await?;
    Ok((found, end_of(next_day).is_some_and(|end| end + DAY_RESTS <= now)))
}

/// Takes in what Stripe has told, and what did not arrive.
async fn missed_events(
    state: &AppState,
    till: &dyn Till,
    is_live: bool,
    known: Reconciled,
    listing: &Listing,
) -> Result<(u64, Option<String>), Error> {
    let since = known.events_until - OVERLAP;
    let (listed, next) = till.events(since, listing.after.as_deref()).await?;
    let ids: Vec<String> = listed.iter().map(|raw| inbox::name_and_kind(raw.as_bytes()).0).collect();
    let arrived = stripe_events::kept(&state.pool, &ids).await?;
    let mut missed = 0;
    for (id, raw) in ids.iter().zip(&listed).filter(|(id, _)| !arrived.contains(id)) {
        tracing::warn!(event = id, "an event did not arrive, and was fetched");
        inbox::keep(state, raw.as_bytes()).await?;
        inbox::try_one(state, is_live, id).await?;
        missed += 1;
    }
    Ok((missed, next))
}

/// Learns of the charges of a day; one that pays nothing that is known here is noted.
async fn compare_charges(
    state: &AppState,
    till: &dyn Till,
    day: NaiveDate,
    listing: &Listing,
) -> Result<(u64, Option<String>), Error> {
    let (Some(from), Some(to)) = (start_of(day), end_of(day)) else { return Ok((0, None)) };
    let (charges, next) = till.charges(from, to, listing.after.as_deref()).await?;
    let mut found = 0;
    for charge in charges.into_iter().filter(|charge| charge.is_paid) {
        learn_of_invoice(state, till, &charge).await?;
        found += u64::from(compare(state, charge).await?);
    }
    Ok((found, next))
}

/// Asks which invoice a charge pays, where that was never told: only newer endpoints are sent it, and they have to ask
/// for it.
async fn learn_of_invoice(state: &AppState, till: &dyn Till, charge: &Charge) -> Result<(), Error> {
    let Some(payment_intent) = &charge.payment_intent else { return Ok(()) };
    if payments::is_for_something(&mut *state.pool.acquire().await?, payment_intent).await? {
        return Ok(());
    }
    let payments = match till.invoice_payments(payment_intent).await {
        // A restricted key may not be let to look: then it is as if there were none.
        Err(error @ stripe::Error::Refused { .. }) => {
            tracing::warn!(error = &error as &dyn StdError, "Stripe does not tell what a charge pays");
            return Ok(());
        }
        payments => payments?,
    };
    for payment in payments {
        learn_alone(state, About::InvoicePayment(payment)).await?;
    }
    Ok(())
}

/// Whether something is found that was not known.
async fn compare(state: &AppState, charge: Charge) -> Result<bool, Error> {
    let Some(payment_intent) = charge.payment_intent.clone() else { return Ok(false) };
    let (id, total) = (charge.id.clone(), money(charge.total.minor, &charge.total.currency));
    let mut conn = state.pool.acquire().await?;
    let mut transaction = conn.begin().await?;
    let applied = learn(state, &mut transaction, state.clock.now(), &About::Charge(charge)).await?;
    let mut is_news = false;
    if !payments::is_for_something(&mut transaction, &payment_intent).await? {
        let what = format!("charged {total}, for no purchase or subscription that is known here");
        is_news = differ(state, &mut transaction, "charge_for_nothing", &id, what).await?;
    }
    transaction.commit().await?;
    state.ledger.changed().note(applied.account.into_iter());
    Ok(is_news)
}

/// Purchases that were paid on a day, and of whose charge Stripe knows nothing.
async fn purchases_without_charge(state: &AppState, day: NaiveDate) -> Result<u64, Error> {
    let (Some(from), Some(to)) = (start_of(day), end_of(day)) else { return Ok(0) };
    let mut conn = state.pool.acquire().await?;
    let mut found = 0;
    for purchase in reconciled::without_charge(&mut conn, state.stripe.mode(), from, to, TOLD_MAX).await? {
        let what = "its credits were granted, and Stripe lists no charge for it".to_owned();
        found += u64::from(differ(state, &mut conn, "grant_without_charge", &name_of(purchase), what).await?);
    }
    Ok(found)
}

fn start_of(day: NaiveDate) -> Option<DateTime<Utc>> {
    Some(day.and_time(NaiveTime::MIN).and_utc())
}

fn end_of(day: NaiveDate) -> Option<DateTime<Utc>> {
    start_of(day.checked_add_days(Days::new(1))?)
}
