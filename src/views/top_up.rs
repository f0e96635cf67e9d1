//! Automatic top-up, as its holder sees and sets it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::PackView;
use crate::domain::{PurchaseState, top_up::PausedBy};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopUpView {
    pub state: TopUpStateView,
    /// What stands in the form's fields: the threshold, the key of the pack, the month's limit.
    pub threshold: String,
    pub pack: String,
    pub limit: String,
    /// What can be chosen.
    pub packs: Vec<PackView>,
    /// How much may still be spent this month, of how much.
    pub left: Option<(String, String)>,
    /// The last pack that was bought, or not: when, for how much, and what became of it.
    pub last: Option<(DateTime<Utc>, String, PurchaseState)>,
    /// Of what is shown here: who changes it has seen this.
    pub version: i32,
    /// A new name for the purchase by which a card is kept: sent twice, it is bought once.
    pub attempt: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TopUpStateView {
    Off,
    /// It is on once the first pack is paid; where that is done.
    Waiting {
        checkout: Option<String>,
    },
    On,
    /// Until it is turned on again.
    Paused(PausedBy),
    /// The pack is not sold any more, or not at a price that the limit is about.
    NotSold,
}

impl TopUpStateView {
    /// Whether it is on, though it may buy nothing at the moment.
    pub const fn is_on(&self) -> bool {
        matches!(self, Self::On | Self::Paused(_) | Self::NotSold)
    }
}
