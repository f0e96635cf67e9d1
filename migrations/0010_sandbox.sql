-- The stand-in Stripe of a sandbox (src/server/stripe/sandbox): what Stripe would keep on its side. Nothing of the program
-- reads these tables but the stand-in. Where real money is about they stay empty.

-- Customers, sessions, payments, subscriptions, events …, each as Stripe's API tells it.
create table sandbox_objects (
    -- the order in which they were made
    number bigint not null generated always as identity,
    id text primary key,
    kind text not null,
    body jsonb not null,
    -- in Unix seconds, as the body says it
    created bigint not null,
    -- when it changes by itself
    due bigint
);

create unique index sandbox_objects_of_a_kind on sandbox_objects (kind, number);
create index sandbox_objects_by_field on sandbox_objects using gin (body jsonb_path_ops);
create index sandbox_objects_due on sandbox_objects (due, number) where due is not null;

-- Each event goes to the listener until it has been taken, or for three days. These times are the machine's: whoever
-- listens has no other.
create table sandbox_deliveries (
    number bigint primary key generated always as identity,
    event text not null references sandbox_objects (id),
    created_at timestamptz not null,
    -- the next attempt; null: delivered, or given up
    due_at timestamptz,
    attempts integer not null default 0,
    -- of the last attempt
    answer text
);

create index sandbox_deliveries_due on sandbox_deliveries (due_at, number) where due_at is not null;
create index sandbox_deliveries_of_an_event on sandbox_deliveries (event);

-- Requests that came with an idempotency key, and what they were answered.
create table sandbox_requests (
    key text primary key,
    fingerprint bytea not null,
    status smallint not null,
    body jsonb not null,
    created bigint not null
);

create index sandbox_requests_created on sandbox_requests (created);

-- How webhooks go, and what they are signed with unless the operator says it. The row is also the lock under which one
-- thing happens after another.
create table sandbox_switches (
    only_row boolean primary key default true,
    secret text not null default 'whsec_' || replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''),
    delay_seconds integer not null default 0,
    is_doubled boolean not null default false,
    is_reordered boolean not null default false,
    is_held_back boolean not null default false,
    next_fails boolean not null default false,
    constraint sandbox_switches_only_row check (only_row),
    constraint sandbox_switches_delay_seconds check (delay_seconds between 0 and 3600)
);

insert into sandbox_switches default values;
