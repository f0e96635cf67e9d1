//! One purchase: what was agreed, what became of its money and its credits, and the way to a refund.

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::{AdminPage, AskRefund};
use crate::{
    text,
    views::{BackView, CreditsOfView, InvoiceView, PaidView, PurchaseFactsView},
    web::{
        components::{DateTime, Notice, NoticeKind, loaded},
        fns::admin_purchase,
    },
};

#[component]
pub fn PurchaseFacts() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let answer = Resource::new(move || params.read().get("purchase").unwrap_or_default(), admin_purchase);
    let was_refunded = move || query.read().get("refunded").is_some();
    view! {
        <AdminPage title="Purchase">
            {loaded(
                answer,
                move |facts| {
                    let refunded = was_refunded()
                        .then(|| {
                            view! {
                                <Notice kind=NoticeKind::Success>
                                    "The refund is made. What it comes to is below; the money may take some days."
                                </Notice>
                            }
                        });
                    view! {
                        <div role="status">{refunded}</div>
                        <Facts facts />
                    }
                },
            )}
        </AdminPage>
    }
}

#[component]
fn Facts(facts: PurchaseFactsView) -> impl IntoView {
    let PurchaseFactsView { row, paid, credits, back, invoices, receipt_url, names } = facts;
    let left = paid.as_ref().and_then(|paid| paid.left.clone());
    let id = row.id.clone();
    let paid = paid.map(|PaidView { amount, at, left }| {
        let left = match left {
            Some((words, _)) => format!(", {words} of it can be refunded"),
            None if credits.is_some() => ", all of it went back".to_owned(),
            // A plan's payments are its invoices'.
            None => String::new(),
        };
        fact("Paid", view! { <span>{amount} " on " <DateTime at /> {left}</span> })
    });
    let credits = credits.map(|CreditsOfView { bought, are_given, clawed }| {
        let given = match (are_given, clawed.get()) {
            (false, _) => "not given yet".to_owned(),
            (true, 0) => "given".to_owned(),
            (true, clawed) => format!("given, {} taken back", text::number(clawed)),
        };
        fact("Credits", format!("{}, {given}", text::number(bought.get())))
    });
    let back = back.into_iter().map(back_fact);
    let (of_invoices, purchase) = (invoices, row.id.clone());
    let names = names.into_iter().map(|(label, name)| fact(label, view! { <code>{name}</code> }));
    let receipt = receipt_url.map(|url| {
        let link = view! {
            <a href=url rel="external">
                "Open"
            </a>
        };
        fact("Receipt", link)
    });
    view! {
        <div class="intro">
            <h1>{row.title}</h1>
            <p>
                {row.price} " " <span class="tag" data-state=row.state.as_str()>
                    {text::purchase_state(row.state)}
                </span>
                {row.is_automatic.then(|| view! { " " <span class="tag">"automatic"</span> })}
            </p>
        </div>
        <div class="card">
            <dl class="rows">
                {fact("Account", view! { <span>{row.holder} " " <code>{row.account}</code></span> })}
                {fact("Begun", view! { <DateTime at=row.begun /> })} {paid} {credits} {back.collect_view()} {receipt}
                {names.collect_view()}
            </dl>
        </div>
        {left
            .map(|(_, typed)| {
                view! {
                    <section class="section" aria-labelledby="refund">
                        <h2 id="refund">"Refund"</h2>
                        <AskRefund id typed />
                    </section>
                }
            })}
        {of_invoices
            .into_iter()
            .map(|invoice| view! { <OfInvoice purchase=purchase.clone() invoice /> })
            .collect_view()}
    }
}

/// One invoice of a plan: its money, what went back of it, and the way to a refund.
#[component]
fn OfInvoice(purchase: String, invoice: InvoiceView) -> impl IntoView {
    let InvoiceView { id, period, amount, left, clawed, back, url } = invoice;
    let (labelled, labels) = (id.clone(), id.clone());
    let heading = match period {
        Some((start, end)) => format!("{} to {}", text::date(start), text::date(end)),
        None => "A change of the plan".to_owned(),
    };
    let paid = match (&left, back.is_empty()) {
        (Some((words, _)), _) => format!("{amount}, {words} of it can be refunded"),
        (None, true) => amount,
        (None, false) => format!("{amount}, all of it went back"),
    };
    let clawed =
        (clawed.get() > 0).then(|| fact("Credits", format!("{} taken back", text::number(clawed.get()))));
    let link = url.map(|url| {
        let link = view! {
            <a href=url rel="external">
                "Open"
            </a>
        };
        fact("Invoice", link)
    });
    let name = fact("Stripe’s name", view! { <code>{id.clone()}</code> });
    view! {
        <section class="section" aria-labelledby=labelled>
            <h2 id=labels>{heading}</h2>
            <div class="card">
                <dl class="rows">
                    {fact("Paid", paid)} {clawed} {back.into_iter().map(back_fact).collect_view()} {link} {name}
                </dl>
            </div>
            {left.map(|(_, typed)| view! { <AskRefund id=purchase invoice=id typed /> })}
        </section>
    }
}

fn back_fact(back: BackView) -> impl IntoView {
    let BackView { id, amount, state, is_dispute } = back;
    let label = if is_dispute { "Dispute" } else { "Refund" };
    fact(label, view! { <span>{format!("{amount}, {state} ")} <code>{id}</code></span> })
}

fn fact(label: impl Into<String>, what: impl IntoView + 'static) -> impl IntoView {
    let label: String = label.into();
    view! {
        <div>
            <dt>{label}</dt>
            <dd>{what}</dd>
        </div>
    }
}
