//! The one place that reads the clock, and the ways in which the host writes a time.

use time::{Date, Month, OffsetDateTime, Time, UtcOffset, Weekday};

pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// `0001-01-01`, what .NET calls `DateTimeOffset.MinValue`.
pub(crate) fn never() -> OffsetDateTime {
    at(1, 1, 1, Time::MIDNIGHT).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The last second of the year 9999, `DateTimeOffset.MaxValue` without its fraction.
pub(crate) fn forever() -> OffsetDateTime {
    let last_second = Time::from_hms(23, 59, 59).unwrap_or(Time::MIDNIGHT);
    at(9999, 12, 31, last_second).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn at(year: i32, month: u8, day: u8, time: Time) -> Option<OffsetDateTime> {
    let month = Month::try_from(month).ok()?;
    let date = Date::from_calendar_date(year, month, day).ok()?;
    Some(OffsetDateTime::new_utc(date, time))
}

/// `2026-11-20T23:00:11.8283067` without a zone; trailing zeros of the fraction are left out.
pub(crate) fn iso(time: OffsetDateTime) -> String {
    let seconds = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    );
    let fraction = format!("{:07}", time.nanosecond() / 100);
    match fraction.trim_end_matches('0') {
        "" => seconds,
        digits => format!("{seconds}.{digits}"),
    }
}

/// `2026-11-20T23:00:11+00:00`
pub(crate) fn whole_seconds(time: OffsetDateTime) -> String {
    let whole = time.replace_nanosecond(0).unwrap_or(time);
    format!("{}+00:00", iso(whole))
}

/// `11/20/2026 23:00:11`, the invariant culture of .NET.
pub(crate) fn culture(time: OffsetDateTime) -> String {
    format!(
        "{:02}/{:02}/{:04} {:02}:{:02}:{:02}",
        u8::from(time.month()),
        time.day(),
        time.year(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Fri, 20 Nov 2026 23:00:11 GMT`
pub(crate) fn rfc1123(time: OffsetDateTime) -> String {
    let weekday = match time.weekday() {
        Weekday::Monday => "Mon",
        Weekday::Tuesday => "Tue",
        Weekday::Wednesday => "Wed",
        Weekday::Thursday => "Thu",
        Weekday::Friday => "Fri",
        Weekday::Saturday => "Sat",
        Weekday::Sunday => "Sun",
    };
    format!(
        "{weekday}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        time.day(),
        MONTHS[usize::from(u8::from(time.month())) - 1],
        time.year(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// Reads what [`rfc1123`] writes.
pub(crate) fn parse_rfc1123(text: &str) -> Option<OffsetDateTime> {
    let mut words = text.split_whitespace().skip(1);
    let day = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let year = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(str::parse);
    let (hour, minute, second) = (clock.next()?.ok()?, clock.next()?.ok()?, clock.next()?.ok()?);
    at(year, u8::try_from(month).ok()?, day, Time::from_hms(hour, minute, second).ok()?)
}

/// What a date in a JSON text says about its zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Zone {
    Utc,
    /// An offset was given: the time has been moved into the host's zone, which is UTC.
    Local,
    Unspecified,
}

/// Reads `2026-11-20T10:00:00.1200+02:00`, with at most seven digits of fraction.
pub(crate) fn parse_iso(text: &str) -> Option<(OffsetDateTime, Zone)> {
    let (seconds, rest) = (text.get(..19)?, text.get(19..)?);
    let bytes = seconds.as_bytes();
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|&(at, separator)| bytes[at] != separator) {
        return None;
    }
    let year = i32::try_from(number(seconds.get(..4)?)?).ok()?;
    let part = |from: usize| u8::try_from(number(seconds.get(from..from + 2)?)?).ok();
    let (fraction, zone) = split_fraction(rest)?;
    let time = Time::from_hms_nano(part(11)?, part(14)?, part(17)?, fraction).ok()?;
    let moment = at(year, part(5)?, part(8)?, time)?;
    Some(match zone {
        "" => (moment, Zone::Unspecified),
        "Z" => (moment, Zone::Utc),
        _ => (moment.replace_offset(offset(zone)?).to_offset(UtcOffset::UTC), Zone::Local),
    })
}

fn number(digits: &str) -> Option<u32> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The fraction in nanoseconds, and what stands behind it.
fn split_fraction(rest: &str) -> Option<(u32, &str)> {
    let Some(rest) = rest.strip_prefix('.') else { return Some((0, rest)) };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=7).contains(&digits) {
        return None;
    }
    let (fraction, zone) = rest.split_at(digits);
    Some((format!("{fraction:0<9}").parse().ok()?, zone))
}

fn offset(zone: &str) -> Option<UtcOffset> {
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = i8::try_from(number(zone.get(1..3)?)?).ok()?;
    let minutes = match zone.get(3..)?.trim_start_matches(':') {
        "" => 0,
        minutes => i8::try_from(number(minutes)?).ok()?,
    };
    UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_with_an_offset_is_moved_to_utc() {
        let (time, zone) = parse_iso("2026-11-20T10:00:00.1200+02:00").unwrap();
        assert_eq!((iso(time).as_str(), zone), ("2026-11-20T08:00:00.12", Zone::Local));
    }

    #[test]
    fn nine_digits_of_fraction_are_no_date() {
        assert!(parse_iso("2017-11-17T16:52:01.343145347Z").is_none());
    }

    #[test]
    fn the_date_of_an_http_header_is_read_as_it_is_written() {
        let text = "Fri, 20 Nov 2026 23:09:11 GMT";
        assert_eq!(rfc1123(parse_rfc1123(text).unwrap()), text);
    }
}
