-- Automatic top-up: a pack that is bought while nobody is there, with a card that was kept, once an account's credits fall
-- below what its holder chose. Each such purchase is one like all others but that it has no page; what is known of earlier
-- attempts is known from them.

alter table purchases
    add column is_automatic boolean not null default false,
    -- Stripe's name for the card that is charged, noted before it is: so that what is asked again is the same
    add column card text,
    add constraint purchases_automatic_of_a_pack check (not is_automatic or (pack is not null and session is null)),
    add constraint purchases_card_of_an_automatic_one check (card is null or is_automatic);

-- Of an account's, one at most is under way.
create unique index purchases_automatic_pending on purchases (account_id, mode) where is_automatic and state = 'pending';
create index purchases_automatic on purchases (account_id, mode, created_at) where is_automatic;

-- What holders chose. The attempt to turn it on is a purchase whose card is kept: it is on once that is paid.
create table top_ups (
    account_id uuid not null,
    mode text not null,
    threshold bigint not null,
    pack text not null,
    month_limit bigint not null,
    currency text not null,
    -- since when it is on as it is; null: off
    on_since timestamptz,
    first_purchase uuid references purchases,
    -- counts changes: who changes it says what they have seen
    version integer not null,
    -- when to look whether to buy; null: not before it is turned on
    look_at timestamptz,
    primary key (account_id, mode),
    constraint top_ups_mode_known check (mode in ('sandbox', 'test', 'live')),
    constraint top_ups_threshold_amount check (threshold between 1 and 1000000000000),
    constraint top_ups_month_limit_positive check (month_limit > 0),
    constraint top_ups_looked_at_while_on check (look_at is null or on_since is not null),
    constraint top_ups_on_or_to_come check (on_since is null or first_purchase is null)
);

create index top_ups_look_at on top_ups (look_at) where look_at is not null;
create index top_ups_first_purchase on top_ups (first_purchase) where first_purchase is not null;
