//! People who sign in.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::corrupt;
use crate::domain::{AccountId, UserId};

/// A person who signs in, and the account that is theirs.
#[derive(Clone, Debug)]
pub struct User {
    pub id: UserId,
    pub email: String,
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
        user.email,
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
        "select id, email, password_hash, role, account_id
         from users
         where id = $1",
        Uuid::from(id),
    )
    .fetch_optional(conn)
    .await?
    .map(|row| row.read().map(|(user, _)| user))
    .transpose()
}

/// The user with this address, and the hash of the password.
pub async fn find_by_email(conn: &mut PgConnection, email: &str) -> sqlx::Result<Option<(User, String)>> {
    sqlx::query_as!(
        UserRow,
        "select id, email, password_hash, role, account_id
         from users
         where lower(email) = lower($1)",
        email,
    )
    .fetch_optional(conn)
    .await?
    .map(UserRow::read)
    .transpose()
}

struct UserRow {
    id: Uuid,
    email: String,
    password_hash: String,
    role: String,
    account_id: Uuid,
}

impl UserRow {
    fn read(self) -> sqlx::Result<(User, String)> {
        let role = Role::ALL.into_iter().find(|role| role.as_str() == self.role);
        let role = role.ok_or_else(|| corrupt(&self.role))?;
        let user = User { id: self.id.into(), email: self.email, role, account: self.account_id.into() };
        Ok((user, self.password_hash))
    }
}
