//! Accounts, what they have and what they ran.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{Account, AccountId, Catalog, Credits, Entry, Level, Lot, LotId, LotState, Source},
    server::{api::fields, ledger::MonthTally, store::profiles::Profile},
};

/// An account: a wallet that holds credits.
#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
pub struct AccountObject {
    #[schema(value_type = fields::AccountId)]
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
    #[schema(value_type = fields::AccountId)]
    account: AccountId,
    /// Grows with every entry: of two balances the one with the higher version is the later.
    version: i64,
    /// What can be spent.
    #[schema(value_type = fields::Credits)]
    available: Credits,
    /// What open holds have set aside.
    #[schema(value_type = fields::Credits)]
    held: Credits,
    /// What is owed: the next grant pays it first.
    #[schema(value_type = fields::Credits)]
    debt: Credits,
    /// What can be spent later, in lots that have not begun.
    #[schema(value_type = fields::Credits)]
    scheduled: Credits,
    /// `low` at the catalog's `low_balance` or below it. `comfortable` where use is unlimited.
    #[schema(value_type = fields::LevelName)]
    level: Level,
    /// Whether spends cost nothing at the moment.
    unlimited: bool,
    next_expiry: Option<NextExpiry>,
}

/// What lapses next of what is available.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct NextExpiry {
    /// How many lapse.
    #[schema(value_type = fields::Credits)]
    credits: Credits,
    at: DateTime<Utc>,
}

/// A dated parcel of credits.
#[derive(Serialize, ToSchema)]
#[schema(as = Lot)]
pub struct LotObject {
    #[schema(value_type = fields::LotId)]
    id: LotId,
    #[schema(value_type = fields::LotSource)]
    source: Source,
    /// Lots with a lower number are spent first.
    #[schema(value_type = fields::PriorityNumber)]
    priority: i16,
    /// How many credits it began with.
    #[schema(value_type = fields::Credits)]
    granted: Credits,
    /// What can still be spent of it.
    #[schema(value_type = fields::Credits)]
    remaining: Credits,
    /// What open holds have set aside of it.
    #[schema(value_type = fields::Credits)]
    held: Credits,
    /// From when it can be spent.
    effective_at: DateTime<Utc>,
    /// Null: it never expires.
    expires_at: Option<DateTime<Utc>>,
    #[schema(value_type = fields::LotStateName)]
    state: LotState,
    created_at: DateTime<Utc>,
}

/// What an account ran of one action in one month: spends and captures.
#[derive(Serialize, ToSchema)]
#[schema(as = Usage)]
pub struct UsageObject {
    /// When the month began.
    month: DateTime<Utc>,
    /// Null: amounts that you named yourself.
    action: Option<String>,
    /// How many times.
    count: i64,
    /// 0 where the action is not priced by unit.
    units: i64,
    /// What they took. Refunds are not subtracted.
    credits: i64,
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
            level: Level::of_account(account, catalog.low_balance, now),
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

impl From<MonthTally> for UsageObject {
    fn from(MonthTally { month, tally }: MonthTally) -> Self {
        Self {
            month,
            action: tally.action.map(Into::into),
            count: tally.count,
            units: tally.units,
            credits: tally.credits,
        }
    }
}
