//! The one place that reads the clock.

use time::{Duration, OffsetDateTime};

/// Seconds since 1970.
pub(crate) fn unix_s() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

/// Times for documents: never the same one twice, so that two starts of a container can be told apart.
#[derive(Debug)]
pub(crate) struct Clock {
    last: OffsetDateTime,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { last: OffsetDateTime::UNIX_EPOCH }
    }

    /// Now, or a millisecond after what was said last.
    pub(crate) fn tick(&mut self) -> String {
        self.last = OffsetDateTime::now_utc().max(self.last + Duration::milliseconds(1));
        iso(self.last)
    }
}

/// `2026-11-20T23:00:11.828Z`
fn iso(time: OffsetDateTime) -> String {
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.millisecond()
    )
}
