//! A member's plan: what it gives, how it stands, and what happens next.

use leptos::prelude::*;

use super::{Date, ManagePayment};
use crate::{domain::SubscriptionState, text, views::SubscriptionView};

#[component]
pub fn PlanCard(subscription: SubscriptionView, has_billing_portal: bool) -> impl IntoView {
    let SubscriptionView { title, terms, state, is_trial, period, next } = subscription;
    let (state, word) = match state {
        SubscriptionState::Active if is_trial => ("active", "Trial"),
        SubscriptionState::Active => ("active", "Active"),
        SubscriptionState::PastDue => ("past-due", "Past due"),
        SubscriptionState::Canceled => ("canceled", "Canceled"),
        SubscriptionState::Ended => ("ended", "Ended"),
    };
    let period = period.map(|(start, end)| {
        view! {
            <p>"This period: " <Date at=start /> " to " <Date at=end /></p>
        }
    });
    view! {
        <section class="card plan" aria-labelledby="plan">
            <div class="plan-head">
                <h2 id="plan">{text::plan_named(&title)}</h2>
                <span class="tag" data-state=state>
                    {word}
                </span>
            </div>
            <p>{terms}</p>
            <p class="plan-next">{next}</p>
            {period}
            {has_billing_portal.then(|| view! { <ManagePayment /> })}
        </section>
    }
}
