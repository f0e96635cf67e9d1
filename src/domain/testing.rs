//! What the tests of this room build their cases from.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Account, AccountId, Act, Amount, Charge, Command, Credits, Grace, Grant, IdempotencyKey, Limits, Lot,
    LotNumber, Priority, Refusal, Source, Spend, Terms,
    catalog::{ActionKey, Allowance, PlanKey},
    note::Description,
};

/// An account that has no history yet.
pub fn new_account() -> Account {
    Account::new(AccountId::from(uuid::Uuid::from_u128(7)), at(0))
}

/// A moment, in seconds from the beginning of the tests' time, which is a full UTC hour.
pub fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

pub fn amount(number: i64) -> Amount {
    Amount::try_from(number).unwrap()
}

pub fn credits(number: i64) -> Credits {
    Credits::try_from(number).unwrap()
}

pub fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text).unwrap()
}

pub fn reason() -> Description {
    Description::parse("Because").unwrap()
}

pub fn grace(seconds: i64) -> Grace {
    Grace::try_from(TimeDelta::seconds(seconds)).unwrap()
}

pub fn lot(number: i64, remaining: i64) -> Lot {
    Lot {
        number: LotNumber(number),
        source: Source::SignUp,
        priority: Source::SignUp.default_priority(),
        granted: credits(remaining),
        remaining: credits(remaining),
        held: Credits::ZERO,
        lost: Credits::ZERO,
        is_void: false,
        effective_at: at(0),
        expires_at: None,
        created_at: at(0),
    }
}

pub fn grant(number: i64) -> Grant {
    Grant {
        amount: amount(number),
        source: Source::Bonus,
        priority: Priority(20),
        effective_at: None,
        expires_at: None,
        description: Description::parse("Bonus").unwrap(),
    }
}

pub fn spend(action: &str, cost: i64) -> Spend {
    let action = ActionKey::try_from(action.to_owned()).unwrap();
    let charge = Charge { action: Some(action), units: None, cost: amount(cost) };
    Spend { charge, agreed: Some(amount(cost)), limits: Limits::default(), description: None }
}

/// A plan with three days of grace, of which nothing rolls over.
pub fn terms(plan: &str, allowance: i64) -> Terms {
    Terms {
        plan: PlanKey::try_from(plan.to_owned()).unwrap(),
        allowance: Allowance::Monthly(amount(allowance)),
        rollover_cap: None,
        priority: Priority(30),
        grace_days: 3,
        is_free: false,
    }
}

pub fn command(account: &Account, name: &str, act: Act) -> Command {
    Command::new(account.id(), key(name), act)
}

/// Every refusal, by its name. One that is not here does not compile.
pub fn name_of(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::UnknownAccount => "unknown account",
        Refusal::Insufficient(_) => "insufficient",
        Refusal::PriceChanged { .. } => "price changed",
        Refusal::FairUse { .. } => "fair use",
        Refusal::KeyReused => "key reused",
        Refusal::ClockBehind { .. } => "clock behind",
        Refusal::TimeOutOfRange => "time out of range",
        Refusal::ExpiresTooEarly => "expires too early",
        Refusal::BalanceTooLarge => "balance too large",
        Refusal::TooManyHolds { .. } => "too many holds",
        Refusal::UnknownHold => "unknown hold",
        Refusal::HoldClosed => "hold closed",
        Refusal::UnknownSpend => "unknown spend",
        Refusal::RefundTooLarge { .. } => "refund too large",
        Refusal::UnknownLot => "unknown lot",
        Refusal::LotHeld => "lot held",
        Refusal::LotEmpty => "lot empty",
        Refusal::ClawbackTooLarge { .. } => "clawback too large",
        Refusal::SubscriptionUnchanged => "subscription unchanged",
        Refusal::AlreadySubscribed => "already subscribed",
        Refusal::NothingToPay => "nothing to pay",
        Refusal::NotSubscribed => "not subscribed",
        Refusal::ClawbackUnchanged { .. } => "clawback unchanged",
    }
}
