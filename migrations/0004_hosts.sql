-- What host applications bring: accounts under names of their own, keys, and ways into the pages for their users.

-- What is known of an account besides its credits. No foreign key: accounts may be spread over machines, this is not.
create table profiles (
    account_id uuid primary key,
    external_id text not null,
    name text,
    email text,
    created_at timestamptz not null,
    constraint profiles_external_id_key unique (external_id)
);

-- Whoever reads this table can call nothing: of a key's secret it has the digest.
create table api_keys (
    id uuid primary key,
    name text not null,
    -- what is shown of the key, and by which it is looked up
    prefix text not null,
    digest bytea not null,
    scopes text[] not null,
    requests_per_minute integer not null,
    created_at timestamptz not null,
    last_used_at timestamptz,
    -- of a key that was replaced: until when it may still be used
    expires_at timestamptz,
    revoked_at timestamptz,
    constraint api_keys_prefix_key unique (prefix),
    constraint api_keys_digest_length check (octet_length(digest) = 32),
    constraint api_keys_scopes_known check (
        cardinality(scopes) > 0 and scopes <@ array['read', 'spend', 'grant', 'admin']
    ),
    constraint api_keys_requests_per_minute_positive check (requests_per_minute >= 1)
);

-- A way into the pages that can be gone once. A token is found by its digest.
create table portal_sessions (
    token_digest bytea primary key,
    account_id uuid not null,
    return_url text not null,
    expires_at timestamptz not null,
    constraint portal_sessions_digest_length check (octet_length(token_digest) = 32)
);

create index portal_sessions_expires_at on portal_sessions (expires_at);

-- Who comes in that way has no password; their host knows them.
alter table users
    alter column email drop not null,
    alter column password_hash drop not null,
    add constraint users_password_with_email check ((email is null) = (password_hash is null));

-- The time that the program goes by, in a sandbox where somebody has set it.
create table test_clock (
    only_row boolean primary key default true,
    now timestamptz not null,
    constraint test_clock_only_row check (only_row)
);

-- Every process hears of a change at once, whoever makes it.
create function tell_of_change() returns trigger language plpgsql as $$
begin
    perform pg_notify('scrip_' || tg_table_name, '');
    return null;
end
$$;

create trigger api_keys_change
    after insert or delete or update of name, scopes, requests_per_minute, expires_at, revoked_at on api_keys
    for each statement execute function tell_of_change();

create trigger test_clock_change
    after insert or update or delete on test_clock
    for each statement execute function tell_of_change();
