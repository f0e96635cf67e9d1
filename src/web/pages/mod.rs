//! One file a page.

mod action;
mod actions;
mod credits;
mod history;
mod home;
mod no_such_page;
mod portal;
mod sign_in;
mod sign_up;

pub use self::{
    action::ActionPage, actions::Actions, credits::Credits, history::History, home::Home,
    no_such_page::NoSuchPage, portal::PortalPage, sign_in::SignInPage, sign_up::SignUpPage,
};
