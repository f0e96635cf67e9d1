//! The video tools: what is left of a month rolls over once, packs last 90 days and go first.

use std::slice;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::Walk;

const CATALOG: &str = include_str!("../../../catalogs/video.toml");

impl Walk {
    /// A pack, bought now and good for so many days; its lot.
    async fn pack(&self, order: &str, credits: i64, days: i64) -> Value {
        let end: DateTime<Utc> = self.app.state.clock.now() + TimeDelta::days(days);
        let pack = json!({"amount": credits, "source": "pack", "reason": "Small pack", "expires_at": end});
        self.grant(order, pack).await["id"].clone()
    }

    /// A clip of so many credits; the lots that paid.
    async fn clip(&self, credits: i64) -> Vec<Value> {
        assert_eq!(self.used(json!({"feature": "clip", "units": credits * 2})).await, credits);
        let spend = self.entries("spend").await.swap_remove(0);
        spend["allocations"].as_array().unwrap().iter().map(|part| part["lot"].clone()).collect()
    }
}

#[sqlx::test]
async fn what_is_left_of_a_month_rolls_over_up_to_twice_the_allowance(pool: PgPool) {
    let walk = Walk::begin(pool, CATALOG).await;
    assert_eq!(walk.remaining().await, 10);
    walk.clip(10).await;
    walk.subscribe(json!({"plan": "creator"})).await;

    // 30 % are used: 70 % go on.
    walk.clip(30).await;
    walk.at("2026-12-21T12:00:00Z").await;
    assert_eq!((walk.remaining().await, walk.entries("expiry").await.len()), (170, 0));

    // Nothing is used: what is beyond twice the allowance ends by an entry of its own.
    for (renewal, excess) in [("2027-01-21T12:00:00Z", -70), ("2027-02-21T12:00:00Z", -100)] {
        walk.at(renewal).await;
        let expiry = walk.entries("expiry").await.swap_remove(0);
        assert_eq!((&expiry["delta"], &expiry["at"]), (&excess.into(), &renewal.into()));
        let renewed = walk.entries("renewal").await.swap_remove(0);
        assert_eq!((&renewed["delta"], &renewed["at"]), (&100.into(), &renewal.into()));
        assert_eq!(walk.remaining().await, 200);
    }
    // In the customer's own history too.
    let newest = walk.history(2).await;
    assert_eq!([&newest[0]["type"], &newest[1]["type"]], ["expiry", "renewal"]);
    assert_eq!(newest[1]["description"], "Creator plan: 200 credits");
}

#[sqlx::test]
async fn packs_go_before_the_months_credits_and_outlive_the_subscription(pool: PgPool) {
    let walk = Walk::begin(pool, CATALOG).await;
    walk.clip(10).await;
    let monthly = walk.subscribe(json!({"plan": "creator"})).await;
    assert_eq!(monthly["credits_until"], "2026-12-21T12:00:00Z");

    // The pack lapses long after the month's credits, and is spent before them.
    let long = walk.pack("order-1", 50, 90).await;
    assert_eq!(walk.clip(10).await, slice::from_ref(&long));
    // Of two packs the first to lapse, whichever was bought first.
    let short = walk.pack("order-2", 50, 60).await;
    assert_eq!(walk.clip(20).await, slice::from_ref(&short));
    assert_eq!(walk.clip(40).await, [short, long.clone()]);
    assert_eq!(walk.remaining().await, 130);

    // A renewal does not touch it, nor does the end.
    walk.at("2026-12-21T12:00:00Z").await;
    assert_eq!(walk.remaining().await, 230);
    walk.unsubscribe().await;
    walk.at("2027-01-21T12:00:00Z").await;
    assert_eq!(walk.remaining().await, 30);
    assert_eq!(walk.page("/api/user/credits").await["subscription_status"], "free");
    assert_eq!(walk.clip(1).await, [long]);
    // Ninety days after it was bought it is over.
    walk.at("2027-02-19T11:59:59Z").await;
    assert_eq!(walk.remaining().await, 29);
    walk.at("2027-02-19T12:00:00Z").await;
    assert_eq!(walk.remaining().await, 0);
}

#[sqlx::test]
async fn at_a_fifth_of_the_months_credits_the_level_is_low(pool: PgPool) {
    let walk = Walk::begin(pool, CATALOG).await;
    walk.clip(10).await;
    walk.subscribe(json!({"plan": "creator"})).await;
    for (spent, level) in [(79, "comfortable"), (1, "low"), (20, "empty")] {
        walk.clip(spent).await;
        assert_eq!(walk.balance().await["level"], level, "{}", walk.remaining().await);
    }
    let refused = walk.consume(json!({"feature": "clip", "units": 3})).await;
    assert_eq!(refused.status, 402);
    assert_eq!(
        refused.body["error"],
        "This costs 2 credits, you have 0: 2 missing. Upgrade to Studio for 500 credits a month."
    );
    walk.at("2026-12-21T12:00:00Z").await;
    assert_eq!(walk.balance().await["level"], "comfortable");
}

#[sqlx::test]
async fn a_plan_that_is_billed_by_the_year_brings_its_credits_by_the_month(pool: PgPool) {
    let walk = Walk::begin(pool, CATALOG).await;
    walk.clip(10).await;
    walk.subscribe(json!({"plan": "studio_yearly", "paid_until": "2027-11-21T12:00:00Z"})).await;
    assert_eq!(walk.remaining().await, 500);
    walk.at("2027-11-21T11:59:59Z").await;
    assert_eq!((walk.remaining().await, walk.entries("renewal").await.len()), (1_000, 11));
    walk.at("2027-11-24T12:00:00Z").await;
    assert_eq!(walk.remaining().await, 0);
}
