-- The ledger: accounts, the lots that they hold, and the entries that say how it came to be.
--
-- Every ledger table leads with `bucket`, which is derived from the account's id. A statement of the
-- ledger names one bucket, so that the tables can be spread over machines by it.

create table ledger_layout (
    only_row boolean primary key default true,
    buckets smallint not null,
    constraint ledger_layout_only_row check (only_row),
    constraint ledger_layout_buckets_power_of_two check (buckets between 1 and 128 and buckets & (buckets - 1) = 0)
);

-- Fixed from here on: another number would look for accounts in the wrong bucket.
insert into ledger_layout (buckets) values (8);

-- Room is left in each page so that an update stays beside the row that it replaces and touches no index;
-- for the same reason no column that changes is ever indexed.
create table accounts (
    bucket smallint not null,
    id uuid not null,
    created_at timestamptz not null,
    version bigint not null default 0,
    balance bigint not null default 0,
    last_entry_at timestamptz,
    last_lot bigint not null default 0,
    primary key (bucket, id),
    constraint accounts_version_not_negative check (version >= 0),
    constraint accounts_balance_not_negative check (balance >= 0),
    constraint accounts_last_lot_not_negative check (last_lot >= 0)
) with (fillfactor = 70);

create type lot_source as enum ('sign_up', 'plan', 'pack', 'bonus', 'adjustment');

create table lots (
    bucket smallint not null,
    account_id uuid not null,
    number bigint not null,
    source lot_source not null,
    priority smallint not null,
    granted bigint not null,
    remaining bigint not null,
    effective_at timestamptz not null,
    expires_at timestamptz,
    created_at timestamptz not null,
    primary key (bucket, account_id, number),
    constraint lots_account foreign key (bucket, account_id) references accounts (bucket, id),
    constraint lots_number_positive check (number >= 1),
    constraint lots_granted_positive check (granted >= 1),
    constraint lots_remaining_within_granted check (remaining between 0 and granted),
    constraint lots_expire_after_they_start check (expires_at > effective_at)
) with (fillfactor = 70);

create type entry_kind as enum ('grant', 'spend', 'expiry');

-- The primary key is also the public name of an entry: its account and its version.
create table entries (
    bucket smallint not null,
    account_id uuid not null,
    version bigint not null,
    at timestamptz not null,
    balance_before bigint not null,
    balance_after bigint not null,
    kind entry_kind not null,
    -- [lot, change, lot, change, …] in the order in which the lots were touched
    movements bigint[] not null,
    -- of a spend: what was run, how much of it, and its price at the time
    action text,
    units bigint,
    price bigint,
    -- of a grant: what it was for
    description text,
    -- of the command that the entry answers: digests of its key and of its content
    key_digest bytea,
    fingerprint bytea,
    primary key (bucket, account_id, version),
    constraint entries_account foreign key (bucket, account_id) references accounts (bucket, id),
    constraint entries_version_positive check (version >= 1),
    constraint entries_balances_not_negative check (balance_before >= 0 and balance_after >= 0),
    constraint entries_movements_in_pairs check (cardinality(movements) > 0 and cardinality(movements) % 2 = 0),
    constraint entries_change_has_its_sign check (
        case kind when 'grant' then balance_after > balance_before else balance_after < balance_before end
    ),
    constraint entries_spend_has_price check (
        case kind when 'spend' then action is not null and price is not null
                  else action is null and price is null and units is null end
    ),
    constraint entries_price_and_units_positive check (price >= 1 and units >= 1),
    constraint entries_grant_has_description check ((kind = 'grant') = (description is not null)),
    constraint entries_key_unless_the_law_acted check ((kind = 'expiry') = (key_digest is null)),
    constraint entries_key_has_fingerprint check ((key_digest is null) = (fingerprint is null)),
    constraint entries_digest_lengths check (octet_length(key_digest) = 16 and octet_length(fingerprint) = 8)
);

-- One effect per key.
create unique index entries_key on entries (bucket, account_id, key_digest) where key_digest is not null;

create function refuse_change_of_history() returns trigger language plpgsql as $$
begin
    raise exception 'entries are never changed or deleted' using errcode = 'restrict_violation';
end
$$;

create trigger entries_are_immutable
    before update or delete or truncate on entries
    for each statement execute function refuse_change_of_history();
