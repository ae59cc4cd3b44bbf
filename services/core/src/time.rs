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

    /// The calendar day in China (UTC+8 all year) as `YYYY-MM-DD`.
    pub fn china_date(self) -> jiff::civil::Date {
        let offset = jiff::tz::Offset::constant(8);
        let moment = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        offset.to_datetime(moment).date()
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
    }
}
