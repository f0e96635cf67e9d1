//! docs/benchmarks.md.

use std::fmt::Write as _;

use crate::{
    api::{BATCH, CONNECTIONS_MAX},
    book::Sample,
    hosts::BALANCES,
    measure::{MEASURES, Measure, READERS},
    plan::LOTS,
    renewals::RATE,
    server::LOG,
    webhooks::CONNECTIONS,
};

use super::{
    Results,
    goals::{Bound, Goal, goals},
    ranged, shown,
};

pub fn render(results: &Results) -> String {
    let mut text = String::from("# Benchmarks\n\n");
    let runs = results.plan.rounds;
    let _ = writeln!(
        text,
        "Written by `make bench`, all in one run. T is what pgbench's TPC-B-like script reaches on the same \
         cluster; every Scrip caller waits for an answer of its own, which comes when the spend is on disk. \
         Numbers are medians of {runs} rounds [and their range]; ratios are taken within a round.\n\n\
         ![Rates relative to T](benchmarks.svg)\n"
    );
    if results.plan.is_quick {
        text.push_str("**A quick run, to see that it works. Its numbers mean nothing.**\n\n");
    }
    if results.book.refused() > 0 {
        let _ = writeln!(text, "**{} requests were refused or failed.**\n", results.book.refused());
    }
    text.push_str(&goals_table(results));
    text.push_str(&measured(results));
    text.push_str(&excess(results));
    text.push_str(&age(results));
    text.push_str(&machine(results));
    text.push_str(&method(results));
    text
}

fn goals_table(results: &Results) -> String {
    let mut text = String::from("## Goals\n\n| | goal | measured | |\n|---|---:|---:|---|\n");
    for goal in goals(results) {
        let Goal { what, bound, unit, measured } = &goal;
        let bound = match bound {
            Bound::AtLeast(bound) => format!("≥ {}", shown(*bound)),
            Bound::AtMost(bound) => format!("≤ {}", shown(*bound)),
        };
        let verdict = match goal.is_met() {
            Some(true) => "met",
            Some(false) => "**not met**",
            None => "not measured: pgbench was not found",
        };
        let _ =
            writeln!(text, "| {what} | {bound} {unit} | {} {unit} | {verdict} |", ranged(measured, shown));
    }
    text + "\n"
}

fn measured(results: &Results) -> String {
    let book = &results.book;
    let mut text = String::from(
        "## Rates and waits\n\n| | a second | × T | p50 ms | p99 ms | p99.9 ms |\n|---|---:|---:|---:|---:|---:|\n",
    );
    for measure in MEASURES {
        let number = |number: fn(&Sample) -> Option<f64>| ranged(&book.series(measure, number), shown);
        let times_t = ranged(&book.ratio(measure, Measure::Tpcb, |sample| Some(sample.rate)), shown);
        let rate = match number(|sample| Some(sample.rate)) {
            none if none == "–" => "pgbench was not found".to_owned(),
            rate => rate,
        };
        let _ = writeln!(
            text,
            "| {} | {rate} | {times_t} | {} | {} | {} |",
            measure.name(),
            number(|sample| sample.p50),
            number(|sample| sample.p99),
            number(|sample| sample.p999),
        );
    }
    text + "\n"
}

fn excess(results: &Results) -> String {
    let mut text = String::from(
        "## More than can be done\n\n| | spends a second | told to come back | lost | most memory, MiB |\n|---|---:|---:|---:|---:|\n",
    );
    for measure in [Measure::HttpThrice, Measure::HttpFlood] {
        let number =
            |number: fn(&Sample) -> Option<f64>| ranged(&results.book.series(measure, number), shown);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            measure.name(),
            number(|sample| Some(sample.rate)),
            number(|sample| Some(sample.excess?.turned_away as f64)),
            number(|sample| Some(sample.excess?.lost as f64)),
            number(|sample| sample.excess?.peak_mb),
        );
    }
    text + "\n"
}

fn age(results: &Results) -> String {
    let Results { growth, verification, .. } = results;
    let mut text = String::from("## What stays behind\n\n| | |\n|---|---:|\n");
    let count = |number: u64| scrip::text::number(number as i64);
    let rows = [
        ("bytes a spend adds to entries and their indexes", shown(growth.entries)),
        ("bytes a spend adds to accounts (room for updates that is not used again)", shown(growth.accounts)),
        ("bytes a spend adds to lots (the same)", shown(growth.lots)),
        ("spends over which these were taken", count(growth.spends as u64)),
        ("updates of accounts that touched no index (HOT)", share(results.hot_accounts)),
        ("updates of lots that touched no index (HOT)", share(results.hot_lots)),
        ("entries verified, every hash", count(verification.entries)),
        ("violations found by that", count(verification.violations)),
        ("time that took", format!("{:.1} s", verification.seconds)),
        ("most memory that took", format!("{:.1} MiB", verification.peak_kb as f64 / 1_024.0)),
    ];
    for (what, number) in rows {
        let _ = writeln!(text, "| {what} | {number} |");
    }
    text + "\n"
}

fn share(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn machine(results: &Results) -> String {
    let mut text = String::from("## Machine and settings\n\n| | |\n|---|---|\n");
    for (what, fact) in &results.machine.facts {
        let _ = writeln!(text, "| {what} | {} |", fact.trim());
    }
    for (name, value) in &results.machine.settings {
        let _ = writeln!(text, "| `{name}` | {value} |");
    }
    if let Some(others) = results.book.others() {
        let _ =
            writeln!(text, "| Most of the processors that others had in a measurement | {} |", share(others));
    }
    text + "\n"
}

fn method(results: &Results) -> String {
    let plan = &results.plan;
    let number = |number: usize| scrip::text::number(number as i64);
    format!(
        "## How it is measured\n\n\
         - PostgreSQL, pgbench, the naive program and Scrip share one machine, which is also where the callers \
           run; nothing is left for them that is not taken from the server.\n\
         - The cluster is a new one on disk. It is tuned once, for all alike, by the settings above, and then \
           {wal} MB of WAL are written and a checkpoint made, so that segments are used again from then on: the \
           first use of each costs a stall of some 50 ms, which would be p99.\n\
         - Each measurement counts {lasts:.1} s after {lead:.1} s that do not count. Before it, autovacuum is \
           waited for, and where a checkpoint would be due soon, it is made then; after one, pgbench, the naive \
           spend and Scrip each run unmeasured for some seconds, until most pages have had their copy in the WAL. \
           A measurement that other processes had more than 6 % of the processors in is made again, at most twice. \
           Every round begins with another measurement.\n\
         - T: pgbench's default script, scale {scale}, 16 clients, 2 threads, prepared statements.\n\
         - Naive: `BEGIN`, `SELECT … FOR UPDATE`, `UPDATE`, `INSERT`, `COMMIT` with prepared statements over 16 \
           connections, the table of entries with no index but its key; no keys of commands, lots or hashes.\n\
         - Bare: one connection, one `UPDATE` of one row of {accounts}, committed by itself.\n\
         - Spends go through `Ledger::execute`, each with a key of its own, on {accounts} accounts with {lots} \
           lots each. Zipf has the exponent 1.01; 90/10 is 90 % of the spends on 10 % of the accounts; a hold is \
           counted together with its capture; quotes are asked by {readers} callers.\n\
         - At half of the peak, callers come at a fixed rate, half of the best uniform one so far, whether or not \
           others are answered, and their wait counts from when they were to come.\n\
         - Over HTTP: `scrip serve` in a process of its own, with `RUST_LOG={log}`, on a ledger of its own of as many \
           accounts. Callers bring a key of the API, whose limit is never reached, and each spend a key of its own; \
           connections are kept, with one request at a time on each. A batch has {batch} spends, its waits are those of \
           the whole. After each measurement the ledger has as many more entries as spends were answered with 201.\n\
         - The peak of `POST /spends` is its best rate so far, with the connections that it had. Beside half of it, \
           {balances} balances a second are asked for; both at a fixed rate, as above. With 3 × its connections, who \
           is told to come back does so after `Retry-After`, with the same key, and its wait ends when it is done. At \
           3 × its rate, callers come whether or not others are answered, and do not come back; they share {most} \
           connections, and wait where none is free. In both, spends are counted when they are answered; what was \
           told to come back, what was lost and the memory are those of the whole measurement.\n\
         - Young and old: {aged} accounts with {lots} lots each, the same in both, and {young} entries (a fresh copy \
           in each round) or {old}, made by spends. Lots: one account with a single lot, one with {live} live and \
           {spent} spent ones.\n\
         - Renewals: the subscriptions of {renewed} accounts fall due at the same instant, and the job that settles what \
           fell due renews all of them, while {steady:.0} spends a second come for any of these accounts (which renew \
           some of them on their way); before that, the same spends alone.\n\
         - Webhooks: {deliveries} deliveries from {wires} connections to the same server, each of another purchase that was \
           paid, with the body that Stripe sends, and signed; then at half of that rate for as long as the others. \
           A delivery is answered when it is kept and its credits are there. After each measurement the ledger has an \
           entry for each.\n\
         - The verification is `scrip verify` of the old ledger, in a process of its own.\n",
        wal = number(plan.warm_wal_mb),
        lasts = plan.lasts.as_secs_f64(),
        lead = plan.lead.as_secs_f64(),
        scale = plan.pgbench_scale,
        accounts = number(plan.accounts),
        lots = LOTS,
        readers = READERS,
        log = LOG,
        batch = BATCH,
        balances = BALANCES,
        most = number(CONNECTIONS_MAX),
        aged = number(plan.aged_accounts),
        young = number(plan.young_entries),
        old = number(plan.old_entries),
        live = number(plan.lots_live),
        spent = number(plan.lots_spent),
        renewed = number(plan.renewed_accounts),
        steady = RATE,
        deliveries = number(plan.webhooks),
        wires = CONNECTIONS,
    )
}
