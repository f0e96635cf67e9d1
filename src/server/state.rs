//! What every request handler has at hand. Cheap to clone.

use std::sync::Arc;

use leptos::config::LeptosOptions;
use sqlx::PgPool;

use super::{
    accounts::Accounts,
    auth::{ApiKeys, Auth},
    clock::Clock,
    config::Config,
    ledger::Ledger,
    notify::Live,
};
use crate::{
    domain::{Catalog, Refusal},
    problem::Problem,
};

#[derive(Clone)]
pub struct AppState {
    pub pool: PgPool,
    pub clock: Clock,
    pub catalog: Arc<Catalog>,
    pub ledger: Ledger,
    pub accounts: Accounts,
    pub auth: Auth,
    pub api_keys: ApiKeys,
    pub live: Live,
    /// How browsers reach the server; without a slash at the end.
    pub base_url: Arc<str>,
    pub return_origins: Arc<[String]>,
    pub is_sandbox: bool,
    pub behind_proxy: bool,
    /// Where the pages find their browser part.
    pub leptos: LeptosOptions,
}

impl AppState {
    /// What the law's refusal means to the one who asked.
    pub fn refused(&self, refusal: Refusal) -> Problem {
        Problem::refused(refusal, self.catalog.insufficient_status, self.clock.now())
    }

    /// # Errors
    /// When the database can't be read: the ledger's layout is in it.
    pub async fn new(pool: PgPool, clock: Clock, catalog: Catalog, config: &Config) -> sqlx::Result<Self> {
        let catalog = Arc::new(catalog);
        let ledger = Ledger::open(pool.clone(), clock.clone()).await?;
        let accounts = Accounts::new(pool.clone(), clock.clone(), ledger.clone(), catalog.clone());
        let auth = Auth::new(pool.clone(), clock.clone(), accounts.clone());
        let listens_on = || format!("http://{}", config.leptos.site_addr);
        Ok(Self {
            api_keys: ApiKeys::new(pool.clone()),
            live: Live::default(),
            base_url: config.base_url.clone().unwrap_or_else(listens_on).into(),
            return_origins: config.return_origins.clone().into(),
            is_sandbox: config.is_sandbox,
            behind_proxy: config.behind_proxy,
            leptos: config.leptos.clone(),
            pool,
            clock,
            catalog,
            ledger,
            accounts,
            auth,
        })
    }
}
