//! The program's only source of time and of new identifiers, so that tests can decide what time it is.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, SubsecRound, Utc};
use uuid::Uuid;

/// Cheap to clone; clones of a clock that was set share its time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// `None`: the time of the machine.
    set: Option<Arc<Mutex<DateTime<Utc>>>>,
}

impl Clock {
    /// A clock that stands still at `now` until it is set.
    pub fn standing_at(now: DateTime<Utc>) -> Self {
        Self { set: Some(Arc::new(Mutex::new(now))) }
    }

    /// In microseconds, as the database keeps it: a time that is written reads back the same.
    pub fn now(&self) -> DateTime<Utc> {
        let now = match &self.set {
            Some(set) => *set.lock().unwrap_or_else(PoisonError::into_inner),
            #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
            None => Utc::now(),
        };
        now.trunc_subsecs(6)
    }

    /// Changes the time of a clock that stands; the machine's own time can't be set.
    pub fn set(&self, now: DateTime<Utc>) {
        if let Some(set) = &self.set {
            *set.lock().unwrap_or_else(PoisonError::into_inner) = now;
        }
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
    }

    #[test]
    fn time_is_kept_in_microseconds() {
        let now = Clock::default().now();
        assert_eq!(now.timestamp_nanos_opt().map(|nanos| nanos % 1_000), Some(0));
    }
}
