//! Who is asking: people, who sign up, in and out, and host applications with their keys.

mod api_keys;
pub mod email;
mod password;
pub mod secret;
mod session_store;
mod throttle;

use std::{net::IpAddr, sync::Arc};

use sqlx::{Connection, PgPool};
use tower_sessions::Session;
use uuid::Uuid;

pub use self::{
    api_keys::{ApiKeys, Key, Left, NewKey},
    session_store::DatabaseSessions,
};
use self::{
    email::Email,
    password::{Password, Passwords},
    throttle::Throttle,
};
use super::{
    Error,
    accounts::Accounts,
    clock::Clock,
    store::people::{self, Role, User},
};
use crate::{
    domain::{AccountId, UserId},
    problem::Problem,
};

/// Who is signed in. Roles and balances are not in a session, but read anew at each request: it is written as a whole,
/// and what it held would go stale.
const USER: &str = "user";
/// Where the host is that sent the person here.
const RETURN_URL: &str = "return_url";

#[derive(Clone)]
pub struct Auth {
    pool: PgPool,
    clock: Clock,
    accounts: Accounts,
    passwords: Arc<Passwords>,
    throttle: Arc<Throttle>,
}

/// What a person types to sign up or in.
pub struct Credentials {
    pub email: String,
    pub password: String,
}

impl Auth {
    pub fn new(pool: PgPool, clock: Clock, accounts: Accounts) -> Self {
        let (passwords, throttle) = (Arc::default(), Arc::default());
        Self { pool, clock, accounts, passwords, throttle }
    }

    /// Makes a member and signs them in.
    pub async fn sign_up(&self, session: &Session, from: IpAddr, typed: Credentials) -> Result<(), Error> {
        self.throttle.sign_up(from)?;
        let user = self.create(typed, Role::Member).await?;
        self.begin_session(session, &user).await
    }

    /// The answer, and the time that it takes, are the same for an unknown address and a wrong password.
    pub async fn sign_in(&self, session: &Session, from: IpAddr, typed: Credentials) -> Result<(), Error> {
        let email = Email::parse(&typed.email).ok();
        self.throttle.sign_in(from, email.as_ref())?;
        let found = match email {
            Some(email) => people::find_by_email(&mut *self.pool.acquire().await?, email.as_str()).await?,
            None => None,
        };
        let (user, hash) = found.unzip();
        let matches = self.passwords.verify(typed.password, hash).await?;
        match user {
            Some(user) if matches => self.begin_session(session, &user).await,
            _ => Err(Problem::WrongCredentials.into()),
        }
    }

    pub async fn sign_out(&self, session: &Session) -> Result<(), Error> {
        Ok(session.flush().await?)
    }

    /// Who is asking; `None` where nobody is signed in, the session is forged or it has expired.
    pub async fn current(&self, session: &Session) -> Result<Option<User>, Error> {
        match session.get::<Uuid>(USER).await? {
            Some(id) => Ok(people::find(&mut *self.pool.acquire().await?, UserId::from(id)).await?),
            None => Ok(None),
        }
    }

    /// Makes a user with an account, all in one transaction.
    pub async fn create(&self, typed: Credentials, role: Role) -> Result<User, Error> {
        let email = Email::parse(&typed.email)?;
        let password = Password::parse(typed.password)?;
        let hash = self.passwords.hash(password).await?;

        let mut conn = self.pool.acquire().await?;
        let mut transaction = conn.begin().await?;
        let account = self.accounts.open(&mut transaction).await?;
        let id = UserId::from(self.clock.new_id());
        let user = User { id, name: email.into(), role, account };
        if !people::insert(&mut transaction, &user, &hash, self.clock.now()).await? {
            return Err(Problem::EmailTaken.into());
        }
        transaction.commit().await?;
        Ok(user)
    }

    /// Signs in whoever a host sends to the pages of an account of theirs. The account's user is made where there is
    /// none; one who can sign in with a password does so.
    pub async fn enter(&self, session: &Session, account: AccountId, return_url: &str) -> Result<(), Error> {
        let mut conn = self.pool.acquire().await?;
        let made = UserId::from(self.clock.new_id());
        let user = people::holder(&mut conn, account, made, self.clock.now()).await?;
        let user = user.ok_or(Problem::SignsInHere)?;
        self.begin_session(session, &user).await?;
        session.insert(RETURN_URL, return_url).await?;
        Ok(session.save().await?)
    }

    /// Where the host is that the person came from, if one sent them.
    pub async fn return_url(&self, session: &Session) -> Result<Option<String>, Error> {
        Ok(session.get::<String>(RETURN_URL).await?)
    }

    /// Whether an account is for its host to lead people into: nobody signs in to it with a password.
    pub async fn is_led_into(&self, account: AccountId) -> Result<bool, Error> {
        let mut conn = self.pool.acquire().await?;
        Ok(!people::has_password(&mut conn, account).await?)
    }

    /// Under a new session id, so that one that somebody planted before is worth nothing.
    async fn begin_session(&self, session: &Session, user: &User) -> Result<(), Error> {
        session.cycle_id().await?;
        session.remove::<String>(RETURN_URL).await?;
        session.insert(USER, Uuid::from(user.id)).await?;
        // Here, where a failure can still be told; the session layer could only break off.
        Ok(session.save().await?)
    }
}
