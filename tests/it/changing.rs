//! Another plan for who pays for one: from the page that shows what it comes to, through the stand-in Stripe and its
//! webhooks, to the credits.

use chrono::{DateTime, Utc};
use reqwest::{Method, Response, StatusCode};
use scrip::server::{
    clock::Clock,
    jobs::{Job, Sandbox},
    stripe::SANDBOX_KEY,
};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{App, Browser, field, noon};

/// Three plans, of which the middle one can be tried.
const CATALOG: &str = r#"
    name = "Test product"
    summary = "What the tests run."
    [[actions]]
    key = "render"
    title = "Render a picture"
    cost = 1
    [[plans]]
    key = "small"
    title = "Small plan"
    monthly_credits = 100
    price = "10.00"
    currency = "usd"
    [[plans]]
    key = "tried"
    title = "Tried"
    monthly_credits = 200
    price = "20.00"
    currency = "usd"
    trial_days = 14
    [[plans]]
    key = "large"
    title = "Large"
    monthly_credits = 300
    price = "30.00"
    currency = "usd"
    [[plans]]
    key = "huge"
    title = "Huge"
    monthly_credits = 900
    price = "60.00"
    currency = "usd"
"#;

const HALF: &str = "2026-12-06T12:00:00Z";
const END: &str = "2026-12-21T12:00:00Z";
const TRIAL_END: &str = "2026-12-05T12:00:00Z";

/// A member who pays for a plan with a card, since `noon`.
struct Payer {
    app: App,
    browser: Browser,
}

impl Payer {
    async fn on(pool: PgPool, plan: &str) -> Self {
        let app = App::start_selling(pool, Clock::standing_at(noon()), CATALOG).await;
        let browser = app.member("ada@example.com").await;
        let payer = Self { app, browser };
        let attempt = field(&payer.browser.page("/buy").await, "attempt").unwrap();
        let fields = [("item", &*format!("plan:{plan}")), ("attempt", &attempt)];
        let checkout = payer.browser.submit("/buy", "buy", &fields).await;
        let page = checkout.url().path().to_owned();
        assert!(page.starts_with("/sandbox/checkout/"), "{page}");
        payer.act(&page, &[("with", "4242")]).await;
        payer
    }

    /// A form of the stand-in's pages.
    async fn act(&self, page: &str, form: &[(&str, &str)]) {
        let request = self.browser.request(Method::POST, page).header("origin", &self.app.url);
        let answer = request.form(form).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{page}: {}", answer.text().await.unwrap());
    }

    /// The latest invoice at Stripe, and how many there are.
    async fn invoices(&self) -> (Value, usize) {
        let request = self.app.browser().request(Method::GET, "/sandbox/stripe/v1/invoices");
        let list: Value = request.bearer_auth(SANDBOX_KEY).send().await.unwrap().json().await.unwrap();
        (list["data"][0].clone(), list["data"].as_array().unwrap().len())
    }

    async fn card_declines(&self) {
        let (invoice, _) = self.invoices().await;
        let id = invoice["customer"].as_str().unwrap();
        self.act("/sandbox", &[("deed", "card_declines"), ("id", id)]).await;
    }

    /// Lets time pass, and all be told that happens meanwhile.
    async fn set_clock(&self, now: &str) {
        let now: DateTime<Utc> = now.parse().unwrap();
        self.app.state.clock.set(now);
        while Sandbox.run_once(&self.app.state, now).await.unwrap().is_more {}
    }

    /// The plan, and the credits.
    async fn stands(&self) -> (String, i64) {
        let state = &self.app.state;
        let account = state.ledger.account(self.app.account_of("ada@example.com").await).await.unwrap();
        let plan = account.current_subscription().map(|current| current.terms.plan.to_string());
        (plan.unwrap_or_default(), account.available(state.clock.now()).get())
    }

    /// What the page shows of a change, and the fields of its form.
    async fn shown(&self, plan: &str) -> (Vec<String>, Vec<(&'static str, String)>) {
        let page = self.browser.page(&format!("/buy/plan/{plan}")).await;
        let sums = page.split("<dd>").skip(1).map(|rest| rest[..rest.find('<').unwrap()].to_owned());
        let names = ["plan", "charged", "price", "at", "attempt"];
        (sums.collect(), names.map(|name| (name, field(&page, name).unwrap())).to_vec())
    }

    async fn confirm(&self, fields: &[(&'static str, String)]) -> Response {
        let page = format!("/buy/plan/{}", fields[0].1);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.browser.submit(&page, "change_plan", &fields).await
    }
}

fn on(plan: &str, credits: i64) -> (String, i64) {
    (plan.to_owned(), credits)
}

#[sqlx::test]
async fn a_larger_plan_costs_what_is_shown_and_brings_the_difference_once(pool: PgPool) {
    let ada = Payer::on(pool, "small").await;
    assert_eq!(ada.stands().await, on("small", 100));
    let page = ada.browser.page("/credits").await;
    assert!(
        page.contains("Renews on 21 Dec 2026") && page.contains("Small plan") && !page.contains("plan plan")
    );
    ada.set_clock(HALF).await;
    let sent = [("item", "plan:large"), ("attempt", "a")];
    let led = ada.browser.submit("/buy", "buy", &sent).await;
    assert_eq!(led.url().path(), "/buy/plan/large", "buying another plan shows first what it comes to");
    assert_eq!(ada.stands().await, on("small", 100));
    let (sums, fields) = ada.shown("large").await;
    assert_eq!(sums, ["$10.00", "200 credits", "$30.00 per month"]);
    // Somewhat later it is still what was shown.
    ada.set_clock("2026-12-06T12:20:00Z").await;
    assert_eq!(ada.confirm(&fields).await.url().path(), "/credits");
    assert_eq!(ada.stands().await, on("large", 300));
    let (invoice, invoices) = ada.invoices().await;
    assert_eq!(
        (&invoice["amount_paid"], &invoice["billing_reason"]),
        (&json!(1_000), &json!("subscription_update"))
    );

    assert_eq!(ada.confirm(&fields).await.url().path(), "/credits", "sent twice, it is one change");
    let mut another = fields.clone();
    another[4].1 = "another".to_owned();
    assert_eq!(ada.confirm(&another).await.url().path(), "/credits");
    ada.set_clock("2026-12-07T12:00:00Z").await;
    assert_eq!((ada.stands().await, ada.invoices().await.1), (on("large", 300), invoices));
    let unchanged = ada.browser.get("/buy/plan/large").await;
    assert_eq!(unchanged.status(), StatusCode::CONFLICT);
    ada.set_clock(END).await;
    assert_eq!(
        (ada.stands().await, &ada.invoices().await.0["amount_paid"]),
        (on("large", 300), &json!(3_000))
    );
}

#[sqlx::test]
async fn a_smaller_plan_costs_nothing_now_and_begins_with_the_next_period(pool: PgPool) {
    let ada = Payer::on(pool, "large").await;
    ada.set_clock(HALF).await;
    let (sums, fields) = ada.shown("small").await;
    assert_eq!(sums, ["$0.00", "none", "$10.00 per month"]);
    ada.confirm(&fields).await;
    ada.confirm(&fields).await;
    assert_eq!((ada.stands().await, ada.invoices().await.1), (on("large", 300), 1));
    assert!(ada.browser.page("/credits").await.contains("Until 21 Dec 2026, then Small plan"));
    assert!(ada.browser.page("/buy").await.contains("Follows on 21 Dec 2026"));
    let refused = ada.browser.get("/buy/plan/huge").await.text().await.unwrap();
    assert!(refused.contains("about to change to another one"), "the difference would be to the small one");

    let (sums, fields) = ada.shown("large").await;
    assert_eq!(sums, ["$0.00", "none", "$30.00 per month"], "it can be taken back, also in the same second");
    ada.confirm(&fields).await;
    assert!(ada.browser.page("/credits").await.contains("Renews on 21 Dec 2026"));
    let (_, fields) = ada.shown("small").await;
    ada.confirm(&fields).await;
    assert!(ada.browser.page("/credits").await.contains("Until 21 Dec 2026, then Small plan"), "and again");
    ada.set_clock("2026-12-07T12:00:00Z").await;
    ada.set_clock(END).await;
    assert_eq!(
        (ada.stands().await, &ada.invoices().await.0["amount_paid"]),
        (on("small", 100), &json!(1_000))
    );
}

#[sqlx::test]
async fn a_card_that_declines_changes_nothing(pool: PgPool) {
    let ada = Payer::on(pool, "small").await;
    ada.set_clock(HALF).await;
    let (_, fields) = ada.shown("large").await;
    ada.card_declines().await;
    let page = ada.confirm(&fields).await;
    assert_eq!(page.url().path(), "/buy/plan/large");
    let page = page.text().await.unwrap();
    assert!(page.contains("Your card was declined") && page.contains("Manage payment"), "{page}");
    assert_eq!((ada.stands().await, ada.invoices().await.1), (on("small", 100), 1));
    ada.set_clock("2026-12-07T12:00:00Z").await;
    assert_eq!(ada.stands().await, on("small", 100));
}

#[sqlx::test]
async fn only_what_was_shown_is_agreed_to_and_only_for_an_hour(pool: PgPool) {
    let ada = Payer::on(pool, "small").await;
    ada.set_clock(HALF).await;
    let (_, fields) = ada.shown("large").await;
    let at: i64 = fields[3].1.parse().unwrap();
    // Reckoned from the end of the period, it would cost next to nothing.
    let wrong = [
        (1, "999".to_owned()),
        (1, "0".to_owned()),
        (2, "2000".to_owned()),
        (3, (at + 1_000_000).to_string()),
        (3, "0".to_owned()),
    ];
    for (place, value) in wrong {
        let mut fields = fields.clone();
        fields[place].1 = value;
        let page = ada.confirm(&fields).await.text().await.unwrap();
        assert!(page.contains("has changed since it was shown"), "{fields:?}");
    }
    ada.set_clock("2026-12-06T13:00:01Z").await;
    assert!(ada.confirm(&fields).await.text().await.unwrap().contains("has changed since it was shown"));
    assert_eq!((ada.stands().await, ada.invoices().await.1), (on("small", 100), 1));
}

#[sqlx::test]
async fn who_has_not_paid_pays_before_anything_is_changed(pool: PgPool) {
    let ada = Payer::on(pool, "small").await;
    let (_, fields) = ada.shown("large").await;
    ada.card_declines().await;
    ada.set_clock(END).await;
    let page = ada.browser.get("/buy/plan/large").await;
    assert_eq!(page.status(), StatusCode::CONFLICT);
    let page = page.text().await.unwrap();
    assert!(page.contains("Your plan is not paid") && page.contains("/fn/open_billing_portal"), "{page}");
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(ada.browser.call("change_plan", &fields).await.status(), StatusCode::CONFLICT);
    assert_eq!(ada.stands().await, on("small", 100), "in its grace");
}

#[sqlx::test]
async fn in_a_trial_another_plan_comes_with_the_first_period_that_is_paid(pool: PgPool) {
    let ada = Payer::on(pool, "tried").await;
    assert_eq!(ada.stands().await, on("tried", 200));
    assert!(ada.browser.page("/credits").await.contains("Trial until 5 Dec 2026, then $20.00 per month"));
    assert!(ada.browser.page("/buy").await.contains("Your trial"));
    ada.set_clock("2026-11-21T13:00:00Z").await;
    let (sums, fields) = ada.shown("large").await;
    assert_eq!(sums, ["$0.00", "none", "$30.00 per month"]);
    ada.confirm(&fields).await;
    ada.set_clock("2026-11-22T12:00:00Z").await;
    assert_eq!((ada.stands().await, ada.invoices().await.1), (on("tried", 200), 1));
    let told = "Trial until 5 Dec 2026, then Large for $30.00 per month";
    assert!(ada.browser.page("/credits").await.contains(told));
    ada.set_clock(TRIAL_END).await;
    assert_eq!(
        (ada.stands().await, &ada.invoices().await.0["amount_paid"]),
        (on("large", 300), &json!(3_000))
    );
}

#[sqlx::test]
async fn a_plan_that_was_to_end_goes_on_with_the_change(pool: PgPool) {
    let ada = Payer::on(pool, "large").await;
    let portal = ada.browser.submit("/credits", "open_billing_portal", &[]).await;
    let (invoice, _) = ada.invoices().await;
    let id = invoice["parent"]["subscription_details"]["subscription"].as_str().unwrap();
    ada.set_clock(HALF).await;
    // All within one second, which is all that Stripe's events say.
    ada.act(portal.url().path(), &[("subscription", id), ("deed", "end")]).await;
    assert!(ada.browser.page("/credits").await.contains("Ends on 21 Dec 2026"));
    assert!(ada.browser.page("/buy/plan/small").await.contains("was to end on 21 Dec 2026: now it goes on"));
    let (_, fields) = ada.shown("small").await;
    ada.confirm(&fields).await;
    assert!(ada.browser.page("/credits").await.contains("Until 21 Dec 2026, then Small plan"));
    ada.act(portal.url().path(), &[("subscription", id), ("deed", "end")]).await;
    assert!(ada.browser.page("/credits").await.contains("Ends on 21 Dec 2026"), "it can be ended again");
    let (_, fields) = ada.shown("large").await;
    ada.confirm(&fields).await;
    ada.set_clock(END).await;
    assert_eq!(ada.stands().await, on("large", 300));
}
