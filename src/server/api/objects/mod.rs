//! The objects that calls answer with. Credits are whole numbers; times are RFC 3339 in UTC. What an entry led to is told
//! from the entry alone, so that a request that is sent again gets the same answer.

mod account;
mod catalog;
mod entry;
mod subscription;

use serde::Serialize;
use utoipa::ToSchema;

pub use self::{
    account::{AccountObject, BalanceObject, LotObject, UsageObject},
    catalog::CatalogObject,
    entry::{EntryObject, HoldObject, QuoteObject, metadata},
    subscription::SubscriptionObject,
};

/// How many months and actions a report of usage tells of, the newest first.
pub const USAGE_ROWS_MAX: usize = 10_000;

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub struct Page<T> {
    pub data: Vec<T>,
    /// Whether more come after the last: ask with `starting_after` and its id.
    pub has_more: bool,
}

impl<T> Page<T> {
    /// `found`: one more than the page shows, if there are so many.
    pub fn of<S>(mut found: Vec<S>, limit: usize, object: impl FnMut(S) -> T) -> Self {
        let has_more = found.len() > limit;
        found.truncate(limit);
        Self { data: found.into_iter().map(object).collect(), has_more }
    }
}
