//! Which accounts have changed since somebody last asked: a hint for those who watch them, so it may say that more
//! have than did, and never fewer.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::domain::AccountId;

/// How many are remembered by name; if there are more, it is said that there are many.
const NAMES_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub struct Changed {
    since: Mutex<Since>,
    any: Notify,
}

#[derive(Debug, Default)]
struct Since {
    accounts: HashSet<AccountId>,
    /// There were more than are remembered.
    are_many: bool,
}

impl Changed {
    pub fn note(&self, accounts: impl Iterator<Item = AccountId>) {
        let mut since = self.since();
        if !since.are_many {
            since.accounts.extend(accounts);
            since.are_many = since.accounts.len() > NAMES_MAX;
        }
        drop(since);
        self.any.notify_one();
    }

    /// More than can be named.
    pub fn note_many(&self) {
        self.since().are_many = true;
        self.any.notify_one();
    }

    /// Waits until there are some. `None`: more than are worth naming.
    pub async fn next(&self) -> Option<Vec<AccountId>> {
        loop {
            let told = self.any.notified();
            let since = std::mem::take(&mut *self.since());
            if since.are_many {
                return None;
            }
            if !since.accounts.is_empty() {
                return Some(since.accounts.into_iter().collect());
            }
            told.await;
        }
    }

    fn since(&self) -> MutexGuard<'_, Since> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn accounts(count: u128) -> impl Iterator<Item = AccountId> {
        (0..count).map(|number| AccountId::from(Uuid::from_u128(number)))
    }

    #[tokio::test]
    async fn each_account_is_told_once_and_then_forgotten() {
        let changed = Changed::default();
        changed.note(accounts(2));
        changed.note(accounts(1));
        assert_eq!(changed.next().await.map(|told| told.len()), Some(2));
        changed.note(accounts(1));
        assert_eq!(changed.next().await.map(|told| told.len()), Some(1));
    }

    #[tokio::test]
    async fn very_many_are_told_as_many() {
        let changed = Changed::default();
        changed.note(accounts(NAMES_MAX as u128));
        assert_eq!(changed.next().await.map(|told| told.len()), Some(NAMES_MAX));
        changed.note(accounts(NAMES_MAX as u128 + 1));
        changed.note(accounts(1));
        assert_eq!(changed.next().await, None);
    }
}
