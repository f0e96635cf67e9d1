-- Subscriptions: what an account is subscribed to, and the entries that say so. Usage: what it has run, by month.

-- Beside the kinds so far: a subscri(p)tion begun or changed, a re(n)ewal.
alter domain letter_of_kind drop constraint letter_of_kind_known;
alter domain letter_of_kind add constraint letter_of_kind_known check (
    value in ('g', 's', 'h', 'c', 'r', 'f', 'x', 'v', 'a', 'b', 'i', 'u', 'p', 'n')
);

-- One row for each account that has or had one. Not with the account's own row, which every spend writes anew.
create table subscriptions (
    bucket smallint not null,
    account_id uuid not null,
    -- when it is renewed or ends; null where it has ended
    due_at moment,
    -- the terms and the period, as the entries that changed it have them
    state json not null,
    primary key (bucket, account_id),
    constraint subscriptions_account foreign key (bucket, account_id) references accounts (bucket, id)
);

-- A plan that ends at the moment at which it began leaves a lot that was never good for anything.
alter table lots
    drop constraint lots_expire_after_they_start,
    add constraint lots_expire_no_earlier_than_they_start check (expires_at >= effective_at);

create index subscriptions_due on subscriptions (bucket, due_at) where due_at is not null;

create trigger subscriptions_are_kept
    before delete or truncate on subscriptions
    for each statement execute function refuse_change_of_history();

alter table entries
    drop constraint entries_key_unless_the_law_acted,
    -- the account's subscription after the entry, where that changed it
    add column subscription json,
    -- Only the law itself acts without a key.
    add constraint entries_key_unless_the_law_acted check (key is not null or kind in ('x', 'r', 'v', 'n')),
    add constraint entries_subscription_of_its_kinds check ((subscription is not null) = (kind in ('p', 'n')));

alter type entry_row add attribute subscription text;

create or replace function as_row(entries) returns entry_row language sql stable parallel safe as $$
    select row(
        $1.version, $1.at, $1.balance_after, $1.key, $1.fingerprint, $1.link, $1.kind, $1.account_id, $1.movements,
        $1.action, $1.units, $1.cost, $1.about, $1.until, $1.debt_change, $1.opened_lot, $1.source::text,
        $1.priority, $1.effective_at, $1.expires_at, $1.description, $1.reference, $1.metadata::text,
        $1.clawed_taken, $1.clawed_owed, $1.clawed_forgiven, $1.subscription::text
    )::entry_row
$$;

-- What was run of an action in a month of the account that is over. Nothing as its name: amounts that callers named.
create table usage (
    bucket smallint not null,
    account_id uuid not null,
    -- its first moment; months are counted from the account's opening
    month moment not null,
    action text not null,
    count ordinal not null,
    units credits not null,
    credits credits not null,
    primary key (bucket, account_id, month, action),
    constraint usage_account foreign key (bucket, account_id) references accounts (bucket, id)
);

create trigger usage_is_kept
    before update or delete or truncate on usage
    for each statement execute function refuse_change_of_history();

alter table accounts
    -- the month in which it last ran anything: its first moment, and `action:count:units:credits` for each action
    add column usage_month moment,
    add column usage text,
    add constraint accounts_usage_of_a_month check ((usage is null) = (usage_month is null));

-- What was run so far.
with used as (
    select entries.bucket,
           entries.account_id,
           accounts.created_at + make_interval(months => months.since - (
               accounts.created_at + make_interval(months => months.since) > entries.at
           )::integer) as month,
           coalesce(entries.action, '') as action,
           count(*) as count,
           coalesce(sum(entries.units), 0) as units,
           sum(taken.credits) as credits,
           min(entries.version) as first
    from entries
    join accounts
      on accounts.bucket = entries.bucket
     and accounts.id = entries.account_id,
         lateral (
             select ((extract(year from entries.at at time zone 'UTC') - extract(year from accounts.created_at at time zone 'UTC')) * 12
                  + extract(month from entries.at at time zone 'UTC') - extract(month from accounts.created_at at time zone 'UTC'))::integer
                 as since
         ) as months,
         lateral (
             select coalesce(-sum(
                        split_part(part, ':', 2)::bigint + coalesce(nullif(split_part(part, ':', 3), ''), '0')::bigint
                    ), 0) as credits
             from unnest(string_to_array(entries.movements, ' ')) as part
             where part <> ''
         ) as taken
    where entries.kind in ('s', 'c')
    group by 1, 2, 3, 4
),
ranked as (
    select *,
           month = max(month) over (partition by bucket, account_id) as is_last
    from used
),
over as (
    insert into usage (bucket, account_id, month, action, count, units, credits)
    select bucket, account_id, month, action, count, units, credits
    from ranked
    where not is_last
)
update accounts
set usage_month = last.month,
    usage = last.usage
from (
    select bucket,
           account_id,
           month,
           string_agg(concat_ws(':', action, count, units, credits), ' ' order by first) as usage
    from ranked
    where is_last
    group by bucket, account_id, month
) as last
where accounts.bucket = last.bucket
  and accounts.id = last.account_id;

alter type account_row
    add attribute created_at timestamptz,
    add attribute usage_month timestamptz,
    add attribute usage text;

create or replace function as_row(accounts) returns account_row language sql stable parallel safe as $$
    select row(
        $1.id, $1.chain, $1.version, $1.balance, $1.held, $1.debt, $1.last_entry_at, $1.last_lot, $1.chain,
        $1.unlimited_until, $1.last_use_at, $1.uses_in_hour, $1.uses_in_day, $1.created_at, $1.usage_month, $1.usage
    )::account_row
$$;
