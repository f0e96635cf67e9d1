//! Keys: what they are, and how they end.

use std::time::Duration;

use chrono::TimeDelta;
use scrip::server::{auth::ApiKeys, notify, store::api_keys::Scope};
use sqlx::PgPool;

use super::host::{Host, new_key};
use crate::support::App;

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what}");
}

#[sqlx::test]
async fn the_database_has_nothing_that_could_be_used_as_a_key(pool: PgPool) {
    let (key, secret) = new_key(&pool, &[Scope::Read], 10).await;
    assert!(secret.starts_with(&key.prefix) && secret.len() == key.prefix.len() + 1 + 64);
    let row = sqlx::query_scalar!(r#"select to_jsonb(api_keys)::text as "row!" from api_keys"#);
    let row = row.fetch_one(&pool).await.unwrap();
    let (_, digits) = secret.rsplit_once('_').unwrap();
    assert!(row.contains(&key.prefix) && !row.contains(digits), "{row}");
}

#[sqlx::test]
async fn a_key_is_known_as_a_whole_or_not_at_all(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let (_, good) = new_key(&pool, &[Scope::Read], 1_000).await;
    let (_, other) = new_key(&pool, &[Scope::Read], 1_000).await;
    assert_eq!(Host::at(&app.url, good.clone()).get("/catalog").await.status, 200);
    let (prefix, digits) = good.rsplit_once('_').unwrap();
    let mixed = format!("{prefix}_{}", other.rsplit_once('_').unwrap().1);
    for bad in [
        prefix.to_owned(),
        format!("{prefix}_"),
        mixed,
        format!("{good}0"),
        digits.to_owned(),
        good.to_uppercase(),
    ] {
        let refused = Host::at(&app.url, bad.clone()).get("/catalog").await;
        assert_eq!(refused.problem(), (401, "key_invalid"), "{bad}");
        assert_eq!(refused.headers["www-authenticate"], "Bearer");
    }
}

#[sqlx::test]
async fn a_new_key_is_good_at_once_also_where_the_news_of_it_is_late(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let host = Host::of(&app).await;
    app.state.api_keys.hears();
    assert_eq!(host.get("/catalog").await.status, 200);
    let (_, secret) = new_key(&pool, &[Scope::Read], 1_000).await;
    assert_eq!(Host::at(&app.url, secret).get("/catalog").await.status, 200);
}

#[sqlx::test]
async fn a_revoked_key_is_refused_at_once_whoever_revoked_it(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let (key, secret) = new_key(&pool, &[Scope::Read], 100_000).await;
    let host = Host::at(&app.url, secret);
    assert_eq!(host.get("/catalog").await.status, 200);
    // As another process: this one hears of nothing, so it looks at each request.
    assert!(ApiKeys::new(pool.clone()).revoke(key.id).await.unwrap());
    assert_eq!(host.get("/catalog").await.problem(), (401, "key_invalid"));
    assert!(!ApiKeys::new(pool).revoke(key.id).await.unwrap(), "it is revoked once");
}

#[sqlx::test]
async fn a_process_that_remembers_keys_hears_when_one_is_revoked(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let hears = tokio::spawn(notify::hear(app.state.clone()));
    let (key, secret) = new_key(&pool, &[Scope::Read], 100_000).await;
    let host = Host::at(&app.url, secret);
    // It remembers once a key is known though the table can't be read.
    until("it hears", async || {
        host.get("/catalog").await.ok();
        sqlx::query!("alter table api_keys rename to hidden").execute(&pool).await.unwrap();
        let known = host.get("/catalog").await.status == 200;
        sqlx::query!("alter table hidden rename to api_keys").execute(&pool).await.unwrap();
        known
    })
    .await;
    ApiKeys::new(pool).revoke(key.id).await.unwrap();
    let revoked = tokio::time::Instant::now();
    until("it hears of the end", async || host.get("/catalog").await.status == 401).await;
    assert!(revoked.elapsed() < Duration::from_secs(3));
    hears.abort();
}

#[sqlx::test]
async fn a_key_that_is_replaced_goes_on_for_a_while(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let keys = ApiKeys::new(pool.clone());
    let (old, old_secret) = new_key(&pool, &[Scope::Read, Scope::Spend], 777).await;
    let (new, new_secret) = keys.rotate(old.id, TimeDelta::hours(1)).await.unwrap().unwrap();
    assert_eq!((&new.name, &new.scopes, new.requests_per_minute), (&old.name, &old.scopes, 777));
    for secret in [&old_secret, &new_secret] {
        assert_eq!(Host::at(&app.url, secret.clone()).get("/catalog").await.status, 200);
    }
    sqlx::query!("update api_keys set expires_at = now() where expires_at is not null")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(Host::at(&app.url, old_secret).get("/catalog").await.problem(), (401, "key_invalid"));
    assert_eq!(Host::at(&app.url, new_secret).get("/catalog").await.status, 200);
    assert!(keys.rotate(old.id, TimeDelta::zero()).await.unwrap().is_none());
}

#[sqlx::test]
async fn it_is_noted_when_a_key_was_used_last(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let (key, secret) = new_key(&pool, &[Scope::Read], 100).await;
    let keys = ApiKeys::new(pool);
    let last_used = async || {
        let all = keys.all().await.unwrap();
        all.into_iter().find(|known| known.id == key.id).unwrap().last_used_at
    };
    assert_eq!(last_used().await, None);
    Host::at(&app.url, secret).get("/catalog").await.ok();
    until("its use is noted", async || last_used().await.is_some()).await;
}

#[sqlx::test]
async fn too_many_requests_are_refused_and_told_when_to_come_back(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let (_, secret) = new_key(&pool, &[Scope::Read], 2).await;
    let host = Host::at(&app.url, secret);
    for left in [1, 0] {
        let answer = host.get("/catalog").await;
        assert_eq!(answer.headers["ratelimit-policy"], "\"key\";q=2;w=60");
        let limit = answer.headers["ratelimit"].to_str().unwrap();
        assert!(limit.starts_with(&format!("\"key\";r={left};t=")), "{limit}");
    }
    let refused = host.get("/catalog").await;
    assert_eq!(refused.problem(), (429, "too_many_requests"));
    let pause: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=30).contains(&pause));
    assert_eq!(refused.headers["ratelimit"], "\"key\";r=0;t=60");
    // Another key has its own.
    assert_eq!(Host::of(&app).await.get("/catalog").await.status, 200);
}

#[sqlx::test]
async fn while_the_database_is_away_a_call_is_told_to_come_back(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let host = Host::of(&app).await;
    host.get("/catalog").await.ok();
    pool.close().await;
    for path in ["/catalog", "/accounts/ext_ada", "/accounts/acct_00000000000000000000000000000007/balance"] {
        let refused = host.get(path).await;
        assert_eq!(refused.problem(), (503, "unavailable"), "{path}");
        assert_eq!(refused.headers["retry-after"], "1");
    }
}
