//! The first page: what the product is, what its actions cost, and what credits cost.

use leptos::{either::Either, prelude::*};

use crate::{
    text,
    views::{FrameView, OfferView},
    web::{
        app::Session,
        components::{PackList, Page, PlanList, PriceList, loaded},
        fns::offer,
    },
};

#[component]
pub fn Home() -> impl IntoView {
    let answer = Resource::new(|| (), |()| offer());
    view! { <Page title="">{loaded(answer, |offer| view! { <Offer offer /> })}</Page> }
}

#[component]
fn Offer(offer: OfferView) -> impl IntoView {
    let Session(session) = expect_context();
    let gift = offer.signup.map(|signup| format!("{} free when you sign up", text::credits(signup.get())));
    let plans = section("plans", "Plans", offer.plans, |plans| view! { <PlanList plans end=|_| () /> });
    let packs =
        section("packs", "Credit packs", offer.packs, |packs| view! { <PackList packs end=|_| () /> });
    view! {
        <section class="hero">
            <h1>{offer.name}</h1>
            <p class="hero-lead">{offer.summary}</p>
            <div class="buttons">
                <Transition>
                    {move || {
                        let gift = gift.clone();
                        Suspend::new(async move {
                            match session.await {
                                Ok(FrameView { member: Some(_), .. }) => Either::Left(view! { <ToActions /> }),
                                _ => Either::Right(view! { <ToSignUp gift /> }),
                            }
                        })
                    }}
                </Transition>
            </div>
        </section>
        <section class="section" aria-labelledby="prices">
            <h2 id="prices">"Prices"</h2>
            <PriceList
                actions=offer.actions
                end=|action| view! { <p class="list-price">{text::cost(&action.cost)}</p> }
            />
        </section>
        {plans}
        {packs}
    }
}

#[component]
fn ToActions() -> impl IntoView {
    view! {
        <a class="button primary" href="/actions">
            "Go to Actions"
        </a>
    }
}

#[component]
fn ToSignUp(gift: Option<String>) -> impl IntoView {
    view! {
        <a class="button primary" href="/sign-up">
            "Sign up"
        </a>
        {gift.map(|gift| view! { <p class="hero-offer">{gift}</p> })}
    }
}

/// A list under its heading; nothing where there is nothing to list.
fn section<T, V: IntoView + 'static>(
    id: &'static str,
    heading: &'static str,
    items: Vec<T>,
    list: impl FnOnce(Vec<T>) -> V,
) -> Option<impl IntoView> {
    (!items.is_empty()).then(|| {
        view! {
            <section class="section" aria-labelledby=id>
                <h2 id=id>{heading}</h2>
                {list(items)}
            </section>
        }
    })
}
