//! Entries: what changed, by how much, and what was left.

use leptos::prelude::*;

use super::{Column, DateTime, Table};
use crate::{
    text,
    views::{EntryView, KindView},
};

#[component]
pub fn EntryTable(entries: Vec<EntryView>) -> impl IntoView {
    view! {
        <Table
            caption="Credits in and out" times=true
            class="table history"
            columns=[Column::Words("When"), Column::Words("What"), Column::Number("Amount"), Column::Number("Balance after")]
        >
            {entries.into_iter().map(|entry| view! { <EntryRow entry /> }).collect_view()}
        </Table>
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
