//! Lists: pages, cursors, filters, CSV.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::host::Host;
use crate::support::App;

async fn busy(host: &Host) -> String {
    let id = host.account("ada", 90).await;
    for number in 0..12 {
        let order = match number % 3 {
            0 => json!({"account": id, "action": "render", "reference": format!("=job-{number}")}),
            1 => json!({"account": id, "action": "complete", "units": 3000}),
            _ => json!({"account": id, "amount": 1, "description": "-1 is not a formula"}),
        };
        host.command("/spends", &number.to_string(), order).await.ok();
    }
    id
}

/// All items, page after page.
async fn all(host: &Host, path: &str, limit: usize) -> Vec<Value> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let sign = if path.contains('?') { '&' } else { '?' };
        let page = host.get(&format!("{path}{sign}limit={limit}{after}")).await.ok();
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= limit);
        found.extend(data.iter().cloned());
        if page["has_more"] == false {
            return found;
        }
        assert_eq!(data.len(), limit);
        after = format!("&starting_after={}", data.last().unwrap()["id"].as_str().unwrap());
    }
}

#[sqlx::test]
async fn pages_of_any_size_show_all_entries_once_newest_first(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let id = busy(&host).await;
    for limit in [1, 5, 7, 14, 100] {
        let entries = all(&host, &format!("/accounts/{id}/entries"), limit).await;
        let versions: Vec<i64> = entries.iter().map(|entry| entry["version"].as_i64().unwrap()).collect();
        assert_eq!(versions, (1..=14).rev().collect::<Vec<_>>(), "{limit}");
    }
    let lots = all(&host, &format!("/accounts/{id}/lots"), 1).await;
    let sources: Vec<&str> = lots.iter().map(|lot| lot["source"].as_str().unwrap()).collect();
    assert_eq!(sources, ["pack", "sign_up"]);
}

#[sqlx::test]
async fn filters_admit_what_they_say(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let id = busy(&host).await;
    let path = format!("/accounts/{id}/entries");
    let entries = all(&host, &path, 100).await;
    let count = async |query: &str| all(&host, &format!("{path}?{query}"), 3).await.len();
    assert_eq!(count("kind=grant").await, 2);
    assert_eq!(count("kind=spend").await, 12);
    assert_eq!(count("kind=spend&action=render").await, 4);
    assert_eq!(count("kind=refund").await, 0);
    assert_eq!(count("reference=%3Djob-3").await, 1);
    let at = entries[4]["at"].as_str().unwrap();
    assert_eq!(count(&format!("from={at}")).await, 5);
    assert_eq!(count(&format!("to={at}")).await, 9);
    assert_eq!(count(&format!("from={at}&to={at}")).await, 0);
}

#[sqlx::test]
async fn what_has_lapsed_is_in_a_list_before_it_is_written(pool: PgPool) {
    let clock = scrip::server::clock::Clock::standing_at(crate::support::noon());
    let app = App::start_with(pool, clock.clone(), crate::support::CATALOG).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 0).await;
    let grant =
        json!({"amount": 5, "source": "bonus", "reason": "Soon gone", "expires_at": "2026-11-22T00:00:00Z"});
    host.command(&format!("/accounts/{id}/grants"), "g", grant).await.ok();
    clock.set(crate::support::noon() + chrono::TimeDelta::days(1));
    let entries = all(&host, &format!("/accounts/{id}/entries?kind=expiry"), 5).await;
    assert_eq!((entries.len(), &entries[0]["at"]), (1, &"2026-11-22T00:00:00Z".into()));
    let lots = all(&host, &format!("/accounts/{id}/lots"), 5).await;
    assert_eq!((&lots[0]["state"], &lots[0]["remaining"]), (&"expired".into(), &0.into()));
    let spends = all(&host, &format!("/accounts/{id}/entries?kind=spend"), 5).await;
    assert!(spends.is_empty());
}

#[sqlx::test]
async fn a_cursor_of_another_account_or_of_nothing_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let (ada, bob) = (host.account("ada", 0).await, host.account("bob", 0).await);
    let digits = bob.trim_start_matches("acct_");
    for (list, cursor) in [
        ("entries", format!("entry_{digits}_1")),
        ("lots", format!("lot_{digits}_1")),
        ("entries", format!("lot_{digits}_1")),
        ("entries", "1".into()),
        ("lots", String::new()),
    ] {
        let refused = host.get(&format!("/accounts/{ada}/{list}?starting_after={cursor}")).await;
        assert_eq!(refused.problem(), (400, "unknown_cursor"), "{list} {cursor}");
    }
}

#[sqlx::test]
async fn a_query_that_is_not_as_it_should_be_is_refused_with_its_field(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 0).await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=a", "limit"),
        ("kind=nonsense", "kind"),
        ("action=A%00", "action"),
        ("from=yesterday", "from"),
        ("to=2026-13-01T00:00:00Z", "to"),
        ("from=-5000-01-01T00:00:00Z", "from"),
        ("from=%2B10000-01-01T00:00:00Z", "from"),
        ("from=2026-11-21%2000:00:00Z", "from"),
        ("from=2026-11-21T00:00:00+02:00", "from"),
        ("reference=", "reference"),
        ("nonsense=1", "nonsense"),
        ("limit=1&limit=2", "limit"),
    ] {
        let refused = host.get(&format!("/accounts/{id}/entries?{query}")).await;
        assert_eq!(refused.problem(), (422, "invalid"), "{query}");
        let told = refused.body["errors"][0].to_string();
        assert!(told.contains(field), "{query}: {told}");
    }
}

#[sqlx::test]
async fn csv_has_the_entries_of_the_same_filter_and_no_formulas(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let id = busy(&host).await;
    for query in ["", "?kind=spend&action=render"] {
        let path = format!("/accounts/{id}/entries{query}");
        let request = host.request(Method::GET, &path).header("accept", "application/json;q=0.5, Text/CSV");
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
        let text = response.text().await.unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let heading = reader.headers().unwrap().clone();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let ids: Vec<&str> = rows.iter().map(|row| &row[0]).collect();
        let listed = all(&host, &path, 100).await;
        assert_eq!(ids, listed.iter().map(|entry| entry["id"].as_str().unwrap()).collect::<Vec<_>>());
        let place = |name: &str| heading.iter().position(|known| known == name).unwrap();
        for (row, entry) in rows.iter().zip(&listed) {
            assert_eq!(row[place("delta")], entry["delta"].to_string());
            assert_eq!(row[place("balance_after")], entry["balance_after"].to_string());
        }
        let texts: BTreeSet<&str> =
            rows.iter().flat_map(|row| [&row[place("description")], &row[place("reference")]]).collect();
        let json = host.request(Method::GET, &path).header("accept", "application/json, text/csv;q=0");
        assert_eq!(json.send().await.unwrap().headers()["content-type"], "application/json");
        assert!(texts.contains("'=job-0"), "{texts:?}");
        assert!(texts.iter().all(|text| !text.starts_with(['=', '+', '-', '@'])), "{texts:?}");
    }
}
