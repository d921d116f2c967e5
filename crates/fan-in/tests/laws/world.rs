//! What the tests push: regions, events, and whole schedules of them.

use fan_in::{
    Action, Arrival, Channel, Channels, ContentId, Correlation, Digest, EventId, Image, NoticeKind,
    Origin, Policy, Region, RegionSet, Registry, Report, Repository, Shard, Subscription, Tag,
    Timestamp,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRng, TestRunner};
use std::fmt;
use std::time::Duration;

pub(crate) const TIMEOUT: Duration = Duration::from_secs(600);
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// So many seconds after the beginning of the test.
pub(crate) fn at(seconds: u64) -> Timestamp {
    START + Duration::from_secs(seconds)
}

pub(crate) fn region(number: usize) -> Region {
    Region::parse(&format!("r{number}")).expect("a region's name")
}

pub(crate) fn regions(numbers: impl IntoIterator<Item = usize>) -> RegionSet {
    numbers.into_iter().map(region).collect()
}

/// The sink `deploys` hears of every region, `tells` of every decision.
pub(crate) fn policy(count: usize) -> Policy {
    use NoticeKind::{Completed, Recovered, RegionReady, TimedOut};
    let subscription = |sink: &str, kinds: &[NoticeKind]| Subscription {
        sink: sink.to_owned(),
        kinds: kinds.to_vec(),
        region: None,
        actions: vec![Action::Push],
        repositories: Vec::new(),
        tags: Vec::new(),
        failure: None,
    };
    Policy {
        regions: regions(0..count),
        timeout: TIMEOUT,
        correlation: Correlation::Auto,
        subscriptions: vec![
            subscription("deploys", &[RegionReady]),
            subscription("tells", &[Completed, TimedOut, Recovered]),
        ],
    }
}

/// Two contents of one tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Content {
    A,
    B,
}

impl Content {
    pub(crate) fn id(self) -> ContentId {
        ContentId([self as u8; 16])
    }

    pub(crate) fn of(id: ContentId) -> Self {
        if id == Self::A.id() { Self::A } else { Self::B }
    }

    fn image(self) -> Image {
        let digit = if self == Self::A { "a" } else { "b" };
        let digest = Digest::parse(&format!("sha256:{}", digit.repeat(64)));
        Image {
            action: Action::Push,
            registry: Some(Registry::parse("myregistry.azurecr.io").expect("a host")),
            repository: Repository::parse("samples/app").expect("a repository"),
            tag: Some(Tag::parse("v1").expect("a tag")),
            digest: Some(digest.expect("a digest")),
        }
    }
}

#[derive(Clone)]
pub(crate) struct Event {
    pub(crate) at: Timestamp,
    pub(crate) content: Content,
    pub(crate) region: Region,
    pub(crate) id: EventId,
    pub(crate) time: Option<Timestamp>,
    pub(crate) channel: Channel,
    /// Which push of its schedule it tells of.
    pub(crate) push: usize,
}

impl Event {
    /// A webhook of content A.
    pub(crate) fn new(number: usize, id: &str, at: Timestamp) -> Self {
        Self {
            at,
            content: Content::A,
            region: region(number),
            id: event_id(id),
            time: Some(at),
            channel: Channel::Webhook,
            push: 0,
        }
    }

    pub(crate) fn of(self, content: Content) -> Self {
        Self { content, ..self }
    }

    pub(crate) fn report(&self) -> Report {
        Report {
            shard: Shard::of(7),
            content: self.content.id(),
            image: self.content.image(),
            origin: Origin::default(),
            arrival: Arrival {
                region: self.region.clone(),
                received: self.at,
                event_time: self.time,
                ids: vec![self.id],
                channels: Channels::only(self.channel),
                late: false,
            },
        }
    }
}

/// On one line, since a failing schedule has many of them.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |time: Timestamp| (time.as_millis() - START.as_millis()) as f64 / 1_000.0;
        let (content, region, channel) = (self.content, &self.region, self.channel);
        let id = String::from_utf8_lossy(&self.id.0);
        let id = id.trim_end_matches('\0');
        let (at, time) = (seconds(self.at), self.time.map(seconds));
        write!(f, "{at} s: {content:?} {region} {id} by {channel:?}, of {time:?} s")
    }
}

pub(crate) fn event_id(text: &str) -> EventId {
    let mut bytes = [0; 16];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    EventId(bytes)
}

/// How the pushes of a schedule lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Far,
    Near,
    Overlap,
    Overwrite,
    Rollback,
    BackAndForth,
    DaysApart,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Far,
        Self::Near,
        Self::Overlap,
        Self::Overwrite,
        Self::Rollback,
        Self::BackAndForth,
        Self::DaysApart,
    ];

    /// What is pushed, and when, in seconds.
    fn pushes(self) -> BoxedStrategy<Vec<(Content, u64)>> {
        use Content::{A, B};
        let fixed = |pushes: &[(Content, u64)]| Just(pushes.to_vec()).boxed();
        match self {
            Self::Far => fixed(&[(A, 0), (A, 5_000), (A, 10_000)]),
            Self::DaysApart => fixed(&[(A, 0), (A, 100_000), (A, 300_000), (B, 300_001)]),
            Self::Near => (320..590_u64).prop_map(|t| vec![(A, 0), (A, t)]).boxed(),
            Self::Overwrite => (1..300_u64).prop_map(|t| vec![(A, 0), (B, t)]).boxed(),
            Self::Overlap => (1..200_u64, prop::option::of(200..350_u64))
                .prop_map(|(t, third)| {
                    [(A, 0), (A, t)].into_iter().chain(third.map(|t| (A, t))).collect()
                })
                .boxed(),
            Self::Rollback => {
                (1..400_u64, 400..1_500_u64).prop_map(|(t, u)| vec![(A, 0), (B, t), (A, u)]).boxed()
            }
            Self::BackAndForth => (1..100_u64, 100..200_u64, 200..300_u64)
                .prop_map(|(t, u, v)| vec![(A, 0), (B, t), (A, u), (B, v)])
                .boxed(),
        }
    }
}

/// What is true of all events of a schedule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    pub(crate) kind: Kind,
    /// Do all regions send one id?
    pub(crate) ids_agree: bool,
    /// Do events carry the time of the replica, or of the push?
    pub(crate) time_of_replica: bool,
    /// Do webhooks and Event Grid both report, or webhooks only?
    pub(crate) both_channels: bool,
}

pub(crate) fn worlds() -> impl Strategy<Value = World> {
    let flags = any::<(bool, bool, bool)>();
    (prop::sample::select(&Kind::ALL[..]), flags).prop_map(
        |(kind, (ids_agree, time_of_replica, both_channels))| World {
            kind,
            ids_agree,
            time_of_replica,
            both_channels,
        },
    )
}

/// What happens to the report of one region about one push.
#[derive(Clone, Debug)]
struct Fate {
    /// Milliseconds from the push to the replica, and from there to us.
    replicated: u64,
    received: u64,
    /// Milliseconds by which Event Grid is later than the webhook, plus 50, and its clock, plus 300.
    grid_received: u64,
    grid_clock: u64,
    webhook_lost: bool,
    grid_lost: bool,
    /// The webhook comes again after so many milliseconds.
    again: Option<u64>,
    clock: EventClock,
}

#[derive(Clone, Copy, Debug)]
enum EventClock {
    Right,
    Missing,
    FarAhead,
}

/// What may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    Loss,
    /// Lost, doubled and slow events, wrong clocks.
    All,
}

fn fates(trouble: Trouble) -> impl Strategy<Value = Fate> {
    let (lost, wild) = match trouble {
        Trouble::None => (0.0, 0.0),
        Trouble::Loss => (0.05, 0.0),
        Trouble::All => (0.05, 0.15),
    };
    let clock = prop::bool::weighted(wild).prop_flat_map(|wrong| {
        if wrong {
            prop_oneof![Just(EventClock::Missing), Just(EventClock::FarAhead)].boxed()
        } else {
            Just(EventClock::Right).boxed()
        }
    });
    (
        (1_000..280_000_u64, prop::bool::weighted(wild), 400_000..1_500_000_u64),
        (100..15_000_u64, 0..10_050_u64, 0..600_u64),
        (prop::bool::weighted(lost), prop::bool::weighted(lost)),
        (prop::bool::weighted(wild), 0..2_000_000_u64),
        clock,
    )
        .prop_map(|(way, times, (webhook_lost, grid_lost), again, clock)| Fate {
            replicated: if way.1 { way.2 } else { way.0 },
            received: times.0,
            grid_received: times.1,
            grid_clock: times.2,
            webhook_lost,
            grid_lost,
            again: again.0.then_some(again.1),
            clock,
        })
}

/// What arrives, in order, and by how many milliseconds the timer is late.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) regions: usize,
    pub(crate) pushes: usize,
    pub(crate) events: Vec<Event>,
    pub(crate) timer_lags: Vec<u64>,
}

const REGIONS_MAX: usize = 6;
const PUSHES_MAX: usize = 4;

pub(crate) fn schedules(world: World, trouble: Trouble) -> impl Strategy<Value = Schedule> {
    let lags =
        if trouble == Trouble::All { &[0, 15_000, 400_000][..] } else { &[0, 5_000, 15_000] };
    (
        2..=REGIONS_MAX,
        world.kind.pushes(),
        prop::collection::vec(fates(trouble), REGIONS_MAX * PUSHES_MAX),
        prop::collection::vec(prop::sample::select(lags), 1..5),
    )
        .prop_map(move |(regions, pushes, fates, timer_lags)| {
            let fates = fates.chunks(REGIONS_MAX);
            let pushed = pushes.iter().enumerate().zip(fates);
            let mut events: Vec<Event> = pushed
                .flat_map(|((push, (content, seconds)), fates)| {
                    let fates = fates.iter().take(regions).enumerate();
                    fates.flat_map(move |(number, fate)| {
                        reports(world, push, *content, at(*seconds), number, fate)
                    })
                })
                .collect();
            events.sort_by_key(|event| event.at);
            Schedule { regions, pushes: pushes.len(), events, timer_lags }
        })
}

/// What one region sends about one push; the first region is the one that was pushed to.
fn reports(
    world: World,
    push: usize,
    content: Content,
    pushed: Timestamp,
    number: usize,
    fate: &Fate,
) -> Vec<Event> {
    let millis = Duration::from_millis;
    let replicated = pushed + millis(if number == 0 { 0 } else { fate.replicated });
    let received = replicated + millis(fate.received);
    let right = if world.time_of_replica { replicated } else { pushed };
    let clock = |right: Timestamp| match fate.clock {
        EventClock::Right => Some(right),
        EventClock::Missing => None,
        EventClock::FarAhead => Some(received + millis(86_400_000)),
    };
    let id = if world.ids_agree { format!("push{push}") } else { format!("push{push}-r{number}") };
    let webhook = Event {
        at: received,
        content,
        region: region(number),
        id: event_id(&id),
        time: clock(right),
        channel: Channel::Webhook,
        push,
    };
    let grid = Event {
        at: received + millis(fate.grid_received) - millis(50),
        id: event_id(&format!("grid-{id}")),
        time: clock(right + millis(fate.grid_clock) - millis(300)),
        channel: Channel::EventGrid,
        ..webhook.clone()
    };
    let again = fate.again.map(|after| Event { at: received + millis(after), ..webhook.clone() });
    let webhooks = [Some(webhook), again].into_iter().flatten().filter(|_| !fate.webhook_lost);
    webhooks.chain(Some(grid).filter(|_| world.both_channels && !fate.grid_lost)).collect()
}

/// Runs a test with `times` the usual number of cases (`PROPTEST_CASES`), the same ones every time.
pub(crate) fn check<S: Strategy>(times: u32, cases: S, test: impl Fn(S::Value)) {
    let config = Config { failure_persistence: None, ..Config::default() };
    let config = Config { cases: config.cases * times, ..config };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let result = TestRunner::new_with_rng(config, rng).run(&cases, |case| {
        test(case);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
