//! How long a verification of a whole ledger takes, and how much memory. It runs in a process of its own,
//! this same program started again, so that the memory is its own.

use std::{env, process::Stdio, str::FromStr, time::Instant};

use scrip::server::{ledger::verify::verify, store::connect};
use sqlx::postgres::PgConnectOptions;
use tokio::process::Command;

use crate::{age::OLD, cluster::Cluster, server::peak_kb};

/// What tells the program that it is the process of its own.
const ADDRESS: &str = "SCRIP_BENCH_VERIFY";

pub struct Verification {
    pub entries: u64,
    pub violations: u64,
    pub seconds: f64,
    pub peak_kb: u64,
}

impl Verification {
    pub async fn of_the_old_ledger(cluster: &Cluster) -> Self {
        let program = env::current_exe().expect("the path of this program");
        let mut child = Command::new(program);
        child.env(ADDRESS, cluster.url()).stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = child.output().await.expect("the verification runs");
        let told = String::from_utf8_lossy(&output.stdout);
        Self::read(&told).unwrap_or_else(|| panic!("the verification said {told:?}"))
    }

    fn read(told: &str) -> Option<Self> {
        let mut numbers = told.split_whitespace();
        Some(Self {
            entries: numbers.next()?.parse().ok()?,
            violations: numbers.next()?.parse().ok()?,
            seconds: numbers.next()?.parse().ok()?,
            peak_kb: numbers.next()?.parse().ok()?,
        })
    }
}

/// What the other process does. `false` where this is not it.
pub async fn was_the_task() -> bool {
    let Ok(address) = env::var(ADDRESS) else { return false };
    let options = PgConnectOptions::from_str(&address).expect("an address").database(OLD);
    let since = Instant::now();
    let report = verify(&connect(options), None, |_, _| {}).await.expect("a verification");
    let seconds = since.elapsed().as_secs_f64();
    println!("{} {} {seconds} {}", report.entries, report.violations, peak_kb("self").unwrap_or_default());
    true
}
