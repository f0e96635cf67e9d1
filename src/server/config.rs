//! The settings of one process, from the environment, checked as a whole at start.

use std::{
    env::{self, VarError},
    path::PathBuf,
};

use leptos::config::{LeptosOptions, get_configuration};
use sqlx::postgres::PgConnectOptions;
use thiserror::Error;

const CATALOG_DEFAULT: &str = "catalogs/interior.toml";
const DATA_DIR_DEFAULT: &str = "./data";

/// Where the accounts are.
#[derive(Clone)]
pub enum Database {
    /// A PostgreSQL that somebody runs. Its address may hold a password: never printed.
    Given(Box<PgConnectOptions>),
    /// One of our own, under this folder.
    Private(PathBuf),
}

#[derive(Clone)]
pub struct Config {
    pub database: Database,
    pub catalog: PathBuf,
    /// How browsers reach the server, where that is not the address that it listens on.
    pub base_url: Option<String>,
    /// Whether every request comes through a proxy of ours, which appends to `X-Forwarded-For` whom it
    /// speaks for. Believed without one, anybody could claim to be anywhere.
    pub behind_proxy: bool,
    pub leptos: LeptosOptions,
}

#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("DATABASE_URL is not the address of a PostgreSQL database, such as postgres://user@host/scrip")]
    DatabaseUrl,
    #[error("SCRIP_BASE_URL must start with http:// or https://, not “{0}”")]
    BaseUrl(String),
    #[error("SCRIP_BEHIND_PROXY is true or false, not “{0}”")]
    BehindProxy(String),
    #[error(
        "Leptos.toml or a LEPTOS_ variable can't be read; start Scrip in the folder that has Leptos.toml"
    )]
    Leptos(#[source] leptos::config::errors::LeptosConfigError),
}

impl Config {
    pub fn from_env() -> Result<Self, ConfigError> {
        let database = match env::var("DATABASE_URL") {
            Ok(url) => Database::Given(Box::new(database_url(&url)?)),
            Err(VarError::NotUnicode(_)) => return Err(ConfigError::DatabaseUrl),
            Err(_) => Database::Private(path("SCRIP_DATA_DIR", DATA_DIR_DEFAULT)),
        };
        let leptos = get_configuration(Some("Leptos.toml")).map_err(ConfigError::Leptos)?.leptos_options;
        let base_url = match env::var("SCRIP_BASE_URL") {
            Ok(url) if url.starts_with("http://") || url.starts_with("https://") => Some(url),
            Ok(url) => return Err(ConfigError::BaseUrl(url)),
            Err(_) => None,
        };
        let behind_proxy = match env::var("SCRIP_BEHIND_PROXY").as_deref() {
            Ok("true" | "1") => true,
            Ok("false" | "0") | Err(_) => false,
            Ok(other) => return Err(ConfigError::BehindProxy(other.to_owned())),
        };
        Ok(Self { behind_proxy, database, catalog: path("SCRIP_CATALOG", CATALOG_DEFAULT), base_url, leptos })
    }

    /// Whether cookies are kept to https.
    pub fn is_served_over_https(&self) -> bool {
        self.base_url.as_ref().is_some_and(|url| url.starts_with("https://"))
    }
}

/// The address is not repeated in the error: it may hold a password.
fn database_url(url: &str) -> Result<PgConnectOptions, ConfigError> {
    let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
    url.parse().ok().filter(|_| is_postgres).ok_or(ConfigError::DatabaseUrl)
}

fn path(variable: &str, default: &str) -> PathBuf {
    env::var_os(variable).map_or_else(|| PathBuf::from(default), PathBuf::from)
}
