//! Points in time as data: nothing in this crate reads a clock.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const ZERO: Self = Self(0);

    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The distance of two points, whichever is the earlier one.
    #[must_use]
    pub fn distance(self, other: Self) -> Duration {
        Duration::from_millis(self.0.abs_diff(other.0))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

/// A duration as people say it: `41 s`, `1 m 20 s`, `10 m`, `1 h 5 m`, `2 d`; at most two units.
#[derive(Clone, Copy, Debug)]
pub struct Spoken(pub Duration);

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.as_millis().saturating_add(500) / 1000;
        let (days, hours, minutes, seconds) =
            (total / 86_400, total / 3_600 % 24, total / 60 % 60, total % 60);
        let pair = |f: &mut fmt::Formatter<'_>, big, big_unit, small, small_unit| match small {
            0 => write!(f, "{big} {big_unit}"),
            _ => write!(f, "{big} {big_unit} {small} {small_unit}"),
        };
        match (days, hours, minutes) {
            (0, 0, 0) => write!(f, "{seconds} s"),
            (0, 0, _) => pair(f, minutes, "m", seconds, "s"),
            (0, _, _) => pair(f, hours, "h", minutes, "m"),
            _ => pair(f, days, "d", hours, "h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn durations_are_said_in_at_most_two_units() {
        let spoken = |seconds| format!("{}", Spoken(Duration::from_secs(seconds)));
        assert_eq!(spoken(0), "0 s");
        assert_eq!(spoken(41), "41 s");
        assert_eq!(spoken(80), "1 m 20 s");
        assert_eq!(spoken(600), "10 m");
        assert_eq!(spoken(3_900), "1 h 5 m");
        assert_eq!(spoken(172_800), "2 d");
        assert_eq!(format!("{}", Spoken(Duration::from_millis(59_600))), "1 m");
    }

    #[test]
    fn a_time_before_another_is_no_time_after_it() {
        let (early, late) = (Timestamp::from_millis(1_000), Timestamp::from_millis(4_000));
        assert_eq!(late.since(early), Duration::from_secs(3));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early.distance(late), late.distance(early));
    }
}
