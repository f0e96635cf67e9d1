//! What every request handler has at hand. Cheap to clone.

use std::{ops::Deref, sync::Arc};

use leptos::config::LeptosOptions;
use sqlx::PgPool;

use super::{
    accounts::Accounts,
    auth::{ApiKeys, Auth},
    catalog::InForce,
    clock::Clock,
    config::Config,
    ledger::{Changed, Ledger},
    notify::Live,
    stripe::{Stripe, sandbox, signature::Secrets},
};
use crate::{
    domain::{Catalog, Refusal},
    problem::Problem,
};

#[derive(Clone)]
pub struct AppState(Arc<Parts>);

/// Behind one pointer: each layer of each route has the state, and a request clones them all.
pub struct Parts {
    pub pool: PgPool,
    pub clock: Clock,
    pub in_force: InForce,
    pub ledger: Ledger,
    pub accounts: Accounts,
    pub auth: Auth,
    pub api_keys: ApiKeys,
    pub live: Live,
    /// What to look at for warnings.
    pub unseen: Changed,
    /// How browsers reach the server; without a slash at the end.
    pub base_url: String,
    pub return_origins: Vec<String>,
    pub is_sandbox: bool,
    pub stripe: Stripe,
    pub stripe_secrets: Secrets,
    pub behind_proxy: bool,
    /// Where the pages find their browser part.
    pub leptos: LeptosOptions,
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl AppState {
    /// The catalog that is in force. Another may be taken up at any moment: an answer reads its prices once.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.in_force.get()
    }

    /// What the law's refusal means to the one who asked, with the status that is in force.
    pub fn refused(&self, refusal: Refusal) -> Problem {
        Problem::refused(refusal, self.catalog().insufficient_status, self.clock.now())
    }

    /// # Errors
    /// When the database can't be read: the ledger's layout is in it.
    pub async fn new(pool: PgPool, clock: Clock, catalog: Catalog, config: &Config) -> sqlx::Result<Self> {
        let in_force = InForce::new(catalog);
        let ledger = Ledger::open(pool.clone(), clock.clone()).await?;
        let accounts = Accounts::new(pool.clone(), clock.clone(), ledger.clone(), in_force.clone());
        let auth = Auth::new(pool.clone(), clock.clone(), accounts.clone());
        let stripe_secrets = match &config.stripe {
            stripe if stripe.is_sandbox() && stripe.secrets.is_empty() => sandbox::secrets(&pool).await?,
            stripe => stripe.secrets.clone(),
        };
        let listens_on = || format!("http://{}", config.leptos.site_addr);
        Ok(Self(Arc::new(Parts {
            api_keys: ApiKeys::new(pool.clone()),
            live: Live::default(),
            unseen: Changed::default(),
            base_url: config.base_url.clone().unwrap_or_else(listens_on),
            return_origins: config.return_origins.clone(),
            is_sandbox: config.is_sandbox,
            stripe: Stripe::new(&config.stripe, config.leptos.site_addr),
            stripe_secrets,
            behind_proxy: config.behind_proxy,
            leptos: config.leptos.clone(),
            pool,
            clock,
            in_force,
            ledger,
            accounts,
            auth,
        })))
    }
}
