//! The first page: what the product is and what its actions cost.

use leptos::prelude::*;

use crate::{
    text,
    views::OfferView,
    web::{
        components::{Page, PriceList, loaded},
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
    let gift = offer.signup.map(|signup| {
        view! { <p class="hero-offer">{format!("{} free when you sign up", text::credits(signup.get()))}</p> }
    });
    view! {
        <section class="hero">
            <h1>{offer.name}</h1>
            <p class="hero-lead">{offer.summary}</p>
            <div class="buttons">
                <a class="button primary" href="/sign-up">
                    "Sign up"
                </a>
                {gift}
            </div>
        </section>
        <section class="section" aria-labelledby="prices">
            <h2 id="prices">"Prices"</h2>
            <PriceList
                actions=offer.actions
                end=|action| view! { <p class="list-price">{text::cost(&action.cost)}</p> }
            />
        </section>
    }
}
