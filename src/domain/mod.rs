//! The law of credits: what a credit is, who may spend which one, and what is written down.
//!
//! Everything here is pure: no clock, no IO, no randomness. The same code decides on the server, runs in
//! the browser and is tested without either. Time always comes in as an argument.
//!
//! # The law
//!
//! 1. **Credits are whole numbers.** [`Credits`] never go below zero; an [`Amount`] that is asked for is
//!    between 1 and 1,000,000,000,000. Arithmetic is checked; there are no floats.
//! 2. **Credits live in lots.** A [`Lot`] is active at `t` when `effective_at <= t < expires_at`. What an
//!    account has *available* is the sum of what remains in its active lots, judged at the moment of every
//!    command and every read: a lapsed credit cannot be spent, whether or not anything has swept it up.
//! 3. **Lots are spent in a fixed order:** lower priority first, then the one that expires earlier (a lot
//!    that never expires comes last), then the older one.
//! 4. **A spend is all or nothing.** A [`Shortfall`] changes nothing and names what was needed, what is
//!    available and what is missing.
//! 5. **A spend may have to leave something.** With a `min_balance` in the catalog, no spend may leave less
//!    than that available.
//! 6. **Every change is one entry.** An [`Entry`] holds the change, the balances before and after, and how
//!    much moved in which lot. Entries are numbered 1, 2, 3 … per account without gaps, and are never
//!    changed or deleted.
//! 7. **Lapsed lots are settled first.** Before a command is decided, each lot that lapsed since the last
//!    one gets an entry of its own, dated at the moment when it lapsed. So history always adds up to what
//!    is available, and a job that is late is never noticed.
//! 8. **Time never runs backwards on an account.** A command dated up to [`CLOCK_SLACK`] before the
//!    account's last entry is lifted to it; one dated further back is refused.
//! 9. **A command is carried out once.** It bears an [`IdempotencyKey`], bound to a [`Fingerprint`] of its
//!    content. The same key and content returns the first answer; the same key with other content is
//!    refused. A refused command leaves no trace, so its key may succeed later.
//!
//! # Reading order
//!
//! [`credits`] and [`id`] are the vocabulary. A [`Command`](command::Command) meets an
//! [`Account`](account::Account) in [`decide`], which answers with an [`Entry`](entry::Entry) or a
//! [`Refusal`]. [`catalog`] says what actions cost; [`level`] says when to warn.

pub mod account;
pub mod catalog;
pub mod command;
pub mod credits;
pub mod entry;
pub mod id;
pub mod level;
pub mod lot;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod testing;

pub use account::{Account, CLOCK_SLACK, Quote, Receipt, Refusal, Shortfall, decide};
pub use catalog::Catalog;
pub use command::{Act, Command, Fingerprint, Grant, IdempotencyKey, Spend};
pub use credits::{Amount, Credits};
pub use entry::{Entry, Kind, Movement};
pub use id::{AccountId, LotNumber, UserId, Version};
pub use level::Level;
pub use lot::{Lot, LotState, Priority, Source};
