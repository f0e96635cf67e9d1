//! Levels: how much an account has left, as a word.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Account, Credits,
    catalog::{Allowance, LowBalance},
};

/// How much is left, as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Comfortable,
    Low,
    Empty,
}

impl Level {
    /// Low at the threshold or below it, empty at nothing.
    pub fn of(available: Credits, threshold: Credits) -> Self {
        if available == Credits::ZERO {
            Self::Empty
        } else if available <= threshold {
            Self::Low
        } else {
            Self::Comfortable
        }
    }

    /// Of an account as it is at `at`. Whose use is unlimited lacks nothing.
    pub fn of_account(account: &Account, low_balance: LowBalance, at: DateTime<Utc>) -> Self {
        if account.is_unlimited(at) {
            Self::Comfortable
        } else {
            Self::of(account.available(at), threshold(account, low_balance))
        }
    }
}

/// What is little for this account. A share is of the monthly credits that it has by its plan, or had by its last one.
pub fn threshold(account: &Account, low_balance: LowBalance) -> Credits {
    let allowance = account.subscription().map(|subscription| subscription.terms.allowance);
    low_balance.threshold(match allowance {
        Some(Allowance::Monthly(amount)) => Some(amount),
        Some(Allowance::Unlimited) | None => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Act, Command, Subscribe, Unlimited,
        catalog::Percentage,
        decide,
        testing::{at, credits, grant, key, new_account, reason, terms},
    };

    #[test]
    fn a_level_changes_at_the_threshold_and_at_nothing() {
        let level = |available| Level::of(credits(available), credits(2));
        assert_eq!(level(3), Level::Comfortable);
        assert_eq!(level(2), Level::Low);
        assert_eq!(level(1), Level::Low);
        assert_eq!(level(0), Level::Empty);
    }

    #[test]
    fn without_a_threshold_an_account_is_never_low() {
        assert_eq!(Level::of(credits(1), Credits::ZERO), Level::Comfortable);
        assert_eq!(Level::of(Credits::ZERO, Credits::ZERO), Level::Empty);
    }

    #[test]
    fn a_share_is_of_the_monthly_credits_of_the_plan() {
        let fifth = LowBalance::Share(Percentage::try_from(20).unwrap());
        let mut account = new_account();
        let gift = Command::new(account.id(), key("gift"), Act::Grant(grant(10)));
        decide(&mut account, &gift, at(0)).unwrap();
        assert_eq!(threshold(&account, fifth), Credits::ZERO);
        assert_eq!(Level::of_account(&account, fifth, at(1)), Level::Comfortable);
        let subscribe = Subscribe {
            terms: terms("pro", 100),
            anchor: None,
            paid_until: None,
            fallback: None,
            is_trial: false,
        };
        let command = Command::new(account.id(), key("plan"), Act::Subscribe(subscribe));
        decide(&mut account, &command, at(1)).unwrap();
        assert_eq!(threshold(&account, fifth), credits(20));
    }

    #[test]
    fn whose_use_is_unlimited_lacks_nothing() {
        let mut account = new_account();
        assert_eq!(Level::of_account(&account, LowBalance::default(), at(0)), Level::Empty);
        let unlimited = Unlimited { until: at(100), reason: reason() };
        let command = Command::new(account.id(), key("all"), Act::Unlimited(unlimited));
        decide(&mut account, &command, at(0)).unwrap();
        assert_eq!(Level::of_account(&account, LowBalance::default(), at(50)), Level::Comfortable);
        assert_eq!(Level::of_account(&account, LowBalance::default(), at(100)), Level::Empty);
    }
}
