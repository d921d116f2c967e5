use super::job::Runner;
use crate::config::{
    AciUpdate, Allowed, Azure, Document, Format, How, Identity, JobImage, Pin, SinkConfig, SinkKind,
};
use crate::ports::{JobProgress, RunsJobs};
use crate::secret::{Secret, SecretUrl};
use crate::sink::build;
use serde_json::json;
use std::sync::Arc;
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

fn azure() -> Azure {
    Azure {
        identity: Identity::Managed { client_id: None },
        subscription_id: None,
        resource_group: None,
        resource_manager: None,
        authority_host: None,
    }
}

fn jobs() -> Arc<dyn RunsJobs> {
    Runner::new(Ok(JobProgress::Gone))
}

fn aci(name: &str) -> SinkConfig {
    let overlay = Document::new(json!({"a": "hunter2"}), Vec::new());
    let update = AciUpdate {
        subscription: "s".into(),
        resource_group: "g".into(),
        container_group: "web".into(),
        how: How::Patch { overlay: Some(overlay) },
        pin: Pin::Digest,
        create: false,
        watch: Duration::from_secs(120),
        allowed: Allowed::default(),
    };
    sink(name, SinkKind::AciUpdate(update))
}

#[test]
fn every_sink_of_the_settings_is_made_in_their_order() {
    let config = [
        sink("slack", SinkKind::Slack { url: url() }),
        sink("teams", SinkKind::Teams { url: url() }),
        webhook("flux", Format::Acr, None),
        webhook("events", Format::CloudEvents, Some("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
        aci("web"),
        sink("job", SinkKind::AciJob(super::job::settings(JobImage::Pushed))),
        sink("log", SinkKind::Log),
    ];
    let sinks = build(&config, Duration::from_secs(15), &azure(), &jobs()).unwrap();
    let made: Vec<_> = sinks.iter().map(|sink| (sink.name(), sink.deploys())).collect();
    let expected = [
        ("slack", false),
        ("teams", false),
        ("flux", true),
        ("events", false),
        ("web", true),
        ("job", true),
        ("log", false),
    ];
    assert_eq!(made, expected);
    assert!(!format!("{sinks:?}").contains("hunter2"));
    assert!(build(&[], Duration::from_secs(15), &azure(), &jobs()).unwrap().is_empty());
}

#[test]
fn every_sink_that_cannot_be_made_is_named() {
    let config = [
        webhook("a", Format::Acr, Some("")),
        webhook("b", Format::Acr, None),
        webhook("c", Format::Acr, Some("whsec_x")),
    ];
    let problems = build(&config, Duration::from_secs(15), &azure(), &jobs()).unwrap_err();
    let named: Vec<_> = problems.lines().map(|line| line.split_once(':').unwrap().0).collect();
    assert_eq!(named, ["sink a", "sink c"]);
}

#[test]
fn a_token_never_travels_in_the_clear() {
    let endpoint = Some(Url::parse("http://management.example").unwrap());
    let azure = Azure { resource_manager: endpoint, ..azure() };
    let problem = build(&[aci("web")], Duration::from_secs(15), &azure, &jobs()).unwrap_err();
    assert!(
        problem.starts_with("sink web: AZURE_RESOURCE_MANAGER_ENDPOINT: must be https"),
        "{problem}"
    );
}
