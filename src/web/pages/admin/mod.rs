//! What admins see: sections under one frame, one file each.

mod differences;
mod inbox;
mod purchase;
mod purchases;
mod refund;

use leptos::prelude::*;
use leptos_router::components::A;

use self::refund::AskRefund;
pub use self::{
    differences::Differences, inbox::Inbox, purchase::PurchaseFacts, purchases::Purchases, refund::Refund,
};
use crate::web::components::Page;

/// The sections, in the order in which they stand.
const SECTIONS: [(&str, &str); 3] =
    [("/admin/purchases", "Purchases"), ("/admin/inbox", "Inbox"), ("/admin/differences", "Differences")];

/// A page of a section.
#[component]
fn AdminPage(title: &'static str, children: Children) -> impl IntoView {
    let sections = SECTIONS.map(|(href, words)| {
        view! {
            <li>
                <A href=href>{words}</A>
            </li>
        }
    });
    view! {
        <Page title=title>
            <nav class="nav sections" aria-label="Admin">
                <ul role="list">{sections.into_iter().collect_view()}</ul>
            </nav>
            {children()}
        </Page>
    }
}

/// The way to the next page of a list.
#[component]
fn Older(href: Option<String>) -> impl IntoView {
    href.map(|href| {
        view! {
            <nav class="pager" aria-label="Pages">
                <a class="button pager-older" rel="next" href=href>
                    "Older"
                    <span aria-hidden="true">" →"</span>
                </a>
            </nav>
        }
    })
}
