//! A stand-in for Stripe that answers what a test tells it to, and remembers what it was asked.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use scrip::{
    domain::AccountId,
    server::{
        purchases::{Part, Till},
        store::purchases::Purchase,
        stripe::{Charge, Checkout, Error, Intent, InvoicePayment, Payment, Refund, RefundState},
    },
};

use super::{Started, customer_of, payment_of, session_of, usd};

#[derive(Default)]
pub struct Counter(Mutex<Kept>);

#[derive(Default)]
pub struct Kept {
    /// What was asked, in the order in which it was.
    pub asked: Vec<String>,
    /// How the next questions fail.
    pub failures: VecDeque<Error>,
    /// What is always answered with a no.
    pub refused: Option<String>,
    /// How sessions stand.
    pub sessions: HashMap<String, Checkout>,
    /// The card that every customer keeps, and what comes of charging it; nothing: there is no answer.
    pub card: Option<&'static str>,
    pub charging: Option<Payment>,
    /// Payments without a page.
    pub intents: HashMap<String, Intent>,
    /// By their keys.
    pub refunds: HashMap<String, Refund>,
    pub events: Vec<String>,
    pub charges: Vec<Charge>,
    pub invoice_payments: Vec<InvoicePayment>,
}

impl Counter {
    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap()
    }

    /// The next question is not answered.
    pub fn is_away(&self) {
        self.kept().failures.push_back(Error::Unreachable("the line is dead".into()));
    }

    /// A card is kept, and charging it comes to this.
    pub fn keeps_card(&self, charging: Payment) {
        let mut kept = self.kept();
        (kept.card, kept.charging) = (Some("pm_kept"), Some(charging));
    }

    /// The next question is answered with a no.
    pub fn refuses(&self) {
        let (code, message) = ("charge_already_refunded".to_owned(), "It was refunded.".to_owned());
        self.kept().failures.push_back(Error::Refused { status: 400, code, message });
    }

    pub fn times_asked(&self, what: &str) -> usize {
        self.kept().asked.iter().filter(|asked| asked.starts_with(what)).count()
    }

    /// Somebody pays.
    pub fn pay(&self, purchase: &Purchase) {
        let mut kept = self.kept();
        let session = kept.sessions.get_mut(&session_of(purchase.id)).unwrap();
        session.payment = Payment::Paid;
        session.payment_intent = Some(payment_of(purchase.id));
    }

    fn asked(&self, what: String) -> Result<MutexGuard<'_, Kept>, Error> {
        let mut kept = self.kept();
        kept.asked.push(what.clone());
        if kept.refused.as_ref().is_some_and(|refused| what.starts_with(refused)) {
            let (code, message) = ("permission".to_owned(), "This key may not.".to_owned());
            return Err(Error::Refused { status: 403, code, message });
        }
        match kept.failures.pop_front() {
            Some(error) => Err(error),
            None => Ok(kept),
        }
    }
}

#[async_trait]
impl Till for Counter {
    async fn create_customer(
        &self,
        account: AccountId,
        email: Option<&str>,
        _: Option<&str>,
        key: &str,
    ) -> Result<String, Error> {
        drop(self.asked(format!("customer {key} {}", email.unwrap_or("unknown")))?);
        Ok(customer_of(account))
    }

    async fn start_checkout(&self, purchase: &Purchase, customer: &str) -> Result<(String, String), Error> {
        let mut kept = self.asked(format!("start {}", purchase.id))?;
        let id = session_of(purchase.id);
        let session = Checkout {
            id: id.clone(),
            purchase: Some(purchase.id),
            payment: Payment::Unpaid,
            total: Some(usd(purchase.price.minor())),
            customer: Some(customer.to_owned()),
            payment_intent: None,
            subscription: None,
        };
        kept.sessions.entry(id.clone()).or_insert(session);
        Ok((id.clone(), format!("https://checkout.stripe.com/{id}")))
    }

    async fn checkout(&self, session: &str) -> Result<Checkout, Error> {
        let kept = self.asked(format!("checkout {session}"))?;
        Ok(kept.sessions[session].clone())
    }

    async fn expire_checkout(&self, session: &str) -> Result<Checkout, Error> {
        let mut kept = self.asked(format!("expire {session}"))?;
        let session = kept.sessions.get_mut(session).unwrap();
        if session.payment == Payment::Paid {
            let (code, message) = ("".to_owned(), "This session is complete.".to_owned());
            return Err(Error::Refused { status: 400, code, message });
        }
        session.payment = Payment::Expired;
        Ok(session.clone())
    }

    async fn kept_card(&self, customer: &str) -> Result<Option<String>, Error> {
        Ok(self.asked(format!("card {customer}"))?.card.map(ToOwned::to_owned))
    }

    /// The first of a purchase is answered again, as under Stripe's key.
    async fn charge(&self, purchase: &Purchase, _: &str, card: &str) -> Result<Intent, Error> {
        let mut kept = self.asked(format!("charge {} {card}", purchase.id))?;
        let Some(payment) = kept.charging else { return Err(Error::Unreachable("the line is dead".into())) };
        let started = Started { account: purchase.account, id: purchase.id };
        let made = kept.intents.entry(payment_of(purchase.id)).or_insert(started.intent(payment));
        match made.payment {
            Payment::Failed => {
                let (code, message) = ("card_declined".to_owned(), "Your card was declined.".to_owned());
                Err(Error::Declined { code, message })
            }
            _ => Ok(made.clone()),
        }
    }

    async fn intent(&self, payment_intent: &str) -> Result<Intent, Error> {
        Ok(self.asked(format!("intent {payment_intent}"))?.intents[payment_intent].clone())
    }

    async fn refund(
        &self,
        payment_intent: &str,
        amount: i64,
        key: &str,
        reason: &str,
    ) -> Result<Refund, Error> {
        let mut kept = self.asked(format!("refund {amount} {reason}"))?;
        let refund = Refund {
            id: format!("re_{key}"),
            payment_intent: Some(payment_intent.to_owned()),
            total: usd(amount),
            state: RefundState::Pending,
        };
        Ok(kept.refunds.entry(key.to_owned()).or_insert(refund).clone())
    }

    /// Two at a time.
    async fn events(&self, _: DateTime<Utc>, after: Option<&str>) -> Result<Part<String>, Error> {
        let kept = self.asked("events".to_owned())?;
        let from = after.map_or(0, |after| after.parse().unwrap());
        let part = kept.events.iter().skip(from).take(2).cloned().collect();
        Ok((part, (from + 2 < kept.events.len()).then(|| (from + 2).to_string())))
    }

    async fn invoice_payments(&self, payment_intent: &str) -> Result<Vec<InvoicePayment>, Error> {
        let kept = self.asked(format!("invoice payments {payment_intent}"))?;
        let of_it = |payment: &&InvoicePayment| payment.payment_intent.as_deref() == Some(payment_intent);
        Ok(kept.invoice_payments.iter().filter(of_it).cloned().collect())
    }

    async fn charges(
        &self,
        _: DateTime<Utc>,
        _: DateTime<Utc>,
        _: Option<&str>,
    ) -> Result<Part<Charge>, Error> {
        Ok((self.asked("charges".to_owned())?.charges.clone(), None))
    }
}
