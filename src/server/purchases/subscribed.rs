//! Subscriptions that are paid through Stripe: what it tells of them and of their invoices, and what the account's own
//! subscription is told of that (rule 16). The paid period that ends last says until when it is paid. A trial is of the
//! plan that was bought: another one, larger or smaller, comes with the first period that is paid for.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Applied, differ, money};
use crate::{
    domain::{
        AccountId, Act, Catalog, Command, IdempotencyKey, Refusal, Subscribe, Unsubscribe, catalog::PlanKey,
        note::Reference,
    },
    server::{
        AppState, Error,
        store::{
            payments, profiles,
            purchases::{self, Item, Purchase},
            stripe_customers,
            stripe_invoices::{self as invoices, PaidPeriod},
            stripe_subscriptions::{self as store, Applied as Told, End},
        },
        stripe::{Invoice, InvoiceReason, Subscribed, Subscription},
        subscriptions::subscribe_again,
    },
};

pub async fn status(
    state: &AppState,
    conn: &mut PgConnection,
    told_at: DateTime<Utc>,
    told: &Subscription,
) -> Result<Applied, Error> {
    store::lock(conn, &told.id, state.stripe.mode()).await?;
    if let Some(terms) = &told.terms {
        if !is_of(state, conn, terms, told.customer.as_deref(), &told.id).await? {
            return Ok(Applied::ignored("its account is unknown, or another customer"));
        }
        store::note_terms(conn, &told.id, (terms.account, &terms.plan, terms.purchase), told_at).await?;
    }
    store::note_status(conn, &told.id, &told.status, told.ends_with_period, told.ended_at, told_at).await?;
    let applied = settle(state, conn, &told.id).await?;
    // Its invoice waits, not this.
    Ok(Applied { waits: None, ..applied })
}

pub async fn invoice(state: &AppState, conn: &mut PgConnection, invoice: &Invoice) -> Result<Applied, Error> {
    let Some(subscription) = invoice.subscription.as_deref().filter(|_| invoice.is_paid) else {
        return Ok(Applied::ignored("it is of no subscription, or was not paid"));
    };
    invoices::lock(conn, &invoice.id).await?;
    if let Some(payment_intent) = &invoice.payment_intent {
        invoices::note_payment(conn, &invoice.id, payment_intent).await?;
    }
    for payment_intent in invoices::payments_of(conn, &invoice.id).await? {
        payments::lock(conn, &payment_intent).await?;
    }
    store::lock(conn, subscription, state.stripe.mode()).await?;
    if let Some(terms) = &invoice.terms {
        if !is_of(state, conn, terms, None, subscription).await? {
            return Ok(Applied::ignored("its account is unknown"));
        }
        store::note_first_terms(conn, subscription, (terms.account, &terms.plan, terms.purchase)).await?;
    }
    let noted = invoices::Told {
        id: &invoice.id,
        subscription,
        reason: match invoice.reason {
            InvoiceReason::Create => "create",
            InvoiceReason::Cycle => "cycle",
            InvoiceReason::Update => "update",
            InvoiceReason::Other => "other",
        },
        period: invoice.period,
        paid: invoice.paid.minor,
        currency: &invoice.paid.currency,
        hosted_url: invoice.hosted_url.as_deref(),
    };
    invoices::note(conn, &noted).await?;
    let applied = settle(state, conn, subscription).await?;
    Ok(Applied { waits: applied.waits.filter(|_| invoice.reason == InvoiceReason::Create), ..applied })
}

/// Whether the account is there, and is the customer's.
async fn is_of(
    state: &AppState,
    conn: &mut PgConnection,
    terms: &Subscribed,
    customer: Option<&str>,
    subscription: &str,
) -> Result<bool, Error> {
    let bucket = state.ledger.bucket(terms.account);
    if profiles::find(conn, bucket, terms.account).await?.is_none() {
        return Ok(false);
    }
    let ours = stripe_customers::of(conn, state.stripe.mode(), terms.account).await?;
    let is_another = ours.as_deref().zip(customer).is_some_and(|(ours, told)| ours != told);
    if is_another {
        let what = format!("it names {}, and is of a customer who is somebody else", terms.account);
        differ(state, conn, "another_customer", subscription, what).await?;
    }
    Ok(!is_another)
}

/// The first period, if it did not come to what was agreed: it is paid for, and brings nothing until that is mended.
async fn differing_first(
    state: &AppState,
    conn: &mut PgConnection,
    periods: &[PaidPeriod],
    purchase: Option<Uuid>,
) -> Result<Option<usize>, Error> {
    let Some(purchase) = purchase else { return Ok(None) };
    let Some(place) = periods.iter().position(|period| period.is_first) else { return Ok(None) };
    let Some(purchase) = purchases::find(conn, purchase).await? else { return Ok(None) };
    let first = &periods[place];
    if is_as_agreed(&state.catalog(), &purchase, first) {
        return Ok(None);
    }
    let agreed = money(purchase.price.minor(), purchase.price.currency().as_str());
    let what = format!(
        "paid {} where {agreed} was agreed: no credits were given. Its event is applied once the catalog says so too",
        money(first.paid, &first.currency),
    );
    differ(state, conn, "amount_differs", &first.invoice, what).await?;
    Ok(Some(place))
}

/// Whether what was paid is the price of the purchase, or of its plan by now, or nothing where there is a trial.
fn is_as_agreed(catalog: &Catalog, purchase: &Purchase, first: &PaidPeriod) -> bool {
    let Item::Plan { key, trial_days, .. } = &purchase.item else { return false };
    let prices = [Some(purchase.price), catalog.plan(key.as_str()).and_then(|plan| plan.price)];
    let mut prices = prices.into_iter().flatten();
    let is_free = first.paid == 0 && trial_days.is_some();
    prices
        .any(|price| first.currency == price.currency().as_str() && (is_free || first.paid == price.minor()))
}

/// Tells the account's subscription what follows from all that is known, and was not told yet.
async fn settle(state: &AppState, conn: &mut PgConnection, id: &str) -> Result<Applied, Error> {
    let Some(known) = store::find(conn, id).await? else { return Ok(Applied::default()) };
    let Some((account, plan)) = known.terms.clone() else {
        return Ok(Applied::ignored("it is not known to be a subscription of ours"));
    };
    let now = state.clock.now();
    let mut waits = None;
    let mut teller = Teller { state, account, subscription: id, told: known.applied.clone() };
    if known.ended_at.is_some() {
        if teller.told.until.is_some() && teller.told.end != Some(End::AtOnce) {
            // The end of an old subscription is not that of the one which took its place.
            if !store::has_another(conn, state.stripe.mode(), account, id, now).await? {
                teller.unsubscribe(conn, true).await?;
            }
            teller.told.end = Some(End::AtOnce);
        }
    } else {
        let mut periods = invoices::periods(conn, id).await?;
        // Once it was taken as agreed it stays so, whatever the catalog says later.
        if teller.told.until.is_none()
            && let Some(first) = differing_first(state, conn, &periods, known.purchase).await?
        {
            periods.remove(first);
            waits = Some("what was paid is not what was agreed");
        }
        // One that is over brings nothing any more.
        if let Some(newest) = periods.last().filter(|newest| newest.end > now) {
            let plan =
                if is_trial(newest) { plan_on_trial(conn, &known).await?.unwrap_or(plan) } else { plan };
            let goes_on = teller.told.end == Some(End::WithPeriod) && !known.ends_with_period;
            let is_told =
                teller.told.until == Some(newest.end) && teller.told.plan.as_ref() == Some(&plan) && !goes_on;
            if !is_told {
                let is_first = teller.told.until.is_none();
                teller.subscribe(conn, &plan, &periods, newest).await?;
                if is_first && store::has_another(conn, state.stripe.mode(), account, id, now).await? {
                    let what =
                        format!("{account} pays for another plan as well: end one of the two at Stripe");
                    differ(state, conn, "two_plans", id, what).await?;
                }
            }
        }
        if known.ends_with_period && teller.told.until.is_some() && teller.told.end.is_none() {
            teller.unsubscribe(conn, false).await?;
            teller.told.end = Some(End::WithPeriod);
        }
    }
    store::settled(conn, id, &teller.told).await?;
    // What is told of an invoice's money before its credits come waits for them.
    for invoice in invoices::ids_with_money_back(conn, id).await? {
        super::invoices::settle(state, conn, &invoice).await?;
    }
    Ok(Applied { waits, ..Applied::to(account) })
}

/// Whether it is a first period that nothing was paid for.
const fn is_trial(period: &PaidPeriod) -> bool {
    period.is_first && period.paid == 0
}

/// The plan that was bought with a trial, however soon it was changed; `None`: that of the only terms that are known.
async fn plan_on_trial(
    conn: &mut PgConnection,
    known: &store::Subscription,
) -> Result<Option<PlanKey>, Error> {
    let purchase = match known.purchase {
        Some(purchase) => purchases::find(conn, purchase).await?,
        None => None,
    };
    match purchase.map(|purchase| purchase.item) {
        Some(Item::Plan { key, .. }) => Ok(Some(key)),
        _ => Ok(known.applied.plan.clone()),
    }
}

/// What tells the account's subscription, and remembers what it was told.
struct Teller<'a> {
    state: &'a AppState,
    account: AccountId,
    subscription: &'a str,
    told: Told,
}

impl Teller<'_> {
    async fn subscribe(
        &mut self,
        conn: &mut PgConnection,
        plan: &PlanKey,
        periods: &[PaidPeriod],
        newest: &PaidPeriod,
    ) -> Result<(), Error> {
        let known = self.state.ledger.account_in(conn, self.account).await?;
        let wanted = subscribe_again(&self.state.catalog(), plan, &known)
            .ok_or_else(|| Error::internal(format!("there is no plan {plan}")))?;
        let first = periods.iter().find(|period| period.is_first).unwrap_or(newest);
        // Months are counted from a trial's end.
        let anchor = if is_trial(first) { first.end } else { first.start };
        let act = Act::Subscribe(Subscribe { anchor: Some(anchor), paid_until: Some(newest.end), ..wanted });
        let key = if self.told.until == Some(newest.end) {
            self.next_key()
        } else {
            format!("scrip:invoice:{}:{}", self.subscription, newest.start.timestamp())
        };
        self.tell(conn, &key, act).await?;
        self.told =
            Told { plan: Some(plan.clone()), until: Some(newest.end), end: None, ..self.told.clone() };
        Ok(())
    }

    /// Ends what this subscription has paid for. Where a host has put the account on a plan since, that goes on.
    async fn unsubscribe(&mut self, conn: &mut PgConnection, at_once: bool) -> Result<(), Error> {
        let known = self.state.ledger.account_in(conn, self.account).await?;
        if known.current_subscription().is_none_or(|current| current.paid_until != self.told.until) {
            return Ok(());
        }
        let key = self.next_key();
        self.tell(conn, &key, Act::Unsubscribe(Unsubscribe { at_once })).await
    }

    fn next_key(&self) -> String {
        format!("scrip:subscription:{}:{}", self.subscription, self.told.commands)
    }

    async fn tell(&mut self, conn: &mut PgConnection, key: &str, act: Act) -> Result<(), Error> {
        let key = IdempotencyKey::of_program(key).map_err(Error::internal)?;
        let mut command = Command::new(self.account, key, act);
        command.reference = Some(Reference::parse(self.subscription).map_err(Error::internal)?);
        let mut answers = self.state.ledger.execute_in(conn, self.account, &[command]).await?;
        self.told.commands += 1;
        match answers.remove(0) {
            // It is so already, or is over by itself.
            Ok(_) | Err(Refusal::SubscriptionUnchanged | Refusal::NotSubscribed) => Ok(()),
            Err(refusal) => Err(Error::internal(refusal)),
        }
    }
}
