//! The use cases over memory, with a clock that the test moves and sinks that do as they are told.

use acr_fanin::app::{App, Parts, Recorded};
use acr_fanin::intake::Event;
use acr_fanin::ports::{Parcel, Sink};
use acr_fanin::store::Store;
use acr_fanin::store::memory::Memory;
use async_trait::async_trait;
use fan_in::{
    Action, Attempt, Channel, Correlation, Digest, Image, NoticeKind, Origin, Policy, Push, PushId,
    Region, RegionSet, Registry, Repository, Retry, State, Status, Subscription, Tag, Timestamp,
    Verdict,
};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const WITHIN: Duration = Duration::from_secs(3);

/// A sink that answers as planned, and accepts when nothing is planned.
#[derive(Debug)]
struct Plan {
    name: &'static str,
    deploys: bool,
    answers: Mutex<VecDeque<Attempt>>,
    heard: Mutex<Vec<String>>,
}

impl Plan {
    fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Self { name, deploys: false, answers: Mutex::default(), heard: Mutex::default() })
    }

    fn deploying(name: &'static str) -> Arc<Self> {
        Arc::new(Self { name, deploys: true, answers: Mutex::default(), heard: Mutex::default() })
    }

    fn will(&self, attempt: Attempt) {
        self.answers.lock().unwrap().push_back(attempt);
    }

    fn heard(&self) -> Vec<String> {
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

    async fn deliver(&self, parcel: Parcel<'_>) -> Attempt {
        let repeat = if parcel.claim.repeat { " (repeat)" } else { "" };
        let region = parcel.notice.region.as_ref().map(|r| format!(" {r}")).unwrap_or_default();
        let line = format!("{}{region}{repeat}", parcel.notice.kind.as_str());
        self.heard.lock().unwrap().push(line);
        let planned = self.answers.lock().unwrap().pop_front();
        planned.unwrap_or(Attempt::Accepted { result: None })
    }
}

fn refused() -> Attempt {
    Attempt::Refused { error: "HTTP 503".to_owned(), retry_after: None }
}

/// One deployment of the product that outlives its processes.
struct World {
    clock: Arc<AtomicI64>,
    rows: Memory,
    sinks: Vec<Arc<Plan>>,
    app: App,
}

fn region(name: &str) -> Region {
    Region::parse(name).unwrap()
}

fn app(rows: &Memory, regions: &[&str], sinks: &[Arc<Plan>]) -> App {
    let regions: RegionSet = regions.iter().map(|name| region(name)).collect();
    let all = [
        NoticeKind::RegionReady,
        NoticeKind::Completed,
        NoticeKind::TimedOut,
        NoticeKind::Recovered,
    ];
    let subscriptions = sinks.iter().map(|sink| Subscription {
        sink: sink.name.to_owned(),
        kinds: if sink.deploys {
            vec![NoticeKind::Completed, NoticeKind::Recovered]
        } else {
            all[1..].to_vec()
        },
        region: None,
        actions: Action::ALL.to_vec(),
        repositories: vec![],
        tags: vec![],
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
    fn new(regions: &[&'static str], sinks: &[&Arc<Plan>]) -> Self {
        let sinks: Vec<_> = sinks.iter().map(|sink| Arc::clone(sink)).collect();
        let clock = Arc::new(AtomicI64::new(1_795_000_000_000));
        let reader = Arc::clone(&clock);
        let rows = Memory::new(move || Timestamp::from_millis(reader.load(Ordering::Relaxed)));
        let app = app(&rows, regions, &sinks);
        Self { clock, rows, sinks, app }
    }

    /// The process is gone and another one starts, maybe with other regions.
    fn restart(&mut self, regions: &[&'static str]) {
        self.app = app(&self.rows, regions, &self.sinks);
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.load(Ordering::Relaxed))
    }

    fn pass(&self, time: Duration) {
        self.clock.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    fn event(&self, tag: &str, digest: char, region_name: &str, id: &str) -> Event {
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

    async fn arrive_as(&self, tag: &str, digest: char, region: &str, id: &str) -> Recorded {
        self.app.record_arrival(&self.event(tag, digest, region, id), None, WITHIN).await.unwrap()
    }

    async fn arrive(&self, tag: &str, digest: char, region: &str) -> Recorded {
        self.arrive_as(tag, digest, region, &format!("{digest}{tag}")).await
    }

    async fn tick(&self) -> Vec<PushId> {
        self.app.sweep().await.unwrap().bells
    }

    /// A tick, and everything that it rings for.
    async fn pump(&self) {
        for push in self.tick().await {
            self.app.deliver(push).await.unwrap();
        }
    }

    async fn push(&self, id: PushId) -> Push {
        self.app.push(id).await.unwrap().unwrap()
    }

    fn markers(&self) -> usize {
        self.rows.dump().iter().filter(|(_, row)| row.key.starts_with('!')).count()
    }
}

const THREE: [&str; 3] = ["northeurope", "westeurope", "eastus"];

#[tokio::test]
async fn the_last_arrival_completes_the_push_without_any_timer() {
    let slack = Plan::new("slack");
    let world = World::new(&THREE, &[&slack]);
    assert_eq!(world.arrive("v1", 'a', "northeurope").await.verdict, Verdict::Recorded);
    assert_eq!(world.arrive("v1", 'a', "westeurope").await.verdict, Verdict::Recorded);
    let last = world.arrive("v1", 'a', "eastus").await;
    assert_eq!(
        (last.verdict, last.ring, last.push.status),
        (Verdict::Completed, true, Status::Completed)
    );
    world.app.deliver(last.push.id).await.unwrap();
    assert_eq!(slack.heard(), ["completed"]);
    assert_eq!(world.markers(), 0, "nothing is left to do");
    assert_eq!(world.tick().await, []);
}

#[tokio::test]
async fn a_second_bell_and_a_second_webhook_change_nothing() {
    let slack = Plan::new("slack");
    let world = World::new(&["westeurope"], &[&slack]);
    let push = world.arrive("v1", 'a', "westeurope").await.push.id;
    for _ in 0..3 {
        world.app.deliver(push).await.unwrap();
    }
    assert_eq!(slack.heard(), ["completed"]);
    let again = world.arrive("v1", 'a', "westeurope").await;
    assert_eq!((again.verdict, again.ring, again.push.id), (Verdict::Duplicate, false, push));
}

#[tokio::test]
async fn a_push_that_times_out_names_what_is_missing_and_recovers_once() {
    let slack = Plan::new("slack");
    let world = World::new(&THREE, &[&slack]);
    let push = world.arrive("v1", 'a', "northeurope").await.push.id;
    world.arrive("v1", 'a', "eastus").await;
    world.pass(10 * MINUTE - Duration::from_millis(1));
    assert_eq!(world.tick().await, []);
    world.pass(Duration::from_millis(1));
    world.pump().await;
    assert_eq!(slack.heard(), ["timed_out"]);
    let timed_out = world.push(push).await;
    assert_eq!(timed_out.status, Status::TimedOut);
    assert_eq!(timed_out.notices[0].missing, RegionSet::from([region("westeurope")]));
    let late = world.arrive("v1", 'a', "westeurope").await;
    assert_eq!((late.verdict, late.push.status), (Verdict::Recovered, Status::Recovered));
    world.app.deliver(push).await.unwrap();
    assert_eq!(slack.heard(), ["recovered"]);
    assert_eq!(world.push(push).await.decided_at, timed_out.decided_at);
    assert_eq!(world.markers(), 0);
}

#[tokio::test]
async fn arrivals_before_the_deadline_win_over_a_late_timer() {
    let world = World::new(&["westeurope", "eastus"], &[]);
    world.arrive("v1", 'a', "westeurope").await;
    world.pass(60 * MINUTE);
    let last = world.arrive("v1", 'a', "eastus").await;
    assert_eq!(last.verdict, Verdict::Completed, "nobody had decided");
    world.tick().await;
    assert_eq!(world.push(last.push.id).await.status, Status::Completed);
}

#[tokio::test]
async fn a_bell_that_nobody_heard_is_rung_by_the_timer_and_not_by_every_tick() {
    let slack = Plan::new("slack");
    let mut world = World::new(&["westeurope"], &[&slack]);
    world.tick().await;
    let push = world.arrive("v1", 'a', "westeurope").await.push.id;
    assert_eq!(world.tick().await, [], "whoever was told has half a minute");
    world.pass(Duration::from_secs(30));
    assert_eq!(world.tick().await, [push]);
    assert_eq!(world.tick().await, []);
    world.restart(&["westeurope"]);
    assert_eq!(
        world.tick().await,
        [push],
        "a new process does not wait for what an old one was told"
    );
    world.app.deliver(push).await.unwrap();
    assert_eq!(slack.heard(), ["completed"]);
}

#[tokio::test]
async fn a_failing_sink_is_tried_again_and_the_other_is_not_called_again() {
    let (good, bad) = (Plan::new("good"), Plan::new("bad"));
    bad.will(refused());
    bad.will(Attempt::Refused { error: "HTTP 429".to_owned(), retry_after: Some(MINUTE) });
    let world = World::new(&["westeurope"], &[&good, &bad]);
    world.tick().await;
    let push = world.arrive("v1", 'a', "westeurope").await.push.id;
    world.app.deliver(push).await.unwrap();
    assert_eq!((good.heard().len(), bad.heard().len()), (1, 1));
    world.pass(Duration::from_secs(5));
    world.pump().await;
    assert_eq!((good.heard().len(), bad.heard().len()), (0, 1));
    world.pass(Duration::from_secs(59));
    world.pump().await;
    assert_eq!(bad.heard().len(), 0, "the sink asked for a minute");
    world.pass(Duration::from_secs(1));
    world.pump().await;
    assert_eq!((good.heard().len(), bad.heard()), (0, vec!["completed".to_owned()]));
    assert_eq!(world.markers(), 0);
}

#[tokio::test]
async fn a_sink_that_never_accepts_ends_dead_and_visible() {
    let bad = Plan::new("bad");
    (0..3).for_each(|_| bad.will(refused()));
    let world = World::new(&["westeurope"], &[&bad]);
    let push = world.arrive("v1", 'a', "westeurope").await.push.id;
    world.app.deliver(push).await.unwrap();
    for _ in 0..5 {
        world.pass(MINUTE);
        world.pump().await;
    }
    assert_eq!(bad.heard().len(), 3);
    let delivery = &world.push(push).await.notices[0].deliveries[0];
    assert_eq!((delivery.state, delivery.attempts), (State::Dead, 3));
    assert_eq!(delivery.last_error.as_deref(), Some("HTTP 503"));
    assert_eq!(world.markers(), 0);
}

#[tokio::test]
async fn a_notice_to_a_sink_that_is_no_longer_configured_ends_dead() {
    let slack = Plan::new("slack");
    let mut world = World::new(&["westeurope"], &[&slack]);
    let push = world.arrive("v1", 'a', "westeurope").await.push.id;
    world.sinks.clear();
    world.restart(&["westeurope"]);
    world.pump().await;
    let delivery = &world.push(push).await.notices[0].deliveries[0];
    assert_eq!(delivery.state, State::Dead);
    assert!(delivery.last_error.as_deref().unwrap().contains("configured"));
}

#[tokio::test]
async fn an_attempt_without_an_answer_makes_the_next_one_a_repeat() {
    let slack = Plan::new("slack");
    slack.will(Attempt::Unknown { error: "no answer".to_owned() });
    let world = World::new(&["westeurope"], &[&slack]);
    let push = world.arrive("v1", 'a', "westeurope").await.push.id;
    world.app.deliver(push).await.unwrap();
    world.pass(Duration::from_secs(5));
    world.pump().await;
    assert_eq!(slack.heard(), ["completed", "completed (repeat)"]);
}

#[tokio::test]
async fn two_pushes_of_one_tag_the_older_one_is_superseded_in_silence() {
    let slack = Plan::new("slack");
    let world = World::new(&["westeurope", "eastus"], &[&slack]);
    let old = world.arrive("v1", 'a', "westeurope").await.push.id;
    world.pass(MINUTE);
    let new = world.arrive("v1", 'b', "westeurope").await.push.id;
    assert_eq!(world.arrive("v1", 'b', "eastus").await.verdict, Verdict::Completed);
    world.app.deliver(new).await.unwrap();
    assert_eq!(slack.heard(), ["completed"]);
    world.pass(10 * MINUTE);
    world.pump().await;
    assert_eq!(world.push(old).await.status, Status::Superseded);
    let late = world.arrive("v1", 'a', "eastus").await;
    assert_eq!(
        (late.verdict, late.push.status, late.ring),
        (Verdict::Late, Status::Superseded, false)
    );
    assert_eq!(slack.heard(), [""; 0]);
    assert_eq!(world.markers(), 0);
}

#[tokio::test]
async fn the_newer_push_of_a_tag_times_out_although_an_older_one_waits() {
    let world = World::new(&["westeurope", "eastus"], &[]);
    let old = world.arrive("v1", 'a', "westeurope").await.push.id;
    world.pass(MINUTE);
    let new = world.arrive("v1", 'b', "westeurope").await.push.id;
    world.pass(11 * MINUTE);
    world.tick().await;
    assert_eq!(world.push(old).await.status, Status::Superseded);
    assert_eq!(world.push(new).await.status, Status::TimedOut);
}

#[tokio::test]
async fn a_deploying_sink_never_hears_of_an_older_push_after_a_newer_one() {
    let (deploy, slack) = (Plan::deploying("deploy"), Plan::new("slack"));
    let world = World::new(&["westeurope", "eastus"], &[&deploy, &slack]);
    let old = world.arrive("v1", 'a', "westeurope").await.push.id;
    world.pass(MINUTE);
    world.arrive("v1", 'b', "westeurope").await;
    let new = world.arrive("v1", 'b', "eastus").await.push.id;
    world.app.deliver(new).await.unwrap();
    assert_eq!(world.arrive("v1", 'a', "eastus").await.verdict, Verdict::Completed);
    world.app.deliver(old).await.unwrap();
    assert_eq!((deploy.heard().len(), slack.heard().len()), (1, 2));
    let deliveries = &world.push(old).await.notices[0].deliveries;
    let to_deploy = deliveries.iter().find(|d| d.sink == "deploy").unwrap();
    assert_eq!((to_deploy.state, to_deploy.result.as_deref()), (State::Done, Some("superseded")));
    assert_eq!(world.markers(), 0);
}

#[tokio::test]
async fn a_push_that_turns_out_to_be_newer_than_it_looked_is_newer_for_a_deploying_sink_too() {
    let deploy = Plan::deploying("deploy");
    let world = World::new(&THREE, &[&deploy]);
    let begin = world.now();
    let arrive = async |digest, region, id, minute: u32| {
        let mut event = world.event("v1", digest, region, id);
        event.event_time = Some(begin + minute * MINUTE);
        world.app.record_arrival(&event, None, WITHIN).await.unwrap()
    };
    world.pass(5 * MINUTE);
    // An older push of the same content reported by one region; then the newer one takes its place.
    arrive('b', "westeurope", "b-0", 0).await;
    arrive('b', "eastus", "b-1", 5).await;
    assert_eq!(arrive('b', "westeurope", "b-1", 5).await.verdict, Verdict::Recorded);
    let new = arrive('b', "northeurope", "b-1", 5).await;
    assert_eq!(new.verdict, Verdict::Completed);
    world.app.deliver(new.push.id).await.unwrap();
    for region in ["westeurope", "eastus"] {
        arrive('a', region, "a", 1).await;
    }
    let old = arrive('a', "northeurope", "a", 1).await;
    assert_eq!(old.verdict, Verdict::Completed);
    world.app.deliver(old.push.id).await.unwrap();
    assert_eq!(deploy.heard(), ["completed"]);
    assert_eq!(
        world.push(old.push.id).await.notices[0].deliveries[0].result.as_deref(),
        Some("superseded")
    );
}

#[tokio::test]
async fn a_region_that_is_removed_is_no_longer_waited_for_after_a_restart() {
    let slack = Plan::new("slack");
    let mut world = World::new(&THREE, &[&slack]);
    let push = world.arrive("v1", 'a', "northeurope").await.push.id;
    world.arrive("v1", 'a', "eastus").await;
    world.restart(&["northeurope", "eastus"]);
    world.pump().await;
    assert_eq!(world.push(push).await.status, Status::Completed);
    assert_eq!(slack.heard(), ["completed"]);
}

#[tokio::test]
async fn a_push_none_of_whose_regions_is_configured_any_more_times_out() {
    let mut world = World::new(&["westeurope"], &[]);
    world.restart(&["westeurope", "eastus"]);
    let push = world.arrive("v1", 'a', "westeurope").await.push.id;
    world.restart(&["northeurope"]);
    world.tick().await;
    assert_eq!(world.push(push).await.status, Status::Waiting);
    world.pass(10 * MINUTE);
    world.tick().await;
    assert_eq!(world.push(push).await.status, Status::TimedOut);
}

#[tokio::test]
async fn a_push_of_the_same_content_is_a_push_of_its_own() {
    let slack = Plan::new("slack");
    let world = World::new(&["westeurope", "eastus"], &[&slack]);
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..4 {
        for region in ["westeurope", "eastus"] {
            let id = format!("{region}-{round}");
            let arrived = world.arrive_as("v1", 'a', region, &id).await;
            seen.insert(arrived.push.id);
            world.app.deliver(arrived.push.id).await.unwrap();
        }
        world.pass(60 * MINUTE);
    }
    assert_eq!((seen.len(), slack.heard().len()), (4, 4));
    for id in seen {
        assert_eq!(
            world.push(id).await.status,
            Status::Completed,
            "earlier pushes are still found"
        );
    }
}

#[tokio::test]
async fn the_list_is_newest_first_and_pages_without_gaps() {
    let world = World::new(&["westeurope", "eastus"], &[]);
    let mut ids = Vec::new();
    for i in 0..7 {
        ids.push(world.arrive(&format!("v{i}"), 'a', "westeurope").await.push.id);
        world.pass(Duration::from_secs(1));
    }
    ids.reverse();
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = world.app.list(after.as_deref(), 3).await.unwrap();
        listed.extend(page.pushes.iter().map(|push| push.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, ids);
}

#[tokio::test]
async fn a_purge_takes_what_is_decided_and_old_and_leaves_no_row_behind() {
    let slack = Plan::new("slack");
    let world = World::new(&["westeurope", "eastus"], &[&slack]);
    for round in 0..3 {
        for region in ["westeurope", "eastus"] {
            let arrived = world.arrive_as("v1", 'a', region, &format!("{region}-{round}")).await;
            world.app.deliver(arrived.push.id).await.unwrap();
        }
        world.pass(60 * MINUTE);
    }
    let waiting = world.arrive("v2", 'b', "westeurope").await.push.id;
    world.pass(31 * 24 * 60 * MINUTE);
    while world.app.purge().await.unwrap() > 0 {}
    assert!(world.app.push(waiting).await.unwrap().is_some(), "what has work left is never purged");
    world.pump().await;
    assert_eq!(world.push(waiting).await.status, Status::TimedOut);
    world.pump().await;
    while world.app.purge().await.unwrap() > 0 {}
    assert_eq!(world.rows.dump(), []);
}

#[tokio::test]
async fn docker_hub_is_complete_on_arrival() {
    let slack = Plan::new("slack");
    let world = World::new(&THREE, &[&slack]);
    let mut event = world.event("latest", 'a', "global", "1417566161");
    event.image.registry = Some(Registry::docker_hub());
    event.image.digest = None;
    let first = world.app.record_arrival(&event, None, WITHIN).await.unwrap();
    assert_eq!(first.verdict, Verdict::Completed);
    world.app.deliver(first.push.id).await.unwrap();
    assert_eq!(slack.heard(), ["completed"]);
    assert_eq!(
        world.app.record_arrival(&event, None, WITHIN).await.unwrap().verdict,
        Verdict::Duplicate
    );
    event.id = "1417566999".to_owned();
    let next = world.app.record_arrival(&event, None, WITHIN).await.unwrap();
    assert_eq!(next.verdict, Verdict::Completed);
    assert_ne!(next.push.id, first.push.id);
}
