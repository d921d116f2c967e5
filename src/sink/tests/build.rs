use crate::config::{Format, SinkConfig, SinkKind};
use crate::secret::{Secret, SecretUrl};
use crate::sink::build;
use std::time::Duration;
use url::Url;

fn url() -> SecretUrl {
    SecretUrl::new(Url::parse("https://sink.example/hunter2").unwrap())
}

fn webhook(name: &str, format: Format, secret: Option<&str>) -> SinkConfig {
    let secret = secret.map(Secret::new);
    let kind =
        SinkKind::Webhook { url: url(), format, secret, headers: Vec::new(), user_agent: None };
    SinkConfig { name: name.into(), private: true, kind }
}

fn sink(name: &str, kind: SinkKind) -> SinkConfig {
    SinkConfig { name: name.into(), private: false, kind }
}

#[test]
fn every_sink_of_the_settings_is_made_in_their_order() {
    let config = [
        sink("slack", SinkKind::Slack { url: url() }),
        sink("teams", SinkKind::Teams { url: url() }),
        webhook("flux", Format::Acr, None),
        webhook("events", Format::CloudEvents, Some("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
        sink("log", SinkKind::Log),
    ];
    let sinks = build(&config, Duration::from_secs(15)).unwrap();
    let made: Vec<_> = sinks.iter().map(|sink| (sink.name(), sink.deploys())).collect();
    let expected =
        [("slack", false), ("teams", false), ("flux", true), ("events", false), ("log", false)];
    assert_eq!(made, expected);
    assert!(!format!("{sinks:?}").contains("hunter2"));
    assert!(build(&[], Duration::from_secs(15)).unwrap().is_empty());
}

#[test]
fn every_sink_that_cannot_be_made_is_named() {
    let config = [
        webhook("a", Format::Acr, Some("")),
        webhook("b", Format::Acr, None),
        webhook("c", Format::Acr, Some("whsec_x")),
    ];
    let problems = build(&config, Duration::from_secs(15)).unwrap_err();
    let named: Vec<_> = problems.lines().map(|line| line.split_once(':').unwrap().0).collect();
    assert_eq!(named, ["sink a", "sink c"]);
}
