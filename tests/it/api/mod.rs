//! The HTTP API, as a host application calls it.

mod authorization;
mod bad_input;
mod browser;
mod calls;
mod clock;
mod description;
pub mod host;
mod idempotency;
mod keys;
mod lists;
mod live;
mod portal;
mod sales;
mod subscriptions;
