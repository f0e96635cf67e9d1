//! The top of every page: where one is, who one is, and what one has.

use leptos::{either::EitherOf3, prelude::*};
use leptos_router::components::A;

use super::BalanceBadge;
use crate::{
    views::{FrameView, MemberView},
    web::app::{Acts, ProductName, Session},
};

#[component]
pub fn Header() -> impl IntoView {
    let Session(session) = expect_context();
    let name = expect_context::<ProductName>();
    view! {
        <header class="header">
            <Transition>
                {move || {
                    let name = name.clone();
                    Suspend::new(async move {
                        let frame = session.await;
                        if let Ok(frame) = &frame {
                            name.learn(&frame.product);
                        }
                        match frame {
                            Ok(FrameView { product, sells, member: Some(member), .. }) => {
                                EitherOf3::A(view! { <MemberHeader product sells member /> })
                            }
                            Ok(FrameView { product, member: None, .. }) => {
                                EitherOf3::B(view! { <VisitorHeader product /> })
                            }
                            // Nobody knows who it is: nothing is offered that might be wrong.
                            Err(_) => EitherOf3::C(view! { <Wordmark product="Scrip".to_owned() href="/" /> }),
                        }
                    })
                }}
            </Transition>
        </header>
    }
}

#[component]
fn MemberHeader(product: String, sells: bool, member: MemberView) -> impl IntoView {
    let Acts { sign_out, .. } = expect_context();
    let MemberView { name, balance, return_url, is_admin, .. } = member;
    let title = name.clone();
    view! {
        <Wordmark product href="/actions" />
        <nav class="nav" aria-label="Main">
            <ul role="list">
                <li>
                    <A href="/actions">"Actions"</A>
                </li>
                <li>
                    <A href="/credits">"Credits"</A>
                </li>
                <li>
                    <A href="/history">"History"</A>
                </li>
                {sells
                    .then(|| {
                        view! {
                            <li>
                                <A href="/buy">"Buy"</A>
                            </li>
                            <li>
                                <A href="/settings">"Settings"</A>
                            </li>
                        }
                    })}
                {is_admin
                    .then(|| {
                        view! {
                            <li>
                                <A href="/admin/purchases">"Admin"</A>
                            </li>
                        }
                    })}
            </ul>
        </nav>
        <div class="account">
            <BalanceBadge balance />
            {return_url
                .map(|url| {
                    let host = host_of(&url);
                    view! {
                        <a class="button text" href=url rel="external">
                            "← Back to " {host}
                        </a>
                    }
                })}
            <span class="account-email" title=title>
                {name}
            </span>
            <ActionForm action=sign_out>
                <button class="button text">"Sign out"</button>
            </ActionForm>
        </div>
    }
}

#[component]
fn VisitorHeader(product: String) -> impl IntoView {
    view! {
        <Wordmark product href="/" />
        <div class="account">
            <a class="button text" href="/sign-in">
                "Sign in"
            </a>
            <a class="button" href="/sign-up">
                "Sign up"
            </a>
        </div>
    }
}

#[component]
fn Wordmark(product: String, href: &'static str) -> impl IntoView {
    view! {
        <a class="wordmark" href=href>
            <svg viewBox="0 0 24 24" aria-hidden="true">
                <path
                    fill-rule="evenodd"
                    d="M3.5 4h17A1.5 1.5 0 0 1 22 5.5v3.6a3 3 0 0 0 0 5.8v3.6a1.5 1.5 0 0 1-1.5 1.5h-17A1.5 1.5 0 0 1 2 18.5v-3.6a3 3 0 0 0 0-5.8V5.5A1.5 1.5 0 0 1 3.5 4ZM14 7v2.2h1.8V7Zm0 3.9v2.2h1.8v-2.2Zm0 3.9V17h1.8v-2.2Z"
                />
            </svg>
            {product}
        </a>
    }
}

/// `https://app.example.com/account`: `app.example.com`.
fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned()
}
