//! How the HTTP API is measured. The load shares the processors with the server and its database; every answer is
//! counted, and after each measurement the ledger has as many new entries as there were answers.

use std::sync::Arc;

use rand::rngs::SmallRng;
use scrip::domain::AccountId;
use tokio::time::sleep;

use crate::{
    api::{Api, BATCH, CONNECTIONS_MAX, Counts},
    book::{Book, Excess, Sample},
    load::{closed, open},
    measure::{MANY, Measure},
    plan::Plan,
    webhooks,
};

/// How many balances are asked for in a second, beside the spends.
pub const BALANCES: f64 = 500.0;

/// By what more is asked for than can be done.
const EXCESS: f64 = 3.0;

pub async fn measure(api: &Arc<Api>, measure: Measure, plan: &Plan, book: &Book) -> Sample {
    let sample = match measure {
        Measure::HttpBatches(connections) => batches(api, connections, plan).await,
        Measure::HttpHalfOfPeak => half_of_peak(api, plan, book).await.0,
        Measure::HttpBalances => half_of_peak(api, plan, book).await.1,
        Measure::HttpThrice => thrice(api, plan, book).await,
        Measure::HttpFlood => flood(api, plan, book).await,
        Measure::Webhooks => webhooks::all(api, plan).await,
        Measure::WebhooksHalfOfPeak => webhooks::half_of_peak(api, plan, book).await,
        Measure::Http(connections) => spends(api, connections, plan).await,
        _ => unreachable!("the others are not measured over HTTP"),
    };
    api.wires.close();
    api.confirm().await;
    sample
}

/// Each connection spends again as soon as it is answered.
pub async fn spends(api: &Arc<Api>, connections: usize, plan: &Plan) -> Sample {
    api.wires.open(connections).await;
    closed(connections, plan, each(api, spend)).await
}

/// The same with batches; what is counted are spends.
async fn batches(api: &Arc<Api>, connections: usize, plan: &Plan) -> Sample {
    api.wires.open(connections).await;
    let sample = closed(connections, plan, each(api, spend_batch)).await;
    Sample { rate: sample.rate * BATCH as f64, refused: sample.refused * BATCH as u64, ..sample }
}

/// Spends come at half of the best rate so far, and balances are asked for beside them: both.
async fn half_of_peak(api: &Arc<Api>, plan: &Plan, book: &Book) -> (Sample, Sample) {
    let (_, rate) = peak(api, plan, book).await;
    tokio::join!(open(rate / 2.0, plan, each(api, spend)), open(BALANCES, plan, each(api, balance)))
}

/// Three times as many connections as at the peak; who is turned away comes back when the server says.
async fn thrice(api: &Arc<Api>, plan: &Plan, book: &Book) -> Sample {
    let connections = peak(api, plan, book).await.0 * EXCESS as usize;
    api.wires.open(connections).await;
    excessive(api, plan, closed(connections, plan, each(api, spend_patiently))).await
}

/// Spends come at three times the best rate, answered or not; who is turned away does not come back.
async fn flood(api: &Arc<Api>, plan: &Plan, book: &Book) -> Sample {
    let rate = peak(api, plan, book).await.1 * EXCESS;
    api.wires.open(CONNECTIONS_MAX).await;
    excessive(api, plan, open(rate, plan, each(api, spend))).await
}

/// With how many connections there were most spends so far, and how many.
async fn peak(api: &Arc<Api>, plan: &Plan, book: &Book) -> (usize, f64) {
    match book.best(Measure::is_http) {
        Some((Measure::Http(connections), rate)) => (connections, rate),
        // The first of all: the peak is not known yet.
        _ => (MANY, spends(api, MANY, plan).await.rate),
    }
}

/// What counts is what was done within the time, not what was asked for within it and done later.
async fn excessive(api: &Arc<Api>, plan: &Plan, load: impl Future<Output = Sample>) -> Sample {
    let counts = &api.counts;
    let before = [&counts.turned_away, &counts.wrong, &counts.lost].map(Counts::now);
    api.server.forget_peak();
    let rate = async {
        sleep(plan.lead).await;
        let before = Counts::now(&counts.done);
        sleep(plan.lasts).await;
        (Counts::now(&counts.done) - before) as f64 / plan.lasts.as_secs_f64()
    };
    let (sample, rate) = tokio::join!(load, rate);
    let turned_away = Counts::now(&counts.turned_away) - before[0];
    let lost = Counts::now(&counts.lost) - before[2];
    let peak_mb = api.server.peak_kb().map(|peak| peak as f64 / 1_024.0);
    let excess = Some(Excess { turned_away, lost, peak_mb });
    let refused = Counts::now(&counts.wrong) - before[1] + lost;
    println!("  turned away {turned_away}, otherwise failed {refused}, {lost} of them lost, {peak_mb:?} MiB");
    Sample { rate, refused, excess, ..sample }
}

/// What one caller asks, as `load` wants it.
fn each<F: Future<Output = bool> + 'static>(
    api: &Arc<Api>,
    ask: fn(Arc<Api>, SmallRng) -> F,
) -> impl Fn(SmallRng) -> F + Send + Sync + 'static + use<F> {
    let api = Arc::clone(api);
    move |rng| ask(Arc::clone(&api), rng)
}

async fn spend(api: Arc<Api>, mut rng: SmallRng) -> bool {
    api.spend(api.any_account(&mut rng)).await
}

async fn spend_patiently(api: Arc<Api>, mut rng: SmallRng) -> bool {
    api.spend_patiently(api.any_account(&mut rng)).await
}

async fn spend_batch(api: Arc<Api>, mut rng: SmallRng) -> bool {
    let accounts: Vec<AccountId> = (0..BATCH).map(|_| api.any_account(&mut rng)).collect();
    api.spend_from_each(&accounts).await
}

async fn balance(api: Arc<Api>, mut rng: SmallRng) -> bool {
    api.balance(api.any_account(&mut rng)).await
}
