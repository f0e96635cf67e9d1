-- Money: what accounts bought through Stripe, and what Stripe told of it. Beside the ledger: credits come and go by its
-- commands alone, which are worked out anew from these facts. A fact only ever grows, so that neither the order in which
-- news arrives nor its repetition matters. Ids are Stripe's own where it made the thing. The sandbox, Stripe's test mode and
-- the live one know nothing of each other's customers, purchases and subscriptions: `mode` says whose each is.

create table stripe_customers (
    account_id uuid not null,
    mode text not null,
    customer text not null,
    created_at timestamptz not null,
    primary key (account_id, mode),
    constraint stripe_customers_customer_key unique (mode, customer),
    constraint stripe_customers_mode_known check (mode in ('sandbox', 'test', 'live'))
);

create table purchases (
    id uuid primary key,
    account_id uuid not null,
    mode text not null,
    -- the buyer's own name for it: a second click is the same purchase
    attempt text not null,
    -- what was agreed, whatever the catalog says by now
    pack text,
    plan text,
    title text not null,
    description text not null,
    credits bigint,
    expires_days smallint,
    priority smallint,
    interval text,
    trial_days smallint,
    price bigint not null,
    currency text not null,
    success_url text not null,
    cancel_url text not null,
    saves_card boolean not null,
    created_at timestamptz not null,
    -- facts
    session text,
    url text,
    payment_intent text,
    subscription text,
    paid_at timestamptz,
    paid bigint,
    paid_currency text,
    failed_at timestamptz,
    expired_at timestamptz,
    -- what came of them
    state text not null default 'pending',
    lot bigint,
    clawed bigint not null default 0,
    -- how many commands it has led to; each has a key of its own
    commands integer not null default 0,
    -- when Stripe is asked about it, by the machine's time; null: never
    ask_at timestamptz,
    asked integer not null default 0,
    constraint purchases_attempt_key unique (account_id, mode, attempt),
    constraint purchases_mode_known check (mode in ('sandbox', 'test', 'live')),
    constraint purchases_session_key unique (session),
    constraint purchases_payment_intent_key unique (payment_intent),
    constraint purchases_of_one_thing check ((pack is null) <> (plan is null)),
    constraint purchases_credits_of_a_pack check (
        (pack is null) = (credits is null) and (pack is null) = (priority is null)
        and (pack is not null or (expires_days is null and lot is null))
    ),
    constraint purchases_interval_of_a_plan check (
        (plan is null) = (interval is null) and (plan is not null or trial_days is null)
    ),
    constraint purchases_price_positive check (price > 0),
    constraint purchases_paid_whole check ((paid_at is null) = (paid is null) and (paid is null) = (paid_currency is null)),
    constraint purchases_state_known check (
        state in ('pending', 'paid', 'failed', 'expired', 'refunded', 'partly_refunded', 'disputed')
    ),
    constraint purchases_lot_was_paid check (lot is null or (paid = price and paid_currency = currency)),
    constraint purchases_clawed_of_the_lot check (clawed between 0 and coalesce(credits, 0) and (clawed = 0 or lot is not null))
);

create index purchases_of_an_account on purchases (account_id, created_at);
create index purchases_ask_at on purchases (ask_at) where ask_at is not null;
create index purchases_paid_at on purchases (paid_at) where paid_at is not null;

-- A row for each payment that anything was told of, also before it is known what was bought with it. Whoever notes
-- something of a payment locks its row first, so that two who do come one after the other.
create table payments (
    payment_intent text primary key,
    charge text,
    total bigint,
    currency text,
    receipt_url text,
    -- the greatest sum that the charge ever told
    refunded bigint not null default 0,
    constraint payments_refunded_not_negative check (refunded >= 0)
);

create table payment_refunds (
    id text primary key,
    payment_intent text not null references payments,
    amount bigint not null,
    state text not null,
    -- a later state takes the place of an earlier one
    rank smallint not null,
    constraint payment_refunds_amount_not_negative check (amount >= 0)
);

create index payment_refunds_of_a_payment on payment_refunds (payment_intent);

create table disputes (
    id text primary key,
    payment_intent text not null references payments,
    amount bigint not null,
    withdrawn boolean not null,
    reinstated boolean not null,
    status text not null,
    -- as of when the status is
    told_at timestamptz not null,
    constraint disputes_amount_not_negative check (amount >= 0)
);

create index disputes_of_a_payment on disputes (payment_intent);

-- Refunds that admins asked for: noted before Stripe is asked, so that one is never asked for twice.
create table refunds_asked (
    id uuid primary key,
    purchase uuid not null references purchases,
    -- the admin's own name for it
    key text not null,
    amount bigint not null,
    reason text not null,
    asked_by uuid not null,
    asked_at timestamptz not null,
    -- once Stripe has answered: its refund, or why there is none
    refund text,
    error text,
    constraint refunds_asked_key unique (purchase, key),
    constraint refunds_asked_amount_positive check (amount > 0)
);

-- One row for each subscription that Stripe told of.
create table stripe_subscriptions (
    id text primary key,
    mode text not null,
    account_id uuid,
    plan text,
    purchase uuid,
    -- as of when plan and account are, and the three below
    terms_at timestamptz,
    status text,
    ends_with_period boolean not null default false,
    told_at timestamptz,
    ended_at timestamptz,
    -- what the account's subscription was last told of it
    applied_plan text,
    applied_until timestamptz,
    applied_end text,
    commands integer not null default 0,
    constraint stripe_subscriptions_mode_known check (mode in ('sandbox', 'test', 'live')),
    constraint stripe_subscriptions_applied_end_known check (applied_end in ('with_period', 'at_once'))
);

create index stripe_subscriptions_of_an_account on stripe_subscriptions (account_id);

-- Invoices of subscriptions that were paid.
create table stripe_invoices (
    id text primary key,
    subscription text not null references stripe_subscriptions,
    reason text not null,
    period_start timestamptz,
    period_end timestamptz,
    paid bigint not null,
    currency text not null,
    payment_intent text,
    hosted_url text,
    constraint stripe_invoices_reason_known check (reason in ('create', 'cycle', 'update', 'other'))
);

create index stripe_invoices_of_a_subscription on stripe_invoices (subscription);
create index stripe_invoices_payment_intent on stripe_invoices (payment_intent);

-- What Stripe sent, as it came, once it was seen to be from Stripe.
create table stripe_events (
    id text primary key,
    kind text not null,
    received_at timestamptz not null,
    body bytea not null,
    state text not null default 'waiting',
    -- why it was ignored, or what went wrong last
    note text,
    attempts integer not null default 0,
    -- when it is tried again, by the machine's time; null: only when an admin says so
    next_at timestamptz,
    done_at timestamptz,
    constraint stripe_events_state_known check (state in ('waiting', 'done', 'ignored', 'failed')),
    constraint stripe_events_done_is_over check ((done_at is null) = (state in ('waiting', 'failed')) and (done_at is null or next_at is null))
);

create index stripe_events_next_at on stripe_events (next_at) where next_at is not null;
create index stripe_events_received_at on stripe_events (received_at);

-- Where Stripe's books and ours do not agree. Found once, and handled by an admin.
create table differences (
    id uuid primary key,
    kind text not null,
    -- the purchase, charge or invoice
    about text not null,
    what text not null,
    found_at timestamptz not null,
    handled_at timestamptz,
    handled_by uuid,
    reason text,
    constraint differences_once unique (kind, about),
    constraint differences_handled_whole check (
        (handled_at is null) = (handled_by is null) and (handled_at is null) = (reason is null)
    )
);

create index differences_open on differences (found_at) where handled_at is null;

-- How far the reconciliation has come.
create table reconciled (
    only_row boolean primary key default true,
    -- of Stripe's events: until when all have arrived
    events_until timestamptz not null,
    -- of Stripe's charges: the first day that is not compared yet
    next_day date not null,
    constraint reconciled_only_row check (only_row)
);
