//! Purchases: what was agreed, what Stripe told of it, and what came of that. `starting` notes new ones, `settling` what
//! becomes of them; `automatic` is about those that nobody pays on a page.

mod automatic;
mod listing;
mod settling;
mod starting;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

pub use self::{
    automatic::{attempts, note_card},
    listing::{Back, Receipt, money_back, page, pending_of, receipt_url, receipts},
    settling::{Told, ask_again, expire, id_of_payment, lock, note, settled, to_ask, without_grant},
    starting::{
        count_pending, had_plan, has_plan_to_come, insert, lock_starts, note_session, of_attempt,
        pending_plans,
    },
};
use super::corrupt;
use crate::domain::{
    AccountId, Amount, Credits, LotNumber, Priority, PurchaseState,
    catalog::{Currency, Interval, PackKey, PlanKey, Price},
    purchase::Mode,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    pub id: Uuid,
    pub account: AccountId,
    pub mode: Mode,
    /// The buyer's own name for it.
    pub attempt: String,
    pub item: Item,
    pub title: String,
    pub description: String,
    pub price: Price,
    pub success_url: String,
    pub cancel_url: String,
    pub saves_card: bool,
    /// Nobody is there: it has no page, and a card that was kept is charged.
    pub is_automatic: bool,
    /// That card, by Stripe's name, once it is chosen.
    pub card: Option<String>,
    pub created_at: DateTime<Utc>,
    /// Stripe's session, and where the buyer finds it.
    pub session: Option<String>,
    pub url: Option<String>,
    pub payment_intent: Option<String>,
    pub subscription: Option<String>,
    pub paid: Option<Paid>,
    pub failed_at: Option<DateTime<Utc>>,
    pub expired_at: Option<DateTime<Utc>>,
    pub state: PurchaseState,
    /// Its credits, once they have come.
    pub lot: Option<LotNumber>,
    /// How many of them have gone back.
    pub clawed: Credits,
    /// How many commands it has led to.
    pub commands: i32,
    /// How often Stripe was asked about it.
    pub asked: i32,
}

/// What was bought, as it was agreed, whatever the catalog says by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Pack { key: PackKey, credits: Amount, expires_days: Option<u16>, priority: Priority },
    Plan { key: PlanKey, interval: Interval, trial_days: Option<u16> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    pub at: DateTime<Utc>,
    pub minor: i64,
    pub currency: String,
}

pub async fn find(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Purchase>> {
    Ok(of_ids(conn, &[id]).await?.pop())
}

async fn of_ids(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Purchase>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, account_id, mode, attempt, pack, plan, title, description, credits, expires_days, priority, interval,
                trial_days, price, currency, success_url, cancel_url, saves_card, is_automatic, card, created_at, session, url, payment_intent, subscription, paid_at,
                paid, paid_currency, failed_at, expired_at, state, lot, clawed, commands, asked
         from purchases
         where id = any($1)
         order by created_at desc, id desc",
        ids,
    );
    rows.fetch_all(conn).await?.into_iter().map(Row::read).collect()
}

struct Row {
    id: Uuid,
    account_id: Uuid,
    mode: String,
    attempt: String,
    pack: Option<String>,
    plan: Option<String>,
    title: String,
    description: String,
    credits: Option<i64>,
    expires_days: Option<i16>,
    priority: Option<i16>,
    interval: Option<String>,
    trial_days: Option<i16>,
    price: i64,
    currency: String,
    success_url: String,
    cancel_url: String,
    saves_card: bool,
    is_automatic: bool,
    card: Option<String>,
    created_at: DateTime<Utc>,
    session: Option<String>,
    url: Option<String>,
    payment_intent: Option<String>,
    subscription: Option<String>,
    paid_at: Option<DateTime<Utc>>,
    paid: Option<i64>,
    paid_currency: Option<String>,
    failed_at: Option<DateTime<Utc>>,
    expired_at: Option<DateTime<Utc>>,
    state: String,
    lot: Option<i64>,
    clawed: i64,
    commands: i32,
    asked: i32,
}

impl Row {
    fn read(self) -> sqlx::Result<Purchase> {
        let days = |days: Option<i16>| days.map(u16::try_from).transpose().map_err(corrupt);
        let (expires_days, trial_days) = (days(self.expires_days)?, days(self.trial_days)?);
        let interval = self.interval.as_deref().and_then(Interval::named);
        let item = match (self.pack, self.credits, self.priority, self.plan, interval) {
            (Some(key), Some(credits), Some(priority), None, None) => Item::Pack {
                key: key.try_into().map_err(corrupt)?,
                credits: credits.try_into().map_err(corrupt)?,
                expires_days,
                priority: Priority(priority),
            },
            (None, None, None, Some(key), Some(interval)) => {
                Item::Plan { key: key.try_into().map_err(corrupt)?, interval, trial_days }
            }
            _ => return Err(corrupt("a purchase of nothing")),
        };
        let currency = Currency::named(&self.currency).ok_or_else(|| corrupt(&self.currency))?;
        let paid = match (self.paid_at, self.paid, self.paid_currency) {
            (Some(at), Some(minor), Some(currency)) => Some(Paid { at, minor, currency }),
            _ => None,
        };
        Ok(Purchase {
            id: self.id,
            account: self.account_id.into(),
            mode: Mode::named(&self.mode).ok_or_else(|| corrupt(&self.mode))?,
            attempt: self.attempt,
            item,
            title: self.title,
            description: self.description,
            price: Price::new(self.price, currency).map_err(corrupt)?,
            success_url: self.success_url,
            cancel_url: self.cancel_url,
            saves_card: self.saves_card,
            is_automatic: self.is_automatic,
            card: self.card,
            created_at: self.created_at,
            session: self.session,
            url: self.url,
            payment_intent: self.payment_intent,
            subscription: self.subscription,
            paid,
            failed_at: self.failed_at,
            expired_at: self.expired_at,
            state: PurchaseState::named(&self.state).ok_or_else(|| corrupt(&self.state))?,
            lot: self.lot.map(LotNumber),
            clawed: self.clawed.try_into().map_err(corrupt)?,
            commands: self.commands,
            asked: self.asked,
        })
    }
}

impl Purchase {
    /// Whether what was paid is what was agreed.
    pub fn is_paid_as_agreed(&self) -> bool {
        let agreed =
            |paid: &Paid| paid.minor == self.price.minor() && paid.currency == self.price.currency().as_str();
        self.paid.as_ref().is_some_and(agreed)
    }
}
