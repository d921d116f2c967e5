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
    /// It belongs to the push of this generation.
    To(u64, Tie),
    /// It opens a push, which takes with it what [`Takes`] says.
    Opens(Takes),
}

/// What an arrival is to the push that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tie {
    /// The push has it already.
    Known,
    /// The push lacks the region.
    Joins,
    /// The push waits and has the region under another id, which becomes a repeat.
    TakesPlace,
    /// The push is the newest, waits, and has no need of it.
    Repeats,
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
    family: &Family,
    older: &Older,
    arrival: &Arrival,
    now: Timestamp,
) -> Result<Belonging, Load> {
    match correlation {
        Correlation::Id => Ok(by_id(&family.newest, arrival)),
        Correlation::Auto => by_content(family, older, arrival, now),
    }
}

/// With correlation `id` there is one push per id, and a region reports it once.
fn by_id(push: &Push, arrival: &Arrival) -> Belonging {
    let tie = if push.has(&arrival.region) { Tie::Known } else { Tie::Joins };
    Belonging::To(push.id.generation, tie)
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
        return Ok(Belonging::To(k.generation, Tie::Known));
    }
    // Rule 2: the id is known from another region.
    if let Some(belonging) = by_known_id(family, older, arrival)? {
        return Ok(belonging);
    }
    let newest = &family.newest;
    // Rule 3: the newest push lacks this region.
    if !newest.has(&arrival.region) {
        return Ok(Belonging::To(newest.id.generation, Tie::Joins));
    }
    // Rule 4: the newest push still waits.
    if newest.status == Status::Waiting {
        return Ok(Belonging::To(newest.id.generation, Tie::Repeats));
    }
    // Rule 5: an older push of the last day timed out without this region.
    for k in kin(family, older).skip(1) {
        if k.lacks(arrival)
            && now.since(k.first_seen) <= DAY
            && status(family, older, k.generation)? == Status::TimedOut
        {
            return Ok(Belonging::To(k.generation, Tie::Joins));
        }
    }
    // Rule 6.
    if mutant::is(Mutant::UnknownIdGoesToOlderPush) {
        return Ok(Belonging::To(newest.id.generation, Tie::Known));
    }
    Ok(Belonging::Opens(Takes::RecentRepeatsAndLateArrivals))
}

/// None when the id is not known, or is that of a decided push which has the region under another one.
fn by_known_id(
    family: &Family,
    older: &Older,
    arrival: &Arrival,
) -> Result<Option<Belonging>, Load> {
    let is_among = |events: &[Arrival]| events.iter().any(|event| event.knows(&arrival.ids));
    if let Some(k) = kin(family, older).find(|k| is_among(k.arrivals)) {
        let status = status(family, older, k.generation)?;
        let tie = match status {
            _ if k.lacks(arrival) => Tie::Joins,
            Status::Waiting => Tie::TakesPlace,
            _ => return Ok(None),
        };
        return Ok(Some(Belonging::To(k.generation, tie)));
    }
    let repeated = kin(family, older).any(|k| is_among(k.repeats));
    Ok(repeated.then_some(Belonging::Opens(Takes::RepeatsOfItsId)))
}
