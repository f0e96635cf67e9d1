//! Passwords: their length, and their hashes (argon2id).
//!
//! Hashing takes a core and 19 MiB on purpose. So it runs on the blocking pool, a few at a time, and a
//! caller who would have to wait too long is sent away instead.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Params,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use crate::{problem::Problem, server::Error};

const CHARS_MIN: usize = 8;
const CHARS_MAX: usize = 256;

/// OWASP's smallest recommended cost for argon2id.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const PARALLELISM: u32 = 1;

const HASHES_AT_ONCE: usize = 2;
const WAIT_MAX: Duration = Duration::from_secs(5);

/// A password that may be chosen: long enough to resist guessing, short enough to hash. Any characters.
pub struct Password(String);

pub struct Passwords {
    argon2: Argon2<'static>,
    turns: Arc<Semaphore>,
}

/// What an unknown user's password is compared with, so that the answer takes as long.
static HASH_OF_NOBODY: LazyLock<String> = LazyLock::new(|| hash(&argon2(), "nobody").expect("hashing works"));

impl Password {
    pub fn parse(text: String) -> Result<Self, Problem> {
        if is_length_allowed(&text) { Ok(Self(text)) } else { Err(Problem::PasswordLength) }
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self { argon2: argon2(), turns: Arc::new(Semaphore::new(HASHES_AT_ONCE)) }
    }
}

impl Passwords {
    pub async fn hash(&self, password: Password) -> Result<String, Error> {
        let argon2 = self.argon2.clone();
        self.in_turn(move || hash(&argon2, &password.0)).await?.map_err(Error::internal)
    }

    /// Whether the password belongs to `hash`; never where there is none, though it takes as long.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Error> {
        // A longer one belongs to nobody, and hashing it would only serve somebody who wants us busy.
        if !is_length_allowed(&password) {
            return Ok(false);
        }
        let argon2 = self.argon2.clone();
        self.in_turn(move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| HASH_OF_NOBODY.clone());
            let hash = PasswordHash::new(&hash).map_err(|error| Error::internal(error.to_string()))?;
            Ok(argon2.verify_password(password.as_bytes(), &hash).is_ok() && known)
        })
        .await?
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let busy = || Problem::TooManyAttempts { retry_after_secs: WAIT_MAX.as_secs() };
        let turn = timeout(WAIT_MAX, self.turns.clone().acquire_owned()).await.map_err(|_| busy())?;
        let turn = turn.map_err(Error::internal)?;
        // The turn goes with the work and not with the caller, who may hang up: the work goes on.
        spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        })
        .await
        .map_err(Error::internal)
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, PARALLELISM, None).expect("the constants are in range");
    Argon2::new(Algorithm::Argon2id, argon2::Version::V0x13, params)
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<String, String> {
    argon2.hash_password(password.as_bytes()).map(|hash| hash.to_string()).map_err(|error| error.to_string())
}

fn is_length_allowed(password: &str) -> bool {
    (CHARS_MIN..=CHARS_MAX).contains(&password.chars().take(CHARS_MAX + 1).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_8_to_256_characters_of_any_kind() {
        for good in ["12345678", "пароль-é", &"x".repeat(256)] {
            assert!(Password::parse(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "1234567", &"x".repeat(257), &"x".repeat(10_000)] {
            assert!(Password::parse(bad.to_owned()).is_err(), "{} characters", bad.len());
        }
    }

    #[tokio::test]
    async fn only_the_right_password_opens_and_only_for_somebody() {
        let passwords = Passwords::default();
        let hash = passwords.hash(Password::parse("correct horse".into()).unwrap()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(passwords.verify("correct horse".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("wrong horse".into(), Some(hash)).await.unwrap());
        assert!(!passwords.verify("nobody".into(), None).await.unwrap());
        assert!(!passwords.verify("nobody-else".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn who_hangs_up_does_not_make_room_for_more_hashes() {
        let passwords = Passwords::default();
        for _ in 0..HASHES_AT_ONCE {
            let started = passwords.in_turn(|| std::thread::sleep(Duration::from_millis(200)));
            assert!(timeout(Duration::from_millis(20), started).await.is_err(), "the caller gave up");
        }
        assert_eq!(passwords.turns.available_permits(), 0);
        passwords.in_turn(|| ()).await.unwrap();
    }
}
