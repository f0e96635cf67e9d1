//! Lots: where an account's credits come from, how many of each are left, and until when.

use leptos::{either::Either, prelude::*};

use super::{Column, Date, Table};
use crate::{domain::LotState, text, views::LotView};

#[component]
pub fn LotTable(lots: Vec<LotView>) -> impl IntoView {
    view! {
        <Table
            caption="Where your credits come from, in the order in which they are spent"
            columns=[Column::Words("Source"), Column::Number("Remaining"), Column::Words("Expires"), Column::Words("State")]
        >
            {lots.into_iter().map(|lot| view! { <LotRow lot /> }).collect_view()}
        </Table>
    }
}

#[component]
fn LotRow(lot: LotView) -> impl IntoView {
    let (remaining, granted) = (lot.remaining.get(), lot.granted.get());
    let (state, word) = match lot.state {
        LotState::Active => ("active", "Active"),
        LotState::Scheduled => ("scheduled", "Scheduled"),
        LotState::Expired => ("expired", "Expired"),
        LotState::Spent => ("spent", "Spent"),
        LotState::Void => ("void", "Void"),
    };
    let expiry = match lot.expires_at {
        Some(at) => Either::Left(view! {
            <td role="cell" data-label="Expires">
                <Date at />
            </td>
        }),
        None => Either::Right(view! {
            <td role="cell" data-label="Expires" class="never">
                "Never"
            </td>
        }),
    };
    view! {
        <tr role="row">
            <th scope="row" role="rowheader">
                {lot.source}
            </th>
            <td role="cell" class="number">
                {format!("{} of {}", text::number(remaining), text::number(granted))}
                <svg class="bar" viewBox=format!("0 0 {granted} 1") preserveAspectRatio="none" aria-hidden="true">
                    <rect width=remaining height="1" />
                </svg>
            </td>
            {expiry}
            <td role="cell">
                <span class="tag" data-state=state>
                    {word}
                </span>
            </td>
        </tr>
    }
}
