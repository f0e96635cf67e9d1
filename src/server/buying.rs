//! Buying, as a member's pages ask for it: what was typed in, a purchase out.

use std::{collections::HashMap, sync::Arc};

use chrono::DateTime;
use uuid::Uuid;

use super::{
    AppState, Error,
    caller::local_path,
    purchases::{
        change::{self, Sum},
        start::{self, NewPurchase, PURCHASE, Wanted},
    },
    store::{
        people::User,
        purchases::{self as store, Item, Purchase},
        stripe_customers,
        stripe_subscriptions::{self, Paying},
    },
};
use crate::{
    domain::{AccountId, Credits, Entry, PurchaseState, catalog::Allowance},
    problem::Problem,
    text,
    views::{BillingView, ChangeView, PendingView, PurchaseView, ShopView, StageView},
};

/// How many purchases that are not paid a page shows.
const PENDING_SHOWN_MAX: i64 = 10;
/// A form's own name for what it buys.
const ATTEMPT_BYTES_MAX: usize = 100;
const RETURN_TO: &str = "return_to";
const RETURN_TO_BYTES_MAX: usize = 1_000;

/// What is for sale, and what the member has begun to buy.
pub async fn shop(state: &AppState, member: &User) -> Result<ShopView, Error> {
    let account = state.ledger.account(member.account).await?;
    let mut conn = state.pool.acquire().await?;
    let pending =
        store::pending_of(&mut conn, state.stripe.mode(), member.account, PENDING_SHOWN_MAX).await?;
    let pending = pending.into_iter().map(|purchase| PendingView {
        id: purchase.id.to_string(),
        checkout: checkout_of(&purchase),
        price: text::price(purchase.price),
        begun: purchase.created_at,
        title: purchase.title,
    });
    let attempt = state.clock.new_id().to_string();
    drop(conn);
    let billing = billing(state, member.account).await?;
    let (catalog, current) = (state.catalog(), account.current_subscription());
    Ok(ShopView::of(&catalog, current, billing.as_ref(), pending.collect(), attempt, state.is_sandbox))
}

/// Begins a purchase, or finds the one that this attempt has begun; returns where the buyer goes on. Who pays for a plan
/// already sees first what another one comes to.
pub async fn buy(
    state: &AppState,
    member: &User,
    item: &str,
    attempt: &str,
    return_to: Option<&str>,
) -> Result<String, Error> {
    check_attempt(attempt)?;
    let wanted = match item.split_once(':') {
        Some(("pack", key)) => Wanted::Pack(key),
        Some(("plan", key)) => Wanted::Plan(key),
        _ => return Err(Problem::Malformed.into()),
    };
    let back = back_to(return_to).map(|page| format!("{RETURN_TO}={}", text::query_value(page)));
    if let Wanted::Plan(key) = wanted
        && change::is_for(state, member.account).await?
    {
        let key = text::query_value(key);
        return Ok(format!("/buy/plan/{key}?{}", back.unwrap_or_default()));
    }
    let back = back.map(|back| format!("&{back}")).unwrap_or_default();
    let page = format!("{}/buy/{PURCHASE}", state.base_url);
    let new = NewPurchase {
        item: wanted,
        // A page has one name for all that it sells.
        attempt: &format!("page:{attempt}:{item}"),
        success_url: &format!("{page}?paid{back}"),
        cancel_url: &format!("{page}?canceled{back}"),
        saves_card: false,
    };
    let purchase = start::start(state, &state.stripe, member.account, new).await?;
    Ok(checkout_of(&purchase).unwrap_or_else(|| format!("/buy/{}", purchase.id)))
}

/// Whether a form's own name for what it buys is one.
pub fn check_attempt(attempt: &str) -> Result<(), Problem> {
    let is_one = (1..=ATTEMPT_BYTES_MAX).contains(&attempt.len())
        && attempt.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_one { Ok(()) } else { Err(Problem::Malformed) }
}

/// What another plan comes to for a member who pays for one.
pub async fn preview_change(state: &AppState, member: &User, plan: &str) -> Result<ChangeView, Error> {
    let change = change::preview(state, member.account, plan).await?;
    let catalog = state.catalog();
    let from = catalog.plan(change.from.as_str()).map_or(change.from.as_str(), |plan| &plan.title);
    let brings = match change.to.allowance {
        Allowance::Unlimited if change.is_at_once => Some("Use without limit".to_owned()),
        _ => (change.credits > Credits::ZERO).then(|| text::credits(change.credits.get())),
    };
    Ok(ChangeView {
        from: from.to_owned(),
        plan: change.to.key.to_string(),
        charged: text::money(change.sum.minor, change.price.currency()),
        charged_minor: change.sum.minor,
        price_minor: change.sum.price,
        at: change.sum.at.timestamp(),
        brings,
        price: text::plan_price(Some(change.price), change.to.interval),
        period_end: change.period_end,
        is_at_once: change.is_at_once,
        is_trial: change.is_trial,
        was_to_end: change.was_to_end,
        attempt: state.clock.new_id().to_string(),
        to: change.to.title,
    })
}

/// Changes the plan that a member pays for, as it was shown; returns where they go on.
pub async fn change_plan(
    state: &AppState,
    member: &User,
    plan: &str,
    shown: (i64, i64, i64),
    attempt: &str,
    return_to: Option<&str>,
) -> Result<String, Error> {
    let (minor, price, at) = shown;
    check_attempt(attempt)?;
    let at = DateTime::from_timestamp(at, 0).ok_or(Problem::Malformed)?;
    change::make(state, member.account, plan, Sum { minor, price, at }, attempt).await?;
    Ok(back_to(return_to).unwrap_or("/credits").to_owned())
}

/// The page of ours that somebody came from, if it can be one.
fn back_to(return_to: Option<&str>) -> Option<&str> {
    return_to.filter(|page| page.len() <= RETURN_TO_BYTES_MAX).map(local_path)
}

/// Asks Stripe for what it has not told yet of a purchase; returns whether there was news.
pub async fn ask(state: &AppState, member: &User, id: &str) -> Result<bool, Error> {
    let before = own(state, member, id).await?;
    if before.state != PurchaseState::Pending {
        return Ok(false);
    }
    let after = start::confirm(state, &state.stripe, before.id).await?;
    Ok(after.state != PurchaseState::Pending)
}

/// How a purchase stands.
pub async fn look(state: &AppState, member: &User, id: &str) -> Result<PurchaseView, Error> {
    let purchase = own(state, member, id).await?;
    let account = state.ledger.account(member.account).await?;
    let now = state.clock.now();
    let (credits, is_there) = match &purchase.item {
        Item::Pack { credits, .. } => (Some(*credits), purchase.lot.is_some()),
        Item::Plan { key, .. } => {
            let current = account.current_subscription();
            (None, current.is_some_and(|current| current.terms.plan == *key))
        }
    };
    let receipt_url = store::receipt_url(&mut *state.pool.acquire().await?, purchase.id).await?;
    Ok(PurchaseView {
        id: purchase.id.to_string(),
        stage: StageView::of(purchase.state, is_with_bank(&purchase), is_there, credits),
        price: text::price(purchase.price),
        available: account.available(now),
        is_unlimited: account.is_unlimited(now),
        checkout: checkout_of(&purchase),
        receipt_url,
        return_to: return_to(&purchase.success_url),
        title: purchase.title,
    })
}

pub async fn cancel(state: &AppState, member: &User, id: &str) -> Result<(), Error> {
    let purchase = own(state, member, id).await?;
    start::cancel(state, &state.stripe, purchase.id).await.map(drop)
}

/// How an account pays for its plan through Stripe, if it does.
pub async fn billing(state: &AppState, account: AccountId) -> Result<Option<BillingView>, Error> {
    let mut conn = state.pool.acquire().await?;
    let paying = stripe_subscriptions::paid_by(&mut conn, state.stripe.mode(), account).await?;
    Ok(paying.map(|Paying { plan, is_trial, .. }| BillingView { plan, is_trial }))
}

/// Where a member's subscription and card are changed.
pub async fn open_billing_portal(state: &AppState, member: &User) -> Result<String, Error> {
    let mut conn = state.pool.acquire().await?;
    let customer = stripe_customers::of(&mut conn, state.stripe.mode(), member.account).await?;
    drop(conn);
    let customer = customer.ok_or(Problem::NotSubscribed)?;
    Ok(state.stripe.open_portal(&customer, &format!("{}/credits", state.base_url)).await?)
}

/// Where the receipts are of the purchases that these entries of an account came of, by the reference that they bear.
pub async fn receipts(
    state: &AppState,
    account: AccountId,
    entries: &[Arc<Entry>],
) -> Result<HashMap<String, String>, Error> {
    let references = entries.iter().filter_map(|entry| entry.reference.as_ref()?.as_str().parse().ok());
    let ids: Vec<Uuid> = references.collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = store::receipts(&mut *state.pool.acquire().await?, account, &ids).await?;
    Ok(found.into_iter().map(|receipt| (receipt.purchase.to_string(), receipt.url)).collect())
}

/// A purchase of the member's own; nobody is told of another's.
async fn own(state: &AppState, member: &User, id: &str) -> Result<Purchase, Error> {
    let id: Uuid = id.parse().map_err(|_| Problem::UnknownPurchase)?;
    let found = store::find(&mut *state.pool.acquire().await?, id).await?;
    Ok(found.filter(|purchase| purchase.account == member.account).ok_or(Problem::UnknownPurchase)?)
}

/// Where it is paid, as long as it can be.
fn checkout_of(purchase: &Purchase) -> Option<String> {
    let can_be = purchase.state == PurchaseState::Pending && !is_with_bank(purchase);
    purchase.url.clone().filter(|_| can_be)
}

/// A payment is known by its name once the buyer is through with the payment page, and not while they try cards there.
fn is_with_bank(purchase: &Purchase) -> bool {
    purchase.state == PurchaseState::Pending && purchase.payment_intent.is_some()
}

/// The page of ours that the buyer came from, which the address says to which the payment page leads back.
fn return_to(success_url: &str) -> Option<String> {
    let (_, query) = success_url.split_once('?')?;
    let page = query.split('&').find_map(|pair| pair.strip_prefix(RETURN_TO)?.strip_prefix('='))?;
    let page = percent_encoding::percent_decode_str(page).decode_utf8().ok()?;
    Some(local_path(&page).to_owned())
}
