//! Accounts on which something fell due: a lot that lapsed, a hold that ran out, a period that ended.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Bucket, uuids};
use crate::domain::AccountId;

/// What fell due and is not written yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overdue {
    pub accounts: i64,
    /// Since when the first of them waits.
    pub since: Option<DateTime<Utc>>,
}

/// Accounts of a bucket on which something fell due by `now`, at most `limit`, those first that have waited longest.
pub async fn due(
    conn: &mut PgConnection,
    bucket: Bucket,
    now: DateTime<Utc>,
    except: &[AccountId],
    limit: i64,
) -> sqlx::Result<Vec<AccountId>> {
    let ids = sqlx::query_scalar!(
        r#"select account_id as "account_id!"
           from (
               (select account_id, expires_at as due_at
                from lots
                where bucket = $1
                  and is_open
                  and remaining > 0
                  and expires_at <= $2
                  and account_id <> all($4)
                order by expires_at
                limit $3)
               union all
               (select account_id, until
                from holds
                where bucket = $1
                  and until <= $2
                  and account_id <> all($4)
                order by until
                limit $3)
               union all
               (select account_id, due_at
                from subscriptions
                where bucket = $1
                  and due_at <= $2
                  and account_id <> all($4)
                order by due_at
                limit $3)
           ) as found
           group by account_id
           order by min(due_at)
           limit $3"#,
        bucket.0,
        now,
        limit,
        &uuids(except),
    );
    Ok(ids.fetch_all(conn).await?.into_iter().map(AccountId::from).collect())
}

/// How much of a bucket is waiting to be written.
pub async fn overdue(conn: &mut PgConnection, bucket: Bucket, now: DateTime<Utc>) -> sqlx::Result<Overdue> {
    sqlx::query_as!(
        Overdue,
        r#"select count(distinct account_id) as "accounts!",
                  min(due_at) as since
           from (
               select account_id, expires_at as due_at
               from lots
               where bucket = $1
                 and is_open
                 and remaining > 0
                 and expires_at <= $2
               union all
               select account_id, until
               from holds
               where bucket = $1
                 and until <= $2
               union all
               select account_id, due_at
               from subscriptions
               where bucket = $1
                 and due_at <= $2
           ) as found"#,
        bucket.0,
        now,
    )
    .fetch_one(conn)
    .await
}
