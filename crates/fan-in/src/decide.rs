//! The law: what an arrival or a tick makes of a push.

use crate::correlate::DAY;
use crate::correlate::{Belonging, Load, Older, Takes, correlate, earlier, is_gone, is_same_event};
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
    let belonging = correlate(policy.correlation, family, older, &report.arrival, now)?;
    let Some(before) = family else {
        return Ok(open(None, older, report, Takes::RepeatsOfItsId, policy, now));
    };
    let is_newest = |generation| generation == before.newest.id.generation;
    let mut family = before.clone();
    let arrival = report.arrival.clone();
    let earlier = match belonging {
        Belonging::Opens(takes) => {
            return Ok(open(Some(before), older, report, takes, policy, now));
        }
        Belonging::Known { generation }
        | Belonging::Joins { generation }
        | Belonging::TakesPlace { generation }
            if !is_newest(generation) =>
        {
            Some(earlier(older, generation)?.clone())
        }
        _ => None,
    };
    let (verdict, change, earlier) = match (belonging, earlier) {
        (Belonging::Known { generation }, earlier) => {
            let change = if remember(&mut family, generation, &arrival) {
                Change::Newest
            } else {
                Change::Nothing
            };
            (Verdict::Duplicate, change, earlier)
        }
        (Belonging::Repeats, _) => {
            let kept = keep_repeat(&mut family.newest.repeats, arrival);
            (Verdict::Duplicate, if kept { Change::Newest } else { Change::Nothing }, None)
        }
        (Belonging::TakesPlace { .. }, None) => {
            let Push { arrivals, repeats, .. } = &mut family.newest;
            take_place(arrivals, repeats, arrival);
            (Verdict::Recorded, Change::Newest, None)
        }
        (Belonging::TakesPlace { generation }, Some(mut push)) => {
            take_place(&mut push.arrivals, &mut push.repeats, arrival.clone());
            push.repeats.clear();
            if let Some(past) = family.past.iter_mut().find(|p| p.generation == generation) {
                take_place(&mut past.arrivals, &mut past.repeats, arrival);
            }
            (Verdict::Recorded, Change::Earlier, Some(push))
        }
        (_, None) => (join(&mut family.newest, arrival, policy, now), Change::Newest, None),
        (_, Some(mut push)) => {
            let verdict = join(&mut push, arrival, policy, now);
            let past = family.past.iter_mut().find(|p| p.generation == push.id.generation);
            if let (Some(past), Some(joined)) = (past, push.arrivals.last()) {
                past.arrivals.push(joined.clone());
            }
            (verdict, Change::Earlier, Some(push))
        }
    };
    let ring = verdict != Verdict::Duplicate
        && earlier.as_ref().unwrap_or(&family.newest).claimable(now).next().is_some();
    Ok(Outcome { verdict, change, family, earlier, ring })
}

/// Adds what is new about an event that is known already.
fn remember(family: &mut Family, generation: u64, arrival: &Arrival) -> bool {
    let Family { newest, past } = family;
    let kin = past.iter_mut().map(|p| (p.generation, &mut p.arrivals, &mut p.repeats));
    let mut kin = kin.chain([(newest.id.generation, &mut newest.arrivals, &mut newest.repeats)]);
    let Some((_, arrivals, repeats)) = kin.find(|(g, ..)| *g == generation) else { return false };
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

fn take_place(arrivals: &mut [Arrival], repeats: &mut Vec<Arrival>, arrival: Arrival) {
    if let Some(place) = arrivals.iter_mut().find(|a| a.region == arrival.region) {
        let other = core::mem::replace(place, arrival);
        keep_repeat(repeats, other);
    }
}

/// The arrival becomes part of a push that lacks its region.
fn join(push: &mut Push, mut arrival: Arrival, policy: &Policy, now: Timestamp) -> Verdict {
    arrival.late = push.status != Status::Waiting;
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
            push.status = Status::Recovered;
            announce(push, NoticeKind::Recovered, push.missed.clone(), policy, now);
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
            deliveries,
        });
    }
}

fn waited_for(push: &Push, policy: &Policy) -> usize {
    match push.awaited(&policy.regions).len() {
        0 => push.expected.len(),
        regions => regions,
    }
}

fn open(
    before: Option<&Family>,
    older: &Older,
    report: &Report,
    takes: Takes,
    policy: &Policy,
    now: Timestamp,
) -> Outcome {
    let arrival = Arrival { late: false, ..report.arrival.clone() };
    let mut kept: Vec<Past> = before.map(|family| pasts(family, older)).unwrap_or_default();
    let mut taken = match takes {
        Takes::RepeatsOfItsId => take_repeats(&mut kept, |repeat| repeat.knows(&arrival.ids)),
        Takes::RecentRepeatsAndLateArrivals => {
            let newest = kept.len().saturating_sub(1);
            let mut taken =
                take_repeats(&mut kept[newest..], |repeat| repeat.time() >= arrival.time() - DAY);
            let late = kept.iter().flat_map(|p| &p.arrivals).filter(|a| a.late);
            taken.extend(late.filter(|a| a.time() >= arrival.time() - policy.timeout).cloned());
            taken
        }
    };
    taken.sort_by_key(Arrival::time);

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
    let mut family = Family { newest: push, past: kept };
    family.forget_oldest();
    let earlier = before.map(|family| Push { repeats: Vec::new(), ..family.newest.clone() });
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

fn take_repeats(kept: &mut [Past], wanted: impl Fn(&Arrival) -> bool) -> Vec<Arrival> {
    let mut taken = Vec::new();
    for past in kept {
        let (take, leave) = core::mem::take(&mut past.repeats).into_iter().partition(&wanted);
        past.repeats = leave;
        taken.extend::<Vec<_>>(take);
    }
    taken
}

fn blank(before: Option<&Family>, report: &Report, policy: &Policy, now: Timestamp) -> Push {
    let next = before.map_or(0, |family| family.newest.id.generation.saturating_add(1));
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
        first_seen: now,
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
    ticked.ring =
        push.claimable(now).next().is_some() && (ticked.changed || eager || push.hold_until <= now);
    ticked.ring &= !mutant::is(Mutant::SweepDoesNotRing);
    if ticked.ring && !ticked.changed && !mutant::is(Mutant::SweepWithoutHold) {
        push.hold_until = now + HOLD;
        ticked.changed = true;
    }
    ticked
}
