//! Everything that touches the world: the ledger's transactions, the database, people and their sessions.

pub mod auth;
pub mod caller;
pub mod catalog;
pub mod clock;
pub mod config;
pub mod demo;
pub mod error;
pub mod jobs;
pub mod layers;
pub mod ledger;
pub mod spending;
pub mod state;
pub mod store;

pub use error::Error;
pub use state::AppState;
