//! How fast the ledger is, as ratios to what the same PostgreSQL does by itself in the same run. Writes
//! docs/benchmarks.md and docs/benchmarks.svg.
//!
//! `cluster` is where all is measured, `yardsticks` and `house` are who is measured, under the `load` of many
//! callers; `contest` has the list of measurements, `book` their outcome, `plan` how long they last.

mod age;
mod api;
mod book;
mod cluster;
mod contest;
mod hosts;
mod house;
mod http;
mod load;
mod measure;
mod others;
mod plan;
mod renewals;
mod report;
mod server;
mod verification;
mod webhooks;
mod yardsticks;

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::{
    age::{Aged, Updates},
    api::Api,
    book::Book,
    cluster::Cluster,
    contest::Contest,
    house::House,
    plan::{LOTS, Plan},
    renewals::Renewals,
    report::{Machine, Results},
    verification::Verification,
    yardsticks::Yardsticks,
};

/// After this the server knows of everything that was updated.
const STATISTICS_DELAY: Duration = Duration::from_secs(11);

#[tokio::main]
async fn main() {
    if verification::was_the_task().await {
        return;
    }
    // Dropped, a run takes its cluster with it.
    tokio::select! {
        () = run() => {}
        _ = tokio::signal::ctrl_c() => eprintln!("broken off; nothing was written"),
    }
}

async fn run() {
    let plan = Plan::from_env();
    println!("making a cluster");
    let cluster = Cluster::start(&plan).await;
    println!("filling the yardsticks");
    let yardsticks = Yardsticks::prepare(&cluster, &plan).await;
    let machine = Machine::look(&cluster, &yardsticks).await;
    println!("filling a ledger of {} accounts", plan.accounts);
    cluster.make_database("ledger", "template0").await;
    let house = House::build(cluster.database("ledger"), plan.accounts, LOTS).await;
    println!("filling an old ledger of {} entries", plan.old_entries);
    let aged = Aged::prepare(&cluster, &plan, &house).await;
    println!("filling a ledger of {} subscriptions", plan.renewed_accounts);
    let renewals = Renewals::prepare(&cluster, &plan).await;
    println!("filling a ledger behind a server");
    let api = Arc::new(Api::prepare(&cluster, &plan).await);
    println!("everything is filled");

    let contest = Contest { cluster: &cluster, plan: &plan, yardsticks, house, aged, renewals, api };
    contest.lap().await;
    let before = [Updates::of(&contest.house, "accounts").await, Updates::of(&contest.house, "lots").await];
    let mut book = Book::default();
    for round in 0..plan.rounds {
        contest.round(round, &mut book).await;
    }

    if plan.only.is_some() {
        contest.close().await;
        return cluster.stop().await;
    }

    println!("verifying the old ledger");
    let verification = Verification::of_the_old_ledger(&cluster).await;
    sleep(STATISTICS_DELAY).await;
    let hot_accounts = Updates::of(&contest.house, "accounts").await.hot_share_since(&before[0]);
    let hot_lots = Updates::of(&contest.house, "lots").await.hot_share_since(&before[1]);

    let growth = contest.close().await;
    cluster.stop().await;
    Results { plan, machine, book, growth, hot_accounts, hot_lots, verification }.write();
}
