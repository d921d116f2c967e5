//! Lines on their way to whoever reads the log. If he stops to, some of them wait, and further ones are dropped and
//! counted.

use crate::clock::{now, rfc3339};
use crate::limits::{LOG_ENDS_WITHIN, LOG_LINES_MAX};
use serde_json::json;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use tracing_subscriber::fmt::MakeWriter;

enum Message {
    Line(Vec<u8>),
    End,
}

/// Takes lines, and never waits.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    queue: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

/// Whoever holds this is logging. When it is dropped the lines that wait are written, if somebody reads them soon.
#[derive(Debug)]
#[must_use = "the last lines are written when it is dropped"]
pub struct Logs {
    queue: SyncSender<Message>,
    done: Receiver<()>,
}

/// Begins to write lines to `out`.
pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<(Lines, Logs)> {
    let (queue, waiting) = mpsc::sync_channel(LOG_LINES_MAX);
    let (ended, done) = mpsc::channel();
    let lost = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&lost);
    thread::Builder::new().name("log".to_owned()).spawn(move || {
        write(out, &waiting, &counted);
        drop(ended);
    })?;
    Ok((Lines { queue: queue.clone(), lost }, Logs { queue, done }))
}

/// Until the end is told. A line that cannot be written has nowhere else to go.
fn write(mut out: impl Write, waiting: &Receiver<Message>, lost: &AtomicU64) {
    while let Ok(Message::Line(line)) = waiting.recv() {
        out.write_all(&line).unwrap_or_default();
        match lost.swap(0, Ordering::Relaxed) {
            0 => {}
            lines => out.write_all(gap(lines).as_bytes()).unwrap_or_default(),
        }
    }
    out.flush().unwrap_or_default();
}

/// The line that stands where others are missing.
fn gap(lines: u64) -> String {
    let line = json!({
        "timestamp": rfc3339(now()),
        "level": "WARN",
        "message": "lines of the log were dropped: nobody read it",
        "lines": lines,
        "target": module_path!(),
    });
    format!("{line}\n")
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Lines {
    /// One whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Message::Line(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        // The queue may be full for as long as nobody reads.
        let queue = self.queue.clone();
        let told = thread::Builder::new().spawn(move || queue.send(Message::End).is_ok());
        if told.is_ok() {
            // Either way there is nobody left to tell.
            self.done.recv_timeout(LOG_ENDS_WITHIN).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::io::{BufRead, BufReader};

    #[test]
    fn a_log_that_nobody_reads_keeps_nobody_waiting_and_says_later_what_is_missing() {
        let (reader, writer) = io::pipe().unwrap();
        let (lines, logs) = start(writer).unwrap();
        let (written, length) = (3 * LOG_LINES_MAX as u64, 100);
        for _ in 0..written {
            let line = format!("{{\"message\":\"{}\"}}\n", "x".repeat(length));
            (&lines).write_all(line.as_bytes()).unwrap();
        }
        // It goes on once somebody reads: a line beyond those that wait finds room then.
        let mut read = BufReader::new(reader).lines().map(Result::unwrap);
        let parse = |line: String| serde_json::from_str::<Value>(&line).unwrap();
        let first = parse(read.next().unwrap());
        assert_eq!(first["message"].as_str().map(str::len), Some(length));
        drop((lines, thread::spawn(move || drop(logs))));
        let rest: Vec<Value> = read.map(parse).collect();
        let lost: u64 = rest.iter().filter_map(|line| line["lines"].as_u64()).sum();
        let gaps = rest.iter().filter(|line| line["lines"].is_u64()).count() as u64;
        assert!(lost > 0, "more was written than can wait");
        assert_eq!(1 + rest.len() as u64 - gaps + lost, written);
    }

    #[test]
    fn a_log_that_nobody_ever_reads_does_not_keep_the_process() {
        let (_reader, writer) = io::pipe().unwrap();
        let (lines, logs) = start(writer).unwrap();
        for _ in 0..2 * LOG_LINES_MAX {
            (&lines).write_all(&[b'x'; 100]).unwrap();
        }
        drop(logs);
    }
}
