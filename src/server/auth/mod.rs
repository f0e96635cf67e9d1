//! People: signing up, in and out, and who is asking.

pub mod email;
mod password;
mod session_store;
mod throttle;

use std::{net::IpAddr, sync::Arc};

use chrono::TimeDelta;
use sqlx::{Connection, PgPool};
use tower_sessions::Session;
use uuid::Uuid;

pub use self::session_store::{DatabaseSessions, sweep};
use self::{
    email::Email,
    password::{Password, Passwords},
    throttle::Throttle,
};
use super::{
    Error,
    clock::Clock,
    ledger::Ledger,
    store::people::{self, Role, User},
};
use crate::{
    domain::{AccountId, Act, Catalog, Command, Grant, IdempotencyKey, Source, UserId, note::Description},
    problem::Problem,
};

/// The only thing that a session holds. Roles and balances are read anew at each request: a session is
/// written as a whole, and what it held would go stale.
const USER: &str = "user";

#[derive(Clone)]
pub struct Auth {
    pool: PgPool,
    clock: Clock,
    ledger: Ledger,
    catalog: Arc<Catalog>,
    passwords: Arc<Passwords>,
    throttle: Arc<Throttle>,
}

/// What a person types to sign up or in.
pub struct Credentials {
    pub email: String,
    pub password: String,
}

impl Auth {
    pub fn new(pool: PgPool, clock: Clock, ledger: Ledger, catalog: Arc<Catalog>) -> Self {
        let (passwords, throttle) = (Arc::default(), Arc::default());
        Self { pool, clock, ledger, catalog, passwords, throttle }
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

    /// Makes a user with an account, and grants what the catalog gives at sign-up: all in one transaction.
    pub async fn create(&self, typed: Credentials, role: Role) -> Result<User, Error> {
        let email = Email::parse(&typed.email)?;
        let password = Password::parse(typed.password)?;
        let hash = self.passwords.hash(password).await?;

        let mut conn = self.pool.acquire().await?;
        let mut transaction = conn.begin().await?;
        let account = self.ledger.open_account(&mut transaction).await?;
        let id = UserId::from(self.clock.new_id());
        let user = User { id, email: email.into(), role, account };
        if !people::insert(&mut transaction, &user, &hash, self.clock.now()).await? {
            return Err(Problem::EmailTaken.into());
        }
        if let Some(command) = self.sign_up_grant(account) {
            for answer in self.ledger.execute_in(&mut transaction, account, &[command]).await? {
                answer.map_err(Error::internal)?;
            }
        }
        transaction.commit().await?;
        Ok(user)
    }

    fn sign_up_grant(&self, account: AccountId) -> Option<Command> {
        let signup = self.catalog.signup?;
        let lasts = |days| self.clock.now() + TimeDelta::days(i64::from(days));
        let grant = Grant {
            amount: signup.credits,
            source: Source::SignUp,
            priority: Source::SignUp.default_priority(),
            effective_at: None,
            expires_at: signup.expires_days.map(lasts),
            description: Description::parse("Sign-up credits").expect("it is short"),
        };
        let key = IdempotencyKey::parse("sign-up").expect("it is visible ASCII");
        Some(Command::new(account, key, Act::Grant(grant)))
    }

    /// Under a new session id, so that one that somebody planted before is worth nothing.
    async fn begin_session(&self, session: &Session, user: &User) -> Result<(), Error> {
        session.cycle_id().await?;
        session.insert(USER, Uuid::from(user.id)).await?;
        // Here, where a failure can still be told; the session layer could only break off.
        Ok(session.save().await?)
    }
}
