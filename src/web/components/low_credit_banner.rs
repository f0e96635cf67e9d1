//! What a member is warned of, between the header and the page: that little or nothing is left, that credits lapse.

use leptos::{html, prelude::*, wasm_bindgen::JsCast, web_sys::HtmlElement};
use leptos_router::hooks::use_location;

use super::SubmitButton;
use crate::{
    views::WarningView,
    web::app::{Acts, Session},
};

/// Where one sees more of it, and in which words that is told.
const CREDITS: (&str, &str) = ("/credits", "See your credits");
const SETTINGS: (&str, &str) = ("/settings", "See to it");

/// The region is always there, so that screen readers speak what comes into it.
#[component]
pub fn LowCreditBanner() -> impl IntoView {
    let Session(session) = expect_context();
    let Acts { dismiss_warning, .. } = expect_context();
    let banners = NodeRef::<html::Div>::new();
    Effect::new(move || {
        if let (Some(Ok(())), Some(banners)) = (dismiss_warning.value().get(), banners.get_untracked())
            && banners.contains(document().active_element().as_deref())
        {
            go_on_at_main();
        }
    });
    view! {
        <div class="banners" role="status" node_ref=banners>
            <Transition>
                {move || Suspend::new(async move {
                    let member = session.await.ok().and_then(|frame| frame.member);
                    let warnings = member.map(|member| member.warnings).unwrap_or_default();
                    warnings.into_iter().map(|warning| view! { <Banner warning /> }).collect_view()
                })}
            </Transition>
        </div>
    }
}

/// The button that was pressed goes, and the focus with it: the keyboard goes on at the page's main part, as after loading.
fn go_on_at_main() {
    let main = document().get_element_by_id("main");
    if let Some(main) = main.and_then(|main| main.dyn_into::<HtmlElement>().ok()) {
        // It fails only where the page is gone again.
        let _ = main.focus();
    }
}

#[component]
fn Banner(warning: WarningView) -> impl IntoView {
    let level = match warning {
        WarningView::Empty => "empty",
        WarningView::TopUpPaused(_) => "paused",
        WarningView::Low { .. } => "low",
        WarningView::Lapsing { .. } => "lapsing",
    };
    let words = warning.words();
    let path = use_location().pathname;
    // Not on the page that it leads to.
    let (page, led) = if matches!(warning, WarningView::TopUpPaused(_)) { SETTINGS } else { CREDITS };
    let link = move || (path.get() != page).then(|| view! { <a href=page>{led}</a> });
    let dismissal = match warning {
        WarningView::Empty | WarningView::TopUpPaused(_) => None,
        WarningView::Low { seen, .. } => Some((false, seen)),
        WarningView::Lapsing { seen, .. } => Some((true, seen)),
    };
    let dismissal =
        dismissal.map(|(are_of_lots, seen)| view! { <Dismiss are_of_lots seen=seen.timestamp_micros() /> });
    view! {
        <div class="banner" data-level=level>
            <p>{words} ". " {link}</p>
            {dismissal}
        </div>
    }
}

/// A form, so that it works without JavaScript.
#[component]
fn Dismiss(are_of_lots: bool, seen: i64) -> impl IntoView {
    let Acts { dismiss_warning, .. } = expect_context();
    view! {
        <ActionForm action=dismiss_warning>
            <input type="hidden" name="are_of_lots" value=are_of_lots.to_string() />
            <input type="hidden" name="seen" value=seen />
            <SubmitButton class="button text" pending=dismiss_warning.pending() words="Dismiss" />
        </ActionForm>
    }
}
