//! Where a host sends its user: signs them in and leads on, or says why not.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use crate::web::{
    components::{Page, loaded},
    fns::enter_portal,
};

#[component]
pub fn PortalPage() -> impl IntoView {
    let params = use_params_map();
    let token = move || params.read().get("token").unwrap_or_default();
    // Once: the link works once, and the page that it leads to is another.
    let entered = Resource::new_blocking(token, enter_portal);
    view! {
        <Page title="Sign in" narrow=true>
            {loaded(entered, |()| ())}
        </Page>
    }
}
