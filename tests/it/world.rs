//! The use cases over memory: a clock that the test moves, and sinks that do as they are told.

use acr_fanin::app::{App, Bell, Parts, Recorded};
use acr_fanin::intake::Event;
use acr_fanin::ports::{Op, Parcel, Row, Rows, Sink, StoreError, Target, Version};
use acr_fanin::store::Store;
use acr_fanin::store::memory::Memory;
use async_trait::async_trait;
use fan_in::NoticeKind::{Completed, DeployFailed, Deployed, Recovered, RegionReady, TimedOut};
use fan_in::{
    Action, Attempt, Channel, Correlation, Digest, Image, NoticeKind, Origin, Policy, Push, PushId,
    Region, RegionSet, Registry, Repository, Retry, Shard, Subscription, Tag, Timestamp,
};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const WITHIN: Duration = Duration::from_secs(3);

/// A sink that answers as planned, and accepts when nothing is planned.
#[derive(Debug)]
pub(crate) struct Plan {
    name: &'static str,
    kinds: Vec<NoticeKind>,
    deploys: bool,
    /// It can say whether it has begun.
    follows: bool,
    /// The container group that it deploys to.
    target: Option<&'static str>,
    /// Of notices about one region, it hears those about this one.
    region: Option<&'static str>,
    takes: Duration,
    answers: Mutex<VecDeque<Attempt>>,
    heard: Mutex<Vec<String>>,
}

impl Plan {
    fn made(name: &'static str, kinds: &[NoticeKind]) -> Self {
        let (answers, heard) = Default::default();
        let (kinds, takes) = (kinds.to_vec(), Duration::ZERO);
        let (deploys, follows, target, region) = Default::default();
        Self { name, kinds, deploys, follows, target, region, takes, answers, heard }
    }

    pub(crate) fn ready(name: &'static str) -> Arc<Self> {
        Arc::new(Self::made(name, &[RegionReady, Completed, TimedOut, Recovered]))
    }

    pub(crate) fn slow(name: &'static str, takes: Duration) -> Arc<Self> {
        Arc::new(Self { takes, ..Self::made(name, &[Completed, TimedOut, Recovered]) })
    }

    pub(crate) fn new(name: &'static str) -> Arc<Self> {
        Self::slow(name, Duration::ZERO)
    }

    pub(crate) fn deploying(name: &'static str) -> Arc<Self> {
        Arc::new(Self { deploys: true, ..Self::made(name, &[Completed, Recovered]) })
    }

    /// One that deploys and can say whether it has begun.
    pub(crate) fn following(name: &'static str) -> Arc<Self> {
        let plan = Self::made(name, &[Completed, Recovered]);
        Arc::new(Self { deploys: true, follows: true, ..plan })
    }

    pub(crate) fn deploying_to(name: &'static str, target: &'static str) -> Arc<Self> {
        let plan = Self::made(name, &[Completed, Recovered]);
        Arc::new(Self { deploys: true, target: Some(target), ..plan })
    }

    /// One that deploys when the image is in its region.
    pub(crate) fn deploying_at(
        name: &'static str,
        target: &'static str,
        region: &'static str,
    ) -> Arc<Self> {
        let plan = Self::made(name, &[RegionReady]);
        Arc::new(Self { deploys: true, target: Some(target), region: Some(region), ..plan })
    }

    /// One that wants to know what became of deployments.
    pub(crate) fn reporter(name: &'static str) -> Arc<Self> {
        Arc::new(Self::made(name, &[Deployed, DeployFailed]))
    }

    pub(crate) fn will(&self, attempt: Attempt) {
        self.answers.lock().unwrap().push_back(attempt);
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

#[async_trait]
impl Sink for Plan {
    fn name(&self) -> &str {
        self.name
    }

    fn deploys(&self) -> bool {
        self.deploys
    }

    fn follows(&self) -> bool {
        self.follows
    }

    fn target(&self, image: &Image) -> Option<Target> {
        let part = image.repository.as_str().to_owned();
        self.target.map(|id| Target { id: id.to_owned(), part })
    }

    async fn deliver(&self, parcel: Parcel<'_>) -> Attempt {
        let repeat = if parcel.claim.repeat { " (repeat)" } else { "" };
        let region = parcel.notice.region.as_ref().map(|r| format!(" {r}")).unwrap_or_default();
        let outdated = if parcel.outdated { " (outdated)" } else { "" };
        let mut line = format!("{}{region}{repeat}{outdated}", parcel.notice.kind.as_str());
        if let Some(tag) = parcel.push.image.tag.as_ref().filter(|_| self.target.is_some()) {
            line = format!("{} {}", tag.as_str(), parcel.claim.progress.as_deref().unwrap_or("-"));
        }
        if let Some(detail) = &parcel.notice.detail {
            line = format!("{line}: {detail}");
        }
        self.heard.lock().unwrap().push(line);
        tokio::time::sleep(self.takes).await;
        let planned = self.answers.lock().unwrap().pop_front();
        planned.unwrap_or(Attempt::Accepted { result: None, tells: None })
    }
}

pub(crate) fn refused() -> Attempt {
    Attempt::Refused { error: "HTTP 503".to_owned(), retry_after: None }
}

/// Memory that can be made to take its time.
#[derive(Clone, Debug)]
pub(crate) struct Slow {
    memory: Memory,
    pause: Arc<Mutex<Duration>>,
}

impl Slow {
    pub(crate) fn slow_down(&self, pause: Duration) {
        *self.pause.lock().unwrap() = pause;
    }

    pub(crate) fn dump(&self) -> Vec<(Shard, Row)> {
        self.memory.dump()
    }

    async fn pause(&self) {
        let pause = *self.pause.lock().unwrap();
        tokio::time::sleep(pause).await;
    }
}

#[async_trait]
impl Rows for Slow {
    fn now(&self) -> Timestamp {
        self.memory.now()
    }

    async fn get(&self, shard: Shard, key: &str) -> Result<Option<Row>, StoreError> {
        self.memory.get(shard, key).await
    }

    async fn range(
        &self,
        shard: Shard,
        from: &str,
        below: &str,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.memory.range(shard, from, below, limit).await
    }

    async fn write(&self, shard: Shard, ops: Vec<Op>) -> Result<Vec<Version>, StoreError> {
        self.pause().await;
        self.memory.write(shard, ops).await
    }
}

/// One deployment of the product that outlives its processes.
pub(crate) struct World {
    clock: Arc<AtomicI64>,
    pub(crate) rows: Slow,
    pub(crate) sinks: Vec<Arc<Plan>>,
    pub(crate) app: App,
}

pub(crate) fn region(name: &str) -> Region {
    Region::parse(name).unwrap()
}

fn app(rows: &Slow, regions: &[&str], sinks: &[Arc<Plan>]) -> App {
    let regions: RegionSet = regions.iter().map(|name| region(name)).collect();
    let subscriptions = sinks.iter().map(|sink| Subscription {
        sink: sink.name.to_owned(),
        kinds: sink.kinds.clone(),
        region: sink.region.map(region),
        actions: Action::ALL.to_vec(),
        repositories: vec![],
        tags: vec![],
        failure: sink.target.map(|_| DeployFailed),
    });
    App::new(Parts {
        store: Store::new(Arc::new(rows.clone()), regions.clone()),
        policy: Policy {
            regions,
            timeout: 10 * MINUTE,
            correlation: Correlation::Auto,
            subscriptions: subscriptions.collect(),
        },
        retry: Retry(vec![Duration::from_secs(5), Duration::from_secs(30)]),
        sink_timeout: Duration::from_secs(15),
        retention: 30 * 24 * 60 * MINUTE,
        sinks: sinks.iter().map(|sink| Arc::clone(sink) as Arc<dyn Sink>).collect(),
    })
}

impl World {
    pub(crate) fn new(regions: &[&'static str], sinks: &[&Arc<Plan>]) -> Self {
        let sinks: Vec<_> = sinks.iter().map(|sink| Arc::clone(sink)).collect();
        let clock = Arc::new(AtomicI64::new(1_795_000_000_000));
        let reader = Arc::clone(&clock);
        let rows = Slow {
            memory: Memory::new(move || Timestamp::from_millis(reader.load(Ordering::Relaxed))),
            pause: Arc::default(),
        };
        let app = app(&rows, regions, &sinks);
        Self { clock, rows, sinks, app }
    }

    /// The process is gone and another one starts, maybe with other regions.
    pub(crate) fn restart(&mut self, regions: &[&'static str]) {
        self.app = app(&self.rows, regions, &self.sinks);
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.load(Ordering::Relaxed))
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    pub(crate) fn event(&self, tag: &str, digest: char, region_name: &str, id: &str) -> Event {
        Event {
            image: Image {
                action: Action::Push,
                registry: Some(Registry::parse("r.azurecr.io").unwrap()),
                repository: Repository::parse("app").unwrap(),
                tag: Some(Tag::parse(tag).unwrap()),
                digest: Some(
                    Digest::parse(&format!("sha256:{}", digest.to_string().repeat(64))).unwrap(),
                ),
            },
            origin: Origin { event_id: id.to_owned(), ..Origin::default() },
            region: region(region_name),
            event_time: Some(self.now()),
            id: id.to_owned(),
            channel: Channel::Webhook,
        }
    }

    pub(crate) async fn arrive_as(
        &self,
        tag: &str,
        digest: char,
        region: &str,
        id: &str,
    ) -> Recorded {
        self.app.record_arrival(&self.event(tag, digest, region, id), None, WITHIN).await.unwrap()
    }

    pub(crate) async fn arrive(&self, tag: &str, digest: char, region: &str) -> Recorded {
        self.arrive_as(tag, digest, region, &format!("{digest}{tag}")).await
    }

    pub(crate) async fn tick(&self) -> Vec<PushId> {
        let bells = self.app.sweep().await.unwrap().bells.into_iter();
        bells.filter_map(Bell::push).collect()
    }

    /// A tick, and everything that it rings for.
    pub(crate) async fn pump(&self) {
        for push in self.tick().await {
            self.app.deliver(push).await.unwrap();
        }
    }

    pub(crate) async fn push(&self, id: PushId) -> Push {
        self.app.push(id).await.unwrap().unwrap()
    }

    pub(crate) fn markers(&self) -> usize {
        self.rows.dump().iter().filter(|(_, row)| row.key.starts_with('!')).count()
    }
}
