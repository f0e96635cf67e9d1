//! What a member has: the sum, and the lots behind it.

use leptos::{
    either::{Either, EitherOf3},
    prelude::*,
};

use crate::{
    text,
    views::CreditsView,
    web::{
        components::{Date, LotTable, Message, Page, PlanCard, loaded},
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
    let CreditsView {
        available,
        is_unlimited,
        held,
        debt,
        subscription,
        has_billing_portal,
        sells,
        next_expiry,
        lots,
    } = credits;
    let available = available.get();
    let (figure, unit) = match available {
        0 if is_unlimited => ("Unlimited".to_owned(), String::new()),
        _ => (text::number(available), format!(" {} available", text::credits_unit(available))),
    };
    let expiry = match next_expiry {
        Some((amount, at)) => {
            let verb = if amount.get() == 1 { "expires" } else { "expire" };
            Either::Left(view! { {format!("{} {verb} on ", text::number(amount.get()))} <Date at /> })
        }
        None => Either::Right("Nothing expires"),
    };
    let held = (held.get() > 0).then(|| {
        view! { <p class="figure-note">{format!("{} held by work that is under way", text::number(held.get()))}</p> }
    });
    let debt = (debt.get() > 0).then(|| view! { <p class="figure-note">{text::owed(debt)}</p> });
    let lots = if lots.is_empty() && is_unlimited {
        EitherOf3::C(())
    } else if lots.is_empty() {
        EitherOf3::A(view! {
            <Message title="No credits left" href="/history" link="See where they went">
                "When you receive credits, you see here where each came from, how many are left and when they expire."
            </Message>
        })
    } else {
        EitherOf3::B(view! { <LotTable lots /> })
    };
    view! {
        <h1>"Credits"</h1>
        <div class="figure">
            <p class="figure-value">
                <span class="figure-number">{figure}</span>
                {unit}
            </p>
            <p class="figure-note">{expiry}</p>
            {held}
            {debt}
        </div>
        {sells
            .then(|| {
                view! {
                    <div class="buttons">
                        <a class="button" href="/buy">
                            "Buy credits"
                        </a>
                    </div>
                }
            })}
        {subscription.map(|subscription| view! { <PlanCard subscription has_billing_portal /> })}
        {lots}
    }
}
