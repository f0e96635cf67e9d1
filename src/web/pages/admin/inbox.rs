//! What Stripe has sent, and what became of it; what failed can be tried again.

use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_query_map;

use super::{AdminPage, Older};
use crate::{
    views::{EventView, InboxView},
    web::{
        app::Acts,
        components::{Column, DateTime, Message, ProblemNotice, SubmitButton, Table, loaded},
        fns::inbox,
    },
};

#[component]
pub fn Inbox() -> impl IntoView {
    let Acts { replay_event, .. } = expect_context();
    let query = use_query_map();
    let asked = move || {
        let only_failed = query.read().get("state").is_some_and(|state| state == "failed");
        (only_failed, query.read().get("before"), replay_event.version().get())
    };
    let answer = Resource::new(asked, |(only_failed, before, _)| inbox(only_failed, before));
    view! { <AdminPage title="Inbox">{loaded(answer, |inbox| view! { <Events inbox /> })}</AdminPage> }
}

#[component]
fn Events(inbox: InboxView) -> impl IntoView {
    let Acts { replay_event, .. } = expect_context();
    let problem = Signal::derive(move || replay_event.value().get().and_then(Result::err));
    let InboxView { events, only_failed, older } = inbox;
    let filter = if only_failed { "state=failed&" } else { "" };
    let older = older.map(|before| format!("/admin/inbox?{filter}before={before}"));
    let events = if events.is_empty() {
        Either::Left(view! {
            <Message title="No events" href="/admin/inbox" link="Show all">
                "Stripe has sent nothing, or nothing that failed."
            </Message>
        })
    } else {
        Either::Right(view! { <Rows events /> })
    };
    view! {
        <div class="intro">
            <h1>"Inbox"</h1>
            <p>"What Stripe has sent. What fails is tried again by itself, less and less often."</p>
        </div>
        <p>
            {if only_failed {
                view! { <a href="/admin/inbox">"Show all events"</a> }
            } else {
                view! { <a href="/admin/inbox?state=failed">"Show only those that failed"</a> }
            }}
        </p>
        <ProblemNotice problem />
        {events}
        <Older href=older />
    }
}

#[component]
fn Rows(events: Vec<EventView>) -> impl IntoView {
    let Acts { replay_event, .. } = expect_context();
    let rows = events.into_iter().map(move |event| {
        let is_open = event.is_open();
        let words = event.state.clone();
        let EventView { id, kind, state, note, attempts, received } = event;
        let replayed = id.clone();
        let replay = is_open.then(|| {
            let about = format!(" {replayed}");
            view! {
                <ActionForm action=replay_event>
                    <input type="hidden" name="event" value=replayed />
                    <SubmitButton
                        class="button"
                        pending=replay_event.pending()
                        words="Replay"
                        about
                    />
                </ActionForm>
            }
        });
        let tries = match attempts {
            0 | 1 => String::new(),
            attempts => format!(" ({attempts} attempts)"),
        };
        view! {
            <tr role="row">
                <td role="cell" class="quiet">
                    <DateTime at=received />
                </td>
                <th scope="row" role="rowheader">
                    <code>{kind}</code>
                    " "
                    <span class="tag" data-state=state>
                        {words}
                    </span>
                    <p class="list-text">
                        <code>{id}</code>
                        {note.map(|note| format!(" · {note}{tries}"))}
                    </p>
                </th>
                <td role="cell">{replay}</td>
            </tr>
        }
    });
    view! {
        <Table
            caption="Newest first" times=true
            columns=[Column::Words("Received"), Column::Words("Event"), Column::Words("Again")]
        >
            {rows.collect_view()}
        </Table>
    }
}
