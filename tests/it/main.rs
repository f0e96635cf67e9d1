//! The program from outside: over HTTP, through the engine, on a real PostgreSQL. Each test has a database
//! of its own, made by `#[sqlx::test]` on the server that DATABASE_URL names; `scripts/with-postgres` runs
//! a command with one.

mod api;
mod buying;
mod catalog;
mod changing;
mod embedded;
mod guide;
mod history;
mod jobs;
mod ledger;
mod migration;
mod outage;
mod people;
mod program;
mod purchases;
mod reference;
mod sandbox;
mod spending;
mod support;
mod urls;
mod verify;
mod walks;
mod warnings;
