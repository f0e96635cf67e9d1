//! Moments, in UTC, for people and for machines.

use chrono::Utc;
use leptos::prelude::*;

use crate::text;

#[component]
pub fn Date(at: chrono::DateTime<Utc>) -> impl IntoView {
    view! { <time datetime=text::machine_time(at)>{text::date(at)}</time> }
}

#[component]
pub fn DateTime(at: chrono::DateTime<Utc>) -> impl IntoView {
    view! { <time datetime=text::machine_time(at)>{text::date_time(at)}</time> }
}
