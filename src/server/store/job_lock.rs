//! The lock under which one process does the jobs of a database. PostgreSQL holds it for a connection, and lets go of it
//! with that: when the process ends, however it does, or can't be reached any more.

use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::timeout;

/// Advisory locks have numbers for names. This one is `jobs` in ASCII.
const NAME: i64 = 0x6a6f_6273;

/// After this a connection that does not answer counts as lost.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How soon the server notices that a process is gone whose machine is: within a minute.
const KEEPALIVES: [(&str, &str); 3] =
    [("tcp_keepalives_idle", "30"), ("tcp_keepalives_interval", "10"), ("tcp_keepalives_count", "3")];

/// Held until it is dropped, or its connection is lost.
#[derive(Debug)]
pub struct JobLock(PgConnection);

impl JobLock {
    /// `None` where another process has it.
    pub async fn take(pool: &PgPool) -> sqlx::Result<Option<Self>> {
        let options = pool.connect_options().as_ref().clone().application_name("scrip jobs");
        let mut conn = PgConnection::connect_with(&options.options(KEEPALIVES)).await?;
        let is_taken = sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "is_taken!""#, NAME);
        if is_taken.fetch_one(&mut conn).await? {
            return Ok(Some(Self(conn)));
        }
        conn.close().await?;
        Ok(None)
    }

    /// # Errors
    /// Where it is not known any more whether the lock is held.
    pub async fn confirm(&mut self) -> sqlx::Result<()> {
        let answered = timeout(ANSWER_TIMEOUT, sqlx::query!("select 1 as one").fetch_one(&mut self.0)).await;
        answered.map_err(|_| sqlx::Error::PoolTimedOut)?.map(drop)
    }
}
