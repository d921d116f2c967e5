//! Which push an arrival belongs to.
//!
//! Whether a registry sends one id from every region is documented nowhere, so ids only help where they
//! agree. The six rules are tried in order, the first that fits decides; they are told in full in
//! `docs/ARCHITECTURE.md`.

use crate::mutant::{self, Mutant};
use crate::push::{Arrival, Family, Past, Push, Status};
use crate::time::Timestamp;
use alloc::collections::BTreeMap;
use core::time::Duration;

/// Setting `FANIN_CORRELATION`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Correlation {
    /// By content; ids tell pushes of the same content apart where they can.
    #[default]
    Auto,
    /// By the event's id alone.
    Id,
}

/// The earlier pushes that have been loaded, by generation; none for one that is not kept any more.
pub type Older = BTreeMap<u64, Option<Push>>;

/// The decision needs an earlier push: load this generation and ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load(pub u64);

/// What an arrival is to the pushes of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Belonging {
    /// This push has it already.
    Known { generation: u64 },
    /// This push lacks the region.
    Joins { generation: u64 },
    /// This waiting push has the region under another id, which becomes a repeat.
    TakesPlace { generation: u64 },
    /// The newest push waits and has no need of it.
    Repeats,
    /// It opens a push, which takes with it what [`Takes`] says.
    Opens(Takes),
}

/// What a new push takes over from the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// All repeats that share its id.
    RepeatsOfItsId,
    /// The newest push's repeats of the last day, and copies of late arrivals.
    RecentRepeatsAndLateArrivals,
}

/// Events of two channels this close in time are one event.
const SAME_EVENT: Duration = Duration::from_secs(1);
/// How far back rules 5 and 6 look.
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

pub(crate) fn correlate(
    correlation: Correlation,
    family: Option<&Family>,
    older: &Older,
    arrival: &Arrival,
    now: Timestamp,
) -> Result<Belonging, Load> {
    match (family, correlation) {
        (None, _) => Ok(Belonging::Opens(Takes::RecentRepeatsAndLateArrivals)),
        (Some(family), Correlation::Id) => Ok(by_id(&family.newest, arrival)),
        (Some(family), Correlation::Auto) => by_content(family, older, arrival, now),
    }
}

/// With correlation `id` there is one push per id, and a region reports it once.
fn by_id(push: &Push, arrival: &Arrival) -> Belonging {
    let generation = push.id.generation;
    if push.has(&arrival.region) {
        Belonging::Known { generation }
    } else {
        Belonging::Joins { generation }
    }
}

/// One push of the content, newest or earlier.
#[derive(Clone, Copy)]
struct Kin<'a> {
    generation: u64,
    first_seen: Timestamp,
    arrivals: &'a [Arrival],
    repeats: &'a [Arrival],
}

impl Kin<'_> {
    fn lacks(&self, arrival: &Arrival) -> bool {
        self.arrivals.iter().all(|a| a.region != arrival.region)
    }
}

impl<'a> From<&'a Push> for Kin<'a> {
    fn from(p: &'a Push) -> Self {
        Self {
            generation: p.id.generation,
            first_seen: p.first_seen,
            arrivals: &p.arrivals,
            repeats: &p.repeats,
        }
    }
}

impl<'a> From<&'a Past> for Kin<'a> {
    fn from(p: &'a Past) -> Self {
        Self {
            generation: p.generation,
            first_seen: p.first_seen,
            arrivals: &p.arrivals,
            repeats: &p.repeats,
        }
    }
}

/// Is an earlier push known not to be kept any more?
pub(crate) fn is_gone(older: &Older, generation: u64) -> bool {
    matches!(older.get(&generation), Some(None))
}

/// The kept pushes, newest first.
fn kin<'a>(family: &'a Family, older: &'a Older) -> impl Iterator<Item = Kin<'a>> {
    let past = family.past.iter().rev().filter(|p| !is_gone(older, p.generation));
    core::iter::once(Kin::from(&family.newest)).chain(past.map(Kin::from))
}

/// The earlier push of that generation, which has to be loaded first.
pub(crate) fn earlier(older: &Older, generation: u64) -> Result<&Push, Load> {
    older.get(&generation).and_then(Option::as_ref).ok_or(Load(generation))
}

fn status(family: &Family, older: &Older, generation: u64) -> Result<Status, Load> {
    let newest = &family.newest;
    if generation == newest.id.generation {
        Ok(newest.status)
    } else {
        Ok(earlier(older, generation)?.status)
    }
}

/// Is this event, which the region of `arrival` reported, that arrival itself?
pub(crate) fn is_same_event(event: &Arrival, arrival: &Arrival) -> bool {
    let other_channel = !event.channels.contains(arrival.channels);
    event.region == arrival.region
        && (event.knows(&arrival.ids)
            || other_channel && event.time().distance(arrival.time()) <= SAME_EVENT)
}

fn by_content(
    family: &Family,
    older: &Older,
    arrival: &Arrival,
    now: Timestamp,
) -> Result<Belonging, Load> {
    // Rule 1: seen before, under this id or by the other channel.
    let known =
        |k: &Kin<'_>| k.arrivals.iter().chain(k.repeats).any(|event| is_same_event(event, arrival));
    if let Some(k) = kin(family, older).find(known) {
        return Ok(Belonging::Known { generation: k.generation });
    }
    // Rule 2: the id is known from another region.
    if let Some(belonging) = by_known_id(family, older, arrival)? {
        return Ok(belonging);
    }
    let newest = &family.newest;
    // Rule 3: the newest push lacks this region.
    if !newest.has(&arrival.region) {
        return Ok(Belonging::Joins { generation: newest.id.generation });
    }
    // Rule 4: the newest push still waits.
    if newest.status == Status::Waiting {
        return Ok(Belonging::Repeats);
    }
    // Rule 5: an older push of the last day timed out without this region.
    for k in kin(family, older).skip(1) {
        if k.lacks(arrival)
            && now.since(k.first_seen) <= DAY
            && status(family, older, k.generation)? == Status::TimedOut
        {
            return Ok(Belonging::Joins { generation: k.generation });
        }
    }
    // Rule 6.
    if mutant::is(Mutant::UnknownIdGoesToOlderPush) {
        return Ok(Belonging::Known { generation: newest.id.generation });
    }
    Ok(Belonging::Opens(Takes::RecentRepeatsAndLateArrivals))
}

fn by_known_id(
    family: &Family,
    older: &Older,
    arrival: &Arrival,
) -> Result<Option<Belonging>, Load> {
    for k in kin(family, older) {
        let generation = k.generation;
        if k.arrivals.iter().any(|a| a.knows(&arrival.ids)) {
            return Ok(match status(family, older, generation)? {
                _ if k.lacks(arrival) => Some(Belonging::Joins { generation }),
                Status::Waiting => Some(Belonging::TakesPlace { generation }),
                _ => None,
            });
        }
        if k.repeats.iter().any(|r| r.knows(&arrival.ids)) {
            return Ok(Some(Belonging::Opens(Takes::RepeatsOfItsId)));
        }
    }
    Ok(None)
}
