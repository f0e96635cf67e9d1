//! What a member is warned of, on every page of theirs.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    domain::{Account, Catalog, Credits, Level, Warning, credits::total, top_up::PausedBy, warning::Topic},
    text,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum WarningView {
    Low {
        available: Credits,
        /// When it was told: what is dismissed is what was seen.
        seen: DateTime<Utc>,
    },
    Empty,
    /// Automatic top-up is on, and buys nothing until it is turned on again.
    TopUpPaused(PausedBy),
    Lapsing {
        credits: Credits,
        first: DateTime<Utc>,
        last: DateTime<Utc>,
        seen: DateTime<Utc>,
    },
}

impl WarningView {
    /// Of the warnings that stand for an account, those that are still so and that nobody has dismissed.
    pub fn all(account: &Account, standing: &[Warning], catalog: &Catalog, now: DateTime<Utc>) -> Vec<Self> {
        let level = match Level::of_account(account, catalog.low_balance, now) {
            Level::Empty => {
                standing.iter().any(|warning| warning.topic == Topic::Empty).then_some(Self::Empty)
            }
            Level::Low => {
                let told =
                    standing.iter().find(|warning| warning.topic == Topic::Low && !warning.is_dismissed);
                told.map(|told| Self::Low { available: account.available(now), seen: told.at })
            }
            Level::Comfortable => None,
        };
        let lapsing = if account.is_unlimited(now) { None } else { Self::lapsing(account, standing, now) };
        level.into_iter().chain(lapsing).collect()
    }

    /// All lots together: their holder wants to know how much goes, and by when to use it.
    fn lapsing(account: &Account, standing: &[Warning], now: DateTime<Utc>) -> Option<Self> {
        let told = standing.iter().filter(|warning| !warning.is_dismissed);
        let mut lots = Vec::new();
        let mut seen = None;
        for warning in told {
            let Topic::Lapsing { lot, .. } = warning.topic else { continue };
            let Some(lot) =
                account.lot(lot).filter(|lot| lot.is_active(now) && lot.remaining > Credits::ZERO)
            else {
                continue;
            };
            seen = seen.max(Some(warning.at));
            if let Some(expires_at) = lot.expires_at {
                lots.push((lot.number, lot.remaining, expires_at));
            }
        }
        // A lot that is told of a week ahead and a day ahead is one lot.
        lots.sort_unstable_by_key(|(number, ..)| *number);
        lots.dedup_by_key(|(number, ..)| *number);
        let ends = || lots.iter().map(|(.., expires_at)| *expires_at);
        let credits = total(lots.iter().map(|(_, remaining, _)| *remaining));
        Some(Self::Lapsing { credits, first: ends().min()?, last: ends().max()?, seen: seen? })
    }

    /// `12 credits left`, `120 credits expire on 3 Dec 2026`.
    pub fn words(&self) -> String {
        match self {
            Self::Low { available, .. } => format!("{} left", text::credits(available.get())),
            Self::Empty => "No credits left".to_owned(),
            Self::TopUpPaused(PausedBy::Declines) => {
                "Automatic top-up is paused: your card was declined twice".to_owned()
            }
            Self::TopUpPaused(PausedBy::MoneyBack) => {
                "Automatic top-up is paused: the money of the last one went back".to_owned()
            }
            Self::Lapsing { credits, first, last, .. } => {
                let verb = if credits.get() == 1 { "expires" } else { "expire" };
                let (credits, first, last) =
                    (text::credits(credits.get()), text::date(*first), text::date(*last));
                if first == last {
                    format!("{credits} {verb} on {first}")
                } else {
                    format!("{credits} {verb} by {last}, the first on {first}")
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credits(number: i64) -> Credits {
        Credits::try_from(number).unwrap()
    }

    fn lapsing(number: i64, last: &str) -> String {
        let (first, last) = ("2026-12-03T09:00:00Z".parse().unwrap(), last.parse().unwrap());
        WarningView::Lapsing { credits: credits(number), first, last, seen: first }.words()
    }

    #[test]
    fn a_warning_says_how_much_and_by_when() {
        let low = WarningView::Low { available: credits(12), seen: DateTime::UNIX_EPOCH };
        assert_eq!(low.words(), "12 credits left");
        assert_eq!(WarningView::Empty.words(), "No credits left");
        assert_eq!(lapsing(120, "2026-12-03T18:00:00Z"), "120 credits expire on 3 Dec 2026");
        assert_eq!(lapsing(1, "2026-12-03T09:00:00Z"), "1 credit expires on 3 Dec 2026");
        assert_eq!(
            lapsing(9, "2026-12-05T09:00:00Z"),
            "9 credits expire by 5 Dec 2026, the first on 3 Dec 2026"
        );
    }
}
