//! What stands at an address where nothing is.

use leptos::prelude::*;

use crate::{
    problem::Problem,
    web::components::{Page, ProblemMessage},
};

#[component]
pub fn NoSuchPage() -> impl IntoView {
    view! {
        <Page title="Page not found" narrow=true>
            <ProblemMessage problem=Problem::NotFound />
        </Page>
    }
}
