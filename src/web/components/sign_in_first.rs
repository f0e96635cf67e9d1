//! The way of a person who is signed out: to where one signs in, and back. (A page that is asked for when
//! nobody is signed in is led there by the server; this is for a page that was open already.)

use leptos::prelude::*;
use leptos_router::{components::Redirect, hooks::use_location};

use crate::text::query_value;

#[component]
pub fn SignInFirst() -> impl IntoView {
    let location = use_location();
    let (path, query) = (location.pathname.get_untracked(), location.search.get_untracked());
    let page = if query.is_empty() { path } else { format!("{path}?{query}") };
    view! { <Redirect path=format!("/sign-in?next={}", query_value(&page)) /> }
}
