//! What a lane remembers of accounts, so that it need not read them before it changes them. Nothing here is
//! taken for true: every write names the end of the history that it was decided on, and fails if that is another.
//! So it may also run ahead of what is written.

use std::num::NonZeroUsize;

use lru::LruCache;

use crate::domain::{Account, AccountId};

/// How many accounts one lane remembers. The least recently used are forgotten first.
const ACCOUNTS_MAX: NonZeroUsize = NonZeroUsize::new(32_768).expect("not zero");

/// How many lots and holds these may have together: some 10 MB.
const PARTS_MAX: usize = 65_536;

/// Accounts as they are, if all goes well, once everything that is decided is written.
pub struct Memory {
    accounts: LruCache<AccountId, Account>,
    parts: usize,
}

impl Memory {
    pub fn new() -> Self {
        Self { accounts: LruCache::new(ACCOUNTS_MAX), parts: 0 }
    }

    /// Takes an account out, to decide on it.
    pub fn take(&mut self, id: AccountId) -> Option<Account> {
        let account = self.accounts.pop(&id)?;
        self.parts -= parts(&account);
        Some(account)
    }

    pub fn has(&self, id: AccountId) -> bool {
        self.accounts.contains(&id)
    }

    /// Remembers an account as it goes on from here.
    pub fn keep(&mut self, account: Account) {
        self.take(account.id());
        if parts(&account) > PARTS_MAX {
            // It would push out all others, and then itself.
            return;
        }
        self.parts += parts(&account);
        if let Some((_, forgotten)) = self.accounts.push(account.id(), account) {
            self.parts -= parts(&forgotten);
        }
        while self.parts > PARTS_MAX
            && let Some((_, forgotten)) = self.accounts.pop_lru()
        {
            self.parts -= parts(&forgotten);
        }
    }

    pub fn forget_all(&mut self) {
        self.accounts.clear();
        self.parts = 0;
    }
}

fn parts(account: &Account) -> usize {
    account.lots().len() + account.holds().len()
}
