-- Warnings: what the holder of an account was told of credits that run out or lapse (src/domain/warning.rs says when).
-- Beside the ledger, not of it: no balance depends on them.

create table warnings (
    bucket smallint not null,
    account_id uuid not null,
    number bigint not null generated always as identity,
    kind text not null,
    -- of lapsing credits: how many days ahead, and whose
    horizon_days smallint,
    lot ordinal,
    -- what was available, or remained in the lot
    credits credits not null,
    at moment not null,
    -- of low and empty: when there was clearly more again
    over_at moment,
    dismissed_at moment,
    primary key (bucket, account_id, number),
    constraint warnings_account foreign key (bucket, account_id) references accounts (bucket, id),
    constraint warnings_kind_known check (kind in ('low', 'empty', 'lapsing')),
    constraint warnings_lot_of_lapsing check ((kind = 'lapsing') = (lot is not null) and (lot is null) = (horizon_days is null)),
    constraint warnings_lapsing_is_never_over check (kind <> 'lapsing' or over_at is null)
);

-- Each is given once, whoever looks and however often.
create unique index warnings_standing on warnings (bucket, account_id, kind) where lot is null and over_at is null;
create unique index warnings_of_lots on warnings (bucket, account_id, lot, horizon_days) where lot is not null;
