//! A batch that is decided and not written yet.

use std::collections::BTreeMap;

use super::{asked::Asked, batch::Answer};
use crate::domain::{Account, AccountId};

/// Commands that were decided without a lock, for one batch.
#[derive(Default)]
pub struct Decided {
    /// As they are once the batch is written.
    pub accounts: BTreeMap<AccountId, Account>,
    pub answers: Vec<(Asked, Answer)>,
    /// Those that memory was not enough for.
    pub left: Vec<Asked>,
}

impl Decided {
    pub fn len(&self) -> usize {
        self.answers.len() + self.left.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
