//! People who sign in.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::corrupt;
use crate::domain::{AccountId, UserId};

/// A person who signs in, or whom a host leads in, and the account that is theirs.
#[derive(Clone, Debug)]
pub struct User {
    pub id: UserId,
    /// What they are called: their e-mail address, or what their host calls them.
    pub name: String,
    pub role: Role,
    pub account: AccountId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Member,
    Admin,
}

impl Role {
    const ALL: [Self; 2] = [Self::Member, Self::Admin];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }
}

/// `false`, and nothing written, where the address is taken. Addresses are compared without regard to case.
pub async fn insert(
    conn: &mut PgConnection,
    user: &User,
    password_hash: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let inserted = sqlx::query!(
        "insert into users (id, email, password_hash, role, account_id, created_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (lower(email)) do nothing",
        Uuid::from(user.id),
        user.name,
        password_hash,
        user.role.as_str(),
        Uuid::from(user.account),
        now,
    )
    .execute(conn)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

pub async fn find(conn: &mut PgConnection, id: UserId) -> sqlx::Result<Option<User>> {
    sqlx::query_as!(
        UserRow,
        r#"select users.id,
                  coalesce(users.email, profiles.name, profiles.email, profiles.external_id) as "name!",
                  users.role,
                  users.account_id
           from users
           left join profiles using (account_id)
           where users.id = $1"#,
        Uuid::from(id),
    )
    .fetch_optional(conn)
    .await?
    .map(UserRow::read)
    .transpose()
}

/// The user with this address, and the hash of the password.
pub async fn find_by_email(conn: &mut PgConnection, email: &str) -> sqlx::Result<Option<(User, String)>> {
    let row = sqlx::query!(
        r#"select id, email as "email!", password_hash as "password_hash!", role, account_id
           from users
           where lower(email) = lower($1)"#,
        email,
    );
    let Some(row) = row.fetch_optional(conn).await? else { return Ok(None) };
    let user = UserRow { id: row.id, name: row.email, role: row.role, account_id: row.account_id };
    Ok(Some((user.read()?, row.password_hash)))
}

/// Whether somebody signs in to an account with a password.
pub async fn has_password(conn: &mut PgConnection, account: AccountId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select
               from users
               where account_id = $1
                 and password_hash is not null
           ) as "exists!""#,
        Uuid::from(account),
    )
    .fetch_one(conn)
    .await
}

/// The user of an account whom a host leads in; made under this id where there is none. `None` where the account's
/// user signs in with a password.
pub async fn holder(
    conn: &mut PgConnection,
    account: AccountId,
    id: UserId,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<User>> {
    sqlx::query!(
        "insert into users (id, role, account_id, created_at)
         values ($1, $2, $3, $4)
         on conflict on constraint users_account_key do nothing",
        Uuid::from(id),
        Role::Member.as_str(),
        Uuid::from(account),
        now,
    )
    .execute(&mut *conn)
    .await?;
    let id = sqlx::query_scalar!(
        "select id
         from users
         where account_id = $1
           and password_hash is null",
        Uuid::from(account),
    );
    match id.fetch_optional(&mut *conn).await? {
        Some(id) => find(conn, UserId::from(id)).await,
        None => Ok(None),
    }
}

struct UserRow {
    id: Uuid,
    name: String,
    role: String,
    account_id: Uuid,
}

impl UserRow {
    fn read(self) -> sqlx::Result<User> {
        let role = Role::ALL.into_iter().find(|role| role.as_str() == self.role);
        let role = role.ok_or_else(|| corrupt(&self.role))?;
        Ok(User { id: self.id.into(), name: self.name, role, account: self.account_id.into() })
    }
}
