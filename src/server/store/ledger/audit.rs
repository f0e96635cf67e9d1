//! How the whole ledger is read to be checked: account by account in the order of their ids, with all that is
//! kept of each. The entries beside them come as a stream (`entries::stream`).

use sqlx::PgConnection;
use uuid::Uuid;

use super::{AccountRow, Bucket, accounts, corrupt, holds, lots};
use crate::domain::{AccountId, Credits, Hold, Lot, LotNumber, Version, entry::Clawed};

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
}

/// The next accounts of a bucket after `after` (from the first where it is `None`), in the order of their
/// ids.
pub async fn next_accounts(
    conn: &mut PgConnection,
    bucket: Bucket,
    after: Option<AccountId>,
    limit: i64,
) -> sqlx::Result<Vec<Kept>> {
    let rows = sqlx::query_as!(
        AccountRow,
        "select id,
                version,
                balance,
                held,
                debt,
                last_entry_at,
                last_lot,
                chain,
                unlimited_until,
                last_use_at,
                uses_in_hour,
                uses_in_day
         from accounts
         where bucket = $1
           and ($2::uuid is null or id > $2)
         order by id
         limit $3",
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
) -> sqlx::Result<Vec<Kept>> {
    let rows = accounts::find(conn, bucket, &[account]).await?;
    keep(conn, bucket, rows).await
}

async fn keep(conn: &mut PgConnection, bucket: Bucket, rows: Vec<AccountRow>) -> sqlx::Result<Vec<Kept>> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut lots = lots::read_all(conn, bucket, &ids).await?;
    let mut holds = holds::read(conn, bucket, &ids).await?;
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
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let id = AccountId::from(row.id);
            let refunded = refunds.iter().filter(|refund| refund.account_id == row.id);
            let refunded = refunded.map(|refund| {
                Ok((Version(refund.spend), Credits::try_from(refund.refunded).map_err(corrupt)?))
            });
            let clawed = clawbacks.iter().filter(|clawed| clawed.account_id == row.id).map(|clawed| {
                let part = |part: i64| Credits::try_from(part).map_err(corrupt);
                let [taken, owed, forgiven] = [clawed.taken, clawed.owed, clawed.forgiven].map(part);
                Ok((LotNumber(clawed.lot), Clawed { taken: taken?, owed: owed?, forgiven: forgiven? }))
            });
            Ok(Kept {
                clawed: clawed.collect::<sqlx::Result<_>>()?,
                refunded: refunded.collect::<sqlx::Result<_>>()?,
                lots: lots.remove(&id).unwrap_or_default(),
                holds: holds.remove(&id).unwrap_or_default(),
                row,
            })
        })
        .collect()
}

/// About how many entries there are, for a progress bar.
pub async fn count_entries(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let count = sqlx::query_scalar!(
        r#"select greatest(reltuples, 0)::bigint as "count!" from pg_class where oid = 'entries'::regclass"#
    );
    Ok(count.fetch_one(conn).await?.unsigned_abs())
}

/// Accounts of a bucket in which a key has more than one entry, with the last of these.
pub async fn keys_used_twice(
    conn: &mut PgConnection,
    bucket: Bucket,
) -> sqlx::Result<Vec<(AccountId, Version)>> {
    let rows = sqlx::query!(
        r#"select (array_agg(account_id order by version desc))[1] as "account_id!",
                  max(version) as "version!"
           from entries
           where bucket = $1
             and key is not null
           group by key
           having count(*) > 1
           limit $2"#,
        bucket.0,
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
