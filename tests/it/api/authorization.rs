//! Who may call what: tried on every call that the description names.

use reqwest::Method;
use scrip::server::{auth::ApiKeys, store::api_keys::Scope};
use serde_json::json;
use sqlx::PgPool;

use super::{
    description::calls,
    host::{Answer, Host, new_key},
};
use crate::support::App;

/// A path of the description with names in it, beginning after `/api/v1`.
fn filled(path: &str, digits: &str) -> String {
    let path = path.strip_prefix("/api/v1").unwrap();
    path.replace("{account}", &format!("acct_{digits}"))
        .replace("{hold}", &format!("hold_{digits}_1"))
        .replace("{lot}", &format!("lot_{digits}_1"))
        .replace("{purchase}", "00000000-0000-0000-0000-000000000000")
}

async fn call(host: &Host, method: &str, path: &str) -> Answer {
    let method: Method = method.parse().unwrap();
    if method == Method::GET {
        return host.get(path).await;
    }
    host.send(method, path, Some("key"), json!({"nonsense": true})).await
}

fn scope_of(call: &serde_json::Value) -> Scope {
    let word = call["security"][0]["key"][0].as_str().unwrap();
    Scope::ALL.into_iter().find(|scope| scope.as_str() == word).unwrap()
}

#[sqlx::test]
async fn no_call_is_answered_without_a_good_key(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let admin = Host::of(&app).await;
    let account = admin.account("ada", 0).await;
    let digits = account.strip_prefix("acct_").unwrap();
    let (revoked, secret) = new_key(&pool, &[Scope::Admin], 1_000).await;
    ApiKeys::new(pool.clone()).revoke(revoked.id).await.unwrap();
    let (stranger, gone) = (Host::at(&app.url, "sk_nonsense".into()), Host::at(&app.url, secret));
    let calls = calls();
    assert!(calls.len() >= 20);
    for (method, path, _) in &calls {
        let path = filled(path, digits);
        let nobody =
            reqwest::Client::new().request(method.parse().unwrap(), format!("{}/api/v1{path}", app.url));
        assert_eq!(Answer::of(nobody).await.problem(), (401, "key_missing"), "{method} {path}");
        for host in [&stranger, &gone] {
            assert_eq!(call(host, method, &path).await.problem(), (401, "key_invalid"), "{method} {path}");
        }
    }
    assert_eq!(admin.version(&account).await, 1, "nothing was done");
}

#[sqlx::test]
async fn every_call_asks_for_its_scope_and_no_other(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let admin = Host::of(&app).await;
    let account = admin.account("ada", 0).await;
    let digits = account.strip_prefix("acct_").unwrap();
    for scope in Scope::ALL {
        let (_, secret) = new_key(&pool, &[scope], 1_000).await;
        let host = Host::at(&app.url, secret);
        for (method, path, described) in calls() {
            // A stream has no end that could be read.
            if path.ends_with("/events") {
                continue;
            }
            let needed = scope_of(&described);
            let answer = call(&host, &method, &filled(&path, digits)).await;
            if scope == needed || scope == Scope::Admin {
                assert!(![401, 403].contains(&answer.status.as_u16()), "{scope:?} {method} {path}");
            } else {
                assert_eq!(answer.problem(), (403, "scope_missing"), "{scope:?} {method} {path}");
                assert_eq!(answer.body["required_scope"], needed.as_str());
            }
        }
    }
    assert_eq!(admin.version(&account).await, 1, "nothing was done");
}

#[sqlx::test]
async fn a_name_of_what_is_not_there_is_unknown_on_every_call_that_takes_one(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let host = Host::of(&app).await;
    let (ada, nobody) = (host.account("ada", 0).await, "00000000000000000000000000000007");
    for (method, path, described) in calls() {
        if !path.contains('{') {
            continue;
        }
        let body = match path.rsplit('/').next().unwrap() {
            "grants" => json!({"amount": 1, "source": "bonus", "reason": "For nobody"}),
            "subscription" => json!({"plan": "pro"}),
            "void" => json!({"reason": "For nobody"}),
            "portal-sessions" => json!({"return_url": "http://localhost/"}),
            "checkout-sessions" => {
                json!({"pack": "small", "success_url": "http://localhost/", "cancel_url": "http://localhost/"})
            }
            _ => json!({}),
        };
        let path = filled(&path, nobody);
        let answer = match method.as_str() {
            "GET" => host.get(&path).await,
            _ => host.send(method.parse().unwrap(), &path, Some("k"), body).await,
        };
        assert_eq!(answer.status, 404, "{method} {path} {} {}", answer.body, described["summary"]);
        assert!(answer.problem().1.starts_with("unknown_"), "{method} {path}");
    }
    assert_eq!(host.version(&ada).await, 1, "nobody else's account was touched");
}

#[sqlx::test]
async fn the_products_own_routes_are_for_who_is_signed_in_and_grants_for_admins(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let calls = [
        (Method::GET, "/api/user/credits"),
        (Method::POST, "/api/user/credits/consume"),
        (Method::GET, "/api/user/credits/history"),
        (Method::GET, "/api/user/usage"),
        (Method::POST, "/api/admin/credits/grant"),
    ];
    let named = include_str!("../../../src/router.rs").matches(", get(browser::").count()
        + include_str!("../../../src/router.rs").matches(", post(browser::").count();
    assert_eq!(named, calls.len());
    let (nobody, ada) = (app.browser(), app.member("ada@example.com").await);
    let (_, key) = new_key(&pool, &[Scope::Admin], 1_000).await;
    for (method, path) in calls {
        let request = |browser: &crate::support::Browser| browser.request(method.clone(), path).body("{}");
        let answer = Answer::of(request(&nobody)).await;
        assert_eq!(answer.problem(), (401, "signed_out"), "{path}");
        let answer = Answer::of(request(&nobody).bearer_auth(&key)).await;
        assert_eq!(answer.problem(), (401, "signed_out"), "{path}: a key is for hosts");
        if path.starts_with("/api/admin") {
            assert_eq!(Answer::of(request(&ada)).await.problem(), (403, "not_an_admin"));
        }
        if method == Method::POST {
            let foreign = request(&ada).header("sec-fetch-site", "cross-site");
            assert_eq!(foreign.send().await.unwrap().status(), 403, "{path}");
        }
    }
}
