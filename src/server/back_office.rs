//! What admins look at and do about money: purchases and their refunds, the inbox, differences. Each asks one thing of
//! `purchases` or the store, and puts it into words.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    AppState, Error,
    purchases::{
        inbox::{self, Tried},
        invoices,
        refunds::{self, NewRefund, Of},
        settle, start,
    },
    store::{
        differences,
        people::User,
        profiles::{self, Holder},
        purchases::{self as store, Item, Purchase},
        stripe_events,
        stripe_invoices::{self, Invoice},
    },
};
use crate::{
    domain::{
        PurchaseState, WhenSpent,
        catalog::{Currency, Price},
        note::Description,
    },
    problem::Problem,
    text,
    views::{
        BackView, CreditsOfView, DifferenceView, EventView, InboxView, InvoiceView, PaidView,
        PurchaseFactsView, PurchaseRowView, PurchasesView, RefundPreviewView,
    },
};

/// How many rows a page shows.
const PAGE: usize = 25;
const DIFFERENCES_SHOWN_MAX: i64 = 100;
/// Two years of months.
const INVOICES_SHOWN_MAX: i64 = 24;

pub async fn purchases(
    state: &AppState,
    wanted: Option<&str>,
    before: Option<&str>,
) -> Result<PurchasesView, Error> {
    let wanted = match wanted.filter(|word| !word.is_empty()) {
        Some(word) => Some(PurchaseState::named(word).ok_or(Problem::Malformed)?),
        None => None,
    };
    let before = before.map(str::parse::<Uuid>).transpose().map_err(|_| Problem::UnknownCursor)?;
    let mut conn = state.pool.acquire().await?;
    let mut found = store::page(&mut conn, wanted, before, PAGE as i64 + 1).await?;
    let has_older = found.len() > PAGE;
    found.truncate(PAGE);
    let older = found.last().filter(|_| has_older).map(|last| last.id.to_string());
    let holders = holders(&mut conn, &found).await?;
    let rows = found.iter().map(|purchase| row(purchase, &holders)).collect();
    Ok(PurchasesView { rows, state: wanted, older })
}

pub async fn purchase(state: &AppState, id: &str) -> Result<PurchaseFactsView, Error> {
    let purchase = start::find(state, parsed(id)?).await?;
    let mut conn = state.pool.acquire().await?;
    let facts = settle::facts_of(&mut conn, &purchase).await?;
    let back = match &purchase.payment_intent {
        Some(payment_intent) => store::money_back(&mut conn, payment_intent).await?,
        None => Vec::new(),
    };
    let mut invoices = Vec::new();
    if let Some(subscription) = &purchase.subscription {
        for known in stripe_invoices::of_subscription(&mut conn, subscription, INVOICES_SHOWN_MAX).await? {
            invoices.push(invoice(&mut conn, &purchase, known).await?);
        }
    }
    let agreed = purchase.price.currency();
    let back = back.into_iter().map(|back| back_of(back, agreed));
    let paid = purchase.paid.as_ref().map(|paid| {
        // What was paid may be in a currency that nobody agreed to.
        let currency = Currency::named(&paid.currency).unwrap_or(agreed);
        let left = Price::new(paid.minor - facts.money_back(), currency).ok();
        let left = left.filter(|_| purchase.payment_intent.is_some() && currency == agreed);
        PaidView {
            amount: text::money(paid.minor, currency),
            at: paid.at,
            left: left.map(|left| (text::price(left), text::typed_price(left))),
        }
    });
    let (credits, receipt_url) = match &purchase.item {
        Item::Pack { credits, .. } => {
            let (are_given, clawed) = (purchase.lot.is_some(), purchase.clawed);
            let receipt_url = store::receipt_url(&mut conn, purchase.id).await?;
            (Some(CreditsOfView { bought: *credits, are_given, clawed }), receipt_url)
        }
        // Each of its invoices has its own.
        Item::Plan { .. } => (None, None),
    };
    let names = [
        ("Purchase", Some(purchase.id.to_string())),
        ("Session", purchase.session.clone()),
        ("Payment", purchase.payment_intent.clone()),
        ("Subscription", purchase.subscription.clone()),
    ];
    let names = names.into_iter().filter_map(|(label, name)| Some((label.to_owned(), name?)));
    Ok(PurchaseFactsView {
        row: row(&purchase, &holders(&mut conn, std::slice::from_ref(&purchase)).await?),
        paid,
        credits,
        back: back.collect(),
        invoices,
        receipt_url,
        names: names.collect(),
    })
}

/// One invoice of a plan, and what went back of it.
async fn invoice(
    conn: &mut PgConnection,
    purchase: &Purchase,
    invoice: Invoice,
) -> Result<InvoiceView, Error> {
    let facts = invoices::facts_of(conn, &invoice).await?;
    let payments = stripe_invoices::payments_of(conn, &invoice.id).await?;
    let agreed = purchase.price.currency();
    let currency = Currency::named(&invoice.currency).unwrap_or(agreed);
    let mut back = Vec::new();
    for payment in &payments {
        back.extend(store::money_back(conn, payment).await?.into_iter().map(|back| back_of(back, currency)));
    }
    let left = Price::new(invoice.paid - facts.money_back(), currency).ok();
    let left = left.filter(|_| !payments.is_empty() && currency == agreed);
    Ok(InvoiceView {
        id: invoice.id,
        period: invoice.period,
        amount: text::money(invoice.paid, currency),
        left: left.map(|left| (text::price(left), text::typed_price(left))),
        clawed: invoice.clawed,
        back,
        url: invoice.hosted_url,
    })
}

fn back_of(back: store::Back, currency: Currency) -> BackView {
    BackView {
        id: back.id,
        amount: text::money(back.amount, currency),
        state: back.state,
        is_dispute: back.is_dispute,
    }
}

/// `amount` as it was typed in.
pub async fn preview_refund(
    state: &AppState,
    id: &str,
    invoice: Option<&str>,
    amount: &str,
) -> Result<RefundPreviewView, Error> {
    let purchase = start::find(state, parsed(id)?).await?;
    let money = typed_amount(&purchase, amount)?;
    let preview = refunds::preview(state, Of { purchase: purchase.id, invoice }, money.minor()).await?;
    let mut conn = state.pool.acquire().await?;
    let PurchaseRowView { account, holder, .. } =
        row(&purchase, &holders(&mut conn, std::slice::from_ref(&purchase)).await?);
    Ok(RefundPreviewView {
        purchase: purchase.id.to_string(),
        invoice: invoice.map(ToOwned::to_owned),
        account,
        holder,
        money: text::price(money),
        amount: text::typed_price(money),
        credits: preview.credits,
        unspent: preview.there,
        becomes_debt: preview.when_spent == WhenSpent::Debt,
        key: state.clock.new_id().to_string(),
        title: purchase.title,
    })
}

pub async fn refund(
    state: &AppState,
    admin: &User,
    (id, invoice): (&str, Option<&str>),
    amount: &str,
    reason: &str,
    key: &str,
) -> Result<(), Error> {
    let reason = checked_reason(reason)?;
    let purchase = start::find(state, parsed(id)?).await?;
    let amount = typed_amount(&purchase, amount)?.minor();
    let new = NewRefund { amount, reason, key, by: admin.id };
    let of = Of { purchase: purchase.id, invoice };
    refunds::start(state, &state.stripe, of, new).await.map(drop)
}

pub async fn inbox(state: &AppState, only_failed: bool, before: Option<&str>) -> Result<InboxView, Error> {
    let mut found = stripe_events::page(&state.pool, only_failed, before, PAGE as i64 + 1).await?;
    let has_older = found.len() > PAGE;
    found.truncate(PAGE);
    let older = found.last().filter(|_| has_older).map(|last| last.id.clone());
    let view = |event: stripe_events::Shown| EventView {
        id: event.id,
        kind: event.kind,
        state: event.state,
        note: event.note,
        attempts: event.attempts,
        received: event.received_at,
    };
    Ok(InboxView { events: found.into_iter().map(view).collect(), only_failed, older })
}

/// Tries an event again.
pub async fn replay(state: &AppState, id: &str) -> Result<(), Error> {
    match inbox::try_one(state, state.stripe.is_live(), id).await? {
        Tried::Applied => Ok(()),
        Tried::NothingToDo => Err(Problem::NothingToReplay.into()),
        // Why is beside the event.
        Tried::Failed(_) => Err(Problem::ReplayFailed.into()),
    }
}

pub async fn differences(state: &AppState) -> Result<Vec<DifferenceView>, Error> {
    let open = differences::open(&state.pool, DIFFERENCES_SHOWN_MAX).await?;
    let view = |found: differences::Difference| DifferenceView {
        id: found.id.to_string(),
        kind: found.kind,
        about: found.about,
        what: found.what,
        found: found.found_at,
    };
    Ok(open.into_iter().map(view).collect())
}

pub async fn handle(state: &AppState, admin: &User, id: &str, reason: &str) -> Result<(), Error> {
    let reason = checked_reason(reason)?;
    let id: Uuid = id.parse().map_err(|_| Problem::Malformed)?;
    let now = state.clock.now();
    if differences::handle(&state.pool, id, admin.id, reason, now).await? {
        Ok(())
    } else {
        Err(Problem::HandledAlready.into())
    }
}

/// Who bought these, in words: what the account's host and its holder call it.
async fn holders(conn: &mut PgConnection, purchases: &[Purchase]) -> Result<HashMap<Uuid, String>, Error> {
    let mut accounts: Vec<Uuid> = purchases.iter().map(|purchase| purchase.account.into()).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let found = profiles::holders(conn, &accounts).await?;
    let called = |Holder { account, name, email, external_id }| {
        let names: Vec<String> = [name, email, external_id].into_iter().flatten().collect();
        (account, names.join(" · "))
    };
    Ok(found.into_iter().map(called).collect())
}

fn row(purchase: &Purchase, holders: &HashMap<Uuid, String>) -> PurchaseRowView {
    PurchaseRowView {
        id: purchase.id.to_string(),
        title: purchase.title.clone(),
        account: purchase.account.to_string(),
        holder: holders.get(&purchase.account.into()).cloned().unwrap_or_default(),
        price: text::price(purchase.price),
        state: purchase.state,
        is_automatic: purchase.is_automatic,
        begun: purchase.created_at,
    }
}

fn parsed(id: &str) -> Result<Uuid, Problem> {
    id.parse().map_err(|_| Problem::UnknownPurchase)
}

fn typed_amount(purchase: &Purchase, typed: &str) -> Result<Price, Problem> {
    Price::typed(typed, purchase.price.currency()).map_err(|_| Problem::AmountInvalid)
}

fn checked_reason(typed: &str) -> Result<&str, Problem> {
    let reason = typed.trim();
    Description::parse(reason).map(|_| reason).map_err(|_| Problem::ReasonMissing)
}
