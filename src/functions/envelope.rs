//! What the Functions host wraps around an invocation, and what it wants to get back.
//!
//! The host answers its caller with what stands in `Outputs.res`; an answer that is not 200 with a JSON object
//! is a failed invocation to it, and a 2xx without a body hangs until it kills the handler.

use crate::answer::{Answer, Body, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// `{"Data":{…},"Metadata":{…}}`; the metadata is polluted by what callers send, so it is not even read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Invocation<T> {
    data: T,
}

#[derive(Deserialize)]
struct HttpData {
    req: HttpRequest,
}

/// `Data.req`. Its `Url`, `Query` and `Headers` hold function keys: never logged, never answered.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HttpRequest {
    method: String,
    #[serde(default)]
    query: Map<String, Value>,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    params: Map<String, Value>,
    /// Absent where the caller sent no Content-Length; base64 for binary content types.
    body: Option<String>,
}

#[derive(Deserialize)]
struct QueueData {
    msg: String,
}

/// An http invocation: the caller's request, and the parameters in its route.
#[derive(Debug)]
pub(crate) struct Http {
    pub(crate) request: Request,
    pub(crate) params: Map<String, Value>,
}

/// Reads an http invocation; none when it is not one.
pub(crate) fn http(bytes: &[u8]) -> Option<Http> {
    let Invocation { data: HttpData { req } } = serde_json::from_slice(bytes).ok()?;
    let text = |value: Value| value.as_str().map(str::to_owned);
    let query =
        req.query.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect();
    let values = |value: Value| match value {
        Value::Array(values) => values,
        value => vec![value],
    };
    let headers = req.headers.into_iter().flat_map(|(name, value)| {
        values(value)
            .into_iter()
            .filter_map(text)
            .map(move |value| (name.clone(), value))
            .collect::<Vec<_>>()
    });
    let mut request = Request {
        method: req.method,
        query,
        headers: headers.collect(),
        body: None,
        body_bytes: 0,
    };
    let kind = request.header("content-type").unwrap_or_default().trim_start().to_ascii_lowercase();
    let binary = kind.starts_with("application/octet-stream") || kind.starts_with("multipart/");
    request.body = match req.body {
        Some(body) if binary => Some(STANDARD.decode(&body).unwrap_or_else(|_| body.into_bytes())),
        body => body.map(String::into_bytes),
    };
    let said = request.header("content-length").and_then(|length| length.trim().parse().ok());
    request.body_bytes = said.unwrap_or_else(|| request.body.as_ref().map_or(0, Vec::len));
    Some(Http { request, params: req.params })
}

/// Reads the text of a queue message, which comes encoded as JSON within the JSON; none when it is none.
pub(crate) fn queue_message(bytes: &[u8]) -> Option<Value> {
    let Invocation { data: QueueData { msg } } = serde_json::from_slice(bytes).ok()?;
    let text: String = serde_json::from_str(&msg).ok()?;
    serde_json::from_str(&text).ok()
}

/// The answer to an invocation: an http answer if it has one, and messages for its queue output.
///
/// Messages are an array of texts, since the host would guess at anything else and write it anew.
pub(crate) fn outputs(answer: Option<&Answer>, queue: Option<(&str, Vec<String>)>) -> Value {
    let mut outputs = Map::new();
    if let Some(answer) = answer {
        outputs.insert("res".to_owned(), res(answer));
    }
    if let Some((binding, messages)) = queue.filter(|(_, messages)| !messages.is_empty()) {
        outputs.insert(binding.to_owned(), json!(messages));
    }
    json!({ "Outputs": outputs })
}

/// `Outputs.res`: the body as a text, which the host passes on byte for byte, and headers of ASCII.
fn res(answer: &Answer) -> Value {
    let (kind, body) = match &answer.body {
        Body::Empty => (None, String::new()),
        Body::Json(value) => (Some("application/json"), value.to_string()),
        Body::Html(html) => (Some("text/html; charset=utf-8"), html.clone()),
        Body::Text(text) => (Some("text/plain; charset=utf-8"), text.clone()),
    };
    let printable = |value: &str| value.bytes().all(|b| matches!(b, b' '..=b'~'));
    let mut headers: Map<String, Value> = answer
        .headers
        .iter()
        .filter(|(_, value)| printable(value))
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    headers.extend(kind.map(|kind| ("Content-Type".to_owned(), json!(kind))));
    json!({ "statusCode": answer.status, "headers": headers, "body": body })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(req: Value) -> Vec<u8> {
        let mut all = json!({ "Method": "POST", "Query": {}, "Headers": {}, "Params": {} });
        all.as_object_mut().unwrap().extend(req.as_object().unwrap().clone());
        json!({ "Data": { "req": all }, "Metadata": { "id": "polluted" } }).to_string().into_bytes()
    }

    fn read(req: Value) -> Http {
        http(&envelope(req)).unwrap()
    }

    #[test]
    fn a_request_is_unwrapped() {
        let Http { request, params } = read(json!({
            "Query": { "region": "westeurope", "odd": 7 },
            "Headers": { "X-Fanin-Secret": ["one", "two"], "Plain": "text", "Odd": [null] },
            "Params": { "push": "abc" },
            "Body": "ü",
        }));
        assert_eq!(
            (request.method.as_str(), request.query("Region").as_deref()),
            ("POST", Some("westeurope"))
        );
        assert_eq!(request.query("odd"), None);
        assert_eq!(request.header("x-fanin-secret"), Some("one"));
        assert_eq!((request.header("plain"), request.header("odd")), (Some("text"), None));
        assert_eq!(params["push"], "abc");
        assert_eq!((request.body.as_deref(), request.body_bytes), (Some("ü".as_bytes()), 2));
    }

    #[test]
    fn a_body_of_a_binary_kind_comes_as_base64() {
        for kind in ["application/octet-stream", " Multipart/form-data; boundary=x"] {
            let of = |body: &str| {
                read(json!({ "Headers": { "Content-Type": [kind] }, "Body": body })).request.body
            };
            assert_eq!(of("e30=").as_deref(), Some(&b"{}"[..]), "{kind}");
            assert_eq!(
                of("{}").as_deref(),
                Some(&b"{}"[..]),
                "what is no base64 stands for itself"
            );
        }
        let text = read(json!({ "Headers": { "Content-Type": ["text/plain"] }, "Body": "e30=" }));
        assert_eq!(text.request.body.as_deref(), Some(&b"e30="[..]));
    }

    #[test]
    fn the_length_is_the_one_that_the_sender_declared() {
        let length = |declared: Value| {
            read(json!({ "Headers": { "Content-Length": declared }, "Body": "{}" }))
                .request
                .body_bytes
        };
        assert_eq!(length(json!(["300000"])), 300_000);
        for odd in [json!([]), json!(["-1"]), json!(["x"]), json!([7])] {
            assert_eq!(length(odd), 2);
        }
        let none = read(json!({})).request;
        assert_eq!((none.body, none.body_bytes), (None, 0));
    }

    #[test]
    fn a_message_is_json_within_json_within_json() {
        let read =
            |msg: Value| queue_message(json!({ "Data": { "msg": msg } }).to_string().as_bytes());
        let text = json!(r#"{"push":"x"}"#).to_string();
        assert_eq!(read(json!(text)), Some(json!({ "push": "x" })));
        for odd in [json!(r#"{"push":"x"}"#), json!(7), json!(null), json!("\"junk\""), json!("")] {
            assert_eq!(read(odd), None);
        }
    }

    #[test]
    fn an_answer_is_what_the_host_can_pass_on() {
        let answer = Answer::json(202, json!({ "a": "ü" }))
            .with_header("Location", "/api/status/1")
            .with_header("Odd", "ü")
            .with_header("Split", "a\r\nb: c");
        let messages = vec![r#"{"push":"1"}"#.to_owned()];
        assert_eq!(
            outputs(Some(&answer), Some(("bells", messages))),
            json!({ "Outputs": {
                "res": {
                    "statusCode": 202,
                    "headers": { "Location": "/api/status/1", "Content-Type": "application/json" },
                    "body": r#"{"a":"ü"}"#,
                },
                "bells": [r#"{"push":"1"}"#],
            } })
        );
        assert_eq!(outputs(None, Some(("bells", Vec::new()))), json!({ "Outputs": {} }));
    }
}
