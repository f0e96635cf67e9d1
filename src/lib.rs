//! Scrip: a self-hosted credit system. The rooms, in reading order; the same crate is compiled once as the
//! program (`ssr`) and once as the browser's part of its pages (`hydrate`).

#[cfg(all(feature = "ssr", feature = "hydrate"))]
compile_error!("`ssr` and `hydrate` are two programs: build one at a time, never with --all-features");

pub mod domain;
pub mod problem;
#[cfg(feature = "ssr")]
pub mod router;
#[cfg(feature = "ssr")]
pub mod server;
pub mod text;
pub mod views;
pub mod web;

/// Wakes the page that the server sent.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(web::app::App);
}
