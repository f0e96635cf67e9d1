//! How long and how large everything is.

use std::{env, time::Duration};

#[derive(Clone)]
pub struct Plan {
    /// A look whether it works; its numbers mean little.
    pub is_quick: bool,
    pub rounds: usize,
    /// Measured is only what has this in its name, or one of several with `|` between; then nothing is written.
    pub only: Option<String>,
    /// Not counted, before each measurement.
    pub lead: Duration,
    /// Counted.
    pub lasts: Duration,
    pub accounts: usize,
    pub pgbench_scale: u32,
    pub warm_wal_mb: usize,
    /// The ledgers that differ only in their age: of how many accounts, and with how many entries.
    pub aged_accounts: usize,
    pub young_entries: usize,
    pub old_entries: usize,
    /// The account with many lots: how many live ones, how many spent ones.
    pub lots_live: usize,
    pub lots_spent: usize,
    /// How many accounts are renewed at the same instant.
    pub renewed_accounts: usize,
    /// How many deliveries of Stripe's are taken in.
    pub webhooks: usize,
}

/// How many lots the accounts have that are spent from.
pub const LOTS: usize = 3;

impl Plan {
    pub fn from_env() -> Self {
        let is_quick = env::var("SCRIP_BENCH_QUICK").is_ok_and(|quick| quick == "1");
        let plan = if is_quick { Self::quick() } else { Self::whole() };
        let rounds = env::var("SCRIP_BENCH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
        let only = env::var("SCRIP_BENCH_ONLY").ok();
        Self { rounds: rounds.unwrap_or(plan.rounds).max(1), only, ..plan }
    }

    fn whole() -> Self {
        Self {
            is_quick: false,
            rounds: 3,
            only: None,
            lead: Duration::from_secs(2),
            lasts: Duration::from_secs(5),
            accounts: 100_000,
            pgbench_scale: 20,
            warm_wal_mb: 2_048,
            aged_accounts: 20_000,
            young_entries: 100_000,
            old_entries: 2_000_000,
            lots_live: 1_000,
            lots_spent: 10_000,
            renewed_accounts: 100_000,
            webhooks: 10_000,
        }
    }

    fn quick() -> Self {
        Self {
            is_quick: true,
            rounds: 1,
            only: None,
            lead: Duration::from_millis(500),
            lasts: Duration::from_secs(1),
            accounts: 5_000,
            pgbench_scale: 2,
            warm_wal_mb: 128,
            aged_accounts: 2_000,
            young_entries: 10_000,
            old_entries: 60_000,
            lots_live: 100,
            lots_spent: 500,
            renewed_accounts: 10_000,
            webhooks: 1_000,
        }
    }
}
