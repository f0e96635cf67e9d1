//! What a lane remembers of accounts, so that it need not read them before it changes them. Nothing here is
//! taken for true: every write names the version that it was decided on, and fails if that is not the last.
//! So it may also run ahead of what is written.

use std::num::NonZeroUsize;

use lru::LruCache;

use crate::domain::{Account, AccountId};

/// How many accounts one lane remembers. The least recently used are forgotten first.
const ACCOUNTS_MAX: NonZeroUsize = NonZeroUsize::new(32_768).expect("not zero");

/// How many lots these may have together: some 10 MB.
const LOTS_MAX: usize = 65_536;

/// Accounts as they are, if all goes well, once everything that is decided is written.
pub struct Memory {
    accounts: LruCache<AccountId, Account>,
    lots: usize,
}

impl Memory {
    pub fn new() -> Self {
        Self { accounts: LruCache::new(ACCOUNTS_MAX), lots: 0 }
    }

    /// Takes an account out, to decide on it.
    pub fn take(&mut self, id: AccountId) -> Option<Account> {
        let account = self.accounts.pop(&id)?;
        self.lots -= account.lots().len();
        Some(account)
    }

    /// Remembers an account as it goes on from here.
    pub fn keep(&mut self, account: Account) {
        self.take(account.id());
        self.lots += account.lots().len();
        if let Some((_, forgotten)) = self.accounts.push(account.id(), account) {
            self.lots -= forgotten.lots().len();
        }
        while self.lots > LOTS_MAX
            && let Some((_, forgotten)) = self.accounts.pop_lru()
        {
            self.lots -= forgotten.lots().len();
        }
    }

    pub fn forget_all(&mut self) {
        self.accounts.clear();
        self.lots = 0;
    }
}
