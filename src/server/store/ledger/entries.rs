//! Entries: written once (`write`), then only read.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Bucket, entry_row::EntryRow};
use crate::domain::{AccountId, Entry, IdempotencyKey, Version};

/// The entries that answered the commands with these keys (each the digest of account and key).
pub async fn answers(conn: &mut PgConnection, bucket: Bucket, keys: &[i64]) -> sqlx::Result<Vec<Arc<Entry>>> {
    sqlx::query_as!(
        EntryRow,
        r#"select version,
                  at,
                  balance_after,
                  key,
                  fingerprint,
                  link,
                  kind as "kind!",
                  account_id,
                  movements,
                  action,
                  units,
                  cost,
                  about,
                  until,
                  debt_change,
                  opened_lot,
                  source::text as source,
                  priority,
                  effective_at,
                  expires_at,
                  description,
                  reference,
                  metadata::text as metadata,
                  clawed_taken,
                  clawed_owed,
                  clawed_forgiven
           from unnest($2::bigint[]) as asked (digest),
                lateral (
                    select *
                    from entries
                    where bucket = $1
                      and key = asked.digest
                    offset 0
                ) as answer"#,
        bucket.0,
        keys,
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(EntryRow::read)
    .collect()
}

/// The entry that answered the command with this key, if it was carried out.
pub async fn answered(
    conn: &mut PgConnection,
    bucket: Bucket,
    account: AccountId,
    key: IdempotencyKey,
) -> sqlx::Result<Option<Arc<Entry>>> {
    Ok(answers(conn, bucket, &[key.within(account).get()]).await?.pop())
}

/// Entries by account and version.
pub async fn named(
    conn: &mut PgConnection,
    bucket: Bucket,
    entries: &[(AccountId, Version)],
) -> sqlx::Result<Vec<Arc<Entry>>> {
    let (accounts, versions): (Vec<Uuid>, Vec<i64>) =
        entries.iter().map(|(account, version)| (Uuid::from(*account), version.0)).unzip();
    sqlx::query_as!(
        EntryRow,
        r#"select entries.version,
                  entries.at,
                  entries.balance_after,
                  entries.key,
                  entries.fingerprint,
                  entries.link,
                  entries.kind as "kind!",
                  entries.account_id,
                  entries.movements,
                  entries.action,
                  entries.units,
                  entries.cost,
                  entries.about,
                  entries.until,
                  entries.debt_change,
                  entries.opened_lot,
                  entries.source::text as source,
                  entries.priority,
                  entries.effective_at,
                  entries.expires_at,
                  entries.description,
                  entries.reference,
                  entries.metadata::text as metadata,
                  entries.clawed_taken,
                  entries.clawed_owed,
                  entries.clawed_forgiven
           from unnest($2::uuid[], $3::bigint[]) as named (account_id, version),
                lateral (
                    select *
                    from entries
                    where bucket = $1
                      and entries.account_id = named.account_id
                      and entries.version = named.version
                    offset 0
                ) as entries"#,
        bucket.0,
        &accounts,
        &versions,
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(EntryRow::read)
    .collect()
}

/// An account's entries from `before` backwards (from the newest where it is `None`), newest first.
pub async fn history(
    conn: &mut PgConnection,
    bucket: Bucket,
    account: AccountId,
    before: Option<Version>,
    limit: usize,
) -> sqlx::Result<Vec<Arc<Entry>>> {
    sqlx::query_as!(
        EntryRow,
        r#"select version,
                  at,
                  balance_after,
                  key,
                  fingerprint,
                  link,
                  kind as "kind!",
                  account_id,
                  movements,
                  action,
                  units,
                  cost,
                  about,
                  until,
                  debt_change,
                  opened_lot,
                  source::text as source,
                  priority,
                  effective_at,
                  expires_at,
                  description,
                  reference,
                  metadata::text as metadata,
                  clawed_taken,
                  clawed_owed,
                  clawed_forgiven
           from entries
           where bucket = $1
             and account_id = $2
             and version < $3
           order by version desc
           limit $4"#,
        bucket.0,
        Uuid::from(account),
        before.map_or(i64::MAX, |version| version.0),
        i64::try_from(limit).unwrap_or(i64::MAX),
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(EntryRow::read)
    .collect()
}

/// Accounts of a bucket on which something fell due by `now`: a lot that lapsed, a hold that ran out.
pub async fn due(
    conn: &mut PgConnection,
    bucket: Bucket,
    now: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<AccountId>> {
    let ids = sqlx::query_scalar!(
        r#"(select account_id as "account_id!"
            from lots
            where bucket = $1
              and is_open
              and remaining > 0
              and expires_at <= $2
            order by expires_at
            limit $3)
           union
           (select account_id
            from holds
            where bucket = $1
              and until <= $2
            order by until
            limit $3)
           limit $3"#,
        bucket.0,
        now,
        limit,
    );
    Ok(ids.fetch_all(conn).await?.into_iter().map(AccountId::from).collect())
}

/// Which entries a stream goes through: those of the accounts from `first` to `last`, each account's up to a
/// version and a moment, both included.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    pub first: AccountId,
    pub last: AccountId,
    pub version: Version,
    pub at: DateTime<Utc>,
}

/// An entry by its name; what it says may be unreadable.
pub struct Line {
    pub account: AccountId,
    pub version: Version,
    pub entry: sqlx::Result<Arc<Entry>>,
}

/// Entries by account and version. They arrive while they are read: there may be any number of them.
pub fn stream<'c>(
    conn: &'c mut PgConnection,
    bucket: Bucket,
    range: Range,
) -> BoxStream<'c, sqlx::Result<Line>> {
    let rows = sqlx::query_as!(
        EntryRow,
        r#"select version,
                  at,
                  balance_after,
                  key,
                  fingerprint,
                  link,
                  kind as "kind!",
                  account_id,
                  movements,
                  action,
                  units,
                  cost,
                  about,
                  until,
                  debt_change,
                  opened_lot,
                  source::text as source,
                  priority,
                  effective_at,
                  expires_at,
                  description,
                  reference,
                  metadata::text as metadata,
                  clawed_taken,
                  clawed_owed,
                  clawed_forgiven
           from entries
           where bucket = $1
             and account_id >= $2
             and account_id <= $3
             and version <= $4
             and at <= $5
           order by account_id,
                    version"#,
        bucket.0,
        Uuid::from(range.first),
        Uuid::from(range.last),
        range.version.0,
        range.at,
    );
    let line = |row: EntryRow| Line {
        account: row.account_id.into(),
        version: Version(row.version),
        entry: row.read(),
    };
    rows.fetch(conn).map_ok(line).boxed()
}

impl Range {
    /// Everything of these accounts.
    pub const fn all(first: AccountId, last: AccountId) -> Self {
        Self { first, last, version: Version(i64::MAX), at: DATABASE_END }
    }

    /// Everything of one account.
    pub const fn of(account: AccountId) -> Self {
        Self::all(account, account)
    }
}

/// Later than anything that is written: the last year with four digits.
const DATABASE_END: DateTime<Utc> = DateTime::from_timestamp(253_402_300_799, 0).expect("it is a date");
