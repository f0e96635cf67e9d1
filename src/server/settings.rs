//! What a member sets: automatic top-up, as it was typed in.

use sqlx::PgConnection;

use super::{
    AppState, Error,
    purchases::{
        Till,
        start::{self, NewPurchase, PURCHASE, Wanted},
    },
    store::{
        people::User,
        purchases::{self, Purchase},
        stripe_customers,
        top_ups::{self as store, Chosen},
    },
    top_ups,
};
use crate::{
    domain::{
        AccountId, Amount, PurchaseState, TopUp,
        catalog::{Pack, Price},
        level,
        top_up::Attempt,
    },
    problem::Problem,
    text,
    views::{PackView, TopUpStateView, TopUpView},
};

/// Where a member comes back to.
const PAGE: &str = "/settings";
const SAVED: &str = "/settings?saved";
/// The names of the form's fields in what is kept of it.
const FIELDS: [&str; 3] = ["threshold", "pack", "limit"];

/// What was typed into the form.
#[derive(Debug)]
pub struct Typed {
    pub threshold: String,
    pub pack: String,
    pub limit: String,
}

/// The form as it was sent.
#[derive(Debug)]
pub struct Sent {
    pub typed: Typed,
    /// Whether another card is to be kept than the one that is.
    pub has_new_card: bool,
    /// Of what the member has seen.
    pub version: i32,
    /// The member's name for the purchase by which a card is kept.
    pub attempt: String,
}

/// How a member's top-up stands, with what they have just typed in its place. `None`: no packs are sold.
pub async fn top_up(
    state: &AppState,
    member: &User,
    typed: Option<Typed>,
) -> Result<Option<TopUpView>, Error> {
    let (catalog, now) = (state.catalog(), state.clock.now());
    if catalog.packs.is_empty() {
        return Ok(None);
    }
    let mut conn = state.pool.acquire().await?;
    let chosen = store::find(&mut conn, state.stripe.mode(), member.account).await?;
    let attempts = top_ups::attempts(state, &mut conn, member.account).await?;
    let standing = standing(state, &mut conn, chosen.as_ref(), &attempts).await?;
    drop(conn);
    let typed = match (typed, &chosen) {
        (Some(typed), _) => typed,
        (None, Some(Chosen { top_up, .. })) => Typed {
            threshold: top_up.threshold.get().to_string(),
            pack: top_up.pack.to_string(),
            limit: text::typed_price(top_up.month_limit),
        },
        (None, None) => {
            let account = state.ledger.account(member.account).await?;
            let low = level::threshold(&account, catalog.low_balance).get().max(1);
            Typed { threshold: low.to_string(), pack: String::new(), limit: String::new() }
        }
    };
    let left = chosen.as_ref().map(|Chosen { top_up, .. }| {
        let limit = top_up.month_limit;
        (text::money(top_up.left(&attempts, now), limit.currency()), text::price(limit))
    });
    Ok(Some(TopUpView {
        state: standing,
        threshold: typed.threshold,
        pack: typed.pack,
        limit: typed.limit,
        packs: catalog.packs.iter().map(PackView::of).collect(),
        left,
        last: attempts.first().map(|last| (last.at, text::price(last.price), last.state)),
        version: chosen.map_or(0, |chosen| chosen.version),
        attempt: state.clock.new_id().to_string(),
    }))
}

async fn standing(
    state: &AppState,
    conn: &mut PgConnection,
    chosen: Option<&Chosen>,
    attempts: &[Attempt],
) -> Result<TopUpStateView, Error> {
    let Some(Chosen { top_up, first_purchase, .. }) = chosen else { return Ok(TopUpStateView::Off) };
    if top_up.on_since.is_some() {
        let catalog = state.catalog();
        let pack = catalog.pack(top_up.pack.as_str());
        let is_sold = pack.is_some_and(|pack| pack.price.currency() == top_up.month_limit.currency());
        return Ok(match (top_up.paused(attempts), is_sold) {
            (Some(by), _) => TopUpStateView::Paused(by),
            (None, true) => TopUpStateView::On,
            (None, false) => TopUpStateView::NotSold,
        });
    }
    let first = match first_purchase {
        Some(id) => purchases::find(conn, *id).await?,
        None => None,
    };
    let first = first.filter(|first| first.state == PurchaseState::Pending);
    Ok(first.map_or(TopUpStateView::Off, |first| TopUpStateView::Waiting { checkout: first.url }))
}

/// Turns a member's top-up on as they want it, or changes it; returns where they go on. Where no card is kept that can be
/// charged, or another one is wanted, that is the payment page of a first purchase: it is on once that is paid.
pub async fn set_top_up(
    state: &AppState,
    till: &dyn Till,
    account: AccountId,
    sent: &Sent,
) -> Result<String, Error> {
    let wanted = read(state, &sent.typed)?;
    let mode = state.stripe.mode();
    let mut conn = state.pool.acquire().await?;
    let chosen = store::find(&mut conn, mode, account).await?;
    if chosen.as_ref().map_or(0, |chosen| chosen.version) != sent.version {
        return sent_before(&mut conn, chosen, &wanted).await;
    }
    let attempts = top_ups::attempts(state, &mut conn, account).await?;
    drop(conn);
    let on_since = chosen
        .and_then(|chosen| chosen.top_up.on_since.filter(|_| chosen.top_up.paused(&attempts).is_none()));
    let (on_since, first) = match on_since {
        Some(since) if !sent.has_new_card => (Some(since), None),
        _ if !sent.has_new_card && keeps_card(state, till, account).await? => (Some(state.clock.now()), None),
        _ => match first_purchase(state, till, account, &wanted, &sent.attempt).await? {
            first if first.state == PurchaseState::Pending => (None, Some(first)),
            first if first.state == PurchaseState::Paid && first.is_paid_as_agreed() => {
                (Some(state.clock.now()), None)
            }
            // A form of long ago, or other money than was agreed.
            _ => return Err(Problem::ChangedMeanwhile.into()),
        },
    };
    let wanted = TopUp { on_since, ..wanted };
    let id = first.as_ref().map(|first| first.id);
    let mut conn = state.pool.acquire().await?;
    if !store::write(&mut conn, mode, account, &wanted, id, sent.version).await? {
        let chosen = store::find(&mut conn, mode, account).await?;
        return sent_before(&mut conn, chosen, &wanted).await;
    }
    Ok(first.map_or_else(|| SAVED.to_owned(), goes_on))
}

pub async fn turn_off_top_up(state: &AppState, account: AccountId) -> Result<(), Error> {
    let mut conn = state.pool.acquire().await?;
    Ok(store::turn_off(&mut conn, state.stripe.mode(), account).await?)
}

/// What is wanted, but for since when. Each mistake is one of a field.
fn read(state: &AppState, typed: &Typed) -> Result<TopUp, Problem> {
    let threshold = typed.threshold.trim().parse().ok().and_then(|number: i64| Amount::try_from(number).ok());
    let threshold = threshold.ok_or(Problem::UnitsInvalid)?;
    let catalog = state.catalog();
    let Pack { key, price, .. } = catalog.pack(&typed.pack).ok_or(Problem::UnknownPack)?;
    let month_limit = Price::typed(&typed.limit, price.currency()).map_err(|_| Problem::AmountInvalid)?;
    if month_limit.minor() < price.minor() {
        return Err(Problem::LimitTooLow);
    }
    Ok(TopUp { threshold, pack: key.clone(), month_limit, on_since: None })
}

/// It was changed since the member saw it: by this very form, sent twice, or by another.
async fn sent_before(
    conn: &mut PgConnection,
    chosen: Option<Chosen>,
    wanted: &TopUp,
) -> Result<String, Error> {
    let Some(Chosen { top_up, first_purchase, .. }) = chosen else {
        return Err(Problem::ChangedMeanwhile.into());
    };
    let is_same = TopUp { on_since: wanted.on_since, ..top_up.clone() } == *wanted;
    let first = match first_purchase {
        Some(id) => purchases::find(conn, id).await?,
        None => None,
    };
    match first {
        Some(first) if is_same => Ok(goes_on(first)),
        None if is_same && top_up.on_since.is_some() => Ok(SAVED.to_owned()),
        _ => Err(Problem::ChangedMeanwhile.into()),
    }
}

/// Whether there is a card that can be charged.
async fn keeps_card(state: &AppState, till: &dyn Till, account: AccountId) -> Result<bool, Error> {
    let mut conn = state.pool.acquire().await?;
    let customer = stripe_customers::of(&mut conn, state.stripe.mode(), account).await?;
    drop(conn);
    match customer {
        Some(customer) => Ok(till.kept_card(&customer).await?.is_some()),
        None => Ok(false),
    }
}

/// The purchase with which a card is kept, as it was begun.
async fn first_purchase(
    state: &AppState,
    till: &dyn Till,
    account: AccountId,
    wanted: &TopUp,
    attempt: &str,
) -> Result<Purchase, Error> {
    let page = format!("{}/buy/{PURCHASE}", state.base_url);
    let back = text::query_value(PAGE);
    let new = NewPurchase {
        item: Wanted::Pack(wanted.pack.as_str()),
        attempt: &format!("page:top-up:{attempt}:{}", wanted.pack),
        success_url: &format!("{page}?paid&return_to={back}"),
        cancel_url: &format!("{page}?canceled&return_to={back}"),
        saves_card: true,
    };
    start::start(state, till, account, new).await
}

fn goes_on(first: Purchase) -> String {
    first.url.unwrap_or_else(|| format!("/buy/{}", first.id))
}

impl Typed {
    /// As it is kept for the page that shows it again.
    pub fn kept(&self) -> String {
        let values = [&self.threshold, &self.pack, &self.limit];
        form_urlencoded::Serializer::new(String::new()).extend_pairs(FIELDS.iter().zip(values)).finish()
    }

    /// The same, read.
    pub fn of_kept(kept: &str) -> Self {
        let value = |name: &str| {
            let mut pairs = form_urlencoded::parse(kept.as_bytes());
            pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        let [threshold, pack, limit] = FIELDS.map(value);
        Self { threshold, pack, limit }
    }
}
