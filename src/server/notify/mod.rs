//! Telling: those who watch an account hear of its changes, whichever process made them.
//!
//! What a process changes it tells all (`tell`), coalesced and on a connection of its own: a signal within the
//! ledger's own transactions would make these wait for each other. Each process hears what all tell (`hear`), and wakes
//! those of its callers who watch (`live`). A signal is a hint; what is shown is read after it.

mod hear;
mod live;
mod tell;

pub use self::{
    hear::hear,
    live::{Live, Watch},
    tell::tell,
};
