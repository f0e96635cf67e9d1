//! The way to where the card of a plan is changed, what is open is paid, and the plan is ended.

use leptos::prelude::*;

#[component]
pub fn ManagePayment() -> impl IntoView {
    // What it leads to is no page of ours.
    view! {
        <form method="post" action="/fn/open_billing_portal">
            <button class="button">"Manage payment"</button>
        </form>
    }
}
