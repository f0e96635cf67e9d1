//! Coming back.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::{
    text::query_value,
    web::{
        app::Acts,
        components::{CredentialsFields, Page, SubmitButton, loaded},
        fns::typed_email,
    },
};

#[component]
pub fn SignInPage() -> impl IntoView {
    let Acts { sign_in, .. } = expect_context();
    let problem = Signal::derive(move || sign_in.value().get().and_then(Result::err));
    let next = next_page();
    let answer = Resource::new(|| (), |()| typed_email());
    view! {
        <Page title="Sign in" narrow=true>
            {loaded(
                answer,
                move |typed| {
                    view! {
                        <div class="intro">
                            <h1>"Sign in"</h1>
                        </div>
                        <ActionForm action=sign_in attr:class="form" attr:novalidate=true>
                            <CredentialsFields typed problem next />
                            <SubmitButton class="button primary wide" pending=sign_in.pending() words="Sign in" />
                        </ActionForm>
                        <p class="aside">"New here? " <FormLink page="/sign-up" words="Sign up" /></p>
                    }
                },
            )}
        </Page>
    }
}

/// Where the person wanted to go when they were asked to sign in.
pub fn next_page() -> Signal<Option<String>> {
    let query = use_query_map();
    Signal::derive(move || query.read().get("next"))
}

/// A link to the other one of the two forms, which leads on to the same page.
#[component]
pub fn FormLink(page: &'static str, words: &'static str) -> impl IntoView {
    let next = next_page();
    let href = move || match next.get() {
        Some(next) => format!("{page}?next={}", query_value(&next)),
        None => page.to_owned(),
    };
    view! { <a href=href>{words}</a> }
}
