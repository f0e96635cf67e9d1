//! Commands whose callers wait: each gets its own answer, whatever becomes of the others in its batch.

use std::{collections::BTreeMap, time::Duration};

use tokio::{sync::oneshot, time::Instant};

use super::batch::Answer;
use crate::{
    domain::{AccountId, Command},
    problem::Problem,
    server::{Error, error::is_out_of_reach},
};

/// A command that waited longer is not carried out any more: its caller has given up, or should.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// A command whose caller waits.
pub struct Asked {
    pub command: Command,
    pub caller: Caller,
}

pub struct Caller {
    since: Instant,
    reply: oneshot::Sender<Result<Answer, Error>>,
}

impl Asked {
    /// The command, and where its answer will come.
    pub fn new(command: Command) -> (Self, oneshot::Receiver<Result<Answer, Error>>) {
        let (reply, answer) = oneshot::channel();
        (Self { command, caller: Caller { since: Instant::now(), reply } }, answer)
    }

    /// `None` where nobody waits any more, or has waited too long.
    pub fn still_wanted(self) -> Option<Self> {
        if self.caller.since.elapsed() > WAIT_MAX {
            self.caller.answer(Err(Problem::Overloaded.into()));
            return None;
        }
        (!self.caller.reply.is_closed()).then_some(self)
    }
}

impl Caller {
    /// A caller that has gone away finds the answer by the command's key.
    pub fn answer(self, answer: Result<Answer, Error>) {
        let _ = self.reply.send(answer);
    }
}

/// A group by accounts, or one account's by commands unless it is the account that fails; or the group itself
/// where it can't be taken apart.
pub fn apart(group: Vec<Asked>, is_the_account: bool) -> Result<Vec<Vec<Asked>>, Vec<Asked>> {
    let first = group[0].command.account;
    if group.iter().any(|asked| asked.command.account != first) {
        let mut accounts: BTreeMap<AccountId, Vec<Asked>> = BTreeMap::new();
        for asked in group {
            accounts.entry(asked.command.account).or_default().push(asked);
        }
        return Ok(accounts.into_values().collect());
    }
    if group.len() == 1 || is_the_account {
        return Err(group);
    }
    // Taken from the end, so they are carried out in their order.
    Ok(group.into_iter().rev().map(|asked| vec![asked]).collect())
}

/// Tells all callers; the cause goes to the log once.
pub fn fail(group: impl Iterator<Item = Asked>, error: &sqlx::Error) {
    let is_passing = is_out_of_reach(error);
    let mut commands = 0;
    for asked in group {
        commands += 1;
        asked.caller.answer(Err(match is_passing {
            true => Problem::Unavailable.into(),
            false => Error::internal("the command's batch failed; the log has the cause"),
        }));
    }
    let error: &dyn std::error::Error = error;
    if is_passing {
        tracing::warn!(error, commands, "commands were not carried out");
    } else {
        tracing::error!(error, commands, "commands were not carried out");
    }
}
