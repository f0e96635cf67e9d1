//! Server functions: what a page asks of the server. Each finds out who asks, calls one thing in
//! `crate::server`, and returns a view. All are POST, under `/fn`; `router` lists them.

mod actions;
mod admin;
mod buying;
mod ledger;
mod people;
mod settings;

pub use self::{
    actions::{ListActions, Spend, list_actions, offer, quote, spend},
    admin::{
        HandleDifference, RefundPurchase, ReplayEvent, admin_purchase, admin_purchases, differences,
        handle_difference, inbox, preview_refund, refund_purchase, replay_event,
    },
    buying::{
        Buy, CancelPurchase, ChangePlan, OpenBillingPortal, buy, cancel_purchase, change_plan,
        open_billing_portal, preview_change, purchase, shop,
    },
    ledger::{credits, history},
    people::{
        DismissWarning, EnterPortal, SignIn, SignOut, SignUp, dismiss_warning, enter_portal, session,
        sign_in, sign_out, sign_up, typed_email,
    },
    settings::{SetTopUp, TurnOffTopUp, set_top_up, top_up, turn_off_top_up},
};
