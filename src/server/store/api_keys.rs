//! Keys of the HTTP API. Their secrets are not here, only the digests of these.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::corrupt;
use crate::domain::KeyId;

/// A key as it is listed.
#[derive(Clone, Debug)]
pub struct ApiKey {
    pub id: KeyId,
    pub name: String,
    /// Its beginning, which is not secret.
    pub prefix: String,
    pub scopes: Vec<Scope>,
    pub requests_per_minute: u32,
    pub created_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
    /// From when it is good for nothing, where that is decided.
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Looking at anything.
    Read,
    /// Making accounts, spending, holding, refunding, and leading people into the pages of their account.
    Spend,
    /// Granting credits and taking them away.
    Grant,
    /// All of it, and what concerns the whole program.
    Admin,
}

impl Scope {
    pub const ALL: [Self; 4] = [Self::Read, Self::Spend, Self::Grant, Self::Admin];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Spend => "spend",
            Self::Grant => "grant",
            Self::Admin => "admin",
        }
    }
}

impl ApiKey {
    pub fn is_good(&self, at: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| at < end)
    }
}

pub async fn insert(conn: &mut PgConnection, key: &ApiKey, digest: &[u8; 32]) -> sqlx::Result<()> {
    let scopes: Vec<String> = key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
    sqlx::query!(
        "insert into api_keys (id, name, prefix, digest, scopes, requests_per_minute, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        Uuid::from(key.id),
        key.name,
        key.prefix,
        digest.as_slice(),
        &scopes,
        i32::try_from(key.requests_per_minute).unwrap_or(i32::MAX),
        key.created_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// All keys that were not revoked, oldest first, each with its secret's digest.
pub async fn unrevoked(conn: &mut PgConnection) -> sqlx::Result<Vec<(ApiKey, [u8; 32])>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, name, prefix, digest, scopes, requests_per_minute, created_at, last_used_at, expires_at, revoked_at
         from api_keys
         where revoked_at is null
         order by id"
    );
    rows.fetch_all(conn).await?.into_iter().map(Row::read).collect()
}

/// All keys there ever were, oldest first.
pub async fn all(conn: &mut PgConnection) -> sqlx::Result<Vec<ApiKey>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, name, prefix, digest, scopes, requests_per_minute, created_at, last_used_at, expires_at, revoked_at
         from api_keys
         order by id"
    );
    rows.fetch_all(conn).await?.into_iter().map(|row| Ok(row.read()?.0)).collect()
}

/// Ends a key. `false` where there is none of that id, or it had been revoked.
pub async fn revoke(conn: &mut PgConnection, id: KeyId, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let revoked = sqlx::query!(
        "update api_keys
         set revoked_at = $2
         where id = $1
           and revoked_at is null",
        Uuid::from(id),
        now,
    );
    Ok(revoked.execute(conn).await?.rows_affected() == 1)
}

/// Lets a key end at a moment, unless it ends earlier.
pub async fn expire(conn: &mut PgConnection, id: KeyId, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "update api_keys
         set expires_at = least(expires_at, $2)
         where id = $1",
        Uuid::from(id),
        at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes that a key was used.
pub async fn used(pool: &PgPool, id: KeyId, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "update api_keys
         set last_used_at = greatest(last_used_at, $2)
         where id = $1",
        Uuid::from(id),
        at,
    )
    .execute(pool)
    .await
    .map(drop)
}

struct Row {
    id: Uuid,
    name: String,
    prefix: String,
    digest: Vec<u8>,
    scopes: Vec<String>,
    requests_per_minute: i32,
    created_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

impl Row {
    fn read(self) -> sqlx::Result<(ApiKey, [u8; 32])> {
        let scope = |word: &String| {
            let scope = Scope::ALL.into_iter().find(|scope| scope.as_str() == word);
            scope.ok_or_else(|| corrupt(word))
        };
        let digest = <[u8; 32]>::try_from(self.digest.as_slice()).map_err(corrupt)?;
        let key = ApiKey {
            id: self.id.into(),
            name: self.name,
            prefix: self.prefix,
            scopes: self.scopes.iter().map(scope).collect::<sqlx::Result<_>>()?,
            requests_per_minute: self.requests_per_minute.unsigned_abs(),
            created_at: self.created_at,
            last_used_at: self.last_used_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
        };
        Ok((key, digest))
    }
}
