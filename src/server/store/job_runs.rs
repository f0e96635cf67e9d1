//! Runs of jobs: when each did something, or failed. Of one that found nothing to do only when it looked is kept.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRun {
    pub id: Uuid,
    pub job: String,
    pub started_at: DateTime<Utc>,
    pub took_ms: i64,
    /// How many things it did.
    pub things: i64,
    pub is_running: bool,
    pub error: Option<String>,
}

/// Writes a run as it stands now.
pub async fn write(pool: &PgPool, run: &JobRun) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into job_runs (id, job, started_at, took_ms, things, is_running, error)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (id) do update
         set took_ms = excluded.took_ms,
             things = excluded.things,
             is_running = excluded.is_running,
             error = excluded.error",
        run.id,
        run.job,
        run.started_at,
        run.took_ms,
        run.things,
        run.is_running,
        run.error,
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Notes that a job has looked for something to do, and that nothing is left.
pub async fn looked(pool: &PgPool, job: &str, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into jobs (name, looked_at)
         values ($1, $2)
         on conflict (name) do update
         set looked_at = excluded.looked_at",
        job,
        at,
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Notes that runs are not running any more whose process has gone away.
pub async fn end_abandoned(pool: &PgPool, error: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update job_runs
         set is_running = false,
             error = $1
         where is_running",
        error,
    )
    .execute(pool)
    .await
    .map(drop)
}

/// When a job last looked for something to do.
pub async fn last_looked(pool: &PgPool, job: &str) -> sqlx::Result<Option<DateTime<Utc>>> {
    let looked_at = sqlx::query_scalar!(
        "select looked_at
         from jobs
         where name = $1",
        job,
    );
    looked_at.fetch_optional(pool).await
}

/// The latest runs of a job, the latest first.
pub async fn latest(pool: &PgPool, job: &str, limit: i64) -> sqlx::Result<Vec<JobRun>> {
    sqlx::query_as!(
        JobRun,
        "select id, job, started_at, took_ms, things, is_running, error
         from job_runs
         where job = $1
         order by started_at desc
         limit $2",
        job,
        limit,
    )
    .fetch_all(pool)
    .await
}

/// Deletes at most `limit` runs that began by `end`; returns how many.
pub async fn delete_old(pool: &PgPool, end: DateTime<Utc>, limit: i64) -> sqlx::Result<u64> {
    let deleted = sqlx::query!(
        "delete from job_runs
         where id in (
             select id
             from job_runs
             where started_at <= $1
               and not is_running
             limit $2
         )",
        end,
        limit,
    );
    Ok(deleted.execute(pool).await?.rows_affected())
}
