//! The law: what an arrival or a tick makes of a push.

use crate::correlate::{
    Belonging, DAY, Load, Older, Takes, Tie, correlate, earlier, is_gone, is_same_event,
};
use crate::image::Image;
use crate::mutant::{self, Mutant};
use crate::notice::{Notice, NoticeKind};
use crate::push::{Arrival, ContentId, Family, Origin, Past, Push, PushId, Shard, Status};
use crate::region::{Region, RegionSet};
use crate::routing::{Policy, deliveries};
use crate::time::Timestamp;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

/// Whoever was told to deliver gets this long before the timer tells him again.
pub const HOLD: Duration = Duration::from_secs(30);

/// One event as it was read.
#[derive(Clone, Debug)]
pub struct Report {
    pub shard: Shard,
    pub content: ContentId,
    pub image: Image,
    pub origin: Origin,
    pub arrival: Arrival,
}

/// What the sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Recorded,
    Completed,
    Late,
    Recovered,
    Duplicate,
}

impl Verdict {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Completed => "completed",
            Self::Late => "late",
            Self::Recovered => "recovered",
            Self::Duplicate => "duplicate",
        }
    }
}

/// What has to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Nothing,
    /// The family's row.
    Newest,
    /// The family's row and the row of the earlier push.
    Earlier,
    /// A new newest push; the one that was newest moves to a row of its own, if there was one.
    Opens,
}

/// What an arrival comes to.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub verdict: Verdict,
    pub change: Change,
    pub family: Family,
    /// The earlier push that is concerned or, where one opens, that was the newest until now.
    pub earlier: Option<Push>,
    /// There is something to deliver at once.
    pub ring: bool,
}

impl Outcome {
    /// The push that the arrival belongs to.
    #[must_use]
    pub fn push(&self) -> &Push {
        match (&self.earlier, self.change) {
            (Some(earlier), Change::Nothing | Change::Newest | Change::Earlier) => earlier,
            _ => &self.family.newest,
        }
    }
}

/// Decides what an event means to the pushes of its content.
///
/// # Errors
/// [`Load`] when an earlier push has to be loaded first; the caller adds it to `older` and asks again.
pub fn arrive(
    family: Option<&Family>,
    older: &Older,
    report: &Report,
    policy: &Policy,
    now: Timestamp,
) -> Result<Outcome, Load> {
    let Some(before) = family else { return Ok(open(None, older, report, policy, now)) };
    let (generation, tie) =
        match correlate(policy.correlation, before, older, &report.arrival, now)? {
            Belonging::Opens(takes) => {
                return Ok(open(Some((before, takes)), older, report, policy, now));
            }
            Belonging::To(generation, tie) => (generation, tie),
        };
    let mut family = before.clone();
    let mut earlier = match generation {
        newest if newest == family.newest.id.generation => None,
        _ => Some(earlier(older, generation)?.clone()),
    };
    let arrival = Arrival { late: false, ..report.arrival.clone() };
    let (verdict, changed) = match tie {
        Tie::Known => (Verdict::Duplicate, remember(&mut family, generation, &arrival)),
        Tie::Repeats => (Verdict::Duplicate, keep_repeat(&mut family.newest.repeats, arrival)),
        Tie::TakesPlace => {
            take_place(&mut family, earlier.as_mut(), generation, arrival);
            (Verdict::Recorded, true)
        }
        Tie::Joins => (join(&mut family, earlier.as_mut(), arrival, policy, now), true),
    };
    let change = match tie {
        _ if !changed => Change::Nothing,
        Tie::TakesPlace | Tie::Joins if earlier.is_some() => Change::Earlier,
        _ => Change::Newest,
    };
    if change == Change::Earlier {
        family.forget_oldest();
    }
    let push = earlier.as_ref().unwrap_or(&family.newest);
    let ring = verdict != Verdict::Duplicate && push.claimable(now).next().is_some();
    Ok(Outcome { verdict, change, family, earlier, ring })
}

/// Adds what is new about an event that is known already.
fn remember(family: &mut Family, generation: u64, arrival: &Arrival) -> bool {
    let Some((arrivals, repeats)) = family.events_mut(generation) else { return false };
    let Some(event) = arrivals.iter_mut().chain(repeats).find(|e| is_same_event(e, arrival)) else {
        return false;
    };
    let known = event.channels.contains(arrival.channels)
        && arrival.ids.iter().all(|id| event.ids.contains(id));
    event.channels = event.channels.union(arrival.channels);
    let new: Vec<_> = arrival.ids.iter().filter(|id| !event.ids.contains(id)).copied().collect();
    event.ids.extend(new);
    !known
}

fn keep_repeat(repeats: &mut Vec<Arrival>, arrival: Arrival) -> bool {
    let room = repeats.len() < Push::REPEATS_MAX && !mutant::is(Mutant::RepeatDropped);
    if room {
        repeats.push(Arrival { late: false, ..arrival });
    }
    room
}

/// The region's present arrival becomes a repeat. What an earlier push has no need of is kept beside it, in
/// the family's row.
fn take_place(family: &mut Family, earlier: Option<&mut Push>, generation: u64, arrival: Arrival) {
    let swap = |arrivals: &mut [Arrival]| {
        let place = arrivals.iter_mut().find(|a| a.region == arrival.region);
        place.map(|place| core::mem::replace(place, arrival.clone()))
    };
    if let Some(push) = earlier {
        swap(&mut push.arrivals);
    }
    if let Some((arrivals, repeats)) = family.events_mut(generation)
        && let Some(other) = swap(arrivals)
    {
        keep_repeat(repeats, other);
    }
}

/// The arrival becomes part of the earlier push, or else of the newest, which lacks its region.
fn join(
    family: &mut Family,
    earlier: Option<&mut Push>,
    mut arrival: Arrival,
    policy: &Policy,
    now: Timestamp,
) -> Verdict {
    arrival.late = earlier.as_deref().unwrap_or(&family.newest).status != Status::Waiting;
    if let Some(push) = &earlier
        && let Some((arrivals, _)) = family.events_mut(push.id.generation)
    {
        arrivals.push(arrival.clone());
    }
    let push = earlier.unwrap_or(&mut family.newest);
    let region = arrival.region.clone();
    push.arrivals.push(arrival);
    if push.status == Status::Superseded
        || mutant::is(Mutant::LateArrivalIgnored) && push.status == Status::TimedOut
    {
        return Verdict::Late;
    }
    announce_region(push, region, policy, now);
    settle(push, policy, now)
}

/// Decides, if every awaited region is there.
fn settle(push: &mut Push, policy: &Policy, now: Timestamp) -> Verdict {
    match (push.status, push.is_everywhere(&policy.regions)) {
        (Status::Waiting, true) => {
            decide(push, Status::Completed, now);
            announce(push, NoticeKind::Completed, RegionSet::new(), policy, now);
            Verdict::Completed
        }
        (Status::Waiting, false) => Verdict::Recorded,
        (Status::TimedOut, true) => {
            // A region that was missing and is not configured any more has not come.
            let came: RegionSet = push.missed.iter().filter(|r| push.has(r)).cloned().collect();
            if came.is_empty() {
                return Verdict::Late;
            }
            push.status = Status::Recovered;
            announce(push, NoticeKind::Recovered, came, policy, now);
            Verdict::Recovered
        }
        _ => Verdict::Late,
    }
}

fn decide(push: &mut Push, status: Status, now: Timestamp) {
    push.status = status;
    push.decided_at = Some(now);
}

fn announce(
    push: &mut Push,
    kind: NoticeKind,
    missing: RegionSet,
    policy: &Policy,
    now: Timestamp,
) {
    let deliveries = deliveries(policy, kind, None, &push.image, now);
    if !deliveries.is_empty() {
        push.hold_until = now + HOLD;
    }
    push.notices.push(Notice {
        kind,
        region: None,
        at: now,
        regions: waited_for(push, policy),
        missing,
        cause: None,
        detail: None,
        deliveries,
    });
}

/// Nothing is kept of a region's readiness when nobody wants to hear of it.
fn announce_region(push: &mut Push, region: Region, policy: &Policy, now: Timestamp) {
    let kind = NoticeKind::RegionReady;
    let deliveries = deliveries(policy, kind, Some(&region), &push.image, now);
    if !deliveries.is_empty() {
        push.hold_until = now + HOLD;
        let (regions, missing) = (waited_for(push, policy), push.missing(&policy.regions));
        push.notices.push(Notice {
            kind,
            region: Some(region),
            at: now,
            regions,
            missing,
            cause: None,
            detail: None,
            deliveries,
        });
    }
}

pub(crate) fn waited_for(push: &Push, policy: &Policy) -> usize {
    match push.awaited(&policy.regions).count() {
        0 => push.expected.len(),
        regions => regions,
    }
}

/// A new push, with what it takes from the pushes there have been.
fn open(
    before: Option<(&Family, Takes)>,
    older: &Older,
    report: &Report,
    policy: &Policy,
    now: Timestamp,
) -> Outcome {
    let arrival = Arrival { late: false, ..report.arrival.clone() };
    let mut past = Vec::new();
    let mut taken = Vec::new();
    if let Some((family, takes)) = before {
        past = pasts(family, older);
        taken = take(&mut past, takes, &arrival, policy);
    }
    taken.sort_by_key(Arrival::time);

    let before = before.map(|(family, _)| &family.newest);
    let mut push = blank(before, report, policy, now);
    push.arrivals.push(arrival);
    for event in taken {
        if push.has(&event.region) {
            keep_repeat(&mut push.repeats, event);
        } else {
            push.arrivals.push(Arrival { late: false, ..event });
        }
    }
    for region in push.arrivals.iter().map(|a| a.region.clone()).collect::<Vec<_>>() {
        announce_region(&mut push, region, policy, now);
    }
    let verdict = settle(&mut push, policy, now);
    let ring = push.claimable(now).next().is_some();
    let mut family = Family { newest: push, past };
    family.forget_oldest();
    let earlier = before.map(|push| Push { repeats: Vec::new(), ..push.clone() });
    Outcome { verdict, change: Change::Opens, family, earlier, ring }
}

/// All kept pushes of a family as earlier ones, oldest first.
fn pasts(family: &Family, older: &Older) -> Vec<Past> {
    let newest = &family.newest;
    let last = Past {
        generation: newest.id.generation,
        first_seen: newest.first_seen,
        arrivals: newest.arrivals.clone(),
        repeats: newest.repeats.clone(),
    };
    family.past.iter().filter(|p| !is_gone(older, p.generation)).cloned().chain([last]).collect()
}

fn take(past: &mut [Past], takes: Takes, arrival: &Arrival, policy: &Policy) -> Vec<Arrival> {
    match takes {
        Takes::RepeatsOfItsId => {
            let wanted = |repeat: &Arrival| repeat.knows(&arrival.ids);
            past.iter_mut().flat_map(|p| take_repeats(p, wanted)).collect()
        }
        Takes::RecentRepeatsAndLateArrivals => {
            let recent = |repeat: &Arrival| repeat.time() >= arrival.time() - DAY;
            let newest = past.last_mut().map(|p| take_repeats(p, recent));
            let late = past.iter().flat_map(|p| &p.arrivals).filter(|a| a.late);
            let late = late.filter(|a| a.time() >= arrival.time() - policy.timeout).cloned();
            newest.into_iter().flatten().chain(late).collect()
        }
    }
}

fn take_repeats(past: &mut Past, wanted: impl Fn(&Arrival) -> bool) -> Vec<Arrival> {
    let (take, leave) = core::mem::take(&mut past.repeats).into_iter().partition(wanted);
    past.repeats = leave;
    take
}

fn blank(before: Option<&Push>, report: &Report, policy: &Policy, now: Timestamp) -> Push {
    let next = before.map_or(0, |push| push.id.generation.saturating_add(1));
    let generation = next.max(u64::try_from(now.as_millis()).unwrap_or(0));
    let region = &report.arrival.region;
    Push {
        id: PushId { shard: report.shard, content: report.content, generation },
        image: report.image.clone(),
        origin: report.origin.clone(),
        expected: if region.is_global() {
            BTreeSet::from([region.clone()])
        } else {
            policy.regions.clone()
        },
        arrivals: Vec::new(),
        repeats: Vec::new(),
        status: Status::Waiting,
        // An arrival that travelled by queue was received before; its regions get their time all the same.
        first_seen: report.arrival.received.min(now),
        deadline: now + policy.timeout,
        decided_at: None,
        missed: RegionSet::new(),
        notices: Vec::new(),
        hold_until: Timestamp::ZERO,
    }
}

/// Its time is over and regions are missing: before the tick that decides it, the caller finds out whether
/// a newer push of the tag with another digest exists.
#[must_use]
pub fn is_overdue(push: &Push, policy: &Policy, now: Timestamp) -> bool {
    push.status == Status::Waiting && push.deadline <= now && !push.is_everywhere(&policy.regions)
}

/// What a tick has made of a push.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticked {
    pub changed: bool,
    /// Somebody has to be told to deliver.
    pub ring: bool,
}

/// Decides what time alone decides, and finds deliveries that nobody has been told of.
///
/// `superseded`: a newer push of its tag, with another digest, exists. `eager`: whoever was told before does
/// not count, as after a start.
pub fn tick(
    push: &mut Push,
    policy: &Policy,
    now: Timestamp,
    superseded: bool,
    eager: bool,
) -> Ticked {
    let mut ticked = Ticked::default();
    if is_overdue(push, policy, now) {
        push.missed = push.missing(&policy.regions);
        if superseded {
            decide(push, Status::Superseded, now);
        } else {
            decide(push, Status::TimedOut, now);
            announce(push, NoticeKind::TimedOut, push.missed.clone(), policy, now);
        }
        ticked.changed = true;
    } else if push.status == Status::Waiting && settle(push, policy, now) == Verdict::Completed {
        ticked.changed = true;
    }
    let is_free = ticked.changed || eager || push.hold_until <= now;
    if is_free && push.claimable(now).next().is_some() && !mutant::is(Mutant::SweepDoesNotRing) {
        ticked.ring = true;
        if mutant::is(Mutant::SweepWithoutHold) {
            return ticked;
        }
        push.hold_until = now + HOLD;
        ticked.changed = true;
    }
    ticked
}
