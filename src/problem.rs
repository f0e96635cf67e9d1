//! What went wrong, as a reader is told it: a stable code, an HTTP status and plain words. The one error
//! type at the edge of the program, for pages and calls alike.

mod telling;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::{
    domain::{
        Amount, Credits, Refusal,
        catalog::{InsufficientStatus, Plan},
    },
    text::{credits, number, upgrade},
};

/// Holds no free text: a problem may travel in a URL, and nobody may put words into our mouth there.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Problem {
    // What was sent makes no sense.
    #[error("That request could not be read.")]
    Malformed,
    #[error("There is no such place in this list. Start from the newest.")]
    UnknownCursor,
    #[error("Enter a whole number from 1 to {}.", number(Amount::MAX.get()))]
    UnitsInvalid,
    #[error("This action has one price: it takes no number.")]
    UnitsNotTaken,
    #[error("There is no such action.")]
    UnknownAction,
    #[error("There is no such page.")]
    NotFound,
    #[error("There is no such account.")]
    UnknownAccount,
    #[error("This was sent from another site, so nothing was done.")]
    CrossSite,

    // What only calls of the HTTP API can get wrong; `errors` beside it name the fields.
    #[error("What was sent can be read, but not all of it is as it should be.")]
    Invalid,
    #[error("There is no such call.")]
    UnknownCall,
    #[error("This address takes other methods.")]
    MethodNotAllowed,
    #[error("It took too long until all of the request was here. Nothing was done.")]
    TooSlow,
    #[error("That is more than one request may bring.")]
    TooLarge,
    #[error("Send JSON, and say so: Content-Type: application/json.")]
    NotJson,
    #[error("Send an Idempotency-Key: your own name for this request, by which it is done once.")]
    IdempotencyKeyMissing,
    #[error("An Idempotency-Key is 1 to 255 visible ASCII characters.")]
    IdempotencyKeyInvalid,
    #[error("Send a key: Authorization: Bearer sk_…")]
    KeyMissing,
    #[error("This key is not known, or not any more.")]
    KeyInvalid,
    #[error("This key is not for that: it lacks the scope.")]
    ScopeMissing,
    #[error("Too many requests with this key. Try again in {}.", seconds(*retry_after_secs))]
    TooManyRequests { retry_after_secs: u64 },
    #[error("This address is none of those that may be led back to.")]
    ReturnUrlRefused,
    #[error("This account’s holder signs in here, so nobody can be led in.")]
    SignsInHere,
    #[error("Only a sandbox’s clock can be set.")]
    NotASandbox,
    #[error("That is for admins.")]
    NotAnAdmin,

    // Signing up and in.
    #[error("This link was used already, or is too old. Go back to where you came from and open it again.")]
    LinkUsed,
    #[error("Enter an e-mail address, such as ada@example.com.")]
    EmailMalformed,
    #[error("An account with this e-mail address exists already. Sign in instead.")]
    EmailTaken,
    #[error("A password has 8 to 256 characters.")]
    PasswordLength,
    #[error("The e-mail address or the password is wrong.")]
    WrongCredentials,
    #[error("Too many attempts. Try again in {}.", seconds(*retry_after_secs))]
    TooManyAttempts { retry_after_secs: u64 },
    #[error("Sign in to go on.")]
    SignedOut,

    // What the law refuses.
    #[serde(rename = "insufficient_credits")]
    #[error("This costs {}, you have {}{}: {} missing.", credits(needed.get()), number(available.get()), kept(*min_balance), number(missing.get()))]
    Insufficient {
        needed: Amount,
        available: Credits,
        min_balance: Credits,
        #[serde(rename = "shortfall")]
        missing: Amount,
        too_many_requests: bool,
    },
    #[error("The price has changed to {}. Nothing was spent.", credits(cost.get()))]
    PriceChanged { cost: Amount },
    #[error("You are signed in to another account now than when this was shown. Nothing was spent.")]
    OtherAccount,
    #[error("This was sent before, with other content. Nothing was done.")]
    KeyReused,
    #[error("The clock of this server is behind. Nothing was done.")]
    ClockBehind,
    #[error("These credits would expire before they could be spent.")]
    ExpiresTooEarly,
    #[error("The account cannot hold that many credits.")]
    BalanceTooLarge,
    #[error("A time must be in the years 1 to 9999.")]
    TimeOutOfRange,
    #[error("That is as many as fair use allows for now. Try again in {}.", seconds(*retry_after_secs))]
    FairUse { retry_after_secs: u64 },
    #[error("{} holds are open, and no more may be. Capture or release some first.", number(*most))]
    TooManyHolds { most: i64 },
    #[error("There is no such hold.")]
    UnknownHold,
    #[error("This hold has ended: it was captured, released, or ran out.")]
    HoldClosed,
    #[error("There is no such spend.")]
    UnknownSpend,
    #[error("Of this spend, {} can be refunded.", credits(refundable.get()))]
    RefundTooLarge { refundable: Credits },
    #[error("There is no such lot.")]
    UnknownLot,
    #[error("A part of this lot is held. Wait until the hold ends.")]
    LotHeld,
    #[error("Nothing remains of this lot.")]
    LotEmpty,
    #[error("This lot was granted {}: no more can be clawed back.", credits(granted.get()))]
    ClawbackTooLarge { granted: Credits },
    #[error("{} of this lot are clawed back already.", credits(total.get()))]
    ClawbackUnchanged { total: Credits },
    #[error("There is no such plan.")]
    UnknownPlan,
    #[error("The subscription is as asked for already.")]
    SubscriptionUnchanged,
    #[error("This account has no subscription.")]
    NotSubscribed,
    #[error("This plan costs nothing, so it is not paid until any time: leave paid_until out.")]
    NothingToPay,
    #[error("This plan has no trial.")]
    NoTrial,
    #[error("A trial is for who begins, and once for each plan. Nothing was done.")]
    TrialUsed,

    // What is bought for money.
    #[error("There is no such pack.")]
    UnknownPack,
    #[error("There is no such purchase.")]
    UnknownPurchase,
    #[error("This plan costs nothing, so it can’t be bought.")]
    NotForSale,
    #[error("{} purchases are waiting to be paid, and no more may be. Pay or cancel one first.", number(*most_pending))]
    TooManyPurchases { most_pending: i64 },
    #[error("This purchase has ended before it could be paid. Begin another one.")]
    PurchaseEnded,
    #[error("This account pays for a plan already. Change that one, or end it first.")]
    AlreadySubscribed,
    #[error(
        "Your card was declined, so nothing was changed. Choose another card under “Manage payment”, and try again."
    )]
    CardDeclined,
    #[error("Your plan is not paid, so it can’t be changed. Pay for it under “Manage payment” first.")]
    PlanNotPaid,
    #[error(
        "Your plan is about to change to another one. Keep the one that you have first, then choose this one."
    )]
    PlanChanging,
    #[error("What this comes to has changed since it was shown, so nothing was changed. Look at it again.")]
    SumChanged,
    #[error("Your plan is billed by another interval. End it first, then subscribe to this one.")]
    OtherInterval,
    #[error("The limit is below what the pack costs, so that it would never be bought.")]
    LimitTooLow,
    #[error("This was changed meanwhile, perhaps in another window. Look at it as it is now, and try again.")]
    ChangedMeanwhile,
    #[error("Of this purchase, that amount can’t be refunded.")]
    NotRefundable,
    #[error(
        "The payment page can’t be reached right now. Try again in a moment: what was sent twice is done once."
    )]
    PaymentsUnavailable,

    // What only admins are told.
    #[error("Enter an amount such as 3.33, with all its decimals.")]
    AmountInvalid,
    #[error("Say why, in up to 500 characters: it is kept with what you do.")]
    ReasonMissing,
    #[error("This event was applied already, or there is no such event.")]
    NothingToReplay,
    #[error("This event can’t be applied now either. Why is said beside it.")]
    ReplayFailed,
    #[error("Somebody has seen to this already.")]
    HandledAlready,

    // What is nobody's fault, or our own.
    #[error(
        "Your browser can’t reach us. Check the connection and try again: what was sent twice is done once."
    )]
    Offline,
    #[error("We can’t reach our records right now. Try again in a moment: what was sent twice is done once.")]
    Unavailable,
    #[error("Too much is going on right now, so nothing was done. Try again in a moment.")]
    Overloaded,
    #[error("Something went wrong on our side.")]
    Internal {
        /// By which the operator finds the cause in the log.
        reference: Uuid,
    },
}

impl Problem {
    /// What the law's refusal means to the one who asked.
    pub fn refused(refusal: Refusal, insufficient: InsufficientStatus, now: DateTime<Utc>) -> Self {
        match refusal {
            Refusal::FairUse { resets_at, .. } => {
                let left = (resets_at - now).num_seconds().max(0).unsigned_abs();
                Self::FairUse { retry_after_secs: left + 1 }
            }
            Refusal::TimeOutOfRange => Self::TimeOutOfRange,
            Refusal::TooManyHolds { most } => {
                Self::TooManyHolds { most: i64::try_from(most).unwrap_or(i64::MAX) }
            }
            Refusal::UnknownHold => Self::UnknownHold,
            Refusal::HoldClosed => Self::HoldClosed,
            Refusal::UnknownSpend => Self::UnknownSpend,
            Refusal::RefundTooLarge { refundable } => Self::RefundTooLarge { refundable },
            Refusal::UnknownLot => Self::UnknownLot,
            Refusal::LotHeld => Self::LotHeld,
            Refusal::LotEmpty => Self::LotEmpty,
            Refusal::ClawbackTooLarge { granted } => Self::ClawbackTooLarge { granted },
            Refusal::ClawbackUnchanged { total } => Self::ClawbackUnchanged { total },
            Refusal::SubscriptionUnchanged => Self::SubscriptionUnchanged,
            Refusal::NotSubscribed => Self::NotSubscribed,
            Refusal::AlreadySubscribed => Self::TrialUsed,
            Refusal::NothingToPay => Self::NothingToPay,
            Refusal::Insufficient(shortfall) => Self::Insufficient {
                needed: shortfall.needed,
                available: shortfall.available,
                min_balance: shortfall.min_balance,
                missing: shortfall.missing,
                too_many_requests: insufficient == InsufficientStatus::TooManyRequests,
            },
            Refusal::PriceChanged { cost, .. } => Self::PriceChanged { cost },
            Refusal::UnknownAccount => Self::UnknownAccount,
            Refusal::KeyReused => Self::KeyReused,
            Refusal::ClockBehind { .. } => Self::ClockBehind,
            Refusal::ExpiresTooEarly => Self::ExpiresTooEarly,
            Refusal::BalanceTooLarge => Self::BalanceTooLarge,
        }
    }

    /// In words, with the plan that would help where there is one.
    pub fn told_with(&self, larger: Option<&Plan>) -> String {
        larger.map_or_else(|| self.to_string(), |plan| format!("{self} {}", upgrade(plan)))
    }

    /// The stable word for it.
    pub fn code(&self) -> String {
        let told = serde_json::to_value(self).unwrap_or_default();
        told["code"].as_str().unwrap_or_default().to_owned()
    }
}

fn kept(min_balance: Credits) -> String {
    let kept = min_balance.get();
    if kept == 0 { String::new() } else { format!(", and {} must stay", number(kept)) }
}

fn seconds(seconds: u64) -> String {
    match seconds {
        0 | 1 => "a second".to_owned(),
        2..=119 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Shortfall;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn shortfall() -> Refusal {
        Refusal::Insufficient(Shortfall {
            needed: Amount::try_from(1_200).unwrap(),
            available: Credits::try_from(1_000).unwrap(),
            min_balance: Credits::ZERO,
            missing: Amount::try_from(200).unwrap(),
        })
    }

    #[test]
    fn a_shortfall_names_what_is_needed_what_is_there_and_what_is_missing() {
        let problem = Problem::refused(shortfall(), InsufficientStatus::PaymentRequired, NOW);
        assert_eq!(problem.to_string(), "This costs 1,200 credits, you have 1,000: 200 missing.");
        assert_eq!(problem.status(), 402);
    }

    #[test]
    fn a_shortfall_names_what_must_stay() {
        let (needed, missing) = (Amount::try_from(7).unwrap(), Amount::try_from(1).unwrap());
        let (available, min_balance) = (Credits::try_from(10).unwrap(), Credits::try_from(4).unwrap());
        let refusal = Refusal::Insufficient(Shortfall { needed, available, min_balance, missing });
        let problem = Problem::refused(refusal, InsufficientStatus::PaymentRequired, NOW);
        assert_eq!(problem.to_string(), "This costs 7 credits, you have 10, and 4 must stay: 1 missing.");
    }

    #[test]
    fn the_catalog_chooses_the_status_of_a_shortfall() {
        assert_eq!(Problem::refused(shortfall(), InsufficientStatus::TooManyRequests, NOW).status(), 429);
    }

    #[test]
    fn a_pause_is_told_in_the_unit_that_fits() {
        assert_eq!(seconds(1), "a second");
        assert_eq!(seconds(119), "119 seconds");
        assert_eq!(seconds(121), "3 minutes");
    }
}
