//! What an action costs and what it leaves, before anything is taken. The same in a dialog and, without
//! JavaScript, on a page of its own.

use leptos::{
    either::{Either, EitherOf3, EitherOf4},
    html,
    prelude::*,
};

use super::{BuyForm, Date, ProblemNotice, SubmitButton};
use crate::{
    text,
    views::{AllocationView, OutcomeView, PackView, PlanView, QuoteView, ReliefView},
    web::app::Acts,
};

/// `cancel`: the way back, a button in the dialog and a link on the page. `dialog`: the prompt stands over
/// a page that has its heading already.
#[component]
pub fn CostPrompt<C: IntoView + 'static>(
    quote: QuoteView,
    cancel: C,
    #[prop(optional)] dialog: bool,
) -> impl IntoView {
    let QuoteView { account, action, title, quantity, units, cost, available, outcome, idempotency_key } =
        quote;
    let cost = cost.get();
    let subject = match quantity {
        Some(quantity) => format!("{title}, {quantity},"),
        None => title,
    };
    let heading = match &outcome {
        OutcomeView::Payable { allocations, .. } if allocations.is_empty() => {
            format!("{subject} costs you nothing now")
        }
        OutcomeView::Payable { .. } => format!("{subject} costs {}", text::credits(cost)),
        OutcomeView::Short { missing, .. } => format!("{} missing", text::credits(missing.get())),
        OutcomeView::Refused(_) => format!("{subject} can’t run now"),
    };
    let body = match outcome {
        OutcomeView::Payable { allocations, .. } if allocations.is_empty() => EitherOf4::D(view! {
            <p>{format!("Your use is unlimited. Without that it would cost {}.", text::credits(cost))}</p>
            <Confirm words="Confirm".to_owned() account action units cost idempotency_key cancel />
        }),
        OutcomeView::Payable { available_after, allocations } => {
            let words = format!("Confirm — {}", text::credits(cost));
            let sum = [
                ("You have", text::number(available.get())),
                ("Cost", text::number(-cost)),
                ("Left after", text::number(available_after.get())),
            ];
            EitherOf4::A(view! {
                <Sum lines=sum />
                <Allocations allocations />
                <Confirm words account action units cost idempotency_key cancel />
            })
        }
        OutcomeView::Short { missing, min_balance, relief } => {
            let kept = match min_balance.get() {
                0 => String::new(),
                kept => format!(" {} must stay on the account.", text::credits(kept)),
            };
            let words = format!(
                "{subject} needs {}, you have {}.{kept} Nothing was spent.",
                text::number(cost),
                text::number(available.get()),
            );
            let sum = [
                ("Needs", text::number(cost + min_balance.get())),
                ("You have", text::number(available.get())),
                ("Missing", text::number(missing.get())),
            ];
            EitherOf4::B(view! {
                <p>{words}</p>
                <Sum lines=sum />
                <Relief relief action units attempt=idempotency_key cancel />
            })
        }
        OutcomeView::Refused(problem) => EitherOf4::C(view! {
            <p>{format!("{problem} Nothing was spent.")}</p>
            <div class="buttons">{cancel}</div>
        }),
    };
    // A dialog that shows something else now, or shows it only now, is read from its heading on.
    let title = NodeRef::<html::H2>::new();
    Effect::new(move || {
        if let Some(title) = title.get() {
            // It fails only where the heading is gone again.
            let _ = title.focus();
        }
    });
    let heading = if dialog {
        Either::Left(view! {
            <h2 class="prompt-title" id="prompt-title" tabindex="-1" autofocus node_ref=title>
                {heading}
            </h2>
        })
    } else {
        Either::Right(view! { <h1 class="prompt-title">{heading}</h1> })
    };
    let Acts { spend, .. } = expect_context();
    let problem = Signal::derive(move || spend.value().get().and_then(Result::err));
    view! {
        <div class="prompt">
            {heading} <ProblemNotice problem /> {body}
        </div>
    }
}

/// What would bring what is missing, and the way back to this very action.
#[component]
fn Relief<C: IntoView + 'static>(
    relief: ReliefView,
    action: String,
    units: Option<i64>,
    attempt: String,
    cancel: C,
) -> impl IntoView {
    let units = units.map(|units| format!("?units={units}")).unwrap_or_default();
    let here = format!("/actions/{action}{units}");
    let others = |chosen: String| format!("/buy?{chosen}return_to={}", text::query_value(&here));
    match relief {
        ReliefView::Pack(PackView { key, title, terms, price, .. }) => {
            let others = others(format!("pack={key}&"));
            EitherOf3::A(view! {
                <p>{format!("{title}: {terms}, {price}. Then you come back to this action.")}</p>
                <div class="buttons">
                    <BuyForm item=format!("pack:{key}") attempt return_to=Some(here) class="button primary">
                        {format!("Buy {title} — {price}")}
                    </BuyForm>
                    {cancel}
                    <a href=others>"Other ways"</a>
                </div>
            })
        }
        ReliefView::Plans(plans) => {
            let others = others(String::new());
            let plans = plans.into_iter().map(|PlanView { key, title, terms, price, .. }| {
                view! {
                    <p>{format!("{title}: {terms}, {price}.")}</p>
                    <BuyForm item=format!("plan:{key}") attempt=attempt.clone() return_to=Some(here.clone()) class="button wide">
                        {format!("Get {title} — {price}")}
                    </BuyForm>
                }
            });
            EitherOf3::B(view! {
                <div class="prompt-offers">{plans.collect_view()}</div>
                <div class="buttons">{cancel} <a href=others>"See all plans"</a></div>
            })
        }
        ReliefView::Nothing => EitherOf3::C(view! {
            <div class="buttons">{cancel} <a href="/credits">"See your credits"</a></div>
        }),
    }
}

#[component]
fn Sum(lines: [(&'static str, String); 3]) -> impl IntoView {
    let [first, second, (label, total)] = lines;
    let line = |(label, number): (&'static str, String)| {
        view! {
            <div>
                <dt>{label}</dt>
                <dd>{number}</dd>
            </div>
        }
    };
    view! {
        <dl class="sum" id="prompt-sum">
            {line(first)}
            {line(second)}
            <div class="sum-total">
                <dt>{label}</dt>
                <dd>{total}</dd>
            </div>
        </dl>
    }
}

#[component]
fn Allocations(allocations: Vec<AllocationView>) -> impl IntoView {
    let allocations = allocations.into_iter().map(|AllocationView { amount, source, expires_at }| {
        let paid = format!("{} from {} credits", text::number(amount.get()), text::source(source));
        let expiry = match expires_at {
            Some(at) => Either::Left(view! { ", expires " <Date at /> }),
            None => Either::Right(", never expires"),
        };
        view! { <li>{paid} {expiry}</li> }
    });
    view! {
        <div class="prompt-lots">
            <p>"Paid with"</p>
            <ul role="list">{allocations.collect_view()}</ul>
        </div>
    }
}

#[component]
fn Confirm<C: IntoView + 'static>(
    words: String,
    account: String,
    action: String,
    units: Option<i64>,
    cost: i64,
    idempotency_key: String,
    cancel: C,
) -> impl IntoView {
    let Acts { spend, .. } = expect_context();
    view! {
        <ActionForm action=spend attr:class="buttons">
            <input type="hidden" name="account" value=account />
            <input type="hidden" name="action" value=action />
            {units.map(|units| view! { <input type="hidden" name="units" value=units /> })}
            <input type="hidden" name="cost" value=cost />
            <input type="hidden" name="idempotency_key" value=idempotency_key />
            <SubmitButton class="button primary" pending=spend.pending() words />
            {cancel}
        </ActionForm>
    }
}
