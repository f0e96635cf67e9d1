//! Where a host sends its user: signs them in and leads on, asks who is signed in as somebody else, or says why not.

use leptos::{form::ActionForm, prelude::*};
use leptos_router::hooks::use_params_map;

use crate::web::{
    components::{Page, loaded},
    fns::{EnterPortal, enter_portal},
};

#[component]
pub fn PortalPage() -> impl IntoView {
    let params = use_params_map();
    let token = move || params.read().get("token").unwrap_or_default();
    // Once: the link works once, and the page that it leads to is another.
    let entered = Resource::new_blocking(token, |token| enter_portal(token, None));
    let enter = ServerAction::<EnterPortal>::new();
    view! {
        <Page title="Sign in" narrow=true>
            {loaded(
                entered,
                move |somebody| {
                    somebody
                        .map(|name| {
                            view! {
                                <p>
                                    "You are signed in as " <strong>{name}</strong>
                                    ". This link leads into another account, and signs you out of yours."
                                </p>
                                <ActionForm action=enter attr:class="buttons">
                                    <input type="hidden" name="token" value=token() />
                                    <input type="hidden" name="agreed" value="true" />
                                    <button class="button">"Go to the other account"</button>
                                    <a class="button text" href="/actions">
                                        "Stay signed in"
                                    </a>
                                </ActionForm>
                            }
                        })
                },
            )}
        </Page>
    }
}
