//! A canary in every secret setting, everything that can fail made to fail, and all logs on: no canary is in a
//! log line, an answer, a row, a message or the text of the settings.

use crate::echo::Echo;
use crate::process::{Process, binary};
use crate::raw::{once, request};
use crate::tables::Tables;
use acr_fanin::{boot, config};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const CANARIES: [&str; 16] = [
    "cnry-webhook-secret-01",
    "cnry-read-token-02",
    "cnrySlackPath03",
    "cnryTeamsPath04",
    "cnryNotifyPath05",
    "cnryNotifyQuery06",
    "cnryNotifyUser07",
    "cnry-client-secret-08",
    "cnry-identity-header-09",
    "cnry-account-key-10-0123456789abcdef",
    "cnrySas11",
    "cnry-function-key-12",
    "cnry-sink-header-13",
    "cnry-data-req-key-14",
    "cnry-signing-key-15-0123456789abcdef",
    "cnry-sink-path-16",
];

/// What is searched: each canary in every form.
fn forms() -> Vec<String> {
    CANARIES.into_iter().flat_map(watched::forms).collect()
}

/// What of `text` must not be there.
fn leak(place: &str, text: &str) -> Option<String> {
    let found = forms().into_iter().find(|form| text.contains(form.as_str()))?;
    let at = text.find(&found)?;
    let around: String =
        text[..at].chars().rev().take(300).collect::<Vec<_>>().iter().rev().collect();
    Some(format!("{place} shows {found}: {around}"))
}

fn check(place: &str, text: &str) {
    assert_eq!(leak(place, text), None);
}

/// Every line is JSON, and none has a canary.
fn check_log(place: &str, process: Process) -> Vec<Value> {
    let lines = process.end();
    assert!(lines.len() > 3, "{lines:?}");
    let leaks: Vec<_> = lines.iter().filter_map(|line| leak(place, line)).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    let parsed =
        |line: String| serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
    lines.into_iter().map(parsed).collect()
}

fn push(id: u32) -> Vec<u8> {
    let body = json!({
        "id": id.to_string(), "timestamp": "2026-11-20T10:00:00Z", "action": "push",
        "target": {
            "repository": "team/app", "tag": format!("v{id}"),
            "digest": format!("sha256:{}", "a".repeat(64)),
        },
        "request": { "host": "myregistry.azurecr.io" },
    });
    body.to_string().into_bytes()
}

/// Settings of both homes, with sinks that fail in every way there is.
fn settings(echo: &Echo) -> Vec<(&'static str, String)> {
    let signing = STANDARD.encode(CANARIES[14]);
    vec![
        ("RUST_LOG", "trace".to_owned()),
        ("WebhookRegions", "westeurope".to_owned()),
        ("FANIN_WEBHOOK_SECRET", CANARIES[0].to_owned()),
        ("FANIN_READ_TOKEN", CANARIES[1].to_owned()),
        ("FANIN_FUNCTION_KEY", CANARIES[11].to_owned()),
        ("FANIN_RETRY", "1s".to_owned()),
        ("FANIN_SINK_TIMEOUT", "2s".to_owned()),
        ("SLACK_WEBHOOK_URL", echo.url(&format!("/services/T0/B0/{}", CANARIES[2]))),
        ("TEAMS_WEBHOOK_URL", format!("http://127.0.0.1:1/flow?sig={}", CANARIES[3])),
        (
            "NOTIFY_WEBHOOK_URL",
            format!("https://me:{}@no.invalid/{}?sig={}", CANARIES[6], CANARIES[4], CANARIES[5]),
        ),
        ("NOTIFY_WEBHOOK_SECRET", format!("whsec_{signing}")),
        ("AZURE_TENANT_ID", "00000000-0000-0000-0000-000000000001".to_owned()),
        ("AZURE_CLIENT_ID", "00000000-0000-0000-0000-000000000002".to_owned()),
        ("AZURE_CLIENT_SECRET", CANARIES[7].to_owned()),
        ("SINK_HEADER", CANARIES[12].to_owned()),
        ("SINK_PATH", CANARIES[15].to_owned()),
    ]
}

/// More sinks: one that says back all it is told, one that speaks no TLS, one that breaks off, one that sends
/// elsewhere, and one to which all goes well.
fn file(echo: &Echo) -> String {
    let port = echo.address.port();
    let user = CANARIES[6];
    let sink = |name: &str, url: &str| {
        format!(
            "[[sink]]\nname = \"{name}\"\ntype = \"webhook\"\nurl = \"{url}\"\nsecret = \
             \"${{NOTIFY_WEBHOOK_SECRET}}\"\nheaders = {{ X-Api-Key = \"${{SINK_HEADER}}\" }}\n"
        )
    };
    [
        sink(
            "echo",
            &format!("http://me:{user}@127.0.0.1:{port}/refuse/${{SINK_PATH}}?k=${{SINK_PATH}}"),
        ),
        sink("no-tls", &format!("https://127.0.0.1:{port}/${{SINK_PATH}}")),
        sink("broken", &format!("http://127.0.0.1:{port}/break/${{SINK_PATH}}")),
        sink("redirect", &format!("http://127.0.0.1:{port}/redirect/${{SINK_PATH}}")),
        sink("fine", &format!("http://127.0.0.1:{port}/fine/${{SINK_PATH}}")),
    ]
    .concat()
}

fn pairs<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[test]
fn no_secret_shows_in_the_standalone_home_whatever_fails() {
    let (folder, echo) = (tempfile::tempdir().unwrap(), Echo::start());
    std::fs::write(folder.path().join("fanin.toml"), file(&echo)).unwrap();
    let settings = settings(&echo);
    let server = Process::serve(folder.path(), &pairs(&settings));
    let ask = |bytes: &[u8]| once(server.address, bytes).remove(0);
    let secret = format!("X-Fanin-Secret: {}\r\n", CANARIES[0]);
    let token = format!("Authorization: Bearer {}\r\n", CANARIES[1]);
    let target = format!("/api/ImagePush?region=westeurope&code={}", CANARIES[13]);
    let mut answers = Vec::new();
    for (status, bytes) in [
        (200, request("POST", &target, &secret, &push(1))),
        (200, request("POST", &target, &secret, &push(2))),
        (400, request("POST", "/api/ImagePush", &secret, &push(1))),
        (401, request("POST", &target, "X-Fanin-Secret: no\r\n", &push(1))),
        (401, request("GET", "/api/status", "", b"")),
        (404, request("GET", &format!("/{}", CANARIES[13]), &token, b"")),
        (400, request("GET", &format!("/api/status?limit={}", CANARIES[13]), &token, b"")),
        (400, request("GET", "/api/status HTTP/9.9", &token, b"")),
    ] {
        let answer = ask(&bytes);
        assert_eq!(answer.status, status, "{}", answer.head);
        answers.push(answer);
    }
    // Until the last attempt of each has failed.
    let list = loop {
        let list = ask(&request("GET", "/api/status", &token, b""));
        let pushes = list.json()["pushes"].as_array().cloned().unwrap();
        let dead = |push: &Value| {
            push["deliveries"].as_array().unwrap().iter().filter(|d| d["state"] == "dead").count()
        };
        if pushes.iter().map(dead).sum::<usize>() == 14 {
            break list;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    answers.push(list);
    answers.push(ask(&request("GET", "/metrics", &token, b"")));
    answers
        .iter()
        .for_each(|answer| check("an answer", &format!("{}{}", answer.head, answer.text())));
    assert!(echo.bodies().len() > 4);
    echo.bodies().iter().for_each(|body| check("a message", body));
    let log = check_log("the log", server);
    assert!(log.iter().any(|line| line["level"] == "WARN"), "failures are logged");
    for file in folder.path().read_dir().unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_none_or(|extension| extension != "toml") {
            check("the database", &String::from_utf8_lossy(&std::fs::read(&file).unwrap()));
        }
    }
}

fn handler_settings(
    echo: &Echo,
    storage: &[(&'static str, String)],
) -> Vec<(&'static str, String)> {
    let mut settings = settings(echo);
    settings.push(("FANIN_QUEUE", "fanin-notify".to_owned()));
    settings.push(("FANIN_SCHEDULE", "*/15 * * * * *".to_owned()));
    settings.extend_from_slice(storage);
    settings
}

/// Every function once, with keys in the envelope and a storage that fails.
fn invoke_all(folder: &Path, settings: &[(&'static str, String)]) {
    let handler = Process::handler(folder, &pairs(settings));
    let key = CANARIES[13];
    let body = String::from_utf8(push(1)).unwrap();
    let invocation = |method: &str, body: Option<&str>| {
        let req = json!({
            "Url": format!("http://localhost/api/ImagePush?region=westeurope&code={key}"),
            "Method": method, "Body": body, "Params": {},
            "Query": { "region": "westeurope", "code": key },
            "Headers": {
                "x-functions-key": [key], "x-fanin-secret": [CANARIES[0]],
                "Authorization": [format!("Bearer {}", CANARIES[1])],
            },
        });
        json!({ "Data": { "req": req }, "Metadata": { "code": key } }).to_string()
    };
    let mut queued = None;
    for (path, body) in [
        ("/ImagePush", invocation("POST", Some(&body))),
        ("/ImagePush", invocation("POST", Some("{"))),
        ("/ImagePush", invocation("GET", None)),
        ("/Status", invocation("GET", None)),
        ("/Jobs", invocation("POST", Some("{}"))),
        ("/JobStatus", invocation("GET", None)),
        ("/FanInTimer", json!({ "Data": { "timer": {} } }).to_string()),
        ("/Notify", json!({ "Data": { "msg": format!("\"{key}\"") } }).to_string()),
        ("/ImagePush", key.to_owned()),
    ] {
        let answer = once(handler.address, &request("POST", path, "", body.as_bytes())).remove(0);
        check("an answer of the handler", &answer.text());
        let outputs = answer.json();
        queued = queued.or_else(|| outputs["Outputs"]["bells"][0].as_str().map(str::to_owned));
    }
    let message = queued.map(|message| json!({ "Data": { "msg": json!(message).to_string() } }));
    if let Some(message) = message {
        let bytes = request("POST", "/Notify", "", message.to_string().as_bytes());
        assert_eq!(once(handler.address, &bytes)[0].status, 500, "the message comes again");
    }
    check_log("the handler's log", handler);
}

#[test]
fn no_secret_shows_when_storage_refuses_an_account_key() {
    let (folder, echo, tables) = (tempfile::tempdir().unwrap(), Echo::start(), Tables::start());
    tables.refuse();
    let key = STANDARD.encode(CANARIES[9]);
    let storage = format!(
        "DefaultEndpointsProtocol=http;AccountName=acc;AccountKey={key};TableEndpoint={}",
        tables.endpoint()
    );
    let settings = handler_settings(&echo, &[("AzureWebJobsStorage", storage)]);
    invoke_all(folder.path(), &settings);
}

#[test]
fn no_secret_shows_when_storage_refuses_a_signature_or_is_away() {
    let (folder, echo, tables) = (tempfile::tempdir().unwrap(), Echo::start(), Tables::start());
    tables.refuse();
    for endpoint in [tables.endpoint(), "http://127.0.0.1:1/acc".to_owned()] {
        let storage = format!(
            "TableEndpoint={endpoint};SharedAccessSignature=sv=2020-12-06&ss=t&sig={}",
            CANARIES[10]
        );
        let settings = handler_settings(&echo, &[("AzureWebJobsStorage", storage)]);
        invoke_all(folder.path(), &settings);
    }
}

#[test]
fn no_secret_shows_when_an_identity_gets_no_token() {
    let (folder, echo) = (tempfile::tempdir().unwrap(), Echo::start());
    let storage = [
        ("AzureWebJobsStorage__tableServiceUri", "https://acc.table.core.windows.net".to_owned()),
        ("IDENTITY_ENDPOINT", echo.url("/refuse/token")),
        ("IDENTITY_HEADER", CANARIES[8].to_owned()),
    ];
    let with_secret = handler_settings(&echo, &storage);
    invoke_all(folder.path(), &with_secret);
    let mut managed = with_secret;
    managed.retain(|(name, _)| {
        !["AZURE_CLIENT_SECRET", "AZURE_TENANT_ID", "AZURE_CLIENT_ID"].contains(name)
    });
    invoke_all(folder.path(), &managed);
    assert!(echo.paths().iter().any(|path| path.contains("/token")), "the identity was asked");
}

#[test]
fn settings_that_are_wrong_are_named_and_not_shown() {
    let (folder, echo) = (tempfile::tempdir().unwrap(), Echo::start());
    let right = settings(&echo);
    for (name, value) in &right {
        if !CANARIES.iter().any(|canary| value.contains(canary)) {
            continue;
        }
        for wrong in
            [format!("{value}\u{7f} {value}"), format!("ftp://{value}"), format!("{value},,")]
        {
            let mut settings = right.clone();
            settings.retain(|(other, _)| other != name);
            settings.push((name, wrong));
            let mut command = binary(folder.path(), &pairs(&settings));
            let output = command.args(["check-config"]).stdin(Stdio::null()).output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            check("check-config", &String::from_utf8_lossy(&said));
        }
    }
    let broken = format!("{}\nurl = \"{}\" \"\n", file(&echo), CANARIES[15]);
    std::fs::write(folder.path().join("fanin.toml"), broken).unwrap();
    let mut command = binary(folder.path(), &pairs(&right));
    let output = command.args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    check("serve", &String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
}

#[test]
fn the_text_of_the_settings_shows_no_secret() {
    let echo = Echo::start();
    let key = STANDARD.encode(CANARIES[9]);
    let strings = [
        format!("DefaultEndpointsProtocol=https;AccountName=acc;AccountKey={key}"),
        format!(
            "TableEndpoint=https://acc.table.core.windows.net;SharedAccessSignature=sv=1&sig={}",
            CANARIES[10]
        ),
    ];
    for storage in strings {
        let settings = handler_settings(&echo, &[("AzureWebJobsStorage", storage)]);
        let env = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let config = config::load_with_file(&env, &file(&echo), None, None).unwrap();
        check("Debug of the settings", &format!("{config:?} {config:#?}"));
        let app = boot::app(&config, boot::memory_rows()).unwrap();
        check("Debug of the sinks and jobs", &format!("{app:?}"));
    }
}
