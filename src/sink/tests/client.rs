use super::FIRST_SEEN;
use super::server::{Reply, Server};
use crate::limits::SINK_ANSWER_MAX;
use crate::sink::client::{Client, Outcome, Reply as Answer};
use reqwest::header::HeaderMap;
use std::time::Duration;
use url::Url;

/// For what answers.
const LONG: Duration = Duration::from_secs(30);
/// For what never will.
const SHORT: Duration = Duration::from_secs(1);

async fn post(timeout: Duration, private: bool, url: &Url) -> Outcome {
    let client = Client::new(timeout, private).unwrap();
    client.post(url, HeaderMap::new(), b"{}".to_vec(), FIRST_SEEN).await
}

async fn answer(server: &Server) -> Answer {
    match post(LONG, false, &server.url("/hook?key=1")).await {
        Outcome::Answered(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn not_sent(outcome: Outcome) -> String {
    match outcome {
        Outcome::NotSent(reason) => reason,
        other => panic!("{other:?}"),
    }
}

fn no_answer(outcome: Outcome) -> String {
    match outcome {
        Outcome::NoAnswer(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_answer_is_told_as_it_came() {
    let server = Server::start(Reply::new(503, "retry-after: 7\r\n", "later")).await;
    let told = answer(&server).await;
    let retry_after = Some(Duration::from_secs(7));
    assert_eq!(told, Answer { status: 503, body: "later".into(), broken: false, retry_after });
    let heard = server.heard_one();
    assert_eq!(heard.line, "POST /hook?key=1 HTTP/1.1");
    assert_eq!(heard.header("user-agent"), Some(concat!("acr-fanin/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(heard.body, b"{}");
}

#[tokio::test]
async fn a_date_to_wait_for_is_compared_with_the_time_given() {
    let server =
        Server::start(Reply::new(429, "retry-after: Fri, 20 Nov 2026 10:01:00 GMT\r\n", "")).await;
    assert_eq!(answer(&server).await.retry_after, Some(Duration::from_millis(59_750)));
    let server = Server::start(Reply::new(429, "retry-after: tomorrow\r\n", "")).await;
    assert_eq!(answer(&server).await.retry_after, None);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let other = Server::saying(200, "ok").await;
    for status in [301, 302, 303, 307, 308] {
        let server =
            Server::start(Reply::new(status, &format!("location: {}\r\n", other.url("/")), ""))
                .await;
        assert_eq!(answer(&server).await.status, status);
    }
    assert_eq!(other.heard().len(), 0);
}

#[tokio::test]
async fn a_huge_answer_is_cut() {
    for reply in [Reply::new(200, "", &"x".repeat(1_000_000)), Reply::Endless] {
        let told = answer(&Server::start(reply).await).await;
        assert_eq!((told.status, told.body.len(), told.broken), (200, SINK_ANSWER_MAX, false));
    }
}

#[tokio::test]
async fn a_body_that_does_not_end_leaves_what_came_of_it() {
    let part = b"HTTP/1.1 202 X\r\ncontent-length: 9\r\n\r\npart".to_vec();
    let server = Server::start(Reply::Bytes(part.clone())).await;
    let told = answer(&server).await;
    assert_eq!((told.status, told.body.as_str(), told.broken), (202, "part", true));
    let server = Server::start(Reply::BytesAndSilence(part)).await;
    let Outcome::Answered(told) = post(SHORT, false, &server.url("/")).await else {
        panic!("no answer")
    };
    assert_eq!((told.status, told.body.as_str(), told.broken), (202, "part", true));
}

#[tokio::test]
async fn silence_and_hanging_up_after_the_request_leave_the_question_open() {
    let server = Server::start(Reply::Silence).await;
    let reason = no_answer(post(SHORT, false, &server.url("/secret?sig=secret")).await);
    assert_eq!(reason, "no answer within 1000 ms");
    for reply in [
        Reply::Hangup,
        Reply::Bytes(b"nonsense\r\n\r\n".to_vec()),
        Reply::Bytes(b"HTTP/1.1 20".to_vec()),
    ] {
        let server = Server::start(reply).await;
        let reason = no_answer(post(LONG, false, &server.url("/secret?sig=secret")).await);
        assert!(
            reason.starts_with("the connection broke") && !reason.contains("secret"),
            "{reason}"
        );
        assert_eq!(server.heard().len(), 1);
    }
}

#[tokio::test]
async fn who_cannot_be_connected_to_was_not_told() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = Url::parse(&format!("http://127.0.0.1:{closed}/secret?sig=secret")).unwrap();
    let reason = not_sent(post(LONG, false, &refused).await);
    assert!(reason.starts_with("cannot connect: Connection refused"), "{reason}");

    let plain = Server::saying(200, "ok").await;
    let tls = Url::parse(&format!("https://127.0.0.1:{}/secret?sig=secret", plain.port)).unwrap();
    let reason = not_sent(post(SHORT, false, &tls).await);
    assert!(!reason.contains("secret"), "{reason}");
    assert_eq!(plain.heard().len(), 0);
}

#[tokio::test]
async fn blocked_addresses_are_not_called() {
    for url in [
        "https://10.0.0.1/",
        "https://[fd00::1]/",
        "https://0xa9fea9fe/",
        "https://[::ffff:10.0.0.1]/",
    ] {
        let reason = not_sent(post(SHORT, false, &Url::parse(url).unwrap()).await);
        assert!(reason.contains("blocked"), "{url}: {reason}");
    }
    for url in
        ["https://169.254.169.254/metadata", "https://[fe80::1]/", "https://[::ffff:a9fe:a9fe]/"]
    {
        let reason = not_sent(post(SHORT, true, &Url::parse(url).unwrap()).await);
        assert!(reason.contains("blocked"), "{url}: {reason}");
    }
}

#[tokio::test]
async fn a_names_addresses_are_looked_at_when_it_is_resolved() {
    use crate::sink::address::Guard;
    use reqwest::dns::Resolve as _;
    let resolve = |name: &str, private| Guard { private }.resolve(name.parse().unwrap());
    let reason = resolve("169.254.169.254", true).await.err().unwrap().to_string();
    assert!(reason.contains("blocked"), "{reason}");
    assert!(resolve("10.0.0.1", false).await.is_err());
    assert!(resolve("10.0.0.1", true).await.is_ok());

    let server = Server::saying(200, "ok").await;
    let named = Url::parse(&format!("http://localhost:{}/", server.port)).unwrap();
    assert!(matches!(post(LONG, false, &named).await, Outcome::Answered(_)));
}

#[tokio::test]
async fn whatever_the_settings_take_for_this_machine_is_called() {
    let server = Server::saying(200, "ok").await;
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost"] {
        let url = Url::parse(&format!("http://{host}:{}/", server.port)).unwrap();
        assert!(matches!(post(LONG, false, &url).await, Outcome::Answered(_)), "{host}");
    }
    // Not every machine knows these names, but plain http is no reason not to ask.
    for host in ["localhost.", "hook.localhost"] {
        let url = Url::parse(&format!("http://{host}:{}/", server.port)).unwrap();
        if let Outcome::NotSent(reason) = post(LONG, false, &url).await {
            assert!(reason.starts_with("cannot connect"), "{host}: {reason}");
        }
    }
}

#[tokio::test]
async fn plain_http_leaves_the_machine_in_no_case() {
    for url in ["http://10.0.0.1/", "http://sink.example/", "ftp://127.0.0.1/", "data:text/plain,x"]
    {
        let reason = not_sent(post(SHORT, true, &Url::parse(url).unwrap()).await);
        assert!(reason.starts_with("the sink's URL"), "{url}: {reason}");
    }
}
