//! The actions as a list: on the home page with their prices, for members with the way to run them.

use leptos::prelude::*;

use crate::{text, views::ActionView};

/// `end`: what stands at the end of an action's row.
#[component]
pub fn PriceList<V: IntoView + 'static>(
    actions: Vec<ActionView>,
    end: impl Fn(ActionView) -> V + 'static,
    #[prop(optional)] heading: ActionText,
) -> impl IntoView {
    let rows = actions.into_iter().map(|action| {
        let (title, description) = (action.title.clone(), description(&action, heading));
        view! {
            <li class="list-item">
                <div>
                    {match heading {
                        ActionText::UnderSection => view! { <h3 class="list-title">{title}</h3> }.into_any(),
                        ActionText::UnderPage => view! { <h2 class="list-title">{title}</h2> }.into_any(),
                    }} <p class="list-text">{description}</p>
                </div>
                {end(action)}
            </li>
        }
    });
    view! {
        <ul class="card flush list" role="list">
            {rows.collect_view()}
        </ul>
    }
}

/// Where the list stands, which decides the level of its headings and whether a price by unit is told in
/// the text (it is, where the end of the row asks for the number of units instead).
#[derive(Clone, Copy, Default, PartialEq)]
pub enum ActionText {
    #[default]
    UnderSection,
    UnderPage,
}

fn description(action: &ActionView, heading: ActionText) -> String {
    use crate::domain::catalog::Cost;
    match (&action.cost, heading) {
        (Cost::PerUnit { .. }, ActionText::UnderPage) => {
            format!("{} {}.", action.description, text::cost(&action.cost)).trim_start().to_owned()
        }
        _ => action.description.clone(),
    }
}
