//! The order of the checks, and what any sender may do to us.

use super::samples::*;
use super::{Event, Reading, Rules, queued, read};
use crate::answer::{Body, Request};
use crate::limits;
use fan_in::{Correlation, Glob, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn the_checks_come_in_their_order() {
    let rules =
        Rules { repositories: vec![Glob::new("other/*")], ..allowing(&["other.azurecr.io"]) };
    let rules = Rules { secrets: with_secret().secrets, ..rules };
    let status = |request: &Request| refused(request, &rules).0;

    // Everything is wrong with the first request, and each next one mends the first thing that was.
    let mut request = Request { body: Some(b"{".to_vec()), ..bare("PUT", "") };
    request.body_bytes = limits::BODY_MAX + 1;
    assert_eq!(status(&request), 405);
    request.method = "POST".to_owned();
    assert_eq!(status(&request), 413);
    request.body_bytes = limits::BODY_MAX;
    assert_eq!(status(&request), 401);
    request = header(request, "X-Fanin-Secret", "new");
    assert_eq!(refused(&request, &rules), (400, "the body is not JSON".to_owned()));
    let body = |request: &Request, text: String| Request {
        body: Some(text.into_bytes()),
        ..request.clone()
    };
    request = body(&request, "{}".to_owned());
    assert!(refused(&request, &rules).1.starts_with("the body is no webhook"));
    request = body(&request, with(PUSH, "/target/digest", "sha256:1"));
    assert!(refused(&request, &rules).1.starts_with("target.digest is not valid"));
    assert_eq!(refused(&body(&request, PING.to_owned()), &rules), (200, "ping".to_owned()));
    request = body(&request, PUSH.to_owned());
    assert!(refused(&request, &rules).1.contains("region querystring value missing"));
    request = query(request, "region", "westeurope");
    assert_eq!(status(&request), 403);
    request = body(&request, with(PUSH, "/request/host", "other.azurecr.io"));
    assert_eq!(status(&request), 200);
    let text = with(PUSH, "/request/host", "other.azurecr.io");
    request = body(&request, with(&text, "/target/repository", "other/app"));
    assert_eq!(one(&request, &rules).image.to_string(), "other.azurecr.io/other/app:v1");
}

#[test]
fn other_methods_are_told_which_ones_there_are() {
    for method in ["PUT", "DELETE", "HEAD", "", "post"] {
        let answer = answered(&bare(method, PUSH), &rules());
        assert_eq!(answer.status, 405);
        assert_eq!(answer.headers, [("Allow", "GET, POST, OPTIONS".to_owned())]);
    }
}

#[test]
fn a_body_may_have_256_kib_as_its_sender_wrote_it() {
    let mut request = post(PUSH);
    request.body_bytes = 256 * 1024;
    assert_eq!(one(&request, &rules()).id, "cb8c3971-9adc-488b-bdd8-43cbb4974ff5");
    request.body_bytes += 1;
    assert_eq!(refused(&request, &rules()).0, 413);
}

#[test]
fn a_request_without_a_body_is_told_about_chunked_ones() {
    let none = Request { body: None, ..post("") };
    for request in [none, post(""), bare("GET", ""), bare("GET", PUSH), bare("OPTIONS", "")] {
        let (status, sentence) = refused(&request, &rules());
        assert_eq!(status, 400);
        assert!(sentence.contains("Azure Functions") && sentence.contains("chunked"), "{sentence}");
    }
}

#[test]
fn any_of_the_secrets_opens_the_door() {
    let rules = with_secret();
    for secret in ["old", "new"] {
        one(&header(post(PUSH), "x-fanin-secret", secret), &rules);
    }
    for request in [
        post(PUSH),
        header(post(PUSH), "x-fanin-secret", "wrong"),
        bare("GET", ""),
        bare("OPTIONS", ""),
    ] {
        assert_eq!(refused(&request, &rules).0, 401);
    }
    assert_eq!(refused(&query(post(PUSH), "x-fanin-secret", "new"), &rules).0, 401);
}

#[test]
fn a_body_that_is_not_json_of_a_known_kind_is_refused() {
    let nested = "[".repeat(100_000);
    let bodies = [
        "{",
        "null",
        "true",
        "1",
        "\"push\"",
        "nonsense",
        "{}",
        "[]",
        "[1]",
        "[null]",
        "[[]]",
        "[{}]",
        " ",
        "\u{feff}",
        r#"{"action":null}"#,
        r#"{"type":"x"}"#,
        r#"{"specversion":"1.0"}"#,
        r#"{"push_data":{}}"#,
        r#"{"repository":{}}"#,
        r#"{"action":"push"}}"#,
        r#"{"eventType":7}"#,
        r#"[7,{}]"#,
        r#"[{"eventType":"x"},{]"#,
        r#"{"action":"push","action":"push"}"#,
        r#"{"action":1e999}"#,
        &nested,
    ];
    for body in bodies {
        assert_eq!(refused(&post(body), &rules()).0, 400, "{body:.80}");
    }
    let latin1 = Request { body: Some(b"{\"action\":\"p\xfcsh\"}".to_vec()), ..post("") };
    assert_eq!(refused(&latin1, &rules()), (400, "the body is not UTF-8".to_owned()));
}

#[test]
fn a_byte_order_mark_does_no_harm() {
    for sample in [PUSH, DOCKER_HUB] {
        assert_eq!(
            one(&post(&format!("\u{feff}{sample}")), &rules()),
            one(&post(sample), &rules())
        );
    }
    assert_eq!(
        many(&post(&format!("\u{feff}{EVENT_GRID}")), &rules()),
        many(&post(EVENT_GRID), &rules())
    );
}

#[test]
fn a_region_is_found_in_every_spelling_and_place() {
    let event = |request: Request| one(&request, &rules()).region.to_string();
    for spelling in ["westeurope", "West Europe", "WestEurope", " WESTEUROPE "] {
        assert_eq!(event(query(bare("POST", PUSH), "region", spelling)), "westeurope");
        assert_eq!(event(query(bare("POST", PUSH), "Region", spelling)), "westeurope");
        assert_eq!(event(header(bare("POST", PUSH), "X-Fanin-Region", spelling)), "westeurope");
    }
    assert_eq!(
        event(header(post(PUSH), "x-fanin-region", "northeurope")),
        "westeurope",
        "the address counts first"
    );
    assert_eq!(
        event(header(query(bare("POST", PUSH), "region", " "), "x-fanin-region", "northeurope")),
        "northeurope"
    );
}

#[test]
fn a_region_that_is_missing_or_unknown_is_refused() {
    let blank = header(query(bare("POST", PUSH), "region", " "), "x-fanin-region", "");
    for request in [bare("POST", PUSH), blank] {
        let (status, sentence) = refused(&request, &rules());
        assert!(
            status == 400 && sentence.contains("region querystring value missing"),
            "{sentence}"
        );
    }
    for region in ["eastus", "global", "../westeurope", "<!channel>", "größe", &"a".repeat(10_000)]
    {
        let (status, sentence) = refused(&query(bare("POST", PUSH), "region", region), &rules());
        let words = "region querystring value is not in the configured regions";
        assert!(status == 400 && sentence.contains(words), "{sentence}");
    }
}

#[test]
fn a_region_that_is_given_twice_is_none_of_the_configured() {
    let twice = |other| query(query(bare("POST", PUSH), "region", "westeurope"), "Region", other);
    for other in ["northeurope", "westeurope", ""] {
        let (status, sentence) = refused(&twice(other), &rules());
        let words = "region querystring value is not in the configured regions";
        assert_eq!((status, sentence.as_str()), (400, words), "{other}");
    }
}

#[test]
fn only_allowed_registries_are_let_in() {
    let hub = || allowing(&["docker.io"]);
    assert_eq!(refused(&post(PUSH), &hub()).0, 403);
    assert_eq!(
        one(&post(DOCKER_HUB), &hub()).image.to_string(),
        "docker.io/svendowideit/testhook:latest"
    );
    assert_eq!(refused(&post(DOCKER_HUB), &allowing(&["myregistry.azurecr.io"])).0, 403);
    let regional = with(PUSH, "/request/host", "MyRegistry.westeurope.geo.azurecr.io:443");
    let event = one(&post(&regional), &allowing(&["myregistry.azurecr.io"]));
    assert_eq!(event.image.registry.unwrap().as_str(), "myregistry.azurecr.io");
}

#[test]
fn an_event_without_a_host_belongs_where_the_address_or_the_settings_say() {
    let registry = |request: &Request, rules: &Rules| {
        one(request, rules).image.registry.map(|r| r.as_str().to_owned())
    };
    let only = allowing(&["one.azurecr.io"]);
    let several = allowing(&["one.azurecr.io", "two.azurecr.io"]);
    let named = query(post(CHART), "registry", "Two.azurecr.io");
    assert_eq!(registry(&post(CHART), &rules()), None);
    assert_eq!(registry(&post(CHART), &only).as_deref(), Some("one.azurecr.io"));
    assert_eq!(registry(&named, &several).as_deref(), Some("two.azurecr.io"));
    assert_eq!(registry(&named, &rules()).as_deref(), Some("two.azurecr.io"));
    assert_eq!(refused(&named, &only).0, 403);
    assert_eq!(refused(&post(CHART), &several).0, 403);
    assert_eq!(refused(&query(post(CHART), "registry", "a/b"), &only).0, 400);
    let own = query(post(PUSH), "registry", "two.azurecr.io");
    assert_eq!(
        registry(&own, &rules()).as_deref(),
        Some("myregistry.azurecr.io"),
        "the event's own host counts"
    );
}

#[test]
fn what_the_filters_leave_out_is_ignored_with_a_reason() {
    let filtered = Rules { repositories: vec![Glob::new("team/*"), Glob::new("hello")], ..rules() };
    assert_eq!(
        refused(&post(PUSH), &filtered),
        (200, "the repository is not one of FANIN_REPOSITORIES".to_owned())
    );
    one(&post(&with(PUSH, "/target/repository", "team/hello-world")), &filtered);

    let untagged = without(PUSH, "/target/tag");
    let (status, reason) = refused(&post(&untagged), &rules());
    assert!(status == 200 && reason.contains("no tag"), "{reason}");
    let image = one(&post(&untagged), &Rules { untagged: true, ..rules() }).image.to_string();
    assert!(image.starts_with("myregistry.azurecr.io/hello-world@sha256:80f0"), "{image}");
}

/// Nothing that a caller wrote comes back, whatever a check says about it.
const MARK: &str = "qZ7<!channel>";

fn spoilt(request: &Request, rules: &Rules) -> Result<(), TestCaseError> {
    let told = match read(request, rules) {
        Reading::Answer(answer) => {
            prop_assert!(answer.status < 500);
            match answer.body {
                Body::Json(body) if body.get("validationResponse").is_none() => body.to_string(),
                _ => String::new(),
            }
        }
        Reading::One(event) => {
            survives_the_queue(&event)?;
            String::new()
        }
        Reading::Many(results) => {
            for event in results.iter().flatten() {
                survives_the_queue(event)?;
            }
            results.into_iter().filter_map(Result::err).collect()
        }
    };
    prop_assert!(!told.contains("qZ7"), "{told}");
    Ok(())
}

fn survives_the_queue(event: &Event) -> Result<(), TestCaseError> {
    let received = Timestamp::from_millis(1_795_000_000_000);
    let message = queued::to_message(event, received);
    prop_assert!(message.len() <= limits::QUEUED_ARRIVAL_MAX);
    let message = serde_json::from_str(&message).unwrap();
    prop_assert_eq!(queued::from_message(&message), Some((event.clone(), received)));
    Ok(())
}

/// Every pointer into a document.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), value)).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().map(|(i, value)| (i.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    found.push(at.to_owned());
    for (name, member) in members {
        pointers(member, &format!("{at}/{name}"), found);
    }
}

fn hostile() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!(MARK)),
        Just(json!(format!("../{MARK}"))),
        Just(json!({ MARK: MARK })),
        Just(json!([MARK, { "eventType": MARK, "data": { "action": MARK } }])),
        Just(json!({ "eventType": "Microsoft.ContainerRegistry.ImagePushed", "data": MARK })),
        Just(json!(true)),
        Just(json!("")),
        Just(json!("ping")),
        Just(json!("quarantine")),
        Just(json!("2026-11-20T10:00:00.12345678+02:00")),
        any::<f64>().prop_map(|number| json!(number)),
        any::<i64>().prop_map(|number| json!(number)),
        any::<u64>().prop_map(|number| json!(number)),
        any::<String>().prop_map(|text| json!(text)),
        (1_usize..40).prop_map(|n| json!("\u{1f6a2}\"\\\n\u{0}é".repeat(n * n))),
        (1_usize..200).prop_map(|n| (0..n).fold(json!(MARK), |inner, _| json!([inner]))),
    ]
}

fn any_rules() -> impl Strategy<Value = Rules> {
    (any::<bool>(), any::<bool>(), 0_usize..4).prop_map(|(by_id, untagged, registries)| Rules {
        correlation: if by_id { Correlation::Id } else { Correlation::Auto },
        untagged,
        ..allowing(&["myregistry.azurecr.io", "docker.io", "x.io"][..registries])
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn no_document_breaks_the_reading(
        rules in any_rules(),
        sample in 0..ALL.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), hostile(), any::<bool>()), 1..5),
    ) {
        let mut document: Value = serde_json::from_str(ALL[sample]).unwrap();
        for (index, value, removed) in changes {
            let mut found = Vec::new();
            pointers(&document, "", &mut found);
            let pointer = &found[index.index(found.len())];
            let (parent, member) = pointer.rsplit_once('/').unwrap_or_default();
            match document.pointer_mut(parent) {
                Some(Value::Object(members)) if removed => drop(members.remove(member)),
                _ => *document.pointer_mut(pointer).unwrap() = value,
            }
        }
        spoilt(&post(&document.to_string()), &rules)?;
    }

    #[test]
    fn no_bytes_break_the_reading(
        rules in any_rules(),
        sample in 0..ALL.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..8),
    ) {
        let mut body = ALL[sample].as_bytes().to_vec();
        for (index, byte, edit) in edits {
            let at = index.index(body.len().max(1));
            match edit {
                0 => body.truncate(at),
                1 => body.insert(at, byte),
                2 if !body.is_empty() => drop(body.remove(at)),
                _ if !body.is_empty() => body[at] = byte,
                _ => {}
            }
        }
        spoilt(&Request { body_bytes: body.len(), body: Some(body), ..post("") }, &rules)?;
    }

    #[test]
    fn no_request_breaks_the_reading(
        method in prop::sample::select(vec!["GET", "POST", "OPTIONS", "PUT", MARK]),
        name in prop::sample::select(vec![
            "region", "registry", "x-fanin-region", "x-fanin-secret", "aeg-event-type", "WebHook-Request-Origin",
        ]),
        value in prop_oneof![Just(MARK.to_owned()), Just("SubscriptionValidation".to_owned()), any::<String>()],
        sample in 0..ALL.len(),
        secret in any::<bool>(),
    ) {
        let rules = if secret { with_secret() } else { allowing(&["a.io", "b.io"]) };
        let request = header(query(bare(method, ALL[sample]), name, &value), name, &value);
        spoilt(&request, &rules)?;
        spoilt(&query(request, "region", "westeurope"), &rules)?;
    }
}
