//! Running an action, over HTTP, as a browser without JavaScript does it.

use reqwest::StatusCode;
use scrip::server::{clock::Clock, ledger::Filter};
use serde_json::Value;
use sqlx::PgPool;

use crate::support::{App, Browser, CATALOG, grant};

#[sqlx::test]
async fn the_main_job_runs_from_prompt_to_history(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    let actions = ada.page("/actions").await;
    assert!(actions.contains("Render a picture") && actions.contains("1 credit"), "prices are in the source");
    assert!(actions.contains("<span class=\"badge-number\">10</span>"), "so is the balance");

    let prompt = ada.page("/actions/render").await;
    for words in ["Render a picture costs 1 credit", "Left after", "1 from Sign-up credits"] {
        assert!(prompt.contains(words), "{words}");
    }
    let fields = ada.prompt("/actions/render").await;
    let done = ada.confirm("/actions/render", &fields).await;
    assert_eq!((done.url().path(), done.url().query()), ("/actions", Some("spent=2")));
    assert!(done.text().await.unwrap().contains("Spent 1 credit on Render a picture. You have 9 left."));

    let history = ada.page("/history").await;
    assert!(history.contains("−1") && history.contains("+10"));
    assert!(ada.page("/credits").await.contains("9 of 10"));
}

#[sqlx::test]
async fn of_sixty_four_parallel_forms_exactly_as_many_spend_as_there_are_credits(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let ada = std::sync::Arc::new(app.member("ada@example.com").await);
    let mut forms = Vec::new();
    for _ in 0..64 {
        forms.push(ada.prompt("/actions/render").await);
    }
    let sent = forms.into_iter().map(|fields| {
        let ada = ada.clone();
        tokio::spawn(async move {
            let page = ada.confirm("/actions/render", &fields).await;
            let (path, status) = (page.url().path().to_owned(), page.status());
            assert_eq!(status, StatusCode::OK);
            let says = page.text().await.unwrap();
            assert!(
                path == "/actions" || says.contains("you have 0: 1 missing"),
                "a refused form says what is missing"
            );
            path == "/actions"
        })
    });
    let mut spent = 0;
    for done in sent.collect::<Vec<_>>() {
        spent += usize::from(done.await.unwrap());
    }
    assert_eq!(spent, 10);
    let history = app
        .state
        .ledger
        .history(app.account_of("ada@example.com").await, None, &Filter::default(), 100)
        .await
        .unwrap();
    let versions: Vec<i64> = history.entries.iter().rev().map(|entry| entry.version.0).collect();
    assert_eq!(versions, (1..=11).collect::<Vec<_>>(), "no gap, and nothing but the grant and ten spends");
}

#[sqlx::test]
async fn a_form_sent_twice_spends_once_and_says_the_same(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    let fields = ada.prompt("/actions/render").await;
    let first = ada.confirm("/actions/render", &fields).await.url().clone();
    let again = ada.confirm("/actions/render", &fields).await.url().clone();
    assert_eq!(first, again);
    assert!(ada.page("/credits").await.contains("9 of 10"));
}

#[sqlx::test]
async fn a_page_whose_form_was_carried_out_leads_to_what_became_of_it(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    let page = ada.get("/actions/complete?units=2000").await.url().clone();
    let path = format!("{}?{}", page.path(), page.query().unwrap());
    assert!(path.starts_with("/actions/complete?units=2000&key="), "{path}");
    let fields = ada.prompt(&path).await;
    assert_eq!(fields, ada.prompt(&path).await, "the page keeps its key");
    // The answer is lost on its way; the browser shows the page again.
    ada.confirm(&path, &fields).await;
    let again = ada.get(&path).await;
    assert_eq!((again.url().path(), again.url().query()), ("/actions", Some("spent=2")));
    assert!(again.text().await.unwrap().contains("You have 9 left."));
}

#[sqlx::test]
async fn a_form_that_was_changed_after_it_was_used_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    let mut fields = ada.prompt("/actions/complete?units=2000").await;
    ada.confirm("/actions/complete?units=2000", &fields).await;
    for (name, value) in &mut fields {
        if name == "units" {
            *value = "1999".into();
        }
    }
    let page = ada.confirm("/actions/complete?units=2000", &fields).await.text().await.unwrap();
    assert!(page.contains("This was sent before, with other content."), "{page}");
    assert!(ada.page("/credits").await.contains("9 of 10"));
}

#[sqlx::test]
async fn a_price_that_changed_since_it_was_shown_is_not_taken(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let ada = app.member("ada@example.com").await;
    let fields = ada.prompt("/actions/render").await;
    let dearer = App::start_with(pool, Clock::default(), &CATALOG.replace("cost = 1", "cost = 3")).await;
    let later = Browser::new(&dearer.url, true);
    later
        .submit(
            "/sign-in",
            "sign_in",
            &[("email", "ada@example.com"), ("password", crate::support::PASSWORD)],
        )
        .await;
    let page = later.confirm("/actions/render", &fields).await.text().await.unwrap();
    assert!(page.contains("The price has changed to 3 credits. Nothing was spent."), "{page}");
    assert!(later.page("/credits").await.contains("10 of 10"));
}

#[sqlx::test]
async fn a_price_by_unit_is_shown_and_taken(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    let prompt = ada.page("/actions/complete?units=4001").await;
    assert!(prompt.contains("Complete a text, 4,001 tokens, costs 3 credits"), "{prompt}");
    let fields = ada.prompt("/actions/complete?units=4001").await;
    ada.confirm("/actions/complete?units=4001", &fields).await;
    assert!(ada.page("/credits").await.contains("7 of 10"));
}

#[sqlx::test]
async fn too_little_is_told_before_and_offers_no_confirmation(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    let prompt = ada.page("/actions/complete?units=24000").await;
    assert!(prompt.contains("2 credits missing") && prompt.contains("needs 12, you have 10"), "{prompt}");
    assert!(!prompt.contains("Confirm —"));
    assert!(ada.prompt("/actions/complete?units=24000").await.is_empty());
}

#[sqlx::test]
async fn a_balance_that_must_stay_is_named(pool: PgPool) {
    let catalog = CATALOG.replace("low_balance", "min_balance = 4\nlow_balance");
    let app = App::start_with(pool, Clock::default(), &catalog).await;
    let ada = app.member("ada@example.com").await;
    let prompt = ada.page("/actions/complete?units=14000").await;
    assert!(
        prompt.contains("1 credit missing") && prompt.contains("4 credits must stay on the account"),
        "{prompt}"
    );
    assert!(ada.page("/actions/complete?units=12000").await.contains("Confirm —"));
}

#[sqlx::test]
async fn a_call_that_cannot_be_paid_bears_the_status_of_the_catalog(pool: PgPool) {
    for (setting, expected) in [(402, StatusCode::PAYMENT_REQUIRED), (429, StatusCode::TOO_MANY_REQUESTS)] {
        let catalog =
            CATALOG.replace("low_balance", &format!("insufficient_status = {setting}\nlow_balance"));
        let app = App::start_with(pool.clone(), Clock::default(), &catalog).await;
        let ada = app.member(&format!("ada-{setting}@example.com")).await;
        let account = app.account_of(&format!("ada-{setting}@example.com")).await.to_string();
        let fields = [
            ("account", account.as_str()),
            ("action", "complete"),
            ("units", "24000"),
            ("cost", "12"),
            ("idempotency_key", "k"),
        ];
        let response = ada.call("spend", &fields).await;
        assert_eq!(response.status(), expected);
        let problem: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!((&problem["code"], &problem["needed"]), (&"insufficient_credits".into(), &12.into()));
        assert_eq!(problem["min_balance"], 0);
        assert_eq!((&problem["available"], &problem["shortfall"]), (&10.into(), &2.into()));
    }
}

#[sqlx::test]
async fn an_unknown_action_or_number_of_units_is_a_page_that_says_so(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    for (path, status, words) in [
        ("/actions/nonsense", 404, "There is no such action."),
        ("/actions/%F0%9F%92%A5", 404, "There is no such action."),
        ("/actions/complete", 422, "Enter a whole number"),
        ("/actions/complete?units=0", 422, "Enter a whole number"),
        ("/actions/complete?units=-5", 422, "Enter a whole number"),
        ("/actions/complete?units=1.5", 422, "Enter a whole number"),
        ("/actions/complete?units=1000000000001", 422, "Enter a whole number"),
        ("/actions/complete?units=99999999999999999999", 422, "Enter a whole number"),
        ("/actions/render?units=5", 422, "it takes no number"),
    ] {
        let response = ada.get(path).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert!(response.text().await.unwrap().contains(words), "{path}");
    }
    let account = app.account_of("ada@example.com").await.to_string();
    let fields =
        [("account", account.as_str()), ("action", "nonsense"), ("cost", "1"), ("idempotency_key", "k")];
    assert_eq!(ada.call("spend", &fields).await.status(), StatusCode::NOT_FOUND);
}

#[sqlx::test]
async fn a_notice_of_a_spend_that_never_was_is_not_shown(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    for spent in ["1", "2", "0", "-1", "x", "9223372036854775807"] {
        let page = ada.page(&format!("/actions?spent={spent}")).await;
        assert!(!page.contains("Spent "), "{spent}");
    }
}

#[sqlx::test]
async fn what_is_about_to_lapse_pays_first_and_is_named(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    let account = app.account_of("ada@example.com").await;
    let soon = app.state.clock.now() + chrono::TimeDelta::days(3);
    app.state.ledger.execute(grant(account, "bonus", 1, Some(soon))).await.unwrap().unwrap();
    let prompt = ada.page("/actions/complete?units=4000").await;
    let (bonus, sign_up) = (prompt.find("1 from Bonus credits"), prompt.find("1 from Sign-up credits"));
    assert!(bonus.is_some() && bonus < sign_up, "{prompt}");
}

#[sqlx::test]
async fn a_prompt_says_that_fair_use_allows_no_more_before_anything_is_sent(pool: PgPool) {
    let capped = format!("{CATALOG}\n[fair_use]\nper_hour = 1\n");
    let app = App::start_with(pool, Clock::default(), &capped).await;
    let ada = app.member("ada@example.com").await;
    let fields = ada.prompt("/actions/render").await;
    ada.confirm("/actions/render", &fields).await;
    let prompt = ada.page("/actions/render").await;
    for words in ["Render a picture can’t run now", "as many as fair use allows", "Nothing was spent."] {
        assert!(prompt.contains(words), "{words}");
    }
    assert!(!prompt.contains("Confirm"), "there is nothing to confirm");
}

#[sqlx::test]
async fn a_prompt_that_was_shown_to_somebody_else_spends_nothing(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.member("ada@example.com").await;
    let bob = app.member("bob@example.com").await;
    let prompt_of_ada = ada.prompt("/actions/render").await;
    let page = bob.confirm("/actions/render", &prompt_of_ada).await.text().await.unwrap();
    assert!(page.contains("You are signed in to another account now"), "{page}");
    assert!(page.contains("Render a picture costs 1 credit"), "the prompt is there anew");
    for person in [&ada, &bob] {
        assert!(person.page("/credits").await.contains("10 of 10"));
    }
}
