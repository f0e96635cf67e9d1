-- Jobs: what happens without anybody asking, and how it went.

-- When each job last looked whether there is anything to do.
create table jobs (
    name text primary key,
    looked_at timestamptz not null
);

-- Runs that did something, or failed.
create table job_runs (
    id uuid primary key,
    job text not null,
    started_at timestamptz not null,
    took_ms bigint not null,
    things bigint not null,
    -- of one whose process ended: until another takes over
    is_running boolean not null,
    error text,
    constraint job_runs_took_ms_not_negative check (took_ms >= 0),
    constraint job_runs_things_not_negative check (things >= 0)
);

create index job_runs_of_a_job on job_runs (job, started_at);

create index job_runs_started_at on job_runs (started_at);

create index job_runs_running on job_runs (id) where is_running;
