//! What Stripe tells of purchases and their money, written down as facts that only ever grow.
//!
//! A payment is locked before the purchase that it pays, and that before its account: so two events at once come one
//! after the other, and never wait for each other. What is told of a payment before it is known what was bought with it
//! waits there.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Applied, differ, money, name_of, settle};
use crate::server::{
    AppState, Error,
    store::{
        payments,
        purchases::{self, Paid, Purchase, Told},
        refunds_asked, stripe_customers,
    },
    stripe::{Charge, Checkout, Dispute, Funds, Intent, Money, Payment, Refund, RefundState},
};

pub async fn checkout(
    state: &AppState,
    conn: &mut PgConnection,
    told_at: DateTime<Utc>,
    checkout: &Checkout,
) -> Result<Applied, Error> {
    let Some(id) = checkout.purchase else { return Ok(Applied::ignored("it is of no purchase of ours")) };
    if let Some(payment_intent) = &checkout.payment_intent {
        payments::lock(conn, payment_intent).await?;
    }
    let Some(purchase) = purchases::lock(conn, id).await? else {
        return Ok(Applied::ignored("there is no such purchase"));
    };
    let total = match (checkout.payment, &checkout.total) {
        (Payment::Paid, Some(total)) => Some(total),
        (Payment::Paid, None) => {
            return Err(Error::internal("a session was paid, and does not say how much"));
        }
        _ => None,
    };
    let pays = Pays {
        what: "session",
        id: &checkout.id,
        known: purchase.session.as_deref(),
        customer: checkout.customer.as_deref(),
        paid: total,
    };
    if !is_of(state, conn, &purchase, pays).await? {
        return Ok(Applied::ignored("it is not the purchase’s session, or of another customer"));
    }
    let when = |payment| (checkout.payment == payment).then_some(told_at);
    let told = Told {
        session: Some(&checkout.id),
        payment_intent: checkout.payment_intent.as_deref(),
        subscription: checkout.subscription.as_deref(),
        paid: total.map(|total| paid(told_at, total)),
        failed_at: when(Payment::Failed),
        expired_at: when(Payment::Expired),
    };
    purchases::note(conn, id, &told).await?;
    settle::purchase(state, conn, id).await
}

/// Something of Stripe's that pays a purchase, or would: its session, or its payment where it has no page.
struct Pays<'a> {
    what: &'static str,
    id: &'a str,
    /// The one of the purchase, where that is known already.
    known: Option<&'a str>,
    customer: Option<&'a str>,
    /// What was paid, if it was.
    paid: Option<&'a Money>,
}

/// Whether it is the one of its purchase, and its customer that of the account. What is paid all the same is for an
/// admin to see to.
async fn is_of(
    state: &AppState,
    conn: &mut PgConnection,
    purchase: &Purchase,
    pays: Pays<'_>,
) -> Result<bool, Error> {
    let ours = stripe_customers::of(conn, purchase.mode, purchase.account).await?;
    let is_another =
        |known: Option<&str>, told: Option<&str>| known.zip(told).is_some_and(|(known, told)| known != told);
    let kind = if is_another(pays.known, Some(pays.id)) {
        format!("another_{}", pays.what)
    } else if is_another(ours.as_deref(), pays.customer) {
        "another_customer".to_owned()
    } else {
        return Ok(true);
    };
    if let Some(paid) = pays.paid {
        let what = format!(
            "{} {} of customer {} paid {} for purchase {}",
            pays.what,
            pays.id,
            pays.customer.unwrap_or("unknown"),
            money(paid.minor, &paid.currency),
            name_of(purchase.id),
        );
        differ(state, conn, &kind, pays.id, what).await?;
    }
    Ok(false)
}

/// A payment without a page; what is paid on one is told by that.
pub async fn intent(
    state: &AppState,
    conn: &mut PgConnection,
    told_at: DateTime<Utc>,
    intent: &Intent,
) -> Result<Applied, Error> {
    let Some(id) = intent.purchase else { return Ok(Applied::ignored("it is of no purchase of ours")) };
    payments::lock(conn, &intent.id).await?;
    let Some(purchase) = purchases::lock(conn, id).await? else {
        return Ok(Applied::ignored("there is no such purchase"));
    };
    if !purchase.is_automatic {
        return Ok(Applied::ignored("it is paid on a page, which tells of it"));
    }
    let total = (intent.payment == Payment::Paid).then_some(&intent.total);
    let pays = Pays {
        what: "payment",
        id: &intent.id,
        known: purchase.payment_intent.as_deref(),
        customer: intent.customer.as_deref(),
        paid: total,
    };
    if !is_of(state, conn, &purchase, pays).await? {
        return Ok(Applied::ignored("it is not the purchase’s payment, or of another customer"));
    }
    let told = Told {
        payment_intent: Some(&intent.id),
        paid: total.map(|total| paid(told_at, total)),
        failed_at: (intent.payment == Payment::Failed).then_some(told_at),
        ..Told::default()
    };
    purchases::note(conn, id, &told).await?;
    settle::purchase(state, conn, id).await
}

fn paid(at: DateTime<Utc>, total: &Money) -> Paid {
    Paid { at, minor: total.minor, currency: total.currency.clone() }
}

pub async fn charge(state: &AppState, conn: &mut PgConnection, charge: &Charge) -> Result<Applied, Error> {
    let Some(payment_intent) = charge.payment_intent.as_deref().filter(|_| charge.is_paid) else {
        return Ok(Applied::ignored("it is of no payment, or was not paid"));
    };
    payments::lock(conn, payment_intent).await?;
    let charged = payments::Charged {
        charge: &charge.id,
        total: charge.total.minor,
        currency: &charge.total.currency,
        receipt_url: charge.receipt_url.as_deref(),
        refunded: charge.refunded,
    };
    payments::note_charge(conn, payment_intent, &charged).await?;
    settle::payment(state, conn, payment_intent).await
}

pub async fn refund(state: &AppState, conn: &mut PgConnection, refund: &Refund) -> Result<Applied, Error> {
    let Some(payment_intent) = &refund.payment_intent else {
        return Ok(Applied::ignored("it is of no payment"));
    };
    payments::lock(conn, payment_intent).await?;
    let (state_word, rank) = match refund.state {
        RefundState::Pending => ("pending", 0),
        RefundState::RequiresAction => ("requires_action", 1),
        RefundState::Succeeded => ("succeeded", 2),
        RefundState::Failed => ("failed", 3),
    };
    let told = payments::Told { refund: &refund.id, amount: refund.total.minor, state: state_word, rank };
    payments::note_refund(conn, payment_intent, &told).await?;
    refunds_asked::heard(conn, payment_intent, &refund.id, refund.total.minor).await?;
    settle::payment(state, conn, payment_intent).await
}

pub async fn dispute(
    state: &AppState,
    conn: &mut PgConnection,
    told_at: DateTime<Utc>,
    dispute: &Dispute,
) -> Result<Applied, Error> {
    let Some(payment_intent) = &dispute.payment_intent else {
        return Ok(Applied::ignored("it is of no payment"));
    };
    payments::lock(conn, payment_intent).await?;
    let told = payments::Dispute {
        id: &dispute.id,
        amount: dispute.total.minor,
        is_withdrawn: dispute.funds == Some(Funds::Withdrawn),
        is_reinstated: dispute.funds == Some(Funds::Reinstated),
        status: &dispute.status,
        told_at,
    };
    payments::note_dispute(conn, payment_intent, &told).await?;
    settle::payment(state, conn, payment_intent).await
}
