//! What fell due on accounts that nobody has asked anything of since: finding it, and having it written by the lanes.

use sqlx::PgPool;

use super::{Bucket, Ledger};
use crate::{
    domain::AccountId,
    server::{
        Error,
        clock::Clock,
        store::ledger::{self as tables, Buckets, Overdue},
    },
};

/// What came of settling accounts. On those that are in neither list nothing is due, or not any more.
#[derive(Debug)]
pub struct Settled {
    pub written: Vec<AccountId>,
    /// Somebody else holds them.
    pub held: Vec<AccountId>,
}

impl Ledger {
    /// Accounts of a bucket on which something fell due, at most `limit`, those first that have waited longest.
    pub async fn due(
        &self,
        bucket: Bucket,
        except: &[AccountId],
        limit: u16,
    ) -> sqlx::Result<Vec<AccountId>> {
        let mut conn = self.pool.acquire().await?;
        tables::due(&mut conn, bucket, self.clock.now(), except, limit.into()).await
    }

    /// Writes what fell due on accounts of a bucket, on all that nobody else holds or on none.
    ///
    /// # Errors
    /// [`Error::Internal`] where one of the accounts is to blame, [`Error::is_lock_timeout`] where somebody else holds what
    /// belongs to one, [`Error::Stopping`] where the ledger was stopped before.
    pub async fn settle(&self, bucket: Bucket, due: Vec<AccountId>) -> Result<Settled, Error> {
        self.lanes[bucket.index()].settle(due).await
    }
}

/// On how many accounts something fell due that is not written yet, and since when.
pub async fn overdue(pool: &PgPool, clock: &Clock) -> sqlx::Result<Overdue> {
    let (mut conn, mut all) = (pool.acquire().await?, Overdue::default());
    for bucket in Buckets::read(pool).await?.all() {
        let found = tables::overdue(&mut conn, bucket, clock.now()).await?;
        all.accounts += found.accounts;
        all.since = all.since.into_iter().chain(found.since).min();
    }
    Ok(all)
}
