//! The aggregate: one push, with the regions that have reported it and everything still to be done for it.

use crate::delivery::State;
use crate::image::Image;
use crate::mutant::{self, Mutant};
use crate::notice::Notice;
use crate::region::{Region, RegionSet};
use crate::time::Timestamp;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// Where a repository's rows live: one of sixteen partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

impl Shard {
    pub const COUNT: u8 = 16;

    /// The shard that a hash's first byte selects.
    #[must_use]
    pub const fn of(hash_byte: u8) -> Self {
        Self(hash_byte % Self::COUNT)
    }

    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    #[must_use]
    pub const fn index(self) -> u8 {
        self.0
    }
}

/// What is hashed to name a content: its registry, action, repository, tag and digest (or, with
/// correlation `id`, its registry, repository and event id).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(pub [u8; 16]);

/// The hash of an id under which an event was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub [u8; 16]);

/// Names one push for ever: where it is kept, its content, and which of the content's pushes it is.
/// Written as 44 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PushId {
    pub shard: Shard,
    pub content: ContentId,
    /// Milliseconds of its opening, moved forward where two would be equal: grows from push to push of one
    /// content, also over a purge.
    pub generation: u64,
}

impl fmt::Display for PushId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; Self::DIGITS];
        let (shard, rest) = digits.split_at_mut(1);
        let (content, generation) = rest.split_at_mut(32);
        write_hex(shard, self.shard.0.into());
        write_hex(content, u128::from_be_bytes(self.content.0));
        write_hex(generation, self.generation.into());
        f.write_str(core::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

/// The last digits of a number, as many as there is room for.
fn write_hex(digits: &mut [u8], mut number: u128) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[usize::from(number as u8 & 15)];
        number >>= 4;
    }
}

impl PushId {
    pub const DIGITS: usize = 44;

    /// None when the text is not one that `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: &[u8; Self::DIGITS] = text.as_bytes().try_into().ok()?;
        let (shard, rest) = digits.split_at(1);
        let (content, generation) = rest.split_at(32);
        Some(Self {
            shard: Shard(u8::try_from(read_hex(shard)?).ok()?),
            content: ContentId(read_hex(content)?.to_be_bytes()),
            generation: u64::try_from(read_hex(generation)?).ok()?,
        })
    }
}

/// The number that lower-case digits stand for; at most 32 of them.
fn read_hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let nibble = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(nibble))
    })
}

/// How an event reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    Webhook,
    EventGrid,
}

/// The channels that an event has come by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Channels {
    pub webhook: bool,
    pub event_grid: bool,
}

impl Channels {
    #[must_use]
    pub const fn only(channel: Channel) -> Self {
        Self {
            webhook: matches!(channel, Channel::Webhook),
            event_grid: matches!(channel, Channel::EventGrid),
        }
    }

    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        (self.webhook || !other.webhook) && (self.event_grid || !other.event_grid)
    }

    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            webhook: self.webhook || other.webhook,
            event_grid: self.event_grid || other.event_grid,
        }
    }
}

/// One region's report that it has the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub region: Region,
    /// By the clock of the store.
    pub received: Timestamp,
    /// What the event says, as far as it can be believed: see [`Arrival::time`].
    pub event_time: Option<Timestamp>,
    /// Every id that this report came under.
    pub ids: Vec<EventId>,
    pub channels: Channels,
    /// It came when the push was decided.
    pub late: bool,
}

impl Arrival {
    /// An event may be this far ahead of our clock before we stop believing its time.
    pub const AHEAD_MAX: Duration = Duration::from_secs(300);

    /// The event's own time; the receive time where it has none or one too far in the future.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.event_time
            .filter(|time| *time <= self.received + Self::AHEAD_MAX)
            .unwrap_or(self.received)
    }

    pub(crate) fn knows(&self, ids: &[EventId]) -> bool {
        ids.iter().any(|id| self.ids.contains(id))
    }
}

/// What a notice in the registry's own format needs of the first event, bounded where it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub event_id: String,
    /// The event's time, verbatim; empty where it had none.
    pub timestamp: String,
    pub media_type: Option<String>,
    pub size: Option<u64>,
    pub request_id: Option<String>,
    pub method: Option<String>,
    pub user_agent: Option<String>,
    /// A chart's name and version.
    pub name: Option<String>,
    pub version: Option<String>,
}

/// Where a push stands. All but `Waiting` are decided; `Recovered` follows `TimedOut` and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Waiting,
    Completed,
    TimedOut,
    Recovered,
    Superseded,
}

impl Status {
    pub const ALL: [Self; 5] =
        [Self::Waiting, Self::Completed, Self::TimedOut, Self::Recovered, Self::Superseded];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::TimedOut => "timed_out",
            Self::Recovered => "recovered",
            Self::Superseded => "superseded",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Every expected region has it.
    #[must_use]
    pub const fn is_everywhere(self) -> bool {
        matches!(self, Self::Completed | Self::Recovered)
    }
}

/// Older and newer among the pushes of one tag: by the earliest event time of a push's arrivals, then by
/// when it was first seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    pub first_event: Timestamp,
    pub first_seen: Timestamp,
}

/// One push and all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    pub id: PushId,
    pub image: Image,
    pub origin: Origin,
    /// The regions configured when it was first seen.
    pub expected: RegionSet,
    pub arrivals: Vec<Arrival>,
    /// Arrivals it had no need of.
    pub repeats: Vec<Arrival>,
    pub status: Status,
    pub first_seen: Timestamp,
    pub deadline: Timestamp,
    pub decided_at: Option<Timestamp>,
    /// What was missing when it timed out.
    pub missed: RegionSet,
    pub notices: Vec<Notice>,
    /// Somebody was told to deliver and gets until then before the timer tells him again.
    pub hold_until: Timestamp,
}

impl Push {
    /// Arrivals a push had no need of are kept up to this number.
    pub const REPEATS_MAX: usize = 128;

    #[must_use]
    pub fn has(&self, region: &Region) -> bool {
        self.arrivals.iter().any(|arrival| arrival.region == *region)
    }

    #[must_use]
    pub fn order(&self) -> Order {
        let first_event = self.arrivals.iter().map(Arrival::time).min().unwrap_or(self.first_seen);
        Order { first_event, first_seen: self.first_seen }
    }

    /// The expected regions that are still waited for: those configured, and the one region of a registry
    /// without regions, which nobody configures.
    pub fn awaited<'a>(&'a self, configured: &'a RegionSet) -> impl Iterator<Item = &'a Region> {
        self.expected.iter().filter(|r| r.is_global() || configured.contains(r))
    }

    /// What is awaited and has not arrived; of all that was expected where none of it is configured any more. What a
    /// push ran out of time for it lacks, whatever is configured now.
    #[must_use]
    pub fn missing(&self, configured: &RegionSet) -> RegionSet {
        let ran_out = matches!(self.status, Status::TimedOut | Status::Superseded);
        let missed = self.missed.iter().filter(|_| ran_out);
        let none_awaited = self.awaited(configured).next().is_none();
        let expected = self.expected.iter().filter(|_| none_awaited);
        let wanted = self.awaited(configured).chain(expected).chain(missed);
        wanted.filter(|r| !self.has(r)).cloned().collect()
    }

    /// Every awaited region has arrived, and there is one.
    #[must_use]
    pub fn is_everywhere(&self, configured: &RegionSet) -> bool {
        let mut awaited = self.awaited(configured).peekable();
        awaited.peek().is_some() && awaited.all(|r| self.has(r))
    }

    /// When somebody has to look at it next; none when there is nothing left to do.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        let deadline = (self.status == Status::Waiting).then_some(self.deadline);
        let deliveries = self.notices.iter().flat_map(|notice| &notice.deliveries);
        let work = deliveries.filter_map(|delivery| match delivery.state {
            State::Pending { next_at: at } | State::Sending { until: at } => {
                Some(at.max(self.hold_until))
            }
            State::Done | State::Dead => None,
        });
        let work = work.filter(|_| !mutant::is(Mutant::OutboxOutsideDue));
        work.chain(deadline).min()
    }
}

/// An earlier push of the same content, as far as later events are compared with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    pub generation: u64,
    pub first_seen: Timestamp,
    pub arrivals: Vec<Arrival>,
    pub repeats: Vec<Arrival>,
}

/// All pushes of one content: the newest whole, of the earlier ones (oldest first) what events are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    pub newest: Push,
    pub past: Vec<Past>,
}

impl Family {
    /// Events of earlier pushes that are kept for comparison; the oldest pushes go first, the last one stays.
    pub const PAST_EVENTS_MAX: usize = 128;

    /// What events are compared with of the push of that generation: its arrivals and its repeats.
    pub(crate) fn events_mut(
        &mut self,
        generation: u64,
    ) -> Option<(&mut Vec<Arrival>, &mut Vec<Arrival>)> {
        let Self { newest, past } = self;
        if generation == newest.id.generation {
            return Some((&mut newest.arrivals, &mut newest.repeats));
        }
        let past = past.iter_mut().find(|p| p.generation == generation)?;
        Some((&mut past.arrivals, &mut past.repeats))
    }

    pub(crate) fn forget_oldest(&mut self) {
        let events =
            |past: &[Past]| past.iter().map(|p| p.arrivals.len() + p.repeats.len()).sum::<usize>();
        while self.past.len() > 1 && events(&self.past) > Self::PAST_EVENTS_MAX {
            self.past.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_push_id_reads_back_what_it_writes() {
        let id = PushId {
            shard: Shard::of(0xfb),
            content: ContentId([0xa5; 16]),
            generation: 1_795_000_000_000,
        };
        assert_eq!(id.to_string().len(), PushId::DIGITS);
        assert_eq!(PushId::parse(&id.to_string()), Some(id));
        for text in ["", "zz", &"g".repeat(44), &"A".repeat(44), &"é".repeat(22), &"0".repeat(43)]
        {
            assert_eq!(PushId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_event_time_far_ahead_counts_as_the_receive_time() {
        let received = Timestamp::from_millis(1_000_000);
        let mut arrival = Arrival {
            region: Region::global(),
            received,
            event_time: Some(received + Duration::from_secs(300)),
            ids: Vec::new(),
            channels: Channels::only(Channel::Webhook),
            late: false,
        };
        assert_eq!(arrival.time(), received + Duration::from_secs(300));
        arrival.event_time = Some(received + Duration::from_millis(300_001));
        assert_eq!(arrival.time(), received);
        arrival.event_time = None;
        assert_eq!(arrival.time(), received);
    }
}
