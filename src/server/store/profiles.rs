//! Profiles: what is known of an account besides its credits.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{corrupt, ledger::Bucket};
use crate::domain::{AccountId, ExternalId};

/// An account as its host knows it.
#[derive(Clone, Debug)]
pub struct Profile {
    pub account: AccountId,
    /// `None`: its holder signed up here.
    pub external_id: Option<ExternalId>,
    pub name: Option<String>,
    pub email: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// Notes whose account a new one is. `false`, and nothing written, where the host's name for it is taken.
pub async fn insert(
    conn: &mut PgConnection,
    account: AccountId,
    external_id: &ExternalId,
    name: Option<&str>,
    email: Option<&str>,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let inserted = sqlx::query!(
        "insert into profiles (account_id, external_id, name, email, created_at)
         values ($1, $2, $3, $4, $5)
         on conflict on constraint profiles_external_id_key do nothing",
        Uuid::from(account),
        external_id.as_str(),
        name,
        email,
        now,
    );
    Ok(inserted.execute(conn).await?.rows_affected() == 1)
}

/// The account that a host knows by this name.
pub async fn account_named(pool: &PgPool, external_id: &ExternalId) -> sqlx::Result<Option<AccountId>> {
    let id = sqlx::query_scalar!(
        "select account_id
         from profiles
         where external_id = $1",
        external_id.as_str(),
    );
    Ok(id.fetch_optional(pool).await?.map(AccountId::from))
}

/// What is known of an account, if it exists.
pub async fn find(
    conn: &mut PgConnection,
    bucket: Bucket,
    account: AccountId,
) -> sqlx::Result<Option<Profile>> {
    let row = sqlx::query!(
        r#"select accounts.created_at,
                  profiles.external_id as "external_id?",
                  profiles.name,
                  coalesce(profiles.email, users.email) as email
           from accounts
           left join profiles on profiles.account_id = accounts.id
           left join users on users.account_id = accounts.id
           where accounts.bucket = $1
             and accounts.id = $2"#,
        bucket.get(),
        Uuid::from(account),
    );
    let Some(row) = row.fetch_optional(conn).await? else { return Ok(None) };
    Ok(Some(Profile {
        account,
        external_id: row.external_id.map(ExternalId::try_from).transpose().map_err(corrupt)?,
        name: row.name,
        email: row.email,
        created_at: row.created_at,
    }))
}

/// Who holds an account, by what people may call them.
#[derive(Debug)]
pub struct Holder {
    pub account: Uuid,
    pub name: Option<String>,
    pub email: Option<String>,
    pub external_id: Option<String>,
}

/// Who holds these accounts.
pub async fn holders(conn: &mut PgConnection, accounts: &[Uuid]) -> sqlx::Result<Vec<Holder>> {
    sqlx::query_as!(
        Holder,
        r#"select asked.id as "account!",
                  profiles.name as "name?",
                  coalesce(profiles.email, users.email) as email,
                  profiles.external_id as "external_id?"
           from unnest($1::uuid[]) as asked (id)
           left join profiles on profiles.account_id = asked.id
           left join users on users.account_id = asked.id"#,
        accounts,
    )
    .fetch_all(conn)
    .await
}
