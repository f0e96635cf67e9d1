//! What another plan comes to for who pays for one, and the confirmation.

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use crate::{
    problem::Problem,
    text,
    views::ChangeView,
    web::{
        app::Acts,
        components::{ManagePayment, Page, ProblemNotice, SubmitButton, loaded},
        fns::preview_change,
    },
};

#[component]
pub fn ChangePage() -> impl IntoView {
    let Acts { change_plan, .. } = expect_context();
    let (params, query) = (use_params_map(), use_query_map());
    // What was refused may come to something else now.
    let refused =
        move || change_plan.value().get().and_then(Result::err).map(|_| change_plan.version().get());
    let asked = move || (params.read().get("plan").unwrap_or_default(), refused());
    let answer = Resource::new(asked, |(plan, _)| preview_change(plan));
    let show = move |change| {
        let return_to = query.read_untracked().get("return_to");
        view! { <Confirm change return_to /> }
    };
    view! { <Page title="Change of plan" narrow=true>{loaded(answer, show)}</Page> }
}

#[component]
fn Confirm(change: ChangeView, return_to: Option<String>) -> impl IntoView {
    let Acts { change_plan, .. } = expect_context();
    let problem = Signal::derive(move || change_plan.value().get().and_then(Result::err));
    let is_declined = move || problem.get().is_some_and(|problem| problem == Problem::CardDeclined);
    let words = told(&change);
    let ChangeView {
        from, to, plan, charged, charged_minor, price_minor, at, brings, price, period_end, ..
    } = change;
    let lines = [
        ("Charged now".to_owned(), charged.clone()),
        ("Credits that come now".to_owned(), brings.unwrap_or_else(|| "none".to_owned())),
        (format!("Charged from {}", text::date(period_end)), price),
    ];
    let lines = lines.map(|(label, what)| {
        view! {
            <div>
                <dt>{label}</dt>
                <dd>{what}</dd>
            </div>
        }
    });
    let is_kept = from == to;
    let (title, confirm, back) = if is_kept {
        (format!("Keep {to}?"), format!("Keep {to}"), "Back")
    } else if charged_minor > 0 {
        (format!("Change from {from} to {to}?"), format!("Pay {charged} and change"), "Cancel")
    } else {
        (format!("Change from {from} to {to}?"), "Change".to_owned(), "Cancel")
    };
    view! {
        <section class="card">
            <div class="prompt">
                <h1 class="prompt-title">{title}</h1>
                <p class="aside">{words}</p>
                <ProblemNotice problem />
                {move || is_declined().then(|| view! { <ManagePayment /> })}
                <dl class="sum">{lines.into_iter().collect_view()}</dl>
                <ActionForm action=change_plan>
                    <input type="hidden" name="plan" value=plan />
                    <input type="hidden" name="charged" value=charged_minor />
                    <input type="hidden" name="price" value=price_minor />
                    <input type="hidden" name="at" value=at />
                    <input type="hidden" name="attempt" value=change.attempt />
                    {return_to.map(|page| view! { <input type="hidden" name="return_to" value=page /> })}
                    <div class="buttons">
                        <SubmitButton class="button primary" pending=change_plan.pending() words=confirm />
                        <a class="button" href="/buy">
                            {back}
                        </a>
                    </div>
                </ActionForm>
            </div>
        </section>
    }
}

/// What happens, and when.
fn told(change: &ChangeView) -> String {
    let ChangeView { from, to, period_end, is_at_once, is_trial, was_to_end, .. } = change;
    let end = text::date(*period_end);
    let words = if *is_at_once {
        format!(
            "{to} begins at once. For the rest of this period only the difference is paid, with your card."
        )
    } else if from == to {
        format!("{to} goes on as it is, and is paid on {end} as before.")
    } else if *is_trial {
        format!("Your trial stays as it is until {end}. Then {to} begins, and is paid with your card.")
    } else {
        format!("{from} stays until {end}, as it is paid. {to} begins then.")
    };
    if *was_to_end { format!("{words} Your plan was to end on {end}: now it goes on.") } else { words }
}
