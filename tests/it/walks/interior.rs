//! The interior design tool: six pictures to try it, then a plan without limit.

use reqwest::Method;
use scrip::server::{auth::Credentials, store::people::Role};
use serde_json::json;
use sqlx::PgPool;

use super::Walk;
use crate::{api::host::Answer, support::PASSWORD};

const CATALOG: &str = include_str!("../../../catalogs/interior.toml");

const ACTIONS: [&str; 6] = ["interior", "exterior", "sketch", "furnish", "remove", "video"];

#[sqlx::test]
async fn the_interior_design_tool_from_six_free_pictures_to_use_without_limit_and_back(pool: PgPool) {
    let walk = Walk::begin(pool, CATALOG).await;
    for (number, action) in ACTIONS.into_iter().enumerate() {
        let metadata = json!({"style": "japandi", "room": number});
        let asked =
            json!({"feature": action, "generation_id": format!("gen-{number}"), "metadata": metadata});
        // Its page asks twice: it is paid for once.
        for _ in 0..2 {
            assert_eq!(walk.used(asked.clone()).await, 1);
        }
        let newest = walk.history(1).await.swap_remove(0);
        assert_eq!((&newest["type"], &newest["amount"]), (&"spend".into(), &(-1).into()));
        assert_eq!((&newest["generation_id"], &newest["metadata"]), (&asked["generation_id"], &metadata));
    }
    let credits = json!({"remaining": 0, "total": 6, "subscription_status": "free"});
    assert_eq!(walk.page("/api/user/credits").await, credits);

    // The seventh.
    let refused = walk.consume(json!({"feature": "interior", "generation_id": "gen-7"})).await;
    assert_eq!((refused.status.as_u16(), &refused.body["success"]), (402, &false.into()));
    assert_eq!(
        refused.body["error"],
        "This costs 1 credit, you have 0: 1 missing. Upgrade to Unlimited for use without limit."
    );

    // The plan without limit: nothing is taken, and what it would have cost is kept.
    walk.subscribe(json!({"plan": "unlimited", "paid_until": "2026-12-21T12:00:00Z"})).await;
    assert_eq!(walk.balance().await["unlimited"], true);
    for number in 7..20 {
        let done =
            walk.consume(json!({"feature": "interior", "generation_id": format!("gen-{number}")})).await;
        assert_eq!((done.body["creditsUsed"].as_i64(), done.status.as_u16()), (Some(0), 200));
    }
    let entry = walk.entries("spend").await.swap_remove(0);
    assert_eq!(
        (&entry["delta"], &entry["price"], &entry["reference"]),
        (&0.into(), &1.into(), &"gen-19".into())
    );
    let usage = walk.page("/api/user/usage").await;
    assert_eq!((&usage["isSubscribed"], &usage["subscriptionTier"]), (&true.into(), &"unlimited".into()));
    assert_eq!(usage["subscriptionEndsAt"], "2026-12-21T12:00:00Z");

    // It is not paid for again: after the grace it is over.
    walk.at("2026-12-24T11:59:59Z").await;
    assert_eq!(walk.used(json!({"feature": "sketch"})).await, 0);
    assert_eq!(walk.page("/api/user/credits").await["subscription_status"], "past_due");
    walk.at("2026-12-24T12:00:00Z").await;
    assert_eq!(walk.consume(json!({"feature": "sketch"})).await.status, 402);
    let usage = walk.page("/api/user/usage").await;
    assert_eq!((&usage["isSubscribed"], &usage["subscriptionTier"]), (&false.into(), &"free".into()));
    assert_eq!(usage["subscriptionEndsAt"], json!(null));
    assert_eq!(walk.page("/api/user/credits").await["subscription_status"], "free");
}

#[sqlx::test]
async fn an_admin_gives_more(pool: PgPool) {
    let walk = Walk::begin(pool, CATALOG).await;
    let typed = Credentials { email: "root@example.com".into(), password: PASSWORD.into() };
    walk.app.state.auth.create(typed, Role::Admin).await.unwrap();
    let root = walk.app.browser();
    root.submit("/sign-in", "sign_in", &[("email", "root@example.com"), ("password", PASSWORD)]).await;
    let grant = json!({"user_id": walk.account, "credits": 3, "reason": "The sofa had five legs"});
    let request = |browser: &crate::support::Browser| {
        let request = browser.request(Method::POST, "/api/admin/credits/grant");
        let request = request.header("origin", &walk.app.url).header("content-type", "application/json");
        Answer::of(request.body(grant.to_string()))
    };
    assert_eq!(request(&walk.customer).await.problem(), (403, "not_an_admin"));
    let given = request(&root).await.ok();
    assert_eq!((&given["success"], &given["remainingCredits"]), (&true.into(), &9.into()));
    let newest = walk.history(1).await.swap_remove(0);
    assert_eq!((&newest["type"], &newest["amount"]), (&"grant".into(), &3.into()));
    assert_eq!(newest["description"], "The sofa had five legs");
}
