//! Who takes part, and how each measurement of a round is made.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{Rng, rngs::SmallRng};
use rand_distr::{Distribution, Zipf};
use scrip::domain::AccountId;
use tokio::time::sleep;

use crate::{
    age::{Aged, Growth},
    api::Api,
    book::{Book, Sample},
    cluster::Cluster,
    hosts,
    house::{House, hold_and_capture, quote_once, spend_once},
    load::{closed, open},
    measure::{MANY, MEASURES, Measure, READERS},
    others::Ticks,
    plan::Plan,
    renewals::Renewals,
    yardsticks::Yardsticks,
};

/// More of the processors than this has nobody else in a measurement that counts at once: the kernel's own
/// work stays below it.
const OTHERS_MAX: f64 = 0.06;
const TRIES: usize = 3;
const OTHERS_GLANCE: Duration = Duration::from_millis(500);
const OTHERS_WAIT: Duration = Duration::from_secs(60);

/// Everybody who takes part.
pub struct Contest<'a> {
    pub cluster: &'a Cluster,
    pub plan: &'a Plan,
    pub yardsticks: Yardsticks,
    pub house: House,
    pub aged: Aged,
    pub renewals: Renewals,
    pub api: Arc<Api>,
}

impl Contest<'_> {
    /// Ends everything, and returns what the old ledger has grown by.
    pub async fn close(self) -> Growth {
        self.api.close().await;
        self.house.close().await;
        self.renewals.close().await;
        self.aged.close().await
    }

    /// Everything once, beginning elsewhere in every round.
    pub async fn round(&self, round: usize, book: &mut Book) {
        let mut order = MEASURES;
        order.rotate_left(round * MEASURES.len() / self.plan.rounds);
        let is_wanted = |measure: &Measure| {
            let only = self.plan.only.as_ref();
            only.is_none_or(|only| only.split('|').any(|only| measure.name().contains(only)))
        };
        for measure in order.into_iter().filter(is_wanted) {
            if let Some(sample) = self.measure_in_quiet(measure, book).await {
                let wait = |wait: Option<f64>| wait.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.3}"));
                println!(
                    "round {}  {}: {:.0}/s  p50 {}  p99 {}  p99.9 {} ms  others {:.0} %  refused {}",
                    round + 1,
                    measure.name(),
                    sample.rate,
                    wait(sample.p50),
                    wait(sample.p99),
                    wait(sample.p999),
                    sample.others.unwrap_or(0.0) * 100.0,
                    sample.refused,
                );
                book.write(round, measure, sample);
            }
        }
        println!("round {} is over", round + 1);
    }

    /// Measures again, a few times, where others were at work meanwhile; keeps the one they disturbed least.
    async fn measure_in_quiet(&self, measure: Measure, book: &Book) -> Option<Sample> {
        let postmaster = self.cluster.postmaster();
        let mut best: Option<Sample> = None;
        for _ in 0..TRIES {
            if self.cluster.settle().await {
                self.lap().await;
            }
            self.wait_for_others().await;
            let before = Ticks::now(postmaster);
            let mut sample = self.measure(measure, book).await?;
            sample.others = before.and_then(|before| Some(Ticks::now(postmaster)?.others_since(&before)));
            let others = |sample: &Sample| sample.others.unwrap_or(0.0);
            if best.is_none_or(|best| others(&sample) < others(&best)) {
                best = Some(sample);
            }
            if others(&sample) <= OTHERS_MAX {
                break;
            }
        }
        best
    }

    /// Waits until nobody else is at work, if that is soon.
    async fn wait_for_others(&self) {
        let postmaster = self.cluster.postmaster();
        let since = Instant::now();
        while since.elapsed() < OTHERS_WAIT
            && let Some(before) = Ticks::now(postmaster)
        {
            sleep(OTHERS_GLANCE).await;
            if Ticks::now(postmaster).is_none_or(|now| now.others_since(&before) <= OTHERS_MAX) {
                return;
            }
        }
    }

    /// After a checkpoint the first change of each page costs a copy of it in the WAL. Everybody runs
    /// unmeasured until most of that is paid, so that nobody's number depends on who was first.
    pub async fn lap(&self) {
        let lap = Plan { lead: Duration::ZERO, lasts: self.plan.lasts / 2, ..self.plan.clone() };
        self.yardsticks.touch_pgbench().await;
        self.yardsticks.tpcb_for(lap.lasts).await;
        self.yardsticks.naive_uniform(&lap).await;
        self.yardsticks.bare(&lap).await;
        self.uniform(MANY, &lap).await;
        hosts::spends(&self.api, MANY, &lap).await;
    }

    async fn measure(&self, measure: Measure, book: &Book) -> Option<Sample> {
        let plan = self.plan;
        Some(match measure {
            Measure::Tpcb => return self.yardsticks.tpcb(plan).await,
            Measure::NaiveUniform => self.yardsticks.naive_uniform(plan).await,
            Measure::NaiveHot => self.yardsticks.naive_hot(plan).await,
            Measure::Bare => self.yardsticks.bare(plan).await,
            Measure::Uniform(callers) => self.uniform(callers, plan).await,
            Measure::Zipf => {
                let zipf = Zipf::new(self.house.accounts.len() as f64, 1.01).expect("a distribution");
                spends(&self.house, MANY, plan, move |rng, _| zipf.sample(rng) as usize - 1).await
            }
            Measure::NinetyTen => {
                let choose = |rng: &mut SmallRng, accounts: usize| {
                    let few = accounts / 10;
                    if rng.random_bool(0.9) {
                        rng.random_range(..few)
                    } else {
                        rng.random_range(few..accounts)
                    }
                };
                spends(&self.house, MANY, plan, choose).await
            }
            Measure::Hot(callers) => self.hot(self.house.accounts[7], callers).await,
            Measure::OneLot => self.hot(self.aged.one_lot, MANY).await,
            Measure::ManyLots => self.hot(self.aged.many_lots, MANY).await,
            Measure::Holds => {
                let (ledger, accounts) = (self.house.ledger.clone(), self.house.accounts.clone());
                closed(MANY, plan, move |mut rng| {
                    hold_and_capture(ledger.clone(), accounts[rng.random_range(..accounts.len())])
                })
                .await
            }
            Measure::Quotes => {
                let (ledger, accounts) = (self.house.ledger.clone(), self.house.accounts.clone());
                closed(READERS, plan, move |mut rng| {
                    quote_once(ledger.clone(), accounts[rng.random_range(..accounts.len())])
                })
                .await
            }
            Measure::HalfOfPeak => {
                let peak = match book.best(|measure| matches!(measure, Measure::Uniform(_))) {
                    Some((_, peak)) => peak,
                    // The first of all: the peak is not known yet.
                    None => self.uniform(MANY, plan).await.rate,
                };
                let (ledger, accounts) = (self.house.ledger.clone(), self.house.accounts.clone());
                open(peak / 2.0, plan, move |mut rng| {
                    spend_once(ledger.clone(), accounts[rng.random_range(..accounts.len())])
                })
                .await
            }
            Measure::Young => {
                let house = self.aged.young(self.cluster).await;
                let sample = uniform(&house, MANY, plan).await;
                house.close().await;
                sample
            }
            Measure::Old => uniform(&self.aged.old, MANY, plan).await,
            Measure::BeforeRenewals => self.renewals.before(plan).await,
            Measure::Renewals => self.renewals.all_at_once().await,
            Measure::Http(_)
            | Measure::HttpBatches(_)
            | Measure::HttpHalfOfPeak
            | Measure::HttpBalances
            | Measure::HttpThrice
            | Measure::HttpFlood
            | Measure::Webhooks
            | Measure::WebhooksHalfOfPeak => hosts::measure(&self.api, measure, plan, book).await,
        })
    }

    async fn uniform(&self, callers: usize, plan: &Plan) -> Sample {
        uniform(&self.house, callers, plan).await
    }

    async fn hot(&self, account: AccountId, callers: usize) -> Sample {
        let ledger = self.house.ledger.clone();
        closed(callers, self.plan, move |_| spend_once(ledger.clone(), account)).await
    }
}

async fn uniform(house: &House, callers: usize, plan: &Plan) -> Sample {
    spends(house, callers, plan, |rng, accounts| rng.random_range(..accounts)).await
}

/// `choose` says which of so many accounts.
async fn spends(
    house: &House,
    callers: usize,
    plan: &Plan,
    choose: impl Fn(&mut SmallRng, usize) -> usize + Send + Sync + 'static,
) -> Sample {
    let (ledger, accounts) = (house.ledger.clone(), house.accounts.clone());
    closed(callers, plan, move |mut rng| {
        spend_once(ledger.clone(), accounts[choose(&mut rng, accounts.len())])
    })
    .await
}
