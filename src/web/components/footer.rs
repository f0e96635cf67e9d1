//! The bottom of every page: whose it is, what it promises, and what keeps its credits.

use leptos::prelude::*;

use crate::web::app::Session;

#[component]
pub fn Footer() -> impl IntoView {
    let Session(session) = expect_context();
    view! {
        <footer class="footer">
            <Transition>
                {move || Suspend::new(async move {
                    session
                        .await
                        .ok()
                        .map(|frame| {
                            let sandbox = frame.is_sandbox.then(|| view! { <p>"Sandbox: no money moves here."</p> });
                            view! {
                                <p>{frame.product}</p>
                                {sandbox}
                            }
                        })
                })}
            </Transition>
            <p>"Every price is shown before anything is spent."</p>
            <p>
                "Credits by Scrip · "
                <a href="/docs/api" rel="external">
                    "API reference"
                </a>
            </p>
        </footer>
    }
}
