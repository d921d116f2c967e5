//! Looks over the shoulder of every write: what was decided when, and whether a decision was ever changed.

use crate::coverage::Hit;
use crate::job_rows::{self, Change};
use crate::rules;
use crate::world::{Call, Kind, Sim, State};
use acr_fanin::app::Bell;
use acr_fanin::fuzzing::read_family;
use acr_fanin::ports::{Op, Rows, StoreError, Version};
use acr_fanin::store::memory::Memory;
use fan_in::{Family, Push, PushId, Shard, State as Delivery, Status, Timestamp};
use futures_util::FutureExt;

/// Whoever was told to deliver has this long; clocks may differ by three seconds.
const HOLD: i64 = 27_000;

/// What the writes have said of a push.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) status: Status,
    pub(crate) decided_at: Option<i64>,
    pub(crate) opened_at: i64,
    /// A tick rang for it.
    pub(crate) rung_at: i64,
    /// Somebody claimed deliveries of it, or wrote down what became of them.
    pub(crate) claimed_at: i64,
}

/// Memory answers at once.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("memory does not wait")
}

pub(crate) fn push(memory: &Memory, id: PushId) -> Option<Push> {
    Some(read_family(&doc(memory, id)?).ok()?.newest)
}

/// The row of a push, unread.
pub(crate) fn doc(memory: &Memory, id: PushId) -> Option<String> {
    let newest = memory.row(id.shard, &family_key(id)).map(|row| row.doc);
    let newest = newest.filter(|doc| head(doc).is_some_and(|(newest, _)| newest == id));
    newest.or_else(|| Some(memory.row(id.shard, &earlier_key(id))?.doc))
}

fn row(memory: &Memory, shard: Shard, key: &str) -> Option<Family> {
    read_family(&memory.row(shard, key)?.doc).ok()
}

fn family_key(id: PushId) -> String {
    format!("p:{:032x}", u128::from_be_bytes(id.content.0))
}

fn earlier_key(id: PushId) -> String {
    format!("{}:{:011x}", family_key(id), id.generation)
}

impl Call {
    /// Does the row say that this notice is with this sink?
    pub(crate) fn is_done(&self, push: &Push) -> bool {
        let notice = push.notices.get(self.notice);
        let delivery = notice.and_then(|n| n.deliveries.iter().find(|d| d.sink == self.sink));
        delivery.is_none_or(|d| d.state == Delivery::Done)
    }
}

impl State {
    /// Is anything due by then?
    pub(crate) fn is_due(&self, now: i64) -> bool {
        let first = self.truth.markers.first().and_then(|key| key.get(1..14)?.parse().ok());
        first.is_some_and(|first: i64| first <= now)
    }

    fn marked(&mut self, key: String, is_there: bool) {
        if is_there {
            self.truth.markers.insert(key);
        } else {
            self.truth.markers.remove(&key);
        }
    }
}

/// Passes a transaction on, and looks at what it does.
pub(crate) fn write(
    sim: &Sim,
    memory: &Memory,
    shard: Shard,
    ops: Vec<Op>,
) -> Result<Vec<Version>, StoreError> {
    let written: Vec<(PushId, Status)> = ops
        .iter()
        .filter(|op| op.key().starts_with("p:"))
        .filter_map(|op| head(op.doc()?))
        .collect();
    let opens = ops.iter().any(|op| matches!(op, Op::Insert { key, .. } if key.len() == 34));
    let gone: Vec<String> = ops
        .iter()
        .filter(|op| op.key().starts_with("p:") && op.doc().is_none())
        .map(|op| op.key().to_owned())
        .collect();
    let rule = rules::rule(sim, memory, shard, &ops);
    let guard = ops.iter().find(|op| op.key().starts_with("g:")).and_then(Op::doc);
    let guard = guard.map(str::to_owned);
    let markers = ops.iter().filter(|op| op.key().starts_with('!'));
    let markers: Vec<_> =
        markers.map(|op| (op.key().to_owned(), !matches!(op, Op::Delete { .. }))).collect();
    let dying: Vec<Family> = gone.iter().filter_map(|key| family(memory, shard, key)).collect();
    let of_job = Change::of(&ops);
    let result = at_once(memory.write(shard, ops));
    let mut state = sim.state();
    let task = state.current;
    if result.is_ok() {
        if let Some(job) = state.job() {
            job.commits += 1;
        }
        if let Some(guard) = &guard {
            state.guarded(guard);
        }
        markers.into_iter().for_each(|(key, is_there)| state.marked(key, is_there));
        for (id, status) in &written {
            seen(sim, &mut state, *id, *status, gone.is_empty());
        }
        if let Some(rule) = rule {
            state.hit(rule);
        }
        dying.iter().for_each(|family| purged(sim, &mut state, family));
        if let Some(change) = of_job {
            job_rows::written(sim, &mut state, change);
        }
    } else {
        if guard.is_some() {
            state.hit(Hit::R19GuardRace);
        } else if let Some(change) = of_job {
            job_rows::conflict(&mut state, &change);
        } else {
            conflict(&mut state, opens, !gone.is_empty());
        }
    }
    state.note(|| {
        let end = if result.is_ok() { "ok" } else { "conflict" };
        let written = written.iter().map(|(id, status)| format!(" {id} {}", status.as_str()));
        let (now, written) = (sim.elapsed(), written.collect::<String>());
        format!("{now:>7} task {task} writes{written} deletes {gone:?}: {end}")
    });
    result
}

/// Id and status of the push in a row, without reading all of it.
fn head(doc: &str) -> Option<(PushId, Status)> {
    let id = PushId::parse(doc.strip_prefix("{\"push\":{\"id\":\"")?.get(..PushId::DIGITS)?)?;
    // It follows the origin, which is the first thing in braces.
    let (_, rest) = doc.split_once('}')?;
    let rest = rest.strip_prefix(",\"status\":\"")?;
    Some((id, Status::from_name(rest.split_once('"')?.0)?))
}

pub(crate) fn family(memory: &Memory, shard: Shard, key: &str) -> Option<Family> {
    let family = row(memory, shard, key)?;
    let Some((newest, _)) = key.get(2..)?.split_once(':') else { return Some(family) };
    // Ids that it is known by too are remembered where events are compared.
    let past = row(memory, shard, &format!("p:{newest}")).map(|newest| newest.past);
    let past = past.into_iter().flatten().filter(|p| p.generation == family.newest.id.generation);
    Some(Family { past: past.collect(), ..family })
}

fn seen(sim: &Sim, state: &mut State, id: PushId, status: Status, nothing_goes: bool) {
    let now = sim.now();
    let before = state.truth.pushes.get(&id).copied();
    let was = before.map_or(Status::Waiting, |seen| seen.status);
    let decided_at = before.and_then(|seen| seen.decided_at);
    let opened_at = before.map_or(now, |seen| seen.opened_at);
    // A process that was frozen goes by the time at which it was.
    let frozen = state.job().is_some_and(|job| job.frozen);
    let opened_at = if frozen && before.is_none() { 0 } else { opened_at };
    let newly = was != status;
    let decided_at = decided_at.or_else(|| newly.then_some(now));
    let (mut rung_at, mut claimed_at) =
        before.map_or((0, 0), |seen| (seen.rung_at, seen.claimed_at));
    if let Some(job) = state.job() {
        job.wrote.push(Bell::Push(id));
        let sweeps = job.kind == Kind::Sweep && !newly && nothing_goes;
        if job.kind == Kind::Notify {
            claimed_at = now;
        }
        // Whoever was told to deliver has half a minute; the first tick of a process does not know of it.
        if sweeps && !job.eager && !frozen && rung_at > claimed_at && now - rung_at < HOLD {
            state.violated(format!("{id} is rung for twice within the time it was given"));
        }
        if sweeps {
            rung_at = if frozen { 0 } else { now };
        }
    }
    state.truth.pushes.insert(id, Seen { status, decided_at, opened_at, rung_at, claimed_at });
    if !newly {
        return;
    }
    let follows = was == Status::Waiting && status != Status::Recovered
        || was == Status::TimedOut && status == Status::Recovered;
    if !follows {
        state.violated(format!("I2: {id} was {} and is {}", was.as_str(), status.as_str()));
    }
    if let Some(job) = state.job() {
        job.decided = true;
    }
    match status {
        Status::Waiting => {}
        Status::Completed => state.hit(Hit::Completed),
        Status::Recovered => state.hit(Hit::Recovered),
        Status::Superseded => state.hit(Hit::Superseded),
        Status::TimedOut => {
            state.hit(Hit::TimedOut);
            if !state.in_flight.is_empty() {
                state.hit(Hit::R4LastAgainstTimeout);
            }
        }
    }
}

/// Only what is decided, done and old enough may go.
fn purged(sim: &Sim, state: &mut State, family: &Family) {
    let push = &family.newest;
    let skew = 2_000;
    let retention = state.plan.retention.cast_signed();
    let old = push.first_seen.as_millis() <= sim.now() + skew - retention;
    if !old || crate::checker::has_work(push) {
        state.violated(format!("{} was deleted, although it was not to go yet", push.id));
    }
    let past = family.past.iter().flat_map(|past| past.arrivals.iter().chain(&past.repeats));
    let events = push.arrivals.iter().chain(&push.repeats).chain(past);
    for event in events {
        for id in &event.ids {
            state.truth.purged.push((event.region.clone(), *id));
        }
    }
    state.hit(Hit::Purged);
    if !state.in_flight.is_empty() {
        state.hit(Hit::R17PurgeAgainstArrival);
    }
}

fn conflict(state: &mut State, opens: bool, purges: bool) {
    let hit = match state.job().map(|job| job.kind.clone()) {
        Some(Kind::Letter(_)) if opens => Hit::R1TwoFirstArrivals,
        Some(Kind::Letter(_)) if purges => Hit::R17PurgeAgainstArrival,
        Some(Kind::Letter(_)) => Hit::R3LastTwoAtOnce,
        Some(Kind::Purge) => Hit::R17PurgeAgainstArrival,
        Some(Kind::Notify) => Hit::R12TwoNotifies,
        _ => Hit::R5TwoTimers,
    };
    state.hit(hit);
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}
