//! Keys of host applications. A key is `sk_`, ten digits that may be seen, and a secret of 256 bits:
//! `sk_a1b2c3d4e5_…`. It is shown when it is made and never again.
//!
//! Each process remembers the keys for as long as it hears at once of every change; while it does not, it reads them
//! with each request. So a key that is revoked is refused at once, whoever revoked it.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};
use sqlx::{Connection, PgConnection, PgPool};
use subtle::ConstantTimeEq;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use super::secret;
use crate::{
    domain::{KeyId, note::is_line},
    problem::Problem,
    server::{
        Error,
        clock::Clock,
        store::api_keys::{self as store, ApiKey, Scope},
    },
};

/// How many keys there may be that are good for something.
const KEYS_MAX: usize = 1_000;

/// How many calls with one key are under way at once: no more than half of what there is room for, so that a host whose
/// requests hang does not shut out the others. With as many a server of two cores is as fast as it gets: more would only
/// wait longer for each other.
const CALLS_MAX: usize = 512;

/// A change is heard of at once. After this the keys are read anew even so, lest a connection only seems to live.
const REMEMBERED_FOR: Duration = Duration::from_secs(10);

/// How exactly it is noted when a key was used last.
const USE_NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

const NAME_CHARS_MAX: usize = 100;

const MARK: &str = "sk_";
const PREFIX_BYTES: usize = 5;
const SECRET_BYTES: usize = 32;

type Limiter = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

#[derive(Clone)]
pub struct ApiKeys {
    pool: PgPool,
    /// Not the program's, which may be set: a key is real in a sandbox too.
    clock: Clock,
    known: Arc<RwLock<Option<Known>>>,
    /// Whether changes are heard of.
    hears: Arc<AtomicBool>,
    /// How many were.
    changes: Arc<AtomicU64>,
    /// Held by the one who reads for all that wait; when the last attempt failed, if one did.
    reading: Arc<tokio::sync::Mutex<Option<Instant>>>,
}

#[derive(Clone)]
struct Known {
    by_prefix: Arc<HashMap<String, Arc<Key>>>,
    /// When it was asked for, and how many changes had been heard of.
    since: Instant,
    changes: u64,
}

/// A key that somebody uses.
pub struct Key {
    pub facts: ApiKey,
    digest: [u8; 32],
    limiter: Limiter,
    /// Room for the calls with this key that are under way.
    room: Semaphore,
    /// When it was noted last that the key is used, in seconds.
    use_noted_at: AtomicI64,
}

/// What is asked for in a new key.
pub struct NewKey {
    name: String,
    scopes: Vec<Scope>,
    requests_per_minute: NonZeroU32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key's name is 1 to {NAME_CHARS_MAX} characters without control characters, and it has a scope")]
pub struct NotANewKey;

/// How many requests a key has left.
#[derive(Clone, Copy, Debug)]
pub struct Left {
    /// In any minute.
    pub most: u32,
    pub now: u32,
    /// Until there are as many again as ever.
    pub resets_after_secs: u64,
}

impl NewKey {
    pub fn parse(
        name: String,
        mut scopes: Vec<Scope>,
        requests_per_minute: NonZeroU32,
    ) -> Result<Self, NotANewKey> {
        scopes.sort_unstable();
        scopes.dedup();
        let is_key = is_line(&name, NAME_CHARS_MAX) && !scopes.is_empty();
        is_key.then_some(Self { name, scopes, requests_per_minute }).ok_or(NotANewKey)
    }
}

impl ApiKeys {
    pub fn new(pool: PgPool) -> Self {
        let (known, hears, changes, reading) =
            (Arc::default(), Arc::default(), Arc::default(), Arc::default());
        Self { pool, clock: Clock::default(), known, hears, changes, reading }
    }

    /// Makes a key. Its secret is told here, and nowhere else.
    pub async fn create(&self, new: NewKey) -> Result<(ApiKey, String), Error> {
        self.create_in(&mut *self.pool.acquire().await?, new).await
    }

    async fn create_in(&self, conn: &mut PgConnection, new: NewKey) -> Result<(ApiKey, String), Error> {
        let now = self.clock.now();
        let good = store::unrevoked(conn).await?.into_iter().filter(|(key, _)| key.is_good(now));
        if good.count() >= KEYS_MAX {
            return Err(Error::internal(format!(
                "there are {KEYS_MAX} keys, and may be no more: revoke some"
            )));
        }
        let prefix = format!("{MARK}{}", secret::random_digits::<PREFIX_BYTES>()?);
        let whole = format!("{prefix}_{}", secret::random_digits::<SECRET_BYTES>()?);
        let key = ApiKey {
            id: KeyId::from(self.clock.new_id()),
            name: new.name,
            prefix,
            scopes: new.scopes,
            requests_per_minute: new.requests_per_minute.get(),
            created_at: now,
            last_used_at: None,
            expires_at: None,
            revoked_at: None,
        };
        store::insert(conn, &key, &secret::digest(&whole)).await?;
        Ok((key, whole))
    }

    /// Makes a key like another, which goes on for a while so that the new one can be put in its place. `None` where
    /// there is no such key any more.
    pub async fn rotate(&self, id: KeyId, overlap: TimeDelta) -> Result<Option<(ApiKey, String)>, Error> {
        let now = self.clock.now();
        let mut conn = self.pool.acquire().await?;
        let mut transaction = conn.begin().await?;
        let keys = store::all(&mut transaction).await?;
        let Some(old) = keys.into_iter().find(|key| key.id == id && key.is_good(now)) else {
            return Ok(None);
        };
        let requests_per_minute = NonZeroU32::new(old.requests_per_minute).unwrap_or(NonZeroU32::MIN);
        let like_it = NewKey { name: old.name, scopes: old.scopes, requests_per_minute };
        let new = self.create_in(&mut transaction, like_it).await?;
        store::expire(&mut transaction, id, now + overlap).await?;
        transaction.commit().await?;
        Ok(Some(new))
    }

    /// Ends a key at once. `false` where there is no such key any more.
    pub async fn revoke(&self, id: KeyId) -> Result<bool, Error> {
        Ok(store::revoke(&mut *self.pool.acquire().await?, id, self.clock.now()).await?)
    }

    /// All keys there ever were, oldest first.
    pub async fn all(&self) -> Result<Vec<ApiKey>, Error> {
        Ok(store::all(&mut *self.pool.acquire().await?).await?)
    }

    /// The key that this is, if it is good for anything.
    pub async fn find(&self, presented: &str) -> Result<Arc<Key>, Error> {
        let secret = presented.strip_prefix(MARK).and_then(|rest| rest.split_once('_'));
        let Some((digits, _)) = secret else { return Err(Problem::KeyInvalid.into()) };
        let prefix = &presented[..MARK.len() + digits.len()];
        let (asked_at, now) = (Instant::now(), self.clock.now());
        // The time that a comparison takes says nothing: digests are compared, as wholes, and a prefix is no secret.
        let is_it = |key: &&Arc<Key>| bool::from(key.digest.ct_eq(&secret::digest(presented)));
        let mut known = self.known().await?;
        if !known.contains_key(prefix) {
            // News of a key that was made this moment may be still on its way. One reads for all that ask.
            known = self.known_by(asked_at, |_| false).await?;
        }
        let key = known.get(prefix).filter(is_it).filter(|key| key.facts.is_good(now));
        let key = key.ok_or(Problem::KeyInvalid)?;
        self.note_use(key, now);
        Ok(Arc::clone(key))
    }

    /// Whether a key that was good before still is.
    pub async fn is_good_still(&self, key: &Key) -> Result<bool, Error> {
        let known = self.known().await?;
        let found = known.get(&key.facts.prefix).filter(|found| found.digest == key.digest);
        Ok(found.is_some_and(|found| found.facts.is_good(self.clock.now())))
    }

    /// From now on every change is heard of, until [`ApiKeys::hears_no_more`].
    pub fn hears(&self) {
        self.forget();
        self.hears.store(true, Ordering::SeqCst);
    }

    pub fn hears_no_more(&self) {
        self.hears.store(false, Ordering::SeqCst);
        self.forget();
    }

    /// Something has changed: what is remembered, and what is being read, is not good any more.
    pub fn forget(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    async fn known(&self) -> Result<Arc<HashMap<String, Arc<Key>>>, Error> {
        self.known_by(Instant::now(), |known| self.is_fresh(known)).await
    }

    /// What is remembered, if it was read after `asked_at` or is as good as that; else what is read now.
    async fn known_by(
        &self,
        asked_at: Instant,
        is_as_good: impl Fn(&Known) -> bool,
    ) -> Result<Arc<HashMap<String, Arc<Key>>>, Error> {
        let remembered = || {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            let known = known.as_ref().filter(|known| known.since >= asked_at || is_as_good(known));
            known.map(|known| Arc::clone(&known.by_prefix))
        };
        if let Some(known) = remembered() {
            return Ok(known);
        }
        let mut failed_at = self.reading.lock().await;
        if let Some(known) = remembered() {
            return Ok(known);
        }
        // Those that waited while the database was away do not each wait for it again.
        if failed_at.is_some_and(|failed_at| failed_at >= asked_at) {
            return Err(Problem::Unavailable.into());
        }
        let read = self.read().await;
        *failed_at = read.is_err().then(Instant::now);
        read
    }

    async fn read(&self) -> Result<Arc<HashMap<String, Arc<Key>>>, Error> {
        let before = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        let (since, changes) = (Instant::now(), self.changes.load(Ordering::SeqCst));
        let mut by_prefix = HashMap::new();
        for (facts, digest) in store::unrevoked(&mut *self.pool.acquire().await?).await? {
            let old = before.as_ref().and_then(|known| known.by_prefix.get(&facts.prefix));
            by_prefix.insert(facts.prefix.clone(), Key::read(facts, digest, old));
        }
        let by_prefix = Arc::new(by_prefix);
        let known = Known { by_prefix: Arc::clone(&by_prefix), since, changes };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(by_prefix)
    }

    /// Changes are heard of, and there was none since.
    fn is_fresh(&self, known: &Known) -> bool {
        self.hears.load(Ordering::SeqCst)
            && known.changes == self.changes.load(Ordering::SeqCst)
            && known.since.elapsed() < REMEMBERED_FOR
    }

    fn note_use(&self, key: &Arc<Key>, now: DateTime<Utc>) {
        let (noted, now_secs) = (key.use_noted_at.load(Ordering::Relaxed), now.timestamp());
        let is_due = now_secs - noted >= USE_NOTED_EVERY.num_seconds();
        let change =
            || key.use_noted_at.compare_exchange(noted, now_secs, Ordering::Relaxed, Ordering::Relaxed);
        if is_due && change().is_ok() {
            let (pool, id) = (self.pool.clone(), key.facts.id);
            tokio::spawn(async move {
                if let Err(error) = store::used(&pool, id, now).await {
                    tracing::debug!(%error, "the use of a key could not be noted");
                }
            });
        }
    }
}

impl Key {
    /// `old`: the key as it was read before, whose requests are counted on.
    fn read(facts: ApiKey, digest: [u8; 32], old: Option<&Arc<Self>>) -> Arc<Self> {
        if let Some(old) = old.filter(|old| old.digest == digest && old.is_like(&facts)) {
            return Arc::clone(old);
        }
        let most = NonZeroU32::new(facts.requests_per_minute).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(most);
        let noted = facts.last_used_at.map_or(0, |at| at.timestamp());
        Arc::new(Self {
            limiter: RateLimiter::direct(quota).with_middleware(),
            room: Semaphore::new(CALLS_MAX),
            use_noted_at: AtomicI64::new(noted),
            facts,
            digest,
        })
    }

    fn is_like(&self, facts: &ApiKey) -> bool {
        self.facts.scopes == facts.scopes
            && self.facts.requests_per_minute == facts.requests_per_minute
            && self.facts.expires_at == facts.expires_at
    }

    pub fn may(&self, scope: Scope) -> bool {
        self.facts.scopes.iter().any(|has| *has == scope || *has == Scope::Admin)
    }

    /// Room for one more call, for as long as it is under way.
    pub fn room(&self) -> Option<SemaphorePermit<'_>> {
        self.room.try_acquire().ok()
    }

    /// Counts one request: how many more may come, or that this is one too many.
    pub fn count(&self) -> Result<Left, Problem> {
        let most = self.facts.requests_per_minute;
        match self.limiter.check() {
            Ok(state) => {
                let now = state.remaining_burst_capacity();
                let used = u64::from(most.saturating_sub(now));
                Ok(Left { most, now, resets_after_secs: (used * 60).div_ceil(u64::from(most.max(1))) })
            }
            Err(not_until) => {
                let wait = not_until.wait_time_from(DefaultClock::default().now());
                let whole_secs = u64::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX);
                Err(Problem::TooManyRequests { retry_after_secs: whole_secs.max(1) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn facts(scopes: &[Scope], requests_per_minute: u32) -> ApiKey {
        ApiKey {
            id: KeyId::from(Uuid::nil()),
            name: "test".into(),
            prefix: "sk_0000000000".into(),
            scopes: scopes.to_vec(),
            requests_per_minute,
            created_at: DateTime::UNIX_EPOCH,
            last_used_at: None,
            expires_at: None,
            revoked_at: None,
        }
    }

    #[test]
    fn a_key_may_do_what_its_scopes_say_and_an_admins_all() {
        let key = |scopes: &[Scope]| Key::read(facts(scopes, 1), [0; 32], None);
        for scope in Scope::ALL {
            for other in Scope::ALL {
                let expected = scope == other || scope == Scope::Admin;
                assert_eq!(key(&[scope]).may(other), expected, "{scope:?} {other:?}");
            }
        }
    }

    #[test]
    fn requests_are_counted_down_and_then_refused_with_a_pause() {
        let key = Key::read(facts(&[Scope::Read], 3), [0; 32], None);
        let left: Vec<u32> = (0..3).map(|_| key.count().unwrap().now).collect();
        assert_eq!(left, [2, 1, 0]);
        let Err(Problem::TooManyRequests { retry_after_secs }) = key.count() else { panic!("one too many") };
        assert!((1..=20).contains(&retry_after_secs));
    }

    #[test]
    fn a_key_has_room_for_so_many_calls_and_another_has_its_own() {
        let key = |scope| Key::read(facts(&[scope], 1), [0; 32], None);
        let (busy, other) = (key(Scope::Read), key(Scope::Spend));
        let calls: Vec<_> = (0..CALLS_MAX).map(|_| busy.room().unwrap()).collect();
        assert!(busy.room().is_none() && other.room().is_some());
        drop(calls);
        assert!(busy.room().is_some());
    }

    #[test]
    fn a_key_that_is_read_again_goes_on_counting() {
        let key = Key::read(facts(&[Scope::Read], 3), [0; 32], None);
        key.count().unwrap();
        let again = Key::read(facts(&[Scope::Read], 3), [0; 32], Some(&key));
        assert_eq!(again.count().unwrap().now, 1);
        let more = Key::read(facts(&[Scope::Read], 9), [0; 32], Some(&key));
        assert_eq!(more.count().unwrap().now, 8);
    }

    #[test]
    fn a_key_ends_when_it_expires() {
        let ends = ApiKey { expires_at: Some(DateTime::UNIX_EPOCH), ..facts(&[Scope::Read], 1) };
        assert!(!ends.is_good(DateTime::UNIX_EPOCH));
        assert!(ends.is_good(DateTime::UNIX_EPOCH - TimeDelta::microseconds(1)));
    }
}
