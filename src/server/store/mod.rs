//! All SQL of the program, one file a table family. Functions that may share a transaction take an
//! open connection, the others the pool; all speak the words of the domain.

pub mod api_keys;
pub mod differences;
pub mod embedded;
pub mod job_lock;
pub mod job_runs;
pub mod ledger;
pub mod payments;
pub mod people;
pub mod portal_sessions;
pub mod profiles;
pub mod purchases;
pub mod reconciled;
pub mod refunds_asked;
pub mod sandbox;
pub mod sessions;
pub mod signals;
pub mod stripe_customers;
pub mod stripe_events;
pub mod stripe_invoices;
pub mod stripe_subscriptions;
pub mod test_clock;
pub mod top_ups;
pub mod warnings;

use std::time::Duration;

use sqlx::{
    Connection, PgConnection, PgPool,
    migrate::{Migrate, MigrateError},
    postgres::{PgConnectOptions, PgPoolOptions},
};

const CONNECTIONS_MAX: u32 = 16;

/// After this a caller is told that the database is out of reach, rather than kept waiting.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// A statement that takes longer is broken off: no page and no command needs it.
const STATEMENT_TIMEOUT: &str = "10s";

/// Below the one for statements, so that who waits for an account is told that, and sooner.
const LOCK_TIMEOUT: &str = "5s";

/// Shorter where a whole lane waits.
const LEDGER_LOCK_TIMEOUT: &str = "1s";

/// A pool that connects when it is first needed, so that the program can start and stay up while its
/// database is away.
pub fn connect(options: PgConnectOptions) -> PgPool {
    let options = options.application_name("scrip").options([
        ("timezone", "UTC"),
        ("statement_timeout", STATEMENT_TIMEOUT),
        ("lock_timeout", LOCK_TIMEOUT),
        // An answer goes out when the effect is on disk, whatever the server's default.
        ("synchronous_commit", "on"),
    ]);
    PgPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(options)
}

/// Connections for the statements of the ledger, at most so many. They are planned once, as the loops over indexes
/// that they are written as (see `ledger`).
pub fn connect_ledger(pool: &PgPool, most: usize) -> PgPool {
    let options = pool.connect_options().as_ref().clone().options([
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("enable_bitmapscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("enable_memoize", "off"),
        ("lock_timeout", LEDGER_LOCK_TIMEOUT),
    ]);
    PgPoolOptions::new()
        .max_connections(u32::try_from(most).unwrap_or(CONNECTIONS_MAX))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A lane keeps its connection for as long as it works.
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(options)
}

/// A connection that reads everything from one end to the other, however long that takes, along the indexes.
pub async fn connect_auditor(pool: &PgPool) -> sqlx::Result<PgConnection> {
    let options = pool.connect_options().as_ref().clone().options([
        ("statement_timeout", "0"),
        ("enable_seqscan", "off"),
        ("enable_bitmapscan", "off"),
        ("enable_sort", "off"),
    ]);
    PgConnection::connect_with(&options).await
}

/// Whether the database can be reached at all, and if not, why not: a pool would only say that it took too long.
pub async fn reach(pool: &PgPool) -> sqlx::Result<()> {
    PgConnection::connect_with(&pool.connect_options()).await?.close().await
}

/// Brings the database to the form that this program expects; one process at a time. It may take as long as
/// it takes.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    let mut conn = pool.acquire().await?;
    sqlx::query!("set statement_timeout = 0").execute(&mut *conn).await?;
    sqlx::query!("set lock_timeout = 0").execute(&mut *conn).await?;
    sqlx::migrate!().run(&mut *conn).await?;
    // Not back into the pool: its settings are not those of the others.
    Ok(conn.close().await?)
}

/// Whether the database has the form that this program expects. Writes nothing.
pub async fn is_current(pool: &PgPool) -> Result<bool, MigrateError> {
    let mut conn = pool.acquire().await?;
    let is_there =
        sqlx::query_scalar!(r#"select to_regclass('_sqlx_migrations') is not null as "is_there!""#);
    if !is_there.fetch_one(&mut *conn).await? {
        return Ok(false);
    }
    let wanted = sqlx::migrate!();
    let applied = conn.list_applied_migrations(&wanted.table_name).await?;
    Ok(wanted.iter().all(|wanted| applied.iter().any(|applied| applied.version == wanted.version)))
}

/// The settings that make a committed change survive a crash and that are off here, by name. (`connect` itself asks
/// for `synchronous_commit`.)
pub async fn unsafe_settings(pool: &PgPool) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select name as "name!"
           from pg_settings
           where name in ('fsync', 'full_page_writes')
             and setting = 'off'
           order by name"#
    )
    .fetch_all(pool)
    .await
}

/// Whether the database answers.
pub async fn ping(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query!("select 1 as one").fetch_one(pool).await.map(drop)
}

/// A value in the database that this program would never have written.
fn corrupt(what: impl std::fmt::Display) -> sqlx::Error {
    sqlx::Error::Decode(format!("the database holds what the law does not allow: {what}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corruption_says_what_was_found() {
        assert!(corrupt("a lot of -1 credits").to_string().contains("a lot of -1 credits"));
    }
}
