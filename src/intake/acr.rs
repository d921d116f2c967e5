//! Webhooks of an Azure Container Registry.

use super::Event;
use super::gate::{Call, Candidate};
use super::json::{self, Leaf, Part};
use super::refusal::{Fault, Refusal};
use super::text;
use fan_in::{Action, Channel, Correlation, Digest, Invalid, Origin, Registry, Repository, Tag};
use serde::Deserialize;

/// What a registry sends. `timestamp` has up to nine fractional digits.
///
/// ```json
/// {"id":"cb8c3971-9adc-488b-bdd8-43cbb4974ff5","timestamp":"2017-11-17T16:52:01.343145347Z","action":"push",
///  "target":{…},"request":{…}}
/// ```
/// A ping has no `target` and no `request`, and may have nothing but its action:
/// ```json
/// {"id":"0b8d1f3e-4a35-4d4c-9f0a-9f6f4c2f7d11","timestamp":"2023-03-05T23:45:31.2614267Z","action":"ping"}
/// ```
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Notification {
    id: Leaf,
    timestamp: Leaf,
    action: Leaf,
    /// Event Grid's only: its `data` is this document with the region added.
    location: Leaf,
    target: Part<Target>,
    request: Part<Cause>,
}

/// Of a push:
/// ```json
/// {"mediaType":"application/vnd.docker.distribution.manifest.v2+json","size":524,
///  "digest":"sha256:80f0d5c8786bb9e621a45ece0db56d11cdc624ad20da9fe62e9d25490f331d7d","length":524,
///  "repository":"hello-world","tag":"v1"}
/// ```
/// Of a push by digest the same without `tag`. Of a delete, which is never about a tag:
/// ```json
/// {"mediaType":"application/vnd.docker.distribution.manifest.v2+json",
///  "digest":"sha256:80f0d5c8786bb9e621a45ece0db56d11cdc624ad20da9fe62e9d25490f331d7d","repository":"hello-world"}
/// ```
/// Of a quarantine:
/// ```json
/// {"size":1791,"digest":"sha256:91ef6","length":1791,"repository":"helloworld","tag":"1"}
/// ```
/// Of a chart, whose event has no `request`:
/// ```json
/// {"mediaType":"application/vnd.acr.helm.chart","size":25265,
///  "digest":"sha256:7f060075264b5ba7c14c23672698152ae6a3ebac1c47916e4efe19cd624d5fab","repository":"repo",
///  "tag":"wordpress-5.4.0.tgz","name":"wordpress","version":"5.4.0.tgz"}
/// ```
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Target {
    media_type: Leaf,
    size: Leaf,
    digest: Leaf,
    repository: Leaf,
    tag: Leaf,
    name: Leaf,
    version: Leaf,
}

/// The request that caused it. A quarantine has no `useragent`.
///
/// ```json
/// {"id":"3cbb6949-7549-4fa1-86cd-a6d5451dffc7","host":"myregistry.azurecr.io","method":"PUT",
///  "useragent":"docker/17.09.0-ce go/go1.8.3"}
/// ```
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cause {
    id: Leaf,
    host: Leaf,
    method: Leaf,
    useragent: Leaf,
}

pub(super) fn read(call: &Call<'_>) -> Result<Event, Refusal> {
    let notification: Notification = json::object(call.body)?;
    let action = match notification.action()? {
        "ping" => return Err(Refusal::Ignored("ping")),
        name => Action::from_name(name).ok_or(match name {
            "quarantine" => "quarantine: the image cannot be pulled yet",
            _ => "the action is not one that is tracked",
        }),
    };
    match action {
        Ok(action) => {
            let candidate = notification.candidate(action, None, call)?;
            candidate.admit(call.rules.region(call.request)?, Channel::Webhook, call)
        }
        // What is ignored need not be complete, but whose it is has to be in order.
        Err(reason) => {
            let host = notification.host()?;
            call.rules.region(call.request)?;
            call.rules.registry(host, call.request)?;
            Err(Refusal::Ignored(reason))
        }
    }
}

impl Notification {
    pub(super) fn action(&self) -> Result<&str, Refusal> {
        self.action.text("action")?.ok_or(Refusal::Field("action", Fault::Missing))
    }

    pub(super) fn location(&self) -> Result<&str, Refusal> {
        self.location.text("location")?.ok_or(Refusal::Field("location", Fault::Missing))
    }

    fn host(&self) -> Result<Option<Registry>, Refusal> {
        let Some(cause) = self.request.object("request")? else { return Ok(None) };
        cause.host.parsed("request.host", Registry::parse)
    }

    /// Reads all that an event of this action needs: the repository, and of an image the digest. A chart
    /// may be named by its tag alone, as registries of that time named it. `envelope_id` is the id of the
    /// event around it, if there is one.
    pub(super) fn candidate(
        &self,
        action: Action,
        envelope_id: Option<&str>,
        call: &Call<'_>,
    ) -> Result<Candidate, Refusal> {
        let target = self.target.needed("target")?;
        let repository = target.repository.parsed("target.repository", Repository::parse)?;
        let repository = repository.ok_or(Refusal::Field("target.repository", Fault::Missing))?;
        let tag = target.tag.parsed("target.tag", Tag::parse)?;
        let digest = target.digest.parsed("target.digest", Digest::parse)?;
        let is_chart = matches!(action, Action::ChartPush | Action::ChartDelete);
        if digest.is_none() && (tag.is_none() || !is_chart) {
            return Err(Refusal::Field("target.digest", Fault::Missing));
        }
        let not_a_time =
            Invalid("a time is written as in RFC 3339, such as 2026-11-20T10:00:00.25Z");
        let event_time =
            self.timestamp.parsed("timestamp", |text| text::time(text).ok_or(not_a_time))?;
        let host = self.host()?;
        let id = self.id(envelope_id, call)?;
        let origin = self.origin(target, id.clone());
        Ok(Candidate { action, host, repository, tag, digest, origin, event_time, id })
    }

    /// Without an id of its own an event goes by what else a repeated delivery would have in common with it.
    fn id(&self, envelope_id: Option<&str>, call: &Call<'_>) -> Result<String, Refusal> {
        let own = self.id.text("id")?.or(envelope_id);
        let found = match call.rules.correlation {
            Correlation::Id => Some(own.ok_or(Refusal::Field("id", Fault::Missing))?),
            Correlation::Auto => {
                own.or_else(|| self.cause()?.id.any_text()).or_else(|| self.timestamp.any_text())
            }
        };
        Ok(found.map_or_else(|| call.body_hash(), text::id))
    }

    fn cause(&self) -> Option<&Cause> {
        self.request.object("request").ok().flatten()
    }

    fn origin(&self, target: &Target, event_id: String) -> Origin {
        let kept = |leaf: &Leaf| leaf.any_text().and_then(text::kept);
        let cause = self.cause();
        Origin {
            event_id,
            timestamp: kept(&self.timestamp).unwrap_or_default(),
            media_type: kept(&target.media_type),
            size: target.size.any_whole(),
            request_id: cause.and_then(|cause| kept(&cause.id)),
            method: cause.and_then(|cause| kept(&cause.method)),
            user_agent: cause.and_then(|cause| kept(&cause.useragent)),
            name: kept(&target.name),
            version: kept(&target.version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Rules;
    use super::super::samples::*;
    use super::*;
    use fan_in::Timestamp;
    use serde_json::json;

    fn by_id() -> Rules {
        Rules { correlation: Correlation::Id, ..rules() }
    }

    #[test]
    fn a_push_is_read() {
        let event = one(&post(PUSH), &rules());
        assert_eq!(event.image.action, Action::Push);
        assert_eq!(event.image.to_string(), "myregistry.azurecr.io/hello-world:v1");
        assert!(
            event.image.digest.is_some_and(|digest| digest.as_str().starts_with("sha256:80f0d5"))
        );
        assert_eq!(event.region.as_str(), "westeurope");
        assert_eq!(event.event_time.map(Timestamp::as_millis), Some(1_510_937_521_343));
        assert_eq!(event.id, "cb8c3971-9adc-488b-bdd8-43cbb4974ff5");
        assert_eq!(event.channel, Channel::Webhook);
        let origin = event.origin;
        assert_eq!(origin.event_id, event.id);
        assert_eq!(origin.timestamp, "2017-11-17T16:52:01.343145347Z");
        let media_type = origin.media_type.as_deref();
        assert_eq!(media_type, Some("application/vnd.docker.distribution.manifest.v2+json"));
        assert_eq!(origin.size, Some(524));
        assert_eq!(origin.request_id.as_deref(), Some("3cbb6949-7549-4fa1-86cd-a6d5451dffc7"));
        assert_eq!(origin.method.as_deref(), Some("PUT"));
        assert!(origin.user_agent.is_some_and(|agent| agent.ends_with("(linux\\))")));
    }

    #[test]
    fn a_delete_has_no_tag_and_a_chart_no_registry() {
        let delete = one(&post(DELETE), &rules()).image;
        assert_eq!(delete.action, Action::Delete);
        assert!(delete.to_string().starts_with("myregistry.azurecr.io/hello-world@sha256:80f0"));
        for (sample, action) in [(CHART, Action::ChartPush), (CHART_DELETE, Action::ChartDelete)] {
            let chart = one(&post(sample), &rules());
            assert_eq!((chart.image.action, &chart.image.registry), (action, &None));
            assert_eq!(chart.image.to_string(), "repo:wordpress-5.4.0.tgz");
            assert_eq!(chart.origin.name.as_deref(), Some("wordpress"));
            assert_eq!(chart.origin.version.as_deref(), Some("5.4.0.tgz"));
        }
    }

    #[test]
    fn a_ping_needs_nothing_but_its_action() {
        for body in
            [PING, r#"{"action":"ping"}"#, r#"{"action":"ping","id":7,"target":"x","request":[]}"#]
        {
            assert_eq!(refused(&bare("POST", body), &rules()), (200, "ping".to_owned()));
        }
        let several = allowing(&["a.io", "b.io"]);
        assert_eq!(refused(&bare("POST", PING), &several), (200, "ping".to_owned()));
    }

    #[test]
    fn other_actions_are_ignored_however_little_they_hold() {
        let (status, reason) = refused(&post(QUARANTINE), &rules());
        assert!(status == 200 && reason.starts_with("quarantine"), "{reason}");
        for body in [
            r#"{"action":"pull"}"#,
            r#"{"action":"Push"}"#,
            r#"{"action":"pull","target":{"tag":7}}"#,
        ] {
            let reason = "the action is not one that is tracked".to_owned();
            assert_eq!(refused(&post(body), &rules()), (200, reason));
        }
        assert_eq!(
            refused(&bare("POST", QUARANTINE), &rules()).0,
            400,
            "the region is looked at first"
        );
        assert_eq!(refused(&post(QUARANTINE), &allowing(&["other.azurecr.io"])).0, 403);
    }

    #[test]
    fn what_is_missing_is_named() {
        for (pointer, name) in [
            ("/target", "target"),
            ("/target/repository", "target.repository"),
            ("/target/digest", "target.digest"),
        ] {
            for sample in [PUSH, DELETE] {
                let missing = (400, format!("{name} is missing"));
                assert_eq!(refused(&post(&without(sample, pointer)), &rules()), missing);
                assert_eq!(refused(&post(&with(sample, pointer, json!(null))), &rules()), missing);
            }
        }
        assert_eq!(
            refused(&post(r#"{"action":""}"#), &rules()),
            (400, "action is missing".to_owned())
        );
        for sample in [CHART, CHART_DELETE] {
            one(&post(&without(sample, "/target/digest")), &rules());
            one(&post(&without(sample, "/target/tag")), &rules());
            let nameless = without(&without(sample, "/target/digest"), "/target/tag");
            assert_eq!(
                refused(&post(&nameless), &rules()),
                (400, "target.digest is missing".to_owned())
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_not_repeated() {
        let fields = [
            ("/target/repository", "target.repository", "../etc/passwd"),
            ("/target/repository", "target.repository", "größe"),
            ("/target/tag", "target.tag", "<!channel>"),
            ("/target/digest", "target.digest", "sha256:80f0"),
            ("/request/host", "request.host", "http://evil/"),
            ("/timestamp", "timestamp", "yesterday"),
        ];
        for (pointer, name, value) in fields {
            let (status, sentence) = refused(&post(&with(PUSH, pointer, value)), &rules());
            assert!(
                status == 400 && sentence.starts_with(&format!("{name} is not valid: ")),
                "{sentence}"
            );
            assert!(!sentence.contains(value), "{sentence}");
            for other in [json!(7), json!(-1.5), json!(true), json!([1]), json!({ "a": [] })] {
                let (status, sentence) = refused(&post(&with(PUSH, pointer, other)), &rules());
                assert_eq!((status, sentence), (400, format!("{name} is not a text")));
            }
        }
        for name in ["action", "id"] {
            let body = with(PUSH, &format!("/{name}"), 7);
            assert_eq!(refused(&post(&body), &rules()), (400, format!("{name} is not a text")));
        }
        for name in ["target", "request"] {
            let body = with(PUSH, &format!("/{name}"), "x");
            assert_eq!(refused(&post(&body), &rules()), (400, format!("{name} is not an object")));
        }
    }

    #[test]
    fn what_is_only_passed_on_may_be_anything() {
        let mut body = PUSH.to_owned();
        for pointer in [
            "/target/mediaType",
            "/target/size",
            "/request/id",
            "/request/method",
            "/request/useragent",
        ] {
            body = with(&body, pointer, json!([{}]));
        }
        let event = one(&post(&body), &rules());
        let origin = Origin {
            event_id: event.id.clone(),
            timestamp: "2017-11-17T16:52:01.343145347Z".to_owned(),
            ..Origin::default()
        };
        assert_eq!(event.origin, origin);
        for size in [json!(-1), json!(1.5), json!(1e300), json!("524")] {
            assert_eq!(one(&post(&with(PUSH, "/target/size", size)), &rules()).origin.size, None);
        }
        let event = one(&post(&with(PUSH, "/target/size", u64::MAX)), &rules());
        assert_eq!(event.origin.size, Some(u64::MAX));
        let agent = format!("a\r\n\u{0}{}", "ü".repeat(1_000));
        let event = one(&post(&with(PUSH, "/request/useragent", agent)), &rules());
        assert_eq!(event.origin.user_agent, Some(format!("a{}", "ü".repeat(255))));
    }

    #[test]
    fn times_have_any_number_of_fractional_digits_and_need_not_be_there() {
        for fraction in ["", ".3", ".343", ".3431453", ".34314534", ".343145347"] {
            let time = format!("2017-11-17T16:52:01{fraction}Z");
            let event = one(&post(&with(PUSH, "/timestamp", time.as_str())), &rules());
            assert_eq!(event.event_time.map(|at| at.as_millis() / 1_000), Some(1_510_937_521));
            assert_eq!(event.origin.timestamp, time, "verbatim");
        }
        let event = one(&post(&without(PUSH, "/timestamp")), &rules());
        assert_eq!((event.event_time, event.origin.timestamp.as_str()), (None, ""));
    }

    #[test]
    fn a_push_without_its_request_belongs_to_no_registry() {
        let event = one(&post(&without(PUSH, "/request")), &rules());
        assert_eq!(event.image.to_string(), "hello-world:v1");
        assert_eq!(event.origin.request_id, None);
    }

    #[test]
    fn without_an_id_a_repeated_delivery_is_recognised_all_the_same() {
        let id = |body: &str| one(&post(body), &rules()).id;
        let no_id = without(PUSH, "/id");
        assert_eq!(id(&no_id), "3cbb6949-7549-4fa1-86cd-a6d5451dffc7");
        let no_request = without(&no_id, "/request");
        assert_eq!(id(&no_request), "2017-11-17T16:52:01.343145347Z");
        let nothing = without(&no_request, "/timestamp");
        assert_eq!(id(&nothing), id(&nothing));
        assert_ne!(id(&nothing), id(&with(&nothing, "/target/tag", "v2")));
        assert_eq!(id(&with(PUSH, "/id", "")), id(&no_id));
        let long = id(&with(PUSH, "/id", "x".repeat(1_000)));
        assert!(long.starts_with("sha256:") && long.len() == 71, "{long}");
    }

    #[test]
    fn correlation_by_id_insists_on_it() {
        let missing = (400, "id is missing".to_owned());
        assert_eq!(refused(&post(&without(PUSH, "/id")), &by_id()), missing);
        assert_eq!(refused(&post(&with(PUSH, "/id", "")), &by_id()), missing);
        assert_eq!(one(&post(PUSH), &by_id()).id, "cb8c3971-9adc-488b-bdd8-43cbb4974ff5");
    }

    #[test]
    fn a_field_given_twice_is_refused_and_an_unknown_one_is_not() {
        let twice = PUSH.replacen("\"tag\"", "\"tag\":\"v0\",\"tag\"", 1);
        assert_eq!(
            refused(&post(&twice), &rules()),
            (400, "the body gives one of its fields twice".to_owned())
        );
        let unknown = PUSH.replacen('{', r#"{"actor":{"name":"x"},"actor":[[[1e9]]],"#, 1);
        assert_eq!(one(&post(&unknown), &rules()), one(&post(PUSH), &rules()));
    }
}
