//! What the tests send: the samples of each kind, and ways to spoil them.

use super::{Event, Reading, Rules, read};
use crate::answer::{Answer, Body, Request};
use crate::secret::Secret;
use fan_in::{Region, Registry};
use serde_json::Value;

pub(super) const PUSH: &str = include_str!("../../tests/fixtures/webhooks/acr-push.json");
pub(super) const DELETE: &str = include_str!("../../tests/fixtures/webhooks/acr-delete.json");
pub(super) const QUARANTINE: &str =
    include_str!("../../tests/fixtures/webhooks/acr-quarantine.json");
pub(super) const CHART: &str = include_str!("../../tests/fixtures/webhooks/acr-chart-push.json");
pub(super) const CHART_DELETE: &str =
    include_str!("../../tests/fixtures/webhooks/acr-chart-delete.json");
pub(super) const PING: &str = include_str!("../../tests/fixtures/webhooks/acr-ping.json");
pub(super) const DOCKER_HUB: &str =
    include_str!("../../tests/fixtures/webhooks/docker-hub-push.json");
pub(super) const EVENT_GRID: &str =
    include_str!("../../tests/fixtures/webhooks/event-grid-push.json");
pub(super) const CLOUD_EVENT: &str =
    include_str!("../../tests/fixtures/webhooks/cloud-event-push.json");
pub(super) const VALIDATION: &str =
    include_str!("../../tests/fixtures/webhooks/event-grid-validation.json");

pub(super) const ALL: [&str; 10] = [
    PUSH,
    DELETE,
    QUARANTINE,
    CHART,
    CHART_DELETE,
    PING,
    DOCKER_HUB,
    EVENT_GRID,
    CLOUD_EVENT,
    VALIDATION,
];

/// Two regions, everything else open.
pub(super) fn rules() -> Rules {
    Rules {
        regions: ["northeurope", "westeurope"].map(|name| Region::parse(name).unwrap()).into(),
        ..Rules::default()
    }
}

pub(super) fn with_secret() -> Rules {
    Rules { secrets: vec![Secret::new("old"), Secret::new("new")], ..rules() }
}

pub(super) fn allowing(hosts: &[&str]) -> Rules {
    Rules {
        registries: hosts.iter().map(|host| Registry::parse(host).unwrap()).collect(),
        ..rules()
    }
}

pub(super) fn bare(method: &str, body: &str) -> Request {
    Request {
        method: method.to_owned(),
        body: Some(body.as_bytes().to_vec()),
        body_bytes: body.len(),
        ..Request::default()
    }
}

/// For the region westeurope.
pub(super) fn post(body: &str) -> Request {
    query(bare("POST", body), "region", "westeurope")
}

pub(super) fn query(mut request: Request, name: &str, value: &str) -> Request {
    request.query.push((name.to_owned(), value.to_owned()));
    request
}

pub(super) fn header(mut request: Request, name: &str, value: &str) -> Request {
    request.headers.push((name.to_owned(), value.to_owned()));
    request
}

/// The sample with another value at a JSON pointer, which need not be there yet.
pub(super) fn with(sample: &str, pointer: &str, value: impl Into<Value>) -> String {
    let mut document: Value = serde_json::from_str(sample).unwrap();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[member] = value.into();
    document.to_string()
}

pub(super) fn without(sample: &str, pointer: &str) -> String {
    let mut document: Value = serde_json::from_str(sample).unwrap();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(member).unwrap();
    document.to_string()
}

/// The one event inside the Event Grid sample.
pub(super) fn event_grid_entry() -> String {
    serde_json::from_str::<Value>(EVENT_GRID).unwrap()[0].to_string()
}

pub(super) fn answered(request: &Request, rules: &Rules) -> Answer {
    match read(request, rules) {
        Reading::Answer(answer) => answer,
        other => panic!("no answer: {other:?}"),
    }
}

/// Status, and the sentence of the error or the reason.
pub(super) fn refused(request: &Request, rules: &Rules) -> (u16, String) {
    let answer = answered(request, rules);
    let Body::Json(body) = &answer.body else { panic!("{answer:?}") };
    let sentence = match answer.status {
        200 => {
            assert_eq!(body["result"], "ignored");
            &body["reason"]
        }
        _ => &body["error"],
    };
    (answer.status, sentence.as_str().unwrap().to_owned())
}

pub(super) fn one(request: &Request, rules: &Rules) -> Event {
    match read(request, rules) {
        Reading::One(event) => *event,
        other => panic!("no event: {other:?}"),
    }
}

pub(super) fn many(request: &Request, rules: &Rules) -> Vec<Result<Event, String>> {
    match read(request, rules) {
        Reading::Many(events) => events,
        other => panic!("no events: {other:?}"),
    }
}
