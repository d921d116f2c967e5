use super::server::{Heard, Reply, Server};
use super::{Story, TIMESTAMP, digest, error, word};
use crate::config::Format;
use crate::ports::Sink as _;
use crate::secret::{Secret, SecretUrl};
use crate::sink::client::Client;
use crate::sink::webhook::signature::Key;
use crate::sink::webhook::{Settings, Webhook};
use fan_in::{Action, Attempt, Origin};
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn settings(url: Url, format: Format) -> Settings<'static> {
    Settings { url: SecretUrl::new(url), format, secret: None, headers: &[], user_agent: None }
}

fn sink(settings: &Settings<'_>) -> Result<Webhook, String> {
    Webhook::new("webhook".into(), settings, Client::new(Duration::from_secs(30), false).unwrap())
}

async fn told(reply: Reply) -> Attempt {
    let server = Server::start(reply).await;
    Story::completed().told(&sink(&settings(server.url("/hook"), Format::Acr)).unwrap()).await
}

/// What a receiver hears.
async fn heard(story: &Story, settings: impl FnOnce(Url) -> Settings<'static>) -> Heard {
    let server = Server::saying(200, "").await;
    let attempt = story.told(&sink(&settings(server.url("/hook"))).unwrap()).await;
    assert_eq!(word(&attempt), "accepted");
    server.heard_one()
}

async fn body(story: &Story, format: Format) -> Value {
    heard(story, |url| settings(url, format)).await.json()
}

#[tokio::test]
async fn success_is_any_2xx_and_only_410_is_final() {
    for (status, expected) in [
        (200, "accepted"),
        (202, "accepted"),
        (204, "accepted"),
        (301, "refused"),
        (308, "refused"),
        (400, "refused"),
        (404, "refused"),
        (410, "hopeless"),
        (415, "refused"),
        (429, "refused"),
        (500, "refused"),
    ] {
        let attempt = told(Reply::new(status, "", "")).await;
        assert_eq!(word(&attempt), expected, "{status}: {attempt:?}");
    }
    assert_eq!(word(&told(Reply::Hangup).await), "unknown");
    assert_eq!(word(&told(Reply::Endless).await), "accepted");
    let attempt = told(Reply::new(503, "retry-after: 90\r\n", "busy")).await;
    assert_eq!(
        attempt,
        Attempt::Refused {
            error: "HTTP 503: busy".into(),
            retry_after: Some(Duration::from_secs(90))
        }
    );
}

#[tokio::test]
async fn the_registrys_own_format_names_the_registrys_global_host() {
    let story = Story::completed();
    let heard = heard(&story, |url| settings(url, Format::Acr)).await;
    assert_eq!(heard.line, "POST /hook HTTP/1.1");
    assert_eq!(heard.header("user-agent"), Some("AzureContainerRegistry/1.0"));
    assert_eq!(heard.header("content-type"), Some("application/json"));
    assert_eq!(heard.header("webhook-id"), Some(story.parcel().id().as_str()));
    assert_eq!(
        (heard.header("webhook-signature"), heard.header("webhook-timestamp")),
        (None, None)
    );
    let expected = json!({
        "id": "cb8c3971-9adc-488b-bdd8-43cbb4974ff5",
        "timestamp": TIMESTAMP,
        "action": "push",
        "target": {
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "size": 524,
            "digest": digest(),
            "length": 524,
            "repository": "hello-world",
            "tag": "v1",
        },
        "request": {
            "id": "3cbb6949-7549-4fa1-86cd-a6d5451dffc7",
            "host": "myregistry.azurecr.io",
            "method": "PUT",
            "useragent": "docker/17.09.0-ce go/go1.8.3",
        },
    });
    assert_eq!(heard.json(), expected);
}

#[tokio::test]
async fn in_the_registrys_own_format_what_is_not_known_is_left_out() {
    let mut story = Story::completed();
    story.push.image.action = Action::ChartPush;
    story.push.origin = Origin::default();
    story.push.origin.name = Some("wordpress".into());
    story.push.origin.version = Some("5.4.0.tgz".into());
    let expected = json!({
        "id": story.parcel().id(),
        "timestamp": "2026-11-20T10:00:00.250Z",
        "action": "chart_push",
        "target": {
            "digest": digest(), "repository": "hello-world", "tag": "v1", "name": "wordpress", "version": "5.4.0.tgz",
        },
        "request": { "host": "myregistry.azurecr.io" },
    });
    assert_eq!(body(&story, Format::Acr).await, expected);
}

#[tokio::test]
async fn a_cloud_event_tells_everything() {
    let story = Story::timed_out();
    let heard = heard(&story, |url| settings(url, Format::CloudEvents)).await;
    assert_eq!(heard.header("content-type"), Some("application/cloudevents+json; charset=utf-8"));
    assert_eq!(heard.header("user-agent"), Some(concat!("acr-fanin/", env!("CARGO_PKG_VERSION"))));
    let arrival = |region, received, after| json!({ "region": region, "received": received, "afterMs": after });
    let expected = json!({
        "specversion": "1.0",
        "id": story.parcel().id(),
        "source": "https://myregistry.azurecr.io",
        "type": "io.acr-fanin.image.timed_out",
        "subject": "hello-world:v1",
        "time": "2026-11-20T10:10:03.250Z",
        "datacontenttype": "application/json",
        "data": {
            "kind": "timed_out",
            "text": format!("Pushed image hello-world:v1 ({TIMESTAMP}): timed out after 10 m, missing: westeurope"),
            "push": story.push.id.to_string(),
            "action": "push",
            "image": "myregistry.azurecr.io/hello-world:v1",
            "registry": "myregistry.azurecr.io",
            "repository": "hello-world",
            "tag": "v1",
            "digest": digest(),
            "status": "timed_out",
            "region": null,
            "regions": 4,
            "missing": ["westeurope"],
            "arrivals": [
                arrival("eastus", "2026-11-20T10:00:00.250Z", 0),
                arrival("westus", "2026-11-20T10:00:09.250Z", 9_000),
                arrival("northeurope", "2026-11-20T10:00:12.250Z", 12_000),
            ],
            "eventId": "cb8c3971-9adc-488b-bdd8-43cbb4974ff5",
            "timestamp": TIMESTAMP,
            "firstSeen": "2026-11-20T10:00:00.250Z",
            "deadline": "2026-11-20T10:10:00.250Z",
            "afterMs": 600_000,
        },
    });
    assert_eq!(heard.json(), expected);
}

#[tokio::test]
async fn a_cloud_event_is_the_same_on_every_attempt() {
    let mut later = Story::recovered().repeated();
    later.notice = Story::timed_out().notice;
    assert_eq!(
        body(&later, Format::CloudEvents).await,
        body(&Story::timed_out(), Format::CloudEvents).await
    );
    let mut nowhere = Story::region_ready("westeurope", 41);
    nowhere.push.image.registry = None;
    let event = body(&nowhere, Format::CloudEvents).await;
    assert_eq!(
        (&event["source"], &event["data"]["region"]),
        (&json!("urn:acr-fanin"), &json!("westeurope"))
    );
    assert_eq!(event["type"], "io.acr-fanin.image.region_ready");
}

#[tokio::test]
async fn a_receiver_can_check_the_signature() {
    let secret = Secret::new(SECRET);
    let server = Server::saying(200, "").await;
    let settings =
        Settings { secret: Some(&secret), ..settings(server.url("/"), Format::CloudEvents) };
    let story = Story::completed();
    story.told(&sink(&settings).unwrap()).await;
    let heard = server.heard_one();
    let id = heard.header("webhook-id").unwrap();
    assert_eq!(id, format!("{}.1", story.push.id));
    let seconds = story.parcel().now.as_millis() / 1_000;
    assert_eq!(heard.header("webhook-timestamp"), Some(seconds.to_string().as_str()));
    let signature = Key::from_secret(&secret).unwrap().sign(id, seconds, &heard.body);
    assert_eq!(heard.header("webhook-signature"), Some(signature.as_str()));
}

#[tokio::test]
async fn user_and_password_in_the_url_become_basic_authentication() {
    let server = Server::saying(200, "").await;
    let url =
        |user: &str| Url::parse(&format!("http://{user}@127.0.0.1:{}/hook", server.port)).unwrap();
    Story::completed().told(&sink(&settings(url("$app:p%40ss:w"), Format::Acr)).unwrap()).await;
    let headers = [("Authorization".to_owned(), Secret::new("Bearer t0ken"))];
    let bearer = Settings { headers: &headers, ..settings(url("$app:pw"), Format::Acr) };
    Story::completed().told(&sink(&bearer).unwrap()).await;
    let heard = server.heard();
    assert_eq!(heard[0].header("authorization"), Some("Basic JGFwcDpwQHNzOnc="));
    assert_eq!(heard[1].header("authorization"), Some("Bearer t0ken"));
    assert!(heard.iter().all(|heard| heard.line == "POST /hook HTTP/1.1"));
}

#[tokio::test]
async fn headers_and_user_agent_are_settable() {
    let server = Server::saying(401, "wrong: t0ken-1 / Bearer t0ken-1").await;
    let headers = [
        ("X-Token".to_owned(), Secret::new("Bearer t0ken-1")),
        ("content-type".to_owned(), Secret::new("text/json")),
    ];
    let given = Settings {
        headers: &headers,
        user_agent: Some("ci/2"),
        ..settings(server.url("/"), Format::Acr)
    };
    let attempt = Story::completed().told(&sink(&given).unwrap()).await;
    assert_eq!(error(attempt), "HTTP 401: wrong: [secret] / [secret]");
    let heard = server.heard_one();
    assert_eq!(heard.header("x-token"), Some("Bearer t0ken-1"));
    assert_eq!(
        (heard.header("content-type"), heard.header("user-agent")),
        (Some("text/json"), Some("ci/2"))
    );
}

#[test]
fn settings_that_cannot_work_are_refused_without_showing_them() {
    let url = || Url::parse("https://sink.example/hook").unwrap();
    let with = |name: &str, value: &str| {
        let headers = [(name.to_owned(), Secret::new(value))];
        sink(&Settings { headers: &headers, ..settings(url(), Format::Acr) }).unwrap_err()
    };
    assert_eq!(with("Webhook-ID", "hunter2"), "its header webhook-id is set by acr-fanin itself");
    assert_eq!(with("Content-Length", "1"), "its header content-length is set by acr-fanin itself");
    assert_eq!(with("x y", "hunter2"), "the name of one of its headers is not one");
    assert_eq!(
        with("x-y", "hunter2\r\nhost: z"),
        "the value of its header x-y cannot stand in a header"
    );
    let secret = Secret::new("whsec_hunter2");
    let error =
        sink(&Settings { secret: Some(&secret), ..settings(url(), Format::Acr) }).unwrap_err();
    assert!(error.contains("whsec_") && !error.contains("hunter2"), "{error}");
    assert!(sink(&Settings { user_agent: Some("a\nb"), ..settings(url(), Format::Acr) }).is_err());
}

#[test]
fn what_reads_the_registrys_own_format_deploys() {
    let deploys = |format| {
        sink(&settings(Url::parse("https://sink.example").unwrap(), format)).unwrap().deploys()
    };
    assert!(deploys(Format::Acr) && !deploys(Format::CloudEvents));
}

#[test]
fn a_sink_shows_no_secret_when_it_is_printed() {
    let secret = Secret::new(SECRET);
    let headers = [("x-token".to_owned(), Secret::new("hunter2"))];
    let url = Url::parse("https://user:hunter2@sink.example/hunter2?hunter2").unwrap();
    let settings =
        Settings { secret: Some(&secret), headers: &headers, ..settings(url, Format::Acr) };
    let shown = format!("{:?} {settings:?}", sink(&settings).unwrap());
    assert!(!shown.contains("hunter2") && !shown.contains("MfKQ"), "{shown}");
}
