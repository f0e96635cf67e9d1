//! What is wrong with one field of a form, beside it.

use leptos::prelude::*;

use crate::problem::Problem;

/// The region is always there, so that screen readers speak what comes into it.
#[component]
pub fn FieldError(id: &'static str, problem: Signal<Option<Problem>>) -> impl IntoView {
    view! {
        <div role="alert">
            {move || {
                problem.get().map(|problem| view! { <p class="field-error" id=id>{problem.to_string()}</p> })
            }}
        </div>
    }
}
