//! How much goes back, what that would do, and the confirmation.

use leptos::{either::Either, prelude::*};
use leptos_router::hooks::{use_params_map, use_query_map};

use super::AdminPage;
use crate::{
    problem::Problem,
    text,
    views::RefundPreviewView,
    web::{
        app::Acts,
        components::{ProblemNotice, SubmitButton, loaded},
        fns::preview_refund,
    },
};

#[component]
pub fn Refund() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let asked = move || {
        let read = |value: Option<String>| value.unwrap_or_default();
        let invoice = query.read().get("invoice");
        (read(params.read().get("purchase")), invoice, read(query.read().get("amount")))
    };
    let answer = Resource::new(asked, |(purchase, invoice, amount)| async move {
        match preview_refund(purchase, invoice, amount).await {
            // It is for who typed it to mend.
            Err(problem @ (Problem::AmountInvalid | Problem::NotRefundable)) => Ok(Err(problem)),
            answer => answer.map(Ok),
        }
    });
    let show = move |answer| match answer {
        Ok(preview) => Either::Left(view! { <Preview preview /> }),
        Err(problem) => {
            let id = params.read_untracked().get("purchase").unwrap_or_default();
            let (invoice, typed) = {
                let query = query.read_untracked();
                (query.get("invoice"), query.get("amount").unwrap_or_default())
            };
            Either::Right(view! { <AskAgain id invoice typed problem /> })
        }
    };
    view! { <AdminPage title="Refund">{loaded(answer, show)}</AdminPage> }
}

/// An amount that can't be refunded, to be typed in anew.
#[component]
fn AskAgain(id: String, invoice: Option<String>, typed: String, problem: Problem) -> impl IntoView {
    let back = format!("/admin/purchases/{id}");
    view! {
        <h1>"Refund"</h1>
        <ProblemNotice problem=Signal::stored(Some(problem)) />
        <AskRefund id invoice typed is_refused=true />
        <p>
            <a href=back>"Back to the purchase"</a>
        </p>
    }
}

/// How much goes back, of a pack's payment or of one invoice of a plan; what that means is shown before anything happens.
#[component]
pub fn AskRefund(
    id: String,
    #[prop(optional_no_strip, into)] invoice: Option<String>,
    typed: String,
    #[prop(optional)] is_refused: bool,
) -> impl IntoView {
    let field = invoice.as_ref().map_or_else(|| "amount".to_owned(), |invoice| format!("amount-{invoice}"));
    view! {
        <form class="filter" method="get" action=format!("/admin/purchases/{id}/refund")>
            {invoice.map(|invoice| view! { <input type="hidden" name="invoice" value=invoice /> })}
            <div class="field">
                <label for=field.clone()>"Amount to refund"</label>
                <input
                    id=field
                    name="amount"
                    inputmode="decimal"
                    autocomplete="off"
                    required
                    aria-invalid=is_refused.then_some("true")
                    value=typed
                />
            </div>
            <button class="button">"See what goes back"</button>
        </form>
    }
}

#[component]
fn Preview(preview: RefundPreviewView) -> impl IntoView {
    let Acts { refund_purchase, .. } = expect_context();
    let problem = Signal::derive(move || refund_purchase.value().get().and_then(Result::err));
    let spent = preview.spent();
    let RefundPreviewView {
        purchase,
        invoice,
        title,
        account,
        holder,
        money,
        amount,
        credits,
        unspent,
        becomes_debt,
        key,
    } = preview;
    let spent_words = if becomes_debt { "Spent already: become debt" } else { "Spent already: let go" };
    let lines = [
        ("Money that goes back", money.clone()),
        ("Credits that go", text::number(credits.get())),
        ("Still there: taken", text::number(unspent.get())),
        (spent_words, text::number(spent.get())),
    ];
    let lines = lines.map(|(label, number)| {
        view! {
            <div>
                <dt>{label}</dt>
                <dd>{number}</dd>
            </div>
        }
    });
    let back = format!("/admin/purchases/{purchase}");
    let lacks_reason =
        move || problem.get().filter(|problem| matches!(problem, Problem::ReasonMissing)).map(|_| "true");
    view! {
        <section class="card">
            <div class="prompt">
                <h1 class="prompt-title">{format!("Refund {money} of {title}?")}</h1>
                <p class="aside">"Bought by " {holder} " " <code>{account}</code></p>
                <ProblemNotice problem />
                <dl class="sum">{lines.into_iter().collect_view()}</dl>
                <ActionForm action=refund_purchase attr:class="form">
                    <input type="hidden" name="purchase" value=purchase />
                    {invoice.map(|invoice| view! { <input type="hidden" name="invoice" value=invoice /> })}
                    <input type="hidden" name="amount" value=amount />
                    <input type="hidden" name="key" value=key />
                    <div class="field">
                        <label for="reason">"Reason"</label>
                        <p class="field-hint" id="reason-hint">
                            "Kept with the refund"
                        </p>
                        <input
                            id="reason"
                            name="reason"
                            autocomplete="off"
                            maxlength="200"
                            required
                            aria-describedby="reason-hint"
                            aria-invalid=lacks_reason
                        />
                    </div>
                    <div class="buttons">
                        <SubmitButton
                            class="button primary"
                            pending=refund_purchase.pending()
                            words=format!("Refund {money}")
                        />
                        <a class="button" href=back>
                            "Cancel"
                        </a>
                    </div>
                </ActionForm>
            </div>
        </section>
    }
}
