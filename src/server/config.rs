//! The settings of one process, from the environment, checked as a whole at start.

use std::{
    env::{self, VarError},
    path::PathBuf,
};

use axum::http::Uri;
use leptos::config::{LeptosOptions, get_configuration};
use sqlx::postgres::PgConnectOptions;
use thiserror::Error;

use super::stripe::{NotSettings, Settings};

const CATALOG_DEFAULT: &str = "catalogs/video.toml";
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
    /// How browsers reach the server, where that is not the address that it listens on; without a slash at the end.
    pub base_url: Option<String>,
    /// Where portal sessions may lead back to (`https://app.example.com`).
    pub return_origins: Vec<String>,
    /// Whether no real money is about: then time can be set.
    pub is_sandbox: bool,
    pub stripe: Settings,
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
    #[error(
        "SCRIP_RETURN_ORIGINS names origins such as https://app.example.com, with commas between, not “{0}”"
    )]
    ReturnOrigins(String),
    #[error(transparent)]
    Stripe(#[from] NotSettings),
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
            Ok(url) if url.starts_with("http://") || url.starts_with("https://") => {
                Some(url.trim_end_matches('/').to_owned())
            }
            Ok(url) => return Err(ConfigError::BaseUrl(url)),
            Err(_) => None,
        };
        let return_origins = env::var("SCRIP_RETURN_ORIGINS").unwrap_or_default();
        let return_origins = return_origins.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        let return_origins = return_origins
            .map(|origin| match origin_of(origin) {
                Some(read) if read.eq_ignore_ascii_case(origin.trim_end_matches('/')) => Ok(read),
                _ => Err(ConfigError::ReturnOrigins(origin.to_owned())),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let set = |variable| env::var(variable).unwrap_or_default();
        let stripe = Settings::read(
            &set("STRIPE_SECRET_KEY"),
            &set("STRIPE_WEBHOOK_SECRET"),
            &set("STRIPE_API_BASE"),
        )?;
        let is_sandbox = stripe.is_sandbox();
        let behind_proxy = match env::var("SCRIP_BEHIND_PROXY").as_deref() {
            Ok("true" | "1") => true,
            Ok("false" | "0") | Err(_) => false,
            Ok(other) => return Err(ConfigError::BehindProxy(other.to_owned())),
        };
        let catalog = path("SCRIP_CATALOG", CATALOG_DEFAULT);
        Ok(Self { database, catalog, base_url, return_origins, is_sandbox, stripe, behind_proxy, leptos })
    }

    /// Whether cookies are kept to https.
    pub fn is_served_over_https(&self) -> bool {
        self.base_url.as_ref().is_some_and(|url| url.starts_with("https://"))
    }
}

/// Scheme, host and port of an address of the web, as they stand there.
pub fn origin_of(url: &str) -> Option<String> {
    let uri = url.parse::<Uri>().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme))?;
    // Neither a name before the host nor a port that is no number.
    let host = uri.host()?.to_ascii_lowercase();
    let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    let origin = format!("{scheme}://{host}{port}");
    (uri.authority()?.as_str().len() + "://".len() + scheme.len() == origin.len()).then_some(origin)
}

/// The address is not repeated in the error: it may hold a password.
fn database_url(url: &str) -> Result<PgConnectOptions, ConfigError> {
    let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
    url.parse().ok().filter(|_| is_postgres).ok_or(ConfigError::DatabaseUrl)
}

fn path(variable: &str, default: &str) -> PathBuf {
    env::var_os(variable).map_or_else(|| PathBuf::from(default), PathBuf::from)
}
