//! Bodies of webhooks.

use acr_fanin::answer::{Answer, Body, Request};
use acr_fanin::intake::{self, Event, Reading, Rules, queued};
use acr_fanin::limits;
use fan_in::{Correlation, Region, Registry, Timestamp};
use serde_json::Value;

const HOSTS: [&str; 2] = ["myregistry.azurecr.io", "docker.io"];

/// Two regions, two registries, no secret: as much as possible gets as far as it can.
pub(crate) fn rules(correlation: Correlation) -> Rules {
    let region = |name| Region::parse(name).expect("a region");
    let registry = |name| Registry::parse(name).expect("a registry");
    Rules {
        regions: ["northeurope", "westeurope"].map(region).into_iter().collect(),
        registries: HOSTS.map(registry).to_vec(),
        correlation,
        untagged: true,
        ..Rules::default()
    }
}

fn post(body: &[u8]) -> Request {
    Request {
        method: "POST".to_owned(),
        query: vec![("region".to_owned(), "West Europe".to_owned())],
        headers: Vec::new(),
        body: Some(body.to_vec()),
        body_bytes: body.len(),
    }
}

fn readings(body: &[u8]) -> [Reading; 2] {
    [Correlation::Auto, Correlation::Id].map(|by| intake::read(&post(body), &rules(by)))
}

pub fn acr_body(body: &[u8]) {
    for reading in readings(body) {
        check(&reading, body);
    }
}

pub fn docker_hub_body(body: &[u8]) {
    acr_body(body);
}

pub fn event_grid_body(body: &[u8]) {
    acr_body(body);
    let listed = [b"[".as_slice(), body, b"]"].concat();
    acr_body(&listed);
}

pub(crate) fn check(reading: &Reading, body: &[u8]) {
    match reading {
        Reading::Answer(answer) => check_answer(answer),
        Reading::One(event) => {
            if let Some(document) = document(body) {
                check_event(event, &document);
            }
        }
        Reading::Many(entries) => {
            let Some(document) = document(body) else { return };
            let sent = document.as_array().cloned().unwrap_or_else(|| vec![document]);
            assert_eq!(entries.len(), sent.len(), "an answer for each event");
            assert!(entries.len() <= limits::EVENTS_MAX);
            for (entry, sent) in entries.iter().zip(sent) {
                match entry {
                    Ok(event) => check_event(event, &sent["data"]),
                    Err(reason) => assert!(reason.is_ascii() && reason.len() < 300, "{reason}"),
                }
            }
        }
    }
}

/// What was accepted is JSON to a reader that knows nothing of webhooks, too. None where that reader minds half
/// a surrogate pair, or a number that is too large for it, in a member that nobody reads.
fn document(body: &[u8]) -> Option<Value> {
    let read = serde_json::from_slice(body);
    let text = String::from_utf8_lossy(body).to_lowercase();
    assert!(read.is_ok() || text.contains("\\ud") || text.contains('e'), "{text}");
    read.ok()
}

/// A refusal is a sentence of ours, and never one of theirs.
fn check_answer(answer: &Answer) {
    assert!([200, 400, 403, 405, 413].contains(&answer.status), "{answer:?}");
    for (name, value) in &answer.headers {
        assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{name}: {value}");
    }
    let Body::Json(body) = &answer.body else { return };
    let code = body["validationResponse"].as_str();
    let own = body["error"].as_str().or_else(|| body["reason"].as_str());
    match (code, own) {
        (Some(code), _) => assert!(code.chars().count() <= 256, "{code}"),
        (None, Some(own)) => assert!(own.is_ascii() && own.len() < 300, "{own}"),
        (None, None) => panic!("{answer:?}"),
    }
}

/// An event says what the document says, of a registry and a region that are let in, and travels unharmed.
fn check_event(event: &Event, sent: &Value) {
    let image = &event.image;
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let (repository, tag, digest) = if event.region.is_global() {
        (&sent["repository"]["repo_name"], &sent["push_data"]["tag"], &Value::Null)
    } else {
        assert_eq!(sent["action"].as_str(), Some(image.action.as_str()));
        let target = &sent["target"];
        (&target["repository"], &target["tag"], &target["digest"])
    };
    assert_eq!(repository.as_str(), Some(image.repository.as_str()));
    assert_eq!(text(tag).as_deref(), image.tag.as_ref().map(|tag| tag.as_str()));
    assert_eq!(text(digest).as_deref(), image.digest.as_ref().map(|digest| digest.as_str()));
    assert!(image.registry.as_ref().is_some_and(|host| HOSTS.contains(&host.as_str())));
    assert!(["global", "northeurope", "westeurope"].contains(&event.region.as_str()));
    assert!(!event.id.is_empty() && !event.id.chars().any(char::is_control));

    let received = Timestamp::from_millis(1_700_000_000_000);
    let message = queued::to_message(event, received);
    assert!(message.len() <= limits::QUEUED_ARRIVAL_MAX);
    let message: Value = serde_json::from_str(&message).expect("a message is JSON");
    let (back, at) = queued::from_message(&message).expect("an arrival comes back");
    assert_eq!((&back.image, &back.region, &back.id), (image, &event.region, &event.id));
    assert_eq!((back.event_time, at), (event.event_time, received));
}
