//! A few words in place of a page's content: nothing is here, or something is in the way.

use leptos::prelude::*;
use leptos_meta::Title;

use super::ManagePayment;
use crate::problem::Problem;

/// `children` are the words; the link says what to do next.
#[component]
pub fn Message(
    title: &'static str,
    href: &'static str,
    link: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <section class="card">
            <div class="message">
                <h2>{title}</h2>
                <p>{children()}</p>
                <div class="buttons">
                    <a class="button" href=href>
                        {link}
                    </a>
                </div>
            </div>
        </section>
    }
}

/// A problem that leaves nothing else to show.
#[component]
pub fn ProblemMessage(problem: Problem) -> impl IntoView {
    let title = match problem {
        Problem::NotFound | Problem::UnknownAction | Problem::UnknownPlan | Problem::UnknownPurchase => {
            "Page not found"
        }
        Problem::NotAnAdmin => "For admins only",
        Problem::PlanNotPaid => "Your plan is not paid",
        Problem::SubscriptionUnchanged => "Nothing to change",
        Problem::UnknownCursor => "No such page of this list",
        Problem::UnitsInvalid => "How many?",
        Problem::UnitsNotTaken => "No number needed",
        Problem::LinkUsed => "This link is used up",
        Problem::Unavailable | Problem::Offline => "Back in a moment",
        _ => "Something went wrong",
    };
    let (href, link) = match problem {
        // An empty address is the page itself.
        Problem::Unavailable | Problem::Offline => ("", "Try again"),
        Problem::UnknownCursor => ("/history", "Newest entries"),
        Problem::NotFound | Problem::LinkUsed => ("/", "Go to the start"),
        Problem::PlanNotPaid
        | Problem::SubscriptionUnchanged
        | Problem::UnknownPlan
        | Problem::NotForSale
        | Problem::NotSubscribed
        | Problem::OtherInterval => ("/buy", "Choose again"),
        _ => ("/actions", "Go to Actions"),
    };
    let is_unpaid = problem == Problem::PlanNotPaid;
    let reference = match problem {
        Problem::Internal { reference } => Some(reference.to_string()),
        _ => None,
    };
    view! {
        <Title text=title />
        <div class="message">
            <p class="message-code">{problem.status()}</p>
            <h1>{title}</h1>
            <p>{problem.to_string()}</p>
            {reference
                .map(|reference| {
                    view! {
                        <p>"If it happens again, tell us this reference: " <code>{reference}</code></p>
                    }
                })}
            <div class="buttons">
                {is_unpaid.then(|| view! { <ManagePayment /> })}
                <a class="button" href=href rel="external">
                    {link}
                </a>
            </div>
        </div>
    }
}
