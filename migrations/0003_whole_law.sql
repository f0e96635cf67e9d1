-- The rest of the law: holds, refunds, voids, clawbacks and debt, unlimited use; and the chain of entries.

-- What a single value may be is said by its type: PostgreSQL keeps a domain's check ready, while it takes up a table's
-- anew with every statement that writes, which would be a good part of what a small statement costs.
create domain credits as bigint constraint credits_not_negative check (value >= 0);
-- Of what is numbered or counted from one.
create domain ordinal as bigint constraint ordinal_positive check (value >= 1);
-- Of the years 1 to 9999: what calls and pages can say, and `infinity` is none of them.
create domain moment as timestamptz constraint moment_kept check (
    value between '0001-01-01 00:00:00+00' and '9999-12-31 23:59:59.999999+00'
);
create domain chain_end as bytea constraint chain_end_length check (octet_length(value) = 32);
-- (g)rant, (s)pend, (h)old, (c)apture, (r)elease, re(f)und, e(x)piry, (v)oid, (a)djustment, claw(b)ack,
-- re(i)nstatement, (u)nlimited
create domain letter_of_kind as "char" constraint letter_of_kind_known check (
    value in ('g', 's', 'h', 'c', 'r', 'f', 'x', 'v', 'a', 'b', 'i', 'u')
);

alter table accounts
    drop constraint accounts_version_not_negative,
    drop constraint accounts_balance_not_negative,
    drop constraint accounts_last_lot_not_negative,
    alter column balance type credits,
    alter column last_entry_at type moment,
    add column held credits not null default 0,
    add column debt credits not null default 0,
    -- SHA-256 over the whole history: the last link of the chain
    add column chain chain_end not null default decode(repeat('00', 32), 'hex'),
    add column unlimited_until moment,
    -- for fair-use caps: the last spend or hold, and how many there were in its UTC hour and day
    add column last_use_at moment,
    add column uses_in_hour integer not null default 0,
    add column uses_in_day integer not null default 0;

alter table lots
    drop constraint lots_number_positive,
    drop constraint lots_granted_positive,
    drop constraint lots_remaining_within_granted,
    alter column number type ordinal,
    alter column granted type ordinal,
    alter column remaining type credits,
    alter column effective_at type moment,
    alter column expires_at type moment,
    alter column created_at type moment,
    add column held credits not null default 0,
    -- what lapsed or was voided before anybody spent it
    add column lost credits not null default 0,
    add column is_void boolean not null default false,
    -- Indexed below: it changes when a lot ends or comes back, not with every spend.
    add column is_open boolean not null generated always as (remaining > 0 or held > 0) stored,
    add constraint lots_within_granted check (remaining + held <= granted);

-- So that an account is read without its spent lots, and what lapses is found without asking every account.
create index lots_open on lots (bucket, account_id) where is_open;
create index lots_expiring on lots (bucket, expires_at) where is_open;

-- Open holds. A hold that ends is gone from here; its entries say what became of it.
create table holds (
    bucket smallint not null,
    account_id uuid not null,
    -- the version of the entry that made it
    number ordinal not null,
    until moment not null,
    -- what is set aside, as `lot:amount lot:amount …`
    allocations text not null,
    action text,
    units ordinal,
    cost ordinal not null,
    primary key (bucket, account_id, number),
    constraint holds_account foreign key (bucket, account_id) references accounts (bucket, id)
);

create index holds_until on holds (bucket, until);

-- How much of a spend or a capture, named by its entry's version, was given back.
create table refunds (
    bucket smallint not null,
    account_id uuid not null,
    spend ordinal not null,
    refunded ordinal not null,
    primary key (bucket, account_id, spend),
    constraint refunds_account foreign key (bucket, account_id) references accounts (bucket, id)
);

-- How much of a lot was clawed back, and what became of it.
create table clawbacks (
    bucket smallint not null,
    account_id uuid not null,
    lot ordinal not null,
    taken credits not null,
    owed credits not null,
    forgiven credits not null,
    primary key (bucket, account_id, lot),
    constraint clawbacks_account foreign key (bucket, account_id) references accounts (bucket, id)
);

-- Entries in a narrower form, since there are more of them than of anything else: columns in the order that
-- leaves no gaps, and none for what follows from others. The balance before an entry is what it leaves less
-- what moved; there is no foreign key, because an entry is written by the statement that changes its account.
create table chained_entries (
    version ordinal not null,
    at moment not null,
    balance_after credits not null,
    -- of the command that the entry answers: 64 bits of the digest of account and key, 32 of its content's
    key bigint,
    fingerprint integer,
    -- the first 32 bits of the chain after this entry
    link integer not null,
    bucket smallint not null,
    kind letter_of_kind not null,
    account_id uuid not null,
    -- `lot:change` or `lot:change:held` for each lot, in the order in which they were touched, with spaces
    movements text not null,
    -- of a spend, a hold, a capture: what was run and how much of it
    action text,
    units ordinal,
    -- its price, where that is not what was taken
    cost ordinal,
    -- the hold that is captured or released, the spend that is refunded
    about ordinal,
    -- until when a hold lasts, or unlimited use
    until moment,
    debt_change bigint,
    -- the lot that began with this entry
    opened_lot ordinal,
    source lot_source,
    priority smallint,
    effective_at moment,
    expires_at moment,
    description text,
    reference text,
    metadata json,
    -- of a clawback or a reinstatement: how its lot stands after it
    clawed_taken credits,
    clawed_owed credits,
    clawed_forgiven credits,
    constraint entries_key_has_fingerprint check ((key is null) = (fingerprint is null)),
    -- Only the law itself acts without a key.
    constraint entries_key_unless_the_law_acted check (key is not null or kind in ('x', 'r', 'v'))
);

-- The entries so far, with the chain that they would have had (src/domain/chain.rs says what is hashed).
do $$
declare
    old record;
    at_bucket smallint;
    at_account uuid;
    link bytea;
    line bytea;
    key bigint;
    fingerprint integer;
begin
    for old in
        select entries.*,
               lots.number as lot,
               lots.source,
               lots.priority,
               lots.effective_at,
               lots.expires_at
        from entries
        left join lots
          on entries.kind = 'grant'
         and lots.bucket = entries.bucket
         and lots.account_id = entries.account_id
         and lots.number = entries.movements[1]
        order by entries.bucket, entries.account_id, entries.version
    loop
        if at_account is distinct from old.account_id then
            update accounts set chain = link where accounts.bucket = at_bucket and accounts.id = at_account;
            at_bucket := old.bucket;
            at_account := old.account_id;
            link := decode(repeat('00', 32), 'hex');
        end if;
        key := ('x' || encode(substring(sha256(uuid_send(old.account_id) || old.key_digest) for 8), 'hex'))::bit(64)::bigint;
        fingerprint := ('x' || encode(substring(old.fingerprint for 4), 'hex'))::bit(32)::integer;
        line := link || uuid_send(old.account_id) || int8send(old.version)
            || int8send((extract(epoch from old.at) * 1000000)::bigint)
            || int8send(octet_length(old.kind::text)) || convert_to(old.kind::text, 'UTF8')
            || int8send(old.balance_after) || int8send(0) || int8send(cardinality(old.movements) / 2);
        for pair in 1 .. cardinality(old.movements) / 2 loop
            line := line || int8send(old.movements[2 * pair - 1]) || int8send(old.movements[2 * pair]) || int8send(0);
        end loop;
        if old.kind = 'grant' then
            line := line || '\x01' || int8send(old.lot)
                || int8send(octet_length(old.source::text)) || convert_to(old.source::text, 'UTF8')
                || int8send(old.priority) || int8send((extract(epoch from old.effective_at) * 1000000)::bigint)
                || coalesce('\x01' || int8send((extract(epoch from old.expires_at) * 1000000)::bigint), '\x00');
        else
            line := line || '\x00';
        end if;
        line := line || '\x0000'
            || coalesce('\x01' || int8send(octet_length(old.action)) || convert_to(old.action, 'UTF8'), '\x00')
            || coalesce('\x01' || int8send(old.units), '\x00')
            || coalesce('\x01' || int8send(old.price), '\x00')
            || coalesce('\x01' || int8send(octet_length(convert_to(old.description, 'UTF8'))) || convert_to(old.description, 'UTF8'), '\x00')
            || '\x0000'
            || coalesce('\x01' || int8send(key) || int8send(fingerprint), '\x00');
        link := sha256(line);
        insert into chained_entries (
            version, at, balance_after, key, fingerprint, link, bucket, kind, account_id, movements, action, units,
            opened_lot, source, priority, effective_at, expires_at, description
        )
        values (
            old.version, old.at, old.balance_after, key, fingerprint,
            ('x' || encode(substring(link for 4), 'hex'))::bit(32)::integer, old.bucket,
            case old.kind when 'grant' then 'g' when 'spend' then 's' else 'x' end, old.account_id,
            (
                select string_agg(old.movements[2 * pair - 1] || ':' || old.movements[2 * pair], ' ' order by pair)
                from generate_series(1, cardinality(old.movements) / 2) as pair
            ),
            old.action, old.units, old.lot, old.source, old.priority, old.effective_at, old.expires_at, old.description
        );
    end loop;
    update accounts set chain = link where accounts.bucket = at_bucket and accounts.id = at_account;
end
$$;

-- What counts for the caps on spends.
update accounts
set last_use_at = used.last_at,
    uses_in_hour = used.in_hour,
    uses_in_day = used.in_day
from (
    select bucket,
           account_id,
           last_at,
           count(*) filter (where date_trunc('hour', at, 'UTC') = date_trunc('hour', last_at, 'UTC')) as in_hour,
           count(*) filter (where date_trunc('day', at, 'UTC') = date_trunc('day', last_at, 'UTC')) as in_day
    from (
        select bucket,
               account_id,
               at,
               max(at) over (partition by bucket, account_id) as last_at
        from entries
        where kind = 'spend'
    ) as spends
    group by bucket, account_id, last_at
) as used
where accounts.bucket = used.bucket
  and accounts.id = used.account_id;

-- Each expiry so far took the rest of one lot.
update lots
set lost = entries.balance_before - entries.balance_after
from entries
where entries.kind = 'expiry'
  and lots.bucket = entries.bucket
  and lots.account_id = entries.account_id
  and lots.number = entries.movements[1];

drop table entries;
drop type entry_kind;
alter table chained_entries rename to entries;

-- The primary key is also the public name of an entry: its account and its version.
alter table entries add primary key (bucket, account_id, version);

-- One effect per key.
create unique index entries_key on entries (bucket, key) where key is not null;

create or replace function refuse_change_of_history() returns trigger language plpgsql as $$
begin
    raise exception '% are never changed or deleted', tg_table_name using errcode = 'restrict_violation';
end
$$;

create trigger entries_are_immutable
    before update or delete or truncate on entries
    for each statement execute function refuse_change_of_history();

-- What entries are about stays, too.
-- Where accounts are follows from it.
create trigger ledger_layout_is_fixed
    before insert or update or delete or truncate on ledger_layout
    for each statement execute function refuse_change_of_history();

create trigger accounts_are_kept
    before delete or truncate on accounts
    for each statement execute function refuse_change_of_history();

create trigger lots_are_kept
    before delete or truncate on lots
    for each statement execute function refuse_change_of_history();

-- How rows come in and go out, in one form: the one list of columns for all that reads and writes them. An array of
-- rows is unpacked far faster than a row of arrays.
create type account_row as (
    id uuid,
    -- the end of the chain that the rest was decided on; as it is read, the chain itself
    decided_on bytea,
    version bigint,
    balance bigint,
    held bigint,
    debt bigint,
    last_entry_at timestamptz,
    last_lot bigint,
    chain bytea,
    unlimited_until timestamptz,
    last_use_at timestamptz,
    uses_in_hour integer,
    uses_in_day integer
);

create type lot_row as (
    account_id uuid,
    number bigint,
    source text,
    priority smallint,
    granted bigint,
    remaining bigint,
    held bigint,
    lost bigint,
    is_void boolean,
    effective_at timestamptz,
    expires_at timestamptz,
    created_at timestamptz
);

create type hold_row as (
    account_id uuid,
    number bigint,
    until timestamptz,
    allocations text,
    action text,
    units bigint,
    cost bigint
);

create type entry_row as (
    version bigint,
    at timestamptz,
    balance_after bigint,
    key bigint,
    fingerprint integer,
    link integer,
    kind "char",
    account_id uuid,
    movements text,
    action text,
    units bigint,
    cost bigint,
    about bigint,
    until timestamptz,
    debt_change bigint,
    opened_lot bigint,
    source text,
    priority smallint,
    effective_at timestamptz,
    expires_at timestamptz,
    description text,
    reference text,
    metadata text,
    clawed_taken bigint,
    clawed_owed bigint,
    clawed_forgiven bigint
);

-- Plain enough for the planner to put the columns in their place.
create function as_row(accounts) returns account_row language sql stable parallel safe as $$
    select row(
        $1.id, $1.chain, $1.version, $1.balance, $1.held, $1.debt, $1.last_entry_at, $1.last_lot, $1.chain,
        $1.unlimited_until, $1.last_use_at, $1.uses_in_hour, $1.uses_in_day
    )::account_row
$$;

create function as_row(lots) returns lot_row language sql stable parallel safe as $$
    select row(
        $1.account_id, $1.number, $1.source::text, $1.priority, $1.granted, $1.remaining, $1.held, $1.lost,
        $1.is_void, $1.effective_at, $1.expires_at, $1.created_at
    )::lot_row
$$;

create function as_row(holds) returns hold_row language sql stable parallel safe as $$
    select row(
        $1.account_id, $1.number, $1.until, $1.allocations, $1.action, $1.units, $1.cost
    )::hold_row
$$;

create function as_row(entries) returns entry_row language sql stable parallel safe as $$
    select row(
        $1.version, $1.at, $1.balance_after, $1.key, $1.fingerprint, $1.link, $1.kind, $1.account_id, $1.movements,
        $1.action, $1.units, $1.cost, $1.about, $1.until, $1.debt_change, $1.opened_lot, $1.source::text,
        $1.priority, $1.effective_at, $1.expires_at, $1.description, $1.reference, $1.metadata::text,
        $1.clawed_taken, $1.clawed_owed, $1.clawed_forgiven
    )::entry_row
$$;
