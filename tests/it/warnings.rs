//! Warnings: given once, whoever looks and however often; shown on every page until they are dismissed or over.

use std::{iter, time::Duration};

use chrono::TimeDelta;
use futures_util::FutureExt;
use scrip::{
    domain::{AccountId, Act, Adjust, Adjustment, Unlimited, warning::Topic},
    server::{AppState, clock::Clock, notify, store, warnings},
};
use serde_json::json;
use sqlx::PgPool;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    api::host::Host,
    support::{self, App, Browser, CATALOG, account, amount, command, grant, noon, reason, state},
};

/// What was told so far, in order: `low 2`, `lapsing 5`.
async fn told(pool: &PgPool) -> Vec<String> {
    let told = sqlx::query_scalar!(
        r#"select concat_ws(' ', kind, credits, horizon_days) as "told!" from warnings order by number"#
    );
    told.fetch_all(pool).await.unwrap()
}

async fn take(state: &AppState, account: AccountId, key: &str, number: i64) {
    adjust(state, account, key, Adjustment::Take(amount(number))).await;
}

async fn adjust(state: &AppState, account: AccountId, key: &str, by: Adjustment) {
    let act = Act::Adjust(Adjust { by, reason: reason() });
    state.ledger.execute(command(account, key, act)).await.unwrap().unwrap();
}

/// Waits until so much was told.
async fn until_told(pool: &PgPool, expected: &[&str]) {
    let begun = Instant::now();
    while told(pool).await != expected {
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", told(pool).await);
        sleep(Duration::from_millis(50)).await;
    }
}

/// As often as a page is opened.
async fn look(state: &AppState, account: AccountId) {
    warnings::of(state, &state.ledger.account(account).await.unwrap()).await.unwrap();
}

#[sqlx::test]
async fn a_crossing_is_noted_once_however_many_look_and_again_after_a_recovery(pool: PgPool) {
    let state = state(pool.clone(), Clock::default(), CATALOG).await;
    let ada = account(&state, "ada@example.com").await;
    look(&state, ada).await;
    assert_eq!(told(&pool).await, [""; 0]);
    take(&state, ada, "8", 8).await;
    let looks = (0..8).map(|_| {
        let state = state.clone();
        tokio::spawn(async move { look(&state, ada).await })
    });
    for look in looks.collect::<Vec<_>>() {
        look.await.unwrap();
    }
    assert_eq!(told(&pool).await, ["low 2"]);
    adjust(&state, ada, "up", Adjustment::Give(amount(1))).await;
    look(&state, ada).await;
    take(&state, ada, "down", 1).await;
    look(&state, ada).await;
    assert_eq!(told(&pool).await, ["low 2"], "hovering at the threshold is no news");
    take(&state, ada, "rest", 2).await;
    look(&state, ada).await;
    adjust(&state, ada, "again", Adjustment::Give(amount(9))).await;
    look(&state, ada).await;
    take(&state, ada, "low-again", 8).await;
    look(&state, ada).await;
    assert_eq!(told(&pool).await, ["low 2", "empty 0", "low 1"]);
}

#[sqlx::test]
async fn what_changes_is_looked_at_without_anybody_opening_a_page(pool: PgPool) {
    let state = state(pool.clone(), Clock::default(), CATALOG).await;
    let ada = account(&state, "ada@example.com").await;
    let beside = [tokio::spawn(notify::tell(state.clone())), tokio::spawn(warnings::watch(state.clone()))];
    take(&state, ada, "8", 8).await;
    until_told(&pool, &["low 2"]).await;
    beside.iter().for_each(tokio::task::JoinHandle::abort);
}

#[sqlx::test]
async fn where_too_much_changed_to_name_it_all_accounts_are_looked_at(pool: PgPool) {
    let state = state(pool.clone(), Clock::default(), CATALOG).await;
    for name in ["ada", "bob"] {
        let account = account(&state, &format!("{name}@example.com")).await;
        take(&state, account, "8", 8).await;
    }
    state.unseen.note_many();
    let watch = tokio::spawn(warnings::watch(state.clone()));
    until_told(&pool, &["low 2"; 2]).await;
    watch.abort();
}

#[sqlx::test]
async fn what_changes_while_all_accounts_are_looked_at_does_not_wait_for_the_last_of_them(pool: PgPool) {
    let state = state(pool.clone(), Clock::default(), CATALOG).await;
    let ada = account(&state, "ada@example.com").await;
    take(&state, ada, "8", 8).await;
    // Before hers, and more than are looked at while this test waits.
    let others = "insert into accounts (bucket, id, created_at)
        select 0, ('00000000-0000-0000-0000-' || lpad(to_hex(number * 256), 12, '0'))::uuid, now()
        from generate_series(1, 40000) as number";
    sqlx::raw_sql(others).execute(&pool).await.unwrap();
    state.unseen.note_many();
    let watch = tokio::spawn(warnings::watch(state.clone()));
    while state.unseen.next().now_or_never().is_some() {
        state.unseen.note_many();
        sleep(Duration::from_millis(10)).await;
    }
    state.unseen.note(iter::once(ada));
    until_told(&pool, &["low 2"]).await;
    watch.abort();
}

#[sqlx::test]
async fn what_changed_is_not_forgotten_where_looking_fails(pool: PgPool) {
    let state = state(pool.clone(), Clock::default(), CATALOG).await;
    let (ada, bob) = (account(&state, "ada@example.com").await, account(&state, "bob@example.com").await);
    let watch = tokio::spawn(warnings::watch(state.clone()));
    // Once it can be named, and once it can't.
    for (holder, notes) in [(ada, &["low 2"][..]), (bob, &["low 2"; 2])] {
        take(&state, holder, "8", 8).await;
        sqlx::raw_sql("alter table warnings rename to away").execute(&pool).await.unwrap();
        if holder == ada {
            state.unseen.note(iter::once(ada));
        } else {
            state.unseen.note_many();
        }
        // In this time it has looked, and failed.
        sleep(Duration::from_secs(1)).await;
        sqlx::raw_sql("alter table away rename to warnings").execute(&pool).await.unwrap();
        until_told(&pool, notes).await;
    }
    watch.abort();
}

#[sqlx::test]
async fn nobody_waits_for_another_who_looks_at_the_same_account(pool: PgPool) {
    let state = state(pool.clone(), Clock::default(), CATALOG).await;
    let ada = account(&state, "ada@example.com").await;
    take(&state, ada, "8", 8).await;
    let mut other = pool.begin().await.unwrap();
    assert!(store::warnings::is_alone(&mut other, ada).await.unwrap());
    let read = state.ledger.account(ada).await.unwrap();
    let seen = timeout(Duration::from_secs(2), warnings::of(&state, &read)).await.expect("at once").unwrap();
    assert_eq!(seen.iter().map(|warning| warning.topic).collect::<Vec<_>>(), [Topic::Low]);
    assert_eq!(told(&pool).await, [""; 0], "the other may do so");
    other.rollback().await.unwrap();
    let watch = tokio::spawn(warnings::watch(state.clone()));
    until_told(&pool, &["low 2"]).await;
    watch.abort();
}

#[sqlx::test]
async fn what_has_long_been_over_is_forgotten_and_what_would_come_again_is_not(pool: PgPool) {
    let clock = Clock::standing_at(noon());
    let state = state(pool.clone(), clock.clone(), CATALOG).await;
    let (ada, bob) = (account(&state, "ada@example.com").await, account(&state, "bob@example.com").await);
    // Hers are over: of a spell, and of lots that lapse. His goes on, though he has dismissed it.
    take(&state, ada, "8", 8).await;
    look(&state, ada).await;
    adjust(&state, ada, "again", Adjustment::Give(amount(9))).await;
    look(&state, ada).await;
    for days in [8, 9] {
        let end = noon() + TimeDelta::days(days);
        state.ledger.execute(grant(ada, &format!("lot-{days}"), 5, Some(end))).await.unwrap().unwrap();
    }
    take(&state, bob, "8", 8).await;
    look(&state, bob).await;
    warnings::dismiss(&state, bob, false, noon()).await.unwrap();
    clock.set(noon() + TimeDelta::days(2));
    look(&state, ada).await;
    let all = ["low 2", "low 2", "lapsing 5 7", "lapsing 5 7"];
    assert_eq!(told(&pool).await, all);

    let last = noon() + TimeDelta::days(9 + 90);
    clock.set(last - TimeDelta::seconds(1));
    while warnings::forget(&state, 1).await.unwrap().1 {}
    assert_eq!(told(&pool).await, all[1..], "not before their time");
    clock.set(last);
    let (mut forgotten, mut steps) = (0, 0);
    loop {
        let (some, is_more) = warnings::forget(&state, 1).await.unwrap();
        (forgotten, steps) = (forgotten + some, steps + 1);
        if !is_more {
            break;
        }
    }
    assert_eq!((forgotten, steps), (2, 3), "one at a time");
    for account in [ada, bob] {
        look(&state, account).await;
    }
    assert_eq!(told(&pool).await, ["low 2"], "and nothing comes again");
}

#[sqlx::test]
async fn a_lot_is_told_of_once_for_each_horizon_by_the_job(pool: PgPool) {
    let clock = Clock::standing_at(noon());
    let state = state(pool.clone(), clock.clone(), CATALOG).await;
    let ada = account(&state, "ada@example.com").await;
    let (in_a_month, in_two_days) = (noon() + TimeDelta::days(30), noon() + TimeDelta::days(2));
    state.ledger.execute(grant(ada, "month", 5, Some(in_a_month))).await.unwrap().unwrap();
    state.ledger.execute(grant(ada, "short", 4, Some(in_two_days))).await.unwrap().unwrap();
    let mut heard = Vec::new();
    for days in [0, 1, 2, 22, 23, 24, 29, 30, 31] {
        clock.set(Some(noon() + TimeDelta::days(days)));
        for _ in 0..2 {
            warnings::look_all_ahead(&state).await.unwrap();
        }
        heard.push((days, told(&pool).await.len()));
    }
    assert_eq!(heard, [(0, 0), (1, 1), (2, 1), (22, 1), (23, 2), (24, 2), (29, 3), (30, 3), (31, 3)]);
    assert_eq!(told(&pool).await, ["lapsing 4 1", "lapsing 5 7", "lapsing 5 1"]);
}

async fn banners(browser: &Browser) -> String {
    let page = browser.page("/credits").await;
    let start = page.find("class=\"banners\"").unwrap();
    page[start..start + page[start..].find("<main").unwrap()].to_owned()
}

#[sqlx::test]
async fn a_banner_is_dismissed_for_good_until_there_is_news(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let ada = app.member("ada@example.com").await;
    let account = app.account_of("ada@example.com").await;
    assert!(!banners(&ada).await.contains("left"));
    take(&app.state, account, "8", 8).await;
    let page = ada.page("/credits").await;
    assert!(banners(&ada).await.contains("2 credits left"));
    let seen = support::field(&page, "seen").unwrap();
    let dismissed =
        ada.submit("/credits", "dismiss_warning", &[("are_of_lots", "false"), ("seen", &seen)]).await;
    assert_eq!(dismissed.url().path(), "/credits");
    assert!(!banners(&ada).await.contains("left"));
    take(&app.state, account, "rest", 2).await;
    assert!(banners(&ada).await.contains("No credits left"));
    assert!(!banners(&ada).await.contains("Dismiss"), "that nothing is left can't be dismissed");
    let seen = "9999999999999999";
    ada.submit("/credits", "dismiss_warning", &[("are_of_lots", "false"), ("seen", seen)]).await;
    assert!(banners(&ada).await.contains("No credits left"));
    adjust(&app.state, account, "up", Adjustment::Give(amount(9))).await;
    assert!(!banners(&ada).await.contains("left"));
    take(&app.state, account, "down", 8).await;
    assert!(banners(&ada).await.contains("1 credit left"));
}

#[sqlx::test]
async fn what_cannot_be_a_time_is_refused_and_strangers_are_led_to_sign_in(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    for seen in ["9223372036854775807", "-200000000000000000", "soon", ""] {
        let answer = ada.call("dismiss_warning", &[("are_of_lots", "true"), ("seen", seen)]).await;
        assert_eq!(answer.status().as_u16(), 400, "{seen:?}");
    }
    let answer = app.browser().call("dismiss_warning", &[("are_of_lots", "true"), ("seen", "1")]).await;
    assert_eq!(answer.status().as_u16(), 401);
}

#[sqlx::test]
async fn whoever_pays_nothing_is_warned_of_nothing(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let ada = app.member("ada@example.com").await;
    let account = app.account_of("ada@example.com").await;
    take(&app.state, account, "all", 10).await;
    let unlimited = Unlimited { until: app.state.clock.now() + TimeDelta::days(1), reason: reason() };
    app.state.ledger.execute(command(account, "free", Act::Unlimited(unlimited))).await.unwrap().unwrap();
    assert!(!banners(&ada).await.contains("left"));
    assert!(ada.page("/actions").await.contains("Unlimited"));
    assert_eq!(told(&pool).await, [""; 0]);
}

#[sqlx::test]
async fn a_share_is_of_the_monthly_credits_for_every_reader(pool: PgPool) {
    let catalog = r#"
        name = "Test product"
        summary = "What the tests run."
        low_balance = "20%"
        [[actions]]
        key = "render"
        title = "Render a picture"
        cost = 1
        [[plans]]
        key = "pro"
        title = "Pro"
        price = "12.00"
        currency = "usd"
        monthly_credits = 100
        rollover_cap = 2
    "#;
    let app = App::start_with(pool, Clock::standing_at(noon()), catalog).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 30).await;
    let level = async || host.get(&format!("/accounts/{id}/balance")).await.ok()["level"].clone();
    let spend = async |key: &str, amount: i64| {
        host.command("/spends", key, json!({"account": id, "amount": amount})).await.ok()
    };
    spend("some", 29).await;
    assert_eq!(level().await, "comfortable", "a share of nothing is nothing");
    host.send(reqwest::Method::PUT, &format!("/accounts/{id}/subscription"), None, json!({"plan": "pro"}))
        .await
        .ok();
    spend("most", 80).await;
    assert_eq!(level().await, "comfortable");
    spend("last", 1).await;
    assert_eq!(level().await, "low");
}
