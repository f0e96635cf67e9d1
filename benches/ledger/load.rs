//! Load: callers that ask and wait, each for itself, and how long they waited.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use rand::{SeedableRng, rngs::SmallRng};
use tokio::task::JoinSet;

use crate::book::Sample;
use crate::plan::Plan;

/// As many callers as `callers`, each of whom asks again as soon as it is answered. `ask` says whether what
/// was asked was done.
pub async fn closed<F, A>(callers: usize, plan: &Plan, ask: A) -> Sample
where
    F: Future<Output = bool> + Send,
    A: Fn(SmallRng) -> F + Send + Sync + 'static,
{
    let ask = Arc::new(ask);
    let (counts, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let (ask, counts, over) = (ask.clone(), counts.clone(), over.clone());
        tasks.spawn(async move {
            let mut rng = SmallRng::seed_from_u64(caller as u64);
            let mut waits = Waits::default();
            while !over.load(Ordering::Relaxed) {
                let since = Instant::now();
                let is_done = ask(SmallRng::from_rng(&mut rng)).await;
                if counts.load(Ordering::Relaxed) {
                    waits.note(is_done, since.elapsed());
                }
            }
            waits
        });
    }
    tokio::time::sleep(plan.lead).await;
    counts.store(true, Ordering::Relaxed);
    let since = Instant::now();
    tokio::time::sleep(plan.lasts).await;
    // Who waits now is not counted: its wait is not over.
    counts.store(false, Ordering::Relaxed);
    let took = since.elapsed();
    over.store(true, Ordering::Relaxed);
    Waits::of_all(tasks).await.sample(took)
}

/// As many callers, until `count` were asked for in all; every one of them counts.
pub async fn closed_until_done<F, A>(callers: usize, count: usize, ask: A) -> Sample
where
    F: Future<Output = bool> + Send,
    A: Fn(SmallRng) -> F + Send + Sync + 'static,
{
    let (ask, left) = (Arc::new(ask), Arc::new(AtomicUsize::new(count)));
    let since = Instant::now();
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let (ask, left) = (ask.clone(), left.clone());
        tasks.spawn(async move {
            let mut rng = SmallRng::seed_from_u64(caller as u64);
            let mut waits = Waits::default();
            let one_less = |left: usize| left.checked_sub(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
                let since = Instant::now();
                let is_done = ask(SmallRng::from_rng(&mut rng)).await;
                waits.note(is_done, since.elapsed());
            }
            waits
        });
    }
    let waits = Waits::of_all(tasks).await;
    waits.sample(since.elapsed())
}

/// Callers that come at `rate` a second whether or not the earlier ones are answered, and leave then. Waits
/// count from the moment at which a caller was to come.
pub async fn open<F, A>(rate: f64, plan: &Plan, ask: A) -> Sample
where
    F: Future<Output = bool> + Send,
    A: Fn(SmallRng) -> F + Send + Sync + 'static,
{
    open_until(|elapsed| elapsed >= plan.lead + plan.lasts, plan.lead, rate, ask).await
}

/// The same until `is_over`, which is asked each millisecond; who comes within `lead` is not counted.
pub async fn open_until<F, A>(is_over: impl Fn(Duration) -> bool, lead: Duration, rate: f64, ask: A) -> Sample
where
    F: Future<Output = bool> + Send,
    A: Fn(SmallRng) -> F + Send + Sync + 'static,
{
    let ask = Arc::new(ask);
    let start = Instant::now();
    let (mut come, mut callers) = (0_u64, JoinSet::new());
    let mut rng = SmallRng::seed_from_u64(7);
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    while !is_over(start.elapsed()) {
        tick.tick().await;
        let due_by_now = (start.elapsed().as_secs_f64() * rate) as u64;
        while come < due_by_now {
            let due = start + Duration::from_secs_f64(come as f64 / rate);
            let (ask, rng) = (ask.clone(), SmallRng::from_rng(&mut rng));
            callers.spawn(async move { (ask(rng).await, due, Instant::now()) });
            come += 1;
        }
    }
    let lasted = start.elapsed().saturating_sub(lead);
    let mut waits = Waits::default();
    while let Some(answered) = callers.join_next().await {
        let (is_done, due, at) = answered.expect("a caller does not panic");
        if due - start >= lead {
            waits.note(is_done, at - due);
        }
    }
    waits.sample(lasted)
}

/// How long callers waited until what they asked for was done, and how many were refused it.
struct Waits {
    done: Histogram<u64>,
    refused: u64,
}

impl Default for Waits {
    fn default() -> Self {
        let done = Histogram::new_with_bounds(1, 60_000_000, 3).expect("bounds of a histogram");
        Self { done, refused: 0 }
    }
}

impl Waits {
    fn note(&mut self, is_done: bool, wait: Duration) {
        if is_done {
            self.done.saturating_record(micros(wait));
        } else {
            self.refused += 1;
        }
    }

    async fn of_all(mut callers: JoinSet<Self>) -> Self {
        let mut all = Self::default();
        while let Some(caller) = callers.join_next().await {
            let Self { done, refused } = caller.expect("a caller does not panic");
            all.done.add(done).expect("histograms of one shape");
            all.refused += refused;
        }
        all
    }

    fn sample(&self, took: Duration) -> Sample {
        let wait = |quantile| Some(self.done.value_at_quantile(quantile) as f64 / 1_000.0);
        Sample {
            rate: self.done.len() as f64 / took.as_secs_f64(),
            p50: wait(0.5),
            p99: wait(0.99),
            p999: wait(0.999),
            refused: self.refused,
            excess: None,
            others: None,
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
