//! Events of `Microsoft.ContainerRegistry`, in the Event Grid schema or as CloudEvents 1.0.

use super::Event;
use super::acr::Notification;
use super::gate::Call;
use super::json::{self, Leaf, Part};
use super::refusal::Refusal;
use fan_in::{Action, Channel};
use serde::Deserialize;

/// In the Event Grid schema, always in an array:
/// ```json
/// {"id":"831e1650-001e-001b-66ab-eeb76e069631","subject":"hello-world:v1",
///  "topic":"/subscriptions/…/providers/Microsoft.ContainerRegistry/registries/myregistry",
///  "eventType":"Microsoft.ContainerRegistry.ImagePushed","eventTime":"2021-04-13T11:52:33.6542167Z",
///  "data":{"id":"831e1650-001e-001b-66ab-eeb76e069631","timestamp":"2021-04-13T11:52:33.5142167Z",
///          "action":"push","location":"westeurope","target":{…},"request":{…}},
///  "dataVersion":"2.0","metadataVersion":"1"}
/// ```
/// As a CloudEvent:
/// ```json
/// {"specversion":"1.0","id":"831e1650-001e-001b-66ab-eeb76e069631","subject":"hello-world:v1",
///  "source":"/subscriptions/…/providers/Microsoft.ContainerRegistry/registries/myregistry",
///  "type":"Microsoft.ContainerRegistry.ImagePushed","time":"2021-04-13T11:52:33.6542167Z","data":{…}}
/// ```
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    id: Leaf,
    #[serde(rename = "eventType")]
    event_type: Leaf,
    #[serde(rename = "type")]
    cloud_event_type: Leaf,
    specversion: Leaf,
    data: Part<Notification>,
}

/// A result for each event, in order: what is wrong with one is no reason to refuse the others, which
/// would then never come again.
pub(super) fn read(call: &Call<'_>) -> Result<Vec<Result<Event, String>>, Refusal> {
    if !json::is_list(call.body) {
        let entry = typed(Part::Is(json::object(call.body)?))?;
        return Ok(vec![entry.event(call).map_err(reason)]);
    }
    let members = json::list(call.body)?.into_iter();
    let entries: Vec<_> = members.map(|member| typed(json::member(member)?)).collect();
    match entries.first() {
        None => Err(Refusal::Malformed("there is no event in the array")),
        Some(&Err(refusal)) if entries.iter().all(Result::is_err) => Err(refusal),
        Some(_) => {
            let event = |entry: Result<Entry, Refusal>| entry?.event(call);
            Ok(entries.into_iter().map(|entry| event(entry).map_err(reason)).collect())
        }
    }
}

/// An event is known by its type.
fn typed(entry: Part<Entry>) -> Result<Entry, Refusal> {
    match entry {
        Part::Is(entry) if entry.type_name().is_some() => Ok(entry),
        Part::Is(_) | Part::Absent | Part::Other => Err(Refusal::Malformed(
            "an event is an object with eventType, or with type and specversion",
        )),
    }
}

/// Fields are named as they are found in the event.
fn reason(refusal: Refusal) -> String {
    match refusal {
        Refusal::Field("data", _) => refusal.to_string(),
        Refusal::Field(..) => format!("data.{refusal}"),
        _ => refusal.to_string(),
    }
}

impl Entry {
    fn type_name(&self) -> Option<&str> {
        let is_cloud_event = self.specversion.any_text().is_some();
        let cloud_event = || self.cloud_event_type.any_text().filter(|_| is_cloud_event);
        self.event_type.any_text().or_else(cloud_event)
    }

    fn event(&self, call: &Call<'_>) -> Result<Event, Refusal> {
        let action = match self.type_name() {
            Some("Microsoft.ContainerRegistry.ImagePushed") => Action::Push,
            Some("Microsoft.ContainerRegistry.ImageDeleted") => Action::Delete,
            Some("Microsoft.ContainerRegistry.ChartPushed") => Action::ChartPush,
            Some("Microsoft.ContainerRegistry.ChartDeleted") => Action::ChartDelete,
            _ => return Err(Refusal::Ignored("the event's type is not one that is tracked")),
        };
        let data = self.data.needed("data")?;
        if data.action()? != action.as_str() {
            return Err(Refusal::Ignored("data.action is not what the event's type says"));
        }
        let candidate = data.candidate(action, self.id.any_text(), call)?;
        let unknown = Refusal::Ignored("data.location is not in the configured regions");
        let region = call.rules.configured(data.location()?).ok_or(unknown)?;
        candidate.admit(region, Channel::EventGrid, call)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Rules;
    use super::super::samples::*;
    use super::*;
    use crate::limits;
    use fan_in::{Correlation, Glob, Timestamp};
    use serde_json::json;

    /// The sample entry, spoilt, among others that are in order.
    fn reason(entry: &str, rules: &Rules) -> String {
        let good = event_grid_entry();
        let results = many(&bare("POST", &format!("[{good},{entry},{good}]")), rules);
        let [Ok(_), Err(reason), Ok(_)] = &results[..] else { panic!("{results:?}") };
        reason.clone()
    }

    #[test]
    fn an_array_a_single_event_and_a_cloud_event_say_the_same() {
        let [Ok(event)] = &many(&bare("POST", EVENT_GRID), &rules())[..] else { panic!() };
        assert_eq!(event.image.to_string(), "myregistry.azurecr.io/hello-world:v1");
        assert_eq!(event.region.as_str(), "westeurope");
        assert_eq!(event.channel, Channel::EventGrid);
        assert_eq!(event.id, "831e1650-001e-001b-66ab-eeb76e069631");
        assert_eq!(event.event_time, Some(Timestamp::from_millis(1_618_314_753_514)));
        for body in [event_grid_entry(), CLOUD_EVENT.to_owned(), format!(" \r\n[{CLOUD_EVENT}]")] {
            assert_eq!(many(&bare("POST", &body), &rules()), [Ok(event.clone())]);
        }
    }

    #[test]
    fn the_region_is_the_events_own() {
        let spelt = with(CLOUD_EVENT, "/data/location", "North Europe");
        let [Ok(event)] = &many(&post(&spelt), &rules())[..] else { panic!() };
        assert_eq!(event.region.as_str(), "northeurope");
        let nowhere = without(CLOUD_EVENT, "/data/location");
        assert_eq!(many(&post(&nowhere), &rules()), [Err("data.location is missing".to_owned())]);
    }

    #[test]
    fn every_type_says_its_action() {
        let types = [
            ("ImagePushed", "push", Action::Push),
            ("ImageDeleted", "delete", Action::Delete),
            ("ChartPushed", "chart_push", Action::ChartPush),
            ("ChartDeleted", "chart_delete", Action::ChartDelete),
        ];
        for (name, word, action) in types {
            let body = with(CLOUD_EVENT, "/type", format!("Microsoft.ContainerRegistry.{name}"));
            let [Ok(event)] = &many(&post(&with(&body, "/data/action", word)), &rules())[..] else {
                panic!()
            };
            assert_eq!(event.image.action, action);
        }
    }

    #[test]
    fn what_is_wrong_with_one_is_told_there_and_nowhere_else() {
        let entry = event_grid_entry();
        let cases = [
            (
                with(&entry, "/eventType", "Microsoft.Storage.BlobCreated"),
                "the event's type is not",
            ),
            (
                with(&entry, "/eventType", "Microsoft.EventGrid.SubscriptionValidationEvent"),
                "the event's type",
            ),
            (with(&entry, "/data/action", "delete"), "data.action is not what"),
            (with(&entry, "/data/action", "quarantine"), "data.action is not what"),
            (without(&entry, "/data/action"), "data.action is missing"),
            (without(&entry, "/data"), "data is missing"),
            (with(&entry, "/data", "x"), "data is not an object"),
            (without(&entry, "/data/target"), "data.target is missing"),
            (with(&entry, "/data/target/digest", "sha256:1"), "data.target.digest is not valid"),
            (
                with(&entry, "/data/target/repository", "../x"),
                "data.target.repository is not valid",
            ),
            (with(&entry, "/data/timestamp", "now"), "data.timestamp is not valid"),
            (with(&entry, "/data/request/host", json!(1)), "data.request.host is not a text"),
            (
                with(&entry, "/data/location", "eastus"),
                "data.location is not in the configured regions",
            ),
            (without(&entry, "/data/target/tag"), "the push has no tag"),
        ];
        for (entry, words) in cases {
            let reason = reason(&entry, &rules());
            assert!(reason.starts_with(words), "{reason}");
        }
        let other = with(&entry, "/data/request/host", "other.azurecr.io");
        assert!(
            reason(&other, &allowing(&["myregistry.azurecr.io"]))
                .starts_with("the registry is not")
        );
        let filtered = Rules { repositories: vec![Glob::new("hello-*")], ..rules() };
        let other = with(&entry, "/data/target/repository", "other");
        assert!(reason(&other, &filtered).starts_with("the repository is not"));
    }

    #[test]
    fn what_is_no_event_refuses_none_that_is() {
        let twice = r#"{"eventType":"x","eventType":"x"}"#;
        let cases = [
            ("{}", "an event is an object with"),
            ("7", "an event is an object with"),
            ("null", "an event is an object with"),
            ("[[{}]]", "an event is an object with"),
            (r#"{"eventType":7}"#, "an event is an object with"),
            (r#"{"type":"x"}"#, "an event is an object with"),
            (twice, "the event gives one of its fields twice"),
            (r#"{"eventType":"x","data":{"id":"1","id":"2"}}"#, "the event gives one"),
            (r#"{"eventType":"\ud800"}"#, "the event holds a text or a number that cannot be"),
            (r#"{"eventType":"x","id":1e999}"#, "the event holds a text or a number"),
        ];
        for (entry, words) in cases {
            let reason = reason(entry, &rules());
            assert!(reason.starts_with(words), "{entry}: {reason}");
            assert_eq!(refused(&post(&format!("[{entry},{entry}]")), &rules()).0, 400, "{entry}");
        }
        assert_eq!(many(&post(&format!("[{{}},{}]", event_grid_entry())), &rules()).len(), 2);
    }

    #[test]
    fn the_id_is_the_datas_or_else_the_events() {
        let id = |body: &str, rules: &Rules| match &many(&post(body), rules)[..] {
            [Ok(event)] => event.id.clone(),
            other => panic!("{other:?}"),
        };
        let by_id = Rules { correlation: Correlation::Id, ..rules() };
        let body = with(&with(CLOUD_EVENT, "/id", "outer"), "/data/id", "inner");
        assert_eq!(id(&body, &by_id), "inner");
        assert_eq!(id(&without(&body, "/data/id"), &by_id), "outer");
        let neither = without(&without(&body, "/data/id"), "/id");
        assert_eq!(many(&post(&neither), &by_id), [Err("data.id is missing".to_owned())]);
        assert_eq!(id(&neither, &rules()), "3cbb6949-7549-4fa1-86cd-a6d5451dffc7");
    }

    #[test]
    fn there_is_a_limit_to_the_number_of_events() {
        let small = r#"{"eventType":"x"}"#;
        let array = |n: usize| format!("[{}]", vec![small; n].join(","));
        assert_eq!(many(&post(&array(limits::EVENTS_MAX)), &rules()).len(), limits::EVENTS_MAX);
        assert_eq!(refused(&post(&array(limits::EVENTS_MAX + 1)), &rules()).0, 413);
    }

    #[test]
    fn events_need_the_secret() {
        assert_eq!(refused(&post(EVENT_GRID), &with_secret()).0, 401);
        assert!(
            many(&header(post(EVENT_GRID), "x-fanin-secret", "old"), &with_secret())[0].is_ok()
        );
    }
}
