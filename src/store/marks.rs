//! The row `t:`: the newest pushes of a repository's tag, newest first.

use super::row::{at, broken, to_json};
use super::text::{Text, text};
use crate::ports::StoreError;
use fan_in::{PushId, Timestamp};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

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
struct MarkDoc<'a> {
    #[serde(borrow)]
    push: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registry: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Text<'a>>,
    first_event: i64,
    first_seen: i64,
}

pub(crate) fn write_marks(marks: &[Mark]) -> Result<String, StoreError> {
    let docs = marks.iter().map(|m| MarkDoc {
        push: Text(Cow::Owned(m.push.to_string())),
        registry: text(m.registry.as_deref()),
        digest: text(m.digest.as_deref()),
        first_event: m.first_event.as_millis(),
        first_seen: m.first_seen.as_millis(),
    });
    to_json(&docs.collect::<Vec<_>>())
}

pub(crate) fn read_marks(doc: &str) -> Result<Vec<Mark>, StoreError> {
    let docs: Vec<MarkDoc<'_>> =
        serde_json::from_str(doc).map_err(|_| broken("not the JSON of a tag"))?;
    let read = docs.into_iter().map(|m| {
        Some(Mark {
            push: PushId::parse(&m.push.0)?,
            registry: m.registry.map(String::from),
            digest: m.digest.map(String::from),
            first_event: at(m.first_event),
            first_seen: at(m.first_seen),
        })
    });
    read.collect::<Option<_>>().ok_or_else(|| broken("a field of a tag is not what it should be"))
}
