//! The sinks against real servers on this machine.

mod aci;
mod build;
mod client;
mod job;
mod log;
mod server;
mod slack;
mod teams;
mod text;
mod webhook;

use crate::ports::{Parcel, Sink};
use fan_in::{
    Action, Arrival, Attempt, Channel, Channels, Claim, ContentId, Digest, Image, Notice,
    NoticeKind, Origin, Push, PushId, Region, RegionSet, Registry, Repository, Shard, Status, Tag,
    Timestamp,
};
use std::time::Duration;

/// 2026-11-20T10:00:00.250Z
const FIRST_SEEN: Timestamp = Timestamp::from_millis(1_795_168_800_250);
const TIMESTAMP: &str = "2026-11-20T09:59:58.123456789Z";

fn after(seconds: u64) -> Timestamp {
    FIRST_SEEN + Duration::from_secs(seconds)
}

fn region(name: &str) -> Region {
    Region::parse(name).unwrap()
}

fn regions(names: &[&str]) -> RegionSet {
    names.iter().map(|name| region(name)).collect()
}

fn digest() -> String {
    format!("sha256:{}", "0f".repeat(32))
}

/// Everything a parcel borrows.
#[derive(Clone, Debug)]
struct Story {
    push: Push,
    notice: Notice,
    claim: Claim,
}

impl Story {
    /// Four regions, the last of them after 41 s.
    fn completed() -> Self {
        let names = ["eastus", "westus", "northeurope", "westeurope"];
        let arrivals = names.iter().zip([0, 9, 12, 41]).map(|(name, seconds)| Arrival {
            region: region(name),
            received: after(seconds),
            event_time: None,
            ids: Vec::new(),
            channels: Channels::only(Channel::Webhook),
            late: false,
        });
        let push = Push {
            id: PushId {
                shard: Shard::of(3),
                content: ContentId([0xa5; 16]),
                generation: 1_795_168_800_250,
            },
            image: Image {
                action: Action::Push,
                registry: Some(Registry::parse("myregistry.azurecr.io").unwrap()),
                repository: Repository::parse("hello-world").unwrap(),
                tag: Some(Tag::parse("v1").unwrap()),
                digest: Some(Digest::parse(&digest()).unwrap()),
            },
            origin: Origin {
                event_id: "cb8c3971-9adc-488b-bdd8-43cbb4974ff5".into(),
                timestamp: TIMESTAMP.into(),
                media_type: Some("application/vnd.docker.distribution.manifest.v2+json".into()),
                size: Some(524),
                request_id: Some("3cbb6949-7549-4fa1-86cd-a6d5451dffc7".into()),
                method: Some("PUT".into()),
                user_agent: Some("docker/17.09.0-ce go/go1.8.3".into()),
                name: None,
                version: None,
            },
            expected: regions(&names),
            arrivals: arrivals.collect(),
            repeats: Vec::new(),
            status: Status::Completed,
            first_seen: FIRST_SEEN,
            deadline: after(600),
            decided_at: Some(after(41)),
            missed: RegionSet::new(),
            notices: Vec::new(),
            hold_until: Timestamp::ZERO,
        };
        let notice = Notice {
            kind: NoticeKind::Completed,
            region: None,
            at: after(41),
            regions: 4,
            missing: RegionSet::new(),
            cause: None,
            detail: None,
            deliveries: Vec::new(),
        };
        let claim =
            Claim { notice: 1, sink: "sink".into(), attempt: 1, repeat: false, progress: None };
        Self { push, notice, claim }
    }

    fn timed_out() -> Self {
        let mut story = Self::completed();
        story.push.status = Status::TimedOut;
        story.push.arrivals.pop();
        story.notice.kind = NoticeKind::TimedOut;
        story.notice.missing = regions(&["westeurope"]);
        story.notice.at = after(603);
        story
    }

    fn recovered() -> Self {
        let mut story = Self::completed();
        story.push.status = Status::Recovered;
        story.push.arrivals[3].received = after(1_020);
        story.notice.kind = NoticeKind::Recovered;
        story.notice.missing = regions(&["westeurope"]);
        story.notice.at = after(1_020);
        story
    }

    fn region_ready(name: &str, seconds: u64) -> Self {
        let mut story = Self::completed();
        story.notice.kind = NoticeKind::RegionReady;
        story.notice.region = Some(region(name));
        story.notice.at = after(seconds);
        story
    }

    /// A delete has no tag.
    fn deleted(mut self) -> Self {
        self.push.image.action = Action::Delete;
        self.push.image.tag = None;
        self
    }

    fn repeated(mut self) -> Self {
        self.claim.repeat = true;
        self
    }

    fn stamped(mut self, timestamp: &str) -> Self {
        self.push.origin.timestamp = timestamp.into();
        self
    }

    fn parcel(&self) -> Parcel<'_> {
        let Self { push, notice, claim } = self;
        Parcel { push, notice, claim, now: after(45), outdated: false }
    }

    async fn told(&self, sink: &dyn Sink) -> Attempt {
        sink.deliver(self.parcel()).await
    }
}

/// What an attempt came to, in a word.
fn word(attempt: &Attempt) -> &'static str {
    match attempt {
        Attempt::Accepted { .. } => "accepted",
        Attempt::Ongoing { .. } => "ongoing",
        Attempt::Refused { .. } => "refused",
        Attempt::Unknown { .. } => "unknown",
        Attempt::Hopeless { .. } => "hopeless",
    }
}

fn error(attempt: Attempt) -> String {
    match attempt {
        Attempt::Refused { error, .. }
        | Attempt::Unknown { error }
        | Attempt::Hopeless { error } => error,
        Attempt::Accepted { .. } => panic!("accepted"),
        Attempt::Ongoing { .. } => panic!("ongoing"),
    }
}
