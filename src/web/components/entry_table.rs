//! Entries: what changed, by how much, and what was left.

use leptos::prelude::*;

use super::DateTime;
use crate::{
    text,
    views::{EntryView, KindView},
};

/// Roles as in `LotTable`, and for the same reason.
#[component]
pub fn EntryTable(entries: Vec<EntryView>) -> impl IntoView {
    view! {
        <div class="card flush">
            <table class="table history" role="table">
                <caption>"Credits in and out " <span class="quiet">"· times in UTC"</span></caption>
                <thead role="rowgroup">
                    <tr role="row">
                        <th scope="col" role="columnheader">
                            "When"
                        </th>
                        <th scope="col" role="columnheader">
                            "What"
                        </th>
                        <th scope="col" role="columnheader" class="number">
                            "Amount"
                        </th>
                        <th scope="col" role="columnheader" class="number">
                            "Balance after"
                        </th>
                    </tr>
                </thead>
                <tbody role="rowgroup">
                    {entries.into_iter().map(|entry| view! { <EntryRow entry /> }).collect_view()}
                </tbody>
            </table>
        </div>
    }
}

#[component]
fn EntryRow(entry: EntryView) -> impl IntoView {
    let kind = match entry.kind {
        KindView::Grant => "grant",
        KindView::Spend => "spend",
        KindView::Hold => "hold",
        KindView::Capture => "captured",
        KindView::Release => "released",
        KindView::Refund => "refund",
        KindView::Expiry => "expired",
        KindView::Void => "void",
        KindView::Adjustment => "adjustment",
        KindView::Clawback => "clawback",
        KindView::Reinstatement => "reinstated",
        KindView::Unlimited => "unlimited",
        KindView::Subscription => "plan",
        KindView::Renewal => "renewal",
    };
    let receipt = entry.receipt_url.map(|url| {
        view! {
            " "
            <a class="receipt" href=url rel="external">
                "Receipt"
            </a>
        }
    });
    let sign = if entry.delta < 0 { "minus" } else { "plus" };
    view! {
        <tr role="row">
            <td role="cell" class="quiet">
                <DateTime at=entry.at />
            </td>
            <th scope="row" role="rowheader">
                {entry.title}
                " "
                <span class="tag" data-kind=kind>
                    {kind}
                </span>
                {receipt}
            </th>
            <td role="cell" class="number">
                <span class="amount" data-sign=sign>
                    {text::signed(entry.delta)}
                </span>
            </td>
            <td role="cell" class="number" data-label="Balance">
                {text::number(entry.balance_after.get())}
            </td>
        </tr>
    }
}
