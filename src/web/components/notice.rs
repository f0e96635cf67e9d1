//! A line that tells how something went, above what it is about.

use leptos::{either::Either, prelude::*};

use super::SignInFirst;

use crate::problem::Problem;

#[derive(Clone, Copy)]
pub enum NoticeKind {
    Info,
    Success,
    Danger,
}

#[component]
pub fn Notice(kind: NoticeKind, children: Children) -> impl IntoView {
    let kind = match kind {
        NoticeKind::Info => "info",
        NoticeKind::Success => "success",
        NoticeKind::Danger => "danger",
    };
    view! {
        <div class="notice" data-kind=kind>
            <p>{children()}</p>
        </div>
    }
}

/// What went wrong with what one just did. The region is always there, so that screen readers speak what
/// comes into it.
#[component]
pub fn ProblemNotice(#[prop(into)] problem: Signal<Option<Problem>>) -> impl IntoView {
    view! {
        <div role="alert">
            {move || {
                problem
                    .get()
                    .map(|problem| match problem {
                        Problem::SignedOut => Either::Left(view! { <SignInFirst /> }),
                        problem => {
                            Either::Right(view! { <Notice kind=NoticeKind::Danger>{problem.to_string()}</Notice> })
                        }
                    })
            }}
        </div>
    }
}
