//! Who is told, and of what.

use super::Azure;
use super::aci::{self, AciUpdate, Allowed};
use super::jobs::AciJob;
use super::reader::Reader;
use super::signing::signing_secret;
use super::values;
use crate::secret::{Secret, SecretUrl};
use fan_in::NoticeKind::{self, Completed, Recovered, RegionReady, TimedOut};
use fan_in::{Action, Subscription};

#[derive(Clone, Debug, PartialEq)]
pub struct SinkConfig {
    /// Unique among the sinks.
    pub name: String,
    /// It may live at a private address.
    pub private: bool,
    pub kind: SinkKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum SinkKind {
    Slack {
        url: SecretUrl,
    },
    Teams {
        url: SecretUrl,
    },
    Webhook {
        /// A user and password in it are meant as Basic authentication.
        url: SecretUrl,
        format: Format,
        /// By Standard Webhooks: always `whsec_` and padded base64 of 24 to 64 bytes.
        secret: Option<Secret>,
        headers: Vec<(String, Secret)>,
        user_agent: Option<String>,
    },
    /// Brings a container group to the image.
    AciUpdate(AciUpdate),
    /// Starts a container for the image.
    AciJob(AciJob),
    /// One structured line.
    Log,
}

impl SinkKind {
    /// Whose images it may run, if it runs any.
    pub(super) const fn allowed(&mut self) -> Option<&mut Allowed> {
        match self {
            Self::AciUpdate(update) => Some(&mut update.allowed),
            Self::AciJob(job) => Some(&mut job.allowed),
            _ => None,
        }
    }
}

/// What a webhook's body is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The body of a registry's own webhook.
    #[default]
    Acr,
    CloudEvents,
}

/// A header that the sink or the connection writes, whatever the settings say; `webhook-` is for Standard
/// Webhooks.
#[must_use]
pub fn is_own_header(name: &str) -> bool {
    const OWN: [&str; 7] =
        ["connection", "content-length", "host", "te", "trailer", "transfer-encoding", "upgrade"];
    let name = name.to_ascii_lowercase();
    name.starts_with("webhook-") || OWN.contains(&name.as_str())
}

/// A sink and what it wants to hear of.
pub(super) type Made = (SinkConfig, Subscription);

/// What slack and teams hear of where nothing is said.
pub(super) const TOLD: &[NoticeKind] = &[Completed, TimedOut, Recovered];
/// When an image is everywhere.
pub(super) const EVERYWHERE: &[NoticeKind] = &[Completed, Recovered];
/// When it is where it has to be.
pub(super) const THERE: &[NoticeKind] = &[RegionReady, Completed, Recovered];
/// Everything that a push itself gives cause for.
pub(super) const OF_PUSHES: &[NoticeKind] = &[RegionReady, Completed, TimedOut, Recovered];

pub(super) const FORMATS: &[(&str, Format)] =
    &[("acr", Format::Acr), ("cloudevents", Format::CloudEvents)];

impl Format {
    /// The kinds it is sent for where nothing is said.
    pub(super) const fn told(self) -> &'static [NoticeKind] {
        match self {
            Self::Acr => EVERYWHERE,
            Self::CloudEvents => TOLD,
        }
    }

    /// Readers of a registry's own format deploy what it names, so nothing else may come in it.
    pub(super) const fn kinds(self) -> &'static [NoticeKind] {
        match self {
            Self::Acr => EVERYWHERE,
            Self::CloudEvents => &NoticeKind::ALL,
        }
    }
}

pub(super) fn subscription(sink: &str, kinds: &[NoticeKind]) -> Subscription {
    Subscription {
        sink: sink.to_owned(),
        kinds: kinds.to_vec(),
        region: None,
        actions: vec![Action::Push, Action::ChartPush],
        repositories: Vec::new(),
        tags: Vec::new(),
        failure: None,
    }
}

/// The sinks that are made from environment variables.
pub(super) fn from_environment(reader: &mut Reader<'_>, private: bool, azure: &Azure) -> Vec<Made> {
    let made = |name: &str, kind, kinds: &[NoticeKind]| {
        (SinkConfig { name: name.to_owned(), private, kind }, subscription(name, kinds))
    };
    let slack = reader.read("SLACK_WEBHOOK_URL", |text| values::sink_url(text, private));
    let slack = slack.map(|url| made("slack", SinkKind::Slack { url }, TOLD));
    let teams = reader.read("TEAMS_WEBHOOK_URL", |text| values::sink_url(text, private));
    let teams = teams.map(|url| made("teams", SinkKind::Teams { url }, TOLD));

    let url = reader.read("NOTIFY_WEBHOOK_URL", |text| values::webhook_url(text, private));
    let secret = reader.read("NOTIFY_WEBHOOK_SECRET", signing_secret);
    let format = reader
        .read("NOTIFY_WEBHOOK_FORMAT", |text| values::one_of(text, FORMATS))
        .unwrap_or_default();
    for name in ["NOTIFY_WEBHOOK_SECRET", "NOTIFY_WEBHOOK_FORMAT"] {
        if reader.is_set(name) && !reader.is_set("NOTIFY_WEBHOOK_URL") {
            reader
                .problems
                .add(name, "means nothing without NOTIFY_WEBHOOK_URL; set that, or remove this");
        }
    }
    let webhook = url.map(|url| {
        let kind = SinkKind::Webhook { url, format, secret, headers: Vec::new(), user_agent: None };
        made("webhook", kind, format.told())
    });

    let aci = container_group(reader, azure).map(|update| {
        let (sink, mut subscription) = made("aci", SinkKind::AciUpdate(update), EVERYWHERE);
        subscription.actions = vec![Action::Push];
        subscription.failure = Some(NoticeKind::DeployFailed);
        (sink, subscription)
    });
    [slack, teams, webhook, aci].into_iter().flatten().collect()
}

fn container_group(reader: &mut Reader<'_>, azure: &Azure) -> Option<AciUpdate> {
    let name = reader.read("CONTAINER_GROUP_NAME", aci::group_name);
    let around = [
        ("AZURE_SUBSCRIPTION_ID", "AZURE_SUBSCRIPTION_ID"),
        ("RESOURCE_GROUP_NAME", "ResourceGroupName"),
    ];
    for (setting, other) in around {
        let there = reader.is_set(setting) || reader.is_set(other);
        if reader.is_set("CONTAINER_GROUP_NAME") && !there {
            reader
                .problems
                .add(setting, "is missing; CONTAINER_GROUP_NAME means nothing without it");
        }
    }
    let (subscription, group) = (azure.subscription_id.as_ref()?, azure.resource_group.as_ref()?);
    Some(aci::plain(subscription, group, &name?))
}
