//! Which days people work on, as a promise counts them: all of a working day, and nothing of the others.
//!
//! Mondays to Fridays, but for what the State Council announces each autumn for the year to come
//! (`content/work_calendar.json`): holidays, and weekends that are worked for them.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::time::{At, Day, Millis};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkCalendar {
    pub version: String,
    /// Where it was announced.
    pub source: String,
    off: BTreeSet<Day>,
    /// Weekends that are worked.
    on: BTreeSet<Day>,
}

impl WorkCalendar {
    pub fn is_worked(&self, day: Day) -> bool {
        self.on.contains(&day) || !(day.is_weekend() || self.off.contains(&day))
    }

    /// The moment at which so much working time has gone by since another.
    pub fn after(&self, from: At, working: Millis) -> At {
        let (mut at, mut left) = (from, working.0);
        // Off are at most the weekends and the listed days, so this ends.
        while left > 0 {
            let (today, tomorrow) = (Day::of(at), Day::of(at).plus_days(1).begins());
            let there = if self.is_worked(today) { (tomorrow - at).0 } else { 0 };
            if there >= left {
                return at + Millis(left);
            }
            if tomorrow <= at {
                break;
            }
            (at, left) = (tomorrow, left - there);
        }
        at + Millis(left.max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content;

    fn at(day: &str, hour: i64) -> At {
        day.parse::<Day>().unwrap().begins() + Millis::hours(hour)
    }

    #[test]
    fn only_working_days_count_and_those_whole() {
        let calendar = content::work_calendar();
        for (from, hour, until, then) in [
            ("2026-06-15", 9, "2026-06-17", 9),
            // Over a weekend, from within one, and over a holiday behind it.
            ("2026-06-12", 18, "2026-06-16", 18),
            ("2026-06-13", 7, "2026-06-17", 0),
            ("2026-06-18", 12, "2026-06-23", 12),
            // A Saturday that is worked for the Spring Festival, and nine days of it.
            ("2026-02-13", 20, "2026-02-24", 20),
            ("2026-02-14", 0, "2026-02-25", 0),
        ] {
            assert_eq!(calendar.after(at(from, hour), Millis::hours(48)), at(until, then), "{from} {hour}");
        }
        assert_eq!(calendar.after(at("2026-06-13", 7), Millis(0)), at("2026-06-13", 7));
    }

    #[test]
    fn later_never_ends_earlier_and_nothing_is_lost_between() {
        let calendar = content::work_calendar();
        let mut before = At(i64::MIN);
        for hour in 0..24 * 60 {
            let from = at("2026-01-20", hour);
            let after = |hours| calendar.after(from, Millis::hours(hours));
            assert!(after(48) >= before && after(48) - from >= Millis::hours(48));
            assert_eq!(calendar.after(after(20), Millis::hours(28)), after(48));
            before = after(48);
        }
        // A year nobody has announced yet is Mondays to Fridays.
        assert!(calendar.is_worked("2031-01-01".parse().unwrap()));
        assert_eq!(calendar.after(At(i64::MAX - 1), Millis(1)), At(i64::MAX));
    }
}
