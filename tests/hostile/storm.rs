//! More than 100,000 spoilt requests in every run, over a few connections, pipelined: no answer of 500 or
//! more, no panic, no row, and no memory that is kept.

use crate::mutate::mutate;
use crate::process::Process;
use crate::raw::{Answer, Wire, once, request};
use crate::tables::Tables;
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

/// Requests in each home in every run, and by hand.
const USUAL: usize = 51_000;
const BY_HAND: usize = 500_000;
const DRIVERS: u64 = 2;
const PIPELINED: usize = 12;
/// Requests over a connection of their own, spoilt as a whole.
const ALONE: usize = 2_000;
/// A debug build with all its threads is far below this, and does not grow.
const RESIDENT_KIB_MAX: u64 = 160 * 1024;
const GROWTH_KIB_MAX: u64 = 32 * 1024;

pub(crate) const SECRET: &str = "0123456789abcdef-storm";
/// No webhook of the samples is of these, so nothing may ever be recorded.
pub(crate) const CLOSED: [(&str, &str); 4] = [
    ("WebhookRegions", "northeurope, westeurope"),
    ("FANIN_REGISTRIES", "never.example,neither.example"),
    ("FANIN_UNTAGGED", "true"),
    ("FANIN_WEBHOOK_SECRET", SECRET),
];

/// Without HEAD: actix-http takes the method of the request that it read last for the one that it answers, so
/// that a HEAD among pipelined requests gets a body. Nobody who pipelines asks us for HEAD.
const METHODS: [&str; 11] = [
    "GET", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "BREW", "post", "PRI",
    "M-SEARCH",
];
const TARGETS: [&str; 18] = [
    "/api/ImagePush?region=westeurope",
    "/api/imagepush/?Region=West+Europe",
    "/api/ImagePush",
    "/api/ImagePush?region=a&region=westeurope",
    "/api/ImagePush?region=%00%ff%fe",
    "/api/ImagePush?region=%",
    "/api/ImagePush?region=%zz&&==&=&region",
    "/api/ImagePush?region=westeurope&registry=..%2f..%2f",
    "/api//ImagePush?region=westeurope",
    "/api/%49magePush?region=westeurope",
    "/api/../api/ImagePush",
    "http://other.example/api/ImagePush?region=westeurope",
    "/api/status",
    "/api/status/%2e%2e%2f",
    "/api/status?image=<script>",
    "/api/status?limit=18446744073709551616&after='or'1",
    "/healthz",
    "/metrics?%c3%28",
];
const HEADERS: [&[u8]; 12] = [
    b"Content-Type: application/json\r\n",
    b"Content-Type: multipart/form-data; boundary=\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Expect: 100-continue\r\n",
    b"X-Fanin-Region: \xff\xfe\r\n",
    b"x-fanin-region: westeurope\r\nx-fanin-region: a\r\n",
    b"Authorization: Basic ====\r\n",
    b"Cookie: \xe2\x80\xae=1;;;\r\n",
    b"WebHook-Request-Origin: eventgrid.azure.net\r\n",
    b"aeg-event-type: SubscriptionValidation\r\n",
    b"Upgrade: h2c\r\nHTTP2-Settings: AAAA\r\n",
    b"Range: bytes=0-18446744073709551615\r\n",
];

pub(crate) fn samples(targets: &[&str]) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let folders = targets.iter().map(|target| root.join(target));
    let mut files: Vec<_> =
        folders.flat_map(|f| f.read_dir().unwrap().map(|file| file.unwrap().path())).collect();
    files.sort();
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// One request to the standalone home.
fn webhook(samples: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let method = if rng.u8(0..8) > 0 { "POST" } else { rng.choice(METHODS).unwrap() };
    let target = if rng.bool() { TARGETS[0] } else { rng.choice(TARGETS).unwrap() };
    let mut headers = Vec::new();
    for _ in 0..rng.usize(0..3) {
        headers.extend_from_slice(rng.choice(HEADERS).unwrap());
    }
    match rng.u8(0..3) {
        0 => {}
        1 => headers.extend_from_slice(b"X-Fanin-Secret: wrong\r\n"),
        _ => headers.extend_from_slice(format!("X-Fanin-Secret: {SECRET}\r\n").as_bytes()),
    }
    let body = mutate(samples, rng);
    let mut bytes = format!("{method} {target} HTTP/1.1\r\nHost: fanin.example\r\n").into_bytes();
    bytes.extend_from_slice(&headers);
    bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// One invocation by the Functions host; half of them are spoilt around the request, half within.
fn invocation(webhooks: &[Vec<u8>], envelopes: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    if rng.u8(0..50) == 0 {
        let path = rng.choice(["/", "/FanInTimer", "/api/ImagePush", "/Job", "/%00"]).unwrap();
        return request("POST", path, "", &mutate(envelopes, rng));
    }
    let path = rng
        .choice(["/ImagePush", "/ImagePush", "/ImagePush", "/Status", "/Jobs", "/Notify"])
        .unwrap();
    if path == "/Notify" || rng.bool() {
        return request("POST", path, "", &mutate(envelopes, rng));
    }
    let body = String::from_utf8_lossy(&mutate(webhooks, rng)).into_owned();
    let secret = rng.choice([SECRET, SECRET, "wrong"]).unwrap();
    let region = rng.choice(["westeurope", "\0", "elsewhere"]).unwrap();
    let req = json!({
        "Url": "http://fanin.example/api/ImagePush",
        "Method": if rng.u8(0..8) > 0 { "POST" } else { rng.choice(METHODS).unwrap() },
        "Query": { "region": region, "limit": "-1" },
        "Headers": { "x-fanin-secret": [secret], "Content-Length": [body.len().to_string()] },
        "Params": { "push": body.get(..9) },
        "Body": body,
    });
    let envelope = json!({ "Data": { "req": req }, "Metadata": {} }).to_string();
    request("POST", path, "", envelope.as_bytes())
}

/// How often each status came.
type Seen = BTreeMap<u16, usize>;

/// Sends until so many answers have come.
fn drive(
    address: SocketAddr,
    wanted: usize,
    mut ask: impl FnMut() -> Vec<u8>,
    check: impl Fn(&Answer, &[u8]),
) -> Seen {
    let mut seen = Seen::new();
    let mut wire = Wire::to(address);
    while seen.values().sum::<usize>() < wanted {
        let batch: Vec<Vec<u8>> = (0..PIPELINED).map(|_| ask()).collect();
        let mut open = wire.send(&batch.concat());
        for bytes in &batch {
            let Some(answer) = wire.answer() else {
                open = false;
                break;
            };
            *seen.entry(answer.status).or_default() += 1;
            let shown = String::from_utf8_lossy(bytes);
            assert!(answer.status < 500, "{} to {shown}", answer.head);
            check(&answer, bytes);
            open &= !answer.closes();
        }
        if !open {
            wire = Wire::to(address);
        }
    }
    seen
}

/// Drives from several threads, and looks at the process then.
#[expect(clippy::print_stdout, reason = "figures for people")]
fn storm<A: FnMut() -> Vec<u8>>(
    process: &mut Process,
    wanted: usize,
    asks: impl Fn(Rng) -> A + Sync,
    check: impl Fn(&Answer, &[u8]) + Sync,
) {
    let address = process.address;
    let (asks, check) = (&asks, &check);
    // The first tenth makes it as large as it becomes.
    drive(address, wanted / 10, asks(Rng::with_seed(0)), check);
    let before = process.resident_kib();
    let each = wanted / usize::try_from(DRIVERS).unwrap();
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let drivers: Vec<_> = (1..=DRIVERS)
            .map(|seed| {
                scope.spawn(move || drive(address, each, asks(Rng::with_seed(seed)), check))
            })
            .collect();
        drivers.into_iter().map(|driver| driver.join().unwrap()).collect()
    });
    let mut rng = Rng::with_seed(99);
    let mut ask = asks(Rng::with_seed(98));
    for _ in 0..ALONE {
        let spoilt = mutate(&[ask()], &mut rng);
        for answer in once(address, &spoilt) {
            assert!(answer.status < 500, "{}: {}", answer.head, String::from_utf8_lossy(&spoilt));
        }
    }
    process.is_unharmed();
    let after = process.resident_kib();
    println!("answers {seen:?}, resident {before} KiB, then {after} KiB");
    assert!(after < RESIDENT_KIB_MAX && after < before + GROWTH_KIB_MAX, "{before}, {after}");
}

fn standalone(wanted: usize) {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Process::serve(folder.path(), &CLOSED);
    let samples = samples(&["acr_body", "docker_hub_body", "event_grid_body"]);
    let asks = |mut rng: Rng| {
        let samples = &samples;
        move || webhook(samples, &mut rng)
    };
    storm(&mut server, wanted, asks, |answer, _| {
        assert!(answer.status != 202, "recorded: {}", answer.text());
    });
    let list = once(server.address, &request("GET", "/api/status", "", b"")).remove(0);
    assert_eq!(list.json(), json!({ "pushes": [], "next": null }));
    let sample = include_bytes!("../fixtures/webhooks/acr-push.json");
    let good = request("POST", TARGETS[0], &format!("X-Fanin-Secret: {SECRET}\r\n"), sample);
    assert_eq!(once(server.address, &good)[0].status, 403, "it still knows what it does");
}

fn functions(wanted: usize) {
    let (folder, tables) = (tempfile::tempdir().unwrap(), Tables::start());
    let storage = tables.connection_string();
    let settings = [
        &CLOSED[..],
        &[
            ("AzureWebJobsStorage", storage.as_str()),
            ("FANIN_QUEUE", "fanin-notify"),
            ("FANIN_SCHEDULE", "*/15 * * * * *"),
        ],
    ];
    let mut handler = Process::handler(folder.path(), &settings.concat());
    let webhooks = samples(&["acr_body", "docker_hub_body", "event_grid_body"]);
    let mut envelopes = samples(&["functions_envelope"]);
    // An arrival by queue was let in already: a whole one would be recorded.
    envelopes.retain(|envelope| !String::from_utf8_lossy(envelope).contains("arrival"));
    let asks = |mut rng: Rng| {
        let (webhooks, envelopes) = (&webhooks, &envelopes);
        move || invocation(webhooks, envelopes, &mut rng)
    };
    storm(&mut handler, wanted, asks, |answer, asked| {
        assert_eq!(answer.status, 200, "the host takes nothing else");
        let value: Value = answer.json();
        let outputs = value.get("Outputs");
        let status = outputs.map_or(200, |o| o["res"]["statusCode"].as_u64().unwrap_or(200));
        let shown = String::from_utf8_lossy(asked);
        assert!(status < 500 && status != 202, "{value} to {shown}");
        assert!(outputs.is_none_or(|outputs| outputs.get("bells").is_none()), "{value}");
    });
    assert_eq!(tables.writes(), 0, "nothing was written");
}

#[test]
fn a_storm_of_spoilt_requests_leaves_the_standalone_home_empty_and_unharmed() {
    standalone(USUAL);
}

#[test]
fn a_storm_of_spoilt_invocations_leaves_the_functions_home_empty_and_unharmed() {
    functions(USUAL);
}

#[test]
#[ignore = "a million requests, by hand"]
fn a_million_spoilt_requests_do_no_more_harm() {
    standalone(BY_HAND);
    functions(BY_HAND);
}
