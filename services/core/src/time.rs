//! Moments and dates. Clocks are handed in: rules never ask the time themselves.

use std::ops::{Add, Sub};

/// A moment: UTC milliseconds since 1970.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    sqlx::Type,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[sqlx(transparent)]
#[serde(transparent)]
#[schema(value_type = i64)]
pub struct At(pub i64);

/// A length of time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub i64);

impl Millis {
    pub const fn seconds(n: i64) -> Self {
        Self(n * 1000)
    }
    pub const fn minutes(n: i64) -> Self {
        Self::seconds(n * 60)
    }
    pub const fn hours(n: i64) -> Self {
        Self::minutes(n * 60)
    }
    pub const fn days(n: i64) -> Self {
        Self::hours(n * 24)
    }
}

impl Add<Millis> for At {
    type Output = At;
    fn add(self, rhs: Millis) -> At {
        At(self.0 + rhs.0)
    }
}
impl Sub<Millis> for At {
    type Output = At;
    fn sub(self, rhs: Millis) -> At {
        At(self.0 - rhs.0)
    }
}
impl Sub<At> for At {
    type Output = Millis;
    fn sub(self, rhs: At) -> Millis {
        Millis(self.0 - rhs.0)
    }
}

impl At {
    /// The machine's clock. Called at the edge (a handler, a worker's loop) and passed inwards.
    pub fn now() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self(since.as_millis() as i64)
    }

    /// As HTTP headers have it (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`, in whole seconds.
    pub fn http_date(self) -> String {
        let moment = jiff::Timestamp::from_second(self.0.div_euclid(1000)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let text = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&moment);
        text.unwrap_or_default()
    }

    /// The calendar day in China (UTC+8 all year) as `YYYY-MM-DD`.
    pub fn china_date(self) -> jiff::civil::Date {
        let offset = jiff::tz::Offset::constant(8);
        let moment = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        offset.to_datetime(moment).date()
    }
}

/// The length of a day.
const DAY: i64 = 86_400_000;
/// China's clocks are so far ahead of UTC, all year.
const CHINA: i64 = 8 * 3_600_000;

impl At {
    /// When this day began in China.
    pub fn china_midnight(self) -> At {
        At((self.0 + CHINA).div_euclid(DAY) * DAY - CHINA)
    }
}

/// A calendar day in China, `YYYY-MM-DD` wherever it is written.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, format = Date)]
pub struct Day(jiff::civil::Date);

impl Day {
    /// The day in China that a moment belongs to.
    pub fn of(at: At) -> Day {
        Day(at.china_date())
    }

    /// Its first moment in China.
    pub fn begins(self) -> At {
        let midnight = self.0.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::Offset::constant(8)));
        midnight.map_or(At(0), |midnight| At(midnight.timestamp().as_millisecond()))
    }

    pub fn is_weekend(self) -> bool {
        matches!(self.0.weekday(), jiff::civil::Weekday::Saturday | jiff::civil::Weekday::Sunday)
    }

    pub fn days_since(self, earlier: Day) -> i64 {
        let days = jiff::Unit::Day;
        self.0.since((days, earlier.0)).map_or(0, |span| i64::from(span.get_days()))
    }

    /// The same day so many months later, or the last day of a shorter month.
    pub fn plus_months(self, months: i64) -> Day {
        Day(self.0.saturating_add(jiff::Span::new().months(months)))
    }

    pub fn plus_days(self, days: i64) -> Day {
        Day(self.0.saturating_add(jiff::Span::new().days(days)))
    }

    pub fn year(self) -> i64 {
        i64::from(self.0.year())
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// That text is not a day of the calendar.
#[derive(Debug, thiserror::Error)]
#[error("not a date like 2026-09-30: {0}")]
pub struct NotADay(String);

impl std::str::FromStr for Day {
    type Err = NotADay;
    fn from_str(text: &str) -> Result<Self, NotADay> {
        // Exactly this shape: days are compared as text in SQL.
        let day: jiff::civil::Date = text.parse().map_err(|_| NotADay(text.to_owned()))?;
        if day.to_string() == text && (1900..=2200).contains(&day.year()) {
            Ok(Day(day))
        } else {
            Err(NotADay(text.to_owned()))
        }
    }
}
impl TryFrom<String> for Day {
    type Error = NotADay;
    fn try_from(text: String) -> Result<Self, NotADay> {
        text.parse()
    }
}
impl From<Day> for String {
    fn from(day: Day) -> String {
        day.to_string()
    }
}
impl From<jiff::civil::Date> for Day {
    fn from(date: jiff::civil::Date) -> Day {
        Day(date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_in_china_begins_at_sixteen_hundred_utc() {
        let before = At(1_767_196_799_999); // 2025-12-31T15:59:59.999Z
        assert_eq!(before.china_date().to_string(), "2025-12-31");
        assert_eq!((before + Millis(1)).china_date().to_string(), "2026-01-01");
        assert_eq!((before + Millis(1)).china_midnight(), before + Millis(1));
        assert_eq!(before.china_midnight(), before + Millis(1) - Millis::days(1));
        let new_year = Day::of(before + Millis(1));
        assert_eq!((new_year.to_string().as_str(), new_year.begins()), ("2026-01-01", before + Millis(1)));
        let weekends: Vec<bool> = (0..7).map(|n| new_year.plus_days(n).is_weekend()).collect();
        assert_eq!(weekends, [false, false, true, true, false, false, false]);
    }

    #[test]
    fn a_moment_in_a_header_is_a_date_of_http() {
        assert_eq!(At(784_111_777_999).http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn a_day_reads_one_shape_and_counts() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        assert_eq!(day("2026-03-01").days_since(day("2025-12-01")), 90);
        assert_eq!(day("2025-12-01").days_since(day("2026-03-01")), -90);
        assert_eq!(day("2026-01-31").plus_months(1).to_string(), "2026-02-28");
        for text in ["", "2026-2-1", "2026-02-30", "20260201", "2026-02-01T00:00", "0001-01-01", "9999-01-01"] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
    }
}
