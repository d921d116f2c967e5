//! What is decided without Azure.

mod document;
mod health;
mod image;
mod losses;
mod plan;
mod progress;

use super::image::Wanted;
use crate::config::{Allowed, Pin};
use fan_in::{
    Action, ContentId, Digest, Glob, Image, Origin, Push, PushId, RegionSet, Registry, Repository,
    Shard, Status, Tag, Timestamp,
};

const DIGEST: &str = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

/// Of an image such as `r.azurecr.io/shop/web:v1`, which has a digest unless it is of Docker Hub.
fn push(image: &str) -> Push {
    let (registry, rest) = image.split_once('/').unwrap();
    let (repository, tag) = rest.split_once(':').unwrap();
    let registry = Registry::parse(registry).unwrap();
    let hub = registry == Registry::docker_hub();
    let origin = Origin { event_id: "1417566161".to_owned(), ..Origin::default() };
    Push {
        id: PushId { shard: Shard::of(0), content: ContentId([0; 16]), generation: 1 },
        image: Image {
            action: Action::Push,
            registry: Some(registry),
            repository: Repository::parse(repository).unwrap(),
            tag: Some(Tag::parse(tag).unwrap()),
            digest: (!hub).then(|| Digest::parse(DIGEST).unwrap()),
        },
        origin,
        expected: RegionSet::new(),
        arrivals: Vec::new(),
        repeats: Vec::new(),
        status: Status::Completed,
        first_seen: Timestamp::ZERO,
        deadline: Timestamp::ZERO,
        decided_at: None,
        missed: RegionSet::new(),
        notices: Vec::new(),
        hold_until: Timestamp::ZERO,
    }
}

fn allowed() -> Allowed {
    let registries = ["r.azurecr.io", "docker.io"].map(|name| Registry::parse(name).unwrap());
    let repositories = ["shop/*", "library/*", "nginx"].map(Glob::new);
    Allowed { registries: registries.into(), repositories: repositories.into() }
}

fn wanted(image: &str, pin: Pin) -> Wanted {
    Wanted::of(&push(image), pin, &allowed()).unwrap()
}
