-- People who sign in, and their sessions.

-- `account_id` has no foreign key: accounts may be spread over machines, people are not.
create table users (
    id uuid primary key,
    email text not null,
    password_hash text not null,
    role text not null,
    account_id uuid not null,
    created_at timestamptz not null,
    constraint users_role_known check (role in ('member', 'admin')),
    constraint users_account_key unique (account_id)
);

-- One person per address, however it is capitalised.
create unique index users_email_key on users (lower(email));

-- A session is found by the digest of its id, so that reading this table signs nobody in.
create table sessions (
    id_digest bytea primary key,
    data jsonb not null,
    expires_at timestamptz not null
);

create index sessions_expires_at on sessions (expires_at);
