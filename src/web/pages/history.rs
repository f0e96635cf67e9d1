//! How a member's balance came to be, newest first.

use leptos::{either::EitherOf3, prelude::*};
use leptos_router::hooks::use_query_map;

use crate::{
    text,
    views::{CursorView, HistoryView},
    web::{
        components::{EntryTable, Message, Page, loaded},
        fns::history,
    },
};

#[component]
pub fn History() -> impl IntoView {
    let query = use_query_map();
    let answer = Resource::new(move || query.read().get("before"), history);
    view! { <Page title="History">{loaded(answer, |history| view! { <Entries history /> })}</Page> }
}

#[component]
fn Entries(history: HistoryView) -> impl IntoView {
    let HistoryView { debt, entries, newer, older } = history;
    let entries = if entries.is_empty() && newer.is_some() {
        EitherOf3::C(view! {
            <Message title="Nothing older" href="/history" link="Newest entries">
                "Your history begins after this page."
            </Message>
        })
    } else if entries.is_empty() {
        EitherOf3::A(view! {
            <Message title="Nothing has moved yet" href="/actions" link="Go to Actions">
                "Every credit that you receive or spend is written here, with the balance after it."
            </Message>
        })
    } else {
        EitherOf3::B(view! { <EntryTable entries /> })
    };
    let newer = newer.map(|newer| {
        view! {
            <a class="button pager-newer" rel="prev" href=href(newer)>
                <span aria-hidden="true">"← "</span>
                "Newer"
            </a>
        }
    });
    let older = older.map(|older| {
        view! {
            <a class="button pager-older" rel="next" href=href(older)>
                "Older"
                <span aria-hidden="true">" →"</span>
            </a>
        }
    });
    let pager = (newer.is_some() || older.is_some()).then(|| {
        view! {
            <nav class="pager" aria-label="Pages of history">
                {newer}
                {older}
            </nav>
        }
    });
    view! {
        <h1>"History"</h1>
        {(debt.get() > 0).then(|| view! { <p class="figure-note">{text::owed(debt)}</p> })}
        {entries}
        {pager}
    }
}

fn href(cursor: CursorView) -> String {
    match cursor {
        CursorView::Newest => "/history".to_owned(),
        CursorView::Before(version) => format!("/history?before={version}"),
    }
}
