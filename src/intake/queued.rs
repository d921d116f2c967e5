//! An arrival that travels by queue, because storage did not answer when it came. The message is then the
//! only record of it, so it holds the whole event and the time it was received.

use super::{Event, text};
use crate::limits;
use fan_in::{
    Action, Channel, Digest, Image, Origin, Region, Registry, Repository, Tag, Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One member and no other: the Functions host copies the members of a message over the queue's own data
/// about it, such as `id`.
///
/// ```json
/// {"arrival":{"received":1510937522000,"channel":"webhook","region":"westeurope","event_time":1510937521343,
///  "id":"cb8c3971-9adc-488b-bdd8-43cbb4974ff5","image":{…},"origin":{…}}}
/// ```
#[derive(Debug, Serialize, Deserialize)]
struct Message {
    arrival: Arrival,
}

/// Times are in milliseconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
struct Arrival {
    received: i64,
    channel: String,
    region: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_time: Option<i64>,
    id: String,
    image: WireImage,
    origin: WireOrigin,
}

/// ```json
/// {"action":"push","registry":"myregistry.azurecr.io","repository":"hello-world","tag":"v1","digest":"sha256:80f0…"}
/// ```
#[derive(Debug, Serialize, Deserialize)]
struct WireImage {
    action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    registry: Option<String>,
    repository: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

/// `event_id` is left out where it is the arrival's `id`, as it nearly always is.
///
/// ```json
/// {"timestamp":"2017-11-17T16:52:01.343145347Z","size":524,"request_id":"3cbb6949-7549-4fa1-86cd-a6d5451dffc7"}
/// ```
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct WireOrigin {
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

/// At most [`limits::QUEUED_ARRIVAL_MAX`] bytes. Where all texts together are longer, which takes other
/// letters than ASCII, those that are only passed on are cut.
#[must_use]
pub fn to_message(event: &Event, received: Timestamp) -> String {
    let mut chars = limits::ORIGIN_CHARS_MAX;
    loop {
        let message = Message { arrival: arrival(event, received, chars) };
        let text = serde_json::to_string(&message).unwrap_or_default();
        if text.len() <= limits::QUEUED_ARRIVAL_MAX || chars == 0 {
            return text;
        }
        chars /= 2;
    }
}

/// The arrival in a message; none when there is none in it, or anything of it is not as it should be.
#[must_use]
pub fn from_message(message: &Value) -> Option<(Event, Timestamp)> {
    let Message { arrival } = Message::deserialize(message).ok()?;
    let id = Some(arrival.id).filter(|id| !id.is_empty() && text::id(id) == *id)?;
    let event_time = match arrival.event_time {
        Some(millis) => Some(time(millis)?),
        None => None,
    };
    let event = Event {
        image: image(&arrival.image)?,
        origin: origin(&arrival.origin, &id)?,
        region: Region::parse(&arrival.region).ok()?,
        event_time,
        id,
        channel: channel(&arrival.channel)?,
    };
    Some((event, time(arrival.received)?))
}

fn time(millis: i64) -> Option<Timestamp> {
    Some(Timestamp::from_millis(millis)).filter(|time| text::writable(*time))
}

const fn channel_name(channel: Channel) -> &'static str {
    match channel {
        Channel::Webhook => "webhook",
        Channel::EventGrid => "event_grid",
    }
}

fn channel(name: &str) -> Option<Channel> {
    [Channel::Webhook, Channel::EventGrid]
        .into_iter()
        .find(|channel| channel_name(*channel) == name)
}

fn arrival(event: &Event, received: Timestamp, chars: usize) -> Arrival {
    let Event { image, origin, .. } = event;
    let id = text::id(&event.id);
    let event_id = text::id(&origin.event_id);
    let short = |text: &Option<String>| {
        let text = limits::cut(&text::kept(text.as_deref()?)?, chars);
        (!text.is_empty()).then_some(text)
    };
    Arrival {
        received: received.as_millis(),
        channel: channel_name(event.channel).to_owned(),
        region: event.region.as_str().to_owned(),
        event_time: event.event_time.map(Timestamp::as_millis),
        image: WireImage {
            action: image.action.as_str().to_owned(),
            registry: image.registry.as_ref().map(|registry| registry.as_str().to_owned()),
            repository: image.repository.as_str().to_owned(),
            tag: image.tag.as_ref().map(|tag| tag.as_str().to_owned()),
            digest: image.digest.as_ref().map(|digest| digest.as_str().to_owned()),
        },
        origin: WireOrigin {
            event_id: (event_id != id).then_some(event_id),
            timestamp: Some(&origin.timestamp)
                .filter(|t| text::time(t).is_some())
                .cloned()
                .unwrap_or_default(),
            media_type: short(&origin.media_type),
            size: origin.size,
            request_id: short(&origin.request_id),
            method: short(&origin.method),
            user_agent: short(&origin.user_agent),
            name: short(&origin.name),
            version: short(&origin.version),
        },
        id,
    }
}

/// None when a part is not valid, or when the digest is missing where only a chart and Docker Hub may lack it.
fn image(wire: &WireImage) -> Option<Image> {
    let image = Image {
        action: Action::from_name(&wire.action)?,
        registry: wire.registry.as_deref().map(Registry::parse).transpose().ok()?,
        repository: Repository::parse(&wire.repository).ok()?,
        tag: wire.tag.as_deref().map(Tag::parse).transpose().ok()?,
        digest: wire.digest.as_deref().map(Digest::parse).transpose().ok()?,
    };
    let is_chart = matches!(image.action, Action::ChartPush | Action::ChartDelete);
    let tag_suffices = is_chart || image.registry == Some(Registry::docker_hub());
    (image.digest.is_some() || image.tag.is_some() && tag_suffices).then_some(image)
}

fn origin(wire: &WireOrigin, id: &str) -> Option<Origin> {
    let kept = |text: &Option<String>| text.as_deref().and_then(text::kept);
    let timestamp = Some(&wire.timestamp).filter(|t| t.is_empty() || text::time(t).is_some())?;
    Some(Origin {
        event_id: wire.event_id.as_deref().map_or_else(|| id.to_owned(), text::id),
        timestamp: timestamp.clone(),
        media_type: kept(&wire.media_type),
        size: wire.size,
        request_id: kept(&wire.request_id),
        method: kept(&wire.method),
        user_agent: kept(&wire.user_agent),
        name: kept(&wire.name),
        version: kept(&wire.version),
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::super::{Reading, Rules, read};
    use super::*;
    use fan_in::Correlation;
    use serde_json::json;

    const RECEIVED: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn message(event: &Event) -> Value {
        serde_json::from_str(&to_message(event, RECEIVED)).unwrap()
    }

    fn events() -> Vec<Event> {
        let by_id = Rules { correlation: Correlation::Id, ..rules() };
        let requests =
            [PUSH, DELETE, CHART, CHART_DELETE, DOCKER_HUB, EVENT_GRID, CLOUD_EVENT].map(post);
        let readings =
            requests.iter().flat_map(|request| [read(request, &rules()), read(request, &by_id)]);
        let events = readings.map(|reading| match reading {
            Reading::One(event) => *event,
            Reading::Many(mut events) => events.remove(0).unwrap(),
            Reading::Answer(answer) => panic!("{answer:?}"),
        });
        events.collect()
    }

    /// Every text as long as it can be read, of a letter that takes as many bytes as there can be.
    fn longest(letter: &str) -> Event {
        let long = letter.repeat(limits::ORIGIN_CHARS_MAX);
        let some = Some(long.clone());
        let digits = |prefix: &str, n: usize| format!("{prefix}{}", "f".repeat(n));
        let time = format!("2017-11-17T16:52:01.{}+02:00", "9".repeat(limits::TIMESTAMP_MAX - 26));
        assert!(text::time(&time).is_some() && time.len() == limits::TIMESTAMP_MAX);
        let label = "r".repeat(63);
        Event {
            image: Image {
                action: Action::ChartDelete,
                registry: Some(
                    Registry::parse(&format!("{label}.{label}.{label}.{}", &label[..61])).unwrap(),
                ),
                repository: Repository::parse(&"a".repeat(255)).unwrap(),
                tag: Some(Tag::parse(&"t".repeat(128)).unwrap()),
                digest: Some(Digest::parse(&digits("sha512:", 128)).unwrap()),
            },
            origin: Origin {
                event_id: letter.repeat(limits::ORIGIN_CHARS_MAX - 1),
                timestamp: time,
                media_type: some.clone(),
                size: Some(u64::MAX),
                request_id: some.clone(),
                method: some.clone(),
                user_agent: some.clone(),
                name: some.clone(),
                version: some,
            },
            region: Region::parse(&"r".repeat(Region::CHARS_MAX)).unwrap(),
            event_time: text::time("9999-12-31T23:59:59.999Z"),
            id: long,
            channel: Channel::EventGrid,
        }
    }

    #[test]
    fn an_arrival_comes_back_as_it_went() {
        for event in events() {
            assert_eq!(from_message(&message(&event)), Some((event, RECEIVED)));
        }
    }

    #[test]
    fn nothing_stands_where_the_host_would_take_it_for_its_own() {
        let message = message(&events()[0]);
        assert_eq!(message.as_object().unwrap().keys().collect::<Vec<_>>(), ["arrival"]);
    }

    #[test]
    fn a_message_is_small_whatever_is_in_it() {
        for letter in ["x", "\"", "\\", "é", "\u{1f6a2}"] {
            let event = longest(letter);
            let text = to_message(&event, Timestamp::from_millis(i64::MAX));
            assert!(text.len() <= limits::QUEUED_ARRIVAL_MAX, "{letter} {}", text.len());
            let (read, _) = from_message(&message(&event)).unwrap();
            assert_eq!(
                (&read.image, &read.id, &read.region),
                (&event.image, &event.id, &event.region)
            );
            assert_eq!(
                (read.event_time, &read.origin.event_id),
                (event.event_time, &event.origin.event_id)
            );
            assert!(
                read.origin.user_agent.as_ref().is_some_and(|kept| kept.chars().count() >= 128)
            );
            assert_eq!(
                read.origin == event.origin,
                letter.len() < 4,
                "only the longest are cut: {letter}"
            );
        }
    }

    #[test]
    fn an_event_that_was_never_read_does_no_harm_either() {
        let endless = Some("\u{1}\u{1f6a2}".repeat(100_000));
        let mut event = longest("x");
        event.id = "\n".repeat(100_000);
        event.origin.event_id = String::new();
        event.origin.timestamp = "\u{1}".repeat(100_000);
        event.origin.user_agent.clone_from(&endless);
        event.origin.name = endless;
        assert!(to_message(&event, RECEIVED).len() <= limits::QUEUED_ARRIVAL_MAX);
        let (read, _) = from_message(&message(&event)).unwrap();
        assert_eq!((read.image, read.origin.timestamp.as_str()), (event.image, ""));
    }

    #[test]
    fn a_message_that_is_not_right_is_none() {
        let good = message(&events()[0]);
        let changed = |pointer: &str, value: Value| {
            serde_json::from_str(&with(&good.to_string(), pointer, value)).unwrap()
        };
        for (pointer, value) in [
            ("/arrival", json!(null)),
            ("/arrival", json!({})),
            ("/arrival/received", json!("now")),
            ("/arrival/received", json!(1.5)),
            ("/arrival/received", json!(i64::MAX)),
            ("/arrival/event_time", json!(i64::MIN)),
            ("/arrival/channel", json!("post")),
            ("/arrival/region", json!("../x")),
            ("/arrival/id", json!("")),
            ("/arrival/id", json!("a\n")),
            ("/arrival/image/action", json!("ping")),
            ("/arrival/image/registry", json!("a/b")),
            ("/arrival/image/repository", json!("../x")),
            ("/arrival/image/tag", json!("<!channel>")),
            ("/arrival/image/digest", json!("sha256:1")),
            ("/arrival/image/digest", json!(null)),
            ("/arrival/origin/timestamp", json!("yesterday")),
            ("/arrival/origin/size", json!(-1)),
        ] {
            assert_eq!(from_message(&changed(pointer, value)), None, "{pointer}");
        }
        for other in [json!(null), json!([]), json!({ "push": "1" }), json!("arrival"), json!(7)] {
            assert_eq!(from_message(&other), None);
        }
    }
}
