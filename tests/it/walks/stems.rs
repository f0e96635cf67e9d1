//! The music tool: each action has its own price, credits are bought in packs, and one always stays.

use serde_json::json;
use sqlx::PgPool;

use super::Walk;

const CATALOG: &str = include_str!("../../../catalogs/stems.toml");

#[sqlx::test]
async fn the_music_tool_from_sign_up_to_a_refund(pool: PgPool) {
    let walk = Walk::begin(pool, CATALOG).await;
    assert_eq!(walk.remaining().await, 7);

    // Both prices are shown before anything runs.
    let (separation, render) = (walk.quote("stem_separation").await, walk.quote("master_render").await);
    assert_eq!((&separation["cost"], &separation["allowed"]), (&4.into(), &true.into()));
    assert_eq!((&render["cost"], &render["available_after"]), (&2.into(), &5.into()));
    assert_eq!(walk.remaining().await, 7, "a quote takes nothing");
    let first = walk.consume(json!({"feature": "stem_separation", "generation_id": "song-1"})).await.ok();
    assert_eq!((&first["creditsUsed"], &first["remainingCredits"]), (&4.into(), &3.into()));
    assert_eq!(walk.used(json!({"feature": "master_render", "generation_id": "song-1-master"})).await, 2);

    // One credit stays in reserve.
    let quote = walk.quote("preview_render").await;
    assert_eq!((&quote["allowed"], &quote["shortfall"]), (&false.into(), &1.into()));
    let refused = walk.consume(json!({"feature": "preview_render"})).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (402, &"insufficient_credits".into()));
    assert_eq!(refused.body["error"], "This costs 1 credit, you have 1, and 1 must stay: 1 missing.");
    assert_eq!((&refused.body["success"], walk.remaining().await), (&false.into(), 1));

    // A pack is bought. The sign-up credit, which lapses, is spent before it.
    let pack = json!({"amount": 30, "source": "pack", "priority": 25, "reason": "Single"});
    walk.grant("order-1", pack).await;
    assert_eq!(walk.remaining().await, 31);
    let failed = walk.consume(json!({"feature": "stem_separation", "generation_id": "song-2"})).await.ok();
    assert_eq!(walk.entries("spend").await[0]["allocations"][0]["amount"], 1);

    // The job fails: it is refunded once.
    let refund = json!({"spend": failed["entry"], "reason": "The file could not be read"});
    for replayed in [false, true] {
        let answer = walk.host.command("/refunds", "song-2-failed", refund.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.is_replayed()), (201, replayed));
    }
    let again = walk.host.command("/refunds", "song-2-failed-again", refund).await;
    assert_eq!(again.problem(), (422, "refund_too_large"));
    assert_eq!(walk.remaining().await, 31);

    let history = walk.history(20).await;
    let told: Vec<_> = history
        .iter()
        .map(|item| {
            assert_eq!(item["created_at"], "2026-11-21T12:00:00Z");
            let text = |field: &str| item[field].as_str().unwrap();
            (text("type"), item["amount"].as_i64().unwrap(), text("description"))
        })
        .collect();
    let expected = [
        ("refund", 4, "The file could not be read"),
        ("spend", -4, "Separate stems"),
        ("purchase", 30, "Single"),
        ("spend", -2, "Render a master"),
        ("spend", -4, "Separate stems"),
        ("grant", 7, "Sign-up credits"),
    ];
    assert_eq!(told, expected);

    // What lapsed meanwhile comes back for a week; what was bought stays.
    walk.at("2026-12-22T12:00:00Z").await;
    assert_eq!(walk.remaining().await, 30);
    let refund = json!({"spend": first["entry"], "reason": "The drums were missing"});
    walk.host.command("/refunds", "song-1-late", refund).await.ok();
    assert_eq!(walk.remaining().await, 34);
    walk.at("2026-12-29T12:00:00Z").await;
    assert_eq!(walk.remaining().await, 30);
}

#[sqlx::test]
async fn a_song_takes_what_its_parts_cost(pool: PgPool) {
    let walk = Walk::begin(pool, CATALOG).await;
    walk.grant("order-1", json!({"amount": 30, "source": "pack", "reason": "Single"})).await;
    for (feature, cost) in
        [("stem_separation", 4), ("master_render", 2), ("preview_render", 1), ("vocal_cleanup", 3)]
    {
        let before = walk.remaining().await;
        assert_eq!(walk.quote(feature).await["cost"], cost);
        assert_eq!(walk.used(json!({"feature": feature})).await, cost);
        assert_eq!(walk.remaining().await, before - cost);
    }
}
