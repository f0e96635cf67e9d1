//! Whom a problem is told, and whether it is worth asking again.

use super::Problem;

impl Problem {
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
                | Self::OtherInterval
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
