//! Moments: the times that the ledger can keep. They have whole microseconds, as in the database, and years of
//! four digits, as in calls and on pages. Any other time would not be read back as it was decided on.

use chrono::{DateTime, Datelike, TimeDelta, Utc};

/// A time without what is finer than a microsecond. A leap second, which databases don't know, becomes a part of
/// the second after it.
pub fn whole(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

/// A stretch of time without what is finer than a microsecond.
pub(super) fn whole_length(length: TimeDelta) -> TimeDelta {
    length.num_microseconds().map_or(length, TimeDelta::microseconds)
}

/// The last time that the ledger can keep.
pub const LAST: DateTime<Utc> =
    DateTime::from_timestamp_micros(253_402_300_799_999_999).expect("it is of the year 9999");

/// Whether a time is one that the ledger can keep.
pub fn is_kept(at: DateTime<Utc>) -> bool {
    (1..=9_999).contains(&at.year()) && at == whole(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_finer_than_a_microsecond_is_cut_off_before_1970_as_well() {
        for second in ["2027-01-15T08:00:00", "1969-12-31T23:59:59", "0001-01-01T00:00:00"] {
            let (fine, kept) = (time(&format!("{second}.123456789Z")), time(&format!("{second}.123456Z")));
            assert_eq!(whole(fine), kept);
            assert_eq!(whole(kept), kept);
            assert!(is_kept(kept) && !is_kept(fine), "{second}");
        }
    }

    #[test]
    fn a_leap_second_is_a_part_of_the_second_after_it() {
        let leap = time("2016-12-31T23:59:60.5Z");
        assert!(!is_kept(leap));
        assert_eq!(whole(leap), time("2017-01-01T00:00:00.5Z"));
    }

    #[test]
    fn years_have_four_digits() {
        let last = time("9999-12-31T23:59:59.999999Z");
        assert!(is_kept(time("0001-01-01T00:00:00Z")) && is_kept(last));
        let micro = TimeDelta::microseconds(1);
        for at in [last + micro, time("0001-01-01T00:00:00Z") - micro] {
            assert!(!is_kept(at), "{at}");
        }
        for at in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            assert!(!is_kept(at) && !is_kept(whole(at)), "{at}");
        }
    }

    #[test]
    fn a_length_has_whole_microseconds_too() {
        assert_eq!(whole_length(TimeDelta::nanoseconds(1_999)), TimeDelta::microseconds(1));
        assert_eq!(whole_length(TimeDelta::days(3_653)), TimeDelta::days(3_653));
        assert_eq!(whole_length(TimeDelta::MAX), TimeDelta::MAX);
    }
}
