//! Puts the settings together.

use super::aci::Place;
use super::problems::{Problems, Wrong};
use super::reader::Reader;
use super::sinks::{Made, SinkConfig};
use super::{Azure, Config, Home, Setup, file, identity, settings, sinks, storage, values};
use crate::intake::Rules;
use fan_in::{Correlation, Policy, RegionSet, Subscription};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum File {
    Absent,
    /// Without a path it lies in no folder.
    Text {
        text: String,
        path: Option<PathBuf>,
    },
    Unreadable {
        place: &'static str,
        wrong: Wrong,
    },
}

pub(super) fn load_from(
    env: &BTreeMap<String, String>,
    file: &File,
    home: Option<Home>,
    listen: Option<SocketAddr>,
) -> Result<Config, Problems> {
    let default = if storage::is_mentioned(env) { Home::Functions } else { Home::Standalone };
    let home = home.unwrap_or(default);
    let mut reader = Reader::new(env);
    settings::check_names(env, &mut reader.problems);

    let regions = reader.required(
        "WebhookRegions",
        "name them, such as northeurope,westeurope",
        values::regions,
    );
    let timeout = timeout(&mut reader);
    let azure = azure(&mut reader);
    let storage = storage::read(&mut reader, &azure.identity).filter(|_| home == Home::Functions);
    let table = reader.or_default("FANIN_TABLE", values::table_name);
    let queue = queue(&mut reader, home);
    let intake = intake(&mut reader, regions.as_ref());
    let retention = retention(&mut reader, timeout);
    let retry = reader.read("FANIN_RETRY", values::retry).unwrap_or_default();
    let sink_timeout = reader.or_default("FANIN_SINK_TIMEOUT", values::sink_timeout);
    let read_token = reader.read("FANIN_READ_TOKEN", values::token);
    let setup = setup(&mut reader);
    let made = sinks(&mut reader, file, regions.as_ref(), &azure);
    let jobs = made.jobs;
    check_allowed(&mut reader, made.deploys);
    let (sinks, subscriptions) = allow(made.sinks, intake.as_ref());
    check_doors(&mut reader, home, listen);

    let problems = reader.problems;
    let (Some(regions), Some(timeout), Some(intake)) = (regions, timeout, intake) else {
        return Err(problems);
    };
    let (Some(table), Some(retention), Some(sink_timeout)) = (table, retention, sink_timeout)
    else {
        return Err(problems);
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let policy = Policy { regions, timeout, correlation: intake.correlation, subscriptions };
    Ok(Config {
        home,
        policy,
        intake,
        storage,
        table,
        queue,
        retention,
        retry,
        sink_timeout,
        read_token,
        sinks,
        jobs,
        azure,
        setup,
    })
}

fn timeout(reader: &mut Reader<'_>) -> Option<Duration> {
    if ["WebhookTimeout", "WebhookTimeOut"].into_iter().any(|name| reader.is_set(name)) {
        return reader.spelt_twice("WebhookTimeout", "WebhookTimeOut", values::timeout);
    }
    reader.or_default("WebhookTimeout", values::timeout)
}

fn intake(reader: &mut Reader<'_>, regions: Option<&RegionSet>) -> Option<Rules> {
    let registries = reader.read("FANIN_REGISTRIES", values::registries).unwrap_or_default();
    let repositories = |text: &str| values::list(text, values::repository_glob);
    let repositories = reader.read("FANIN_REPOSITORIES", repositories).unwrap_or_default();
    let secrets = |text: &str| values::list(text, values::header_secret);
    let secrets = reader.read("FANIN_WEBHOOK_SECRET", secrets).unwrap_or_default();
    let words = [("auto", Correlation::Auto), ("id", Correlation::Id)];
    let correlation = reader.or_default("FANIN_CORRELATION", |text| values::one_of(text, &words));
    let untagged = reader.or_default("FANIN_UNTAGGED", values::boolean);
    Some(Rules {
        regions: regions?.clone(),
        registries,
        repositories,
        secrets,
        untagged: untagged?,
        correlation: correlation?,
    })
}

/// The host reads queue and schedule from `function.json`, and fails in a dark corner when they are missing.
fn queue(reader: &mut Reader<'_>, home: Home) -> Option<String> {
    if home == Home::Standalone {
        reader.read("FANIN_QUEUE", values::queue_name);
        return None;
    }
    storage::check_there(reader);
    reader.required("FANIN_SCHEDULE", "the sample has */15 * * * * *", values::any);
    reader.required("FANIN_QUEUE", "the sample has fanin-notify", values::queue_name)
}

fn retention(reader: &mut Reader<'_>, timeout: Option<Duration>) -> Option<Duration> {
    let retention = reader.or_default("FANIN_RETENTION", values::retention)?;
    if timeout.is_some_and(|timeout| retention < timeout * 2) {
        reader.problems.add("FANIN_RETENTION", "must be at least twice WebhookTimeout");
    }
    Some(retention)
}

fn azure(reader: &mut Reader<'_>) -> Azure {
    Azure {
        identity: identity::read(reader),
        subscription_id: reader.read("AZURE_SUBSCRIPTION_ID", values::azure_name),
        resource_group: reader.spelt_twice(
            "RESOURCE_GROUP_NAME",
            "ResourceGroupName",
            values::azure_name,
        ),
        resource_manager: reader.read("AZURE_RESOURCE_MANAGER_ENDPOINT", values::endpoint),
        authority_host: reader.read("AZURE_AUTHORITY_HOST", values::endpoint),
    }
}

fn setup(reader: &mut Reader<'_>) -> Setup {
    Setup {
        registry_id: reader.read("FANIN_REGISTRY_ID", values::registry_id),
        public_url: reader.read("FANIN_PUBLIC_URL", values::endpoint),
        function_key: reader.read("FANIN_FUNCTION_KEY", values::token),
    }
}

fn sinks(
    reader: &mut Reader<'_>,
    file: &File,
    regions: Option<&RegionSet>,
    azure: &Azure,
) -> file::Contents {
    // Where it could not be read, nothing can be said against a private address.
    let private = reader.or_default("FANIN_PRIVATE_SINKS", values::boolean).unwrap_or(true);
    let mut made = sinks::from_environment(reader, private, azure);
    let mut contents = file::Contents::default();
    match file {
        File::Absent => {}
        File::Unreadable { place, wrong } => reader.problems.add(place, wrong),
        File::Text { text, path } => {
            let names = made.iter().map(|(sink, _)| sink.name.clone()).collect();
            let place = Place {
                subscription: azure.subscription_id.as_deref(),
                resource_group: azure.resource_group.as_deref(),
            };
            let folder = path.as_deref().and_then(Path::parent);
            let mut around =
                file::Around { env: reader.env, regions, private, names, place, folder };
            contents = file::read(text, &mut around, &mut reader.problems);
        }
    }
    made.append(&mut contents.sinks);
    contents.sinks = made;
    contents.deploys |= reader.is_set("CONTAINER_GROUP_NAME");
    contents
}

/// What deploys is told whose images may run.
fn allow(made: Vec<Made>, rules: Option<&Rules>) -> (Vec<SinkConfig>, Vec<Subscription>) {
    let (mut sinks, subscriptions): (Vec<SinkConfig>, Vec<_>) = made.into_iter().unzip();
    for sink in &mut sinks {
        if let Some(allowed) = sink.kind.allowed() {
            allowed.registries = rules.map(|r| r.registries.clone()).unwrap_or_default();
            allowed.repositories = rules.map(|r| r.repositories.clone()).unwrap_or_default();
        }
    }
    (sinks, subscriptions)
}

/// Whose images may run has to be said.
fn check_allowed(reader: &mut Reader<'_>, deploys: bool) {
    for name in ["FANIN_REGISTRIES", "FANIN_REPOSITORIES"] {
        if deploys && !reader.is_set(name) {
            let advice = "is missing; a sink deploys, so say whose images may run";
            reader.problems.add(name, advice);
        }
    }
}

/// Whoever listens to more than this machine must know who is talking.
fn check_doors(reader: &mut Reader<'_>, home: Home, listen: Option<SocketAddr>) {
    let open = listen.is_some_and(|listen| !listen.ip().to_canonical().is_loopback());
    for name in ["FANIN_WEBHOOK_SECRET", "FANIN_READ_TOKEN"] {
        if home == Home::Standalone && open && !reader.is_set(name) {
            reader
                .problems
                .add(name, "is missing; without it only a loopback address may be listened on");
        }
    }
}
