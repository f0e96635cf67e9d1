//! The main part of a page, and the wait for what it shows.

use leptos::{either::EitherOf3, html, prelude::*};
use leptos_meta::Title;

use super::{ProblemMessage, SignInFirst};
use crate::{problem::Problem, web::app::FirstPage};

/// A page's main part. `narrow`: for a form or a few lines of text.
#[component]
pub fn Page(title: &'static str, #[prop(optional)] narrow: bool, children: Children) -> impl IntoView {
    // What a browser does by itself when it loads a page: the keyboard goes on from the page's beginning.
    let main = NodeRef::<html::Main>::new();
    let is_loaded = expect_context::<FirstPage>().take();
    Effect::new(move || {
        if let (Some(main), false) = (main.get(), is_loaded) {
            // It fails only where the page is gone again.
            let _ = main.focus();
        }
    });
    view! {
        <Title text=title />
        <main class=if narrow { "main narrow" } else { "main" } id="main" tabindex="-1" node_ref=main>
            {children()}
        </main>
    }
}

/// Shows what the server answered: the thing that was asked for, or what went wrong instead. While a newer
/// answer is on its way, the one before stays.
pub fn loaded<T, V>(
    answer: Resource<Result<T, Problem>>,
    show: impl Fn(T) -> V + Clone + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    view! {
        <Transition>
            {move || {
                let show = show.clone();
                Suspend::new(async move {
                    match answer.await {
                        Ok(answer) => EitherOf3::A(show(answer)),
                        Err(Problem::SignedOut) => EitherOf3::B(view! { <SignInFirst /> }),
                        Err(problem) => EitherOf3::C(view! { <ProblemMessage problem /> }),
                    }
                })
            }}
        </Transition>
    }
}
