//! Refusals: why a command was not carried out. After each the account is as it was.

use chrono::{DateTime, Utc};
use thiserror::Error;

use crate::domain::{Amount, Credits};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("there is no such account")]
    UnknownAccount,
    #[error("{} credits needed, {} available, {} missing", .0.needed.get(), .0.available.get(), .0.missing.get())]
    Insufficient(Shortfall),
    #[error("the price is {} now, not {}", .cost.get(), .agreed.get())]
    PriceChanged { agreed: Amount, cost: Amount },
    #[error("no more than {cap} before {resets_at}")]
    FairUse { cap: u32, resets_at: DateTime<Utc> },
    #[error("this idempotency key was used for another command")]
    KeyReused,
    #[error("the command is dated before the account's last entry at {last_entry_at}")]
    ClockBehind { last_entry_at: DateTime<Utc> },
    #[error("a time is out of the years 1 to 9999")]
    TimeOutOfRange,
    #[error("these credits would expire before they could be spent")]
    ExpiresTooEarly,
    #[error("the account cannot hold that many credits")]
    BalanceTooLarge,
    #[error("the account has {most} open holds, and may have no more")]
    TooManyHolds { most: usize },
    #[error("there is no such hold")]
    UnknownHold,
    #[error("the hold was captured or released")]
    HoldClosed,
    #[error("there is no such spend")]
    UnknownSpend,
    #[error("of this spend {} credits can be refunded", .refundable.get())]
    RefundTooLarge { refundable: Credits },
    #[error("there is no such lot")]
    UnknownLot,
    #[error("a part of the lot is held")]
    LotHeld,
    #[error("nothing remains of the lot")]
    LotEmpty,
    #[error("the lot was granted {} credits", .granted.get())]
    ClawbackTooLarge { granted: Credits },
    /// A clawback must raise what is clawed back of a lot, and a reinstatement lower it.
    #[error("{} credits of the lot are clawed back", .total.get())]
    ClawbackUnchanged { total: Credits },
    #[error("the subscription is as it is asked to be already")]
    SubscriptionUnchanged,
    #[error("the account is on a plan that is paid for, and a trial is for who begins")]
    AlreadySubscribed,
    #[error("the plan costs nothing, and so is not paid until any time")]
    NothingToPay,
    #[error("the account has no subscription that could end")]
    NotSubscribed,
}

/// A spend that an account cannot pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortfall {
    pub needed: Amount,
    pub available: Credits,
    /// What the spend would have to leave (rule 5).
    pub min_balance: Credits,
    /// How much more would have to come in; debt, which is paid first, is in it.
    pub missing: Amount,
}
