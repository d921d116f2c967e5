//! Durations as settings write them.

use super::problems::Wrong;
use super::values::said;
use std::ops::RangeInclusive;
use std::time::Duration;

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 60 * MINUTE_S;
pub(super) const DAY_S: u64 = 24 * HOUR_S;

/// `90s`, `10m`, `2h`, `1d`, `500ms`, or a .NET TimeSpan: `[d.]hh:mm[:ss[.fffffff]]`.
///
/// A number alone is refused, although .NET takes it for days, and so are hours beyond 23, which .NET takes for
/// days in some places and refuses in others.
pub(super) fn parse(text: &str) -> Result<Duration, Wrong> {
    let text = text.trim();
    let duration = if text.contains(':') { time_span(text) } else { with_unit(text) };
    duration.ok_or_else(|| {
        "is not a duration; write 90s, 10m, 2h, 1d, hh:mm:ss or d.hh:mm:ss (hours to 23)".to_owned()
    })
}

/// [`parse`], and within bounds that are given as people say them.
pub(super) fn within(
    text: &str,
    bounds: &RangeInclusive<Duration>,
    spoken: &str,
) -> Result<Duration, Wrong> {
    let duration = parse(text)?;
    if bounds.contains(&duration) {
        Ok(duration)
    } else {
        said(format_args!("is out of bounds; it must be {spoken}"))
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

fn with_unit(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    let (count, unit) = (number(count)?, unit.trim_start());
    let unit_s = match unit {
        "ms" => return Some(Duration::from_millis(count)),
        "s" => 1,
        "m" => MINUTE_S,
        "h" => HOUR_S,
        "d" => DAY_S,
        _ => return None,
    };
    Some(Duration::from_secs(count.checked_mul(unit_s)?))
}

fn time_span(text: &str) -> Option<Duration> {
    let (first, rest) = text.split_once(':')?;
    let (days, hours, rest) = match first.split_once('.') {
        Some((days, hours)) => (number(days)?, hours, rest),
        None if rest.matches(':').count() == 2 => {
            let (hours, rest) = rest.split_once(':')?;
            (number(first)?, hours, rest)
        }
        None => (0, first, rest),
    };
    let (minutes, seconds) = rest.split_once(':').unwrap_or((rest, "0"));
    let (seconds, fraction) = match seconds.split_once('.') {
        Some((seconds, fraction)) => (seconds, nanos(fraction)?),
        None => (seconds, 0),
    };
    let below = |text, limit| number(text).filter(|n| *n < limit);
    let (hours, minutes, seconds) = (below(hours, 24)?, below(minutes, 60)?, below(seconds, 60)?);
    let whole =
        days.checked_mul(DAY_S)?.checked_add(hours * HOUR_S + minutes * MINUTE_S + seconds)?;
    Some(Duration::new(whole, fraction))
}

/// Up to seven decimals, as .NET has them.
fn nanos(fraction: &str) -> Option<u32> {
    let digits = u32::try_from(number(fraction)?).ok()?;
    let missing = 9_usize.checked_sub(fraction.len()).filter(|missing| *missing >= 2)?;
    digits.checked_mul(10_u32.pow(u32::try_from(missing).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_with_a_unit_or_a_time_span() {
        let seconds = |text| parse(text).map(|d| d.as_secs_f64());
        for (text, expected) in [
            ("0:1:20", 80.0),
            ("00:10:00", 600.0),
            ("0:10", 600.0),
            ("1.00:00:00", 86_400.0),
            ("1:00:00:00", 86_400.0),
            ("6.23:59:59.9999999", 604_799.999_999_9),
            ("0:0:1.5", 1.5),
            (" 90s ", 90.0),
            ("10 m", 600.0),
            ("2h", 7_200.0),
            ("1d", 86_400.0),
            ("250ms", 0.25),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "10",
            "s",
            "-1s",
            "1.5h",
            "1w",
            "10M",
            "24:00:00",
            "0:60",
            "0:0:60",
            "-0:10:00",
            "1.0",
            "0:",
            ":10",
            "0:0:1.",
            "0:0:1.12345678",
            "1.2.0:0",
            "1.1:0:0:0",
            "0:0:0:0:1",
            "99999999999999999s",
            "0:1:20 x",
            "٣s",
            "0:+1",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
