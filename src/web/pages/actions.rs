//! The actions that a member can run. With JavaScript the price is asked for in a dialog over this page,
//! without it on the action's own page.

use leptos::{either::Either, ev::MouseEvent, html, prelude::*};
use leptos_router::hooks::use_query_map;

use crate::{
    domain::catalog::Cost,
    problem::Problem,
    text,
    views::{ActionView, ActionsView, QuoteView, SpentView},
    web::{
        app::Acts,
        components::{ActionText, CostPrompt, Notice, NoticeKind, Page, PriceList, ProblemNotice, loaded},
        fns::{list_actions, quote},
    },
};

#[component]
pub fn Actions() -> impl IntoView {
    let query = use_query_map();
    let answer = Resource::new(move || query.read().get("spent"), list_actions);
    let asked = RwSignal::new(None);
    view! {
        <Page title="Actions">
            {loaded(
                answer,
                move |ActionsView { actions, spent }| {
                    view! {
                        <div class="intro">
                            <h1>"Actions"</h1>
                            <p>"Choose one. You see exactly what it takes before anything is spent."</p>
                        </div>
                        <div role="status">{spent.map(|spent| view! { <Spent spent /> })}</div>
                        <PriceList
                            actions
                            heading=ActionText::UnderPage
                            end=move |action| view! { <Ask action asked /> }
                        />
                    }
                },
            )} <PromptDialog asked />
        </Page>
    }
}

#[component]
fn Spent(spent: SpentView) -> impl IntoView {
    let SpentView { title, taken, available } = spent;
    let words = match taken {
        0 => format!("{title} is done. It cost you nothing. "),
        _ => format!(
            "Spent {} on {title}. You have {} left. ",
            text::credits(taken),
            text::number(available.get())
        ),
    };
    view! {
        <Notice kind=NoticeKind::Success>{words} <a href="/history">"See History"</a></Notice>
    }
}

/// The way to an action's price: a button that bears it, or a field for the number of units.
#[component]
fn Ask(action: ActionView, asked: RwSignal<Option<String>>) -> impl IntoView {
    let ActionView { key, title, cost, .. } = action;
    let Acts { spend, .. } = expect_context();
    let page = format!("/actions/{key}");
    match cost {
        Cost::Fixed(_) => {
            let ask = move |event: MouseEvent| {
                // Whoever wants the page in a tab of its own gets it.
                if !(event.ctrl_key() || event.meta_key() || event.shift_key()) {
                    event.prevent_default();
                    spend.clear();
                    asked.set(Some(key.clone()));
                }
            };
            Either::Left(view! {
                <a class="button" href=page on:click=ask>
                    <span class="visually-hidden">{format!("{title} — ")}</span>
                    {text::cost(&cost)}
                </a>
            })
        }
        Cost::PerUnit { unit, .. } => {
            let id = format!("units-{key}");
            Either::Right(view! {
                <form class="units" method="get" action=page>
                    <div class="field">
                        <label for=id.clone()>{capitalised(&unit)}</label>
                        <input id=id name="units" type="number" inputmode="numeric" min="1" step="1" required />
                    </div>
                    <button class="button">
                        "See price" <span class="visually-hidden">{format!(" of {title}")}</span>
                    </button>
                </form>
            })
        }
    }
}

/// Asks the server for the price of the action in `asked` and shows it.
#[component]
fn PromptDialog(asked: RwSignal<Option<String>>) -> impl IntoView {
    let Acts { spend, .. } = expect_context();
    let dialog = NodeRef::<html::Dialog>::new();
    let refused = refusals();
    let answer = Resource::new(
        move || (asked.get(), refused.get()),
        |(asked, _)| async move {
            match asked {
                Some(action) => Some(quote(action, None, None).await),
                None => None,
            }
        },
    );
    Effect::new(move || {
        let answered = answer.get().flatten().is_some();
        if let Some(dialog) = dialog.get()
            && answered
            && asked.get().is_some()
            && !dialog.open()
        {
            // It fails only where the dialog is open or not in the document, and it is neither.
            let _ = dialog.show_modal();
        }
    });
    Effect::new(move || {
        if let (Some(Ok(())), Some(dialog)) = (spend.value().get(), dialog.get()) {
            // First, so that nothing opens it again.
            asked.set(None);
            dialog.close();
        }
    });
    let close = move |_| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    view! {
        <dialog
            class="dialog"
            node_ref=dialog
            aria-labelledby="prompt-title"
            aria-describedby="prompt-sum"
            on:close=move |_| asked.set(None)
        >
            <Transition>
                {move || Suspend::new(async move {
                    answer.await.map(|answer| view! { <Prompt answer close /> })
                })}
            </Transition>
        </dialog>
    }
}

/// Counts the attempts that the law refused: after each, the price is asked for anew. After any other
/// failure the form stays as it is, with its key: nobody knows whether it was carried out, and sent again
/// it is carried out once.
pub fn refusals() -> Memo<usize> {
    let Acts { spend, .. } = expect_context();
    Memo::new(move |count: Option<&usize>| {
        let count = count.copied().unwrap_or_default();
        let refused = matches!(spend.value().get(), Some(Err(problem)) if problem.is_refusal());
        // This runs when a value is set: once an attempt.
        count + usize::from(refused)
    })
}

#[component]
fn Prompt(answer: Result<QuoteView, Problem>, close: impl Fn(MouseEvent) + Clone + 'static) -> impl IntoView {
    let cancel = move |word: &'static str| {
        // Not a submit button: the form would take it for a confirmation.
        view! {
            <button class="button" type="button" on:click=close.clone()>
                {word}
            </button>
        }
    };
    match answer {
        Ok(quote) => Either::Left(view! { <CostPrompt quote cancel=cancel("Cancel") dialog=true /> }),
        Err(problem) => {
            let problem = Signal::stored(Some(problem));
            Either::Right(view! {
                <div class="prompt">
                    <h2 class="prompt-title" id="prompt-title" tabindex="-1" autofocus>
                        "No price"
                    </h2>
                    <ProblemNotice problem />
                    <div class="buttons">{cancel("Close")}</div>
                </div>
            })
        }
    }
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
