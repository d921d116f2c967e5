//! `fanin.toml`: the sinks that do not fit into a few environment variables, and the jobs.

use super::aci::{self, Place};
use super::jobs::{self, JobConfig, Jobs};
use super::keys::Keys;
use super::problems::{Problems, Wrong};
use super::signing::signing_secret;
use super::sinks::{self, FORMATS, Format, Made, SinkConfig, SinkKind};
use super::sinks::{is_own_header, subscription};
use super::values::{self, said};
use crate::limits::SINKS_MAX;
use crate::secret::Secret;
use fan_in::{Action, NoticeKind, Region, RegionSet, Subscription};
use std::collections::BTreeMap;
use std::path::Path;
use toml::{Table, Value};

pub(super) const PLACE: &str = "fanin.toml";

const COMMON: &[&str] =
    &["name", "type", "on", "region", "actions", "repositories", "tags", "private"];
const NAME_CHARS_MAX: usize = 64;

/// What the file is read against.
#[derive(Debug)]
pub(super) struct Around<'a> {
    pub env: &'a BTreeMap<String, String>,
    /// None when they could not be read: then nothing can be said about a sink's region.
    pub regions: Option<&'a RegionSet>,
    /// Where a sink says nothing about private addresses.
    pub private: bool,
    /// Names that are taken already.
    pub names: Vec<String>,
    /// Where Azure's resources are, unless a sink or a job says so itself.
    pub place: Place<'a>,
    /// What paths are relative to.
    pub folder: Option<&'a Path>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Slack,
    Teams,
    Webhook,
    AciUpdate,
    AciJob,
    Log,
}

impl Type {
    const NAMES: &[(&str, Self)] = &[
        ("slack", Self::Slack),
        ("teams", Self::Teams),
        ("webhook", Self::Webhook),
        ("aci-update", Self::AciUpdate),
        ("aci-job", Self::AciJob),
        ("log", Self::Log),
    ];

    /// The keys that a sink of this type has beside the common ones.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Slack | Self::Teams => &["url"],
            Self::Webhook => &["url", "format", "secret", "headers", "user_agent"],
            Self::AciUpdate => aci::KEYS,
            Self::AciJob => jobs::SINK_KEYS,
            Self::Log => &[],
        }
    }
}

/// What the file holds.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub sinks: Vec<Made>,
    pub jobs: Vec<JobConfig>,
    /// There is a sink that deploys, be it one that could not be read.
    pub deploys: bool,
}

pub(super) fn read(text: &str, around: &mut Around<'_>, problems: &mut Problems) -> Contents {
    let mut table = match text.parse::<Table>() {
        Ok(table) => table,
        Err(error) => {
            problems.add(PLACE, syntax(text, &error));
            return Contents::default();
        }
    };
    let sinks = tables(&mut table, "sink", problems);
    let jobs = tables(&mut table, "job", problems);
    Keys { place: PLACE.to_owned(), table, env: around.env, problems, used: Vec::new() }
        .refuse_rest(&["sink", "job"]);
    if around.names.len() + sinks.len() > SINKS_MAX {
        problems.add(PLACE, format_args!("there are more than {SINKS_MAX} sinks"));
    }
    let jobs = jobs::read(jobs, around, problems);
    let mut contents = Contents::default();
    for (sink, number) in sinks.into_iter().zip(1..) {
        if let Some(mut keys) = keys_of("sink", sink, number, around.env, problems) {
            contents.sinks.extend(read_sink(&mut keys, around, &jobs, &mut contents.deploys));
        }
    }
    Contents { jobs: jobs.jobs, ..contents }
}

/// Everything under `[[kind]]`.
fn tables(table: &mut Table, kind: &str, problems: &mut Problems) -> Vec<Value> {
    match table.remove(kind) {
        None => Vec::new(),
        Some(Value::Array(tables)) => tables,
        Some(_) => {
            let advice = format_args!(
                "{kind}: every {kind} is a table of its own; write [[{kind}]] above it"
            );
            problems.add(PLACE, advice);
            Vec::new()
        }
    }
}

pub(super) fn keys_of<'a>(
    kind: &str,
    value: Value,
    number: usize,
    env: &'a BTreeMap<String, String>,
    problems: &'a mut Problems,
) -> Option<Keys<'a>> {
    let Value::Table(table) = value else {
        problems.add(
            PLACE,
            format_args!("{kind} {number}: every {kind} is a table; write [[{kind}]] above it"),
        );
        return None;
    };
    let place = format!("{PLACE}: {}", label(kind, &table, number));
    Some(Keys { place, table, env, problems, used: Vec::new() })
}

/// The parser's sentence is a fixed text, but its own way to show an error prints the line, secrets and all.
fn syntax(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("line {line}, column {column} is not TOML: {}", error.message().replace('\n', " "))
}

/// By name where that is a plain one, else by number: with something of the environment in it, it could say too much.
fn label(kind: &str, table: &Table, number: usize) -> String {
    match table.get("name").and_then(Value::as_str) {
        Some(text) if !text.contains("${") && name(text).is_ok() => format!("{kind} {text:?}"),
        _ => format!("{kind} {number}"),
    }
}

pub(super) fn name(text: &str) -> Result<String, Wrong> {
    let fits = text.trim() == text
        && (1..=NAME_CHARS_MAX).contains(&text.chars().count())
        && !text.chars().any(char::is_control);
    if fits {
        Ok(text.to_owned())
    } else {
        said(format_args!("is no name: 1 to {NAME_CHARS_MAX} characters that can be seen"))
    }
}

fn read_sink(
    keys: &mut Keys<'_>,
    around: &mut Around<'_>,
    jobs: &Jobs,
    deploys: &mut bool,
) -> Option<Made> {
    let name = keys.required("name", name);
    if let Some(name) = &name {
        if around.names.contains(name) {
            keys.wrong(
                "name",
                "another sink has it; those of the environment are called slack, teams, webhook and aci",
            );
        }
        around.names.push(name.clone());
    }
    let kind = keys.required("type", |text| values::one_of(text, Type::NAMES));
    *deploys |= matches!(kind, Some(Type::AciUpdate | Type::AciJob));
    let private = private(keys, around.private);
    let format = match kind {
        Some(Type::Webhook) if keys.table.contains_key("format") => {
            keys.read("format", |text| values::one_of(text, FORMATS))
        }
        _ => Some(Format::default()),
    };
    let url = |text: &str| values::sink_url(text, private);
    let config = match kind {
        None => {
            // Which of them it should have nobody knows.
            for key in Type::NAMES.iter().flat_map(|(_, kind)| kind.keys()) {
                keys.table.remove(*key);
            }
            None
        }
        Some(Type::Slack) => keys.required("url", url).map(|url| SinkKind::Slack { url }),
        Some(Type::Teams) => keys.required("url", url).map(|url| SinkKind::Teams { url }),
        Some(Type::Webhook) => webhook(keys, format, private),
        Some(Type::AciUpdate) => {
            aci::read(keys, around.place, around.folder).map(SinkKind::AciUpdate)
        }
        Some(Type::AciJob) => jobs::read_sink(keys, jobs).map(SinkKind::AciJob),
        Some(Type::Log) => Some(SinkKind::Log),
    };
    let name = name.unwrap_or_default();
    let subscription = read_subscription(keys, around.regions, &name, kind, format);
    keys.refuse_rest(&[COMMON, kind.map_or(&[], Type::keys)].concat());
    Some((SinkConfig { name, private, kind: config? }, subscription))
}

/// Where it could not be read, nothing can be said against a private address.
fn private(keys: &mut Keys<'_>, default: bool) -> bool {
    let default = default || keys.table.contains_key("private");
    keys.flag("private").unwrap_or(default)
}

fn webhook(keys: &mut Keys<'_>, format: Option<Format>, private: bool) -> Option<SinkKind> {
    let url = keys.required("url", |text| values::webhook_url(text, private));
    let secret = keys.read("secret", signing_secret);
    let user_agent = keys.read("user_agent", |text| {
        if text.is_empty() { said("is empty; leave it out") } else { values::header_value(text) }
    });
    let mut headers: Vec<(String, Secret)> = Vec::new();
    for (name, value) in keys.pairs("headers") {
        let lower = name.to_ascii_lowercase();
        let user = url.as_ref().is_some_and(|url| values::has_user(url.expose()));
        let wrong = match lower.as_str() {
            _ if !values::header_name(&name) => "is no name of a header",
            own if is_own_header(own) => "is written by acr-fanin itself; remove it",
            "user-agent" if user_agent.is_some() => "contradicts the key user_agent",
            "authorization" if user => "contradicts the user in the key url",
            _ if headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name)) => {
                "is there twice; capitals make no difference"
            }
            _ => match values::header_value(&value) {
                Ok(value) => {
                    headers.push((name, Secret::new(value)));
                    continue;
                }
                Err(_) => "has a value that a header of HTTP cannot carry",
            },
        };
        keys.wrong("headers", format_args!("{} {wrong}", name.escape_debug()));
    }
    Some(SinkKind::Webhook { url: url?, format: format?, secret, headers, user_agent })
}

/// `kind` and `format` are None where they could not be read: then nothing can be said about what they carry.
fn read_subscription(
    keys: &mut Keys<'_>,
    regions: Option<&RegionSet>,
    name: &str,
    kind: Option<Type>,
    format: Option<Format>,
) -> Subscription {
    let default = match kind {
        Some(Type::Slack | Type::Teams) => sinks::TOLD,
        Some(Type::Webhook) => format.unwrap_or_default().told(),
        Some(Type::AciUpdate | Type::AciJob) => sinks::EVERYWHERE,
        Some(Type::Log) | None => sinks::OF_PUSHES,
    };
    let mut subscription = subscription(name, default);
    let failure = match kind {
        Some(Type::AciUpdate) => Some(NoticeKind::DeployFailed),
        Some(Type::AciJob) => Some(NoticeKind::JobFailed),
        _ => None,
    };
    if let Some(kinds) = keys.list("on", notice_kind) {
        let (allowed, why): (&[NoticeKind], _) = match (kind, format) {
            (Some(Type::Webhook), Some(Format::Acr)) => {
                (Format::Acr.kinds(), "format acr takes completed and recovered only")
            }
            (Some(Type::Log), _) => (
                sinks::OF_PUSHES,
                "a log sink takes region_ready, completed, timed_out and recovered",
            ),
            (Some(Type::AciUpdate | Type::AciJob), _) => (
                sinks::THERE,
                "what is deployed has to be there: region_ready, completed or recovered",
            ),
            _ => (&NoticeKind::ALL, ""),
        };
        for stray in kinds.iter().filter(|kind| !allowed.contains(kind)) {
            keys.wrong("on", format_args!("{} does not fit: {why}", stray.as_str()));
        }
        subscription.kinds = kinds;
    }
    subscription.region = region(keys, regions, &subscription.kinds);
    let action = |text: &str| {
        Action::from_name(text)
            .ok_or_else(|| "must be push, delete, chart_push or chart_delete".to_owned())
    };
    if let Some(actions) = keys.list("actions", action) {
        subscription.actions = actions;
    }
    if let Some(failure) = failure {
        deploys_only_what_it_can(keys, &mut subscription);
        subscription.failure = Some(failure);
    }
    subscription.repositories =
        keys.list("repositories", values::repository_glob).unwrap_or_default();
    subscription.tags = keys.list("tags", values::tag_glob).unwrap_or_default();
    subscription
}

/// An image, in a region that is known.
fn deploys_only_what_it_can(keys: &mut Keys<'_>, subscription: &mut Subscription) {
    if subscription.kinds.contains(&NoticeKind::RegionReady) && subscription.region.is_none() {
        keys.wrong("region", "is missing; region_ready deploys as the image arrives there");
    }
    if subscription.actions == [Action::Push, Action::ChartPush] {
        subscription.actions = vec![Action::Push];
    } else if subscription.actions != [Action::Push] {
        keys.wrong("actions", "must be [\"push\"]: only an image can run; leave the key out");
    }
}

fn notice_kind(text: &str) -> Result<NoticeKind, Wrong> {
    NoticeKind::from_name(text).ok_or_else(|| {
        let names = NoticeKind::ALL.map(NoticeKind::as_str);
        format!("must be one of {}", names.join(", "))
    })
}

/// A region narrows `region_ready` and nothing else, so without that it is a mistake. Docker Hub's `global` is
/// known without being configured.
fn region(keys: &mut Keys<'_>, known: Option<&RegionSet>, kinds: &[NoticeKind]) -> Option<Region> {
    let region = keys.read("region", values::region)?;
    if known.is_some_and(|known| !region.is_global() && !known.contains(&region)) {
        keys.wrong("region", "is not one of WebhookRegions");
    } else if !kinds.contains(&NoticeKind::RegionReady) {
        keys.wrong(
            "region",
            "means something for region_ready only; name that in the key on, or remove this",
        );
    }
    Some(region)
}
