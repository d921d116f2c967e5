//! What one step of a deployment leaves for the next, which may be made by another process.

use super::health::Restarts;
use crate::azure::Operation;
use crate::limits::PROGRESS_MAX;
use fan_in::Timestamp;
use serde::{Deserialize, Serialize};

/// An operation's address that is longer than this is not written down: the group tells as well.
const ADDRESS_MAX: usize = PROGRESS_MAX - 512;

/// Where a deployment is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub(super) enum Phase {
    /// Azure makes the group what it was asked for.
    Updating { operation: Operation, since_ms: i64 },
    /// The update is made, and the containers are looked at; the restarts are those that the first look found.
    Watching { since_ms: i64, restarts: Option<Restarts> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Of the push that it is about.
    pub(super) mark: String,
    #[serde(flatten)]
    pub(super) phase: Phase,
    /// The address before the update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ip: Option<String>,
}

impl Progress {
    /// None when it is of another push, or was written by a program that we do not understand: then the group is
    /// looked at anew.
    pub(super) fn read(text: Option<&str>, mark: &str) -> Option<Self> {
        let progress: Self = serde_json::from_str(text?).ok()?;
        (progress.mark == mark).then_some(progress)
    }

    pub(super) fn write(&self) -> Option<String> {
        let mut progress = self.clone();
        if let Phase::Updating { operation, .. } = &mut progress.phase {
            *operation = operation.shortened(ADDRESS_MAX);
        }
        let text = serde_json::to_string(&progress).ok()?;
        if text.len() <= PROGRESS_MAX {
            return Some(text);
        }
        // So many containers that restarted before: better to count those restarts than to begin again.
        if let Phase::Watching { restarts, .. } = &mut progress.phase {
            *restarts = Some(Restarts::new());
        }
        serde_json::to_string(&progress).ok()
    }

    pub(super) const fn since(&self) -> Timestamp {
        match self.phase {
            Phase::Updating { since_ms, .. } | Phase::Watching { since_ms, .. } => {
                Timestamp::from_millis(since_ms)
            }
        }
    }
}
