//! Lanes: the one way in which single commands reach the database. Each bucket has one: a bounded queue (`entrance`),
//! a connection, a memory. While one batch commits, the commands that arrive form the next; so thousands of
//! spends share one flush to disk, and an idle system dispatches a single one at once, with no timer.
//!
//! A lane first decides on what it remembers, or has just read; the statement that writes it fails if that was wrong.
//! While a large batch is written the next one is decided already, on accounts as they will be; no answer goes out
//! before what it rests on is on disk. Whatever is left open is done under locks, also every refusal. There, a lost
//! connection, a deadlock or a failover is tried again for a while: the keys of the commands tell what was done
//! before the answer was lost. What fell due on accounts that nobody asks anything of comes between two batches.

use std::{
    collections::{BTreeSet, btree_map::Entry},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use sqlx::{Connection, PgPool, Postgres, pool::PoolConnection};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::{Instant, sleep},
};

use super::{
    asked::{Asked, Caller, apart, fail},
    batch::{self, Answer},
    changed::Changed,
    decided::Decided,
    due::Settled,
    entrance::{Due, Entered},
    memory::Memory,
};
use crate::{
    domain::{Account, AccountId, Command, Refusal, decide},
    server::{
        clock::Clock,
        error::{is_lock_timeout, is_out_of_reach},
        store::ledger::{self as store, Bucket},
    },
};

/// How many commands share one transaction.
const BATCH_MAX: usize = 1_024;

/// With so many commands or more in a batch, what arrives while it is written is decided meanwhile, so many at a
/// time. Below that it costs more than it brings.
const AHEAD_MIN: usize = 128;

/// For how long a batch is tried again while the database is out of reach.
const RETRY_FOR: Duration = Duration::from_secs(5);
const PAUSE_FIRST: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// How many batches a lane works without its memory once that was wrong: somebody else is at work on the same
/// accounts then, and a statement that fails costs more than a lock.
const DISTRUST: u32 = 16;

/// What works in a lane.
pub struct Worker {
    pool: PgPool,
    clock: Clock,
    bucket: Bucket,
    conn: Option<PoolConnection<Postgres>>,
    memory: Memory,
    /// For how many batches more the memory is not used.
    distrust: u32,
    busy: Arc<Semaphore>,
    changed: Arc<Changed>,
}

impl Worker {
    pub fn new(
        pool: PgPool,
        clock: Clock,
        bucket: Bucket,
        busy: Arc<Semaphore>,
        changed: Arc<Changed>,
    ) -> Self {
        Self { pool, clock, bucket, conn: None, memory: Memory::new(), distrust: 0, busy, changed }
    }

    /// Works until `stop` says so, or nobody can ask it any more; then it finishes what it has accepted.
    pub async fn run(mut self, entered: Entered, mut stop: watch::Receiver<bool>) {
        let Entered { mut commands, mut due } = entered;
        let mut ahead = Decided::default();
        let mut arrived = Vec::with_capacity(BATCH_MAX);
        let mut waiting: Option<Due> = None;
        loop {
            if *stop.borrow() {
                commands.close();
            }
            if ahead.is_empty() {
                tokio::select! {
                    count = commands.recv_many(&mut arrived, BATCH_MAX) => if count == 0 { break },
                    Some(first) = due.recv(), if !commands.is_closed() => waiting = Some(first),
                    // A ledger that is dropped can't say stop any more; then its queues end.
                    _ = stop.wait_for(|stop| *stop), if !commands.is_closed() => continue,
                }
            }
            let work = async {
                let busy = Arc::clone(&self.busy).acquire_owned().await;
                // What has arrived while others were busy belongs to the batch as well.
                while arrived.len() + ahead.len() < BATCH_MAX
                    && let Ok(asked) = commands.try_recv()
                {
                    arrived.push(asked);
                }
                self.decide(&mut arrived, &mut ahead);
                let batch = std::mem::take(&mut ahead);
                let left = self.carry_out(batch, &mut commands, &mut ahead).await;
                // Who waits for locks does not keep the others from working.
                drop(busy);
                if !left.is_empty() {
                    self.under_lock(left).await;
                }
                // After the commands, and also where they never end.
                if let Some(Due { accounts, reply }) = waiting.take().or_else(|| due.try_recv().ok()) {
                    // Who has gone away finds what is left to do.
                    let _ = reply.send(self.settle(accounts).await);
                }
            };
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                // Who waits learns that there is no answer. The database has whole batches or nothing.
                tracing::error!(bucket = self.bucket.index(), "a batch panicked");
                self.memory.forget_all();
                self.conn = None;
                ahead = Decided::default();
                arrived.clear();
            }
        }
    }

    /// Settles accounts, between two batches of commands. It is not tried again: whoever asked will ask again.
    async fn settle(&mut self, mut due: Vec<AccountId>) -> sqlx::Result<Settled> {
        let mut conn = self.take_connection().await?;
        let mut transaction = conn.begin().await?;
        let settled = batch::settle(&mut transaction, &self.clock, self.bucket, &due).await?;
        transaction.commit().await?;
        self.conn = Some(conn);
        let mut written = Vec::with_capacity(settled.len());
        for account in settled {
            due.retain(|id| *id != account.id());
            written.extend(account.has_unwritten().then(|| account.id()));
            // Those that only fell due would push out those that are asked for.
            if self.memory.has(account.id()) {
                self.memory.keep(account.continued());
            }
        }
        self.changed.note(written.iter().copied());
        Ok(Settled { written, held: due })
    }

    /// Decides what can be decided on the accounts at hand, and on those that memory has, for one batch.
    fn decide(&mut self, arrived: &mut Vec<Asked>, batch: &mut Decided) {
        let now = self.clock.now();
        for asked in arrived.drain(..).filter_map(Asked::still_wanted) {
            let id = asked.command.account;
            let account = match batch.accounts.entry(id) {
                Entry::Occupied(known) => Some(known.into_mut()),
                Entry::Vacant(_) if self.distrust > 0 => None,
                Entry::Vacant(place) => self.memory.take(id).map(|account| place.insert(account)),
            };
            match account.filter(|account| account.knows_enough_for(&asked.command.act)) {
                Some(account) => {
                    let answer = decide(account, &asked.command, now);
                    batch.answers.push((asked, answer));
                }
                None => batch.left.push(asked),
            }
        }
    }

    /// Reads the accounts that memory did not have, and decides on them what they were asked. Without a lock: if they
    /// change before they are written, that is noticed there.
    async fn read_forgotten(&mut self, batch: &mut Decided) -> sqlx::Result<()> {
        let asked = batch.left.iter().filter(|asked| !asked.command.act.names_the_past());
        let asked = asked.map(|asked| asked.command.account);
        let forgotten: BTreeSet<AccountId> = asked.filter(|id| !batch.accounts.contains_key(id)).collect();
        if forgotten.is_empty() || self.distrust > 0 {
            return Ok(());
        }
        let forgotten: Vec<AccountId> = forgotten.into_iter().collect();
        let mut conn = self.take_connection().await?;
        let read = store::load(&mut conn, self.bucket, &forgotten, &[]).await?;
        self.conn = Some(conn);
        batch.accounts.extend(read.into_iter().map(|account| (account.id(), account)));
        let mut asked = std::mem::take(&mut batch.left);
        self.decide(&mut asked, batch);
        Ok(())
    }

    /// Writes a batch and answers it; returns what cannot be answered so, and has to be done under locks.
    async fn carry_out(
        &mut self,
        mut batch: Decided,
        commands: &mut mpsc::Receiver<Asked>,
        ahead: &mut Decided,
    ) -> Vec<Asked> {
        if let Err(error) = self.read_forgotten(&mut batch).await {
            let error: &dyn std::error::Error = &error;
            tracing::debug!(error, "accounts could not be read without a lock");
        }
        let Decided { accounts, answers, mut left } = batch;
        // A write confirms what it is about: the account's history and the keys of new entries. A refusal writes
        // nothing, so nothing says that its key was not used, nor that the account is as it was remembered.
        let is_written = |asked: &Asked| accounts[&asked.command.account].has_unwritten();
        let (confirmed, doubtful): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|(asked, answer)| answer.is_ok() && is_written(asked));
        left.extend(doubtful.into_iter().map(|(asked, _)| asked));
        let changed: Vec<Account> = accounts.into_values().filter(Account::has_unwritten).collect();
        changed.iter().for_each(|account| self.memory.keep(account.continued()));
        let ids: Vec<AccountId> = changed.iter().map(Account::id).collect();
        // Who runs ahead must not run into those that come back from here.
        let runs_ahead = left.is_empty() && confirmed.len() >= AHEAD_MIN;
        match self.write(changed, runs_ahead.then_some((commands, &mut *ahead))).await {
            Ok(()) => {
                self.changed.note(ids.into_iter());
                confirmed.into_iter().for_each(|(asked, answer)| asked.caller.answer(Ok(answer)));
            }
            Err(error) => {
                // What was decided ahead was decided on what is not there.
                let undone = std::mem::take(ahead);
                match store::Stale::of(&error) {
                    Some(stale) => {
                        ids.iter().chain(undone.accounts.keys()).for_each(|id| drop(self.memory.take(*id)));
                        if stale == store::Stale::Account {
                            self.distrust = DISTRUST;
                        }
                    }
                    // It may come back as another server, with another history.
                    None => self.memory.forget_all(),
                }
                let again = confirmed.into_iter().chain(undone.answers).map(|(asked, _)| asked);
                left = again.chain(left).chain(undone.left).collect();
            }
        }
        self.distrust = self.distrust.saturating_sub(1);
        left
    }

    /// Writes accounts. With a queue, what arrives in it meanwhile is decided on what is being written.
    async fn write(
        &mut self,
        accounts: Vec<Account>,
        ahead: Option<(&mut mpsc::Receiver<Asked>, &mut Decided)>,
    ) -> sqlx::Result<()> {
        if accounts.is_empty() {
            return Ok(());
        }
        let bucket = self.bucket;
        let mut conn = self.take_connection().await?;
        let Some((commands, ahead)) = ahead else {
            let written = batch::write(&mut conn, bucket, &accounts).await;
            self.give_back(conn, &written);
            return written;
        };
        let mut writing = tokio::spawn(async move {
            let written = batch::write(&mut conn, bucket, &accounts).await;
            (conn, written)
        });
        let mut arrived = Vec::with_capacity(AHEAD_MIN);
        let (conn, written) = loop {
            let room = BATCH_MAX.saturating_sub(ahead.len() + arrived.len());
            tokio::select! {
                done = &mut writing => break match done {
                    Ok((conn, written)) => (Some(conn), written),
                    Err(_) => (None, Err(sqlx::Error::WorkerCrashed)),
                },
                count = commands.recv_many(&mut arrived, room), if room > 0 && !commands.is_closed() => {
                    if count > 0 && (arrived.len() >= AHEAD_MIN || arrived.len() + ahead.len() == BATCH_MAX) {
                        self.decide(&mut arrived, ahead);
                    }
                }
            }
        };
        self.decide(&mut arrived, ahead);
        conn.into_iter().for_each(|conn| self.give_back(conn, &written));
        written
    }

    /// Answers all of them. Where they fail together, each account is tried apart, and then each command, so
    /// that one which is to blame does not fail its neighbours. Where the database is away, all fail at once.
    async fn under_lock(&mut self, batch: Vec<Asked>) {
        let mut groups = vec![batch];
        while let Some(group) = groups.pop() {
            let (commands, callers): (Vec<Command>, Vec<Caller>) =
                group.into_iter().map(|asked| (asked.command, asked.caller)).unzip();
            let error = match self.retry_under_lock(&commands).await {
                Ok(answers) => {
                    callers.into_iter().zip(answers).for_each(|(caller, answer)| caller.answer(Ok(answer)));
                    continue;
                }
                Err(error) => error,
            };
            let asked = |(command, caller)| Asked { command, caller };
            let group: Vec<Asked> = commands.into_iter().zip(callers).map(asked).collect();
            if is_out_of_reach(&error) && !is_lock_timeout(&error) {
                let rest = groups.drain(..).flatten();
                return fail(group.into_iter().chain(rest), &error);
            }
            match apart(group, is_lock_timeout(&error)) {
                Ok(parts) => groups.extend(parts),
                // Its digest is another account's, or one that came in between: so it counts as used.
                Err(group) if store::Stale::of(&error) == Some(store::Stale::Key) => {
                    group.into_iter().for_each(|asked| asked.caller.answer(Ok(Err(Refusal::KeyReused))));
                }
                Err(group) => fail(group.into_iter(), &error),
            }
        }
    }

    async fn retry_under_lock(&mut self, commands: &[Command]) -> sqlx::Result<Vec<Answer>> {
        let deadline = Instant::now() + RETRY_FOR;
        let mut pause = PAUSE_FIRST;
        loop {
            let error = match self.once_under_lock(commands).await {
                Ok(answers) => return Ok(answers),
                Err(error) => error,
            };
            let is_worth_it = is_out_of_reach(&error) && !is_lock_timeout(&error);
            if is_worth_it {
                // It may come back as another server, with another history.
                self.memory.forget_all();
            }
            if !is_worth_it || Instant::now() + pause > deadline {
                return Err(error);
            }
            sleep(pause).await;
            pause = PAUSE_MAX.min(pause * 2);
        }
    }

    async fn once_under_lock(&mut self, commands: &[Command]) -> sqlx::Result<Vec<Answer>> {
        let mut conn = self.take_connection().await?;
        let mut transaction = conn.begin().await?;
        let (answers, accounts) =
            batch::under_lock(&mut transaction, &self.clock, self.bucket, commands).await?;
        transaction.commit().await?;
        // Also those on which nothing new was written: it may be that the answer to the first attempt was lost.
        self.changed.note(accounts.iter().map(Account::id));
        accounts.iter().for_each(|account| self.memory.keep(account.continued()));
        self.conn = Some(conn);
        Ok(answers)
    }

    async fn take_connection(&mut self) -> sqlx::Result<PoolConnection<Postgres>> {
        match self.conn.take() {
            Some(conn) => Ok(conn),
            None => self.pool.acquire().await,
        }
    }

    /// A connection is used again unless it may be what failed.
    fn give_back(&mut self, conn: PoolConnection<Postgres>, written: &sqlx::Result<()>) {
        self.conn = match written {
            Err(error) if store::Stale::of(error).is_none() => None,
            _ => Some(conn),
        };
    }
}
