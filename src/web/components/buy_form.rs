//! The button that buys something: a form that leads to the hosted checkout, with and without JavaScript alike.

use leptos::prelude::*;

/// `item`: `pack:small`, `plan:pro`. `attempt`: a name for it, under which it is bought once however often the form is
/// sent. `return_to`: the page of ours on which it was missing.
#[component]
pub fn BuyForm(
    item: String,
    attempt: String,
    return_to: Option<String>,
    class: &'static str,
    children: Children,
) -> impl IntoView {
    // No action of the pages: what it leads to is none of them.
    view! {
        <form method="post" action="/fn/buy">
            <input type="hidden" name="item" value=item />
            <input type="hidden" name="attempt" value=attempt />
            {return_to.map(|page| view! { <input type="hidden" name="return_to" value=page /> })}
            <button class=class>{children()}</button>
        </form>
    }
}
