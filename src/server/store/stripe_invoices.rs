//! Paid invoices of subscriptions, which payments each was paid with, and what of its credits went back with its money.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::corrupt;
use crate::domain::{AccountId, Amount, Credits, LotNumber, purchase::Mode};

const MONTH_MAX: TimeDelta = TimeDelta::days(31);

/// An invoice that was paid, as it was told.
#[derive(Debug)]
pub struct Told<'a> {
    pub id: &'a str,
    pub subscription: &'a str,
    /// `create` and `cycle` pay for periods.
    pub reason: &'static str,
    pub period: Option<(DateTime<Utc>, DateTime<Utc>)>,
    pub paid: i64,
    pub currency: &'a str,
    pub hosted_url: Option<&'a str>,
}

/// A period that was paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidPeriod {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
    /// Whether it is the subscription's first.
    pub is_first: bool,
    pub paid: i64,
    pub currency: String,
    pub invoice: String,
}

/// An invoice that was paid, and what came of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    pub id: String,
    pub subscription: String,
    pub mode: Mode,
    /// Whose it is, where that is known.
    pub account: Option<AccountId>,
    /// What it paid for; `None`: a change within a period.
    pub period: Option<(DateTime<Utc>, DateTime<Utc>)>,
    pub paid: i64,
    pub currency: String,
    /// Where people read it.
    pub hosted_url: Option<String>,
    /// Once some of its money went back: in which lot its credits came, and how many.
    pub lot: Option<(LotNumber, Amount)>,
    /// How many of them went back.
    pub clawed: Credits,
    /// How many commands that took.
    pub commands: i32,
}

/// Keeps others who note something of the invoice, which need not be known yet, waiting until the end of the transaction.
pub async fn lock(conn: &mut PgConnection, id: &str) -> sqlx::Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('invoice ' || $1::text, 0))", id)
        .execute(conn)
        .await
        .map(drop)
}

/// Notes that an invoice was paid.
pub async fn note(conn: &mut PgConnection, invoice: &Told<'_>) -> sqlx::Result<()> {
    let (start, end) = invoice.period.unzip();
    sqlx::query!(
        "insert into stripe_invoices (id, subscription, reason, period_start, period_end, paid, currency,
                                      hosted_url)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (id) do nothing",
        invoice.id,
        invoice.subscription,
        invoice.reason,
        start,
        end,
        invoice.paid,
        invoice.currency,
        invoice.hosted_url,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes with which payment an invoice was paid. A payment pays one.
pub async fn note_payment(conn: &mut PgConnection, id: &str, payment_intent: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into invoice_payments (payment_intent, invoice)
         values ($1, $2)
         on conflict (payment_intent) do nothing",
        payment_intent,
        id,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The payments of an invoice, in the order in which they are locked.
pub async fn payments_of(conn: &mut PgConnection, id: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select payment_intent
         from invoice_payments
         where invoice = $1
         order by payment_intent",
        id,
    )
    .fetch_all(conn)
    .await
}

/// The invoice that a payment is for, if it is known and was paid.
pub async fn id_of_payment(conn: &mut PgConnection, payment_intent: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "select invoice
         from invoice_payments
         join stripe_invoices on stripe_invoices.id = invoice_payments.invoice
         where payment_intent = $1",
        payment_intent,
    )
    .fetch_optional(conn)
    .await
}

/// Those of a subscription of whose money something was told that may have gone back.
pub async fn ids_with_money_back(conn: &mut PgConnection, subscription: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select distinct stripe_invoices.id
         from stripe_invoices
         join invoice_payments on invoice_payments.invoice = stripe_invoices.id
         join payments using (payment_intent)
         where subscription = $1
           and (
               refunded > 0
               or exists (
                   select
                   from payment_refunds
                   where payment_refunds.payment_intent = payments.payment_intent
               )
               or exists (
                   select
                   from disputes
                   where disputes.payment_intent = payments.payment_intent
               )
           )
         order by stripe_invoices.id",
        subscription,
    )
    .fetch_all(conn)
    .await
}

pub async fn find(conn: &mut PgConnection, id: &str) -> sqlx::Result<Option<Invoice>> {
    let row = sqlx::query_as!(
        Row,
        r#"select stripe_invoices.id, subscription, mode, account_id as "account_id?", period_start, period_end, paid,
                  currency, hosted_url, lot, credits, clawed, stripe_invoices.commands
           from stripe_invoices
           join stripe_subscriptions on stripe_subscriptions.id = subscription
           where stripe_invoices.id = $1"#,
        id,
    );
    row.fetch_optional(conn).await?.map(Row::read).transpose()
}

/// Those of a subscription, the newest first.
pub async fn of_subscription(
    conn: &mut PgConnection,
    subscription: &str,
    limit: i64,
) -> sqlx::Result<Vec<Invoice>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select stripe_invoices.id, subscription, mode, account_id as "account_id?", period_start, period_end, paid,
                  currency, hosted_url, lot, credits, clawed, stripe_invoices.commands
           from stripe_invoices
           join stripe_subscriptions on stripe_subscriptions.id = subscription
           where subscription = $1
           order by period_end desc nulls first, stripe_invoices.id
           limit $2"#,
        subscription,
        limit,
    );
    rows.fetch_all(conn).await?.into_iter().map(Row::read).collect()
}

/// The paid periods of a subscription, in their order.
pub async fn periods(conn: &mut PgConnection, id: &str) -> sqlx::Result<Vec<PaidPeriod>> {
    sqlx::query_as!(
        PaidPeriod,
        r#"select period_start as "start!", period_end as "end!", reason = 'create' as "is_first!", paid, currency,
                  id as invoice
           from stripe_invoices
           where subscription = $1
             and reason in ('create', 'cycle')
             and period_end is not null
           order by period_end, period_start"#,
        id,
    )
    .fetch_all(conn)
    .await
}

/// Notes what went back of an invoice's credits.
pub async fn settled(conn: &mut PgConnection, invoice: &Invoice) -> sqlx::Result<()> {
    sqlx::query!(
        "update stripe_invoices
         set lot = $2,
             credits = $3,
             clawed = $4,
             commands = $5
         where id = $1",
        invoice.id,
        invoice.lot.map(|(lot, _)| lot.0),
        invoice.lot.map(|(_, credits)| credits.get()),
        invoice.clawed.get(),
        invoice.commands,
    )
    .execute(conn)
    .await
    .map(drop)
}

impl Invoice {
    /// Whether it paid for more than one month, so that its credits come month by month.
    pub fn is_of_many_months(&self) -> bool {
        self.period.is_some_and(|(start, end)| end - start > MONTH_MAX)
    }
}

struct Row {
    id: String,
    subscription: String,
    mode: String,
    account_id: Option<Uuid>,
    period_start: Option<DateTime<Utc>>,
    period_end: Option<DateTime<Utc>>,
    paid: i64,
    currency: String,
    hosted_url: Option<String>,
    lot: Option<i64>,
    credits: Option<i64>,
    clawed: i64,
    commands: i32,
}

impl Row {
    fn read(self) -> sqlx::Result<Invoice> {
        let credits = self.credits.map(Amount::try_from).transpose().map_err(corrupt)?;
        Ok(Invoice {
            id: self.id,
            subscription: self.subscription,
            mode: Mode::named(&self.mode).ok_or_else(|| corrupt(&self.mode))?,
            account: self.account_id.map(AccountId::from),
            period: self.period_start.zip(self.period_end),
            paid: self.paid,
            currency: self.currency,
            hosted_url: self.hosted_url,
            lot: self.lot.map(LotNumber).zip(credits),
            clawed: self.clawed.try_into().map_err(corrupt)?,
            commands: self.commands,
        })
    }
}
