//! The lock under which one process does the jobs of a database. PostgreSQL holds it for a connection, and lets go of it
//! with that: when the process ends, however it does, or can't be reached any more.

use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::{sleep, timeout};

/// Advisory locks have numbers for names. This one is `jobs` in ASCII.
const NAME: i64 = 0x6a6f_6273;

/// After this a connection that does not answer counts as lost.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How soon the server notices that a process is gone whose machine is: within a minute.
const KEEPALIVES: [(&str, &str); 3] =
    [("tcp_keepalives_idle", "30"), ("tcp_keepalives_interval", "10"), ("tcp_keepalives_count", "3")];

/// How long whoever waits for the lock pauses before it asks again: doubled each time, so that a process that was started
/// anew soon follows the one that it was before, and many that wait ask for little.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Held until it is dropped, or its connection is lost.
#[derive(Debug)]
pub struct JobLock(PgConnection);

impl JobLock {
    /// Waits until no other process has it. It asks now and then, on one connection as long as that lasts: a statement
    /// that waits in the database would keep it from clearing away dead rows.
    pub async fn wait(pool: &PgPool) -> Self {
        let (mut kept, mut pause) = (None, PAUSE_FIRST);
        loop {
            match ask(pool, kept.take()).await {
                Ok((conn, true)) => return Self(conn),
                Ok((conn, false)) => kept = Some(conn),
                Err(error) => tracing::debug!(%error, "the lock of the jobs can't be asked for"),
            }
            sleep(pause).await;
            pause = PAUSE_MAX.min(pause * 2);
        }
    }

    /// # Errors
    /// Where it is not known any more whether the lock is held.
    pub async fn confirm(&mut self) -> sqlx::Result<()> {
        answered(sqlx::query!("select 1 as one").fetch_one(&mut self.0)).await.map(drop)
    }
}

/// Asks for the lock, on this connection or else on a new one. Returns it, and whether the lock is its now.
async fn ask(pool: &PgPool, kept: Option<PgConnection>) -> sqlx::Result<(PgConnection, bool)> {
    let mut conn = match kept {
        Some(conn) => conn,
        None => {
            let options = pool.connect_options().as_ref().clone().application_name("scrip jobs");
            answered(PgConnection::connect_with(&options.options(KEEPALIVES))).await?
        }
    };
    let is_taken = sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "is_taken!""#, NAME);
    let is_taken = answered(is_taken.fetch_one(&mut conn)).await?;
    Ok((conn, is_taken))
}

async fn answered<T>(asking: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    timeout(ANSWER_TIMEOUT, asking).await.map_err(|_| sqlx::Error::PoolTimedOut)?
}
