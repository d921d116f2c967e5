//! What the settings say of a sink that brings a container group to the pushed image.

use super::document::{self, Document};
use super::keys::Keys;
use super::problems::Wrong;
use super::values::said;
use super::{duration, values};
use fan_in::{Glob, Registry};
use std::path::Path;
use std::time::Duration;

/// One container group, how it is changed, and which images may run in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AciUpdate {
    pub subscription: String,
    pub resource_group: String,
    pub container_group: String,
    pub how: How,
    pub pin: Pin,
    /// Makes the group where it is absent; only a template can.
    pub create: bool,
    /// How long the containers are looked at after the update.
    pub watch: Duration,
    pub allowed: Allowed,
}

/// Whose images may run; neither is ever empty where something is deployed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    pub registries: Vec<Registry>,
    pub repositories: Vec<Glob>,
}

/// Where the document comes from that the group becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// From the settings, whole.
    Template(Document),
    /// From Azure, with the image changed and with what Azure keeps to itself laid over it.
    Patch { overlay: Option<Document> },
}

/// How an image is named in the group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pin {
    /// By its digest: a later restart cannot pull another image.
    #[default]
    Digest,
    Tag,
}

const PINS: &[(&str, Pin)] = &[("digest", Pin::Digest), ("tag", Pin::Tag)];
const WATCH: Duration = Duration::from_secs(120);
const WATCH_MAX: Duration = Duration::from_secs(3_600);

/// Where Azure's resources are, when a sink or a job does not say so itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub subscription: Option<&'a str>,
    pub resource_group: Option<&'a str>,
}

impl Place<'_> {
    /// The keys `subscription` and `resource_group`, else the environment's.
    pub(super) fn read(&self, keys: &mut Keys<'_>) -> Option<(String, String)> {
        let mut part = |key: &str, setting: &str, default: Option<&str>| {
            if !keys.table.contains_key(key) && default.is_none() {
                keys.wrong(key, format_args!("is missing, and so is the setting {setting}"));
            }
            keys.read(key, values::azure_name).or_else(|| default.map(str::to_owned))
        };
        let subscription = part("subscription", "AZURE_SUBSCRIPTION_ID", self.subscription);
        let group = part("resource_group", "RESOURCE_GROUP_NAME", self.resource_group);
        Some((subscription?, group?))
    }
}

pub(super) const KEYS: &[&str] = &[
    "subscription",
    "resource_group",
    "container_group",
    "template",
    "overlay",
    "pin",
    "create",
    "watch",
];

pub(super) fn read(
    keys: &mut Keys<'_>,
    place: Place<'_>,
    folder: Option<&Path>,
) -> Option<AciUpdate> {
    let where_it_is = place.read(keys);
    let container_group = keys.required("container_group", group_name);
    let from_template = keys.table.contains_key("template");
    if from_template && keys.table.remove("overlay").is_some() {
        keys.wrong("overlay", "means nothing beside a template, which is the whole document");
    }
    let how = if from_template {
        document::template(keys, "template", folder).map(How::Template)
    } else if keys.table.contains_key("overlay") {
        document::overlay(keys, "overlay", folder).map(|o| How::Patch { overlay: Some(o) })
    } else {
        Some(How::Patch { overlay: None })
    };
    let pin = keys.read("pin", |text| values::one_of(text, PINS)).unwrap_or_default();
    let create = keys.flag("create").unwrap_or_default();
    if create && !from_template {
        keys.wrong("create", "needs a template: there is no other way to know what to create");
    }
    let watch = keys.read("watch", watch).unwrap_or(WATCH);
    let (subscription, resource_group) = where_it_is?;
    Some(AciUpdate {
        subscription,
        resource_group,
        container_group: container_group?,
        how: how?,
        pin,
        create,
        watch,
        allowed: Allowed::default(),
    })
}

/// The sink of the environment: the group as it is, with the image changed.
pub(super) fn plain(subscription: &str, resource_group: &str, container_group: &str) -> AciUpdate {
    AciUpdate {
        subscription: subscription.to_owned(),
        resource_group: resource_group.to_owned(),
        container_group: container_group.to_owned(),
        how: How::Patch { overlay: None },
        pin: Pin::default(),
        create: false,
        watch: WATCH,
        allowed: Allowed::default(),
    }
}

fn watch(text: &str) -> Result<Duration, Wrong> {
    duration::within(text, &(Duration::ZERO..=WATCH_MAX), "at most 1 h")
}

pub(super) fn group_name(text: &str) -> Result<String, Wrong> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let ends = text.starts_with('-') || text.ends_with('-');
    if (1..=63).contains(&text.len()) && text.bytes().all(fits) && !ends {
        Ok(text.to_owned())
    } else {
        said("is no container group: 1 to 63 lower-case letters, digits and hyphens between them")
    }
}
