//! Webhooks of Docker Hub: one region, and no digest.

use super::Event;
use super::gate::{Call, Candidate};
use super::json::{self, Leaf, Part};
use super::refusal::{Fault, Refusal};
use super::text;
use crate::clock;
use fan_in::{Action, Channel, Correlation, Origin, Region, Registry, Repository, Tag, Timestamp};
use serde::Deserialize;

/// There is more in it. `callback_url` is not read: calling an address that a caller chose is how a
/// network is looked into from inside.
///
/// ```json
/// {"callback_url":"https://registry.hub.docker.com/u/svendowideit/testhook/hook/2141b5bi5i5b02bec211i4eeih0242eg11000a/",
///  "push_data":{…},"repository":{…}}
/// ```
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Notification {
    push_data: Part<PushData>,
    repository: Part<Source>,
}

/// `pushed_at` is in seconds since 1970, also seen as `1.417566161e+09`.
///
/// ```json
/// {"pushed_at":1417566161,"pusher":"trustedbuilder","tag":"latest"}
/// ```
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PushData {
    pushed_at: Leaf,
    tag: Leaf,
    media_type: Leaf,
}

/// ```json
/// {"name":"testhook","namespace":"svendowideit","repo_name":"svendowideit/testhook","status":"Active"}
/// ```
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Source {
    repo_name: Leaf,
}

/// 9999-12-31T23:59:59Z, the last second that RFC 3339 can write.
const SECONDS_MAX: f64 = 253_402_300_799.0;

pub(super) fn read(call: &Call<'_>) -> Result<Event, Refusal> {
    let notification: Notification = json::object(call.body)?;
    let push = notification.push_data.needed("push_data")?;
    let source = notification.repository.needed("repository")?;
    let repository = source.repo_name.parsed("repository.repo_name", Repository::parse)?;
    let repository = repository.ok_or(Refusal::Field("repository.repo_name", Fault::Missing))?;
    let tag = push.tag.parsed("push_data.tag", Tag::parse)?;
    let tag = tag.ok_or(Refusal::Field("push_data.tag", Fault::Missing))?;
    let (pushed_at, time) = push.pushed_at()?;
    let id = match call.rules.correlation {
        Correlation::Auto => pushed_at.clone(),
        // This one is compared within the whole repository, where two tags share a second easily.
        Correlation::Id => format!("{pushed_at} {}", tag.as_str()),
    };
    let origin = Origin {
        event_id: pushed_at,
        timestamp: clock::rfc3339(time),
        media_type: push.media_type.any_text().and_then(text::kept),
        ..Origin::default()
    };
    let candidate = Candidate {
        action: Action::Push,
        host: Some(Registry::docker_hub()),
        repository,
        tag: Some(tag),
        digest: None,
        origin,
        event_time: Some(time),
        id,
    };
    candidate.admit(Region::global(), Channel::Webhook, call)
}

impl PushData {
    /// As one text, however the number was written, and as a time.
    fn pushed_at(&self) -> Result<(String, Timestamp), Refusal> {
        let name = "push_data.pushed_at";
        let seconds = self.pushed_at.number(name)?;
        if (1.0..=SECONDS_MAX).contains(&seconds) {
            Ok((seconds.to_string(), Timestamp::from_millis((seconds * 1_000.0) as i64)))
        } else {
            Err(Refusal::Field(name, Fault::Invalid("it is in seconds since 1970")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Rules;
    use super::super::samples::*;
    use super::*;
    use serde_json::json;

    #[test]
    fn a_push_is_complete_without_region_and_digest() {
        let event = one(&bare("POST", DOCKER_HUB), &rules());
        assert_eq!(event.image.action, Action::Push);
        assert_eq!(event.image.to_string(), "docker.io/svendowideit/testhook:latest");
        assert_eq!(event.image.digest, None);
        assert!(event.region.is_global());
        assert_eq!(event.id, "1417566161");
        assert_eq!(event.event_time, Some(Timestamp::from_millis(1_417_566_161_000)));
        let origin = Origin {
            event_id: "1417566161".to_owned(),
            timestamp: "2014-12-03T00:22:41.000Z".to_owned(),
            ..Origin::default()
        };
        assert_eq!(event.origin, origin);
        let elsewhere = query(bare("POST", DOCKER_HUB), "region", "eastus");
        assert_eq!(one(&elsewhere, &rules()), event, "a region has no meaning here");
    }

    #[test]
    fn an_official_image_keeps_its_namespace() {
        let body = with(DOCKER_HUB, "/repository/repo_name", "library/nginx");
        assert_eq!(one(&post(&body), &rules()).image.to_string(), "docker.io/library/nginx:latest");
    }

    #[test]
    fn one_time_is_one_id_however_it_is_written() {
        let event = |number: &str| one(&post(&DOCKER_HUB.replace("1417566161", number)), &rules());
        for number in ["1417566161.0", "1.417566161e+09", "1417566161000e-3"] {
            assert_eq!(event(number), event("1417566161"), "{number}");
        }
        assert_eq!(event("1417566161.25").id, "1417566161.25");
        assert_eq!(event("1417566161.25").origin.timestamp, "2014-12-03T00:22:41.250Z");
    }

    #[test]
    fn correlation_by_id_tells_two_tags_of_one_second_apart() {
        let rules = Rules { correlation: Correlation::Id, ..rules() };
        let (latest, v1) = (
            one(&post(DOCKER_HUB), &rules),
            one(&post(&with(DOCKER_HUB, "/push_data/tag", "v1")), &rules),
        );
        assert_ne!(latest.id, v1.id);
        assert_eq!(latest.origin.event_id, v1.origin.event_id);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (pointer, name) in [
            ("/push_data/tag", "push_data.tag"),
            ("/push_data/pushed_at", "push_data.pushed_at"),
            ("/repository/repo_name", "repository.repo_name"),
        ] {
            let missing = (400, format!("{name} is missing"));
            assert_eq!(refused(&post(&without(DOCKER_HUB, pointer)), &rules()), missing);
            for bad in [
                json!("<!channel>"),
                json!([1]),
                json!(true),
                json!(-1),
                json!(1e300),
                json!("../a"),
            ] {
                let (status, sentence) = refused(&post(&with(DOCKER_HUB, pointer, bad)), &rules());
                assert!(
                    status == 400 && sentence.starts_with(&format!("{name} is not ")),
                    "{sentence}"
                );
            }
        }
        for (name, other) in [("push_data", json!([])), ("repository", json!("x"))] {
            let body = with(DOCKER_HUB, &format!("/{name}"), other);
            assert_eq!(refused(&post(&body), &rules()), (400, format!("{name} is not an object")));
        }
    }
}
