//! What can go wrong with an app or with the host itself.

use std::fmt;

/// A sentence that says what is wrong.
#[derive(Debug)]
pub struct HostError(String);

impl HostError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HostError {}

impl From<std::io::Error> for HostError {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}
