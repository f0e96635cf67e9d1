//! What the calls do, one after the other as a host makes them.

use serde_json::json;
use sqlx::PgPool;

use super::host::Host;
use crate::support::App;

#[sqlx::test]
async fn an_account_is_made_once_and_found_by_either_name(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let ada = json!({"external_id": "user 7/é", "name": "Ada", "email": "ada@example.com"});
    let made = host.post("/accounts", ada.clone()).await;
    assert_eq!(made.status, 201);
    let again = host.post("/accounts", json!({"external_id": "user 7/é", "name": "Bob"})).await;
    assert_eq!((again.status.as_u16(), &again.body), (200, &made.body));
    let id = made.body["id"].as_str().unwrap();
    for name in [id, "ext_user%207%2F%C3%A9"] {
        assert_eq!(host.get(&format!("/accounts/{name}")).await.ok(), made.body, "{name}");
    }
    assert_eq!(host.available(id).await, 10, "what the catalog gives at sign-up");
    for name in ["acct_00000000000000000000000000000007", "ext_nobody", "nonsense"] {
        for path in ["", "/balance", "/lots", "/entries", "/usage", "/events"] {
            let answer = host.get(&format!("/accounts/{name}{path}")).await;
            assert_eq!(answer.problem(), (404, "unknown_account"), "{name}{path}");
        }
    }
}

#[sqlx::test]
async fn fifty_at_once_make_one_account(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let made = futures_util::future::join_all(
        (0..50).map(|_| host.post("/accounts", json!({"external_id": "one"}))),
    );
    let made = made.await;
    assert_eq!(made.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(made.iter().all(|answer| answer.body["id"] == made[0].body["id"]));
    assert_eq!(host.available("ext_one").await, 10);
}

#[sqlx::test]
async fn an_account_of_somebody_who_signed_up_is_seen_as_well(pool: PgPool) {
    let app = App::start(pool).await;
    let _ada = app.member("ada@example.com").await;
    let id = app.account_of("ada@example.com").await;
    let account = Host::of(&app).await.get(&format!("/accounts/{id}")).await.ok();
    assert_eq!((&account["email"], &account["external_id"]), (&"ada@example.com".into(), &json!(null)));
}

#[sqlx::test]
async fn a_spend_takes_what_its_quote_says(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 100).await;
    let order = json!({"account": "ext_ada", "action": "complete", "units": 4001});
    let quote = host.post("/quotes", order).await.ok();
    assert_eq!((&quote["cost"], &quote["available_after"]), (&3.into(), &107.into()));
    assert_eq!((&quote["allowed"], &quote["shortfall"]), (&true.into(), &0.into()));
    let spend = json!({
        "account": id, "action": "complete", "units": 4001, "cost": 3,
        "reference": "job-7", "description": "A poem", "metadata": {"seed": 7.0},
    });
    let entry = host.command("/spends", "a", spend).await.ok();
    assert_eq!(entry["allocations"], quote["lots"]);
    assert_eq!(
        (&entry["delta"], &entry["balance_after"], &entry["price"]),
        (&(-3).into(), &107.into(), &3.into())
    );
    assert_eq!(
        (&entry["kind"], &entry["action"], &entry["units"]),
        (&"spend".into(), &"complete".into(), &4001.into())
    );
    assert_eq!((&entry["reference"], &entry["metadata"]), (&"job-7".into(), &json!({"seed": 7.0})));
    let stale = json!({"account": id, "action": "render", "cost": 2});
    let refused = host.command("/spends", "b", stale).await;
    assert_eq!((refused.problem(), &refused.body["cost"]), ((409, "price_changed"), &1.into()));
    let unknown = host.command("/spends", "b", json!({"account": id, "action": "paint"})).await;
    assert_eq!(unknown.problem(), (404, "unknown_action"));
}

#[sqlx::test]
async fn too_few_credits_are_refused_with_what_is_missing(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 0).await;
    for path in ["/spends", "/holds"] {
        let refused = host.command(path, "a", json!({"account": id, "amount": 12})).await;
        assert_eq!(refused.problem(), (402, "insufficient_credits"));
        let told = ["needed", "available", "shortfall"].map(|field| refused.body[field].as_i64().unwrap());
        assert_eq!(told, [12, 10, 2]);
        assert_eq!(refused.body["topup_url"], format!("{}/buy", app.state.base_url));
    }
    let quote = host.post("/quotes", json!({"account": id, "amount": 12})).await.ok();
    assert_eq!((&quote["allowed"], &quote["shortfall"]), (&false.into(), &2.into()));
    assert_eq!(
        (&quote["refusal"], &quote["available_after"]),
        (&"insufficient_credits".into(), &json!(null))
    );
    assert_eq!(host.version(&id).await, 1);
}

#[sqlx::test]
async fn a_hold_is_captured_for_what_the_work_came_to_or_released(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 0).await;
    let balance = async || {
        let told = host.get(&format!("/accounts/{id}/balance")).await.ok();
        (told["available"].as_i64().unwrap(), told["held"].as_i64().unwrap())
    };
    let order = json!({"account": id, "amount": 6, "expires_in": 60, "reference": "job"});
    let hold = host.command("/holds", "h", order).await.ok();
    assert_eq!((&hold["amount"], &hold["price"]), (&6.into(), &6.into()));
    assert_eq!(balance().await, (4, 6));
    let path = format!("/holds/{}", hold["id"].as_str().unwrap());
    let captured = host.command(&format!("{path}/capture"), "c", json!({"amount": 2})).await.ok();
    assert_eq!((&captured["price"], &captured["hold"]), (&2.into(), &hold["id"]));
    assert_eq!(balance().await, (8, 0));
    let again = host.command(&format!("{path}/release"), "r", json!({})).await;
    assert_eq!(again.problem(), (409, "hold_closed"));

    let hold = host.command("/holds", "h2", json!({"account": id, "action": "render"})).await.ok();
    let path = format!("/holds/{}", hold["id"].as_str().unwrap());
    let too_much = host.command(&format!("{path}/capture"), "c2", json!({"amount": 9})).await;
    assert_eq!(too_much.problem(), (402, "insufficient_credits"));
    // Without a body at all.
    let release = host.request(reqwest::Method::POST, &format!("{path}/release"));
    let released = super::host::Answer::of(release.header("idempotency-key", "r2")).await;
    assert_eq!(released.status, 201, "{}", released.body);
    assert_eq!(balance().await, (8, 0));
    for hold in [
        "%FF",
        "hold_00000000000000000000000000000007_1",
        &hold["entry"].as_str().unwrap().replace("entry", "hold"),
        "x",
    ] {
        let answer = host.command(&format!("/holds/{hold}/capture"), "c3", json!({})).await;
        assert!([(404, "unknown_hold"), (409, "hold_closed")].contains(&answer.problem()), "{hold}");
    }
}

#[sqlx::test]
async fn a_refund_gives_back_what_was_taken_and_no_more(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 0).await;
    let spent = host.command("/spends", "s", json!({"account": id, "amount": 5})).await.ok();
    let refund = |amount| json!({"spend": spent["id"], "amount": amount, "reason": "It failed"});
    let part = host.command("/refunds", "r", refund(json!(2))).await.ok();
    assert_eq!((&part["delta"], &part["spend"]), (&2.into(), &spent["id"]));
    let too_much = host.command("/refunds", "r2", refund(json!(4))).await;
    assert_eq!(too_much.problem(), (422, "refund_too_large"));
    assert_eq!(too_much.body["refundable"], 3);
    let rest = host.command("/refunds", "r2", refund(json!(null))).await.ok();
    assert_eq!((&rest["delta"], host.available(&id).await), (&3.into(), 10));
    for spend in [json!("entry_00000000000000000000000000000007_1"), part["id"].clone()] {
        let refused = host.command("/refunds", "r3", json!({"spend": spend, "reason": "No"})).await;
        assert_eq!(refused.problem(), (404, "unknown_spend"));
    }
}

#[sqlx::test]
async fn a_grant_is_a_lot_that_can_be_void(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 0).await;
    let grant = json!({
        "amount": 20, "source": "bonus", "priority": 5, "reason": "Thanks",
        "effective_at": "2030-01-01T00:00:00Z", "expires_at": "2031-01-01T00:00:00+01:00",
    });
    let lot = host.command(&format!("/accounts/{id}/grants"), "g", grant).await.ok();
    assert_eq!(
        (&lot["state"], &lot["granted"], &lot["remaining"]),
        (&"scheduled".into(), &20.into(), &20.into())
    );
    assert_eq!((&lot["priority"], &lot["expires_at"]), (&5.into(), &"2030-12-31T23:00:00Z".into()));
    let balance = host.get(&format!("/accounts/{id}/balance")).await.ok();
    assert_eq!((&balance["available"], &balance["scheduled"]), (&10.into(), &20.into()));
    let path = format!("/lots/{}/void", lot["id"].as_str().unwrap());
    let void = host.command(&path, "v", json!({"reason": "A mistake"})).await.ok();
    assert_eq!((&void["kind"], &void["delta"]), (&"void".into(), &(-20).into()));
    let again = host.command(&path, "v2", json!({"reason": "A mistake"})).await;
    assert_eq!(again.problem(), (409, "lot_empty"));
    let unknown =
        host.command("/lots/lot_00000000000000000000000000000007_1/void", "v3", json!({"reason": "?"}));
    assert_eq!(unknown.await.problem(), (404, "unknown_lot"));
    let late =
        json!({"amount": 1, "source": "bonus", "reason": "Late", "expires_at": "2020-01-01T00:00:00Z"});
    let late = host.command(&format!("/accounts/{id}/grants"), "g2", late).await;
    assert_eq!(late.problem(), (422, "expires_too_early"));
}

#[sqlx::test]
async fn a_batch_has_an_outcome_for_each_of_its_spends(pool: PgPool) {
    let app = App::start(pool).await;
    let host = Host::of(&app).await;
    let (ada, _bob) = (host.account("ada", 0).await, host.account("bob", 0).await);
    let spends = json!([
        {"idempotency_key": "1", "account": "ext_ada", "amount": 4},
        {"idempotency_key": "2", "account": "ext_bob", "action": "render"},
        {"idempotency_key": "3", "account": "ext_ada", "amount": 7},
        {"idempotency_key": "4", "account": "ext_nobody", "amount": 1},
        {"idempotency_key": "5", "account": "ext_bob", "action": "paint"},
        {"idempotency_key": "1", "account": "ext_ada", "amount": 4},
        {"idempotency_key": "1", "account": "ext_ada", "amount": 5},
        {"idempotency_key": "6", "account": ada, "amount": 6},
    ]);
    let batch = host.post("/spends/batch", json!({"spends": spends})).await.ok();
    let outcomes = batch["outcomes"].as_array().unwrap();
    let statuses: Vec<i64> = outcomes.iter().map(|outcome| outcome["status"].as_i64().unwrap()).collect();
    assert_eq!(statuses, [201, 201, 402, 404, 404, 201, 422, 201]);
    assert_eq!(outcomes[2]["problem"]["needed"], 7);
    assert_eq!((&outcomes[5]["replayed"], &outcomes[5]["entry"]), (&true.into(), &outcomes[0]["entry"]));
    assert_eq!(outcomes[6]["problem"]["code"], "key_reused");
    assert_eq!((host.available(&ada).await, host.available("ext_bob").await), (0, 9));
    let thousand: Vec<_> = (0..1_000)
        .map(|number| json!({"idempotency_key": format!("k{number}"), "account": "ext_bob", "amount": 1}))
        .collect();
    let batch = host.post("/spends/batch", json!({"spends": thousand})).await.ok();
    let done = batch["outcomes"].as_array().unwrap().iter().filter(|outcome| outcome["status"] == 201);
    assert_eq!((done.count(), host.available("ext_bob").await), (9, 0));
}

#[sqlx::test]
async fn usage_counts_what_was_run_per_month_and_action(pool: PgPool) {
    let clock = scrip::server::clock::Clock::standing_at(crate::support::noon());
    let app = App::start_with(pool, clock.clone(), crate::support::CATALOG).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 90).await;
    let spend = async |key: &str, order: serde_json::Value| {
        let mut spend = json!({"account": id});
        spend.as_object_mut().unwrap().extend(order.as_object().unwrap().clone());
        host.command("/spends", key, spend).await.ok()
    };
    spend("1", json!({"action": "complete", "units": 4001})).await;
    spend("2", json!({"action": "complete", "units": 1})).await;
    clock.set("2026-12-21T12:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap());
    spend("3", json!({"action": "render"})).await;
    spend("4", json!({"amount": 5})).await;
    let hold = host.command("/holds", "5", json!({"account": id, "action": "render"})).await.ok();
    let path = format!("/holds/{}/capture", hold["id"].as_str().unwrap());
    host.command(&path, "6", json!({"amount": 3})).await.ok();
    let usage = host.get(&format!("/accounts/{id}/usage")).await.ok();
    let expected = json!([
        {"month": "2026-12-21T12:00:00Z", "action": null, "count": 1, "units": 0, "credits": 5},
        {"month": "2026-12-21T12:00:00Z", "action": "render", "count": 2, "units": 0, "credits": 4},
        {"month": "2026-11-21T12:00:00Z", "action": "complete", "count": 2, "units": 4002, "credits": 4},
    ]);
    assert_eq!(usage, json!({"data": expected, "has_more": false}));
    let november = host.get(&format!("/accounts/{id}/usage?to=2026-12-01T00:00:00Z")).await.ok();
    assert_eq!(november["data"].as_array().unwrap().len(), 1);
}

#[sqlx::test]
async fn the_catalog_is_what_the_file_says(pool: PgPool) {
    let app = App::start(pool).await;
    let catalog = Host::of(&app).await.get("/catalog").await.ok();
    assert_eq!((&catalog["name"], &catalog["low_balance"]), (&"Test product".into(), &2.into()));
    assert_eq!(catalog["signup"], json!({"credits": 10, "expires_days": null}));
    assert_eq!(
        (&catalog["actions"][0]["cost"], &catalog["actions"][1]["units_per_credit"]),
        (&1.into(), &2000.into())
    );
}

#[sqlx::test]
async fn a_catalog_may_have_too_few_credits_refused_with_429(pool: PgPool) {
    let catalog = crate::support::CATALOG.replace("low_balance", "insufficient_status = 429\nlow_balance");
    let app = App::start_with(pool, scrip::server::clock::Clock::default(), &catalog).await;
    let host = Host::of(&app).await;
    let id = host.account("ada", 0).await;
    let refused = host.command("/spends", "a", json!({"account": id, "amount": 12})).await;
    assert_eq!(refused.problem(), (429, "insufficient_credits"));
}
