//! Sessions in our own database, behind the trait of tower-sessions. (The published store for PostgreSQL
//! is built on another version of sqlx.)

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use time::OffsetDateTime;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

use crate::server::{clock::Clock, error::is_out_of_reach, store::sessions};

/// A new id is random: that two are the same happens once, if ever, and not four times.
const ID_TRIES_MAX: usize = 4;

#[derive(Clone, Debug)]
pub struct DatabaseSessions {
    pool: PgPool,
    clock: Clock,
}

impl DatabaseSessions {
    pub fn new(pool: PgPool, clock: Clock) -> Self {
        Self { pool, clock }
    }
}

#[async_trait]
impl SessionStore for DatabaseSessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        for _ in 0..ID_TRIES_MAX {
            let (data, expires_at) = row(record)?;
            if sessions::insert(&self.pool, &digest(&record.id), &data, expires_at).await.map_err(backend)? {
                return Ok(());
            }
            record.id = Id::default();
        }
        Err(Error::Encode("no free session id".into()))
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let (data, expires_at) = row(record)?;
        sessions::update(&self.pool, &digest(&record.id), &data, expires_at).await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let found = sessions::find(&self.pool, &digest(id), self.clock.now()).await.map_err(backend)?;
        found
            .map(|(data, expires_at)| {
                let data = serde_json::from_value(data).map_err(|error| Error::Decode(error.to_string()))?;
                let expiry_date = OffsetDateTime::from_unix_timestamp(expires_at.timestamp())
                    .map_err(|error| Error::Decode(error.to_string()))?;
                Ok(Record { id: *id, data, expiry_date })
            })
            .transpose()
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        sessions::delete(&self.pool, &digest(id)).await.map_err(backend)
    }
}

fn digest(id: &Id) -> [u8; 32] {
    Sha256::digest(id.0.to_be_bytes()).into()
}

fn row(record: &Record) -> Result<(Value, DateTime<Utc>)> {
    let data = serde_json::to_value(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
    let expires_at = DateTime::from_timestamp(record.expiry_date.unix_timestamp(), 0)
        .ok_or_else(|| Error::Encode("the expiry is out of range".into()))?;
    Ok((data, expires_at))
}

/// `Backend` means that the database is away, here and in `server::error`.
fn backend(error: sqlx::Error) -> Error {
    if is_out_of_reach(&error) { Error::Backend(error.to_string()) } else { Error::Decode(error.to_string()) }
}
