//! The code generator: a credit is 2,000 tokens, everybody begins on a free plan and falls back to it by themselves.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::Walk;

const CATALOG: &str = include_str!("../../../catalogs/tokens.toml");

impl Walk {
    /// One request to the model, of as many tokens as a credit is.
    async fn request(&self) -> Value {
        let answer = self.consume(json!({"feature": "generate"})).await.ok();
        assert_eq!((&answer["creditsUsed"], &answer["creditInfo"]["tokensUsed"]), (&1.into(), &2_000.into()));
        answer["creditInfo"]["totalTokensUsed"].clone()
    }

    /// Tokens used in all, and in the month.
    async fn tokens(&self) -> (i64, i64) {
        let used = self.page("/api/user/usage").await["tokensUsed"].clone();
        (used["lifetime"].as_i64().unwrap(), used["monthly"].as_i64().unwrap())
    }

    /// What the pages know of the subscription: its status, whether there is one, its plan, its end.
    async fn subscription(&self) -> (Value, Value, Value, Value) {
        let (credits, usage) = (self.page("/api/user/credits").await, self.page("/api/user/usage").await);
        let [is_subscribed, tier, ends_at] =
            ["isSubscribed", "subscriptionTier", "subscriptionEndsAt"].map(|field| usage[field].clone());
        (credits["subscription_status"].clone(), is_subscribed, tier, ends_at)
    }
}

fn on(status: &str, is_subscribed: bool, tier: &str, ends_at: Option<&str>) -> (Value, Value, Value, Value) {
    (status.into(), is_subscribed.into(), tier.into(), ends_at.into())
}

#[sqlx::test]
async fn the_code_generator_from_the_free_plan_to_a_larger_one_and_back(pool: PgPool) {
    let walk = Walk::begin(pool, CATALOG).await;

    // Five requests are free: 10,000 tokens.
    assert_eq!((walk.remaining().await, walk.subscription().await), (5, on("free", false, "free", None)));
    for number in 1..=5 {
        assert_eq!(walk.request().await, number * 2_000);
    }
    let refused = walk.consume(json!({"feature": "generate"})).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (429, &"insufficient_credits".into()));
    assert_eq!(
        refused.body["error"],
        "This costs 1 credit, you have 0: 1 missing. Upgrade to Pro for 100 credits a month."
    );
    assert_eq!((&refused.body["success"], &refused.body["remainingCredits"]), (&false.into(), &0.into()));
    assert_eq!(walk.tokens().await, (10_000, 10_000));

    // Pro, for a month that is paid.
    walk.subscribe(json!({"plan": "pro", "paid_until": "2026-12-21T12:00:00Z"})).await;
    let until_december = on("active", true, "pro", Some("2026-12-21T12:00:00Z"));
    assert_eq!((walk.remaining().await, walk.subscription().await), (100, until_december));
    // A credit for every 2,000 tokens begun.
    assert_eq!(walk.used(json!({"feature": "generate", "units": 2_001})).await, 2);
    assert_eq!(walk.tokens().await, (12_001, 12_001));

    // The next month is paid for: it goes on. The month's count begins anew, the other does not.
    walk.subscribe(json!({"plan": "pro", "paid_until": "2027-01-21T12:00:00Z"})).await;
    assert_eq!(walk.subscription().await, on("active", true, "pro", None));
    assert_eq!(walk.page("/api/user/usage").await["monthlyResetDate"], "2026-12-21T12:00:00Z");
    walk.at("2026-12-21T12:00:00Z").await;
    assert_eq!((walk.remaining().await, walk.tokens().await), (100, (12_001, 0)));
    assert_eq!(walk.request().await, 14_001);
    assert_eq!(walk.tokens().await, (14_001, 2_000));
    assert_eq!(walk.page("/api/user/usage").await["monthlyResetDate"], "2027-01-21T12:00:00Z");
    let until_january = on("active", true, "pro", Some("2027-01-21T12:00:00Z"));
    assert_eq!(walk.subscription().await, until_january);

    // Bonus credits are spent before the month's, and outlive it.
    walk.grant("thanks", json!({"amount": 10, "source": "bonus", "reason": "For a good bug report"})).await;
    assert_eq!(walk.remaining().await, 109);
    walk.request().await;
    assert_eq!(walk.history(2).await[1]["description"], "For a good bug report");

    // Nobody pays: after the grace it is the free plan, by itself.
    walk.at("2027-01-21T12:00:00Z").await;
    let past_due = on("past_due", true, "pro", Some("2027-01-21T12:00:00Z"));
    assert_eq!((walk.remaining().await, walk.subscription().await), (108, past_due));
    walk.at("2027-01-24T12:00:00Z").await;
    assert_eq!((walk.remaining().await, walk.subscription().await), (14, on("free", false, "free", None)));
    assert_eq!(walk.tokens().await, (16_001, 0));

    // A larger plan at once, a smaller one with the next month.
    walk.subscribe(json!({"plan": "enterprise"})).await;
    assert_eq!(walk.remaining().await, 1_014);
    let changed = walk.subscribe(json!({"plan": "pro"})).await;
    assert_eq!((&changed["plan"], &changed["next_plan"]), (&"enterprise".into(), &"pro".into()));
    assert_eq!(walk.subscription().await, on("active", true, "enterprise", None));
    walk.at("2027-02-24T12:00:00Z").await;
    assert_eq!((walk.remaining().await, walk.subscription().await), (109, on("active", true, "pro", None)));

    // And ended for good.
    walk.unsubscribe().await;
    assert_eq!(walk.subscription().await, on("canceled", true, "pro", Some("2027-03-24T12:00:00Z")));
    walk.at("2027-03-24T12:00:00Z").await;
    assert_eq!((walk.remaining().await, walk.subscription().await), (14, on("free", false, "free", None)));
}

#[sqlx::test]
async fn a_month_that_ends_between_two_requests_is_counted_to_each(pool: PgPool) {
    let walk = Walk::begin(pool, CATALOG).await;
    walk.at("2026-12-21T11:59:59.999999Z").await;
    walk.request().await;
    assert_eq!(walk.tokens().await, (2_000, 2_000));
    walk.at("2026-12-21T12:00:00Z").await;
    assert_eq!(walk.tokens().await, (2_000, 0));
    walk.request().await;
    assert_eq!(walk.tokens().await, (4_000, 2_000));
    let months = walk.host.get(&format!("/accounts/{}/usage", walk.account)).await.ok();
    let months: Vec<_> =
        months["data"].as_array().unwrap().iter().map(|row| (&row["month"], &row["units"])).collect();
    let expected =
        [(&json!("2026-12-21T12:00:00Z"), &json!(2_000)), (&json!("2026-11-21T12:00:00Z"), &json!(2_000))];
    assert_eq!(months, expected);
}
