//! The objects that calls answer with. Credits are whole numbers; times are RFC 3339 in UTC. What an entry led to is told
//! from the entry alone, so that a request that is sent again gets the same answer.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::{
    ToSchema,
    openapi::{Object, Schema, Type},
};

use crate::{
    domain::{
        Account, AccountId, Allocation, Amount, Catalog, Credits, Entry, EntryId, HoldId, Kind, Level, Lot,
        LotId, LotNumber, LotState, Movement, Quote, Refusal, Source,
        catalog::{Action, Cost},
    },
    problem::Problem,
    server::{ledger::Usage, store::profiles::Profile},
};

/// An account: a wallet that holds credits.
#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
pub struct AccountObject {
    #[schema(value_type = String, example = "acct_0193a1b2c3d47e5f8a9b0c1d2e3f4a5b")]
    id: AccountId,
    /// Your own name for it; null where its holder signed up here.
    external_id: Option<String>,
    name: Option<String>,
    email: Option<String>,
    created_at: DateTime<Utc>,
}

/// What an account has at this moment.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Balance)]
pub struct BalanceObject {
    #[schema(value_type = String)]
    account: AccountId,
    /// Grows with every entry: of two balances the one with the higher version is the later.
    version: i64,
    /// What can be spent.
    #[schema(value_type = i64, minimum = 0)]
    available: Credits,
    /// What open holds have set aside.
    #[schema(value_type = i64, minimum = 0)]
    held: Credits,
    /// What is owed: the next grant pays it first.
    #[schema(value_type = i64, minimum = 0)]
    debt: Credits,
    /// What can be spent later, in lots that have not begun.
    #[schema(value_type = i64, minimum = 0)]
    scheduled: Credits,
    /// `low` at the catalog's `low_balance` or below it.
    #[schema(schema_with = levels)]
    level: Level,
    /// Whether spends cost nothing at the moment.
    unlimited: bool,
    next_expiry: Option<NextExpiry>,
}

/// What lapses next of what is available.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct NextExpiry {
    #[schema(value_type = i64)]
    credits: Credits,
    at: DateTime<Utc>,
}

/// A dated parcel of credits.
#[derive(Serialize, ToSchema)]
#[schema(as = Lot)]
pub struct LotObject {
    #[schema(value_type = String, example = "lot_0193a1b2c3d47e5f8a9b0c1d2e3f4a5b_1")]
    id: LotId,
    #[schema(schema_with = sources)]
    source: Source,
    /// Lots with a lower number are spent first.
    priority: i16,
    #[schema(value_type = i64)]
    granted: Credits,
    /// What can still be spent of it.
    #[schema(value_type = i64)]
    remaining: Credits,
    /// What open holds have set aside of it.
    #[schema(value_type = i64)]
    held: Credits,
    effective_at: DateTime<Utc>,
    /// Null: it never expires.
    expires_at: Option<DateTime<Utc>>,
    #[schema(schema_with = states)]
    state: LotState,
    created_at: DateTime<Utc>,
}

/// One immutable line of an account's ledger.
#[derive(Serialize, ToSchema)]
#[schema(as = Entry)]
pub struct EntryObject {
    #[schema(value_type = String, example = "entry_0193a1b2c3d47e5f8a9b0c1d2e3f4a5b_7")]
    id: EntryId,
    #[schema(value_type = String)]
    account: AccountId,
    /// 1, 2, 3 … within the account, without gaps.
    version: i64,
    #[schema(schema_with = kinds)]
    kind: &'static str,
    at: DateTime<Utc>,
    /// The change of the balance.
    delta: i64,
    /// What remained in all lots before, scheduled ones too; what holds set aside is not in it.
    #[schema(value_type = i64)]
    balance_before: Credits,
    #[schema(value_type = i64)]
    balance_after: Credits,
    /// The change of what holds set aside.
    held_change: i64,
    /// The change of what is owed.
    debt_change: i64,
    action: Option<String>,
    units: Option<i64>,
    /// What the action cost at the time; where use was unlimited, it was not taken.
    price: Option<i64>,
    /// What a spend, a hold or a capture took from which lots, in drawing order.
    allocations: Vec<AllocationObject>,
    /// What changed in which lots.
    movements: Vec<MovementObject>,
    /// The hold that this is, or that it ends.
    #[schema(value_type = Option<String>)]
    hold: Option<HoldId>,
    /// The spend that it refunds.
    #[schema(value_type = Option<String>)]
    spend: Option<EntryId>,
    /// The lot that began with it.
    #[schema(value_type = Option<String>)]
    lot: Option<LotId>,
    /// Until when a hold or unlimited use lasts.
    until: Option<DateTime<Utc>>,
    description: Option<String>,
    reference: Option<String>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
}

/// What one lot pays.
#[derive(Serialize, ToSchema)]
#[schema(as = Allocation)]
pub struct AllocationObject {
    #[schema(value_type = String)]
    lot: LotId,
    #[schema(value_type = i64, minimum = 1)]
    amount: Amount,
}

/// What changed in one lot.
#[derive(Serialize, ToSchema)]
#[schema(as = Movement)]
pub struct MovementObject {
    #[schema(value_type = String)]
    lot: LotId,
    /// Of what remains.
    change: i64,
    /// Of what is held.
    held_change: i64,
}

/// Credits set aside until they are captured or released.
#[derive(Serialize, ToSchema)]
#[schema(as = Hold)]
pub struct HoldObject {
    #[schema(value_type = String, example = "hold_0193a1b2c3d47e5f8a9b0c1d2e3f4a5b_8")]
    id: HoldId,
    #[schema(value_type = String)]
    account: AccountId,
    /// What is set aside; nothing where use is unlimited.
    amount: i64,
    action: Option<String>,
    units: Option<i64>,
    /// What it costs if it is captured as it is.
    #[schema(value_type = i64)]
    price: Amount,
    /// In drawing order.
    allocations: Vec<AllocationObject>,
    /// From this moment on it counts as released.
    expires_at: DateTime<Utc>,
    #[schema(value_type = String)]
    entry: EntryId,
    #[schema(value_type = i64)]
    balance_after: Credits,
    description: Option<String>,
    reference: Option<String>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    created_at: DateTime<Utc>,
}

/// What something would cost now. Nothing was taken.
#[derive(Serialize, ToSchema)]
#[schema(as = Quote)]
pub struct QuoteObject {
    #[schema(value_type = String)]
    account: AccountId,
    #[schema(value_type = i64)]
    cost: Amount,
    #[schema(value_type = i64)]
    available: Credits,
    /// What would be left; null where it is not allowed.
    #[schema(value_type = Option<i64>)]
    available_after: Option<Credits>,
    allowed: bool,
    /// How much more would have to come in; 0 where that is not what is in the way.
    shortfall: i64,
    /// Why it is not allowed: a problem's code.
    refusal: Option<String>,
    /// Whether it would cost nothing.
    unlimited: bool,
    /// The lots that would pay, in drawing order.
    lots: Vec<AllocationObject>,
}

/// What an account ran of one action in one month: spends and captures.
#[derive(Serialize, ToSchema)]
#[schema(as = Usage)]
pub struct UsageObject {
    /// `2026-11`, in UTC.
    #[schema(example = "2026-11")]
    month: String,
    /// Null: amounts that you named yourself.
    action: Option<String>,
    count: i64,
    /// 0 where the action is not priced by unit.
    units: i64,
    /// What they took. Refunds are not subtracted.
    credits: i64,
}

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub struct Page<T> {
    pub data: Vec<T>,
    /// Whether more come after the last: ask with `starting_after` and its id.
    pub has_more: bool,
}

/// What the product sells for credits.
#[derive(Serialize, ToSchema)]
#[schema(as = Catalog)]
pub struct CatalogObject {
    name: String,
    summary: String,
    /// What a new account gets.
    signup: Option<SignUpObject>,
    /// What every spend must leave.
    #[schema(value_type = i64)]
    min_balance: Credits,
    /// At or below it an account's level is `low`.
    #[schema(value_type = i64)]
    low_balance: Credits,
    actions: Vec<ActionObject>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SignUp)]
pub struct SignUpObject {
    #[schema(value_type = i64)]
    credits: Amount,
    /// Null: they never expire.
    expires_days: Option<u16>,
}

/// Something that costs credits: a fixed `cost`, or one credit for every `units_per_credit` begun.
#[derive(Serialize, ToSchema)]
#[schema(as = Action)]
pub struct ActionObject {
    key: String,
    title: String,
    description: String,
    cost: Option<i64>,
    #[schema(example = "tokens")]
    unit: Option<String>,
    units_per_credit: Option<i64>,
}

impl From<Profile> for AccountObject {
    fn from(profile: Profile) -> Self {
        Self {
            id: profile.account,
            external_id: profile.external_id.map(Into::into),
            name: profile.name,
            email: profile.email,
            created_at: profile.created_at,
        }
    }
}

impl BalanceObject {
    pub fn of(account: &Account, catalog: &Catalog, now: DateTime<Utc>) -> Self {
        let available = account.available(now);
        Self {
            account: account.id(),
            version: account.version().0,
            available,
            held: account.held(),
            debt: account.debt(),
            scheduled: account.scheduled(now),
            level: Level::of(available, catalog.low_balance),
            unlimited: account.is_unlimited(now),
            next_expiry: account.next_expiry(now).map(|(credits, at)| NextExpiry { credits, at }),
        }
    }

    pub fn version(&self) -> i64 {
        self.version
    }
}

impl LotObject {
    pub fn of(account: AccountId, lot: &Lot, now: DateTime<Utc>) -> Self {
        Self {
            id: LotId { account, number: lot.number },
            source: lot.source,
            priority: lot.priority.0,
            granted: lot.granted,
            remaining: lot.remaining,
            held: lot.held,
            effective_at: lot.effective_at,
            expires_at: lot.expires_at,
            state: lot.state(now),
            created_at: lot.created_at,
        }
    }

    /// The lot that an entry began with, as it was then. `None` where none did.
    pub fn opened_by(entry: &Entry) -> Option<Self> {
        let opened = entry.opened?;
        let parts = entry.movements.iter().filter(|part| part.lot == opened.lot);
        let remaining = parts.map(|part| part.change).sum::<i64>();
        let lot = Lot {
            number: opened.lot,
            source: opened.source,
            priority: opened.priority,
            granted: Credits::try_from(entry.movements.first()?.change).ok()?,
            remaining: Credits::try_from(remaining).ok()?,
            held: Credits::ZERO,
            lost: Credits::ZERO,
            is_void: false,
            effective_at: opened.effective_at,
            expires_at: opened.expires_at,
            created_at: entry.at,
        };
        Some(Self::of(entry.account, &lot, entry.at))
    }
}

impl EntryObject {
    pub fn of(entry: &Entry) -> Self {
        let charge = entry.kind.charge();
        let hold = match entry.kind {
            Kind::Hold { .. } => Some(entry.version),
            _ => entry.kind.ends_hold(),
        };
        let spend = match entry.kind {
            Kind::Refund { spend } => Some(spend),
            _ => None,
        };
        let account = entry.account;
        Self {
            id: entry.id(),
            account,
            version: entry.version.0,
            kind: entry.kind.as_str(),
            at: entry.at,
            delta: entry.delta(),
            balance_before: entry.balance_before,
            balance_after: entry.balance_after,
            held_change: entry.held_change(),
            debt_change: entry.debt_change,
            action: charge.and_then(|charge| charge.action.as_ref()).map(ToString::to_string),
            units: charge.and_then(|charge| charge.units).map(Into::into),
            price: charge.map(|charge| charge.cost.get()),
            allocations: allocations(entry),
            movements: entry.movements.iter().map(|part| MovementObject::of(account, part)).collect(),
            hold: hold.map(|number| HoldId { account, number }),
            spend: spend.map(|number| EntryId { account, number }),
            lot: entry.opened.map(|opened| LotId { account, number: opened.lot }),
            until: entry.kind.until(),
            description: entry.description.as_ref().map(|text| text.as_str().to_owned()),
            reference: entry.reference.as_ref().map(|text| text.as_str().to_owned()),
            metadata: metadata(entry),
        }
    }
}

impl HoldObject {
    /// `None` where the entry is none of a hold.
    pub fn of(entry: &Entry) -> Option<Self> {
        let Kind::Hold { charge, until } = &entry.kind else { return None };
        Some(Self {
            id: HoldId { account: entry.account, number: entry.version },
            account: entry.account,
            amount: entry.held_change(),
            action: charge.action.as_ref().map(ToString::to_string),
            units: charge.units.map(Into::into),
            price: charge.cost,
            allocations: allocations(entry),
            expires_at: *until,
            entry: entry.id(),
            balance_after: entry.balance_after,
            description: entry.description.as_ref().map(|text| text.as_str().to_owned()),
            reference: entry.reference.as_ref().map(|text| text.as_str().to_owned()),
            metadata: metadata(entry),
            created_at: entry.at,
        })
    }
}

impl QuoteObject {
    pub fn of(
        account: &Account,
        quote: Quote,
        now: DateTime<Utc>,
        code: impl Fn(Refusal) -> Problem,
    ) -> Self {
        let id = account.id();
        let (shortfall, refusal) = match &quote.outcome {
            Ok(_) => (0, None),
            Err(refusal) => {
                let missing = match refusal {
                    Refusal::Insufficient(shortfall) => shortfall.missing.get(),
                    _ => 0,
                };
                (missing, Some(code(*refusal).code()))
            }
        };
        let lots = quote.outcome.as_deref().unwrap_or_default();
        let paid = lots.iter().fold(quote.available, |left, part| left.less(part.amount.credits()));
        Self {
            account: id,
            cost: quote.cost,
            available: quote.available,
            available_after: quote.outcome.is_ok().then_some(paid),
            allowed: quote.outcome.is_ok(),
            shortfall,
            refusal,
            unlimited: account.is_unlimited(now),
            lots: lots.iter().map(|part| AllocationObject::of(id, *part)).collect(),
        }
    }
}

impl From<Usage> for UsageObject {
    fn from(usage: Usage) -> Self {
        Self {
            month: usage.month.format("%Y-%m").to_string(),
            action: usage.action,
            count: usage.count,
            units: usage.units,
            credits: usage.credits,
        }
    }
}

impl<T> Page<T> {
    /// `found`: one more than the page shows, if there are so many.
    pub fn of<S>(mut found: Vec<S>, limit: usize, object: impl FnMut(S) -> T) -> Self {
        let has_more = found.len() > limit;
        found.truncate(limit);
        Self { data: found.into_iter().map(object).collect(), has_more }
    }
}

impl From<&Catalog> for CatalogObject {
    fn from(catalog: &Catalog) -> Self {
        Self {
            name: catalog.name.clone(),
            summary: catalog.summary.clone(),
            signup: catalog
                .signup
                .map(|signup| SignUpObject { credits: signup.credits, expires_days: signup.expires_days }),
            min_balance: catalog.limits.min_balance,
            low_balance: catalog.low_balance,
            actions: catalog.actions.iter().map(ActionObject::from).collect(),
        }
    }
}

impl From<&Action> for ActionObject {
    fn from(action: &Action) -> Self {
        let (cost, unit, units_per_credit) = match &action.cost {
            Cost::Fixed(cost) => (Some(cost.get()), None, None),
            Cost::PerUnit { unit, units_per_credit } => {
                (None, Some(unit.clone()), Some(units_per_credit.get()))
            }
        };
        Self {
            key: action.key.to_string(),
            title: action.title.clone(),
            description: action.description.clone(),
            cost,
            unit,
            units_per_credit,
        }
    }
}

impl AllocationObject {
    fn of(account: AccountId, part: Allocation) -> Self {
        Self { lot: lot_id(account, part.lot), amount: part.amount }
    }
}

impl MovementObject {
    fn of(account: AccountId, part: &Movement) -> Self {
        Self { lot: lot_id(account, part.lot), change: part.change, held_change: part.held }
    }
}

/// What a charge took, or set aside, lot by lot.
fn allocations(entry: &Entry) -> Vec<AllocationObject> {
    let amount = |part: &Movement| match entry.kind {
        Kind::Hold { .. } => Amount::try_from(part.held).ok(),
        _ => part.taken(),
    };
    let parts = entry.movements.iter().filter(|_| entry.kind.charge().is_some());
    let paid = parts.filter_map(|part| Some(Allocation { lot: part.lot, amount: amount(part)? }));
    paid.map(|part| AllocationObject::of(entry.account, part)).collect()
}

fn lot_id(account: AccountId, number: LotNumber) -> LotId {
    LotId { account, number }
}

/// As it was sent, letter by letter.
fn metadata(entry: &Entry) -> Option<Box<RawValue>> {
    RawValue::from_string(entry.metadata.as_ref()?.as_str().to_owned()).ok()
}

/// The words of an enumeration, as the API's description lists them.
fn words<T: Serialize>(all: impl IntoIterator<Item = T>) -> Schema {
    let all = all.into_iter().filter_map(|word| serde_json::to_value(word).ok());
    Object::builder().schema_type(Type::String).enum_values(Some(all)).into()
}

pub fn kinds() -> Schema {
    words(Kind::NAMES)
}

pub fn sources() -> Schema {
    words(Source::ALL)
}

fn states() -> Schema {
    words([LotState::Active, LotState::Scheduled, LotState::Expired, LotState::Spent, LotState::Void])
}

fn levels() -> Schema {
    words([Level::Comfortable, Level::Low, Level::Empty])
}
