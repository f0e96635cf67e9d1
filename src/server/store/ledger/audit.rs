//! How the whole ledger is read to be checked: account by account in the order of their ids, with all that is
//! kept of each. The entries beside them come as a stream (`entries::stream`).

use std::{collections::HashMap, sync::Arc};

use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    AccountRow, Bucket, Buckets, corrupt,
    holds::HoldRow,
    lots::LotRow,
    past, subscriptions,
    usage::{self, MonthTally},
};
use crate::domain::{AccountId, Credits, Hold, Lot, LotNumber, Subscription, Version, entry::Clawed};

/// How many entries that belong nowhere are looked for: one says that something is wrong.
const STRAYS_MAX: i64 = 100;

/// Everything that is kept of an account beside its entries.
pub struct Kept {
    pub row: AccountRow,
    /// Every lot there ever was.
    pub lots: Vec<Lot>,
    pub holds: Vec<Hold>,
    /// How much of which spend was refunded.
    pub refunded: Vec<(Version, Credits)>,
    /// How much of which lot was clawed back.
    pub clawed: Vec<(LotNumber, Clawed)>,
    pub subscription: Option<Arc<Subscription>>,
    /// What it has run in months that are over, oldest first.
    pub usage: Vec<MonthTally>,
}

/// What is kept of an account, if it can be understood.
pub type Found = (AccountId, sqlx::Result<Kept>);

/// The next accounts of a bucket after `after` (from the first where it is `None`), in the order of their
/// ids.
pub async fn next_accounts(
    conn: &mut PgConnection,
    bucket: Bucket,
    after: Option<AccountId>,
    limit: i64,
) -> sqlx::Result<Vec<Found>> {
    let rows = sqlx::query_scalar!(
        r#"select as_row(accounts) as "row!: AccountRow"
           from accounts
           where bucket = $1
             and ($2::uuid is null or id > $2)
           order by id
           limit $3"#,
        bucket.0,
        after.map(Uuid::from),
        limit,
    )
    .fetch_all(&mut *conn)
    .await?;
    keep(conn, bucket, rows).await
}

/// One account by its id; empty where it is not there.
pub async fn one_account(
    conn: &mut PgConnection,
    bucket: Bucket,
    account: AccountId,
) -> sqlx::Result<Vec<Found>> {
    let row = sqlx::query_scalar!(
        r#"select as_row(accounts) as "row!: AccountRow"
           from accounts
           where bucket = $1
             and id = $2"#,
        bucket.0,
        Uuid::from(account),
    )
    .fetch_all(&mut *conn)
    .await?;
    keep(conn, bucket, row).await
}

async fn keep(conn: &mut PgConnection, bucket: Bucket, rows: Vec<AccountRow>) -> sqlx::Result<Vec<Found>> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let lots = sqlx::query_scalar!(
        r#"select as_row(lots) as "row!: LotRow"
           from lots
           where bucket = $1
             and account_id = any($2)"#,
        bucket.0,
        &ids,
    )
    .fetch_all(&mut *conn)
    .await?;
    let holds = sqlx::query_scalar!(
        r#"select as_row(holds) as "row!: HoldRow"
           from holds
           where bucket = $1
             and account_id = any($2)"#,
        bucket.0,
        &ids,
    )
    .fetch_all(&mut *conn)
    .await?;
    let refunds = sqlx::query!(
        "select account_id,
                spend,
                refunded
         from refunds
         where bucket = $1
           and account_id = any($2)
         order by spend",
        bucket.0,
        &ids,
    )
    .fetch_all(&mut *conn)
    .await?;
    let clawbacks = sqlx::query!(
        "select account_id,
                lot,
                taken,
                owed,
                forgiven
         from clawbacks
         where bucket = $1
           and account_id = any($2)
         order by lot",
        bucket.0,
        &ids,
    )
    .fetch_all(&mut *conn)
    .await?;
    let subscriptions = sqlx::query!(
        r#"select account_id,
                  due_at,
                  state::text as "state!"
           from subscriptions
           where bucket = $1
             and account_id = any($2)"#,
        bucket.0,
        &ids,
    )
    .fetch_all(&mut *conn)
    .await?;
    let usage = usage::of_accounts(conn, bucket, &ids).await?;

    let mut lots = by_account(lots.into_iter().map(|row| (row.account_id, row.read())));
    let mut holds = by_account(holds.into_iter().map(|row| (row.account_id, row.read())));
    let mut refunded = by_account(refunds.into_iter().map(|row| {
        let sum = Credits::try_from(row.refunded).map_err(corrupt);
        (row.account_id, sum.map(|sum| (Version(row.spend), sum)))
    }));
    let mut clawed = by_account(clawbacks.into_iter().map(|row| {
        let clawed = past::clawed(row.taken, row.owed, row.forgiven);
        (row.account_id, clawed.map(|clawed| (LotNumber(row.lot), clawed)))
    }));
    let mut subscribed = by_account(subscriptions.into_iter().map(|row| {
        let parsed = subscriptions::parse(&row.state).and_then(|parsed| {
            let is_found = parsed.due_at() == row.due_at;
            if is_found { Ok(parsed) } else { Err(corrupt("a subscription that is due at another time")) }
        });
        (row.account_id, parsed)
    }));
    let mut usage = by_account(usage.into_iter());
    let mut understand = |row: AccountRow| {
        Ok(Kept {
            lots: lots.remove(&row.id).transpose()?.unwrap_or_default(),
            holds: holds.remove(&row.id).transpose()?.unwrap_or_default(),
            refunded: refunded.remove(&row.id).transpose()?.unwrap_or_default(),
            clawed: clawed.remove(&row.id).transpose()?.unwrap_or_default(),
            subscription: subscribed.remove(&row.id).transpose()?.and_then(|mut all| all.pop()),
            usage: usage.remove(&row.id).transpose()?.unwrap_or_default(),
            row,
        })
    };
    Ok(rows.into_iter().map(|row| (row.id.into(), understand(row))).collect())
}

/// What was read, by account; an error where any of an account's can't be understood.
fn by_account<T>(read: impl Iterator<Item = (Uuid, sqlx::Result<T>)>) -> HashMap<Uuid, sqlx::Result<Vec<T>>> {
    let mut accounts: HashMap<Uuid, sqlx::Result<Vec<T>>> = HashMap::new();
    for (account, read) in read {
        let all = accounts.entry(account).or_insert_with(|| Ok(Vec::new()));
        match (all.as_mut(), read) {
            (Ok(all), Ok(one)) => all.push(one),
            (Ok(_), Err(error)) => *all = Err(error),
            (Err(_), _) => {}
        }
    }
    accounts
}

/// About how many entries there are, for a progress bar.
pub async fn count_entries(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let count = sqlx::query_scalar!(
        r#"select greatest(reltuples, 0)::bigint as "count!" from pg_class where oid = 'entries'::regclass"#
    );
    Ok(count.fetch_one(conn).await?.unsigned_abs())
}

/// Accounts of a bucket in which a key has more than one entry, with the last of these. With an account, only its
/// keys are looked at.
pub async fn keys_used_twice(
    conn: &mut PgConnection,
    bucket: Bucket,
    only: Option<AccountId>,
) -> sqlx::Result<Vec<(AccountId, Version)>> {
    let rows = sqlx::query!(
        r#"select (array_agg(account_id order by at desc, version desc))[1] as "account_id!",
                  (array_agg(version order by at desc, version desc))[1] as "version!"
           from entries
           where bucket = $1
             and key is not null
             and (
                 $2::uuid is null
                 or key in (
                     select own.key
                     from entries as own
                     where own.bucket = $1
                       and own.account_id = $2
                 )
             )
           group by key
           having count(*) > 1
           limit $3"#,
        bucket.0,
        only.map(Uuid::from),
        STRAYS_MAX,
    );
    let rows = rows.fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.account_id.into(), Version(row.version))).collect())
}

/// Entries of a bucket whose account is not there.
pub async fn orphans(conn: &mut PgConnection, bucket: Bucket) -> sqlx::Result<Vec<(AccountId, Version)>> {
    let rows = sqlx::query!(
        "select account_id,
                version
         from entries
         where bucket = $1
           and not exists (
               select
               from accounts
               where accounts.bucket = entries.bucket
                 and accounts.id = entries.account_id
           )
         limit $2",
        bucket.0,
        STRAYS_MAX,
    );
    let rows = rows.fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.account_id.into(), Version(row.version))).collect())
}

/// Accounts and entries that are in another bucket than their account's id says, wherever that is.
pub async fn misplaced(
    conn: &mut PgConnection,
    buckets: Buckets,
) -> sqlx::Result<Vec<(AccountId, Option<Version>)>> {
    let rows = sqlx::query!(
        r#"select id as "account!",
                  null::bigint as version
           from accounts
           where bucket <> get_byte(uuid_send(id), 15) & ($1 - 1)
           union all
           select account_id,
                  version
           from entries
           where bucket <> get_byte(uuid_send(account_id), 15) & ($1 - 1)
           limit $2"#,
        i32::from(buckets.0),
        STRAYS_MAX,
    );
    let rows = rows.fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.account.into(), row.version.map(Version))).collect())
}
