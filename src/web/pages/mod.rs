//! One file a page.

mod action;
mod actions;
pub mod admin;
mod buy;
mod change;
mod credits;
mod history;
mod home;
mod no_such_page;
mod portal;
mod purchase;
mod settings;
mod sign_in;
mod sign_up;

pub use self::{
    action::ActionPage, actions::Actions, buy::Buy, change::ChangePage, credits::Credits, history::History,
    home::Home, no_such_page::NoSuchPage, portal::PortalPage, purchase::PurchasePage, settings::Settings,
    sign_in::SignInPage, sign_up::SignUpPage,
};
