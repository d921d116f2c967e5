//! The parsers of bytes from outside that nobody else has to know, for the fuzz targets in `fuzz` and the
//! tests in `tests/hostile`. No part of the interface.

use crate::answer::{Answer, Request};
use crate::functions::envelope;
use crate::ports::{JobId, Parcel, StoreError};
use crate::sink::{slack, teams};
use crate::store::{Job, Mark, job, marks, row};
use fan_in::Family;
use serde_json::Value;

/// The request in an http invocation of the Functions host.
#[must_use]
pub fn http_invocation(bytes: &[u8]) -> Option<Request> {
    envelope::http(bytes).map(|invocation| invocation.request)
}

/// The text of the message in an invocation by queue.
#[must_use]
pub fn queue_message(bytes: &[u8]) -> Option<Value> {
    envelope::queue_message(bytes)
}

/// What the Functions host is answered.
#[must_use]
pub fn outputs(answer: &Answer, messages: Vec<String>) -> Value {
    envelope::outputs(Some(answer), Some(("bells", messages)))
}

/// A row `p:…`.
///
/// # Errors
/// When it is none.
pub fn read_family(doc: &str) -> Result<Family, StoreError> {
    row::read_family(doc)
}

/// # Errors
/// When it cannot be written.
pub fn write_family(family: &Family) -> Result<String, StoreError> {
    row::write_family(family)
}

/// A row `t:…`.
///
/// # Errors
/// When it is none.
pub fn read_marks(doc: &str) -> Result<Vec<Mark>, StoreError> {
    marks::read_marks(doc)
}

/// # Errors
/// When they cannot be written.
pub fn write_marks(marks: &[Mark]) -> Result<String, StoreError> {
    marks::write_marks(marks)
}

/// A row `j:…`, of the job with this id.
///
/// # Errors
/// When it is none.
pub fn read_job(id: JobId, doc: &str) -> Result<Job, StoreError> {
    job::read(id, doc)
}

/// # Errors
/// When it cannot be written.
pub fn write_job(job: &Job) -> Result<String, StoreError> {
    job::write(job)
}

/// The body that Slack gets.
#[must_use]
pub fn slack_message(parcel: Parcel<'_>) -> Value {
    slack::message(parcel)
}

/// The body that Teams gets.
#[must_use]
pub fn teams_message(parcel: Parcel<'_>) -> Value {
    teams::message(parcel)
}
