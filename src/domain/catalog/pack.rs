//! Packs: credits that are bought once.

use super::{PackKey, Price};
use crate::domain::{Amount, Priority};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    pub key: PackKey,
    pub title: String,
    pub description: String,
    pub credits: Amount,
    pub price: Price,
    /// `None`: its credits never expire.
    pub expires_days: Option<u16>,
    /// When its credits are spent, beside others.
    pub priority: Priority,
}
