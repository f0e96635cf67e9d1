//! What is offered, as a list: the actions, on the home page with their prices and for members with the way to run them;
//! plans and packs.

use leptos::prelude::*;

use crate::{
    text,
    views::{ActionView, PackView, PlanView},
};

/// `end`: what stands at the end of an action's row.
#[component]
pub fn PriceList<V: IntoView + 'static>(
    actions: Vec<ActionView>,
    end: impl Fn(ActionView) -> V + 'static,
    #[prop(optional)] heading: ActionText,
) -> impl IntoView {
    let rows = actions.into_iter().map(|action| {
        let (title, description) = (action.title.clone(), description(&action, heading));
        let title = match heading {
            ActionText::UnderSection => view! { <h3 class="list-title">{title}</h3> }.into_any(),
            ActionText::UnderPage => view! { <h2 class="list-title">{title}</h2> }.into_any(),
        };
        let text = view! { <p class="list-text">{description}</p> };
        row(title, text, end(action))
    });
    list(rows.collect_view())
}

/// `end`: what stands at the end of a plan's row, below its price.
#[component]
pub fn PlanList<V: IntoView + 'static>(
    plans: Vec<PlanView>,
    end: impl Fn(&PlanView) -> V + 'static,
) -> impl IntoView {
    let rows = plans.into_iter().map(|plan| {
        let end = end(&plan);
        let PlanView { title, terms, description, price, per_credit, .. } = plan;
        sold(title, terms, description, price, per_credit, end)
    });
    list(rows.collect_view())
}

/// `end`: as with plans.
#[component]
pub fn PackList<V: IntoView + 'static>(
    packs: Vec<PackView>,
    end: impl Fn(&PackView) -> V + 'static,
) -> impl IntoView {
    let rows = packs.into_iter().map(|pack| {
        let end = end(&pack);
        let PackView { title, terms, description, price, per_credit, .. } = pack;
        sold(title, terms, description, price, Some(per_credit), end)
    });
    list(rows.collect_view())
}

fn list(rows: impl IntoView) -> impl IntoView {
    view! {
        <ul class="card flush list" role="list">
            {rows}
        </ul>
    }
}

fn row(title: impl IntoView, text: impl IntoView, end: impl IntoView) -> impl IntoView {
    view! {
        <li class="list-item">
            <div>{title} {text}</div>
            {end}
        </li>
    }
}

/// What is sold for money, under the heading of a section.
fn sold(
    title: String,
    terms: String,
    description: String,
    price: String,
    per_credit: Option<String>,
    end: impl IntoView,
) -> impl IntoView {
    let description = (!description.is_empty()).then(|| view! { <p class="list-text">{description}</p> });
    row(
        view! { <h3 class="list-title">{title}</h3> },
        view! {
            <p class="list-text">{terms}</p>
            {description}
        },
        view! {
            <div class="list-end">
                <p class="list-price">{price}</p>
                {per_credit.map(|per_credit| view! { <p class="list-per">{per_credit}</p> })}
                {end}
            </div>
        },
    )
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
