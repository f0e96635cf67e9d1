//! What an operator wants to know of the jobs: when each last ran, what came of it, and how much is waiting.

use std::fmt;

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::all;
use crate::{
    server::{
        clock::Clock,
        ledger::overdue,
        store::{
            job_runs::{self, JobRun},
            ledger::Overdue,
        },
    },
    text,
};

#[derive(Debug)]
pub struct Overview {
    pub jobs: Vec<Latest>,
    pub overdue: Overdue,
}

/// What is known of one job.
#[derive(Debug)]
pub struct Latest {
    pub job: &'static str,
    /// When it last found that nothing more is to be done.
    pub looked_at: Option<DateTime<Utc>>,
    /// Its latest runs that did something or failed, the latest first.
    pub runs: Vec<JobRun>,
}

/// With at most so many runs of each job. `clock`: what is overdue by it.
pub async fn overview(pool: &PgPool, clock: &Clock, runs: u16) -> sqlx::Result<Overview> {
    let names: Vec<&'static str> = all().iter().map(|job| job.name()).collect();
    let mut jobs = Vec::new();
    for job in names {
        let looked_at = job_runs::last_looked(pool, job).await?;
        jobs.push(Latest { job, looked_at, runs: job_runs::latest(pool, job, runs.into()).await? });
    }
    Ok(Overview { jobs, overdue: overdue(pool, clock).await? })
}

impl fmt::Display for Overview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Latest { job, looked_at, runs } in &self.jobs {
            let looked = looked_at.map_or_else(|| "never".to_owned(), text::machine_time);
            writeln!(f, "{job:<8}  last looked {looked}")?;
            for run in runs {
                writeln!(f, "          {}", line_of(run))?;
            }
        }
        match self.overdue.since {
            Some(since) => {
                let accounts = text::number(self.overdue.accounts);
                writeln!(f, "{accounts} due and not written down, since {}", text::machine_time(since))
            }
            None => writeln!(f, "Nothing is due."),
        }
    }
}

fn line_of(run: &JobRun) -> String {
    let state = if run.is_running { "runs since" } else { "ran" };
    let error = run.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    let (at, things, took) =
        (text::machine_time(run.started_at), text::number(run.things), text::number(run.took_ms));
    format!("{state} {at}, {things} done in {took} ms{error}")
}
