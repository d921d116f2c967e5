//! Deployments against a fake Azure: the traps that the real one has.

mod containers;
mod faults;
mod patch;
mod refusals;
mod template;

use super::{Story, digest};
use crate::azure::Arm;
use crate::config::{AciUpdate as Settings, Allowed, Azure, Document, How, Identity, Pin};
use crate::ports::{Parcel, Sink as _};
use crate::secret::Secret;
use crate::sink::aci::AciUpdate;
use azure_fake::{Change, Fake, Follow, Operations, samples};
use fan_in::{Attempt, Glob, NoticeKind, Timestamp};
use serde_json::Value;
use std::time::Duration;

/// The push's repository with another tag.
const OLD: &str = "myregistry.azurecr.io/hello-world:v0";
const WATCH: Duration = Duration::from_secs(30);
/// Long enough for every request, and too short to wait in: Azure asks for 10 s.
const STEP: Duration = Duration::from_secs(8);

fn new_image() -> String {
    format!("myregistry.azurecr.io/hello-world@{}", digest())
}

/// A group `web`, a sink that deploys to it, and a push.
struct Stage {
    fake: Fake,
    arm: Arm,
    story: Story,
    settings: Settings,
    step: Duration,
    now: Timestamp,
}

impl Stage {
    /// With nothing in the resource group.
    async fn empty(how: How) -> Self {
        let fake = Fake::start().await;
        fake.operations(operations());
        let story = Story::completed();
        let allowed = Allowed {
            registries: vec![
                story.push.image.registry.clone().unwrap(),
                fan_in::Registry::docker_hub(),
            ],
            repositories: vec![Glob::new("*")],
        };
        let settings = Settings {
            subscription: azure_fake::SUBSCRIPTION.to_owned(),
            resource_group: azure_fake::RESOURCE_GROUP.to_owned(),
            container_group: "web".to_owned(),
            how,
            pin: Pin::Digest,
            create: false,
            watch: WATCH,
            allowed,
        };
        let now = story.parcel().now;
        let arm = Arm::new(&azure(&fake)).unwrap();
        Self { fake, arm, story, settings, step: STEP, now }
    }

    /// With the group in place, which is patched.
    async fn with(group: Value) -> Self {
        let stage = Self::empty(How::Patch { overlay: None }).await;
        stage.fake.place(group);
        stage
    }

    async fn running(image: &str) -> Self {
        Self::with(samples::group("web", image)).await
    }

    fn overlaid(mut self, overlay: Value, filled: &[&str]) -> Self {
        let filled = filled.iter().map(|text| Secret::new(*text)).collect();
        self.settings.how = How::Patch { overlay: Some(Document::new(overlay, filled)) };
        self
    }

    fn sink(&self) -> AciUpdate {
        AciUpdate::new("web".to_owned(), self.settings.clone(), self.arm.clone(), self.step)
    }

    /// One step; time stands still.
    async fn step(&self) -> Attempt {
        let Story { push, notice, claim } = &self.story;
        let parcel = Parcel { push, notice, claim, now: self.now, outdated: false };
        self.sink().deliver(parcel).await
    }

    /// Step after step, each as if another process made it, until it is over. Pauses between steps pass by the
    /// clock of the store alone.
    async fn play(&mut self) -> Attempt {
        self.story.claim.progress = None;
        for _ in 0..500 {
            match self.step().await {
                Attempt::Ongoing { after, progress, result } => {
                    assert!(result.is_some(), "the status page has nothing to say");
                    let progress = progress.expect("the next step has nothing to go on with");
                    assert!(progress.len() <= crate::limits::PROGRESS_MAX);
                    assert!(!progress.contains("canary"), "{progress}");
                    self.story.claim.progress = Some(progress);
                    self.now = self.now + after;
                }
                attempt => {
                    self.story.claim.progress = None;
                    self.story.claim.attempt += 1;
                    self.story.claim.repeat |= matches!(attempt, Attempt::Unknown { .. });
                    return attempt;
                }
            }
        }
        panic!("it never ends");
    }

    /// Plays, and expects a deployment with this result.
    async fn deploys(&mut self, result: &str) {
        let attempt = self.play().await;
        assert_eq!(attempt, told(result, NoticeKind::Deployed));
        assert_eq!(self.fake.group("web").overlaps(), 0);
    }

    fn history(&self) -> Vec<Change> {
        self.fake.history("web")
    }

    fn puts(&self) -> usize {
        self.history().iter().filter(|change| change.how == azure_fake::How::Put).count()
    }
}

fn azure(fake: &Fake) -> Azure {
    Azure {
        identity: Identity::ClientSecret {
            tenant_id: azure_fake::TENANT_ID.to_owned(),
            client_id: azure_fake::CLIENT_ID.to_owned(),
            secret: Secret::new(azure_fake::CLIENT_SECRET),
        },
        subscription_id: None,
        resource_group: None,
        resource_manager: Some(fake.arm_url().parse().unwrap()),
        authority_host: Some(fake.authority_url().parse().unwrap()),
    }
}

/// They are seen under way once, and Azure does not say when to ask again.
fn operations() -> Operations {
    Operations::by(Follow::AsyncOperation).retry_after_s(None)
}

fn told(result: &str, kind: NoticeKind) -> Attempt {
    Attempt::Accepted { result: Some(result.to_owned()), tells: Some(kind) }
}

fn hopeless(attempt: Attempt) -> String {
    match attempt {
        Attempt::Hopeless { error } => error,
        attempt => panic!("{attempt:?}"),
    }
}

fn refused(attempt: Attempt) -> (String, Option<Duration>) {
    match attempt {
        Attempt::Refused { error, retry_after } => (error, retry_after),
        attempt => panic!("{attempt:?}"),
    }
}
