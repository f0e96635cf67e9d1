//! Subscriptions, as the ledger's tables hold them: one row for each account that has or had one. It is read with its
//! account (`accounts`).

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Bucket, corrupt};
use crate::domain::{Account, Subscription};

/// In the one form in which tables hold it, with the account and with the entries that changed it.
pub fn render(subscription: &Subscription) -> String {
    serde_json::to_string(subscription).expect("its parts are plain texts and numbers")
}

pub fn parse(text: &str) -> sqlx::Result<Arc<Subscription>> {
    serde_json::from_str(text).map(Arc::new).map_err(corrupt)
}

/// Writes the subscriptions that the accounts' unwritten entries began, changed or renewed.
pub async fn write(conn: &mut PgConnection, bucket: Bucket, accounts: &[&Account]) -> sqlx::Result<()> {
    let mut ids: Vec<Uuid> = Vec::new();
    let mut states: Vec<String> = Vec::new();
    let mut due: Vec<Option<DateTime<Utc>>> = Vec::new();
    for account in accounts {
        let is_changed = account.journal().iter().any(|entry| entry.kind.subscription().is_some());
        if let Some(subscription) = account.subscription().filter(|_| is_changed) {
            ids.push(account.id().into());
            states.push(render(subscription));
            due.push(subscription.due_at());
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into subscriptions (bucket, account_id, due_at, state)
         select $1, account_id, due_at, state::json
         from unnest($2::uuid[], $3::timestamptz[], $4::text[]) as decided (account_id, due_at, state)
         on conflict (bucket, account_id) do update
         set due_at = excluded.due_at,
             state = excluded.state",
        bucket.0,
        &ids,
        &due as &[Option<DateTime<Utc>>],
        &states,
    )
    .execute(conn)
    .await
    .map(drop)
}
