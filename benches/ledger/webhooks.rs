//! Webhooks: Stripe tells of purchases that were paid, each in a delivery of its own, and each brings its credits before
//! it is answered.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use scrip::server::{clock::Clock, stripe::signature};
use uuid::Uuid;

use crate::{
    api::Api,
    book::{Book, Sample},
    load::{closed_until_done, open},
    measure::Measure,
    plan::Plan,
};

/// What deliveries are signed with.
pub const SECRET: &str = "whsec_of_the_benchmark";

/// How many connections Stripe delivers by.
pub const CONNECTIONS: usize = 16;

/// As Stripe sends it, some four kilobytes; of the purchase that it names here.
const EVENT: &str = include_str!("../../tests/stripe/2026-05-27.dahlia/checkout.session.completed.json");
const EVENT_ID: &str = "evt_1Q0ScripExample00000";
const SESSION: &str = "cs_test_a1vvp1B50lYAE8U2KLu1lzd6US91IMmBfnLfDXmJiKOQIzXbgFKgxUviQu";
const PAYMENT: &str = "pi_3MtwBwLkdIwHu7ix28a3tqPa";
const PURCHASE: &str = "018f6f2e-0c7a-7d3e-9b1a-2c3d4e5f6072";

/// Deliveries that wait to be sent, each once.
struct Deliveries {
    api: Arc<Api>,
    requests: Vec<Vec<u8>>,
    sent: AtomicUsize,
}

/// As fast as so many connections can.
pub async fn all(api: &Arc<Api>, plan: &Plan) -> Sample {
    api.wires.open(CONNECTIONS).await;
    let deliveries = Deliveries::of(api, plan.webhooks).await;
    closed_until_done(CONNECTIONS, plan.webhooks, move |_| deliver(deliveries.clone())).await
}

/// They come at half of the best rate so far.
pub async fn half_of_peak(api: &Arc<Api>, plan: &Plan, book: &Book) -> Sample {
    let rate = match book.best(|measure| measure == Measure::Webhooks) {
        Some((_, rate)) => rate / 2.0,
        None => all(api, plan).await.rate / 2.0,
    };
    let come = rate * (plan.lead + plan.lasts).as_secs_f64();
    // Who comes in the last millisecond comes too.
    let deliveries = Deliveries::of(api, (come * 1.1) as usize + CONNECTIONS).await;
    open(rate, plan, move |_| deliver(deliveries.clone())).await
}

async fn deliver(deliveries: Arc<Deliveries>) -> bool {
    let next = deliveries.sent.fetch_add(1, Ordering::Relaxed);
    deliveries.api.deliver(&deliveries.requests[next]).await
}

impl Deliveries {
    /// Of new purchases of any accounts, that nobody has paid until then.
    async fn of(api: &Arc<Api>, count: usize) -> Arc<Self> {
        let clock = Clock::default();
        let purchases: Vec<Uuid> = (0..count).map(|_| clock.new_id()).collect();
        api.begin_purchases(&purchases, session_of).await;
        let requests = purchases.iter().map(|purchase| {
            let body = EVENT
                .replace(EVENT_ID, &format!("evt_{}", purchase.simple()))
                .replace(SESSION, &session_of(purchase))
                .replace(PAYMENT, &format!("pi_{}", purchase.simple()))
                .replace(PURCHASE, &purchase.to_string());
            let signature = signature::sign(SECRET, clock.now(), body.as_bytes());
            api.delivery(&signature, &body)
        });
        Arc::new(Self { api: Arc::clone(api), requests: requests.collect(), sent: AtomicUsize::new(0) })
    }
}

fn session_of(purchase: &Uuid) -> String {
    format!("cs_{}", purchase.simple())
}
