//! The program's only source of time and of new identifiers, so that tests can decide what time it is.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, SubsecRound, Utc};
use uuid::Uuid;

/// Cheap to clone; clones share a time that is set.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// `None`: the time of the machine.
    set: Arc<Mutex<Option<DateTime<Utc>>>>,
}

impl Clock {
    /// A clock that stands still at `now` until it is set.
    pub fn standing_at(now: DateTime<Utc>) -> Self {
        let clock = Self::default();
        clock.set(now);
        clock
    }

    /// In microseconds, as the database keeps it: a time that is written reads back the same.
    pub fn now(&self) -> DateTime<Utc> {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
        self.standing().unwrap_or_else(Utc::now).trunc_subsecs(6)
    }

    /// Where the clock stands still, if it does.
    pub fn standing(&self) -> Option<DateTime<Utc>> {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the clock stand at a time, or go by the machine's.
    pub fn set(&self, now: impl Into<Option<DateTime<Utc>>>) {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = now.into();
    }

    /// A new identifier, unique and roughly in order of time (UUIDv7). Its last byte is random.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that makes identifiers")]
    pub fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_stands_still() {
        let clock = Clock::standing_at(DateTime::UNIX_EPOCH);
        assert_eq!(clock.now(), DateTime::UNIX_EPOCH);
        let later = DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(1);
        clock.clone().set(later);
        assert_eq!(clock.now(), later);
        clock.set(None);
        assert!(clock.now() > later && clock.standing().is_none());
    }

    #[test]
    fn time_is_kept_in_microseconds() {
        let now = Clock::default().now();
        assert_eq!(now.timestamp_nanos_opt().map(|nanos| nanos % 1_000), Some(0));
    }
}
