//! Server functions: what a page asks of the server. Each finds out who asks, calls one thing in
//! `crate::server`, and returns a view. All are POST, under `/fn`; `router` lists them.

mod actions;
mod ledger;
mod people;

pub use self::{
    actions::{ListActions, Spend, list_actions, offer, quote, spend},
    ledger::{credits, history},
    people::{
        DismissWarning, EnterPortal, SignIn, SignOut, SignUp, dismiss_warning, enter_portal, session,
        sign_in, sign_out, sign_up, typed_email,
    },
};
