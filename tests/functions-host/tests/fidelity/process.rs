//! Ends of the handler and of the host, with a real process as the handler.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use azurite::Azurite;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use functions_host::json::Json;
use functions_host::{Host, HostBuilder, LogLine, LogSource};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::messages::queue;
use crate::over_http::{LONG_TIMEOUT, send};
use crate::{app, fixtures, until};

/// What the handler does in a case; the recordings only hold what came of it.
fn script(case: &str) -> Option<&'static str> {
    Some(match case {
        "empty-200" => r#"{"body":""}"#,
        "null-body" => r#"{"body":"null"}"#,
        "answer-204" => r#"{"status":204,"type":null,"body":""}"#,
        "exit-0" => r#"{"exit":0}"#,
        "exit-200" => r#"{"exit":200}"#,
        "exit-1-four-times" => r#"{"exit":1}"#,
        _ => return None,
    })
}

const OK: &str = r#"{"body":"{\"Outputs\":{\"res\":{\"body\":\"ok\"}}}"}"#;
const SLOW: &str = r#"{"delay":1000,"body":"{\"Outputs\":{\"res\":{\"body\":\"late\"}}}"}"#;

fn recordings() -> Json {
    Json::parse(&std::fs::read_to_string(fixtures().join("process.json")).unwrap()).unwrap()
}

/// The first line of the answer, or what the recorder wrote when nobody listened.
async fn call(host: SocketAddr, script: &str) -> String {
    match send(host, "POST /api/ImagePush", &[], "content-length", script.as_bytes()).await {
        Ok(answer) => answer.head[0].clone(),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            "ConnectionRefusedError(111, 'Connection refused')".to_owned()
        }
        Err(error) => panic!("{error}"),
    }
}

/// The lines of `[line, seconds]`, or of an array of those.
fn lines(case: &Json, one: &str, many: &str) -> Vec<String> {
    let pairs = match (case.get(one), case.get(many)) {
        (Some(pair), None) => vec![pair],
        (None, Some(pairs)) => pairs.elements().iter().collect(),
        _ => Vec::new(),
    };
    pairs.iter().map(|pair| pair.elements()[0].as_str().unwrap().to_owned()).collect()
}

fn number(case: &Json, name: &str) -> u32 {
    case.get(name).unwrap().compact().parse().unwrap()
}

/// Plays a case in which callers meet a handler that ends or answers nothing.
async fn play_callers(name: &str, case: &Json, script: &str) {
    let host = app().start().await.unwrap();
    let restarts = number(case, "handler_starts_after");
    let mut done = 0;
    for recorded in lines(case, "caller", "callers") {
        if recorded.starts_with("ConnectionRefusedError") {
            host.stopped().await;
        }
        assert_eq!(call(host.address(), script).await, recorded, "{name}");
        done += 1;
        host.handler_started(1 + restarts.min(done)).await;
    }
    for recorded in lines(case, "next_request", "next_requests") {
        assert_eq!(call(host.address(), OK).await, recorded, "{name}");
    }
    assert_eq!(host.handler_starts(), 1 + restarts, "{name}");
    if case.get("host_exit").is_some() {
        host.stopped().await;
    }
}

#[tokio::test]
async fn the_handler_is_started_again_or_not_as_recorded() {
    let mut played = Vec::new();
    for (name, case) in recordings().members() {
        if let Some(script) = script(name) {
            let playing = play_callers(name, case, script);
            timeout(Duration::from_secs(60), playing).await.expect(name);
            played.push(name.clone());
        }
    }
    // The others have a test of their own below.
    played.extend(["sigterm-to-host", "sigterm-http-in-flight"].map(str::to_owned));
    played.extend(["sigterm-queue-in-flight", "sigkill-host"].map(str::to_owned));
    // A lease of 60 s that a killed host leaves behind: this host keeps none.
    played.push("two-hosts".to_owned());
    let all: Vec<_> = recordings().members().iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(played, all);
}

fn recorded(case: &str, member: &str) -> Json {
    recordings().get(case).and_then(|case| case.get(member)).unwrap().clone()
}

fn patient_app() -> HostBuilder {
    app().setting(LONG_TIMEOUT.0, LONG_TIMEOUT.1)
}

fn said(host: &Host, text: &str) -> bool {
    let line = LogLine { source: LogSource::Stdout, text: text.to_owned() };
    host.logs().contains(&line)
}

/// Whether there is such a process, even one that has ended and was not waited for.
fn is_process(pid: Option<u32>) -> bool {
    Path::new("/proc").join(pid.unwrap().to_string()).exists()
}

async fn is_listening(address: SocketAddr) -> bool {
    TcpStream::connect(address).await.is_ok()
}

#[tokio::test]
async fn a_host_that_is_stopped_kills_its_handler_without_a_signal() {
    let host = app().start().await.unwrap();
    let handler = host.handler_pid();
    host.stop().await;
    assert_eq!(recorded("sigterm-to-host", "handler_saw"), Json::Array(Vec::new()));
    assert!(!said(&host, "SIGTERM"));
    assert!(!is_process(handler));
    host.stopped().await;
    assert!(host.pump_queue().await.is_err());
}

#[tokio::test]
async fn a_call_in_flight_is_answered_before_the_host_stops() {
    let host = patient_app().start().await.unwrap();
    let handler = host.handler_pid();
    let caller = tokio::spawn(call(host.address(), SLOW));
    until("the call", || said(&host, "POST /ImagePush HTTP/1.1")).await;
    host.stop().await;
    let answer = recorded("sigterm-http-in-flight", "caller");
    assert_eq!(Some(caller.await.unwrap().as_str()), answer.as_str());
    assert!(!is_process(handler));
}

#[tokio::test]
async fn a_message_in_flight_is_finished_before_the_host_stops() {
    let azurite = Azurite::start();
    let queue = queue(&azurite, "notify");
    let host = patient_app().setting("AzureWebJobsStorage", azurite.connection_string());
    let host = host.real_time().start().await.unwrap();
    let handler = host.handler_pid();
    queue.put(&BASE64.encode(SLOW)).await.unwrap();
    until("the message", || said(&host, "POST /Notify HTTP/1.1")).await;
    host.stop().await;
    let left = recorded("sigterm-queue-in-flight", "peekable_messages_afterwards");
    assert_eq!(queue.peek(32).await.unwrap().len().to_string(), left.compact());
    assert_eq!(queue.count().await.unwrap(), 0);
    assert!(!is_process(handler));
}

#[tokio::test]
async fn a_killed_host_leaves_its_handler_behind() {
    let host = app().start().await.unwrap();
    let (address, pid) = (host.address(), host.handler_pid());
    let mut orphan = host.kill_host_only().await.unwrap();
    assert_eq!(Json::Bool(orphan.is_alive()), recorded("sigkill-host", "handler_still_runs"));
    assert_eq!(orphan.pid(), pid);
    assert!(is_listening(orphan.address()).await);
    assert!(!is_listening(address).await);
}

#[tokio::test]
async fn a_handler_that_is_killed_twice_is_started_again_and_a_replaced_one_does_not_count() {
    let host = app().start().await.unwrap();
    for starts in 2..=3 {
        host.kill_handler().await;
        host.handler_started(starts).await;
        assert_eq!(call(host.address(), OK).await, "HTTP/1.1 200 OK");
    }
    host.restart_handler().await;
    assert_eq!(call(host.address(), OK).await, "HTTP/1.1 200 OK");
    assert_eq!(host.handler_starts(), 4);
    host.kill_handler().await;
    host.stopped().await;
}

#[tokio::test]
async fn a_timer_runs_on_schedule_in_real_time() {
    let azurite = Azurite::start();
    let host = app().setting("AzureWebJobsStorage", azurite.connection_string());
    let host = host.setting("SCHEDULE", "* * * * * *").real_time().start().await.unwrap();
    until("a tick", || said(&host, "POST /FanInTimer HTTP/1.1")).await;
}
