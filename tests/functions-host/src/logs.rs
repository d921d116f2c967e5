//! What the handler and the host had to say.

use std::sync::{Arc, Mutex, PoisonError};

/// Where a line came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogSource {
    /// The standard output of the handler.
    Stdout,
    /// The standard error of the handler.
    Stderr,
    /// The `Logs` of an answer by this function.
    Function(String),
    /// The host itself.
    Host,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub source: LogSource,
    pub text: String,
}

/// All lines so far; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logs(Arc<Mutex<Vec<LogLine>>>);

impl Logs {
    pub(crate) fn add(&self, source: LogSource, text: impl Into<String>) {
        let line = LogLine { source, text: text.into() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    pub(crate) fn host(&self, text: impl Into<String>) {
        self.add(LogSource::Host, text);
    }

    pub(crate) fn lines(&self) -> Vec<LogLine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
