//! Where Stripe's books and ours differ: each is for an admin to see to, once.

use leptos::{either::Either, prelude::*};

use super::AdminPage;
use crate::{
    views::DifferenceView,
    web::{
        app::Acts,
        components::{DateTime, Message, ProblemNotice, SubmitButton, loaded},
        fns::differences,
    },
};

#[component]
pub fn Differences() -> impl IntoView {
    let Acts { handle_difference, .. } = expect_context();
    let answer = Resource::new(move || handle_difference.version().get(), |_| differences());
    view! { <AdminPage title="Differences">{loaded(answer, |open| view! { <Open open /> })}</AdminPage> }
}

#[component]
fn Open(open: Vec<DifferenceView>) -> impl IntoView {
    let Acts { handle_difference, .. } = expect_context();
    let problem = Signal::derive(move || handle_difference.value().get().and_then(Result::err));
    let open = if open.is_empty() {
        Either::Left(view! {
            <Message title="Nothing differs" href="/admin/purchases" link="Go to purchases">
                "What Stripe tells and what is written here agree."
            </Message>
        })
    } else {
        let rows = open.into_iter().map(|difference| view! { <Row difference /> });
        Either::Right(view! {
            <ul class="card flush list" role="list">
                {rows.collect_view()}
            </ul>
        })
    };
    view! {
        <div class="intro">
            <h1>"Differences"</h1>
            <p>"Where Stripe’s books and ours do not agree. Nothing is done about it by itself."</p>
        </div>
        <ProblemNotice problem />
        {open}
    }
}

#[component]
fn Row(difference: DifferenceView) -> impl IntoView {
    let Acts { handle_difference, .. } = expect_context();
    let DifferenceView { id, kind, about, what, found } = difference;
    let field = format!("reason-{id}");
    view! {
        <li class="list-item">
            <div>
                <h2 class="list-title">{kind.replace('_', " ")}</h2>
                <p class="list-text">{what}</p>
                <p class="list-text"><code>{about.clone()}</code> " · found on " <DateTime at=found /></p>
            </div>
            <ActionForm action=handle_difference attr:class="units">
                <input type="hidden" name="difference" value=id />
                <div class="field wide">
                    <label for=field.clone()>"What you did"</label>
                    <input id=field name="reason" autocomplete="off" maxlength="200" required />
                </div>
                <SubmitButton
                    class="button"
                    pending=handle_difference.pending()
                    words="Mark as handled"
                    about=format!(" {about}")
                />
            </ActionForm>
        </li>
    }
}
