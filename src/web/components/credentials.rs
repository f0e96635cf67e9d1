//! The two fields by which one signs up and in, with what is wrong about each beside it.

use leptos::prelude::*;

use super::{FieldError, ProblemNotice};
use crate::problem::Problem;

/// `typed`: the address of a form that was just refused. `new_password`: the person chooses one, rather than remembers
/// one.
#[component]
pub fn CredentialsFields(
    typed: Option<String>,
    #[prop(into)] problem: Signal<Option<Problem>>,
    #[prop(into)] next: Signal<Option<String>>,
    #[prop(optional)] new_password: bool,
) -> impl IntoView {
    let about_email =
        move || problem.get().filter(|p| matches!(p, Problem::EmailMalformed | Problem::EmailTaken));
    let about_password = move || problem.get().filter(|p| matches!(p, Problem::PasswordLength));
    let about_all = move || problem.get().filter(|_| about_email().is_none() && about_password().is_none());
    let (hint, autocomplete) = if new_password {
        (Some("At least 8 characters"), "new-password")
    } else {
        (None, "current-password")
    };
    view! {
        <ProblemNotice problem=Signal::derive(about_all) />
        {move || next.get().map(|next| view! { <input type="hidden" name="next" value=next /> })}
        <div class="field">
            <label for="email">"E-mail"</label>
            <input
                id="email"
                name="email"
                type="email"
                autocomplete="username"
                required
                value=typed
                aria-describedby="email-error"
                aria-invalid=move || about_email().map(|_| "true")
            />
            <FieldError id="email-error" problem=Signal::derive(about_email) />
        </div>
        <div class="field">
            <label for="password">"Password"</label>
            {hint.map(|hint| view! { <p class="field-hint" id="password-hint">{hint}</p> })}
            <input
                id="password"
                name="password"
                type="password"
                autocomplete=autocomplete
                required
                aria-describedby="password-hint password-error"
                aria-invalid=move || about_password().map(|_| "true")
            />
            <FieldError id="password-error" problem=Signal::derive(about_password) />
        </div>
    }
}
