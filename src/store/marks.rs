//! The row `t:`: the newest pushes of a repository's tag, newest first.

use super::row::{at, broken, to_json};
use crate::ports::StoreError;
use fan_in::{PushId, Timestamp};
use serde::{Deserialize, Serialize};

/// A push that the row of a tag names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub push: PushId,
    pub registry: Option<String>,
    pub digest: Option<String>,
    /// The push's earliest event, or a later one: it may have become earlier since.
    pub first_event: Timestamp,
    pub first_seen: Timestamp,
}

#[derive(Deserialize, Serialize)]
struct MarkDoc {
    push: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    registry: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    first_event: i64,
    first_seen: i64,
}

pub(crate) fn write_marks(marks: &[Mark]) -> Result<String, StoreError> {
    let docs = marks.iter().map(|m| MarkDoc {
        push: m.push.to_string(),
        registry: m.registry.clone(),
        digest: m.digest.clone(),
        first_event: m.first_event.as_millis(),
        first_seen: m.first_seen.as_millis(),
    });
    to_json(&docs.collect::<Vec<_>>())
}

pub(crate) fn read_marks(doc: &str) -> Result<Vec<Mark>, StoreError> {
    let docs: Vec<MarkDoc> =
        serde_json::from_str(doc).map_err(|_| broken("not the JSON of a tag"))?;
    let read = docs.into_iter().map(|m| {
        Some(Mark {
            push: PushId::parse(&m.push)?,
            registry: m.registry,
            digest: m.digest,
            first_event: at(m.first_event),
            first_seen: at(m.first_seen),
        })
    });
    read.collect::<Option<_>>().ok_or_else(|| broken("a field of a tag is not what it should be"))
}
