//! Renewals: the subscriptions of all accounts fall due at the same instant, and the job that settles what fell due
//! catches up while people go on spending.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::Duration,
};

use chrono::{DateTime, Months, Utc};
use leptos::config::LeptosOptions;
use rand::{Rng, rngs::SmallRng};
use scrip::server::{
    AppState, catalog,
    clock::Clock,
    config::{Config, Database},
    jobs::{Schedule, Settle},
    store::{connect, migrate},
    stripe::Settings,
};
use tokio::time::{Instant, sleep_until};

use crate::{
    book::Sample,
    cluster::Cluster,
    house::{House, spend_once},
    load::{open, open_until},
    plan::Plan,
};

const DATABASE: &str = "renewals";

/// How many spends come in a second: well within what the ledger does.
pub const RATE: f64 = 1_000.0;

/// A job that rests for longer than this has caught up; its pauses between two steps are far shorter.
const REST: Duration = Duration::from_secs(10);

const CATALOG: &str = r#"
    name = "Bench"
    summary = "What nobody looks at."
    [[actions]]
    key = "render"
    title = "Render"
    cost = 6
"#;

pub struct Renewals {
    state: AppState,
    house: House,
    began_at: DateTime<Utc>,
    months: AtomicU32,
}

impl Renewals {
    pub async fn prepare(cluster: &Cluster, plan: &Plan) -> Self {
        cluster.make_database(DATABASE, "template0").await;
        let pool = connect(cluster.database(DATABASE));
        migrate(&pool).await.expect("migrations");
        let began_at = Clock::default().now();
        let catalog = catalog::parse(CATALOG).expect("a catalog");
        let (clock, config) = (Clock::standing_at(began_at), config());
        let state = AppState::new(pool.clone(), clock, catalog, &config).await.expect("a program");
        let house = House::fill(pool, state.ledger.clone(), plan.renewed_accounts, 1).await;
        house.subscribe().await;
        Self { state, house, began_at, months: AtomicU32::new(0) }
    }

    pub async fn close(self) {
        self.house.close().await;
    }

    /// Spends at a steady rate, and nothing else.
    pub async fn before(&self, plan: &Plan) -> Sample {
        open(RATE, plan, self.spends()).await
    }

    /// A month later: how many are renewed in a second, and how long spends at the same rate wait meanwhile.
    pub async fn all_at_once(&self) -> Sample {
        let months = self.months.fetch_add(1, Ordering::Relaxed) + 1;
        self.state.clock.set(self.began_at + Months::new(months));
        let is_over = AtomicBool::new(false);
        let catch_up = async {
            let since = Instant::now();
            let mut settle = Schedule::new(vec![Box::new(Settle::default())], since);
            while settle.next_at() < Instant::now() + REST {
                sleep_until(settle.next_at()).await;
                settle.step(&self.state, Instant::now()).await;
            }
            is_over.store(true, Ordering::Relaxed);
            self.house.accounts.len() as f64 / since.elapsed().as_secs_f64()
        };
        let spends = open_until(|_| is_over.load(Ordering::Relaxed), Duration::ZERO, RATE, self.spends());
        let (rate, sample) = tokio::join!(catch_up, spends);
        let renewed = self.house.number("select count(*) from entries where kind = 'n'").await;
        assert_eq!(renewed, self.house.accounts.len() as i64 * i64::from(months), "each once a month");
        Sample { rate, ..sample }
    }

    fn spends(&self) -> impl Fn(SmallRng) -> futures_util::future::BoxFuture<'static, bool> + use<> {
        let (ledger, accounts) = (self.house.ledger.clone(), self.house.accounts.clone());
        move |mut rng: SmallRng| {
            Box::pin(spend_once(ledger.clone(), accounts[rng.random_range(..accounts.len())]))
        }
    }
}

fn config() -> Config {
    Config {
        database: Database::Private("unused".into()),
        catalog: "unused".into(),
        base_url: None,
        return_origins: Vec::new(),
        is_sandbox: true,
        stripe: Settings::default(),
        behind_proxy: false,
        leptos: LeptosOptions::builder().output_name("scrip").build(),
    }
}
