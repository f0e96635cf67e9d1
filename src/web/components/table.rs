//! The frame of a table: what it shows, and the words at the heads of its columns.

use leptos::prelude::*;

use Column::{Number, Words};

/// The word at the head of a column, and how the column stands.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    Words(&'static str),
    Number(&'static str),
}

/// The roles are told again in attributes, here and in the rows: on narrow screens the style sheet lays the rows out as
/// blocks, and a browser then forgets that it is a table.
#[component]
pub fn Table<const N: usize>(
    caption: &'static str,
    /// Whether it has times.
    #[prop(optional)]
    times: bool,
    columns: [Column; N],
    #[prop(default = "table")] class: &'static str,
    /// The rows.
    children: Children,
) -> impl IntoView {
    let heads = columns.map(|column| {
        let (words, is_number) = match column {
            Words(words) => (words, false),
            Number(words) => (words, true),
        };
        view! {
            <th scope="col" role="columnheader" class:number=is_number>
                {words}
            </th>
        }
    });
    view! {
        <div class="card flush">
            <table class=class role="table">
                <caption>{caption} {times.then(|| view! { <span class="quiet">" · times in UTC"</span> })}</caption>
                <thead role="rowgroup">
                    <tr role="row">{heads.into_iter().collect_view()}</tr>
                </thead>
                <tbody role="rowgroup">{children()}</tbody>
            </table>
        </div>
    }
}
