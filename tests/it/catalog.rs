//! The catalog: looked at before it is used, and changed while the program runs.

use reqwest::StatusCode;
use rustix::process::Signal;
use scrip::{domain::Catalog, server::catalog::parse};
use serde_json::{Value, json};
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, BufReader, Lines},
    time::timeout,
};

use crate::{
    api::host::Host,
    program::{LONG, admin_key, run, scrip, send, started, stop},
    support::{App, CATALOG, noon},
};

const VIDEO: &str = include_str!("../../catalogs/video.toml");

fn catalog(text: &str) -> Catalog {
    parse(text).unwrap()
}

#[tokio::test]
async fn a_catalog_is_checked_without_a_database_or_any_setting() {
    let folder = TempDir::new().unwrap();
    let check = |file: &str| {
        let mut command = scrip(folder.path(), &["catalog", "check", file]);
        command
            .current_dir(folder.path())
            .env("DATABASE_URL", "mysql://nowhere")
            .env("SCRIP_BASE_URL", "nonsense");
        run(command)
    };
    std::fs::write(folder.path().join("good.toml"), VIDEO).unwrap();
    assert_eq!(check("good.toml").await, (true, "good.toml: good: 4 actions, 3 plans, 2 packs\n".into()));

    let bad = VIDEO
        .replacen("currency = \"usd\"", "currency = \"gold\"", 1)
        .replace("low_balance = \"20%\"", "low_balance = \"200%\"");
    std::fs::write(folder.path().join("bad.toml"), bad).unwrap();
    let (is_good, said) = check("bad.toml").await;
    let lines: Vec<&str> = said.lines().collect();
    assert!(!is_good && lines.len() == 2, "{said}");
    assert!(lines[0].starts_with("bad.toml:20: low_balance: \"200%\" is not"), "{said}");
    assert!(lines[1].starts_with("bad.toml:101: plans[1].currency: \"gold\" is not a currency"), "{said}");

    let (is_good, said) = check("gone.toml").await;
    assert!(!is_good && said.starts_with("gone.toml: cannot be read: "), "{said}");
}

/// Reads on until the log has a line with these words.
async fn logged(log: &mut Lines<impl AsyncBufRead + Unpin>, words: &str) -> String {
    let line = async {
        while let Some(line) = log.next_line().await.unwrap() {
            if line.contains(words) {
                return line;
            }
        }
        panic!("the server ended before it said: {words}");
    };
    timeout(LONG, line).await.expect(words)
}

#[tokio::test]
async fn a_changed_catalog_is_taken_up_on_sighup_and_a_bad_one_refused() {
    let data = TempDir::new().unwrap();
    let file = data.path().join("catalog.toml");
    std::fs::write(&file, CATALOG).unwrap();
    let mut command = scrip(data.path(), &[]);
    command.env("SCRIP_CATALOG", &file).env_remove("RUST_LOG");
    let (mut server, url) = started(command).await;
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
    let host = Host::at(&url, admin_key(data.path()).await);
    let first = host.get("/catalog").await.ok();

    std::fs::write(&file, CATALOG.replace("cost = 1", "cost = 7").replace("complete", "finish")).unwrap();
    assert_eq!(host.get("/catalog").await.ok(), first, "a file is not read unasked");
    send(&server, Signal::HUP);
    let line = logged(&mut log, "the catalog was read again").await;
    for told in
        ["2 actions, 0 plans", "changed action render", "added action finish", "removed action complete"]
    {
        assert!(line.contains(told), "{told}: {line}");
    }
    let second = host.get("/catalog").await.ok();
    assert_eq!((&second["actions"][0]["cost"], &second["actions"][1]["key"]), (&7.into(), &"finish".into()));

    std::fs::write(&file, "name = \"\"\nlow_balance = -1\n").unwrap();
    send(&server, Signal::HUP);
    logged(&mut log, "the catalog stays as it was").await;
    logged(&mut log, "catalog.toml:2: low_balance").await;
    assert_eq!(host.get("/catalog").await.ok(), second);
    stop(server).await;
}

#[sqlx::test]
async fn an_entry_keeps_the_price_of_its_time(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 0).await;
    let spend = json!({"account": id, "action": "render"});
    let before = host.command("/spends", "a", spend.clone()).await.ok();
    app.state.in_force.take_up(catalog(&CATALOG.replace("cost = 1", "cost = 3")));
    let after = host.command("/spends", "b", spend.clone()).await.ok();
    assert_eq!((&before["price"], &after["price"]), (&1.into(), &3.into()));
    let again = host.command("/spends", "a", spend).await;
    assert!(again.is_replayed());
    assert_eq!(again.ok(), before);
    let entries = host.get(&format!("/accounts/{id}/entries")).await.ok();
    assert_eq!(entries["data"][1], before);
}

#[sqlx::test]
async fn an_action_that_is_gone_is_still_in_history_by_its_key(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    let fields = ada.prompt("/actions/render").await;
    ada.confirm("/actions/render", &fields).await;
    assert!(ada.page("/history").await.contains("Render a picture"));

    let without = CATALOG.replace("\"render\"", "\"paint\"").replace("Render a picture", "Paint a picture");
    app.state.in_force.take_up(catalog(&without));
    let history = ada.page("/history").await;
    assert!(history.contains(">render<") && !history.contains("a picture"), "{history}");
    assert_eq!(ada.get("/actions/render").await.status(), StatusCode::NOT_FOUND);
    assert!(ada.page("/actions").await.contains("Paint a picture"));
}

#[sqlx::test]
async fn refunded_credits_come_back_for_as_long_as_the_catalog_says(pool: PgPool) {
    let clock = scrip::server::clock::Clock::default();
    clock.set(noon());
    for (number, (grace, expected)) in [("", 10), ("refund_grace_days = 7", 15)].into_iter().enumerate() {
        clock.set(noon());
        let app = App::start_with(pool.clone(), clock.clone(), &format!("{grace}\n{CATALOG}")).await;
        let host = Host::of(&app).await;
        let id = host.account(&format!("ada-{number}"), 0).await;
        let lapsing = json!({
            "amount": 5, "source": "pack", "reason": "Pack", "expires_at": noon() + chrono::TimeDelta::days(1),
        });
        host.command(&format!("/accounts/{id}/grants"), "pack", lapsing).await.ok();
        let spend = host.command("/spends", "spend", json!({"account": id, "amount": 5})).await.ok();
        clock.set(noon() + chrono::TimeDelta::days(2));
        let refund = json!({"spend": spend["id"], "reason": "It failed"});
        host.command("/refunds", "refund", refund).await.ok();
        assert_eq!(host.available(&id).await, expected, "{grace}");
    }
}

#[sqlx::test]
async fn plans_packs_and_settings_are_told_to_hosts(pool: PgPool) {
    let app = App::start_with(pool, scrip::server::clock::Clock::default(), VIDEO).await;
    let told = Host::of(&app).await.get("/catalog").await.ok();
    let settings = |names: &[&str]| names.iter().map(|name| told[name].clone()).collect::<Vec<Value>>();
    assert_eq!(
        settings(&["low_balance", "low_balance_percent", "insufficient_status", "default_plan"]),
        [Value::Null, 20.into(), 402.into(), Value::Null]
    );
    assert_eq!(
        settings(&["refund_grace_days", "clawback", "grace_days", "fair_use"]),
        [7.into(), "debt".into(), 3.into(), json!({"per_hour": null, "per_day": null})]
    );
    assert_eq!(
        told["plans"][2],
        json!({
            "key": "studio_yearly",
            "title": "Studio, yearly",
            "description": "Clips every day, two months free.",
            "price": {"minor": 49_000, "currency": "usd", "text": "$490.00"},
            "interval": "year",
            "monthly_credits": 500,
            "unlimited": false,
            "rollover_cap": 2,
            "priority": 30,
            "trial_days": null,
        })
    );
    assert_eq!(
        told["packs"][0],
        json!({
            "key": "pack_50",
            "title": "Small pack",
            "description": "For the last clip of the month.",
            "credits": 50,
            "price": {"minor": 900, "currency": "usd", "text": "$9.00"},
            "expires_days": 90,
            "priority": 10,
        })
    );
}

#[sqlx::test]
async fn plans_and_packs_stand_on_the_first_page_with_their_prices(pool: PgPool) {
    let app = App::start_with(pool, scrip::server::clock::Clock::default(), VIDEO).await;
    let page = app.browser().page("/").await;
    for words in [
        "100 credits a month · up to 200 kept · 7 days free to try",
        "$15.00 per month",
        "$490.00 per year",
        "50 credits · good for 90 days",
        "$9.00",
    ] {
        assert!(page.contains(words), "{words}");
    }
    app.state.in_force.take_up(catalog(CATALOG));
    let page = app.browser().page("/").await;
    assert!(!page.contains("id=\"plans\"") && !page.contains("id=\"packs\""), "nothing is no section");
}
