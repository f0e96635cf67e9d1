//! Who watches which account in this process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::{domain::AccountId, problem::Problem};

/// How many may watch at once in one process.
const WATCHES_MAX: usize = 4_096;

/// How many of them look at the ledger at the same moment: fewer than it has connections for readers, so that a change
/// which wakes thousands does not keep others waiting.
const LOOKS_MAX: usize = 3;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Live {
    watched: Arc<Mutex<HashMap<AccountId, watch::Sender<()>>>>,
    room: Arc<Semaphore>,
    looking: Arc<Semaphore>,
    closing: Arc<watch::Sender<bool>>,
}

/// Somebody who watches an account.
#[derive(Debug)]
pub struct Watch {
    live: Live,
    account: AccountId,
    /// `None` at the end.
    changes: Option<watch::Receiver<()>>,
    closing: watch::Receiver<bool>,
    _room: OwnedSemaphorePermit,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            watched: Arc::default(),
            room: Arc::new(Semaphore::new(WATCHES_MAX)),
            looking: Arc::new(Semaphore::new(LOOKS_MAX)),
            closing: Arc::new(watch::channel(false).0),
        }
    }
}

impl Live {
    /// Watches an account from now on.
    ///
    /// # Errors
    /// [`Problem::Overloaded`] where as many watch as may.
    pub fn watch(&self, account: AccountId) -> Result<Watch, Problem> {
        let room = Arc::clone(&self.room).try_acquire_owned().map_err(|_| Problem::Overloaded)?;
        let changes = self.watched().entry(account).or_insert_with(|| watch::channel(()).0).subscribe();
        let closing = self.closing.subscribe();
        Ok(Watch { live: self.clone(), account, changes: Some(changes), closing, _room: room })
    }

    /// The account may have changed.
    pub fn wake(&self, account: AccountId) {
        if let Some(watched) = self.watched().get(&account) {
            watched.send_replace(());
        }
    }

    /// Any account may have changed.
    pub fn wake_all(&self) {
        self.watched().values().for_each(|watched| watched.send_replace(()));
    }

    /// Ends all watching: the program stops.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<AccountId, watch::Sender<()>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Returns when the account may have changed since the last time. `false`: there is nothing more to watch.
    pub async fn changed(&mut self) -> bool {
        let Some(changes) = &mut self.changes else { return false };
        tokio::select! {
            changed = changes.changed() => changed.is_ok(),
            _ = self.closing.wait_for(|closing| *closing) => false,
        }
    }

    /// Does what reads the ledger, a few at a time.
    pub async fn look<T>(&self, reading: impl Future<Output = T>) -> T {
        // It fails only where the semaphore is closed, which nobody does.
        let _turn = self.live.looking.acquire().await;
        reading.await
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let live = self.live.clone();
        let mut watched = live.watched();
        // Here, where nobody else counts at the same time.
        self.changes = None;
        if watched.get(&self.account).is_some_and(|sender| sender.receiver_count() == 0) {
            watched.remove(&self.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn account(number: u128) -> AccountId {
        AccountId::from(Uuid::from_u128(number))
    }

    #[tokio::test]
    async fn who_watches_an_account_is_woken_by_its_changes_alone() {
        let live = Live::default();
        let (mut one, mut other) = (live.watch(account(1)).unwrap(), live.watch(account(2)).unwrap());
        live.wake(account(1));
        assert!(one.changed().await);
        assert!(!other.changes.as_ref().unwrap().has_changed().unwrap());
        live.wake_all();
        assert!(one.changed().await && other.changed().await);
        live.close();
        assert!(!one.changed().await);
    }

    #[test]
    fn an_account_that_nobody_watches_any_more_is_forgotten() {
        let live = Live::default();
        let (one, other) = (live.watch(account(1)).unwrap(), live.watch(account(1)).unwrap());
        drop(one);
        assert_eq!(live.watched().len(), 1);
        drop(other);
        assert!(live.watched().is_empty());
    }

    #[test]
    fn no_more_watch_than_there_is_room_for() {
        let live = Live::default();
        let watches: Vec<Watch> = (0..WATCHES_MAX).map(|_| live.watch(account(1)).unwrap()).collect();
        assert_eq!(live.watch(account(1)).unwrap_err(), Problem::Overloaded);
        drop(watches);
        assert!(live.watch(account(1)).is_ok());
    }
}
