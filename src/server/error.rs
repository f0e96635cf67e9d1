//! What can go wrong inside, with its cause. At the edge it becomes a [`Problem`]: the cause goes to the
//! log with the request's id, and nothing of it to the reader.

use std::{error::Error as StdError, io};

use thiserror::Error;
use uuid::Uuid;

use crate::problem::Problem;

#[derive(Debug, Error)]
pub enum Error {
    /// The reader's own doing, or the law's answer.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// The database can't be reached now; the same request may succeed in a moment.
    #[error("the database is out of reach")]
    Unavailable(#[source] sqlx::Error),
    /// The ledger takes nothing more, since the program stops. What was asked for was not done.
    #[error("the ledger is stopping")]
    Stopping,
    /// A fault of the program or its data.
    #[error("internal error")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
}

impl Error {
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    /// Whether it was only that somebody held an account's lock for long.
    pub fn is_lock_timeout(&self) -> bool {
        matches!(self, Self::Unavailable(error) if is_lock_timeout(error))
    }

    /// What went wrong, with its causes, in one line: for operators. Of the database it has the message alone, without the
    /// values that a statement was about.
    pub fn causes(&self) -> String {
        Chain(self).to_string()
    }

    /// What the reader is told. `request` names the request in the log.
    pub fn into_problem(self, request: Uuid) -> Problem {
        match self {
            Self::Problem(problem) => problem,
            Self::Unavailable(cause) => {
                tracing::warn!(%request, error = %cause, "the database is out of reach");
                Problem::Unavailable
            }
            Self::Stopping => Problem::Unavailable,
            Self::Internal(cause) => {
                tracing::error!(%request, error = %Chain(cause.as_ref()), "internal error");
                Problem::Internal { reference: request }
            }
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if is_out_of_reach(&error) { Self::Unavailable(error) } else { Self::internal(error) }
    }
}

impl From<tower_sessions::session::Error> for Error {
    fn from(error: tower_sessions::session::Error) -> Self {
        use tower_sessions::{session, session_store};
        match error {
            // Our store has one reason to call itself the back end's victim: the database.
            session::Error::Store(session_store::Error::Backend(cause)) => {
                Self::Unavailable(sqlx::Error::Io(io::Error::other(cause)))
            }
            error => Self::internal(error),
        }
    }
}

/// Whether the database was not there to answer, as opposed to answering that something is wrong.
pub fn is_out_of_reach(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        // What stands before a database that is away may speak something else, or nothing.
        | sqlx::Error::Protocol(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_passing(&code)),
        _ => false,
    }
}

/// Somebody holds an account's lock for long. Who waits for others than that one need not wait with it.
pub fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "55P03")
}

/// SQLSTATEs of what may go better in a moment: a lost connection (08), a database that takes no writes now
/// (25006), a conflict with others (40), no room (53), a lock that was waited for too long (55P03), a
/// shut-down or a statement that was broken off (57).
fn is_passing(code: &str) -> bool {
    ["08", "25006", "40", "53", "55P03", "57"].iter().any(|prefix| code.starts_with(prefix))
}

/// An error and its causes in one line.
struct Chain<'a>(&'a (dyn StdError + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_not_an_internal_error() {
        assert!(is_out_of_reach(&sqlx::Error::PoolTimedOut));
        assert!(is_out_of_reach(&sqlx::Error::Io(io::Error::other("reset"))));
        assert!(is_out_of_reach(&sqlx::Error::Protocol("unexpected response from SSLRequest: 0x00".into())));
        assert!(!is_out_of_reach(&sqlx::Error::RowNotFound));
    }

    #[test]
    fn what_may_go_better_in_a_moment_is_told_from_what_is_broken() {
        for code in ["57P01", "57014", "55P03", "40001", "40P01", "53300", "08006", "25006"] {
            assert!(is_passing(code), "{code}");
        }
        for code in ["42P01", "23505", "22003", "42501", "55000"] {
            assert!(!is_passing(code), "{code}");
        }
    }

    #[test]
    fn the_reader_learns_nothing_of_the_inside() {
        let reference = Uuid::from_u128(7);
        let problem = Error::internal("relation \"secrets\" does not exist").into_problem(reference);
        assert_eq!(problem, Problem::Internal { reference });
        assert!(!problem.to_string().contains("secrets"));
    }
}
