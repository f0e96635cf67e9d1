//! The button that sends a form.

use leptos::{ev::MouseEvent, prelude::*};

/// While the form is under way, pressing again does nothing. The button is not disabled meanwhile: it would
/// lose the focus, and whoever works with the keyboard their place.
#[component]
pub fn SubmitButton(
    class: &'static str,
    pending: Memo<bool>,
    #[prop(into)] words: String,
    /// What it is about, for who can't see what stands beside it.
    #[prop(optional)]
    about: String,
) -> impl IntoView {
    let press = move |event: MouseEvent| {
        if pending.get_untracked() {
            event.prevent_default();
        }
    };
    view! {
        <button class=class aria-disabled=move || pending.get().then_some("true") on:click=press>
            {words} {(!about.is_empty()).then(|| view! { <span class="visually-hidden">{about}</span> })}
        </button>
    }
}
