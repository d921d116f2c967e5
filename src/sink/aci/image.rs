//! Images as container groups name them, and the one that is to run.

use crate::config::{Allowed, Pin};
use fan_in::{Action, Image, Push, Registry, Repository};

/// How Docker's own registry is spelt in a container group.
const DOCKER_HUB: [&str; 4] =
    ["docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"];

/// An image as a text names it, whatever spelling it uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference<'a> {
    registry: Registry,
    repository: Repository,
    /// Everything before the tag and the digest, as it is written.
    name: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// None when the text names no image in a registry that a push can come from.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            // A colon before the last slash is a port's.
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        let is_host = |part: &str| part.contains(['.', ':']) || part == "localhost";
        let (host, path) = match name.split_once('/') {
            Some((host, path)) if is_host(host) => (Some(host), path),
            _ => (None, name),
        };
        let registry = match host.map(str::to_ascii_lowercase) {
            None => Registry::docker_hub(),
            Some(host) if DOCKER_HUB.contains(&host.as_str()) => Registry::docker_hub(),
            // Another port is another registry, and a push does not tell its port.
            Some(host) if host.split_once(':').is_some_and(|(_, port)| port != "443") => {
                return None;
            }
            Some(host) => Registry::parse(&host).ok()?,
        };
        let repository = Repository::parse(&full(&registry, path)).ok()?;
        Some(Self { registry, repository, name, tag, digest })
    }

    pub(super) fn is_of(&self, wanted: &Wanted) -> bool {
        self.registry == wanted.registry && self.repository == wanted.full_repository()
    }

    /// The same content by the same name; a digest says all, and no tag means `latest`.
    fn same(&self, other: &Reference<'_>) -> bool {
        let by = |reference: &Reference<'_>| match reference.digest {
            Some(digest) => format!("@{digest}"),
            None => format!(":{}", reference.tag.unwrap_or("latest")),
        };
        (&self.registry, &self.repository, by(self))
            == (&other.registry, &other.repository, by(other))
    }
}

/// The official images of Docker Hub are written without their namespace.
fn full(registry: &Registry, path: &str) -> String {
    if registry.as_str() == Registry::DOCKER_HUB && !path.contains('/') {
        format!("library/{path}")
    } else {
        path.to_owned()
    }
}

/// Do the two texts name the same image?
pub(super) fn are_same(a: &str, b: &str) -> bool {
    match (Reference::parse(a), Reference::parse(b)) {
        (Some(one), Some(other)) => one.same(&other),
        _ => a == b,
    }
}

/// The image that is to run: its registry is the settings', the rest the push's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sink) struct Wanted {
    registry: Registry,
    repository: Repository,
    /// `:tag` or `@digest`.
    version: String,
    /// It is named by its digest.
    pub(super) pinned: bool,
    /// What tells this push of the image from the others: its digest, or when it was pushed.
    pub(super) mark: String,
}

impl Wanted {
    /// # Errors
    /// With a sentence that says why this push is nothing that may run.
    pub(in crate::sink) fn of(push: &Push, pin: Pin, allowed: &Allowed) -> Result<Self, String> {
        let Image { action, registry, repository, tag, digest } = &push.image;
        if *action != Action::Push {
            return Err(format!("a {} brings no image that could run", action.as_str()));
        }
        let Allowed { registries, repositories } = allowed;
        let known = registry.as_ref().and_then(|r| registries.iter().find(|other| *other == r));
        let Some(registry) = known else {
            return Err("the image's registry is not in FANIN_REGISTRIES".to_owned());
        };
        if !repositories.iter().any(|glob| glob.matches(repository.as_str())) {
            return Err("the image's repository is not in FANIN_REPOSITORIES".to_owned());
        }
        let (version, pinned) = match (pin, tag, digest) {
            (Pin::Digest, _, Some(digest)) | (Pin::Tag, None, Some(digest)) => {
                (format!("@{}", digest.as_str()), true)
            }
            (_, Some(tag), _) => (format!(":{}", tag.as_str()), false),
            (_, None, None) => return Err("the push has neither digest nor tag".to_owned()),
        };
        let mark = match digest {
            Some(digest) => digest.as_str().to_owned(),
            None if push.origin.event_id.is_empty() => push.origin.timestamp.clone(),
            None => push.origin.event_id.clone(),
        };
        let (registry, repository) = (registry.clone(), repository.clone());
        Ok(Self { registry, repository, version, pinned, mark })
    }

    fn full_repository(&self) -> Repository {
        Repository::parse(&full(&self.registry, self.repository.as_str()))
            .unwrap_or_else(|_| self.repository.clone())
    }

    /// `<registry>/<repository>`
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.registry.as_str(), self.repository.as_str())
    }

    /// `<registry>/<repository>:<tag>` or `…@<digest>`
    pub(in crate::sink) fn image(&self) -> String {
        self.name() + &self.version
    }

    /// In the place of another image of the repository. Docker Hub keeps the spelling that is there, since a
    /// credential goes by it.
    pub(super) fn in_place_of(&self, other: &Reference<'_>) -> String {
        if self.registry.as_str() == Registry::DOCKER_HUB {
            format!("{}{}", other.name, self.version)
        } else {
            self.image()
        }
    }
}
