//! Event Grid asks whether its events are welcome before it sends any: by an event with a code in its own
//! schema, by OPTIONS for CloudEvents. Both are answered before any secret is asked for, as neither
//! carries one.

use super::gate;
use super::json::{self, Leaf, Part};
use super::refusal::{Fault, Refusal};
use crate::answer::{Answer, Body, Request};
use serde::Deserialize;
use serde_json::json;

/// ```json
/// [{"id":"2d1781af-3a4c-4d7c-bd0c-e34b19da4e66","topic":"/subscriptions/…","subject":"",
///   "eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","eventTime":"2021-01-25T22:12:19.4556811Z",
///   "data":{"validationCode":"512d38b6-c7b8-40c8-89fe-f46f9e9622b6","validationUrl":"https://…"},
///   "dataVersion":"1","metadataVersion":"1"}]
/// ```
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    #[serde(rename = "eventType")]
    event_type: Leaf,
    data: Part<Data>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Data {
    #[serde(rename = "validationCode")]
    code: Leaf,
}

const EVENT_TYPE: &str = "Microsoft.EventGrid.SubscriptionValidationEvent";
/// Codes are 36 characters long.
const CODE_CHARS_MAX: usize = 256;
/// DNS has no longer name; a port may follow.
const ORIGIN_CHARS_MAX: usize = 253 + 6;

/// None when the request is no handshake.
pub(super) fn answer(request: &Request) -> Result<Option<Answer>, Refusal> {
    match request.method.as_str() {
        "OPTIONS" => request.header("WebHook-Request-Origin").map(cloud_events).transpose(),
        "POST" => event_grid(request),
        _ => Ok(None),
    }
}

/// The abuse protection of CloudEvents' web hooks. The address that `WebHook-Request-Callback` may name is
/// never called.
fn cloud_events(origin: &str) -> Result<Answer, Refusal> {
    let origin = origin.trim();
    let host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':');
    if origin.is_empty() || origin.len() > ORIGIN_CHARS_MAX || !origin.bytes().all(host) {
        return Err(Refusal::Malformed("the header WebHook-Request-Origin is not a host name"));
    }
    let answer = Answer { status: 200, headers: Vec::new(), body: Body::Empty };
    Ok(answer
        .with_header("WebHook-Allowed-Origin", origin)
        .with_header("WebHook-Allowed-Rate", "*"))
}

fn event_grid(request: &Request) -> Result<Option<Answer>, Refusal> {
    let header = request
        .header("aeg-event-type")
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("SubscriptionValidation"));
    let body = match gate::body(request).and_then(json::text) {
        Ok(body) => body,
        Err(refusal) => return if header { Err(refusal) } else { Ok(None) },
    };
    // Nothing else is parsed for a sender who has not shown the secret yet.
    if !header && !body.contains(EVENT_TYPE) {
        return Ok(None);
    }
    let entry = match only_entry(body) {
        Ok(Some(entry)) if header || entry.event_type.any_text() == Some(EVENT_TYPE) => entry,
        _ if !header => return Ok(None),
        Err(refusal) => return Err(refusal),
        Ok(_) => return Err(Refusal::Malformed("the handshake is not a single event")),
    };
    let name = "data.validationCode";
    let code =
        entry.data.needed("data")?.code.text(name)?.ok_or(Refusal::Field(name, Fault::Missing))?;
    if code.len() > CODE_CHARS_MAX || !code.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Refusal::Field(name, Fault::Invalid("a code is a short text in ASCII")));
    }
    Ok(Some(Answer::json(200, json!({ "validationResponse": code }))))
}

/// The handshake comes by itself; among other events it would swallow them.
fn only_entry(body: &str) -> Result<Option<Entry>, Refusal> {
    let entry = if json::is_list(body) {
        let [entry] = json::list(body)?[..] else { return Ok(None) };
        json::member(entry)?
    } else {
        json::object(body)?
    };
    Ok(if let Part::Is(entry) = entry { Some(entry) } else { None })
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::*;
    use serde_json::Value;

    const CODE: &str = "512d38b6-c7b8-40c8-89fe-f46f9e9622b6";

    fn validated(request: &Request) {
        let expected = Answer::json(200, json!({ "validationResponse": CODE }));
        assert_eq!(answered(request, &with_secret()), expected);
    }

    fn asked(request: Request) -> Request {
        header(request, "Aeg-Event-Type", "SubscriptionValidation")
    }

    #[test]
    fn the_code_comes_back_without_a_secret_and_without_a_region() {
        validated(&bare("POST", VALIDATION));
        validated(&asked(bare("POST", VALIDATION)));
        validated(&asked(bare("POST", &format!("\u{feff}{VALIDATION}"))));
        validated(&asked(bare("POST", &format!(r#"[{{"data":{{"validationCode":"{CODE}"}}}}]"#))));
        let single = serde_json::from_str::<Value>(VALIDATION).unwrap()[0].to_string();
        validated(&bare("POST", &single));
    }

    #[test]
    fn a_handshake_without_a_code_is_refused() {
        let no_code = VALIDATION.replace("validationCode", "code");
        let missing = (400, "data.validationCode is missing".to_owned());
        assert_eq!(refused(&bare("POST", &no_code), &with_secret()), missing);
        for bad in [VALIDATION.replace(CODE, "a b"), VALIDATION.replace(CODE, &"x".repeat(257))] {
            let (status, sentence) = refused(&bare("POST", &bad), &with_secret());
            assert!(
                status == 400 && sentence.starts_with("data.validationCode is not valid"),
                "{sentence}"
            );
        }
        for bad in ["", "{", "[]", "[1]", "7", "{}", &format!("[{},{}]", "{}", "{}")] {
            assert_eq!(refused(&asked(bare("POST", bad)), &with_secret()).0, 400, "{bad}");
        }
    }

    #[test]
    fn what_only_looks_like_a_handshake_needs_the_secret() {
        let entry = event_grid_entry();
        let validation = serde_json::from_str::<Value>(VALIDATION).unwrap()[0].to_string();
        let quoted = with(PUSH, "/request/useragent", EVENT_TYPE);
        let header_of_an_event = header(bare("POST", EVENT_GRID), "aeg-event-type", "Notification");
        for request in [
            bare("POST", &format!("[{validation},{entry}]")),
            bare("POST", &quoted),
            bare("POST", &format!("{{{EVENT_TYPE}")),
            bare("GET", VALIDATION),
            header_of_an_event,
        ] {
            assert_eq!(refused(&request, &with_secret()).0, 401);
        }
    }

    #[test]
    fn cloud_events_are_welcome_from_a_host() {
        for origin in ["eventgrid.azure.net", " eventemitter.example.com:443 "] {
            let request = header(bare("OPTIONS", ""), "webhook-request-origin", origin);
            let answer = answered(&request, &with_secret());
            assert_eq!((answer.status, answer.body), (200, Body::Empty));
            let allowed = ("WebHook-Allowed-Origin", origin.trim().to_owned());
            assert_eq!(answer.headers, [allowed, ("WebHook-Allowed-Rate", "*".to_owned())]);
        }
    }

    #[test]
    fn an_origin_that_is_no_host_is_refused() {
        for origin in
            ["", "*", "a b", "a\r\nSet-Cookie: x", "größe.de", "<!channel>", &"a".repeat(300)]
        {
            let request = header(bare("OPTIONS", ""), "WebHook-Request-Origin", origin);
            let (status, sentence) = refused(&request, &with_secret());
            assert_eq!(
                (status, sentence.as_str()),
                (400, "the header WebHook-Request-Origin is not a host name")
            );
        }
        assert_eq!(refused(&bare("OPTIONS", ""), &with_secret()).0, 401);
    }
}
