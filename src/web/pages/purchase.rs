//! Where the payment page leads back to: what became of a purchase, and the way back to what the buyer was doing.

use std::time::Duration;

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use crate::{
    text,
    views::{PurchaseView, StageView},
    web::{
        app::{Acts, Session},
        components::{Page, ProblemNotice, SubmitButton, loaded},
        fns::purchase,
    },
};

/// How often it is asked whether the payment has come, and how many times.
const PAUSE: Duration = Duration::from_millis(1_200);
const QUESTIONS_MAX: u32 = 100;
const LOOK_AGAIN: &str = r#"<meta http-equiv="refresh" content="3"><p><a href="">Look again</a></p>"#;

#[component]
pub fn PurchasePage() -> impl IntoView {
    let Acts { cancel_purchase, .. } = expect_context();
    let (params, query) = (use_params_map(), use_query_map());
    let id = move || params.read().get("purchase").unwrap_or_default();
    let answer = Resource::new(move || (id(), cancel_purchase.version().get()), |(id, _)| purchase(id));
    let went_back = move || query.read().get("canceled").is_some();
    let paid = move || query.read().get("paid").is_some();

    let Session(session) = expect_context();
    let questions = StoredValue::new(0);
    Effect::new(move || {
        let Some(Ok(PurchaseView { stage, .. })) = answer.get() else { return };
        if !stage.is_open() || went_back() {
            // It came while one was waiting for it: the header has not heard of it.
            if questions.get_value() > 0 {
                questions.set_value(0);
                session.refetch();
            }
            return;
        }
        if questions.get_value() < QUESTIONS_MAX {
            questions.update_value(|asked| *asked += 1);
            if let Ok(timer) = set_timeout_with_handle(move || answer.refetch(), PAUSE) {
                on_cleanup(move || timer.clear());
            }
        }
    });
    view! {
        <Page title="Purchase" narrow=true>
            {loaded(
                answer,
                move |purchase| {
                    let came = match (went_back(), paid()) {
                        (true, _) => Came::Back,
                        (false, true) => Came::Paying,
                        (false, false) => Came::Elsewhere,
                    };
                    view! { <Become purchase came /> }
                },
            )}
        </Page>
    }
}

/// From where the buyer comes: from the payment page, having paid or not, or from elsewhere.
#[derive(Clone, Copy, PartialEq)]
enum Came {
    Paying,
    Back,
    Elsewhere,
}

/// What has become of it.
#[component]
fn Become(purchase: PurchaseView, came: Came) -> impl IntoView {
    let Acts { cancel_purchase, .. } = expect_context();
    let problem = Signal::derive(move || cancel_purchase.value().get().and_then(Result::err));
    let (heading, words) = told(&purchase, came);
    let PurchaseView { id, title, price, stage, checkout, receipt_url, return_to, .. } = purchase;
    let is_waiting = stage.is_open() && came != Came::Back;
    let checkout = checkout.filter(|_| came != Came::Paying);
    let can_pay = checkout.is_some();
    let pay = checkout.map(|checkout| {
        view! {
            <a class="button primary" href=checkout rel="external">
                "Continue to payment"
            </a>
            <ActionForm action=cancel_purchase>
                <input type="hidden" name="purchase" value=id />
                <SubmitButton class="button text" pending=cancel_purchase.pending() words="Cancel the purchase" />
            </ActionForm>
        }
    });
    let on = match (&return_to, stage) {
        _ if can_pay || is_waiting => None,
        (Some(page), _) => Some((page.clone(), "Go back to what you were doing")),
        (None, StageView::Failed | StageView::Ended) => Some(("/buy".to_owned(), "Choose again")),
        (None, _) => Some(("/actions".to_owned(), "Go to Actions")),
    };
    let receipt = receipt_url.map(|url| {
        view! {
            <a href=url rel="external">
                "Receipt"
            </a>
        }
    });
    view! {
        <ProblemNotice problem />
        <section class="card">
            <div class="message">
                <p class="message-code">{title} " · " {price}</p>
                <div role="status">
                    <h1>{heading}</h1>
                    <p>{words}</p>
                </div>
                // Whoever has no JavaScript looks again all the same.
                {is_waiting.then(|| view! { <noscript inner_html=LOOK_AGAIN></noscript> })}
                <div class="buttons">
                    {on
                        .map(|(page, words)| {
                            view! {
                                <a class="button primary" href=page>
                                    {words}
                                </a>
                            }
                        })}
                    {pay}
                    {receipt}
                    <a href="/credits">"See your credits"</a>
                </div>
            </div>
        </section>
    }
}

/// The page's heading and what stands below it.
fn told(purchase: &PurchaseView, came: Came) -> (String, String) {
    let PurchaseView { title, stage, available, is_unlimited, .. } = purchase;
    let have = if *is_unlimited {
        "Actions cost you nothing now.".to_owned()
    } else {
        format!("You have {} now.", text::credits(available.get()))
    };
    let (heading, words) = match (stage, came) {
        (StageView::Waiting, Came::Back) => {
            ("Nothing was paid", "You left the payment page. You can go on where you were.".to_owned())
        }
        (StageView::Waiting, Came::Elsewhere) => {
            ("Not paid yet", "Your credits are added as soon as the payment is confirmed.".to_owned())
        }
        (StageView::Waiting | StageView::Paid, _) => (
            "Payment received, adding your credits…",
            "This takes a moment. You can leave this page: they are added all the same.".to_owned(),
        ),
        (StageView::Late, _) => (
            "Your bank takes its time",
            "We add your credits when the bank confirms the payment. That may take some days; there is nothing more to do."
                .to_owned(),
        ),
        (StageView::Done { credits: Some(credits) }, _) => {
            return (format!("{} added", text::credits(credits.get())), have);
        }
        (StageView::Done { credits: None }, _) => return (format!("You are on the plan {title}"), have),
        (StageView::Failed, _) => {
            ("The payment did not come through", "Nothing was taken, and no credits were added.".to_owned())
        }
        (StageView::Ended, _) => {
            ("This purchase has ended", "It was canceled or left open too long. Nothing was paid.".to_owned())
        }
        (StageView::PartlyRefunded, _) => (
            "A part of this purchase was refunded",
            format!("The credits of that part went back with the money. {have}"),
        ),
        (StageView::Refunded, _) => {
            ("This purchase was refunded", format!("Its credits went back with the money. {have}"))
        }
        (StageView::Disputed, _) => (
            "The payment is disputed",
            format!("Its credits are taken back until that is decided. {have}"),
        ),
    };
    (heading.to_owned(), words)
}
