//! Entries of an account's ledger, and what is told of them in a shape of its own.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::{
    domain::{
        Account, AccountId, Allocation, Amount, Credits, Entry, EntryId, HoldId, Kind, LotId, LotNumber,
        Movement, Quote, Refusal,
    },
    problem::Problem,
    server::api::fields,
};

/// One immutable line of an account's ledger.
#[derive(Serialize, ToSchema)]
#[schema(as = Entry)]
pub struct EntryObject {
    #[schema(value_type = fields::EntryId)]
    id: EntryId,
    #[schema(value_type = fields::AccountId)]
    account: AccountId,
    /// 1, 2, 3 … within the account, without gaps.
    version: i64,
    #[schema(value_type = fields::EntryKind)]
    kind: &'static str,
    at: DateTime<Utc>,
    /// The change of the balance.
    delta: i64,
    /// What remained in all lots before, scheduled ones too; what holds set aside is not in it.
    #[schema(value_type = fields::Credits)]
    balance_before: Credits,
    /// To show what can be spent, ask for the balance.
    #[schema(value_type = fields::Credits)]
    balance_after: Credits,
    /// The change of what holds set aside.
    held_change: i64,
    /// The change of what is owed.
    debt_change: i64,
    /// What was charged for.
    action: Option<String>,
    units: Option<i64>,
    /// What the action cost at the time; where use was unlimited, it was not taken.
    price: Option<i64>,
    /// What a spend, a hold or a capture took from which lots, in drawing order.
    allocations: Vec<AllocationObject>,
    /// What changed in which lots.
    movements: Vec<MovementObject>,
    /// The hold that this is, or that it ends.
    #[schema(value_type = Option<fields::HoldId>)]
    hold: Option<HoldId>,
    /// The spend that it refunds.
    #[schema(value_type = Option<fields::EntryId>)]
    spend: Option<EntryId>,
    /// The lot that began with it.
    #[schema(value_type = Option<fields::LotId>)]
    lot: Option<LotId>,
    /// Until when a hold or unlimited use lasts.
    until: Option<DateTime<Utc>>,
    description: Option<String>,
    reference: Option<String>,
    #[schema(value_type = Option<fields::Metadata>)]
    metadata: Option<Box<RawValue>>,
}

/// What one lot pays.
#[derive(Serialize, ToSchema)]
#[schema(as = Allocation)]
pub struct AllocationObject {
    #[schema(value_type = fields::LotId)]
    lot: LotId,
    /// How many credits of it.
    #[schema(value_type = fields::Amount)]
    amount: Amount,
}

/// What changed in one lot.
#[derive(Serialize, ToSchema)]
#[schema(as = Movement)]
pub struct MovementObject {
    #[schema(value_type = fields::LotId)]
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
    #[schema(value_type = fields::HoldId)]
    id: HoldId,
    #[schema(value_type = fields::AccountId)]
    account: AccountId,
    /// What is set aside; nothing where use is unlimited.
    amount: i64,
    action: Option<String>,
    units: Option<i64>,
    /// What it costs if it is captured as it is.
    #[schema(value_type = fields::Amount)]
    price: Amount,
    /// In drawing order.
    allocations: Vec<AllocationObject>,
    /// From this moment on it counts as released.
    expires_at: DateTime<Utc>,
    /// The entry that set it aside.
    #[schema(value_type = fields::EntryId)]
    entry: EntryId,
    #[schema(value_type = fields::Credits)]
    balance_after: Credits,
    description: Option<String>,
    reference: Option<String>,
    #[schema(value_type = Option<fields::Metadata>)]
    metadata: Option<Box<RawValue>>,
    created_at: DateTime<Utc>,
}

/// What something would cost now. Nothing was taken.
#[derive(Serialize, ToSchema)]
#[schema(as = Quote)]
pub struct QuoteObject {
    #[schema(value_type = fields::AccountId)]
    account: AccountId,
    /// What it costs.
    #[schema(value_type = fields::Amount)]
    cost: Amount,
    /// What can be spent now.
    #[schema(value_type = fields::Credits)]
    available: Credits,
    /// What would be left; null where it is not allowed.
    #[schema(value_type = Option<fields::Credits>)]
    available_after: Option<Credits>,
    /// Whether it would be done.
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
pub fn metadata(entry: &Entry) -> Option<Box<RawValue>> {
    RawValue::from_string(entry.metadata.as_ref()?.as_str().to_owned()).ok()
}
