//! NCRONTAB: `{second} {minute} {hour} {day} {month} {day of week}`, the second left out or not.

use std::ops::RangeInclusive;

use time::{Duration, OffsetDateTime, Time};

use crate::clock;
use crate::error::HostError;

/// When a timer fires, in UTC.
#[derive(Debug)]
pub(crate) struct Schedule {
    second: Field,
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

/// The values that match, as bits.
#[derive(Debug)]
struct Field(u64);

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Schedule {
    pub(crate) fn parse(text: &str) -> Result<Self, HostError> {
        let wrong = || HostError::new(format!("{text} is no NCRONTAB expression"));
        let mut fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() == 5 {
            fields.insert(0, "0");
        }
        let &[second, minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(wrong());
        };
        Ok(Self {
            second: Field::parse(second, 0..=59, &[]).ok_or_else(wrong)?,
            minute: Field::parse(minute, 0..=59, &[]).ok_or_else(wrong)?,
            hour: Field::parse(hour, 0..=23, &[]).ok_or_else(wrong)?,
            day: Field::parse(day, 1..=31, &[]).ok_or_else(wrong)?,
            month: Field::parse(month, 1..=12, &MONTHS).ok_or_else(wrong)?,
            weekday: Field::parse(weekday, 0..=6, &WEEKDAYS).ok_or_else(wrong)?,
        })
    }

    /// The first time after `after`. A schedule that never comes (30 February) is put off for
    /// as long as this looked for it.
    pub(crate) fn next(&self, after: OffsetDateTime) -> OffsetDateTime {
        let mut time = after.replace_nanosecond(0).unwrap_or(after) + Duration::SECOND;
        let last = after + Duration::days(8 * 366);
        while time < last {
            let is_day = self.month.has(u8::from(time.month()))
                && self.day.has(time.day())
                && self.weekday.has(time.weekday().number_days_from_sunday());
            if !is_day {
                time = time.replace_time(Time::MIDNIGHT) + Duration::DAY;
            } else if !self.hour.has(time.hour()) {
                let into_hour = i64::from(time.minute()) * 60 + i64::from(time.second());
                time += Duration::HOUR - Duration::seconds(into_hour);
            } else if !self.minute.has(time.minute()) {
                time += Duration::MINUTE - Duration::seconds(i64::from(time.second()));
            } else if !self.second.has(time.second()) {
                time += Duration::SECOND;
            } else {
                break;
            }
        }
        time
    }

    /// Whether two ticks are less than a minute apart: then the host does not monitor it.
    pub(crate) fn is_below_a_minute(&self) -> bool {
        let first = self.next(clock::now());
        self.next(first) - first < Duration::MINUTE
    }
}

impl Field {
    fn has(&self, value: u8) -> bool {
        self.0 & (1 << value) != 0
    }

    fn parse(text: &str, range: RangeInclusive<u8>, names: &[&str]) -> Option<Self> {
        let mut parts = text.split(',').map(|part| part_bits(part, &range, names));
        parts.try_fold(0, |bits, part| Some(bits | part?)).map(Self)
    }
}

/// The bits of `*`, `3`, `1-5`, each with `/step` or without.
fn part_bits(text: &str, range: &RangeInclusive<u8>, names: &[&str]) -> Option<u64> {
    let value = |text: &str| -> Option<u8> {
        let name = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match name {
            Some(index) => u8::try_from(index).ok()? + range.start(),
            None => text.parse().ok()?,
        };
        range.contains(&value).then_some(value)
    };
    let (span, step) = match text.split_once('/') {
        Some((span, step)) => (span, Some(step.parse::<usize>().ok().filter(|step| *step > 0)?)),
        None => (text, None),
    };
    let (first, last) = match span.split_once('-') {
        _ if span == "*" => (*range.start(), *range.end()),
        Some((first, last)) => (value(first)?, value(last)?),
        None if step.is_some() => (value(span)?, *range.end()),
        None => (value(span)?, value(span)?),
    };
    Some((first..=last).step_by(step.unwrap_or(1)).fold(0, |bits, value| bits | 1 << value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(expression: &str, after: &str) -> String {
        let (after, _) = clock::parse_iso(after).unwrap();
        clock::iso(Schedule::parse(expression).unwrap().next(after))
    }

    #[test]
    fn the_next_time_is_found_field_by_field() {
        let friday = "2026-11-20T22:58:29.5Z";
        assert_eq!(next("*/15 * * * * *", friday), "2026-11-20T22:58:30");
        assert_eq!(next("0 * * * * *", friday), "2026-11-20T22:59:00");
        assert_eq!(next("0 30 9 * * MON-FRI", friday), "2026-11-23T09:30:00");
        assert_eq!(next("0 0 1 1 *", friday), "2027-01-01T00:00:00");
        assert_eq!(next("0 0 0 29 2 *", friday), "2028-02-29T00:00:00");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "* * * *", "60 * * * * *", "*/0 * * * * *", "a * * * * *"] {
            assert!(Schedule::parse(text).is_err(), "{text}");
        }
    }
}
