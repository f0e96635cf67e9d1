//! What was bought: from the first click to what became of the money. What Stripe tells is written down as facts, and the
//! account is given what follows from all of them (rule 18), so that news may come twice, late and in any order.
//!
//! `facts` writes down what an event tells, `settle` and `subscribed` work out what follows, `inbox` takes in events.

mod facts;
mod settle;
mod subscribed;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    AppState, Error,
    store::differences::{self, Difference},
    stripe::{About, Event},
};
use crate::domain::AccountId;

/// What applying an event came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The account that may have changed once the caller commits.
    pub account: Option<AccountId>,
    /// Why nothing follows from it, where nothing does.
    pub ignored: Option<&'static str>,
}

/// Writes down what an event tells, and does what follows from it, in the caller's transaction. How often and in which
/// order events are applied does not matter.
pub async fn apply(state: &AppState, conn: &mut PgConnection, event: &Event) -> Result<Applied, Error> {
    match &event.about {
        About::Checkout(checkout) => facts::checkout(state, conn, event.created, checkout).await,
        About::Charge(charge) => facts::charge(state, conn, charge).await,
        About::Refund(refund) => facts::refund(state, conn, refund).await,
        About::Dispute(dispute) => facts::dispute(state, conn, event.created, dispute).await,
        About::Subscription(told) => subscribed::status(state, conn, event.created, told).await,
        About::Invoice(invoice) => subscribed::invoice(state, conn, event.created, invoice).await,
        About::Other => Ok(Applied::ignored("nothing follows from events of this kind")),
    }
}

impl Applied {
    const fn ignored(why: &'static str) -> Self {
        Self { account: None, ignored: Some(why) }
    }

    const fn to(account: AccountId) -> Self {
        Self { account: Some(account), ignored: None }
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
