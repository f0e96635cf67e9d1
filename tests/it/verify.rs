//! Checking the books: a sound ledger passes, and each way of tampering with one is found and named.

use chrono::TimeDelta;
use scrip::{
    domain::{
        AccountId, Act, Capture, HoldLife, Priority, Refund, Subscribe, Terms, Version,
        catalog::{Allowance, PlanKey},
        note::Metadata,
    },
    server::{
        clock::Clock,
        ledger::verify::{Report, verify},
    },
};
use sqlx::PgPool;

use crate::support::{CATALOG, account, amount, command, grant, noon, reason, spend, spending, state};

/// An account with a little of everything: lots, spends, a hold that is open and one that was captured, a refund, a lot
/// that has lapsed, a subscription.
async fn ledger(pool: PgPool) -> AccountId {
    let clock = Clock::standing_at(noon());
    let state = state(pool, clock.clone(), CATALOG).await;
    let account = account(&state, "ada@example.com").await;
    let tomorrow = noon() + TimeDelta::days(1);
    let do_it = async |command| state.ledger.execute(command).await.unwrap().unwrap().entry.version;
    do_it(grant(account, "soon", 5, Some(tomorrow))).await;
    let spent = do_it(spend(&state, account, "first", "render", None)).await;
    let mut noted = spend(&state, account, "second", "render", None);
    noted.metadata = Some(Metadata::parse("{\"seed\": 7}").unwrap());
    do_it(noted).await;
    let hold =
        do_it(command(account, "hold", Act::Hold(spending(&state, "render", None), HoldLife::default())))
            .await;
    do_it(command(account, "capture", Act::Capture(Capture { hold, amount: None }))).await;
    let refund = Refund { spend: spent, amount: Some(amount(1)), grace: None, reason: reason() };
    do_it(command(account, "refund", Act::Refund(refund))).await;
    clock.set(tomorrow);
    do_it(command(account, "open", Act::Hold(spending(&state, "render", None), HoldLife::default()))).await;
    let terms = Terms {
        plan: PlanKey::try_from("pro".to_owned()).unwrap(),
        allowance: Allowance::Monthly(amount(7)),
        rollover_cap: None,
        priority: Priority(30),
        grace_days: 0,
        is_free: false,
    };
    let plan = Subscribe { terms, anchor: None, paid_until: None, fallback: None, is_trial: false };
    do_it(command(account, "plan", Act::Subscribe(plan))).await;
    state.ledger.stop().await;
    account
}

async fn check(pool: &PgPool) -> Report {
    verify(pool, None, |_, _| {}).await.unwrap()
}

/// Changes the tables behind the ledger's back, as somebody could who may do anything.
async fn tamper(pool: &PgPool, statements: &str) {
    let statements = format!("set session_replication_role = replica; {statements}");
    let mut conn = pool.acquire().await.unwrap().detach();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut conn).await.unwrap();
}

/// Which entry (0 for what is kept beside them) a report finds fault with.
fn found(report: &Report) -> i64 {
    let mut versions: Vec<i64> =
        report.told.iter().map(|told| told.version.map_or(0, |version| version.0)).collect();
    versions.dedup();
    assert_eq!(versions.len(), 1, "{report}");
    versions[0]
}

#[sqlx::test]
async fn a_ledger_that_nobody_tampered_with_is_sound(pool: PgPool) {
    let account = ledger(pool.clone()).await;
    let report = check(&pool).await;
    assert_eq!((report.accounts, report.entries, report.violations), (1, 10, 0), "{report}");
    assert!(report.to_string().ends_with("All of it holds.\n"), "{report}");
    let one = verify(&pool, Some(account), |_, _| {}).await.unwrap();
    assert_eq!((one.accounts, one.entries, one.violations), (1, 10, 0));
}

#[sqlx::test]
async fn progress_is_told_entry_by_entry(pool: PgPool) {
    ledger(pool.clone()).await;
    let mut seen = Vec::new();
    verify(&pool, None, |read, _| seen.push(read)).await.unwrap();
    assert_eq!(seen, (1..=10).collect::<Vec<u64>>());
}

/// One change of a sound ledger, and at which entry it shows.
const TAMPERED: [(&str, &str, i64); 33] = [
    ("an entry's change", "update entries set movements = '2:-2' where version = 3", 3),
    (
        "an entry's change, its balance with it",
        "update entries set movements = '2:-2', balance_after = balance_after - 1 where version = 3",
        3,
    ),
    ("the balance that an entry leaves", "update entries set balance_after = 99 where version = 10", 10),
    ("a lot's remaining", "update lots set remaining = remaining - 1 where number = 1", 0),
    (
        "a lot's remaining, its account with it",
        "update lots set remaining = remaining - 1 where number = 1; update accounts set balance = balance - 1",
        0,
    ),
    ("what a lot was granted", "update lots set granted = granted + 1 where number = 1", 0),
    ("a lot's last day", "update lots set expires_at = expires_at + interval '1 day' where number = 2", 0),
    ("a lot that is not there any more", "delete from lots where number = 2", 0),
    ("a deleted last entry", "delete from entries where version = 10", 0),
    ("a deleted entry", "delete from entries where version = 4", 5),
    (
        "a swapped pair of entries",
        "update entries set version = 1000 where version = 3;
         update entries set version = 3 where version = 4;
         update entries set version = 4 where version = 1000",
        3,
    ),
    ("an entry's metadata", "update entries set metadata = '{\"seed\": 8}' where version = 4", 4),
    ("an entry's words", "update entries set description = 'A gift' where version = 2", 2),
    ("an entry's link", "update entries set link = link + 1 where version = 5", 5),
    ("a hold that is not there any more", "delete from holds", 0),
    ("when a hold runs out", "update holds set until = until + interval '1 hour'", 0),
    ("what a hold is for", "update holds set cost = cost + 1", 0),
    ("how often fair use was made of", "update accounts set uses_in_hour = 0", 0),
    ("what an account owes", "update accounts set debt = 1", 0),
    ("the end of the chain", "update accounts set chain = sha256(chain)", 0),
    ("until when use is unlimited", "update accounts set unlimited_until = '2030-01-01T00:00Z'", 0),
    ("when the last entry was", "update accounts set last_entry_at = last_entry_at + interval '1 second'", 0),
    ("a column that its kind of entry does not have", "update entries set until = at where version = 3", 3),
    (
        "how an entry's change is written",
        "update entries set movements = movements || ':0:99' where version = 4",
        4,
    ),
    ("the number of an account's last lot", "update accounts set last_lot = last_lot - 1", 0),
    ("a clawback that never was", "insert into clawbacks select bucket, id, 1, 1, 0, 0 from accounts", 0),
    ("what was refunded", "update refunds set refunded = refunded + 1", 0),
    (
        "the terms of a subscription",
        "update subscriptions set state = replace(state::text, '\"monthly\":7', '\"monthly\":8')::json",
        0,
    ),
    ("when a subscription is due", "update subscriptions set due_at = due_at + interval '1 day'", 0),
    ("a subscription that is not there any more", "delete from subscriptions", 0),
    (
        "what an entry says of a subscription",
        "update entries set subscription = replace(subscription::text, '\"monthly\":7', '\"monthly\":8')::json
         where version = 10",
        10,
    ),
    ("what was run in this month", "update accounts set usage = replace(usage, 'render:3', 'render:4')", 0),
    (
        "what was run in a month that is over",
        "insert into usage select bucket, id, created_at - interval '1 month', 'render', 1, 0, 1 from accounts",
        0,
    ),
];

#[sqlx::test]
async fn each_way_of_tampering_is_found_where_it_was_done(pool: PgPool) {
    let account = ledger(pool.clone()).await;
    let keep = "create schema kept;
         create table kept.accounts as table accounts; create table kept.lots as select bucket, account_id, number,
             source, priority, granted, remaining, effective_at, expires_at, created_at, held, lost, is_void from lots;
         create table kept.entries as table entries; create table kept.holds as table holds;
         create table kept.refunds as table refunds; create table kept.subscriptions as table subscriptions";
    let restore =
        "truncate accounts, lots, entries, holds, refunds, clawbacks, subscriptions, usage, warnings;
         insert into accounts table kept.accounts;
         insert into lots (bucket, account_id, number, source, priority, granted, remaining, effective_at,
                           expires_at, created_at, held, lost, is_void) table kept.lots;
         insert into entries table kept.entries; insert into holds table kept.holds;
         insert into refunds table kept.refunds; insert into subscriptions table kept.subscriptions";
    tamper(&pool, keep).await;
    for (what, how, where_it_shows) in TAMPERED {
        tamper(&pool, how).await;
        let report = check(&pool).await;
        assert_eq!(found(&report), where_it_shows, "{what}: {report}");
        assert!(report.told.iter().all(|told| told.account == account), "{what}");
        tamper(&pool, restore).await;
        assert_eq!(check(&pool).await.violations, 0, "{what} was undone");
    }
}

#[sqlx::test]
async fn entries_that_belong_nowhere_and_keys_that_were_used_twice_are_found(pool: PgPool) {
    ledger(pool.clone()).await;
    tamper(
        &pool,
        "drop index entries_key;
         update entries set key = (select key from entries where version = 3) where version = 4;
         insert into entries (bucket, account_id, version, at, balance_after, kind, movements, link)
         values (1, '00000000-0000-0000-0000-000000000001', 1, now(), 0, 'x', '1:-1', 0)",
    )
    .await;
    let report = check(&pool).await.to_string();
    assert!(report.contains("its key was used before"), "{report}");
    assert!(report.contains("its account is not there"), "{report}");
}

#[sqlx::test]
async fn accounts_in_a_bucket_where_nobody_looks_for_them_are_found(pool: PgPool) {
    let account = ledger(pool.clone()).await;
    let moved = ["accounts", "lots", "entries", "holds", "refunds", "subscriptions"]
        .map(|table| format!("update {table} set bucket = bucket + 77;"));
    tamper(&pool, &moved.concat()).await;
    let report = check(&pool).await;
    assert_eq!((report.accounts, report.violations), (0, 11), "the account and its ten entries: {report}");
    assert!(report.told.iter().all(|told| told.account == account));
}

#[sqlx::test]
async fn an_entry_that_cannot_even_be_read_is_a_violation_and_not_the_end(pool: PgPool) {
    let account = ledger(pool.clone()).await;
    tamper(&pool, "update entries set movements = 'seven' where version = 3").await;
    let report = check(&pool).await;
    assert_eq!(found(&report), 3);
    assert_eq!(report.told[0].account, account);
    assert_eq!(report.told[0].version, Some(Version(3)));
    assert_eq!(report.entries, 10, "the rest was read all the same");
}

#[sqlx::test]
async fn an_account_that_cannot_be_read_is_a_violation_and_not_the_end(pool: PgPool) {
    let account = ledger(pool.clone()).await;
    tamper(
        &pool,
        "update holds set allocations = 'seven';
         insert into accounts (bucket, id, created_at)
         values (1, '00000000-0000-0000-0000-000000000001', now())",
    )
    .await;
    let report = check(&pool).await;
    assert_eq!((report.accounts, report.violations, report.told[0].account), (2, 1, account), "{report}");
    assert!(report.told[0].what.contains("seven"), "{report}");
}

#[sqlx::test]
async fn a_key_that_was_used_twice_is_also_found_where_one_account_is_checked(pool: PgPool) {
    let account = ledger(pool.clone()).await;
    tamper(
        &pool,
        "drop index entries_key;
         insert into entries (bucket, account_id, version, at, balance_after, kind, movements, link, key, fingerprint)
         select bucket, '00000000-0000-0000-0000-000000000001', 1, at, 0, 's', '1:-1', 0, key, fingerprint
         from entries
         where version = 3",
    )
    .await;
    let report = verify(&pool, Some(account), |_, _| {}).await.unwrap();
    assert_eq!(report.violations, 1, "{report}");
    assert!(report.to_string().contains("its key was used before"), "{report}");
}
