//! What was bought: from the first click to what became of the money. What Stripe tells is written down as facts, and the
//! account is given what follows from all of them (rule 18), so that news may come twice, late and in any order.
//!
//! `start` begins a purchase, for a `customer` of Stripe's, and `automatic` one that nobody pays on a page; `till` is what
//! is asked of Stripe for them. `inbox` takes in events, which come by `webhook`; `facts` writes down what they tell,
//! `settle`, `subscribed` and `invoices` work out what follows, and `bought` has credits go back with their money. `change`
//! puts another plan in the place of one that is paid for. `refunds` are those that admins start, `reconcile` compares
//! Stripe's books with ours.

pub mod automatic;
mod bought;
pub mod change;
mod customer;
mod facts;
pub mod inbox;
pub mod invoices;
pub mod reconcile;
pub mod refunds;
pub mod settle;
pub mod start;
mod subscribed;
mod till;
pub mod webhook;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

pub use self::till::{Part, Till};

use super::{
    AppState, Error,
    store::{
        differences::{self, Difference},
        purchases::{self, Purchase},
    },
    stripe::{About, Event},
};
use crate::domain::{AccountId, PurchaseState};

/// Stripe knows a key for a day. After this nothing is asked under it again, which might be a second payment or refund: one
/// that was made was heard of by then.
const KEY_LASTS: TimeDelta = TimeDelta::hours(23);

/// What applying an event came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The account that may have changed once the caller commits.
    pub account: Option<AccountId>,
    /// Why nothing follows from it, where nothing does.
    pub ignored: Option<&'static str>,
    /// Why nothing follows from it yet, where an admin is to see to that. What it tells is kept.
    pub waits: Option<&'static str>,
}

/// Writes down what an event tells, and does what follows from it, in the caller's transaction. How often and in which
/// order events are applied does not matter.
pub async fn apply(state: &AppState, conn: &mut PgConnection, event: &Event) -> Result<Applied, Error> {
    learn(state, conn, event.created, &event.about).await
}

/// The same with what was true at a moment, however it became known.
async fn learn(
    state: &AppState,
    conn: &mut PgConnection,
    at: DateTime<Utc>,
    about: &About,
) -> Result<Applied, Error> {
    match about {
        About::Checkout(checkout) => facts::checkout(state, conn, at, checkout).await,
        About::Intent(intent) => facts::intent(state, conn, at, intent).await,
        About::Charge(charge) => facts::charge(state, conn, charge).await,
        About::Refund(refund) => facts::refund(state, conn, refund).await,
        About::Dispute(dispute) => facts::dispute(state, conn, at, dispute).await,
        About::Subscription(told) => subscribed::status(state, conn, at, told).await,
        About::Invoice(invoice) => subscribed::invoice(state, conn, invoice).await,
        About::InvoicePayment(payment) => invoices::payment(state, conn, payment).await,
        About::Other => Ok(Applied::ignored("nothing follows from events of this kind")),
    }
}

/// The same with what Stripe has just answered, in a transaction of its own.
async fn learn_alone(state: &AppState, about: About) -> Result<(), Error> {
    let mut conn = state.pool.acquire().await?;
    let mut transaction = conn.begin().await?;
    let now = state.clock.now();
    let at = match about {
        // Events bear the second in which they were made: what is answered is newer than those of the same one.
        About::Subscription(_) => now.trunc_subsecs(0) + TimeDelta::microseconds(999_999),
        _ => now,
    };
    let applied = learn(state, &mut transaction, at, &about).await?;
    transaction.commit().await?;
    state.ledger.changed().note(applied.account.into_iter());
    Ok(())
}

/// Gives up a purchase that nobody was sent to pay: it is not known whether Stripe was ever asked for its page, or for its
/// payment.
pub async fn give_up_unsent(state: &AppState, purchase: Uuid) -> Result<(), Error> {
    let is_unsent = |known: &Purchase| known.session.is_none() && known.payment_intent.is_none();
    give_up(state, purchase, is_unsent, None).await
}

/// Gives up a purchase of which Stripe has not said for weeks what became of it. One that is paid all the same still
/// counts.
pub async fn give_up_unanswered(state: &AppState, purchase: Uuid) -> Result<(), Error> {
    let what = "Stripe was asked for weeks, and has not said that it was paid or is over: it was given up";
    give_up(state, purchase, |_| true, Some(what)).await
}

/// Gives a purchase up that is pending still, and about which this holds.
async fn give_up(
    state: &AppState,
    id: Uuid,
    holds: fn(&Purchase) -> bool,
    difference: Option<&str>,
) -> Result<(), Error> {
    let mut conn = state.pool.acquire().await?;
    let mut transaction = conn.begin().await?;
    let known = purchases::lock(&mut transaction, id).await?;
    if known.is_some_and(|known| known.state == PurchaseState::Pending && holds(&known)) {
        purchases::expire(&mut transaction, id, state.clock.now()).await?;
        settle::purchase(state, &mut transaction, id).await?;
        if let Some(what) = difference {
            differ(state, &mut transaction, "never_answered", &name_of(id), what.to_owned()).await?;
        }
    }
    Ok(transaction.commit().await?)
}

impl Applied {
    const NOTHING: Self = Self { account: None, ignored: None, waits: None };

    const fn ignored(why: &'static str) -> Self {
        Self { ignored: Some(why), ..Self::NOTHING }
    }

    const fn to(account: AccountId) -> Self {
        Self { account: Some(account), ..Self::NOTHING }
    }
}

/// Notes for admins that Stripe's books and ours do not agree.
async fn differ(
    state: &AppState,
    conn: &mut PgConnection,
    kind: &str,
    about: &str,
    what: String,
) -> Result<bool, Error> {
    tracing::warn!(kind, about, what, "Stripe's books and ours differ");
    let found_at = state.clock.now();
    let (id, kind, about) = (state.clock.new_id(), kind.to_owned(), about.to_owned());
    Ok(differences::note(conn, &Difference { id, kind, about, what, found_at }).await?)
}

/// An amount in words for admins.
fn money(minor: i64, currency: &str) -> String {
    format!("{minor} {currency} (in its smallest unit)")
}

/// The name of a purchase in the ledger, at Stripe and for admins.
fn name_of(purchase: Uuid) -> String {
    purchase.to_string()
}
