//! Where a host sends its user: signs them in and leads on, asks who is signed in as somebody else, or says why not.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use crate::web::{
    app::Acts,
    components::{Page, ProblemNotice, SubmitButton, loaded},
    fns::enter_portal,
};

#[component]
pub fn PortalPage() -> impl IntoView {
    let params = use_params_map();
    let token = move || params.read().get("token").unwrap_or_default();
    // Once: the link works once, and the page that it leads to is another.
    let entered = Resource::new_blocking(token, |token| enter_portal(token, None));
    view! {
        <Page title="Another account" narrow=true>
            {loaded(
                entered,
                move |somebody| {
                    let token = params.read_untracked().get("token").unwrap_or_default();
                    somebody.map(|name| view! { <Agreement name token /> })
                },
            )}
        </Page>
    }
}

#[component]
fn Agreement(name: String, token: String) -> impl IntoView {
    let Acts { enter_portal: enter, .. } = expect_context();
    let problem = Signal::derive(move || enter.value().get().and_then(Result::err));
    view! {
        <div class="intro">
            <h1>"Go to another account?"</h1>
            <p>
                "You are signed in as " <strong>{name}</strong>
                ". This link leads into another account, and signs you out of yours."
            </p>
        </div>
        <ProblemNotice problem />
        <ActionForm action=enter attr:class="buttons">
            <input type="hidden" name="token" value=token />
            <input type="hidden" name="agreed" value="true" />
            <SubmitButton class="button primary" pending=enter.pending() words="Go to the other account" />
            <a class="button" href="/actions">
                "Stay signed in"
            </a>
        </ActionForm>
    }
}
