//! Anchored months: when a month ends that began on any day (rule 16).

use chrono::{DateTime, Datelike, Months, Utc};

/// The first moment after `after` that is whole months before or after `anchor`, counted from the anchor each time: the
/// 31st is the last day of a shorter month, and the 31st again in the next. `None` beyond what a calendar can say.
pub fn next_month(anchor: DateTime<Utc>, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    // The month of `after`, or the one that follows where it has passed the day.
    let months = months_between(anchor, after);
    [months, months + 1].into_iter().find_map(|months| months_from(anchor, months).filter(|at| *at > after))
}

/// The last moment up to `at` that is whole months before or after `anchor`.
pub fn this_month(anchor: DateTime<Utc>, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let months = months_between(anchor, at);
    [months, months - 1]
        .into_iter()
        .find_map(|months| months_from(anchor, months).filter(|start| *start <= at))
}

/// Without regard to the day of the month.
fn months_between(anchor: DateTime<Utc>, at: DateTime<Utc>) -> i64 {
    let count = |at: DateTime<Utc>| i64::from(at.year()) * 12 + i64::from(at.month0());
    count(at) - count(anchor)
}

fn months_from(anchor: DateTime<Utc>, months: i64) -> Option<DateTime<Utc>> {
    let distance = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    if months < 0 { anchor.checked_sub_months(distance) } else { anchor.checked_add_months(distance) }
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, TimeDelta};
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_that_a_month_lacks_is_its_last_and_comes_again_in_the_next() {
        let anchor = at("2027-01-31T10:00:00Z");
        let mut moment = anchor;
        for end in ["2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"] {
            moment = next_month(anchor, moment).unwrap();
            assert_eq!(moment, at(&format!("{end}T10:00:00Z")));
        }
        assert_eq!(next_month(anchor, at("2028-02-01T00:00:00Z")), Some(at("2028-02-29T10:00:00Z")));
    }

    #[test]
    fn the_next_month_begins_after_the_moment_and_this_one_at_it_or_before() {
        let anchor = at("2027-01-15T10:00:00Z");
        for (moment, this, next) in [
            ("2027-01-15T10:00:00Z", "2027-01-15", "2027-02-15"),
            ("2027-01-15T09:59:59Z", "2026-12-15", "2027-01-15"),
            ("2027-03-15T09:59:59Z", "2027-02-15", "2027-03-15"),
            ("2026-10-20T00:00:00Z", "2026-10-15", "2026-11-15"),
        ] {
            assert_eq!(this_month(anchor, at(moment)), Some(at(&format!("{this}T10:00:00Z"))), "{moment}");
            assert_eq!(next_month(anchor, at(moment)), Some(at(&format!("{next}T10:00:00Z"))), "{moment}");
        }
    }

    #[test]
    fn the_29th_the_30th_and_the_31st_of_january_keep_their_day_for_thirty_years() {
        for day in [29, 30, 31] {
            let anchor = at(&format!("2027-01-{day}T23:59:59.999999Z"));
            let mut moment = anchor;
            for month in 1..=360 {
                moment = next_month(anchor, moment).unwrap();
                let first =
                    NaiveDate::from_ymd_opt(2027 + month / 12, month.unsigned_abs() % 12 + 1, 1).unwrap();
                assert_eq!((moment.year(), moment.month()), (first.year(), first.month()));
                let days = u32::from(first.num_days_in_month());
                assert_eq!(moment.day(), days.min(day), "{moment}");
                assert_eq!(moment.time(), anchor.time());
            }
        }
    }

    proptest! {
        #[test]
        fn months_follow_one_another_without_a_gap(
            anchor in 0_i64..4_000_000_000, after in -2_000_000_000_i64..8_000_000_000,
        ) {
            let time = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
            let (anchor, after) = (time(anchor), time(after));
            let (this, next) = (this_month(anchor, after).unwrap(), next_month(anchor, after).unwrap());
            prop_assert!(this <= after && after < next);
            prop_assert_eq!(this_month(anchor, next), Some(next));
            prop_assert_eq!(next_month(anchor, this), Some(next));
            let days = (next - this).num_days();
            prop_assert!((28..=31).contains(&days), "{} days", days);
            // No clock is put forward or back in UTC.
            prop_assert_eq!((next - this) - TimeDelta::days(days), TimeDelta::zero());
        }
    }
}
