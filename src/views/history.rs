//! History: what a member's entries say, in words.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::subscription;
use crate::domain::{Account, Catalog, Credits, Entry, Kind, Version};

/// A page of history, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryView {
    /// What is owed now.
    pub debt: Credits,
    pub entries: Vec<EntryView>,
    /// Where the next newer and the next older page start, where there is one.
    pub newer: Option<CursorView>,
    pub older: Option<CursorView>,
}

/// The start of a page of history: entries before this version, or the newest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum CursorView {
    Newest,
    Before(i64),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntryView {
    pub version: i64,
    pub at: DateTime<Utc>,
    pub kind: KindView,
    pub title: String,
    pub delta: i64,
    pub balance_after: Credits,
    /// Where its receipt is, where money was paid for it.
    pub receipt_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum KindView {
    Grant,
    Spend,
    Hold,
    Capture,
    Release,
    Refund,
    Expiry,
    Void,
    Adjustment,
    Clawback,
    Reinstatement,
    Unlimited,
    Subscription,
    Renewal,
}

impl HistoryView {
    /// `entries`: up to one more than [`HistoryView::PAGE`] that are older than `before`, newest first; `account`: whose
    /// they are, as it is now. `receipts`: where those of purchases are, by the reference
    /// that their entries bear.
    pub fn of(
        mut entries: Vec<Arc<Entry>>,
        before: Option<Version>,
        account: &Account,
        catalog: &Catalog,
        receipts: &HashMap<String, String>,
    ) -> Self {
        let has_older = entries.len() > Self::PAGE;
        entries.truncate(Self::PAGE);
        // Versions have no gaps, so the page before this one starts a page's length above it.
        let newer = before.map(|before| match before.0.saturating_add(Self::PAGE as i64) {
            start if start > account.version().0 => CursorView::Newest,
            start => CursorView::Before(start),
        });
        let older = entries.last().filter(|_| has_older).map(|oldest| CursorView::Before(oldest.version.0));
        let view = |entry: &Arc<Entry>| {
            let receipt = entry.reference.as_ref().and_then(|reference| receipts.get(reference.as_str()));
            EntryView::of(entry, catalog, receipt.cloned())
        };
        Self { debt: account.debt(), entries: entries.iter().map(view).collect(), newer, older }
    }

    /// How many entries a page shows.
    pub const PAGE: usize = 25;
}

impl EntryView {
    fn of(entry: &Entry, catalog: &Catalog, receipt_url: Option<String>) -> Self {
        let kind = match entry.kind {
            Kind::Grant => KindView::Grant,
            Kind::Spend(_) => KindView::Spend,
            Kind::Hold { .. } => KindView::Hold,
            Kind::Capture { .. } => KindView::Capture,
            Kind::Release { .. } => KindView::Release,
            Kind::Refund { .. } => KindView::Refund,
            Kind::Expiry => KindView::Expiry,
            Kind::Void => KindView::Void,
            Kind::Adjustment => KindView::Adjustment,
            Kind::Clawback(_) => KindView::Clawback,
            Kind::Reinstatement(_) => KindView::Reinstatement,
            Kind::Unlimited { .. } => KindView::Unlimited,
            Kind::Renewal(ref after) if !after.has_ended() => KindView::Renewal,
            Kind::Subscription(_) | Kind::Renewal(_) => KindView::Subscription,
        };
        Self {
            version: entry.version.0,
            at: entry.at,
            kind,
            title: title(entry, catalog),
            delta: entry.delta(),
            balance_after: entry.balance_after,
            receipt_url,
        }
    }
}

/// What an entry was for, in words. An action that is no longer in the catalog is still in history, under its
/// key.
pub fn title(entry: &Entry, catalog: &Catalog) -> String {
    if let Some(action) = entry.kind.charge().and_then(|charge| charge.action.as_ref()) {
        let known = catalog.action(action.as_str());
        return known.map_or_else(|| action.to_string(), |action| action.title.clone());
    }
    if let Some(description) = &entry.description {
        return description.as_str().to_owned();
    }
    if let Some(after) = entry.kind.subscription() {
        return subscription::title(entry, after, catalog);
    }
    match (&entry.kind, entry.cause) {
        (Kind::Expiry, _) => "Expired credits",
        (Kind::Void, _) => "Credits of a void lot",
        (Kind::Release { .. }, None) => "Hold that ran out",
        (Kind::Release { .. }, Some(_)) => "Released hold",
        _ => "Credits",
    }
    .to_owned()
}
