//! A notice as a CloudEvent, in structured mode. It tells what was known when the notice was made, so that
//! every attempt tells the same.

use crate::clock::rfc3339;
use crate::ports::Parcel;
use crate::sink::text::{arrived, sentence, timestamp, took};
use fan_in::{Arrival, NoticeKind, Push, Status};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

#[derive(Serialize)]
struct Event<'a> {
    specversion: &'static str,
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    subject: String,
    time: String,
    datacontenttype: &'static str,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    kind: &'a str,
    text: String,
    push: String,
    action: &'a str,
    image: String,
    registry: Option<&'a str>,
    repository: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
    status: &'a str,
    /// The region it is about, where it is about one.
    region: Option<&'a str>,
    /// How many were waited for.
    regions: usize,
    missing: Vec<&'a str>,
    arrivals: Vec<Reported<'a>>,
    event_id: &'a str,
    timestamp: String,
    first_seen: String,
    deadline: String,
    after_ms: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reported<'a> {
    region: &'a str,
    received: String,
    after_ms: u64,
}

pub(super) fn body(parcel: Parcel<'_>) -> Value {
    let Parcel { push, notice, .. } = parcel;
    let image = &push.image;
    let registry = image.registry.as_ref().map(|registry| registry.as_str());
    let data = Data {
        kind: notice.kind.as_str(),
        text: sentence(parcel),
        push: push.id.to_string(),
        action: image.action.as_str(),
        image: image.to_string(),
        registry,
        repository: image.repository.as_str(),
        tag: image.tag.as_ref().map(|tag| tag.as_str()),
        digest: image.digest.as_ref().map(|digest| digest.as_str()),
        status: status(parcel).as_str(),
        region: notice.region.as_ref().map(|region| region.as_str()),
        regions: notice.regions,
        missing: notice.missing.iter().map(|region| region.as_str()).collect(),
        arrivals: arrived(parcel).into_iter().map(|arrival| reported(push, arrival)).collect(),
        event_id: &push.origin.event_id,
        timestamp: timestamp(parcel),
        first_seen: rfc3339(push.first_seen),
        deadline: rfc3339(push.deadline),
        after_ms: millis(took(parcel)),
    };
    let event = Event {
        specversion: "1.0",
        id: parcel.id(),
        source: registry
            .map_or_else(|| "urn:acr-fanin".to_owned(), |registry| format!("https://{registry}")),
        kind: format!("io.acr-fanin.image.{}", notice.kind.as_str()),
        subject: image.short().to_string(),
        time: rfc3339(notice.at),
        datacontenttype: super::JSON,
        data,
    };
    serde_json::to_value(event).unwrap_or_default()
}

fn reported<'a>(push: &Push, arrival: &'a Arrival) -> Reported<'a> {
    Reported {
        region: arrival.region.as_str(),
        received: rfc3339(arrival.received),
        after_ms: millis(arrival.received.since(push.first_seen)),
    }
}

/// What the notice made of the push. It may have gone on since.
const fn status(parcel: Parcel<'_>) -> Status {
    match parcel.notice.kind {
        NoticeKind::Completed => Status::Completed,
        NoticeKind::TimedOut => Status::TimedOut,
        NoticeKind::Recovered => Status::Recovered,
        _ => parcel.push.status,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
