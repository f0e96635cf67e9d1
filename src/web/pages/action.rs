//! One action's price, on a page of its own: for browsers without JavaScript, for actions priced by unit,
//! and for links.

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::actions::refusals;
use crate::web::{
    components::{CostPrompt, Page, loaded},
    fns::quote,
};

#[component]
pub fn ActionPage() -> impl IntoView {
    let refused = refusals();
    let (params, query) = (use_params_map(), use_query_map());
    let asked = move || {
        let action = params.read().get("action").unwrap_or_default();
        (action, query.read().get("units"), query.read().get("key"), refused.get())
    };
    let answer = Resource::new(asked, |(action, units, key, _)| quote(action, units, key));
    view! {
        <Page title="Price" narrow=true>
            {loaded(
                answer,
                |quote| {
                    let cancel = view! {
                        <a class="button" href="/actions">
                            "Cancel"
                        </a>
                    };
                    view! {
                        <section class="card">
                            <CostPrompt quote cancel />
                        </section>
                    }
                },
            )}
        </Page>
    }
}
