//! The handler without a host: recorded invocations and hostile ones, byte by byte. Whatever comes, the answer is
//! one that the host can work with: 200 with a JSON object, its outputs well-formed.

use crate::support::{Happenings, PATIENCE, acr_push, binary, parse, start};
use functions_host::wire::{self, Head, Received};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use watched::Process;

const FUNCTIONS: [&str; 6] = ["ImagePush", "FanInTimer", "Notify", "Status", "Jobs", "JobStatus"];

/// The handler, started as the host does it and by nobody else.
struct Handler {
    _process: Process,
    address: SocketAddr,
}

impl Handler {
    fn start(storage: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let (port, table) = (address.port().to_string(), format!("t{:016x}", fastrand::u64(..)));
        let settings = [
            ("FUNCTIONS_CUSTOMHANDLER_PORT", port.as_str()),
            ("AzureWebJobsStorage", storage),
            ("FANIN_TABLE", &table),
            ("FANIN_QUEUE", "fanin-notify"),
            ("FANIN_SCHEDULE", "*/15 * * * * *"),
            ("WebhookRegions", "northeurope,westeurope"),
            // The recorded calls bring none.
            ("FANIN_WEBHOOK_SECRET", ""),
            ("FANIN_READ_TOKEN", ""),
        ];
        let logs = Happenings::default();
        let process = start(&mut binary(&[]), &settings, &logs);
        let ready = |line: &String| parse(line)["message"] == "ready for the Functions host";
        logs.wait("the handler's start", |lines| lines.iter().any(ready));
        Self { _process: process, address }
    }

    async fn send(&self, head: &Head, body: &[u8]) -> Received {
        let exchange = wire::exchange(self.address, head, body);
        tokio::time::timeout(PATIENCE, exchange).await.unwrap().unwrap()
    }

    /// A call as the host makes it.
    async fn call(&self, function: &str, body: &[u8]) -> Received {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let head = Head {
            first: format!("POST /{function} HTTP/1.1"),
            headers: vec![
                header("Host", "127.0.0.1"),
                header("Transfer-Encoding", "chunked"),
                header("Content-Type", "application/json; charset=utf-8"),
            ],
        };
        self.send(&head, body).await
    }
}

/// Checks an answer, and returns its `Outputs`.
fn outputs(case: &str, answer: &Received) -> Value {
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.head.status(), Some(200), "{case}: {text}");
    assert_eq!(answer.head.header("content-type"), Some("application/json"), "{case}");
    let json: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{case}: {text}"));
    assert!(json.is_object(), "{case}: {text}");
    let outputs = json["Outputs"].clone();
    for (name, value) in outputs.as_object().into_iter().flatten() {
        match name.as_str() {
            "res" => well_formed(case, value),
            "bells" => {
                let messages = value.as_array().unwrap_or_else(|| panic!("{case}: {value}"));
                assert!(messages.iter().all(Value::is_string), "{case}: {value}");
            }
            other => panic!("{case}: no binding is called {other}"),
        }
    }
    outputs
}

fn well_formed(case: &str, res: &Value) {
    let status = res["statusCode"].as_u64().unwrap_or_else(|| panic!("{case}: {res}"));
    assert!((200..=599).contains(&status), "{case}: {res}");
    assert!(res["body"].is_string(), "{case}: {res}");
    let printable = |text: &str| text.bytes().all(|b| matches!(b, b' '..=b'~'));
    for (name, value) in res["headers"].as_object().unwrap() {
        assert!(
            printable(name) && value.as_str().is_some_and(printable),
            "{case}: {name}: {value}"
        );
    }
}

/// The calls that the real host made, with the files they stand in. The longest ones were cut short when they were
/// written down, which makes them no JSON: to be answered, too.
fn recorded() -> Vec<(String, Head, String)> {
    let fixtures =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/functions-host/tests/fixtures");
    let mut calls = Vec::new();
    for folder in ["http", "queue", "timer", "admin"] {
        for entry in std::fs::read_dir(fixtures.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let json: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            for call in json["host_sent_to_handler"].as_array().unwrap() {
                let mut lines =
                    call["head"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
                let first = lines.next().unwrap().to_owned();
                let headers = lines.map(|line| line.split_once(": ").unwrap());
                let headers =
                    headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                let name = format!("{folder}/{}", path.file_name().unwrap().to_string_lossy());
                calls.push((
                    name,
                    Head { first, headers },
                    call["body"].as_str().unwrap().to_owned(),
                ));
            }
        }
    }
    calls
}

#[tokio::test]
async fn every_call_that_was_recorded_is_answered() {
    let handler = Handler::start(&azurite::shared().connection_string());
    let calls = recorded();
    assert!(calls.len() > 40, "{}", calls.len());
    for (name, head, body) in &calls {
        let answer = handler.send(head, body.as_bytes()).await;
        let outputs = outputs(name, &answer);
        let http = ["/ImagePush", "/Status", "/Jobs", "/JobStatus"];
        let is_http = http.iter().any(|path| head.first.contains(path));
        assert_eq!(outputs["res"].is_object(), is_http, "{name}: {outputs}");
    }
    let status = |name: &str| {
        let (_, head, body) = calls.iter().find(|(known, ..)| known == name).unwrap();
        (head.clone(), body.clone())
    };
    for (name, expected) in [
        ("http/acr-push.json", 200),
        ("http/acr-push-chunked.json", 400),
        ("http/post-gzip.json", 400),
        ("http/post-empty.json", 400),
        ("http/get.json", 400),
        ("http/route-two-folders-post.json", 404),
        ("http/route-two-folders-get.json", 404),
        ("http/route-two-folders-get-root.json", 404),
    ] {
        let (head, body) = status(name);
        let outputs = outputs(name, &handler.send(&head, body.as_bytes()).await);
        assert_eq!(outputs["res"]["statusCode"], expected, "{name}: {outputs}");
    }
}

#[tokio::test]
async fn no_envelope_is_strange_enough_to_stop_the_handler() {
    let handler = Handler::start(&azurite::shared().connection_string());
    let req = |name: &str, value: Value| {
        let mut req =
            json!({ "Method": "POST", "Query": {}, "Headers": {}, "Params": {}, "Body": "{}" });
        req[name] = value;
        json!({ "Data": { "req": req }, "Metadata": {} }).to_string()
    };
    let mut envelopes: Vec<String> = [
        "",
        " ",
        "junk",
        "null",
        "7",
        "\"text\"",
        "[]",
        "{}",
        "{\"Data\"",
        "{\"Data\":null}",
        "{\"Data\":{}}",
        "{\"Data\":{\"req\":null}}",
        "{\"Data\":{\"req\":[]}}",
        "{\"Data\":{\"req\":{}}}",
        "{\"Data\":{\"msg\":7}}",
        "{\"Data\":{\"msg\":\"x\"}}",
        "{\"Data\":{\"msg\":\"\\\"x\\\"\"}}",
        "{\"Data\":{\"timer\":7}}",
        "{\"data\":{\"req\":{}}}",
        "{\"Data\":{\"req\":{}},\"Data\":{\"req\":{}}}",
        "\u{0}",
        "\u{feff}{}",
    ]
    .map(str::to_owned)
    .to_vec();
    for name in ["Method", "Query", "Headers", "Params", "Body"] {
        for value in [
            json!(null),
            json!(7),
            json!("ü\r\nx: y"),
            json!([1, [2]]),
            json!({ "a": { "b": [null] } }),
        ] {
            envelopes.push(req(name, value));
        }
    }
    envelopes
        .push(req("Headers", json!({ "content-length": ["-1", "x"], "content-type": [null, 7] })));
    envelopes
        .push(req("Query", json!({ "region": "ü\u{0}\r\n", "image": "\u{1F600}", "limit": "-1" })));
    envelopes.push(req("Params", json!({ "push": "../../x\r\n", "job": "../../x\r\n" })));
    envelopes.push(req("Body", json!("[".repeat(100_000))));
    envelopes.push("[".repeat(1_000_000));
    envelopes.push("x".repeat(5 * 1024 * 1024));
    envelopes.push(req("Body", json!("x".repeat(5 * 1024 * 1024))));
    for function in FUNCTIONS {
        for envelope in &envelopes {
            let case: String = format!("{function} {envelope}").chars().take(120).collect();
            outputs(&case, &handler.call(function, envelope.as_bytes()).await);
        }
        outputs(function, &handler.call(function, &[0xff, 0xfe, 0x00, 0x80]).await);
    }
    let good = json!({ "Data": { "req": {
        "Method": "POST", "Query": { "region": "westeurope" }, "Headers": {}, "Params": {},
        "Body": acr_push("1", "app", "v1", 'a').to_string(),
    } } });
    let after =
        outputs("after all of them", &handler.call("ImagePush", good.to_string().as_bytes()).await);
    assert_eq!(after["res"]["statusCode"], 202, "{after}");
}

#[tokio::test]
async fn only_what_has_to_come_again_fails_while_the_table_is_away() {
    let azurite = azurite::shared();
    let nowhere = format!("http://127.0.0.1:1/{}", azurite.account());
    let away = azurite.connection_string().replace(&azurite.table_endpoint(), &nowhere);
    let handler = Handler::start(&away);
    let push = json!({ "Data": { "req": {
        "Method": "POST", "Query": { "region": "westeurope" }, "Headers": {}, "Params": {},
        "Body": acr_push("1", "app", "v1", 'a').to_string(),
    } } });
    let queued =
        outputs("ImagePush", &handler.call("ImagePush", push.to_string().as_bytes()).await);
    assert_eq!(queued["res"]["statusCode"], 202, "{queued}");
    let arrival = queued["bells"][0].as_str().unwrap();
    let message = |text: &str| json!({ "Data": { "msg": json!(text).to_string() } }).to_string();
    for (function, body) in [("Notify", message(arrival)), ("FanInTimer", "{}".to_owned())] {
        let answer = handler.call(function, body.as_bytes()).await;
        assert_eq!(answer.head.status(), Some(500), "{function}");
    }
    outputs("Notify of junk", &handler.call("Notify", message("junk").as_bytes()).await);
}

#[tokio::test]
async fn the_host_may_ask_whether_the_handler_is_there() {
    let handler = Handler::start(&azurite::shared().connection_string());
    let head = Head {
        first: "GET / HTTP/1.1".to_owned(),
        headers: vec![("Host".to_owned(), "127.0.0.1".to_owned())],
    };
    outputs("GET /", &handler.send(&head, &[]).await);
}
