//! Everything that touches the world: the ledger's transactions, the database, people and their sessions, host
//! applications and their keys.

pub mod accounts;
pub mod api;
pub mod auth;
pub mod back_office;
pub mod buying;
pub mod caller;
pub mod catalog;
pub mod clock;
pub mod config;
pub mod demo;
pub mod error;
pub mod jobs;
pub mod layers;
pub mod ledger;
pub mod notify;
pub mod portal;
pub mod purchases;
pub mod settings;
pub mod spending;
pub mod state;
pub mod store;
pub mod stripe;
pub mod subscriptions;
pub mod test_clock;
pub mod top_ups;
pub mod warnings;

pub use error::Error;
pub use state::AppState;
