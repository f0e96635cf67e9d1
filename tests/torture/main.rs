//! The ledger under torture: crowds of callers at once, callers who go away, programs and databases that are
//! killed under load, wires that lose answers. After each, the books must say what the callers were told.
//!
//! That they fail where the engine is broken is tried, too: `scripts/mutants` breaks it in one place after another.
//!
//! The tests as they stand are the short form. `scripts/torture` runs the same with larger bounds (`bounds`).

mod books;
mod bounds;
mod concurrent;
mod crowd;
mod database;
mod deed;
mod faults;
mod killed;
mod model;
mod overload;
mod place;
mod renewals;
mod set_back;
mod wire;
