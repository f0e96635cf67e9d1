//! Buying, as a browser sees it, with and without JavaScript: what is for sale, what became of a purchase, and what only
//! admins may see.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use scrip::{
    domain::AccountId,
    server::{
        auth::Credentials,
        clock::Clock,
        purchases::{
            self,
            start::{NewPurchase, PURCHASE, Wanted, start},
        },
        store::{people::Role, purchases as store},
        stripe::{About, Charge, Checkout, Dispute, Event, Funds, Money, Payment},
        subscriptions,
    },
};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    purchases::{counter::Counter, session_of},
    support::{App, Browser, PASSWORD, field},
};

/// Ten credits to begin with; two packs, three plans; an action that nobody can pay at first, and one that no pack covers.
const CATALOG: &str = r#"
    name = "Test product"
    summary = "What the tests run."
    [signup]
    credits = 10
    [[actions]]
    key = "film"
    title = "Make a film"
    unit = "seconds"
    units_per_credit = 1
    [[packs]]
    key = "small"
    title = "Small pack"
    credits = 50
    price = "9.00"
    currency = "usd"
    [[packs]]
    key = "large"
    title = "Large pack"
    credits = 250
    price = "39.00"
    currency = "usd"
    [[plans]]
    key = "free"
    title = "Free"
    monthly_credits = 5
    [[plans]]
    key = "studio"
    title = "Studio"
    monthly_credits = 500
    price = "49.00"
    currency = "usd"
"#;

async fn app(pool: PgPool) -> App {
    App::start_with(pool, Clock::default(), CATALOG).await
}

/// Sells nothing for money.
async fn closed(pool: PgPool) -> App {
    App::start(pool).await
}

/// A purchase of the small pack that its buyer went to pay.
async fn begun(app: &App, account: AccountId) -> Uuid {
    let small = NewPurchase {
        item: Wanted::Pack("small"),
        attempt: &app.state.clock.new_id().to_string(),
        success_url: &format!("{}/buy/{PURCHASE}?paid&return_to=/actions/film%3Funits%3D20", app.url),
        cancel_url: &format!("{}/buy/{PURCHASE}?canceled&return_to=/actions/film%3Funits%3D20", app.url),
        saves_card: false,
    };
    start(&app.state, &Counter::default(), account, small).await.unwrap().id
}

/// Stripe tells of the purchase's payment page.
async fn told(app: &App, id: Uuid, payment: Payment) {
    let checkout = Checkout {
        id: session_of(id),
        purchase: Some(id),
        payment,
        total: Some(usd(900)),
        customer: None,
        payment_intent: (payment != Payment::Expired).then(|| format!("pi_{id}")),
        subscription: None,
    };
    tell(app, About::Checkout(checkout)).await;
}

/// Stripe tells how much of its money went back.
async fn refunded(app: &App, id: Uuid, refunded: i64) {
    let charge = Charge {
        id: format!("ch_{id}"),
        payment_intent: Some(format!("pi_{id}")),
        is_paid: true,
        total: usd(900),
        refunded,
        receipt_url: Some("https://pay.example.com/receipt".to_owned()),
    };
    tell(app, About::Charge(charge)).await;
}

/// Stripe tells of a dispute over all of it.
async fn disputed(app: &App, id: Uuid, funds: Funds) {
    let dispute = Dispute {
        id: format!("dp_{id}"),
        payment_intent: Some(format!("pi_{id}")),
        total: usd(900),
        status: "needs_response".to_owned(),
        funds: Some(funds),
    };
    tell(app, About::Dispute(dispute)).await;
}

async fn tell(app: &App, about: About) {
    let event =
        Event { id: "evt".into(), kind: "any".into(), created: app.state.clock.now(), is_live: false, about };
    let mut transaction = app.state.pool.begin().await.unwrap();
    let applied = purchases::apply(&app.state, &mut transaction, &event).await.unwrap();
    assert_eq!(applied.ignored, None);
    transaction.commit().await.unwrap();
}

fn usd(minor: i64) -> Money {
    Money { minor, currency: "usd".to_owned() }
}

async fn admin(app: &App) -> Browser {
    let typed = Credentials { email: "root@example.com".into(), password: PASSWORD.into() };
    app.state.auth.create(typed, Role::Admin).await.unwrap();
    let browser = app.browser();
    let typed = [("email", "root@example.com"), ("password", PASSWORD)];
    assert_eq!(browser.submit("/sign-in", "sign_in", &typed).await.url().path(), "/actions");
    browser
}

#[sqlx::test]
async fn whoever_is_signed_out_signs_in_first_and_comes_back_to_what_they_chose(pool: PgPool) {
    let app = app(pool).await;
    let asked = app.browser().get("/buy?pack=small").await;
    assert_eq!((asked.url().path(), asked.url().query()), ("/sign-in", Some("next=/buy%3Fpack%3Dsmall")));
}

#[sqlx::test]
async fn packs_and_plans_stand_side_by_side_with_what_a_credit_costs(pool: PgPool) {
    let app = app(pool).await;
    let ada = app.member("ada@example.com").await;
    let page = ada.page("/buy?pack=large&return_to=/history").await;
    for words in
        ["Small pack", "$9.00", "$0.18 per credit", "$0.156 per credit", "Studio", "$49.00 per month"]
    {
        assert!(page.contains(words), "{words}");
    }
    assert!(page.contains("This is a sandbox"), "no money is about");
    assert_eq!(field(&page, "item").as_deref(), Some("pack:small"));
    assert_eq!(field(&page, "return_to").as_deref(), Some("/history"));
    assert!(!page.contains("value=\"plan:free\""), "what costs nothing is not bought");
    assert_eq!(page.matches("button primary").count(), 1, "what was chosen stands out");
    assert!(ada.page("/actions").await.contains("href=\"/buy\""), "the way there is on every page");
}

#[sqlx::test]
async fn a_plan_that_is_billed_by_another_interval_waits_for_the_end_of_the_present_one(pool: PgPool) {
    let yearly = r#"
        [[plans]]
        key = "yearly"
        title = "A year"
        monthly_credits = 900
        price = "490.00"
        currency = "usd"
        interval = "year"
    "#;
    let app = App::start_with(pool, Clock::default(), &format!("{CATALOG}{yearly}")).await;
    let ada = app.member("ada@example.com").await;
    assert!(ada.page("/buy").await.contains("value=\"plan:yearly\""));
    let plan = "studio".to_owned().try_into().unwrap();
    let wanted = subscriptions::Wanted { plan, anchor: None, paid_until: None, is_trial: false, key: None };
    subscriptions::put(&app.state, app.account_of("ada@example.com").await, wanted).await.unwrap();
    let page = ada.page("/buy").await;
    assert!(page.contains("Billed by another interval") && !page.contains("value=\"plan:yearly\""));
}

#[sqlx::test]
async fn a_product_that_sells_nothing_has_no_way_to_buy(pool: PgPool) {
    let app = closed(pool).await;
    let ada = app.member("ada@example.com").await;
    assert!(!ada.page("/actions").await.contains("href=\"/buy\""));
    assert!(!ada.page("/credits").await.contains("href=\"/buy\""));
}

#[sqlx::test]
async fn a_shortfall_offers_the_smallest_pack_that_covers_it_and_the_way_back(pool: PgPool) {
    let app = app(pool).await;
    let ada = app.member("ada@example.com").await;
    for (units, pack) in [(20, "small"), (60, "small"), (61, "large"), (260, "large")] {
        let page = ada.page(&format!("/actions/film?units={units}")).await;
        assert_eq!(field(&page, "item"), Some(format!("pack:{pack}")), "{units}");
        assert_eq!(field(&page, "return_to"), Some(format!("/actions/film?units={units}")));
        assert!(page.contains(&format!("{} credits missing", units - 10)), "{units}");
    }
    let page = ada.page("/actions/film?units=261").await;
    assert_eq!(field(&page, "item").as_deref(), Some("plan:studio"), "no pack covers it");
}

#[sqlx::test]
async fn what_can_not_be_bought_is_refused_with_its_reason(pool: PgPool) {
    let app = app(pool.clone()).await;
    let ada = app.member("ada@example.com").await;
    for (item, attempt, status) in [
        ("pack:none", "a", 404),
        ("plan:none", "a", 404),
        ("plan:free", "a", 422),
        ("small", "a", 400),
        ("", "a", 400),
        ("pack:small", "", 400),
        ("pack:small", "a b", 400),
        ("pack:small", &"a".repeat(101), 400),
    ] {
        let answer = ada.call("buy", &[("item", item), ("attempt", attempt)]).await;
        assert_eq!(answer.status().as_u16(), status, "{item} {attempt}");
    }
    assert_eq!(store::page(&mut pool.acquire().await.unwrap(), None, None, 10).await.unwrap(), []);
}

#[sqlx::test]
async fn a_purchase_says_in_plain_words_how_it_stands(pool: PgPool) {
    let app = app(pool).await;
    let ada = app.member("ada@example.com").await;
    let account = app.account_of("ada@example.com").await;

    let id = begun(&app, account).await;
    let path = format!("/buy/{id}");
    assert!(ada.page(&format!("{path}?paid")).await.contains("Payment received, adding your credits"));
    assert!(
        ada.page(&format!("{path}?paid")).await.contains("http-equiv=\"refresh\""),
        "it looks again by itself"
    );
    assert!(ada.page(&format!("{path}?canceled")).await.contains("Nothing was paid"));
    assert!(ada.page("/buy").await.contains("Not paid yet"), "it can be gone on with");

    told(&app, id, Payment::Unpaid).await;
    assert!(ada.page(&path).await.contains("Your bank takes its time"));
    told(&app, id, Payment::Paid).await;
    refunded(&app, id, 0).await;
    let page = ada.page(&format!("{path}?paid")).await;
    assert!(page.contains("50 credits added") && page.contains("You have 60 credits now."), "{page}");
    assert!(page.contains("href=\"/actions/film?units=20\""), "back to what they were doing");
    assert!(page.contains("https://pay.example.com/receipt"));
    assert!(!page.contains("http-equiv=\"refresh\""));
    assert!(!ada.page("/buy").await.contains("Not paid yet"));

    refunded(&app, id, 300).await;
    assert!(ada.page(&path).await.contains("A part of this purchase was refunded"));
    refunded(&app, id, 900).await;
    assert!(ada.page(&path).await.contains("This purchase was refunded"));
    let history = ada.page("/history").await;
    assert!(history.contains("Refund of Small pack") && history.contains("https://pay.example.com/receipt"));

    for (payment, words) in
        [(Payment::Failed, "The payment did not come through"), (Payment::Expired, "This purchase has ended")]
    {
        let id = begun(&app, account).await;
        told(&app, id, payment).await;
        assert!(ada.page(&format!("/buy/{id}")).await.contains(words), "{words}");
    }
}

#[sqlx::test]
async fn what_a_dispute_takes_is_called_that_and_what_is_owed_for_it_is_said(pool: PgPool) {
    let app = app(pool).await;
    let ada = app.member("ada@example.com").await;
    let id = begun(&app, app.account_of("ada@example.com").await).await;
    told(&app, id, Payment::Paid).await;
    let prompt = ada.prompt("/actions/film?units=60").await;
    ada.confirm("/actions/film?units=60", &prompt).await;
    disputed(&app, id, Funds::Withdrawn).await;
    let history = ada.page("/history").await;
    assert!(
        history.contains("Small pack: the payment is disputed") && !history.contains("Refund of"),
        "{history}"
    );
    for page in [history, ada.page("/credits").await] {
        assert!(page.contains("50 credits owed: what comes in next pays them first"), "{page}");
    }
    disputed(&app, id, Funds::Reinstated).await;
    let history = ada.page("/history").await;
    assert!(history.contains("Small pack: the dispute was won") && !history.contains("owed"), "{history}");
}

#[sqlx::test]
async fn nobody_sees_anothers_purchase_or_cancels_it(pool: PgPool) {
    let app = app(pool).await;
    let _ada = app.member("ada@example.com").await;
    let id = begun(&app, app.account_of("ada@example.com").await).await;
    let eve = app.member("eve@example.com").await;
    for path in [format!("/buy/{id}"), "/buy/none".to_owned(), format!("/buy/{}", Uuid::nil())] {
        assert_eq!(eve.get(&path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let id = id.to_string();
    assert_eq!(eve.call("cancel_purchase", &[("purchase", &id)]).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(eve.call("purchase", &[("id", &id)]).await.status(), StatusCode::NOT_FOUND);
}

/// What `src/router.rs` names below “Admins”.
fn of_admins(handler: &str) -> BTreeSet<&'static str> {
    let mut is_theirs = false;
    let mut found = BTreeSet::new();
    for line in include_str!("../../src/router.rs").lines().map(str::trim) {
        match line.strip_prefix("// ") {
            Some(whose) => is_theirs = whose == "Admins",
            None if is_theirs && line.contains(handler) => found.extend(line.split('"').nth(1)),
            None => {}
        }
    }
    found
}

#[sqlx::test]
async fn what_is_for_admins_is_for_nobody_else(pool: PgPool) {
    let app = app(pool).await;
    let ada = app.member("ada@example.com").await;
    let root = admin(&app).await;
    let id = begun(&app, app.account_of("ada@example.com").await).await.to_string();
    told(&app, id.parse().unwrap(), Payment::Paid).await;
    let (pages, functions) = (of_admins("get(page)"), of_admins("post(server_function)"));
    assert!(pages.len() >= 5 && functions.len() >= 8, "{pages:?} {functions:?}");
    for page in pages {
        let page = format!("{}?amount=9.00", page.replace("{purchase}", &id));
        assert_eq!(app.browser().get(&page).await.url().path(), "/sign-in", "{page}");
        let refused = ada.get(&page).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{page}");
        assert!(refused.text().await.unwrap().contains("That is for admins."), "{page}");
        assert_eq!(root.get(&page).await.status(), StatusCode::OK, "{page}");
    }
    let fields = [
        ("purchase", id.as_str()),
        ("amount", "9.00"),
        ("reason", "Because"),
        ("key", "k"),
        ("only_failed", "false"),
        ("event", "evt"),
        ("difference", id.as_str()),
    ];
    for function in functions {
        for (browser, status) in [(&app.browser(), 401), (&ada, 403)] {
            let request = browser.request(Method::POST, function).header("accept", "application/json");
            let answer = request.form(&fields).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{function}");
        }
    }
    assert!(!ada.page("/actions").await.contains("/admin/"), "the way there is not shown either");
}

#[sqlx::test]
async fn an_admin_sees_what_a_refund_does_before_it_is_made(pool: PgPool) {
    let app = app(pool).await;
    let ada = app.member("ada@example.com").await;
    let root = admin(&app).await;
    let id = begun(&app, app.account_of("ada@example.com").await).await;
    told(&app, id, Payment::Paid).await;
    // Twenty of the fifty are spent.
    let prompt = ada.prompt("/actions/film?units=20").await;
    ada.confirm("/actions/film?units=20", &prompt).await;
    let list = root.page("/admin/purchases").await;
    assert!(list.contains("Small pack") && list.contains("ada@example.com"));
    assert!(root.page("/admin/purchases?state=paid").await.contains("Small pack"));
    assert!(!root.page("/admin/purchases?state=failed").await.contains("Small pack"));
    let facts = root.page(&format!("/admin/purchases/{id}")).await;
    assert!(facts.contains("$9.00 of it can be refunded") && facts.contains("value=\"9.00\""), "{facts}");
    let page = root.page(&format!("/admin/purchases/{id}/refund?amount=4.50")).await;
    assert!(page.contains("Refund $4.50 of Small pack?"), "{page}");
    let sum: Vec<&str> = page.split("<dd>").skip(1).map(|rest| &rest[..rest.find('<').unwrap()]).collect();
    assert_eq!(sum, ["$4.50", "25", "25", "0"]);
    for (amount, status) in [("9.01", 422), ("0", 422), ("x", 422), ("-1", 422), ("", 422), ("9", 200)] {
        let page = format!("/admin/purchases/{id}/refund?amount={amount}");
        let answer = root.get(&page).await;
        assert_eq!(answer.status().as_u16(), status, "{amount}");
        if status == 422 {
            let page = answer.text().await.unwrap();
            assert_eq!(field(&page, "amount").as_deref(), Some(amount), "what was typed stays");
            assert!(page.contains("role=\"alert\"") && page.contains(&format!("/admin/purchases/{id}\"")));
        }
    }
    let id = id.to_string();
    let no_reason = [("purchase", id.as_str()), ("amount", "9.00"), ("reason", " "), ("key", "k")];
    assert_eq!(root.call("refund_purchase", &no_reason).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
}
