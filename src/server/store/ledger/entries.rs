//! Entries: written once (`write`), then only read.

use std::{ops::RangeInclusive, sync::Arc};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Bucket,
    entry_row::{EntryRow, letter_named},
};
use crate::domain::{AccountId, Entry, IdempotencyKey, Version, catalog::ActionKey, note::Reference};

/// The entries that answered the commands with these keys (each the digest of account and key).
pub async fn answers(conn: &mut PgConnection, bucket: Bucket, keys: &[i64]) -> sqlx::Result<Vec<Arc<Entry>>> {
    sqlx::query_scalar!(
        r#"select as_row(entries) as "row!: EntryRow"
           from entries
           where bucket = $1
             and key = any($2)"#,
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
    let answers = answers(conn, bucket, &[key.within(account).get()]).await?;
    Ok(answers.into_iter().find(|entry| entry.account == account))
}

/// Entries by account and version.
pub async fn named(
    conn: &mut PgConnection,
    bucket: Bucket,
    entries: &[(AccountId, Version)],
) -> sqlx::Result<Vec<Arc<Entry>>> {
    let (accounts, versions): (Vec<Uuid>, Vec<i64>) =
        entries.iter().map(|(account, version)| (Uuid::from(*account), version.0)).unzip();
    sqlx::query_scalar!(
        r#"select found.row as "row!: EntryRow"
           from unnest($2::uuid[], $3::bigint[]) as named (account_id, version),
                lateral (
                    select as_row(entries) as row
                    from entries
                    where bucket = $1
                      and entries.account_id = named.account_id
                      and entries.version = named.version
                    offset 0
                ) as found"#,
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

/// Which entries of a history are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// One of [`Kind::NAMES`].
    pub kind: Option<&'static str>,
    pub action: Option<ActionKey>,
    pub reference: Option<Reference>,
    /// From this moment on.
    pub from: Option<DateTime<Utc>>,
    /// Before this moment.
    pub to: Option<DateTime<Utc>>,
}

impl Filter {
    pub fn admits(&self, entry: &Entry) -> bool {
        let action = entry.kind.charge().and_then(|charge| charge.action.as_ref());
        self.kind.is_none_or(|kind| entry.kind.as_str() == kind)
            && (self.action.is_none() || self.action.as_ref() == action)
            && (self.reference.is_none() || self.reference == entry.reference)
            && self.from.is_none_or(|from| entry.at >= from)
            && self.to.is_none_or(|to| entry.at < to)
    }
}

/// An account's entries from `before` backwards (from the newest where it is `None`), newest first.
pub async fn history(
    conn: &mut PgConnection,
    bucket: Bucket,
    account: AccountId,
    before: Option<Version>,
    filter: &Filter,
    limit: usize,
) -> sqlx::Result<Vec<Arc<Entry>>> {
    sqlx::query_scalar!(
        r#"select as_row(entries) as "row!: EntryRow"
           from entries
           where bucket = $1
             and account_id = $2
             and version < $3
             and ($5::"char" is null or kind = $5)
             and ($6::text is null or action = $6)
             and ($7::timestamptz is null or at >= $7)
             and ($8::timestamptz is null or at < $8)
             and ($9::text is null or reference = $9)
           order by version desc
           limit $4"#,
        bucket.0,
        Uuid::from(account),
        before.map_or(i64::MAX, |version| version.0),
        i64::try_from(limit).unwrap_or(i64::MAX),
        filter.kind.and_then(letter_named),
        filter.action.as_ref().map(ActionKey::as_str),
        filter.from,
        filter.to,
        filter.reference.as_ref().map(Reference::as_str),
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(EntryRow::read)
    .collect()
}

/// An account's entries that are about its subscription, in their order.
pub async fn of_subscription(
    conn: &mut PgConnection,
    bucket: Bucket,
    account: AccountId,
) -> sqlx::Result<Vec<Arc<Entry>>> {
    sqlx::query_scalar!(
        r#"select as_row(entries) as "row!: EntryRow"
           from entries
           where bucket = $1
             and account_id = $2
             and subscription is not null
           order by version"#,
        bucket.0,
        Uuid::from(account),
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(EntryRow::read)
    .collect()
}

/// An entry by its name; what it says may be unreadable.
pub struct Line {
    pub account: AccountId,
    pub version: Version,
    pub entry: sqlx::Result<Arc<Entry>>,
}

/// Lets the statements of this transaction take as long as they take: an account's whole history may be long.
pub async fn take_time(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("set local statement_timeout = 0").execute(conn).await.map(drop)
}

/// The entries of a range of accounts, by account and version. They arrive while they are read: there may be any
/// number of them.
pub fn stream<'c>(
    conn: &'c mut PgConnection,
    bucket: Bucket,
    accounts: RangeInclusive<AccountId>,
) -> BoxStream<'c, sqlx::Result<Line>> {
    let rows = sqlx::query_scalar!(
        r#"select as_row(entries) as "row!: EntryRow"
           from entries
           where bucket = $1
             and account_id between $2 and $3
           order by account_id,
                    version"#,
        bucket.0,
        Uuid::from(*accounts.start()),
        Uuid::from(*accounts.end()),
    );
    let line = |row: EntryRow| Line {
        account: row.account_id.into(),
        version: Version(row.version),
        entry: row.read_exactly(),
    };
    rows.fetch(conn).map_ok(line).boxed()
}
