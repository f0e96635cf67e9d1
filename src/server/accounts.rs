//! Accounts as those outside the ledger know them: how one comes to be, and whose it is.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::TimeDelta;
use lru::LruCache;
use sqlx::{Connection, PgConnection, PgPool};

use super::{
    Error,
    catalog::InForce,
    clock::Clock,
    ledger::Ledger,
    store::profiles::{self, Profile},
    subscriptions::first_plan,
};
use crate::{
    domain::{
        AccountId, Act, Catalog, Command, ExternalId, Grant, IdempotencyKey, Source, note::Description,
    },
    problem::Problem,
};

/// How many names are remembered, of those that hosts have for accounts. A name never comes to mean another account.
const NAMES_MAX: NonZeroUsize = NonZeroUsize::new(100_000).expect("it is more than zero");

#[derive(Clone)]
pub struct Accounts {
    pool: PgPool,
    clock: Clock,
    ledger: Ledger,
    in_force: InForce,
    names: Arc<Mutex<LruCache<ExternalId, AccountId>>>,
}

impl Accounts {
    pub fn new(pool: PgPool, clock: Clock, ledger: Ledger, in_force: InForce) -> Self {
        Self { pool, clock, ledger, in_force, names: Arc::new(Mutex::new(LruCache::new(NAMES_MAX))) }
    }

    /// Makes an account with what the catalog gives at sign-up, in the caller's transaction.
    pub async fn open(&self, conn: &mut PgConnection) -> Result<AccountId, Error> {
        let account = self.ledger.open_account(conn).await?;
        let catalog = self.in_force.get();
        let plan = first_plan(&catalog).map(|act| beginning(account, "sign-up-plan", act));
        let commands: Vec<Command> = self.sign_up_grant(account, &catalog).into_iter().chain(plan).collect();
        if !commands.is_empty() {
            for answer in self.ledger.execute_in(conn, account, &commands).await? {
                let insufficient = catalog.insufficient_status;
                answer.map_err(|refusal| Problem::refused(refusal, insufficient, self.clock.now()))?;
            }
        }
        Ok(account)
    }

    /// Makes an account for a host, unless it has one of that name. Also tells whether it was made.
    pub async fn open_for(
        &self,
        external_id: &ExternalId,
        name: Option<&str>,
        email: Option<&str>,
    ) -> Result<(Profile, bool), Error> {
        let account = match profiles::account_named(&self.pool, external_id).await? {
            Some(account) => return Ok((self.profile(account).await?, false)),
            None => {
                let mut conn = self.pool.acquire().await?;
                let mut transaction = conn.begin().await?;
                let account = self.open(&mut transaction).await?;
                let now = self.clock.now();
                // Where another request makes it at this moment, this waits for it.
                let is_new =
                    profiles::insert(&mut transaction, account, external_id, name, email, now).await?;
                if is_new {
                    transaction.commit().await?;
                }
                is_new.then_some(account)
            }
        };
        match account {
            Some(account) => Ok((self.profile(account).await?, true)),
            None => Ok((self.profile(self.named(external_id).await?).await?, false)),
        }
    }

    /// The account that a host knows by this name.
    pub async fn named(&self, external_id: &ExternalId) -> Result<AccountId, Error> {
        let names = || self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = names().get(external_id) {
            return Ok(*account);
        }
        let account = profiles::account_named(&self.pool, external_id).await?;
        let account = account.ok_or(Problem::UnknownAccount)?;
        names().put(external_id.clone(), account);
        Ok(account)
    }

    /// What is known of an account.
    pub async fn profile(&self, account: AccountId) -> Result<Profile, Error> {
        let mut conn = self.pool.acquire().await?;
        let profile = profiles::find(&mut conn, self.ledger.bucket(account), account).await?;
        Ok(profile.ok_or(Problem::UnknownAccount)?)
    }

    fn sign_up_grant(&self, account: AccountId, catalog: &Catalog) -> Option<Command> {
        let signup = catalog.signup?;
        let lasts = |days| self.clock.now() + TimeDelta::days(i64::from(days));
        let grant = Grant {
            amount: signup.credits,
            source: Source::SignUp,
            priority: Source::SignUp.default_priority(),
            effective_at: None,
            expires_at: signup.expires_days.map(lasts),
            description: Description::parse("Sign-up credits").expect("it is short"),
        };
        Some(beginning(account, "sign-up", Act::Grant(grant)))
    }
}

/// What an account begins with.
fn beginning(account: AccountId, key: &str, act: Act) -> Command {
    Command::new(account, IdempotencyKey::parse(key).expect("it is visible ASCII"), act)
}
