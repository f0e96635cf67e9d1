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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Amount, Period, Priority, Terms,
        catalog::{Allowance, PlanKey, RolloverCap},
        subscription::Next,
    };

    fn terms(plan: &str, allowance: Allowance) -> Terms {
        Terms {
            plan: PlanKey::try_from(plan.to_owned()).unwrap(),
            allowance,
            rollover_cap: None,
            priority: Priority(30),
            grace_days: 3,
            is_free: false,
        }
    }

    fn plain() -> Subscription {
        let time = |seconds| DateTime::from_timestamp(seconds, 7_000).unwrap();
        Subscription {
            terms: terms("unlimited", Allowance::Unlimited),
            anchor: time(-1),
            period: Period { start: time(0), end: time(1) },
            credits_until: time(2),
            given: Amount::MAX.credits(),
            paid_until: None,
            next: Next::Renew,
            fallback: None,
            ended_at: None,
            free_until: None,
        }
    }

    #[test]
    fn a_subscription_reads_back_as_it_was_written() {
        let monthly = Terms {
            rollover_cap: RolloverCap::try_from(2).ok(),
            ..terms("pro", Allowance::Monthly(Amount::MAX))
        };
        let talkative = Subscription {
            terms: monthly.clone(),
            paid_until: Some(plain().anchor),
            next: Next::Change(monthly.clone()),
            fallback: Some(Terms { is_free: true, ..monthly }),
            ended_at: Some(plain().credits_until),
            free_until: Some(plain().anchor),
            ..plain()
        };
        for subscription in [plain(), Subscription { next: Next::End, ..plain() }, talkative] {
            assert_eq!(*parse(&render(&subscription)).unwrap(), subscription);
        }
    }

    #[test]
    fn what_no_ledger_wrote_is_refused() {
        let text = render(&plain());
        let edits = [
            (r#""plan":"unlimited""#, r#""plan":"NO KEY!""#),
            (r#""unlimited","priority""#, r#"{"monthly":0},"priority""#),
            (r#""priority":30"#, r#""rollover_cap":0,"priority":30"#),
            (r#""given":1000000000000"#, r#""given":-1"#),
            (r#""next":"renew""#, r#""next":"stay""#),
            (r#""next":"renew""#, r#""next":"renew","note":1"#),
        ];
        for (from, to) in edits {
            let edited = text.replace(from, to);
            assert_ne!(edited, text, "{from} in {text}");
            assert!(parse(&edited).is_err(), "{edited}");
        }
        for text in ["", "null", "{}", &text[1..]] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
