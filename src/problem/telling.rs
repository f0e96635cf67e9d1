//! Whom a problem is told, with which status, and whether it is worth asking again.

use super::Problem;

impl Problem {
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed
            | Self::UnknownCursor
            | Self::IdempotencyKeyMissing
            | Self::IdempotencyKeyInvalid => 400,
            Self::SignedOut | Self::WrongCredentials | Self::KeyMissing | Self::KeyInvalid => 401,
            Self::Insufficient { too_many_requests: false, .. } | Self::CardDeclined => 402,
            Self::CrossSite | Self::ScopeMissing | Self::NotASandbox | Self::NotAnAdmin => 403,
            Self::NotFound
            | Self::UnknownAccount
            | Self::UnknownCall
            | Self::UnknownAction
            | Self::UnknownHold
            | Self::UnknownSpend
            | Self::UnknownPlan
            | Self::NotSubscribed
            | Self::UnknownPack
            | Self::UnknownPurchase
            | Self::UnknownLot => 404,
            Self::MethodNotAllowed => 405,
            Self::TooSlow => 408,
            Self::EmailTaken
            | Self::SignsInHere
            | Self::PriceChanged { .. }
            | Self::OtherAccount
            | Self::ClockBehind
            | Self::TooManyHolds { .. }
            | Self::HoldClosed
            | Self::LotHeld
            | Self::LotEmpty
            | Self::ClawbackUnchanged { .. }
            | Self::TrialUsed
            | Self::TooManyPurchases { .. }
            | Self::PurchaseEnded
            | Self::AlreadySubscribed
            | Self::PlanNotPaid
            | Self::PlanChanging
            | Self::SumChanged
            | Self::OtherInterval
            | Self::NothingToReplay
            | Self::ReplayFailed
            | Self::HandledAlready
            | Self::ChangedMeanwhile
            | Self::SubscriptionUnchanged => 409,
            Self::LinkUsed => 410,
            Self::TooLarge => 413,
            Self::NotJson => 415,
            Self::UnitsInvalid
            | Self::UnitsNotTaken
            | Self::Invalid
            | Self::ReturnUrlRefused
            | Self::EmailMalformed
            | Self::PasswordLength
            | Self::AmountInvalid
            | Self::LimitTooLow
            | Self::ReasonMissing
            | Self::KeyReused
            | Self::ExpiresTooEarly
            | Self::RefundTooLarge { .. }
            | Self::NoTrial
            | Self::NothingToPay
            | Self::NotForSale
            | Self::NotRefundable
            | Self::ClawbackTooLarge { .. }
            | Self::TimeOutOfRange
            | Self::BalanceTooLarge => 422,
            Self::Insufficient { too_many_requests: true, .. }
            | Self::TooManyAttempts { .. }
            | Self::TooManyRequests { .. }
            | Self::FairUse { .. } => 429,
            Self::Internal { .. } => 500,
            Self::Unavailable | Self::Overloaded | Self::Offline | Self::PaymentsUnavailable => 503,
        }
    }

    /// Whether the law has spoken, so that asking again needs another question. After anything else the same
    /// question, under the same key, may still be answered, or have been.
    pub const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Insufficient { .. }
                | Self::PriceChanged { .. }
                | Self::OtherAccount
                | Self::KeyReused
                | Self::FairUse { .. }
        )
    }

    /// Whether a call of the HTTP API may be answered with it, so that its reference explains it. What is new is
    /// explained, unless it is said here that only pages tell it.
    pub const fn is_told_by_calls(&self) -> bool {
        !matches!(
            self,
            Self::UnitsInvalid
                | Self::UnitsNotTaken
                | Self::NotFound
                | Self::LinkUsed
                | Self::EmailMalformed
                | Self::EmailTaken
                | Self::PasswordLength
                | Self::WrongCredentials
                | Self::TooManyAttempts { .. }
                | Self::OtherAccount
                | Self::Offline
                // What is so already is no failure of a call.
                | Self::SubscriptionUnchanged
                // No call claws back.
                | Self::ClawbackTooLarge { .. }
                | Self::ClawbackUnchanged { .. }
                // No call changes what is paid through Stripe.
                | Self::CardDeclined
                | Self::PlanNotPaid
                | Self::PlanChanging
                | Self::SumChanged
                | Self::OtherInterval
                // No call sets a top-up.
                | Self::LimitTooLow
                | Self::ChangedMeanwhile
                // No call refunds money; pages of admins do, and tell these.
                | Self::NotRefundable
                | Self::AmountInvalid
                | Self::ReasonMissing
                | Self::NothingToReplay
                | Self::ReplayFailed
                | Self::HandledAlready
        )
    }

    /// After how long it is worth trying again, where that is known.
    pub const fn retry_after_secs(&self) -> Option<u64> {
        match self {
            Self::TooManyAttempts { retry_after_secs }
            | Self::TooManyRequests { retry_after_secs }
            | Self::FairUse { retry_after_secs } => Some(*retry_after_secs),
            Self::Unavailable | Self::Overloaded | Self::PaymentsUnavailable => Some(1),
            _ => None,
        }
    }
}
