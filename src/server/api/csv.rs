//! An account's history as CSV, read and sent a piece at a time, however long it is.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use csv::Writer;
use futures_util::stream;

use super::Fault;
use crate::{
    domain::{AccountId, Entry, Version},
    server::{AppState, Error, ledger::Filter},
};

const CONTENT_TYPE: &str = "text/csv";

/// How many entries are read at a time.
const PIECE: usize = 1_000;

const COLUMNS: [&str; 14] = [
    "id",
    "at",
    "kind",
    "action",
    "units",
    "price",
    "delta",
    "held_change",
    "debt_change",
    "balance_before",
    "balance_after",
    "description",
    "reference",
    "metadata",
];

/// Whether a caller asks for CSV rather than JSON.
pub fn is_wanted(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|accepts| accepts.to_str().ok());
    accepted.flat_map(|accepts| accepts.split(',')).any(|kind| {
        let (kind, weight) = kind.split_once(';').unwrap_or((kind, ""));
        kind.trim().eq_ignore_ascii_case(CONTENT_TYPE) && !["q=0", "q=0.0"].contains(&weight.trim())
    })
}

/// All entries from before `before` that the filter admits, newest first.
pub async fn history(
    state: AppState,
    account: AccountId,
    before: Option<Version>,
    filter: Filter,
) -> Result<Response, Fault> {
    // The first piece before the answer begins, so that what is wrong can still be said.
    let first = state.ledger.history(account, before, &filter, PIECE).await?.entries;
    let heading = piece(&[], true)?;
    let rest = stream::try_unfold(Some(first), move |entries| {
        let (state, filter) = (state.clone(), filter.clone());
        async move {
            let Some(entries) = entries else { return Ok::<_, Error>(None) };
            let written = piece(&entries, false)?;
            let next = match entries.last().filter(|_| entries.len() == PIECE) {
                Some(last) => {
                    Some(state.ledger.history(account, Some(last.version), &filter, PIECE).await?.entries)
                }
                None => None,
            };
            Ok(Some((written, next)))
        }
    });
    let pieces = futures_util::StreamExt::chain(stream::iter([Ok(heading)]), rest);
    let mut response = Body::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"entries.csv\""),
    );
    Ok(response)
}

fn piece(entries: &[Arc<Entry>], with_heading: bool) -> Result<Vec<u8>, Error> {
    let mut writer = Writer::from_writer(Vec::new());
    if with_heading {
        writer.write_record(COLUMNS).map_err(Error::internal)?;
    }
    for entry in entries {
        writer.write_record(row(entry)).map_err(Error::internal)?;
    }
    writer.into_inner().map_err(|error| Error::internal(error.to_string()))
}

fn row(entry: &Entry) -> [String; COLUMNS.len()] {
    let charge = entry.kind.charge();
    let text = |text: Option<&str>| text.map(no_formula).unwrap_or_default();
    [
        entry.id().to_string(),
        entry.at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        entry.kind.as_str().to_owned(),
        charge.and_then(|charge| charge.action.as_ref()).map(ToString::to_string).unwrap_or_default(),
        charge.and_then(|charge| charge.units).map(|units| units.get().to_string()).unwrap_or_default(),
        charge.map(|charge| charge.cost.get().to_string()).unwrap_or_default(),
        entry.delta().to_string(),
        entry.held_change().to_string(),
        entry.debt_change.to_string(),
        entry.balance_before.get().to_string(),
        entry.balance_after.get().to_string(),
        text(entry.description.as_ref().map(|text| text.as_str())),
        text(entry.reference.as_ref().map(|text| text.as_str())),
        text(entry.metadata.as_ref().map(|text| text.as_str())),
    ]
}

/// A text that a spreadsheet takes for a text: what starts like a formula gets an apostrophe before it.
fn no_formula(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_taken_for_a_formula() {
        for text in ["=1+1", "+1", "-1", "@a", "\tb"] {
            assert_eq!(no_formula(text), format!("'{text}"));
        }
        for text in ["1-1", "a=b", "", "'"] {
            assert_eq!(no_formula(text), text);
        }
    }
}
