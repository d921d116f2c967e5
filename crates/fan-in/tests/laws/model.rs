//! The rules of correlation, told as plainly as possible: all pushes of a content in a list, nothing loaded
//! lazily, nothing bounded.

use crate::world::{Content, Event, TIMEOUT};
use fan_in::{Arrival, Channel, EventId, Region, RegionSet, Status, Timestamp, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

#[derive(Clone, Debug)]
struct Known {
    region: Region,
    time: Timestamp,
    ids: BTreeSet<EventId>,
    webhook: bool,
    event_grid: bool,
    late: bool,
}

impl Known {
    fn new(event: &Event) -> Self {
        let believed = event.time.filter(|time| *time <= event.at + Arrival::AHEAD_MAX);
        Self {
            region: event.region.clone(),
            time: believed.unwrap_or(event.at),
            ids: BTreeSet::from([event.id]),
            webhook: event.channel == Channel::Webhook,
            event_grid: event.channel == Channel::EventGrid,
            late: false,
        }
    }

    fn is(&self, new: &Self) -> bool {
        let other_channel = new.webhook && !self.webhook || new.event_grid && !self.event_grid;
        self.region == new.region
            && (!self.ids.is_disjoint(&new.ids)
                || other_channel && self.time.distance(new.time) <= SECOND)
    }
}

#[derive(Clone, Debug)]
struct Push {
    arrivals: Vec<Known>,
    repeats: Vec<Known>,
    status: Status,
    first_seen: Timestamp,
}

impl Push {
    fn lacks(&self, region: &Region) -> bool {
        self.arrivals.iter().all(|a| a.region != *region)
    }

    fn order(&self) -> (Option<Timestamp>, Timestamp) {
        (self.arrivals.iter().map(|a| a.time).min(), self.first_seen)
    }

    fn is_complete(&self, regions: &RegionSet) -> bool {
        regions.iter().all(|region| !self.lacks(region))
    }

    fn belongs(&mut self, mut event: Known, regions: &RegionSet) -> Verdict {
        event.late = self.status != Status::Waiting;
        self.arrivals.push(event);
        match self.status {
            Status::Waiting if self.is_complete(regions) => {
                self.status = Status::Completed;
                Verdict::Completed
            }
            Status::Waiting => Verdict::Recorded,
            Status::TimedOut if self.is_complete(regions) => {
                self.status = Status::Recovered;
                Verdict::Recovered
            }
            _ => Verdict::Late,
        }
    }
}

/// One push as both the model and the core tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) status: Status,
    pub(crate) first_seen: Timestamp,
    /// With the ids of each, and whether it was late.
    pub(crate) arrivals: BTreeMap<Region, (BTreeSet<EventId>, bool)>,
    pub(crate) repeats: BTreeSet<(Region, BTreeSet<EventId>)>,
}

#[derive(Debug)]
pub(crate) struct Model {
    regions: RegionSet,
    pushes: BTreeMap<Content, Vec<Push>>,
}

impl Model {
    pub(crate) fn new(regions: RegionSet) -> Self {
        Self { regions, pushes: BTreeMap::new() }
    }

    pub(crate) fn arrive(&mut self, event: &Event) -> Verdict {
        let Self { regions, pushes } = self;
        let kept = pushes.entry(event.content).or_default();
        let new = Known::new(event);

        // 1. The region has this id already, or the other channel has reported the event.
        for push in kept.iter_mut().rev() {
            let mut events = push.arrivals.iter_mut().chain(&mut push.repeats);
            if let Some(known) = events.find(|known| known.is(&new)) {
                known.ids.extend(new.ids);
                known.webhook |= new.webhook;
                known.event_grid |= new.event_grid;
                return Verdict::Duplicate;
            }
        }
        // 2. The id is known from another region.
        let has_id = |known: &Known| known.ids.contains(&event.id);
        if let Some(push) = kept.iter_mut().rev().find(|push| push.arrivals.iter().any(has_id)) {
            if push.lacks(&new.region) {
                return push.belongs(new, regions);
            }
            if push.status == Status::Waiting {
                let place = push.arrivals.iter_mut().find(|a| a.region == new.region);
                push.repeats.extend(place.map(|place| std::mem::replace(place, new)));
                return Verdict::Recorded;
            }
        } else if kept.iter().any(|push| push.repeats.iter().any(has_id)) {
            let taken = kept.iter_mut().flat_map(|push| push.repeats.extract_if(.., |r| has_id(r)));
            let taken = taken.collect();
            return self.open(event.content, new, taken, event.at);
        }
        if let Some(newest) = kept.last_mut() {
            // 3. The newest push lacks this region.
            if newest.lacks(&new.region) {
                return newest.belongs(new, regions);
            }
            // 4. The newest push still waits.
            if newest.status == Status::Waiting {
                newest.repeats.push(new);
                return Verdict::Duplicate;
            }
        }
        // 5. An older push of the last day timed out without this region.
        let older = kept.iter_mut().rev().find(|push| {
            push.status == Status::TimedOut
                && push.lacks(&new.region)
                && event.at.since(push.first_seen) <= DAY
        });
        if let Some(push) = older {
            return push.belongs(new, regions);
        }
        // 6. A new push.
        let mut taken: Vec<Known> = Vec::new();
        if let Some(newest) = kept.last_mut() {
            taken.extend(newest.repeats.extract_if(.., |r| r.time >= new.time - DAY));
        }
        let late = kept.iter().flat_map(|push| &push.arrivals).filter(|a| a.late);
        taken.extend(late.filter(|a| a.time >= new.time - TIMEOUT).cloned());
        self.open(event.content, new, taken, event.at)
    }

    fn open(
        &mut self,
        content: Content,
        first: Known,
        mut taken: Vec<Known>,
        now: Timestamp,
    ) -> Verdict {
        let mut push = Push {
            arrivals: vec![first],
            repeats: Vec::new(),
            status: Status::Waiting,
            first_seen: now,
        };
        taken.sort_by_key(|event| event.time);
        for event in taken {
            let event = Known { late: false, ..event };
            if push.lacks(&event.region) {
                push.arrivals.push(event);
            } else {
                push.repeats.push(event);
            }
        }
        let complete = push.is_complete(&self.regions);
        if complete {
            push.status = Status::Completed;
        }
        self.pushes.entry(content).or_default().push(push);
        if complete { Verdict::Completed } else { Verdict::Recorded }
    }

    pub(crate) fn tick(&mut self, now: Timestamp) {
        let orders: Vec<_> = self
            .pushes
            .iter()
            .flat_map(|(content, kept)| kept.iter().map(|push| (*content, push.order())))
            .collect();
        for (content, kept) in &mut self.pushes {
            let overdue = |push: &&mut Push| {
                push.status == Status::Waiting && push.first_seen + TIMEOUT <= now
            };
            for push in kept.iter_mut().filter(overdue) {
                let superseded = orders.iter().any(|(c, o)| c != content && *o > push.order());
                push.status = if superseded { Status::Superseded } else { Status::TimedOut };
            }
        }
    }

    /// Forgets decided pushes first seen before that time.
    pub(crate) fn purge(&mut self, before: Timestamp) {
        for kept in self.pushes.values_mut() {
            kept.retain(|push| push.status == Status::Waiting || push.first_seen >= before);
        }
        self.pushes.retain(|_, kept| !kept.is_empty());
    }

    /// All pushes, oldest first.
    pub(crate) fn told(&self) -> BTreeMap<Content, Vec<Told>> {
        let told = |push: &Push| Told {
            status: push.status,
            first_seen: push.first_seen,
            arrivals: push
                .arrivals
                .iter()
                .map(|a| (a.region.clone(), (a.ids.clone(), a.late)))
                .collect(),
            repeats: push.repeats.iter().map(|r| (r.region.clone(), r.ids.clone())).collect(),
        };
        self.pushes.iter().map(|(c, kept)| (*c, kept.iter().map(told).collect())).collect()
    }
}
