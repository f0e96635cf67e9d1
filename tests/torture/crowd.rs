//! Many callers at once on few accounts, through several engines: they ask, ask again, ask twice at the same
//! time, give up and come back.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use scrip::{
    domain::{AccountId, Refusal},
    server::{clock::Clock, ledger::Ledger},
};
use tokio::task::{JoinSet, yield_now};

use crate::{
    books::{Books, Outcome},
    deed::{Deed, Known, pack},
    place::breathe,
};

/// How the callers are, each in so many of a thousand cases.
#[derive(Clone, Copy)]
pub struct Manner {
    /// They ask again, twice at once, give up, or misuse a key.
    pub restless: u32,
    /// They go to another engine than the first.
    pub elsewhere: u32,
}

/// Few callers, who use every engine and every trick.
pub const UNRULY: Manner = Manner { restless: 440, elsewhere: 500 };
/// So that a throng of them is served from memory, and ahead of what is written, until somebody disturbs it.
pub const ORDERLY: Manner = Manner { restless: 4, elsewhere: 1 };

pub struct Crowd {
    pub engines: Vec<Ledger>,
    manner: Manner,
    accounts: Vec<AccountId>,
    /// How many of the accounts get most of what is asked.
    hot: usize,
    known: Vec<Mutex<Known>>,
    pub books: Books,
    clock: Clock,
    enough: AtomicBool,
}

impl Crowd {
    pub fn new(engines: Vec<Ledger>, accounts: Vec<AccountId>, hot: usize, manner: Manner) -> Arc<Self> {
        let known = accounts.iter().map(|_| Mutex::default()).collect();
        Arc::new(Self {
            engines,
            manner,
            accounts,
            hot,
            known,
            books: Books::default(),
            clock: Clock::default(),
            enough: AtomicBool::new(false),
        })
    }

    /// Sends in `callers`, each with the deeds of its own seed, until each has asked `commands` times or
    /// [`enough`](Self::enough) is said.
    pub async fn callers(self: &Arc<Self>, callers: usize, commands: usize, rng: &mut StdRng) -> JoinSet<()> {
        for account in 0..self.accounts.len() {
            let outcome = self.ask(0, account, "to-begin-with", &pack(60)).await;
            assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        }
        let mut tasks = JoinSet::new();
        for caller in 0..callers {
            let (crowd, mut rng) = (Arc::clone(self), StdRng::from_rng(rng));
            tasks.spawn(async move {
                for number in 0..commands {
                    if crowd.enough.load(Ordering::Relaxed) {
                        break;
                    }
                    crowd.one(&mut rng, &format!("{caller}-{number}")).await;
                }
            });
        }
        tasks
    }

    pub fn enough(&self) {
        self.enough.store(true, Ordering::Relaxed);
    }

    async fn one(self: &Arc<Self>, rng: &mut StdRng, key: &str) {
        let account = if rng.random_bool(0.8) {
            rng.random_range(0..self.hot)
        } else {
            rng.random_range(0..self.accounts.len())
        };
        let deed = self.known(account).invent(rng, self.clock.now());
        let (engine, other) = (self.choose_engine(rng), self.choose_engine(rng));
        let trick = if rng.random_ratio(self.manner.restless, 1_000) { rng.random_range(0..44) } else { 44 };
        match trick {
            // Twice at the same time.
            0..10 => {
                tokio::join!(self.ask(engine, account, key, &deed), self.ask(other, account, key, &deed));
            }
            // Given up after a while, and asked again.
            10..20 => {
                tokio::select! {
                    _ = self.ask(engine, account, key, &deed) => {}
                    () = breathe(rng.random_range(0..5_000)) => {}
                }
                if rng.random_bool(0.7) {
                    self.ask(other, account, key, &deed).await;
                }
            }
            // The task is ended from outside, at once or a little later.
            20..28 => {
                let (crowd, told, of) = (Arc::clone(self), deed.clone(), key.to_owned());
                let task = tokio::spawn(async move { crowd.ask(engine, account, &of, &told).await });
                for _ in 0..rng.random_range(0..20) {
                    yield_now().await;
                }
                task.abort();
                let _ = task.await;
                self.ask(other, account, key, &deed).await;
            }
            // Again, when it was answered.
            28..40 => {
                self.ask(engine, account, key, &deed).await;
                self.ask(other, account, key, &deed).await;
            }
            // Something else under the key of what was done.
            40..44 => {
                if let Outcome::Done(_) = self.ask(engine, account, key, &deed).await {
                    self.misuse(other, account, key).await;
                }
            }
            _ => {
                self.ask(engine, account, key, &deed).await;
            }
        }
    }

    fn choose_engine(&self, rng: &mut StdRng) -> usize {
        let goes_elsewhere = rng.random_ratio(self.manner.elsewhere, 1_000);
        if goes_elsewhere && self.engines.len() > 1 { rng.random_range(1..self.engines.len()) } else { 0 }
    }

    async fn ask(&self, engine: usize, account: usize, key: &str, deed: &Deed) -> Outcome {
        let outcome = self.books.ask(&self.engines[engine], self.accounts[account], key, deed).await;
        if let Outcome::Done(receipt) = &outcome {
            self.known(account).learn(&receipt.entry);
        }
        outcome
    }

    async fn misuse(&self, engine: usize, account: usize, key: &str) {
        // No deed of the crowd gives as much.
        let other = pack(1_000).asked_of(self.accounts[account], key);
        if let Ok(answer) = self.engines[engine].execute(other).await {
            assert_eq!(answer, Err(Refusal::KeyReused), "{key}");
        }
    }

    fn known(&self, account: usize) -> MutexGuard<'_, Known> {
        self.known[account].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the callers; one that panicked ends the test.
pub async fn all_of(mut tasks: JoinSet<()>) {
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
}
