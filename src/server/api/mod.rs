//! The HTTP API: JSON for host applications, under `/api/v1`, and the routes that a product's own pages call
//! (`browser`). Each handler reads what was sent, asks the ledger one thing, and answers with an object.
//!
//! A request passes `authorize` (whose key, may it, how often), the extractors of `sent` (which refuse what is not as
//! it should be, and say where), a handler, and on its way out `fault`, which makes a problem of whatever went wrong.

pub mod accounts;
pub mod authorize;
pub mod browser;
mod carry_out;
mod csv;
mod events;
pub mod fault;
mod fields;
pub mod grants;
pub mod holds;
mod names;
mod objects;
pub mod openapi;
pub mod product;
pub mod reference;
pub mod sales;
mod sent;
pub mod spends;
pub mod subscriptions;

pub use self::{authorize::authorize, fault::Fault};
