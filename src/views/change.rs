//! Another plan for who pays for one: what it comes to, before it is made.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeView {
    /// The titles of the plan that the member is on, and of the one that they would be on.
    pub from: String,
    pub to: String,
    /// The key of the latter.
    pub plan: String,
    /// What is charged at once, in words and in the smallest unit of its currency, and the Unix second from which on it is
    /// reckoned.
    pub charged: String,
    pub charged_minor: i64,
    pub at: i64,
    /// What comes at once: `400 credits`.
    pub brings: Option<String>,
    /// `$49.00 per month`, and the same in the smallest unit.
    pub price: String,
    pub price_minor: i64,
    /// From when on that is charged, and that the change begins where it does not at once.
    pub period_end: DateTime<Utc>,
    pub is_at_once: bool,
    pub is_trial: bool,
    /// Whether the present plan was to end with its period. With the change it goes on.
    pub was_to_end: bool,
    /// A new name for this change: sent twice, it is made once.
    pub attempt: String,
}
