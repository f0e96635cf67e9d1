//! What every request handler has at hand. Cheap to clone.

use std::sync::Arc;

use leptos::config::LeptosOptions;
use sqlx::PgPool;

use super::{auth::Auth, clock::Clock, config::Config, ledger::Ledger};
use crate::domain::Catalog;

#[derive(Clone)]
pub struct AppState {
    pub pool: PgPool,
    pub clock: Clock,
    pub catalog: Arc<Catalog>,
    pub ledger: Ledger,
    pub auth: Auth,
    pub behind_proxy: bool,
    /// Where the pages find their browser part.
    pub leptos: LeptosOptions,
}

impl AppState {
    /// # Errors
    /// When the database can't be read: the ledger's layout is in it.
    pub async fn new(pool: PgPool, clock: Clock, catalog: Catalog, config: &Config) -> sqlx::Result<Self> {
        let catalog = Arc::new(catalog);
        let ledger = Ledger::open(pool.clone(), clock.clone()).await?;
        let auth = Auth::new(pool.clone(), clock.clone(), ledger.clone(), catalog.clone());
        let (behind_proxy, leptos) = (config.behind_proxy, config.leptos.clone());
        Ok(Self { pool, clock, catalog, ledger, auth, behind_proxy, leptos })
    }
}
