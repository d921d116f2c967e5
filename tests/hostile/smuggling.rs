//! What servers are attacked with over the wire: two readings of one request, what never ends, what is too much.

use crate::process::Process;
use crate::raw::{Answer, Wire, once, request};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const TARGET: &str = "/api/ImagePush?region=westeurope";
const PUSH: &[u8] = include_bytes!("../fixtures/webhooks/acr-push.json");
/// A good webhook, had it been unpacked.
const ZIPPED: &[u8] = include_bytes!("push.json.gz");
/// 24 MiB of spaces before it.
const BOMB: &[u8] = include_bytes!("bomb.gz");
/// Of a debug build: what 200 connections with all they may send keep in memory.
const GROWTH_KIB_MAX: u64 = 64 * 1024;

struct Server {
    process: Process,
    _folder: TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = [("WebhookRegions", "northeurope,westeurope")];
        Self { process: Process::serve(Path::new(folder.path()), &settings), _folder: folder }
    }

    /// Sends and leaves the connection open: that it ends is the server's doing.
    fn say(&self, bytes: &[u8]) -> Vec<Answer> {
        let mut wire = Wire::to(self.process.address);
        wire.send(bytes);
        wire.answers()
    }

    fn statuses(&self, bytes: &[u8]) -> Vec<u16> {
        self.say(bytes).iter().map(|answer| answer.status).collect()
    }

    /// Status and sentence of a request that is in order as far as HTTP goes.
    fn ask(&self, bytes: &[u8]) -> (u16, String) {
        let mut wire = Wire::to(self.process.address);
        wire.send(bytes);
        let answer = wire.answer().unwrap();
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        (answer.status, value["error"].as_str().unwrap_or_default().to_owned())
    }

    fn pushes(&self) -> usize {
        let list = once(self.process.address, &request("GET", "/api/status", "", b"")).remove(0);
        list.json()["pushes"].as_array().unwrap().len()
    }

    /// Nothing was recorded, nothing broke, and a good webhook is taken.
    fn is_unharmed(&mut self) {
        assert_eq!(self.pushes(), 0);
        assert_eq!(self.ask(&request("POST", TARGET, "", PUSH)).0, 202);
        self.process.is_unharmed();
    }
}

/// A request with these header lines, a body, and another request behind it.
fn smuggle(version: &str, headers: &str, body: &str) -> Vec<u8> {
    let next = "GET /api/status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    format!("POST {TARGET} HTTP/{version}\r\nHost: a\r\n{headers}\r\n\r\n{body}{next}").into_bytes()
}

#[test]
fn a_request_whose_length_can_be_read_in_two_ways_is_refused_and_ends_the_connection() {
    let mut server = Server::start();
    for (version, headers, body) in [
        ("1.1", "Content-Length: 4\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        ("1.1", "Transfer-Encoding: chunked\r\nContent-Length: 4", "0\r\n\r\n"),
        ("1.1", "Content-Length: 0\r\nContent-Length: 3", "abc"),
        ("1.1", "Content-Length: 3\r\nContent-Length: 0", "abc"),
        ("1.1", "Content-Length: 3, 3", "abc"),
        ("1.1", "Content-Length: +3", "abc"),
        ("1.1", "Content-Length: -3", "abc"),
        ("1.1", "Content-Length: 0x3", "abc"),
        ("1.1", "Content-Length: 3 0", "abc"),
        ("1.1", "Content-Length: 18446744073709551619", "abc"),
        ("1.1", "Content-Length:", "abc"),
        ("1.0", "Transfer-Encoding: chunked", "0\r\n\r\n"),
        ("1.1", "Transfer-Encoding: xchunked", "0\r\n\r\n"),
        ("1.1", "Transfer-Encoding: chunked, identity", "0\r\n\r\n"),
        ("1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        ("1.1", "Transfer-Encoding : chunked", "0\r\n\r\n"),
        ("1.1", "Transfer-Encoding:\r\n chunked", "0\r\n\r\n"),
    ] {
        let statuses = server.statuses(&smuggle(version, headers, body));
        assert_eq!(statuses, [400], "{version} {headers:?} {body:?}");
    }
    for chunk in ["zz\r\n", "-1\r\n", "fffffffffffffffff\r\n", "1\r\nab\r\n"] {
        let statuses = server.statuses(&smuggle("1.1", "Transfer-Encoding: chunked", chunk));
        assert!(statuses.is_empty() || statuses == [400], "{statuses:?} to {chunk:?}");
    }
    server.is_unharmed();
}

#[test]
fn a_head_that_is_not_as_http_writes_it_is_refused() {
    let mut server = Server::start();
    let long = format!("X: {}", "x".repeat(200 * 1024));
    let many = "X: y\r\n".repeat(1_000);
    for headers in [
        "X: a\r\n b",
        "X: a\r\n\tb",
        "X: a\0b",
        "X\0: a",
        "X y: a",
        " X: a",
        "no colon",
        ": a",
        "X: a\rb",
        "X: \u{7f}",
        &long,
        &many,
    ] {
        let statuses = server.statuses(&smuggle("1.1", headers, ""));
        assert!([vec![400], vec![431]].contains(&statuses), "{statuses:?} to {headers:.40?}");
    }
    for line in [
        "GET / HTTP/3.0",
        "GET / HTTP/1.1 x",
        "GET /a b HTTP/1.1",
        "GET",
        "GET  / HTTP/1.1",
        "G\0T / HTTP/1.1",
        "GET /\u{1} HTTP/1.1",
        "GET / http/1.1",
        "PRI * HTTP/2.0",
        "\u{16}\u{3}\u{1}",
    ] {
        let statuses = server.statuses(format!("{line}\r\nHost: a\r\n\r\n").as_bytes());
        assert!(statuses == [400] || statuses.is_empty(), "{statuses:?} to {line:?}");
    }
    server.is_unharmed();
}

#[test]
fn lines_that_end_without_a_return_are_one_request_like_any_other() {
    let mut server = Server::start();
    let bare = "GET /api/status HTTP/1.1\nHost: a\nConnection: close\n\n";
    let statuses = server.statuses(bare.as_bytes());
    assert!([vec![200], vec![400]].contains(&statuses), "{statuses:?}");
    server.is_unharmed();
}

#[test]
fn a_body_that_breaks_off_records_nothing() {
    let mut server = Server::start();
    let head = format!("POST {TARGET} HTTP/1.1\r\nHost: a\r\n");
    let chunk = format!("{:x}\r\n{}\r\n", PUSH.len(), String::from_utf8_lossy(PUSH));
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunk}");
    let statuses = server.statuses(format!("{chunked}zz\r\n\r\n").as_bytes());
    assert!(statuses.is_empty() || statuses == [400], "{statuses:?}");
    let longer = PUSH.len() + 9;
    let short = [format!("{head}Content-Length: {longer}\r\n\r\n").as_bytes(), PUSH].concat();
    for cut_off in [chunked.as_bytes(), &short] {
        for answer in once(server.process.address, cut_off) {
            assert_eq!(answer.status, 400);
        }
    }
    // What was broken off has been thrown away by the time the next is answered, or will be.
    std::thread::sleep(Duration::from_millis(300));
    server.is_unharmed();
}

#[test]
fn methods_and_targets_that_nobody_needs_are_answered_and_do_nothing() {
    let mut server = Server::start();
    for (method, target, status) in [
        ("PUT", TARGET, 405),
        ("BREW", TARGET, 405),
        ("post", TARGET, 405),
        ("TRACE", TARGET, 405),
        ("CONNECT", "fanin.example:443", 404),
        ("OPTIONS", "*", 404),
        ("POST", "http://other.example/api/status", 405),
        ("POST", "/api/ImagePush?region=a&region=westeurope", 400),
        ("POST", "/api/ImagePush?region=%", 400),
        ("POST", "/api/ImagePush?region=%ff%fe", 400),
        ("POST", "/api/ImagePush?region=westeurope%00", 400),
        ("POST", "/api/ImagePush?region=westeurope%2cnortheurope", 400),
        ("POST", "/api%2FImagePush?region=westeurope", 404),
        ("POST", "/api/./ImagePush?region=westeurope", 404),
        ("POST", "/api/ImagePush/../status", 404),
        ("POST", "/api/ImagePush%00", 404),
        ("POST", "/%ff%fe", 404),
        ("POST", "/%", 404),
        ("GET", "/api/status/../../etc/passwd", 404),
    ] {
        assert_eq!(server.ask(&request(method, target, "", PUSH)).0, status, "{method} {target}");
    }
    server.is_unharmed();
}

#[test]
fn bodies_that_are_no_webhook_are_refused_in_a_sentence() {
    let mut server = Server::start();
    let text = String::from_utf8_lossy(PUSH).into_owned();
    let twice = text.replacen("\"action\"", "\"action\": \"delete\", \"action\"", 1);
    let twice_within = text.replacen("\"repository\"", "\"repository\": \"x\", \"repository\"", 1);
    let broken = [&PUSH[..PUSH.len() - 2], b"\xff\xfe}"].concat();
    let deep = |open: &str, close: &str| {
        let inner = format!("{}{}", open.repeat(40_000), close.repeat(40_000));
        [inner.clone(), format!("{{\"action\": \"push\", \"target\": {inner}}}")]
    };
    let [list, in_list] = deep("[", "]");
    let [object, in_object] = deep("{\"a\":", "}");
    let bodies: [&[u8]; 9] = [
        twice.as_bytes(),
        twice_within.as_bytes(),
        &broken,
        list.as_bytes(),
        in_list.as_bytes(),
        object.as_bytes(),
        in_object.as_bytes(),
        b"\xef\xbb\xbf",
        b"\0",
    ];
    for body in bodies {
        let (status, sentence) = server.ask(&request("POST", TARGET, "", body));
        assert_eq!(status, 400, "{sentence}");
        assert!(sentence.len() > 10 && sentence.is_ascii(), "{sentence}");
    }
    let before = server.process.resident_kib();
    for _ in 0..20 {
        for zipped in [ZIPPED, BOMB] {
            let zipped = request("POST", TARGET, "Content-Encoding: gzip\r\n", zipped);
            assert_eq!(server.ask(&zipped).0, 400, "nothing is unpacked");
        }
        let large = request("POST", TARGET, "", &vec![b' '; 1024 * 1024]);
        assert_eq!(server.ask(&large).0, 413);
    }
    assert!(server.process.resident_kib() < before + GROWTH_KIB_MAX / 4);
    server.is_unharmed();
}

#[test]
fn a_body_that_was_too_long_does_not_become_the_next_request() {
    let mut server = Server::start();
    let inner = request("POST", TARGET, "", PUSH);
    let body = [vec![b' '; 300 * 1024], inner].concat();
    let mut wire = Wire::to(server.process.address);
    wire.send(&request("POST", TARGET, "", &body));
    assert_eq!(wire.answer().unwrap().status, 413);
    wire.send(&request("GET", "/api/status", "Connection: close\r\n", b""));
    let rest = wire.answers();
    assert!(rest.iter().all(|answer| answer.json() == json!({ "pushes": [], "next": null })));
    server.is_unharmed();
}

#[test]
fn who_is_slow_or_silent_is_let_go_and_stops_nobody() {
    let mut server = Server::start();
    let address = server.process.address;
    let before = server.process.resident_kib();
    let mut idle: Vec<Wire> = (0..200).map(|_| Wire::to(address)).collect();
    for (number, wire) in idle.iter_mut().enumerate() {
        let head = format!("POST {TARGET} HTTP/1.1\r\nHost: a\r\n");
        let start = match number % 4 {
            0 => String::new(),
            1 => head,
            // More than there is memory, and more than there is of it.
            2 => format!("{head}Content-Length: 1099511627776\r\n\r\n{{"),
            _ => format!("{head}Transfer-Encoding: chunked\r\n\r\nfffffff\r\n"),
        };
        assert!(wire.send(start.as_bytes()));
    }
    assert_eq!(server.ask(&request("GET", "/healthz", "", b"")).0, 200, "nobody is kept waiting");
    assert!(server.process.resident_kib() < before + GROWTH_KIB_MAX);
    let trickle = |start: String, byte: &'static [u8]| {
        move || {
            let mut wire = Wire::to(address);
            wire.send(start.as_bytes());
            // Until the other side has had enough; a limit that each byte pushes back would never be reached.
            let sent = (0..60).take_while(|_| {
                std::thread::sleep(Duration::from_millis(500));
                wire.send(byte)
            });
            sent.count()
        }
    };
    let head = format!("POST {TARGET} HTTP/1.1\r\nHost: a\r\n");
    let slow_head = std::thread::spawn(trickle(head.clone(), b"X: y\r\n"));
    let slow_body = std::thread::spawn(trickle(format!("{head}Content-Length: 999\r\n\r\n"), b" "));
    for wire in &mut idle {
        let statuses: Vec<_> = wire.answers().iter().map(|answer| answer.status).collect();
        assert!(statuses.is_empty() || statuses == [408], "{statuses:?}");
    }
    for slow in [slow_head, slow_body] {
        assert!(slow.join().unwrap() < 50, "it was let go");
    }
    server.is_unharmed();
}
