//! How a purchase begins, and what is asked about one that is not paid yet. It is noted before Stripe hears of it, and
//! every request to Stripe has a key made of it: so a second click, or another attempt after a crash, goes on where the
//! first one was.

use chrono::TimeDelta;
use sqlx::Connection;
use uuid::Uuid;

use super::{Till, automatic, customer::customer_of, give_up_unsent, learn_alone};
use crate::{
    domain::{
        AccountId, Catalog, Credits, IdempotencyKey, PurchaseState,
        catalog::{Pack, Plan, Price},
    },
    problem::Problem,
    server::{
        AppState, Error,
        clock::Clock,
        portal::RETURN_URL_BYTES_MAX,
        store::{
            purchases::{self, Item, Purchase},
            stripe_subscriptions,
        },
        stripe::{self, About},
        subscriptions::had_trial,
    },
};

/// How many purchases an account may have that are waiting to be paid.
pub const PENDING_MAX: i64 = 20;

/// Where a return address names the purchase that it is for.
pub const PURCHASE: &str = "{PURCHASE}";

/// After this Stripe is asked about a purchase of which it has told nothing.
pub const ASK_AFTER: TimeDelta = TimeDelta::minutes(10);

/// What somebody wants to buy, by its key in the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    Pack(&'a str),
    Plan(&'a str),
}

#[derive(Clone, Debug)]
pub struct NewPurchase<'a> {
    pub item: Wanted<'a>,
    /// The buyer's own name for it: the same attempt is the same purchase.
    pub attempt: &'a str,
    /// Where the buyer comes back to, having paid or not. [`PURCHASE`] in them stands for the purchase.
    pub success_url: &'a str,
    pub cancel_url: &'a str,
    /// Whether the card may be charged again later, when credits run out.
    pub saves_card: bool,
}

/// Starts a purchase, or goes on with it. The page on which it is paid is its `url`, for as long as it is pending.
pub async fn start(
    state: &AppState,
    till: &dyn Till,
    account: AccountId,
    new: NewPurchase<'_>,
) -> Result<Purchase, Error> {
    IdempotencyKey::parse(new.attempt).map_err(|_| Problem::IdempotencyKeyInvalid)?;
    if [new.success_url, new.cancel_url].iter().any(|url| url.len() > RETURN_URL_BYTES_MAX) {
        return Err(Problem::ReturnUrlRefused.into());
    }
    let purchase = loop {
        if let Wanted::Plan(_) = new.item {
            make_way(state, till, account, &new).await?;
        }
        // Where another start of a plan has come between, it has to make way as well.
        if let Some(purchase) = noted(state, account, &new).await? {
            break purchase;
        }
    };
    if purchase.state != PurchaseState::Pending || purchase.url.is_some() {
        return Ok(purchase);
    }
    let opened = match customer_of(state, till, account).await? {
        Ok(customer) => till.start_checkout(&purchase, &customer).await,
        Err(error) => Err(error),
    };
    match opened {
        Ok((session, url)) => {
            let mut conn = state.pool.acquire().await?;
            if !purchases::note_session(&mut conn, purchase.id, &session, &url).await? {
                drop(conn);
                // It had to make way meanwhile. Nobody knows of its page, and if this fails it closes by itself.
                till.expire_checkout(&session).await?;
                return Err(Problem::PurchaseEnded.into());
            }
        }
        Err(error) => {
            // Another click of the same attempt may have been first.
            let found = find(state, purchase.id).await?;
            if found.url.is_some() {
                return Ok(found);
            }
            if matches!(error, stripe::Error::Refused { .. }) {
                // Nor would it be taken another time.
                give_up_unsent(state, found.id).await?;
            }
            return Err(error.into());
        }
    }
    find(state, purchase.id).await
}

pub async fn find(state: &AppState, id: Uuid) -> Result<Purchase, Error> {
    let mut conn = state.pool.acquire().await?;
    Ok(purchases::find(&mut conn, id).await?.ok_or(Problem::UnknownPurchase)?)
}

/// What has become of a purchase: where it is pending, Stripe is asked, rather than waited for. That it can't be
/// reached is no failure: it will tell.
pub async fn confirm(state: &AppState, till: &dyn Till, id: Uuid) -> Result<Purchase, Error> {
    let purchase = find(state, id).await?;
    match ask(state, till, &purchase).await {
        Ok(()) | Err(Error::Problem(Problem::PaymentsUnavailable)) => find(state, id).await,
        Err(error) => Err(error),
    }
}

/// Gives a purchase up: nobody can pay it any more. One that was paid meanwhile stays so, as does one of another mode.
pub async fn cancel(state: &AppState, till: &dyn Till, id: Uuid) -> Result<Purchase, Error> {
    let purchase = find(state, id).await?;
    if let Some(session) = open_session(state, &purchase) {
        match till.expire_checkout(session).await {
            Ok(checkout) => learn_alone(state, About::Checkout(checkout)).await?,
            // It is over already, one way or the other.
            Err(stripe::Error::Refused { .. }) => ask(state, till, &purchase).await?,
            Err(error) => return Err(error.into()),
        }
    }
    find(state, id).await
}

/// Asks Stripe how a pending purchase stands.
pub async fn ask(state: &AppState, till: &dyn Till, purchase: &Purchase) -> Result<(), Error> {
    if purchase.is_automatic {
        return automatic::go_on(state, till, purchase).await;
    }
    let Some(session) = open_session(state, purchase) else { return Ok(()) };
    let checkout = till.checkout(session).await?;
    learn_alone(state, About::Checkout(checkout)).await
}

/// Where a purchase is paid that nobody has paid yet, if whom we ask knows of it.
fn open_session<'a>(state: &AppState, purchase: &'a Purchase) -> Option<&'a str> {
    let is_open = purchase.state == PurchaseState::Pending && purchase.mode == state.stripe.mode();
    purchase.session.as_deref().filter(|_| is_open)
}

/// An account pays for one plan: its other pages for plans are closed, and where it pays for one already, or is about to,
/// it can't begin another.
async fn make_way(
    state: &AppState,
    till: &dyn Till,
    account: AccountId,
    new: &NewPurchase<'_>,
) -> Result<(), Error> {
    let mode = state.stripe.mode();
    let mut conn = state.pool.acquire().await?;
    match purchases::of_attempt(&mut conn, mode, account, new.attempt).await? {
        Some(known) if known.state != PurchaseState::Pending || known.url.is_some() => return Ok(()),
        Some(_) => {}
        // What is not sold closes no page.
        None => drop(new.item.agreed(&state.catalog())?),
    }
    let others = purchases::pending_plans(&mut conn, mode, account, new.attempt).await?;
    // Not kept from others while Stripe answers.
    drop(conn);
    for other in others {
        // One whose page is not open yet finds that out when it is.
        give_up_unsent(state, other).await?;
        let left = cancel(state, till, other).await?;
        let is_with_bank = left.state == PurchaseState::Pending && left.session.is_some();
        if is_with_bank || left.state == PurchaseState::Paid {
            return Err(Problem::AlreadySubscribed.into());
        }
    }
    let mut conn = state.pool.acquire().await?;
    let pays = stripe_subscriptions::paid_by(&mut conn, mode, account).await?.is_some()
        || purchases::has_plan_to_come(&mut conn, mode, account).await?;
    if pays { Err(Problem::AlreadySubscribed.into()) } else { Ok(()) }
}

/// The purchase as it was agreed, now or when the attempt was first made. `None`: of a plan, while another is pending.
async fn noted(
    state: &AppState,
    account: AccountId,
    new: &NewPurchase<'_>,
) -> Result<Option<Purchase>, Error> {
    let mode = state.stripe.mode();
    let catalog = state.catalog();
    let had_trial = match new.item {
        Wanted::Plan(key) => match catalog.plan(key) {
            Some(plan) => had_trial(state, account, plan).await?,
            None => false,
        },
        Wanted::Pack(_) => false,
    };
    let mut conn = state.pool.acquire().await?;
    let mut transaction = conn.begin().await?;
    purchases::lock_starts(&mut transaction, account).await?;
    if let Some(found) = purchases::of_attempt(&mut transaction, mode, account, new.attempt).await? {
        return if new.is_as(&found) { Ok(Some(found)) } else { Err(Problem::KeyReused.into()) };
    }
    if matches!(new.item, Wanted::Plan(_))
        && !purchases::pending_plans(&mut transaction, mode, account, new.attempt).await?.is_empty()
    {
        return Ok(None);
    }
    if purchases::count_pending(&mut transaction, mode, account).await? >= PENDING_MAX {
        return Err(Problem::TooManyPurchases { most_pending: PENDING_MAX }.into());
    }
    let (mut item, title, description, price) = new.item.agreed(&catalog)?;
    if let Item::Plan { trial_days, .. } = &mut item
        && (had_trial || purchases::had_plan(&mut transaction, mode, account).await?)
    {
        // A trial is for who begins.
        *trial_days = None;
    }
    let begun = begun(state, account, (item, title, description, price));
    let purchase = Purchase {
        attempt: new.attempt.to_owned(),
        success_url: address(new.success_url, begun.id),
        cancel_url: address(new.cancel_url, begun.id),
        saves_card: new.saves_card,
        ..begun
    };
    purchases::insert(&mut transaction, &purchase, Clock::default().now() + ASK_AFTER).await?;
    transaction.commit().await?;
    Ok(Some(purchase))
}

/// A purchase of what was agreed, of which nothing else is known.
pub fn begun(
    state: &AppState,
    account: AccountId,
    (item, title, description, price): (Item, String, String, Price),
) -> Purchase {
    Purchase {
        id: state.clock.new_id(),
        account,
        mode: state.stripe.mode(),
        attempt: String::new(),
        item,
        title,
        description,
        price,
        success_url: String::new(),
        cancel_url: String::new(),
        saves_card: false,
        is_automatic: false,
        card: None,
        created_at: state.clock.now(),
        session: None,
        url: None,
        payment_intent: None,
        subscription: None,
        paid: None,
        failed_at: None,
        expired_at: None,
        state: PurchaseState::Pending,
        lot: None,
        clawed: Credits::ZERO,
        commands: 0,
        asked: 0,
    }
}

fn address(url: &str, purchase: Uuid) -> String {
    url.replace(PURCHASE, &purchase.to_string())
}

impl NewPurchase<'_> {
    /// Whether a purchase is what this asks for.
    fn is_as(&self, found: &Purchase) -> bool {
        let is_item = match (&found.item, self.item) {
            (Item::Pack { key, .. }, Wanted::Pack(wanted)) => key.as_str() == wanted,
            (Item::Plan { key, .. }, Wanted::Plan(wanted)) => key.as_str() == wanted,
            _ => false,
        };
        is_item
            && found.success_url == address(self.success_url, found.id)
            && found.cancel_url == address(self.cancel_url, found.id)
            && found.saves_card == self.saves_card
    }
}

impl Wanted<'_> {
    /// What it is as of now, its title and description, and what it costs.
    pub fn agreed(self, catalog: &Catalog) -> Result<(Item, String, String, Price), Problem> {
        match self {
            Self::Pack(key) => {
                let Pack { key, title, description, credits, price, expires_days, priority } =
                    catalog.pack(key).ok_or(Problem::UnknownPack)?.clone();
                Ok((Item::Pack { key, credits, expires_days, priority }, title, description, price))
            }
            Self::Plan(key) => {
                let Plan { key, title, description, price, interval, trial_days, .. } =
                    catalog.plan(key).ok_or(Problem::UnknownPlan)?.clone();
                let price = price.ok_or(Problem::NotForSale)?;
                Ok((Item::Plan { key, interval, trial_days }, title, description, price))
            }
        }
    }
}
