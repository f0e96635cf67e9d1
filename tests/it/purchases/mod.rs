//! Purchases: what Stripe tells in, credits out. Without a network: events are made here.

pub mod counter;
mod inbox;
mod money;
mod orders;
mod plans;
mod reconciled;
mod refunding;
mod starts;
mod subscribed;
mod topped_up;

use chrono::{DateTime, Utc};
use scrip::{
    domain::{AccountId, PurchaseState},
    server::{
        AppState, Error,
        clock::Clock,
        purchases::{
            self, Applied,
            start::{NewPurchase, Wanted, start},
        },
        store::purchases::{self as store, Purchase},
        stripe::{
            About, Charge, Checkout, Dispute, Event, Funds, Intent, Money, Payment, Refund, RefundState,
        },
    },
};
use sqlx::PgPool;
use uuid::Uuid;

use self::counter::Counter;
use crate::support::{noon, state};

/// A thousand credits for 10.00, and a plan.
pub const CATALOG: &str = r#"
    name = "Test product"
    summary = "What the tests run."
    low_balance = 2
    clawback = "debt"
    [[actions]]
    key = "render"
    title = "Render a picture"
    cost = 1
    [[actions]]
    key = "film"
    title = "Make a film"
    cost = 900
    [[plans]]
    key = "pro"
    title = "Pro"
    price = "20.00"
    currency = "usd"
    interval = "month"
    monthly_credits = 100
    [[plans]]
    key = "studio"
    title = "Studio"
    price = "50.00"
    currency = "usd"
    interval = "month"
    monthly_credits = 300
    trial_days = 14
    [[packs]]
    key = "large"
    title = "A thousand credits"
    credits = 1000
    price = "10.00"
    currency = "usd"
"#;

/// The program, and its database.
pub struct Shop {
    pub state: AppState,
    pub clock: Clock,
}

/// A purchase of the pack that was just started: nobody has paid yet.
#[derive(Clone)]
pub struct Started {
    pub account: AccountId,
    pub id: Uuid,
}

/// What an account and its purchase have come to.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    pub balance: i64,
    pub debt: i64,
    pub state: PurchaseState,
    pub clawed: i64,
    /// Of each lot: what was granted, what remains.
    pub lots: Vec<(i64, i64)>,
}

impl Shop {
    pub async fn open(pool: PgPool) -> Self {
        let clock = Clock::standing_at(noon());
        Self { state: state(pool, clock.clone(), CATALOG).await, clock }
    }

    pub async fn account(&self) -> AccountId {
        let mut conn = self.state.pool.acquire().await.unwrap();
        self.state.accounts.open(&mut conn).await.unwrap()
    }

    pub async fn started(&self) -> Started {
        let account = self.account().await;
        let large = NewPurchase {
            item: Wanted::Pack("large"),
            attempt: "first",
            success_url: "http://localhost/back",
            cancel_url: "http://localhost/buy",
            saves_card: false,
        };
        let Purchase { id, .. } = start(&self.state, &Counter::default(), account, large).await.unwrap();
        Started { account, id }
    }

    /// Applies an event in a transaction of its own, as the inbox does.
    pub async fn tell(&self, event: &Event) -> Result<Applied, Error> {
        let mut transaction = self.state.pool.begin().await?;
        let applied = purchases::apply(&self.state, &mut transaction, event).await?;
        transaction.commit().await?;
        Ok(applied)
    }

    pub async fn tell_all(&self, events: &[Event]) {
        for event in events {
            self.tell(event).await.unwrap();
        }
    }

    pub async fn purchase(&self, id: Uuid) -> Purchase {
        let mut conn = self.state.pool.acquire().await.unwrap();
        store::find(&mut conn, id).await.unwrap().unwrap()
    }

    pub async fn end(&self, started: &Started) -> End {
        let (purchase, account) = (self.purchase(started.id).await, started.account);
        let standing = self.state.ledger.account(account).await.unwrap();
        let lots = self.state.ledger.lots(account, None, 100).await.unwrap();
        End {
            balance: standing.balance().get(),
            debt: standing.debt().get(),
            state: purchase.state,
            clawed: purchase.clawed.get(),
            lots: lots.iter().map(|lot| (lot.granted.get(), lot.remaining.get())).collect(),
        }
    }

    pub async fn differences(&self) -> Vec<String> {
        let found = scrip::server::store::differences::open(&self.state.pool, 100).await.unwrap();
        found.into_iter().map(|difference| difference.kind).collect()
    }

    /// What must hold of the ledger at any time.
    pub async fn check(&self) {
        let report = scrip::server::ledger::verify::verify(&self.state.pool, None, |_, _| {}).await.unwrap();
        assert_eq!(report.violations, 0, "{:?}", report.told);
    }
}

pub fn customer_of(account: AccountId) -> String {
    format!("cus_{account}")
}

pub fn session_of(purchase: Uuid) -> String {
    format!("cs_{}", purchase.simple())
}

fn payment_of(purchase: Uuid) -> String {
    format!("pi_{}", purchase.simple())
}

pub fn usd(minor: i64) -> Money {
    Money { minor, currency: "usd".to_owned() }
}

pub fn event(kind: &str, about: About) -> Event {
    event_at(noon(), kind, about)
}

pub fn event_at(created: DateTime<Utc>, kind: &str, about: About) -> Event {
    Event { id: format!("evt_{kind}"), kind: kind.to_owned(), created, is_live: false, about }
}

impl Started {
    pub fn session(&self, payment: Payment) -> Checkout {
        Checkout {
            id: session_of(self.id),
            purchase: Some(self.id),
            payment,
            total: Some(usd(1_000)),
            customer: Some(customer_of(self.account)),
            payment_intent: (payment == Payment::Paid).then(|| payment_of(self.id)),
            subscription: None,
        }
    }

    pub fn paid(&self) -> Event {
        event("checkout.session.completed", About::Checkout(self.session(Payment::Paid)))
    }

    /// The payment of an automatic purchase.
    pub fn intent(&self, payment: Payment) -> Intent {
        Intent {
            id: payment_of(self.id),
            purchase: Some(self.id),
            payment,
            total: usd(1_000),
            customer: Some(customer_of(self.account)),
        }
    }

    pub fn charge(&self, kind: &str, refunded: i64) -> Event {
        let charge = Charge {
            id: format!("ch_{}", self.id.simple()),
            payment_intent: Some(payment_of(self.id)),
            is_paid: true,
            total: usd(1_000),
            refunded,
            receipt_url: Some("https://pay.stripe.com/receipts/1".to_owned()),
        };
        event(kind, About::Charge(charge))
    }

    pub fn refund(&self, kind: &str, name: &str, minor: i64, state: RefundState) -> Event {
        let refund = Refund {
            id: format!("re_{name}_{}", self.id.simple()),
            payment_intent: Some(payment_of(self.id)),
            total: usd(minor),
            state,
        };
        event(kind, About::Refund(refund))
    }

    pub fn dispute(&self, kind: &str, status: &str, funds: Option<Funds>) -> Event {
        let dispute = Dispute {
            id: format!("dp_{}", self.id.simple()),
            payment_intent: Some(payment_of(self.id)),
            total: usd(1_000),
            status: status.to_owned(),
            funds,
        };
        event(kind, About::Dispute(dispute))
    }

    /// What Stripe sends of a purchase of which a third is refunded, in the order in which it happens.
    pub fn bought_and_refunded(&self) -> [Event; 6] {
        [
            event("payment_intent.succeeded", About::Other),
            self.charge("charge.succeeded", 0),
            self.paid(),
            self.refund("refund.created", "a", 333, RefundState::Pending),
            self.charge("charge.refunded", 333),
            self.refund("refund.updated", "a", 333, RefundState::Succeeded),
        ]
    }
}
