//! The balance, as it stands on every page.

use leptos::{either::Either, prelude::*};

use crate::{domain::Level, text, views::BalanceView};

#[component]
pub fn BalanceBadge(balance: BalanceView) -> impl IntoView {
    let available = balance.available.get();
    // A level is told by a shape and a word, never by colour alone; at nothing the number says it.
    let (level, available_word, level_word) = match balance.level {
        Level::Comfortable => ("ok", " available", None),
        Level::Low => ("low", " available,", Some(" low")),
        Level::Empty => ("empty", " available", None),
    };
    view! {
        <a class="badge" href="/credits" data-level=level>
            <span class="badge-mark" aria-hidden="true"></span>
            {if balance.is_unlimited {
                Either::Left(view! { <span class="badge-number">"Unlimited"</span> })
            } else {
                Either::Right(view! {
                    <span class="badge-number">{text::number(available)}</span>
                    <span class="badge-unit">
                        {format!(" {}", text::credits_unit(available))}
                        <span class="visually-hidden">{available_word}</span>
                    </span>
                    {level_word.map(|word| view! { <span class="badge-level">{word}</span> })}
                })
            }}
        </a>
    }
}
