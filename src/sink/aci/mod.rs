//! Brings a container group to the pushed image, one step at a time: look, decide, write once, follow the operation,
//! then look at the containers for a while.
//!
//! Every step begins by looking at what is there, so that one that was lost is repeated without harm: a write whose
//! answer was lost is found by the group's tag and state, and never repeated blindly.

mod document;
mod health;
pub(super) mod image;
mod losses;
mod plan;
mod progress;
mod step;

#[cfg(test)]
mod tests;

use crate::azure::{Arm, ContainerGroups};
use crate::config::{AciUpdate as Settings, Document, How};
use crate::ports::{Parcel, Sink, Target};
use crate::redact::Redactor;
use async_trait::async_trait;
use fan_in::{Attempt, Image};
use image::Wanted;
use plan::Source;
use std::fmt;
use std::time::Duration;
use step::Step;

/// What stands for the image in a template.
const PLACEHOLDER: &str = "${image}";

pub struct AciUpdate {
    name: String,
    settings: Settings,
    groups: ContainerGroups,
    /// Of one step.
    timeout: Duration,
    /// What tells the template from another.
    template_hash: String,
    redactor: Redactor,
}

impl fmt::Debug for AciUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AciUpdate").field("name", &self.name).finish_non_exhaustive()
    }
}

impl AciUpdate {
    /// `timeout` is what one step may take.
    #[must_use]
    pub fn new(name: String, settings: Settings, arm: Arm, timeout: Duration) -> Self {
        let (document, template_hash) = match &settings.how {
            How::Template(template) => (Some(template), plan::hash(template)),
            How::Patch { overlay } => (overlay.as_ref(), String::new()),
        };
        let secrets = document.map(secrets).unwrap_or_default();
        let (subscription, group) =
            (settings.subscription.clone(), settings.resource_group.clone());
        let groups = ContainerGroups::new(arm, subscription, group);
        Self { name, settings, groups, timeout, template_hash, redactor: Redactor::of(secrets) }
    }

    fn source(&self) -> Source<'_> {
        match &self.settings.how {
            How::Template(template) => Source::Template {
                template: template.expose(),
                hash: &self.template_hash,
                create: self.settings.create,
            },
            How::Patch { overlay } => {
                Source::Patch { overlay: overlay.as_ref().map(Document::expose) }
            }
        }
    }

    /// What is said is kept and shown, so it is one line without secrets.
    fn clean(&self, attempt: Attempt) -> Attempt {
        let keep = |text: String| self.redactor.keep(&text);
        match attempt {
            Attempt::Accepted { result, tells } => {
                Attempt::Accepted { result: result.map(keep), tells }
            }
            Attempt::Ongoing { after, progress, result } => {
                Attempt::Ongoing { after, progress, result: result.map(keep) }
            }
            Attempt::Refused { error, retry_after } => {
                Attempt::Refused { error: keep(error), retry_after }
            }
            Attempt::Unknown { error } => Attempt::Unknown { error: keep(error) },
            Attempt::Hopeless { error } => Attempt::Hopeless { error: keep(error) },
        }
    }
}

/// The texts of a document that must not be said again.
fn secrets(document: &Document) -> Vec<String> {
    let mut secrets = document::secrets(document.expose());
    secrets.extend(document.filled().iter().map(|text| text.expose().to_owned()));
    secrets
}

#[async_trait]
impl Sink for AciUpdate {
    fn name(&self) -> &str {
        &self.name
    }

    fn deploys(&self) -> bool {
        true
    }

    fn target(&self, image: &Image) -> Option<Target> {
        let id = self.groups.id(&self.settings.container_group);
        let part = match self.settings.how {
            How::Template(_) => String::new(),
            How::Patch { .. } => {
                let registry = image.registry.as_ref().map(|registry| registry.as_str());
                format!("{}/{}", registry.unwrap_or_default(), image.repository.as_str())
            }
        };
        Some(Target { id, part })
    }

    async fn deliver(&self, parcel: Parcel<'_>) -> Attempt {
        let Settings { pin, allowed, .. } = &self.settings;
        let attempt = match Wanted::of(parcel.push, *pin, allowed) {
            Ok(wanted) => Step::new(self, &wanted, parcel).run().await,
            Err(error) => Attempt::Hopeless { error },
        };
        self.clean(attempt)
    }
}
