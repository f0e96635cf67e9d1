//! The engine: commands in, answers out. Every change of an account passes through `batch`, in the end through
//! [`decide`](crate::domain::decide); there is no second way.
//!
//! `lanes` gather single commands (`asked`) that come in by their `entrance` into batches, `memory` spares them reading,
//! `batch` carries one out; `due` finds what is to be settled; `history` reads, `verify` checks the books; `changed`
//! remembers which accounts somebody should look at again.

mod asked;
mod batch;
mod changed;
mod decided;
mod due;
mod entrance;
mod history;
mod lanes;
mod memory;
pub mod verify;

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::{PgConnection, PgPool};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinHandle,
};

pub use self::{
    batch::Answer,
    changed::Changed,
    due::{Settled, overdue},
    history::History,
};
use self::{entrance::Lane, lanes::Worker};
pub use super::store::ledger::{Bucket, Filter, MonthTally};
use super::{
    Error,
    clock::Clock,
    store::{
        self,
        ledger::{self as tables, Buckets},
    },
};
use crate::domain::{AccountId, Command};

/// How many connections there are for what the lanes do not do.
const BESIDE_LANES: usize = 8;

/// How many lanes write at the same moment. The commands of the others gather meanwhile, and cost less together than
/// apart; and what only reads is not kept waiting by eight statements at once.
const BUSY_LANES: usize = 3;

/// The ledger of one database. Several processes may each have one: what each writes names the history that
/// it was decided on, or is decided under the account's lock, so they need not know of each other.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// For what the lanes do not do.
    pool: PgPool,
    clock: Clock,
    buckets: Buckets,
    /// One for each bucket.
    lanes: Arc<[Lane]>,
    running: Arc<Running>,
    changed: Arc<Changed>,
}

#[derive(Debug)]
struct Running {
    stop: watch::Sender<bool>,
    lanes: Mutex<Vec<JoinHandle<()>>>,
}

impl Ledger {
    /// # Errors
    /// When the database can't be read: the ledger's layout is in it.
    pub async fn open(pool: PgPool, clock: Clock) -> sqlx::Result<Self> {
        let buckets = Buckets::read(&pool).await?;
        let lanes_pool = store::connect_ledger(&pool, buckets.all().count());
        let pool = store::connect_ledger(&pool, BESIDE_LANES);
        let (stop, stopping) = watch::channel(false);
        let (busy, changed) = (Arc::new(Semaphore::new(BUSY_LANES)), Arc::<Changed>::default());
        let (lanes, workers): (Vec<Lane>, Vec<JoinHandle<()>>) = buckets
            .all()
            .map(|bucket| {
                let worker =
                    Worker::new(lanes_pool.clone(), clock.clone(), bucket, busy.clone(), changed.clone());
                Lane::open(worker, stopping.clone())
            })
            .unzip();
        let running = Arc::new(Running { stop, lanes: Mutex::new(workers) });
        Ok(Self { pool, clock, buckets, lanes: lanes.into(), running, changed })
    }

    /// What this process has changed, for whoever tells the others.
    pub fn changed(&self) -> &Changed {
        &self.changed
    }

    /// Takes no more commands, and returns when those that were accepted, and that somebody still waits for, are
    /// answered.
    pub async fn stop(&self) {
        self.running.stop.send_replace(true);
        let lanes = std::mem::take(&mut *self.running.lanes.lock().unwrap_or_else(PoisonError::into_inner));
        for lane in lanes {
            // A lane that panicked has said so in the log.
            let _ = lane.await;
        }
    }

    /// Makes an account without history, in the caller's transaction.
    pub async fn open_account(&self, conn: &mut PgConnection) -> sqlx::Result<AccountId> {
        let account = AccountId::from(self.clock.new_id());
        tables::open(conn, self.buckets.of(account), account, self.clock.now()).await?;
        Ok(account)
    }

    /// Carries out one command. When this returns with a receipt, its effect is on disk. The outer error
    /// means that it is not known whether the command was carried out, unless it says that it was not
    /// accepted; the same command may be sent again under its key. The inner one is the law's answer.
    ///
    /// A caller that goes away before the answer does not undo anything.
    pub async fn execute(&self, command: Command) -> Result<Answer, Error> {
        self.lanes[self.buckets.of(command.account).index()].execute(command).await
    }

    /// Carries out commands on one account within the caller's transaction. Nothing has happened until the
    /// caller commits; then it may have to tell [`Ledger::changed`]. Answers in the order of the commands; a refused
    /// one does not fail its neighbours.
    pub async fn execute_in(
        &self,
        conn: &mut PgConnection,
        account: AccountId,
        commands: &[Command],
    ) -> sqlx::Result<Vec<Answer>> {
        debug_assert!(commands.iter().all(|command| command.account == account));
        let bucket = self.buckets.of(account);
        Ok(batch::under_lock(conn, &self.clock, bucket, commands).await?.0)
    }
}
