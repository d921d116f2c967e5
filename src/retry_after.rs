//! How long somebody asks us to wait.

use fan_in::Timestamp;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Reads `Retry-After`: seconds, or a date as HTTP writes it. None when it is neither.
#[must_use]
pub fn parse(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = OffsetDateTime::parse(text, &Rfc2822).ok()?;
    let millis = date.unix_timestamp().checked_mul(1_000)?;
    Some(Timestamp::from_millis(millis).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_all_else_is_ignored() {
        let now = Timestamp::from_millis(784_111_777_500);
        let parse = |text| parse(text, now);
        assert_eq!(parse("120"), Some(Duration::from_secs(120)));
        assert_eq!(parse(" 0 "), Some(Duration::ZERO));
        assert_eq!(parse("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_millis(59_500)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        for garbage in
            ["", "-5", "1.5", "soon", "12 s", "Sun, 99 Nov 1994 08:50:37 GMT", "١٢", "0x10"]
        {
            assert_eq!(parse(garbage), None, "{garbage}");
        }
    }
}
