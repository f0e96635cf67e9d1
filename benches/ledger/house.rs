//! A ledger with accounts to spend from, and what its callers ask.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures_util::{StreamExt, stream};
use scrip::{
    domain::{
        AccountId, Act, Amount, Capture, Charge, Command, Grant, HoldLife, IdempotencyKey, Limits, Receipt,
        Source, Spend, Subscribe, Terms,
        catalog::{ActionKey, Allowance, PlanKey},
        note::Description,
    },
    server::{
        clock::Clock,
        ledger::Ledger,
        store::{connect, migrate},
    },
};
use sqlx::{AssertSqlSafe, PgPool, Row, postgres::PgConnectOptions, raw_sql};

/// Far more than is ever spent: it is not the credits that are to run out.
pub const PLENTY: i64 = 1_000_000_000;

const COST: i64 = 6;

/// What a plan gives for each month.
const ALLOWANCE: i64 = 100;

/// How many callers fill a ledger.
const FILLERS: usize = 2_048;

/// Every key is new to every ledger of the run.
static KEYS: AtomicU64 = AtomicU64::new(0);

pub struct House {
    pub ledger: Ledger,
    pub pool: PgPool,
    pub accounts: Arc<Vec<AccountId>>,
}

impl House {
    /// A new ledger of `accounts` accounts, each with `lots` lots.
    pub async fn build(options: PgConnectOptions, accounts: usize, lots: usize) -> Self {
        let pool = connect(options);
        migrate(&pool).await.expect("migrations");
        let ledger = open_ledger(&pool).await;
        Self::fill(pool, ledger, accounts, lots).await
    }

    /// The same in a ledger that is open.
    pub async fn fill(pool: PgPool, ledger: Ledger, accounts: usize, lots: usize) -> Self {
        let mut ids = Vec::with_capacity(accounts);
        let mut transaction = pool.begin().await.expect("a transaction");
        for _ in 0..accounts {
            ids.push(ledger.open_account(&mut transaction).await.expect("an account"));
        }
        transaction.commit().await.expect("a commit");
        let house = Self { ledger, pool, accounts: Arc::new(ids) };
        let grants = house.accounts.iter().flat_map(|id| (0..lots).map(|_| grant(*id, PLENTY)));
        fill(&house.ledger, grants).await;
        house
    }

    /// A copy of a ledger, with the same accounts.
    pub async fn open(options: PgConnectOptions, accounts: Arc<Vec<AccountId>>) -> Self {
        let pool = connect(options);
        let ledger = open_ledger(&pool).await;
        Self { ledger, pool, accounts }
    }

    pub async fn close(self) {
        self.ledger.stop().await;
        self.pool.close().await;
    }

    /// `count` spends, over the accounts in turn.
    pub async fn spend_in_turn(&self, count: usize) {
        let accounts = self.accounts.iter().cycle();
        fill(&self.ledger, accounts.take(count).map(|id| spend(*id, COST))).await;
    }

    /// All accounts begin a plan that is billed by the clock, at the same moment.
    pub async fn subscribe(&self) {
        fill(&self.ledger, self.accounts.iter().map(|id| subscribe(*id))).await;
    }

    /// An account of its own, with these lots.
    pub async fn special(&self, lots: usize, spent: usize) -> AccountId {
        let mut conn = self.pool.acquire().await.expect("a connection");
        let id = self.ledger.open_account(&mut conn).await.expect("an account");
        fill(&self.ledger, (0..spent).map(|_| grant(id, 1))).await;
        fill(&self.ledger, (0..spent).map(|_| spend(id, 1))).await;
        fill(&self.ledger, (0..lots).map(|_| grant(id, PLENTY))).await;
        id
    }

    /// One number out of its database.
    pub async fn number(&self, query: &str) -> i64 {
        let answer = raw_sql(AssertSqlSafe(query.to_owned())).fetch_one(&self.pool).await;
        answer.expect("an answer").get(0)
    }
}

async fn open_ledger(pool: &PgPool) -> Ledger {
    Ledger::open(pool.clone(), Clock::default()).await.expect("a ledger")
}

async fn fill(ledger: &Ledger, commands: impl Iterator<Item = Command>) {
    let ask = |command| async move {
        assert!(done(ledger, command).await.is_some(), "a ledger is filled without a refusal");
    };
    stream::iter(commands).for_each_concurrent(FILLERS, ask).await;
}

async fn done(ledger: &Ledger, command: Command) -> Option<Receipt> {
    ledger.execute(command).await.ok()?.ok()
}

/// What most callers want.
pub async fn spend_once(ledger: Ledger, account: AccountId) -> bool {
    done(&ledger, spend(account, COST)).await.is_some()
}

/// A hold, and its capture as soon as it stands.
pub async fn hold_and_capture(ledger: Ledger, account: AccountId) -> bool {
    let hold = Command::new(account, key(), Act::Hold(spending(COST), HoldLife::default()));
    let Some(receipt) = done(&ledger, hold).await else { return false };
    let capture = Act::Capture(Capture { hold: receipt.entry.version, amount: None });
    done(&ledger, Command::new(account, key(), capture)).await.is_some()
}

/// What a spend would do.
pub async fn quote_once(ledger: Ledger, account: AccountId) -> bool {
    match ledger.account(account).await {
        Ok(account) => {
            account.quote(amount(COST), &Limits::default(), Clock::default().now()).outcome.is_ok()
        }
        Err(_) => false,
    }
}

fn spend(account: AccountId, cost: i64) -> Command {
    Command::new(account, key(), Act::Spend(spending(cost)))
}

fn spending(cost: i64) -> Spend {
    let action = ActionKey::try_from("render".to_owned()).expect("an action");
    let charge = Charge { action: Some(action), units: None, cost: amount(cost) };
    Spend { agreed: Some(charge.cost), charge, limits: Limits::default(), description: None }
}

fn grant(account: AccountId, credits: i64) -> Command {
    let source = Source::Bonus;
    let grant = Grant {
        amount: amount(credits),
        source,
        priority: source.default_priority(),
        effective_at: None,
        expires_at: None,
        description: Description::parse("Bonus").expect("a description"),
    };
    Command::new(account, key(), Act::Grant(grant))
}

fn subscribe(account: AccountId) -> Command {
    let terms = Terms {
        plan: PlanKey::try_from("monthly".to_owned()).expect("a plan"),
        allowance: Allowance::Monthly(amount(ALLOWANCE)),
        rollover_cap: None,
        priority: Source::Plan.default_priority(),
        grace_days: 0,
        is_free: true,
    };
    let asked = Subscribe { terms, anchor: None, paid_until: None, fallback: None, is_trial: false };
    Command::new(account, key(), Act::Subscribe(asked))
}

fn key() -> IdempotencyKey {
    IdempotencyKey::parse(&new_key()).expect("a key")
}

pub fn new_key() -> String {
    format!("bench-{}", KEYS.fetch_add(1, Ordering::Relaxed))
}

fn amount(credits: i64) -> Amount {
    Amount::try_from(credits).expect("an amount")
}
