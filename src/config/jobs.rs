//! `[[job]]`: what may be started as a container of its own.

use super::aci::{Allowed, Place};
use super::keys::Keys;
use super::problems::{Problems, Wrong};
use super::values::{self, said};
use super::{duration, file};
use crate::limits::{ARG_MAX, ARGS_MAX, JOBS_MAX};
use crate::secret::Secret;
use std::time::Duration;
use toml::Value;

/// The definition of a job. `PartialEq` is for tests.
#[derive(Clone, Debug, PartialEq)]
pub struct JobConfig {
    /// Unique among the jobs.
    pub name: String,
    pub subscription: String,
    pub resource_group: String,
    pub image: JobImage,
    /// What the container runs instead of the image's own entry point; empty for that one.
    pub command: Vec<Secret>,
    pub cpu: f64,
    pub memory_gb: f64,
    /// None: where its resource group is.
    pub location: Option<String>,
    pub environment: Vec<(String, Secret)>,
    /// Resource id of a user-assigned identity, which pulls the image and which the container has.
    pub identity: Option<String>,
    /// The group is deleted so long after its end.
    pub ttl: Duration,
    /// Who starts it may add arguments to the command.
    pub allow_args: bool,
    /// Texts that must not be said again: what came from the environment, and what goes into the container's.
    pub secrets: Vec<Secret>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobImage {
    Fixed(String),
    /// The image that was pushed.
    Pushed,
}

/// A sink that starts a job for each push.
#[derive(Clone, Debug, PartialEq)]
pub struct AciJob {
    pub job: JobConfig,
    pub allowed: Allowed,
}

const CPU: f64 = 1.0;
const MEMORY_GB: f64 = 1.5;
const TTL: Duration = Duration::from_secs(3_600);
const TTL_MAX: Duration = Duration::from_secs(7 * duration::DAY_S);

const KEYS: &[&str] = &[
    "name",
    "subscription",
    "resource_group",
    "image",
    "command",
    "cpu",
    "memory_gb",
    "location",
    "environment",
    "identity",
    "ttl",
    "allow_args",
];

pub(super) const SINK_KEYS: &[&str] = &["subscription", "resource_group", "job"];

/// The jobs of the file.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    /// Those that could be read.
    pub jobs: Vec<JobConfig>,
    /// Of the others, too.
    names: Vec<String>,
    /// There is one whose name could not be read.
    unnamed: bool,
}

pub(super) fn read(tables: Vec<Value>, around: &file::Around<'_>, problems: &mut Problems) -> Jobs {
    if tables.len() > JOBS_MAX {
        problems.add(file::PLACE, format_args!("there are more than {JOBS_MAX} jobs"));
    }
    let count = tables.len();
    let (mut jobs, mut names) = (Vec::new(), Vec::new());
    for (table, number) in tables.into_iter().zip(1..) {
        if let Some(mut keys) = file::keys_of("job", table, number, around.env, problems) {
            jobs.extend(read_job(&mut keys, &mut names, around.place));
        }
    }
    let unnamed = names.len() < count;
    Jobs { jobs, names, unnamed }
}

fn read_job(keys: &mut Keys<'_>, names: &mut Vec<String>, place: Place<'_>) -> Option<JobConfig> {
    let name = keys.required("name", file::name);
    if let Some(name) = &name {
        if names.contains(name) {
            keys.wrong("name", "another job has it");
        }
        names.push(name.clone());
    }
    let where_it_is = place.read(keys);
    let image = image(keys);
    let has_command = keys.table.contains_key("command");
    let command = keys.list("command", |text| Ok(Secret::new(text))).unwrap_or_default();
    if command.len() > ARGS_MAX || command.iter().any(|part| part.expose().len() > ARG_MAX) {
        keys.wrong(
            "command",
            format_args!("has more than {ARGS_MAX} parts, or one of more than {ARG_MAX} bytes"),
        );
    }
    let cpu = keys.number("cpu", 0.01, 128.0).unwrap_or(CPU);
    let memory_gb = keys.number("memory_gb", 0.1, 1_024.0).unwrap_or(MEMORY_GB);
    let location = keys.read("location", values::azure_name);
    let environment = environment(keys);
    let identity = keys.read("identity", identity);
    let ttl = keys.read("ttl", ttl).unwrap_or(TTL);
    let allow_args = keys.flag("allow_args").unwrap_or_default();
    if allow_args && !has_command {
        keys.wrong("allow_args", "needs the key command: what a request brings as args follows it");
    }
    keys.refuse_rest(KEYS);
    let (subscription, resource_group) = where_it_is?;
    let filled = keys.used.drain(..).map(Secret::new);
    let secrets = environment.iter().map(|(_, value)| value.clone()).chain(filled).collect();
    Some(JobConfig {
        name: name?,
        subscription,
        resource_group,
        image: image?,
        command,
        cpu,
        memory_gb,
        location,
        environment,
        identity,
        ttl,
        allow_args,
        secrets,
    })
}

/// `${image}` is the pushed one, and no variable of the environment.
fn image(keys: &mut Keys<'_>) -> Option<JobImage> {
    if keys.table.get("image").and_then(Value::as_str) == Some("${image}") {
        keys.table.remove("image");
        return Some(JobImage::Pushed);
    }
    keys.required("image", |text| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
        if !text.is_empty() && text.len() <= 512 && text.chars().all(fits) {
            Ok(JobImage::Fixed(text.to_owned()))
        } else {
            said("is no image; write registry/repository:tag, registry/repository@sha256:… or ${image}")
        }
    })
}

fn environment(keys: &mut Keys<'_>) -> Vec<(String, Secret)> {
    let mut environment = Vec::new();
    for (name, value) in keys.pairs("environment") {
        let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if first && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            environment.push((name, Secret::new(value)));
        } else {
            keys.wrong(
                "environment",
                format_args!("{} is no name of a variable", name.escape_debug()),
            );
        }
    }
    environment
}

fn identity(text: &str) -> Result<String, Wrong> {
    let parts: Vec<&str> = text.split('/').collect();
    let is = |at: usize, word: &str| parts.get(at).is_some_and(|p| p.eq_ignore_ascii_case(word));
    let names =
        [2, 4, 8].iter().all(|at| parts.get(*at).is_some_and(|p| values::azure_name(p).is_ok()));
    let frame = is(0, "")
        && is(1, "subscriptions")
        && is(3, "resourceGroups")
        && is(5, "providers")
        && is(6, "Microsoft.ManagedIdentity")
        && is(7, "userAssignedIdentities");
    if parts.len() == 9 && frame && names {
        Ok(text.to_owned())
    } else {
        said(
            "is no user-assigned identity; write /subscriptions/…/resourceGroups/…/providers/Microsoft.ManagedIdentity/userAssignedIdentities/…",
        )
    }
}

fn ttl(text: &str) -> Result<Duration, Wrong> {
    duration::within(text, &(Duration::ZERO..=TTL_MAX), "at most 7 d")
}

/// The sink `aci-job`: its job by name, maybe in another place.
pub(super) fn read_sink(keys: &mut Keys<'_>, jobs: &Jobs) -> Option<AciJob> {
    let subscription = keys.read("subscription", values::azure_name);
    let resource_group = keys.read("resource_group", values::azure_name);
    let name = keys.required("job", |text| Ok(text.to_owned()))?;
    let Some(job) = jobs.jobs.iter().find(|job| job.name == name) else {
        if !jobs.unnamed && !jobs.names.contains(&name) {
            keys.wrong("job", "there is no [[job]] of this name");
        }
        return None;
    };
    let mut job = job.clone();
    job.subscription = subscription.unwrap_or(job.subscription);
    job.resource_group = resource_group.unwrap_or(job.resource_group);
    Some(AciJob { job, allowed: Allowed::default() })
}
