//! Every limit in one place. Sizes in bytes unless the name says otherwise.

use std::time::Duration;

/// A webhook's body, as its sender wrote it.
pub const BODY_MAX: usize = 256 * 1024;
/// Events in one call of Event Grid, which itself sends at most 5,000; fewer keep the answer within its time.
pub const EVENTS_MAX: usize = 1_000;
/// A time as a registry writes it; one with nine fractional digits and an offset has 35.
pub const TIMESTAMP_MAX: usize = 64;
/// What the Functions host wraps around a body: it escapes it and copies it into the metadata.
pub const ENVELOPE_MAX: usize = 4 * 1024 * 1024;
/// The handler answers a webhook within this time, whatever storage does: a registry waits 5 s and never
/// comes again.
pub const ANSWER_WITHIN: Duration = Duration::from_millis(4_000);
/// Storage is tried for this long, which leaves time to answer.
pub const STORAGE_WITHIN: Duration = Duration::from_millis(3_500);
/// One storage request of a webhook.
pub const STORAGE_REQUEST: Duration = Duration::from_millis(1_500);
/// What a sender is told to wait when storage is away, in seconds.
pub const RETRY_AFTER_SECONDS: u32 = 5;

pub const REGIONS_MAX: usize = 64;
pub const SINKS_MAX: usize = 32;
/// Definitions of jobs.
pub const JOBS_MAX: usize = 64;
/// Parts of a job's command, and bytes in one of them.
pub const ARGS_MAX: usize = 64;
pub const ARG_MAX: usize = 4 * 1024;

/// A row in the store.
pub const ROW_MAX: usize = 256 * 1024;
/// An error or a result that is kept with a delivery, in characters.
pub const TEXT_CHARS_MAX: usize = 300;
/// Texts of the first event that are kept for a notice in the registry's own format, in characters.
pub const ORIGIN_CHARS_MAX: usize = 256;
/// An arrival that travels by queue.
pub const QUEUED_ARRIVAL_MAX: usize = 8 * 1024;

/// Parts of a deployment's target whose newest push its guard keeps.
pub const PARTS_MAX: usize = 1_000;
/// What a sink keeps between two steps.
pub const PROGRESS_MAX: usize = 4 * 1024;

/// Pushes on one page of the list: the most, and how many when nothing is asked.
pub const PAGE_MAX: usize = 200;
pub const PAGE_DEFAULT: usize = 50;

/// Due pushes that one tick looks at; the first tick of a process looks at all.
pub const SWEEP_MAX: usize = 500;
/// Expired pushes that are read in one go, in all shards together.
pub const PURGE_MAX: usize = 200;

/// The body of a request for a job.
pub const JOB_BODY_MAX: usize = 16 * 1024;
/// An `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_MAX: usize = 255;
/// What is kept of what a job's container wrote: its end. Azure keeps no more of a container that has ended.
pub const JOB_LOG_MAX: usize = 16 * 1024;

/// What is read of a sink's answer.
pub const SINK_ANSWER_MAX: usize = 64 * 1024;

/// What is read of an answer of Azure Resource Manager, whose logs of a container may have 4 MB.
pub const ARM_ANSWER_MAX: usize = 8 * 1024 * 1024;
/// One request to Azure Resource Manager, whatever the caller allows.
pub const ARM_REQUEST: Duration = Duration::from_secs(60);
/// Of a message of Azure's, in characters.
pub const ARM_MESSAGE_CHARS_MAX: usize = 500;
/// While Azure is at work on a container group, we stay away for this long.
pub const TRANSITION_PAUSE: Duration = Duration::from_secs(10);
/// Between two questions about an operation, unless Azure asks for another pause; and the bounds of that.
pub const OPERATION_PAUSE: Duration = Duration::from_secs(10);
pub const OPERATION_PAUSE_MIN: Duration = Duration::from_millis(250);
pub const OPERATION_PAUSE_MAX: Duration = Duration::from_secs(300);
/// An update that takes longer is looked at no more.
pub const OPERATION_WITHIN: Duration = Duration::from_secs(30 * 60);

/// Lines of the log that wait for somebody to read them, a MiB or two at their usual length; further ones are dropped.
pub const LOG_LINES_MAX: usize = 4_096;
/// A process that ends waits no longer for somebody to read its last lines.
pub const LOG_ENDS_WITHIN: Duration = Duration::from_secs(3);

/// The first so many characters of a text, as it is kept and shown.
#[must_use]
pub fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

/// The end of a text: whole characters of at most so many bytes.
#[must_use]
pub fn tail(text: &str, bytes_max: usize) -> &str {
    let mut start = text.len().saturating_sub(bytes_max);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_begins_with_a_whole_character() {
        assert_eq!(tail("abc", 2), "bc");
        assert_eq!(tail("abc", 9), "abc");
        assert_eq!(tail("aüb", 2), "b");
        assert_eq!(tail("aüb", 3), "üb");
        assert_eq!(tail("", 0), "");
    }
}
