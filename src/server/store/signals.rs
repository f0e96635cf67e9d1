//! Signals between the processes that share a database. They are hints that something has changed, told by
//! PostgreSQL's NOTIFY; what it is now has to be read.

use sqlx::{
    PgPool,
    postgres::{PgListener, PgNotification, PgPoolOptions},
};
use uuid::Uuid;

use super::ACQUIRE_TIMEOUT;
use crate::domain::AccountId;

/// Accounts have changed: 32 digits of each, or [`MANY`].
const ACCOUNTS: &str = "scrip_accounts";
/// Told by triggers (`tell_of_change`).
const API_KEYS: &str = "scrip_api_keys";
const TEST_CLOCK: &str = "scrip_test_clock";

/// So many accounts that they are not named one by one: a signal has room for 8,000 bytes.
const MANY: &str = "*";
pub const NAMED_MAX: usize = 200;

/// What has changed somewhere.
#[derive(Debug, PartialEq, Eq)]
pub enum Signal {
    Accounts(Vec<AccountId>),
    /// Any of them may have.
    ManyAccounts,
    ApiKeys,
    TestClock,
}

impl Signal {
    /// `None` where another program uses our channel.
    fn of(told: &PgNotification) -> Option<Self> {
        match told.channel() {
            ACCOUNTS if told.payload() == MANY => Some(Self::ManyAccounts),
            ACCOUNTS => {
                let ids = told.payload().split(' ').map(|digits| Some(Uuid::try_parse(digits).ok()?.into()));
                ids.collect::<Option<_>>().map(Self::Accounts)
            }
            API_KEYS => Some(Self::ApiKeys),
            TEST_CLOCK => Some(Self::TestClock),
            _ => None,
        }
    }
}

/// A connection that hears all signals from now on.
pub struct Ear(PgListener);

impl Ear {
    pub async fn open(pool: &PgPool) -> sqlx::Result<Self> {
        let mut listener = PgListener::connect_with(pool).await?;
        // What is told while nobody listens is lost, so whoever opens one again looks at everything anew.
        listener.eager_reconnect(false);
        listener.listen_all([ACCOUNTS, API_KEYS, TEST_CLOCK]).await?;
        Ok(Self(listener))
    }

    /// The next signal; `None` when the connection is lost.
    pub async fn next(&mut self) -> sqlx::Result<Option<Signal>> {
        while let Some(told) = self.0.try_recv().await? {
            if let Some(signal) = Signal::of(&told) {
                return Ok(Some(signal));
            }
        }
        Ok(None)
    }
}

/// A connection for telling. A signal that is lost with the server is one that nobody waits for any more, so it does
/// not wait for the disk.
pub fn connect_teller(pool: &PgPool) -> PgPool {
    let options = pool.connect_options().as_ref().clone().options([("synchronous_commit", "off")]);
    PgPoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE_TIMEOUT).connect_lazy_with(options)
}

/// Tells all processes that accounts have changed; `None`: many.
pub async fn tell_accounts(teller: &PgPool, accounts: Option<&[AccountId]>) -> sqlx::Result<()> {
    let digits = |account: &AccountId| Uuid::from(*account).simple().to_string();
    let payload = match accounts {
        Some(accounts) if accounts.len() <= NAMED_MAX => {
            accounts.iter().map(digits).collect::<Vec<_>>().join(" ")
        }
        _ => MANY.to_owned(),
    };
    sqlx::query!("select pg_notify($1, $2)", ACCOUNTS, payload).execute(teller).await.map(drop)
}
