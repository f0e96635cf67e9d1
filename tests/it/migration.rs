//! Migrations only go forward: what an older Scrip wrote is there after them, and its books are right.

use chrono::TimeDelta;
use scrip::{
    domain::Kind,
    server::{clock::Clock, ledger::verify::verify, store},
};
use sqlx::{PgPool, migrate::Migrator};

use crate::support::{CATALOG, credits, grant, noon, spend, state};

static MIGRATIONS: Migrator = sqlx::migrate!();

/// What the first release of the ledger wrote for an account that was given credits, spent some, with and
/// without units, and lost some: kept as it was, with its digests.
const BEFORE_THE_CHAIN: &str = "
    insert into accounts (bucket, id, created_at, version, balance, last_entry_at, last_lot)
    values (3, '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a53', '2026-11-20T12:00Z', 6, 7, '2026-11-21T11:00Z', 3);
    insert into lots (bucket, account_id, number, source, priority, granted, remaining,
                      effective_at, expires_at, created_at)
    values (3, '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a53', 1, 'sign_up', 20, 10, 7, '2026-11-20T12:00Z', null, '2026-11-20T12:00Z'),
           (3, '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a53', 2, 'bonus', 10, 5, 0, '2026-11-20T12:30Z', '2027-01-01T00:00Z', '2026-11-20T13:00:00.123456Z'),
           (3, '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a53', 3, 'plan', 30, 2, 0, '2026-11-20T13:30Z', '2026-11-21T11:00Z', '2026-11-20T13:30Z');
    insert into entries (bucket, account_id, version, at, balance_before, balance_after, kind, movements,
                         action, units, price, description, key_digest, fingerprint)
    values (3, '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a53', 1, '2026-11-20T12:00Z', 0, 10, 'grant', '{1,10}',
            null, null, null, 'Sign-up credits – “10”', KEY_1, '\\x0102030405060708'),
           (3, '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a53', 2, '2026-11-20T13:00:00.123456Z', 10, 15, 'grant', '{2,5}',
            null, null, null, 'Bonus', KEY_2, '\\xf1f2f3f4f5f6f7f8'),
           (3, '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a53', 3, '2026-11-20T13:30Z', 15, 17, 'grant', '{3,2}',
            null, null, null, 'Plan', KEY_3, '\\xf1f2f3f4f5f6f7f9'),
           (3, '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a53', 4, '2026-11-20T14:00Z', 17, 16, 'spend', '{2,-1}', 'render', null, 1, null, KEY_4, RENDERED),
           (3, '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a53', 5, '2026-11-20T15:00Z', 16, 9, 'spend', '{2,-4,1,-3}',
            'complete', 12345, 7, null, KEY_5, '\\x0000000000000001'),
           (3, '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a53', 6, '2026-11-21T11:00Z', 9, 7, 'expiry', '{3,-2}', null, null, null, null, null, null);";

/// Another account, opened on the last day of a month, that has run things in several of its months.
const OF_SEVERAL_MONTHS: &str = "
    insert into accounts (bucket, id, created_at, version, balance, last_entry_at, last_lot)
    values (4, '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a54', '2026-08-31T10:00Z', 5, 89, '2026-11-21T11:00Z', 1);
    insert into lots (bucket, account_id, number, source, priority, granted, remaining,
                      effective_at, expires_at, created_at)
    values (4, '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a54', 1, 'sign_up', 20, 100, 89, '2026-08-31T10:00Z', null, '2026-08-31T10:00Z');
    insert into entries (bucket, account_id, version, at, balance_before, balance_after, kind, movements,
                         action, units, price, description, key_digest, fingerprint)
    values (4, '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a54', 1, '2026-08-31T10:00Z', 0, 100, 'grant', '{1,100}',
            null, null, null, 'Sign-up credits', KEY_1, '\\x0102030405060708'),
           (4, '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a54', 2, '2026-09-30T09:59Z', 100, 99, 'spend', '{1,-1}', 'render', null, 1, null, KEY_2, RENDERED),
           (4, '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a54', 3, '2026-09-30T10:00Z', 99, 98, 'spend', '{1,-1}', 'render', null, 1, null, KEY_3, RENDERED),
           (4, '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a54', 4, '2026-11-21T10:00Z', 98, 91, 'spend', '{1,-7}', 'complete', 12345, 7, null, KEY_4, RENDERED),
           (4, '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a54', 5, '2026-11-21T11:00Z', 91, 89, 'spend', '{1,-2}', 'complete', 2001, 2, null, KEY_5, RENDERED);";

/// What was kept of a key: half of its SHA-256.
fn key(text: &str) -> String {
    format!("substring(sha256('{text}') for 16)")
}

/// What was kept of the content of a spend of one credit for `render`.
fn fingerprint_of_a_render() -> String {
    let text = |text: &str| format!("int8send({}) || convert_to('{text}', 'UTF8')", text.len());
    let fields = [&text("spend"), &text("render"), "'\\x00' || int8send(0)", "int8send(1)"];
    format!("substring(sha256({}) for 8)", fields.join(" || "))
}

/// A ledger of the first release in which these were written.
async fn older_ledger(pool: &PgPool, written: &str) {
    let older = Migrator { migrations: MIGRATIONS.migrations[..2].to_vec().into(), ..Migrator::DEFAULT };
    older.run(pool).await.unwrap();
    let mut written = written.replace("RENDERED", &fingerprint_of_a_render());
    for number in 1..=5 {
        written = written.replace(&format!("KEY_{number}"), &key(&format!("key-{number}")));
    }
    sqlx::raw_sql(sqlx::AssertSqlSafe(written)).execute(pool).await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn what_an_older_ledger_ran_is_counted_by_the_months_of_its_accounts(pool: PgPool) {
    older_ledger(&pool, OF_SEVERAL_MONTHS).await;
    store::migrate(&pool).await.unwrap();
    let report = verify(&pool, None, |_, _| {}).await.unwrap();
    assert_eq!((report.entries, report.violations), (5, 0), "{report}");

    let state = state(pool.clone(), Clock::standing_at(noon()), CATALOG).await;
    let account = "acct_0193a1b2c3d47e5f8a9b0c1d2e3f4a54".parse().unwrap();
    let (_, rows) = state.ledger.usage(account, None, None, None, 10).await.unwrap();
    let told = rows.iter().map(|row| {
        let month = row.month.format("%Y-%m-%d").to_string();
        (month, row.tally.action_name(), row.tally.count, row.tally.units, row.tally.credits)
    });
    let told: Vec<_> = told.collect();
    assert_eq!(
        told,
        [
            ("2026-10-31".into(), "complete", 2, 14_346, 9),
            ("2026-09-30".into(), "render", 1, 0, 1),
            ("2026-08-31".into(), "render", 1, 0, 1),
        ]
    );
}

#[sqlx::test(migrations = false)]
async fn an_older_ledger_gets_its_chain_and_its_keys_still_count(pool: PgPool) {
    older_ledger(&pool, BEFORE_THE_CHAIN).await;
    store::migrate(&pool).await.unwrap();
    let report = verify(&pool, None, |_, _| {}).await.unwrap();
    assert_eq!((report.entries, report.violations), (6, 0), "{report}");

    let state = state(pool.clone(), Clock::standing_at(noon()), CATALOG).await;
    let account = "acct_0193a1b2c3d47e5f8a9b0c1d2e3f4a53".parse().unwrap();
    let again = state.ledger.execute(spend(&state, account, "key-4", "render", None)).await.unwrap().unwrap();
    assert!(again.replayed && again.entry.version.0 == 4 && matches!(again.entry.kind, Kind::Spend(_)));
    let more = grant(account, "more", 4, Some(noon() + TimeDelta::days(1)));
    assert_eq!(state.ledger.execute(more).await.unwrap().unwrap().entry.balance_after, credits(11));
    let report = verify(&pool, None, |_, _| {}).await.unwrap();
    assert_eq!((report.entries, report.violations), (7, 0), "{report}");
}
