//! What credits cost: packs and plans, side by side, and what was begun and is not paid yet.

use std::collections::HashMap;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::{
    views::{PackView, PendingView, PlanStepView, PlanView, ShopView},
    web::{
        app::Acts,
        components::{
            BuyForm, Date, Notice, NoticeKind, PackList, Page, PlanList, ProblemNotice, SubmitButton, loaded,
        },
        fns::shop,
    },
};

#[component]
pub fn Buy() -> impl IntoView {
    let Acts { cancel_purchase, .. } = expect_context();
    let answer = Resource::new(move || cancel_purchase.version().get(), |_| shop());
    let query = use_query_map();
    let show = move |shop| {
        let query = query.get_untracked();
        let (pack, plan, return_to) = (query.get("pack"), query.get("plan"), query.get("return_to"));
        view! { <Shop shop pack plan return_to /> }
    };
    view! { <Page title="Buy">{loaded(answer, show)}</Page> }
}

/// `pack`, `plan`: what stands out, because whoever led here says that it helps. `return_to`: from where.
#[component]
fn Shop(
    shop: ShopView,
    pack: Option<String>,
    plan: Option<String>,
    return_to: Option<String>,
) -> impl IntoView {
    let ShopView { packs, plans, steps, pending, attempt, is_sandbox } = shop;
    let Acts { buy, cancel_purchase, .. } = expect_context();
    let problem = Signal::derive(move || {
        buy.value().get().or_else(|| cancel_purchase.value().get()).and_then(Result::err)
    });
    let steps: HashMap<String, PlanStepView> = plans.iter().map(|plan| plan.key.clone()).zip(steps).collect();
    let (of_pack, of_plan) = ((attempt.clone(), return_to.clone()), (attempt, return_to));
    let has_packs = !packs.is_empty();
    let packs = has_packs.then(|| {
        let end = move |offered: &PackView| {
            let is_chosen = pack.as_ref() == Some(&offered.key);
            let (attempt, return_to) = of_pack.clone();
            let item = format!("pack:{}", offered.key);
            let what = format!(" {} for {}", offered.title, offered.price);
            view! {
                <BuyForm item attempt return_to class=button(is_chosen)>
                    "Buy" <span class="visually-hidden">{what}</span>
                </BuyForm>
            }
        };
        view! {
            <section class="section" aria-labelledby="packs">
                <h2 id="packs">"Credit packs"</h2>
                <PackList packs end />
            </section>
        }
    });
    let plans = (!plans.is_empty()).then(|| {
        let end = move |offered: &PlanView| {
            let step = steps.get(&offered.key).copied().unwrap_or(PlanStepView::Free);
            let is_chosen = plan.as_ref() == Some(&offered.key);
            let (attempt, return_to) = of_plan.clone();
            let item = format!("plan:{}", offered.key);
            let what = format!(" {}, {}", offered.title, offered.price);
            view! {
                {step.tag().map(|tag| view! { <p><span class="tag" data-state="active">{tag}</span></p> })}
                {step.words().map(|words| view! { <p class="list-per">{words}</p> })}
                {step.verb().map(|verb| view! {
                    <BuyForm item attempt return_to class=button(is_chosen)>
                        {verb} <span class="visually-hidden">{what}</span>
                    </BuyForm>
                })}
            }
        };
        view! {
            <section class="section" aria-labelledby="plans">
                <h2 id="plans">"Plans"</h2>
                <PlanList plans end />
            </section>
        }
    });
    view! {
        <div class="intro">
            <h1>"Buy credits"</h1>
            <p>"You pay on the payment page, and come back here. Credits are added when the payment is confirmed."</p>
        </div>
        {is_sandbox
            .then(|| {
                view! {
                    <Notice kind=NoticeKind::Info>
                        "This is a sandbox: the payment page takes test cards only, and no money moves."
                    </Notice>
                }
            })}
        <ProblemNotice problem />
        {(!pending.is_empty()).then(|| view! { <Pending pending /> })}
        <div class="shop">{packs} {plans}</div>
        {has_packs
            .then(|| {
                view! {
                    <p class="aside">
                        "So that you never run out, a pack can be bought by itself: "
                        <a href="/settings">"automatic top-up"</a> "."
                    </p>
                }
            })}
    }
}

/// What was begun: to go on with, or to be rid of.
#[component]
fn Pending(pending: Vec<PendingView>) -> impl IntoView {
    let Acts { cancel_purchase, .. } = expect_context();
    let rows = pending.into_iter().map(|PendingView { id, title, price, begun, checkout }| {
        let page = format!("/buy/{id}");
        let named = format!(" {title}");
        let acts = match checkout {
            Some(checkout) => view! {
                <a class="button" href=checkout rel="external">
                    "Continue" <span class="visually-hidden">{named.clone()}</span>
                </a>
                <ActionForm action=cancel_purchase>
                    <input type="hidden" name="purchase" value=id />
                    <SubmitButton class="button text" pending=cancel_purchase.pending() words="Cancel" about=named />
                </ActionForm>
            }
            .into_any(),
            None => view! { <a href=page.clone()>"With your bank" <span class="visually-hidden">{named}</span></a> }.into_any(),
        };
        view! {
            <li class="list-item">
                <div>
                    <h3 class="list-title">{title}</h3>
                    <p class="list-text">{price} " · begun on " <Date at=begun /></p>
                </div>
                <div class="buttons">{acts}</div>
            </li>
        }
    });
    view! {
        <section class="section" aria-labelledby="pending">
            <h2 id="pending">"Not paid yet"</h2>
            <ul class="card flush list" role="list">
                {rows.collect_view()}
            </ul>
        </section>
    }
}

const fn button(is_chosen: bool) -> &'static str {
    if is_chosen { "button primary" } else { "button" }
}
