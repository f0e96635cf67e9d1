-- The money of plans: which payments each invoice was paid with, and how many of its credits went back with them.

-- Since 2025 an invoice does not say by which payments it was paid; they do, also before the invoice is heard of. Whoever
-- notes one locks the invoice's name first, then the payment.
create table invoice_payments (
    payment_intent text primary key,
    invoice text not null
);

create index invoice_payments_of_an_invoice on invoice_payments (invoice);

insert into invoice_payments (payment_intent, invoice)
select payment_intent, min(id)
from stripe_invoices
where payment_intent is not null
group by payment_intent;

alter table stripe_invoices
    drop column payment_intent,
    -- once some of its money went back: the lot that its credits came in, how many came, and how many are gone
    add column lot bigint,
    add column credits bigint,
    add column clawed bigint not null default 0,
    -- how many commands it has led to; each has a key of its own
    add column commands integer not null default 0,
    add constraint stripe_invoices_credits_of_the_lot check ((lot is null) = (credits is null)),
    add constraint stripe_invoices_clawed_of_the_lot check (clawed between 0 and coalesce(credits, 0));

-- Which lots a plan opened is read when its money goes back; spends are not in it.
create index entries_of_subscriptions on entries (bucket, account_id, version) where subscription is not null;

-- A plan has many payments: which of them a refund is of.
alter table refunds_asked add column payment_intent text;

update refunds_asked
set payment_intent = purchases.payment_intent
from purchases
where purchases.id = refunds_asked.purchase;

alter table refunds_asked alter column payment_intent set not null;

create index refunds_asked_of_a_payment on refunds_asked (payment_intent);
