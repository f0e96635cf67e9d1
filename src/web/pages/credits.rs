//! What a member has: the sum, and the lots behind it.

use leptos::{either::Either, prelude::*};

use crate::{
    text,
    views::CreditsView,
    web::{
        components::{Date, LotTable, Message, Page, loaded},
        fns::credits,
    },
};

#[component]
pub fn Credits() -> impl IntoView {
    let answer = Resource::new(|| (), |()| credits());
    view! { <Page title="Credits">{loaded(answer, |credits| view! { <Have credits /> })}</Page> }
}

#[component]
fn Have(credits: CreditsView) -> impl IntoView {
    let CreditsView { available, next_expiry, lots } = credits;
    let available = available.get();
    let expiry = match next_expiry {
        Some((amount, at)) => {
            let verb = if amount.get() == 1 { "expires" } else { "expire" };
            Either::Left(view! { {format!("{} {verb} on ", text::number(amount.get()))} <Date at /> })
        }
        None => Either::Right("Nothing expires"),
    };
    let lots = if lots.is_empty() {
        Either::Left(view! {
            <Message title="No credits left" href="/history" link="See where they went">
                "When you receive credits, you see here where each came from, how many are left and when they expire."
            </Message>
        })
    } else {
        Either::Right(view! { <LotTable lots /> })
    };
    view! {
        <h1>"Credits"</h1>
        <div class="figure">
            <p class="figure-value">
                <span class="figure-number">{text::number(available)}</span>
                {format!(" {} available", text::credits_unit(available))}
            </p>
            <p class="figure-note">{expiry}</p>
        </div>
        {lots}
    }
}
