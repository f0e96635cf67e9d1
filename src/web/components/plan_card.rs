//! A member's plan: what it gives, how it stands, and what happens next.

use leptos::prelude::*;

use super::Date;
use crate::{domain::SubscriptionState, views::SubscriptionView};

#[component]
pub fn PlanCard(subscription: SubscriptionView, has_billing_portal: bool) -> impl IntoView {
    let SubscriptionView { title, terms, state, period, next } = subscription;
    let (state, word) = match state {
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
                <h2 id="plan">{format!("{title} plan")}</h2>
                <span class="tag" data-state=state>
                    {word}
                </span>
            </div>
            <p>{terms}</p>
            <p class="plan-next">{next}</p>
            {period}
            {has_billing_portal
                .then(|| {
                    // What it leads to is no page of ours.
                    view! {
                        <form method="post" action="/fn/open_billing_portal">
                            <button class="button">"Manage payment"</button>
                        </form>
                    }
                })}
        </section>
    }
}
