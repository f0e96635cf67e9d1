//! What age does to a ledger: the same accounts with few entries and with many, an account with many lots,
//! and what a spend leaves behind on disk.

use std::sync::Arc;

use scrip::domain::AccountId;

use crate::{
    cluster::Cluster,
    house::House,
    plan::{LOTS, Plan},
};

const SEED: &str = "seed";
const YOUNG: &str = "young";
pub const OLD: &str = "old";

pub struct Aged {
    accounts: Arc<Vec<AccountId>>,
    pub old: House,
    growth: Growth,
    pub one_lot: AccountId,
    pub many_lots: AccountId,
}

/// How many bytes a spend adds to a table and all its indexes.
pub struct Growth {
    pub spends: usize,
    pub entries: f64,
    pub accounts: f64,
    pub lots: f64,
}

impl Aged {
    /// `house` is the one whose accounts the two with one and many lots are.
    pub async fn prepare(cluster: &Cluster, plan: &Plan, house: &House) -> Self {
        cluster.make_database(SEED, "template0").await;
        let seed = House::build(cluster.database(SEED), plan.aged_accounts, LOTS).await;
        // What is left to 100,000 is spent whenever a copy is opened: see `young`.
        seed.spend_in_turn(plan.young_entries - plan.aged_accounts * (LOTS + 1)).await;
        let accounts = seed.accounts.clone();
        seed.close().await;

        cluster.make_database(OLD, SEED).await;
        let old = House::open(cluster.database(OLD), accounts.clone()).await;
        let before = Sizes::of(&old).await;
        let spends = plan.old_entries - (plan.young_entries - plan.aged_accounts);
        old.spend_in_turn(spends).await;
        let growth = Sizes::of(&old).await.since(&before, spends);
        let (one_lot, many_lots) =
            (house.special(1, 0).await, house.special(plan.lots_live, plan.lots_spent).await);
        Self { accounts, old, growth, one_lot, many_lots }
    }

    /// Ends it; what is left is what it has grown by.
    pub async fn close(self) -> Growth {
        self.old.close().await;
        self.growth
    }

    /// A copy that is as young as ever, one spend on each account later: that the engine has met its accounts
    /// is true of the old one, too.
    pub async fn young(&self, cluster: &Cluster) -> House {
        cluster.make_database(YOUNG, SEED).await;
        let young = House::open(cluster.database(YOUNG), self.accounts.clone()).await;
        young.spend_in_turn(self.accounts.len()).await;
        young
    }
}

/// How many rows were ever updated, and how many of these updates touched no index.
pub struct Updates {
    pub all: i64,
    pub hot: i64,
}

impl Updates {
    /// As far as the server has been told: a connection tells it within ten seconds.
    pub async fn of(house: &House, table: &str) -> Self {
        let count = |column| format!("select {column} from pg_stat_user_tables where relname = '{table}'");
        Self {
            all: house.number(&count("n_tup_upd")).await,
            hot: house.number(&count("n_tup_hot_upd")).await,
        }
    }

    /// The share of those without an index since `before`.
    pub fn hot_share_since(&self, before: &Self) -> f64 {
        (self.hot - before.hot) as f64 / (self.all - before.all) as f64
    }
}

struct Sizes {
    entries: i64,
    accounts: i64,
    lots: i64,
}

impl Sizes {
    async fn of(house: &House) -> Self {
        let size = |table| format!("select pg_total_relation_size('{table}')");
        Self {
            entries: house.number(&size("entries")).await,
            accounts: house.number(&size("accounts")).await,
            lots: house.number(&size("lots")).await,
        }
    }

    fn since(&self, before: &Self, spends: usize) -> Growth {
        let each = |now: i64, before: i64| (now - before) as f64 / spends as f64;
        Growth {
            spends,
            entries: each(self.entries, before.entries),
            accounts: each(self.accounts, before.accounts),
            lots: each(self.lots, before.lots),
        }
    }
}
