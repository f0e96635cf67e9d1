//! Subscriptions that are paid through Stripe: what it tells of them and of their invoices, and what the account's own
//! subscription is told of that (rule 16). The paid period that ends last says until when it is paid.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Applied, differ, money};
use crate::{
    domain::{
        AccountId, Act, Command, IdempotencyKey, Refusal, Subscribe, Unsubscribe, catalog::PlanKey,
        note::Reference,
    },
    server::{
        AppState, Error,
        store::{
            profiles,
            purchases::{self, Item},
            stripe_customers,
            stripe_subscriptions::{self as store, Applied as Told, End, PaidPeriod},
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
    settle(state, conn, &told.id).await
}

pub async fn invoice(state: &AppState, conn: &mut PgConnection, invoice: &Invoice) -> Result<Applied, Error> {
    let Some(subscription) = invoice.subscription.as_deref().filter(|_| invoice.is_paid) else {
        return Ok(Applied::ignored("it is of no subscription, or was not paid"));
    };
    store::lock(conn, subscription, state.stripe.mode()).await?;
    if let Some(terms) = &invoice.terms {
        if !is_of(state, conn, terms, None, subscription).await? {
            return Ok(Applied::ignored("its account is unknown"));
        }
        if !is_as_agreed(state, conn, invoice, terms).await? {
            return Ok(Applied::ignored("what was paid is not what was agreed"));
        }
        store::note_first_terms(conn, subscription, (terms.account, &terms.plan, terms.purchase)).await?;
    }
    let noted = store::Invoice {
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
        payment_intent: invoice.payment_intent.as_deref(),
        hosted_url: invoice.hosted_url.as_deref(),
    };
    store::note_invoice(conn, &noted).await?;
    settle(state, conn, subscription).await
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

/// Whether the first invoice comes to what was agreed, or to nothing where there is a trial.
async fn is_as_agreed(
    state: &AppState,
    conn: &mut PgConnection,
    invoice: &Invoice,
    terms: &Subscribed,
) -> Result<bool, Error> {
    let Some(id) = terms.purchase.filter(|_| invoice.reason == InvoiceReason::Create) else {
        return Ok(true);
    };
    let Some(purchase) = purchases::find(conn, id).await? else { return Ok(true) };
    let (agreed, paid) = (purchase.price, &invoice.paid);
    let has_trial = matches!(purchase.item, Item::Plan { trial_days: Some(_), .. });
    let is_agreed = paid.currency == agreed.currency().as_str()
        && (paid.minor == agreed.minor() || (paid.minor == 0 && has_trial));
    if !is_agreed {
        let agreed = money(agreed.minor(), agreed.currency().as_str());
        let what = format!("paid {} where {agreed} was agreed", money(paid.minor, &paid.currency));
        differ(state, conn, "amount_differs", &invoice.id, what).await?;
    }
    Ok(is_agreed)
}

/// Tells the account's subscription what follows from all that is known, and was not told yet.
async fn settle(state: &AppState, conn: &mut PgConnection, id: &str) -> Result<Applied, Error> {
    let Some(known) = store::find(conn, id).await? else { return Ok(Applied::default()) };
    let Some((account, plan)) = known.terms else {
        return Ok(Applied::ignored("it is not known to be a subscription of ours"));
    };
    let now = state.clock.now();
    let mut teller = Teller { state, account, subscription: id, told: known.applied };
    if known.ended_at.is_some() {
        if teller.told.until.is_some() && teller.told.end != Some(End::AtOnce) {
            // The end of an old subscription is not that of the one which took its place.
            if !store::has_another(conn, account, id, now).await? {
                teller.unsubscribe(conn, true).await?;
            }
            teller.told.end = Some(End::AtOnce);
        }
    } else {
        let periods = store::periods(conn, id).await?;
        // One that is over brings nothing any more.
        if let Some(newest) = periods.last().filter(|newest| newest.end > now) {
            let goes_on = teller.told.end == Some(End::WithPeriod) && !known.ends_with_period;
            let is_told =
                teller.told.until == Some(newest.end) && teller.told.plan.as_ref() == Some(&plan) && !goes_on;
            if !is_told {
                let is_first = teller.told.until.is_none();
                teller.subscribe(conn, &plan, &periods, newest).await?;
                if is_first && store::has_another(conn, account, id, now).await? {
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
    Ok(Applied::to(account))
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
        // A trial is a first period that nothing was paid for; months are counted from its end.
        let anchor = if first.is_first && first.paid == 0 { first.end } else { first.start };
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
