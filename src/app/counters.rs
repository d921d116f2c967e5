//! What has happened since the start, counted.

use fan_in::{Attempt, Status, Verdict};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters by a fixed set of names: nothing a caller sends becomes one.
#[derive(Debug, Default)]
pub struct Counters {
    arrivals: [AtomicU64; VERDICTS.len()],
    decisions: [AtomicU64; DECISIONS.len()],
    attempts: [AtomicU64; ATTEMPTS.len()],
    ticks: AtomicU64,
    store_errors: AtomicU64,
}

const VERDICTS: [&str; 5] = ["recorded", "completed", "late", "recovered", "duplicate"];
const DECISIONS: [&str; 4] = ["completed", "timed_out", "recovered", "superseded"];
const ATTEMPTS: [&str; 5] = ["accepted", "ongoing", "refused", "unknown", "hopeless"];

fn add(counters: &[AtomicU64], names: &[&str], name: &str) {
    if let Some(at) = names.iter().position(|n| *n == name) {
        counters[at].fetch_add(1, Ordering::Relaxed);
    }
}

impl Counters {
    pub(super) fn arrival(&self, verdict: Verdict) {
        add(&self.arrivals, &VERDICTS, verdict.as_str());
    }

    pub(super) fn decision(&self, status: Status) {
        add(&self.decisions, &DECISIONS, status.as_str());
    }

    pub(super) fn attempt(&self, attempt: &Attempt) {
        let name = match attempt {
            Attempt::Accepted { .. } => "accepted",
            Attempt::Ongoing { .. } => "ongoing",
            Attempt::Refused { .. } => "refused",
            Attempt::Unknown { .. } => "unknown",
            Attempt::Hopeless { .. } => "hopeless",
        };
        add(&self.attempts, &ATTEMPTS, name);
    }

    pub(super) fn tick(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn store_error(&self) {
        self.store_errors.fetch_add(1, Ordering::Relaxed);
    }

    /// All counters in the text format of Prometheus.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        let arrivals = VERDICTS.iter().zip(&self.arrivals);
        family(
            &mut text,
            "fanin_arrivals_total",
            "Arrivals recorded, by result.",
            "result",
            arrivals,
        );
        let decisions = DECISIONS.iter().zip(&self.decisions);
        family(
            &mut text,
            "fanin_decisions_total",
            "Pushes decided, by status.",
            "status",
            decisions,
        );
        let attempts = ATTEMPTS.iter().zip(&self.attempts);
        family(
            &mut text,
            "fanin_attempts_total",
            "Attempts at a delivery, by outcome.",
            "outcome",
            attempts,
        );
        single(&mut text, "fanin_ticks_total", "Ticks of the timer.", &self.ticks);
        let what = "Times the store did not do what it was asked.";
        single(&mut text, "fanin_store_errors_total", what, &self.store_errors);
        text
    }
}

fn head(text: &mut String, name: &str, help: &str) {
    *text += &format!("# HELP {name} {help}\n# TYPE {name} counter\n");
}

fn family<'a>(
    text: &mut String,
    name: &str,
    help: &str,
    label: &str,
    counters: impl Iterator<Item = (&'a &'static str, &'a AtomicU64)>,
) {
    head(text, name, help);
    for (value, counter) in counters {
        *text += &format!("{name}{{{label}=\"{value}\"}} {}\n", counter.load(Ordering::Relaxed));
    }
}

fn single(text: &mut String, name: &str, help: &str, counter: &AtomicU64) {
    head(text, name, help);
    *text += &format!("{name} {}\n", counter.load(Ordering::Relaxed));
}
