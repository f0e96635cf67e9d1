//! Automatic top-ups: what the holders of accounts chose, and when to look whether to buy.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::corrupt;
use crate::domain::{
    AccountId, Amount, Credits, TopUp,
    catalog::{Currency, PackKey, Price},
    purchase::Mode,
};

/// What the holder of an account chose, and how often they did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    pub top_up: TopUp,
    /// The purchase with which it is turned on once that is paid.
    pub first_purchase: Option<Uuid>,
    pub version: i32,
}

pub async fn find(conn: &mut PgConnection, mode: Mode, account: AccountId) -> sqlx::Result<Option<Chosen>> {
    let row = sqlx::query_as!(
        Row,
        "select threshold, pack, month_limit, currency, on_since, first_purchase, version
         from top_ups
         where account_id = $1
           and mode = $2",
        Uuid::from(account),
        mode.as_str(),
    );
    row.fetch_optional(conn).await?.map(Row::read).transpose()
}

/// The same, kept from others until the end of the transaction.
pub async fn lock(conn: &mut PgConnection, mode: Mode, account: AccountId) -> sqlx::Result<Option<Chosen>> {
    sqlx::query!(
        "select version
         from top_ups
         where account_id = $1
           and mode = $2
         for no key update",
        Uuid::from(account),
        mode.as_str(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    // Only now: what was read together with a lock that had to be waited for would be out of date.
    find(conn, mode, account).await
}

/// Writes what a holder chose, if it is still what they have seen (version 0: nothing); whether it was. It is looked at as
/// soon as it is on.
pub async fn write(
    conn: &mut PgConnection,
    mode: Mode,
    account: AccountId,
    top_up: &TopUp,
    first_purchase: Option<Uuid>,
    seen: i32,
) -> sqlx::Result<bool> {
    let written = sqlx::query!(
        "insert into top_ups (account_id, mode, threshold, pack, month_limit, currency, on_since, first_purchase, version,
                              look_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9 + 1, $7)
         on conflict (account_id, mode) do update
         set threshold = excluded.threshold,
             pack = excluded.pack,
             month_limit = excluded.month_limit,
             currency = excluded.currency,
             on_since = excluded.on_since,
             first_purchase = excluded.first_purchase,
             version = excluded.version,
             look_at = excluded.look_at
         where top_ups.version = $9",
        Uuid::from(account),
        mode.as_str(),
        top_up.threshold.get(),
        top_up.pack.as_str(),
        top_up.month_limit.minor(),
        top_up.month_limit.currency().as_str(),
        top_up.on_since,
        first_purchase,
        seen,
    );
    Ok(written.execute(conn).await?.rows_affected() == 1)
}

/// Notes that the card of a purchase is kept: what waited for it is on.
pub async fn turn_on(conn: &mut PgConnection, purchase: Uuid, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "update top_ups
         set on_since = $2,
             first_purchase = null,
             version = version + 1,
             look_at = $2
         where first_purchase = $1",
        purchase,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Turns it off.
pub async fn turn_off(conn: &mut PgConnection, mode: Mode, account: AccountId) -> sqlx::Result<()> {
    sqlx::query!(
        "update top_ups
         set on_since = null,
             first_purchase = null,
             version = version + 1,
             look_at = null
         where account_id = $1
           and mode = $2
           and (on_since is not null or first_purchase is not null)",
        Uuid::from(account),
        mode.as_str(),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes that accounts have changed, and how much is available on each: those that have less than their holders want are
/// looked at soon.
pub async fn hint(
    conn: &mut PgConnection,
    mode: Mode,
    changed: &[(AccountId, Credits)],
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let (accounts, available): (Vec<Uuid>, Vec<i64>) =
        changed.iter().map(|(account, available)| (Uuid::from(*account), available.get())).unzip();
    sqlx::query!(
        "update top_ups
         set look_at = $4
         where (account_id, mode) in (
             select top_ups.account_id, top_ups.mode
             from unnest($2::uuid[], $3::bigint[]) as changed (account_id, available)
             join top_ups
               on top_ups.account_id = changed.account_id
              and top_ups.mode = $1
             where top_ups.threshold > changed.available
               and top_ups.look_at > $4
             order by top_ups.account_id
             for no key update of top_ups
         )",
        mode.as_str(),
        &accounts,
        &available,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Takes up accounts that are to be looked at by now, the longest due first; nobody else does until `again_at`.
pub async fn take_due(
    pool: &PgPool,
    mode: Mode,
    now: DateTime<Utc>,
    again_at: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<AccountId>> {
    let accounts = sqlx::query_scalar!(
        "update top_ups
         set look_at = $3
         where (account_id, mode) in (
             select account_id, mode
             from top_ups
             where look_at <= $2
               and mode = $1
             order by look_at
             limit $4
             for no key update skip locked
         )
         returning account_id",
        mode.as_str(),
        now,
        again_at,
        limit,
    );
    Ok(accounts.fetch_all(pool).await?.into_iter().map(AccountId::from).collect())
}

/// Notes when an account is looked at next.
pub async fn look_again(
    conn: &mut PgConnection,
    mode: Mode,
    account: AccountId,
    at: Option<DateTime<Utc>>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update top_ups
         set look_at = $3
         where account_id = $1
           and mode = $2",
        Uuid::from(account),
        mode.as_str(),
        at,
    )
    .execute(conn)
    .await
    .map(drop)
}

struct Row {
    threshold: i64,
    pack: String,
    month_limit: i64,
    currency: String,
    on_since: Option<DateTime<Utc>>,
    first_purchase: Option<Uuid>,
    version: i32,
}

impl Row {
    fn read(self) -> sqlx::Result<Chosen> {
        let currency = Currency::named(&self.currency).ok_or_else(|| corrupt(&self.currency))?;
        let top_up = TopUp {
            threshold: Amount::try_from(self.threshold).map_err(corrupt)?,
            pack: PackKey::try_from(self.pack).map_err(corrupt)?,
            month_limit: Price::new(self.month_limit, currency).map_err(corrupt)?,
            on_since: self.on_since,
        };
        Ok(Chosen { top_up, first_purchase: self.first_purchase, version: self.version })
    }
}
