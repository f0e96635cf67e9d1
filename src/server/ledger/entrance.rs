//! The entrance of a lane: where commands wait until they are carried out, and accounts until they are settled. Both go
//! the same way from here, so that a lane knows of all that its process does to its accounts.

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use super::{asked::Asked, batch::Answer, due::Settled, lanes::Worker};
use crate::{
    domain::{AccountId, Command},
    problem::Problem,
    server::Error,
};

/// How many commands one lane keeps waiting; who comes then is told that the system is overloaded.
const QUEUE_MAX: usize = 8_192;

/// How many batches of accounts wait to be settled. Who has more waits with them.
const DUE_MAX: usize = 1;

/// The entrance of a lane.
#[derive(Debug)]
pub struct Lane {
    queue: mpsc::Sender<Asked>,
    due: mpsc::Sender<Due>,
}

/// What has entered a lane, for its worker to take.
pub struct Entered {
    pub commands: mpsc::Receiver<Asked>,
    pub due: mpsc::Receiver<Due>,
}

/// Accounts on which something fell due.
pub struct Due {
    pub accounts: Vec<AccountId>,
    pub reply: oneshot::Sender<sqlx::Result<Settled>>,
}

impl Lane {
    /// Opens a lane, and sets its worker to work.
    pub fn open(worker: Worker, stop: watch::Receiver<bool>) -> (Self, JoinHandle<()>) {
        let (queue, commands) = mpsc::channel(QUEUE_MAX);
        let (due, accounts) = mpsc::channel(DUE_MAX);
        let entered = Entered { commands, due: accounts };
        (Self { queue, due }, tokio::spawn(worker.run(entered, stop)))
    }

    /// Hands a command in and waits for its answer. A caller that stops waiting does not undo anything: the
    /// same key finds out what became of it.
    pub async fn execute(&self, command: Command) -> Result<Answer, Error> {
        let (asked, answer) = Asked::new(command);
        self.queue.try_send(asked).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Problem::Overloaded,
            mpsc::error::TrySendError::Closed(_) => Problem::Unavailable,
        })?;
        answer.await.map_err(|_| Error::internal("a command without an answer"))?
    }

    /// Writes what fell due on accounts, on all that nobody else holds or on none.
    ///
    /// # Errors
    /// [`Error::Internal`] where one of the accounts is to blame, [`Error::is_lock_timeout`] where somebody else holds what
    /// belongs to one, [`Error::Stopping`] where the lane stops before it comes to them.
    pub async fn settle(&self, accounts: Vec<AccountId>) -> Result<Settled, Error> {
        let (reply, settled) = oneshot::channel();
        self.due.send(Due { accounts, reply }).await.map_err(|_| Error::Stopping)?;
        let settled = settled.await.map_err(|_| match self.due.is_closed() {
            true => Error::Stopping,
            false => Error::internal("settling them panicked"),
        })?;
        settled.map_err(|error| if is_too_much(&error) { Error::internal(error) } else { error.into() })
    }
}

/// Whether it was too much for one statement: fewer accounts may fare better.
fn is_too_much(error: &sqlx::Error) -> bool {
    const STATEMENT_TIMEOUT: &str = "57014";
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == STATEMENT_TIMEOUT)
}
