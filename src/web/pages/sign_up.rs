//! Becoming a member.

use leptos::prelude::*;

use super::sign_in::{FormLink, next_page};
use crate::{
    text,
    web::{
        app::Acts,
        components::{CredentialsFields, Page, SubmitButton, loaded},
        fns::{offer, typed_email},
    },
};

#[component]
pub fn SignUpPage() -> impl IntoView {
    let Acts { sign_up, .. } = expect_context();
    let problem = Signal::derive(move || sign_up.value().get().and_then(Result::err));
    let next = next_page();
    // The form appears as a whole: a field that came later would not be where the keyboard looks for it.
    let answer = Resource::new(|| (), |()| async { Ok((offer().await?, typed_email().await?)) });
    view! {
        <Page title="Sign up" narrow=true>
            {loaded(
                answer,
                move |(offer, typed)| {
                    let gift = offer
                        .signup
                        .map(|signup| {
                            view! { <p>{format!("{} to begin with, free.", text::credits(signup.get()))}</p> }
                        });
                    view! {
                        <div class="intro">
                            <h1>"Sign up"</h1>
                            {gift}
                        </div>
                        <ActionForm action=sign_up attr:class="form" attr:novalidate=true>
                            <CredentialsFields typed problem next new_password=true />
                            <SubmitButton class="button primary wide" pending=sign_up.pending() words="Sign up" />
                        </ActionForm>
                        <p class="aside">"Already a member? " <FormLink page="/sign-in" words="Sign in" /></p>
                    }
                },
            )}
        </Page>
    }
}
