//! The only file that reads the system clock.

use fan_in::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// The time by this machine's clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// RFC 3339 in UTC with milliseconds, such as `2026-11-20T10:00:00.250Z`.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    let nanos = i128::from(at.as_millis()) * 1_000_000;
    let Ok(time) = time::OffsetDateTime::from_unix_timestamp_nanos(nanos) else {
        return String::new();
    };
    let (date, clock) = (time.date(), time.time());
    format!(
        "{date}T{:02}:{:02}:{:02}.{:03}Z",
        clock.hour(),
        clock.minute(),
        clock.second(),
        clock.millisecond()
    )
}

/// Reads an RFC 3339 time with any number of fractional digits: registries write 3, 7, 8 or 9. What is finer
/// than a millisecond is cut off. None when it is no such time.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let (head, rest) = match text.split_once('.') {
        Some((head, rest)) => (head, Some(rest)),
        None => (text, None),
    };
    let cut = match rest {
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (fraction, offset) = rest.split_at(digits);
            if fraction.is_empty() {
                return None;
            }
            format!("{head}.{}{offset}", &fraction[..fraction.len().min(9)])
        }
        None => head.to_owned(),
    };
    let time =
        time::OffsetDateTime::parse(&cut, &time::format_description::well_known::Rfc3339).ok()?;
    i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000))
        .ok()
        .map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_any_number_of_fractional_digits_are_read() {
        let millis = |text: &str| parse_rfc3339(text).map(Timestamp::as_millis);
        assert_eq!(millis("2017-11-17T16:52:01Z"), Some(1_510_937_521_000));
        for fraction in ["343", "3431453", "34314534", "343145347", "34314534712345"] {
            assert_eq!(
                millis(&format!("2017-11-17T16:52:01.{fraction}Z")),
                Some(1_510_937_521_343),
                "{fraction}"
            );
        }
        assert_eq!(millis("2026-11-20T10:00:00.1200+02:00"), millis("2026-11-20T08:00:00.12Z"));
        for bad in [
            "",
            "now",
            "2017-11-17",
            "2017-11-17T16:52:01",
            "2017-11-17T16:52:01.Z",
            "2017-13-17T16:52:01Z",
        ] {
            assert_eq!(millis(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        assert_eq!(rfc3339(Timestamp::from_millis(1_510_937_521_043)), "2017-11-17T16:52:01.043Z");
        assert_eq!(rfc3339(Timestamp::from_millis(i64::MAX)), "");
    }
}
