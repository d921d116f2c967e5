//! Looks over the shoulder of every write: what was decided when, and whether a decision was ever changed.

use crate::coverage::Hit;
use crate::rules;
use crate::world::{Call, Kind, Sim, State};
use acr_fanin::ports::{Op, Rows, StoreError, Version};
use acr_fanin::store::Store;
use acr_fanin::store::memory::Memory;
use fan_in::{Family, Push, PushId, RegionSet, Shard, State as Delivery, Status, Timestamp};
use futures_util::FutureExt;
use std::sync::Arc;

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
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("memory does not wait")
}

pub(crate) fn store(memory: &Memory) -> Store {
    Store::new(Arc::new(memory.clone()), RegionSet::new())
}

pub(crate) fn push(memory: &Memory, id: PushId) -> Option<Push> {
    at_once(store(memory).push(id)).ok().flatten().map(|stored| stored.push)
}

/// Does the row say that this notice is with this sink?
pub(crate) fn is_done(memory: &Memory, call: &Call) -> bool {
    let Some(push) = push(memory, call.push) else { return true };
    let notice = push.notices.get(call.notice);
    let delivery = notice.and_then(|n| n.deliveries.iter().find(|d| d.sink == call.sink));
    delivery.is_none_or(|d| d.state == Delivery::Done)
}

/// Is anything due by then?
pub(crate) fn any_marker(memory: &Memory, until: Option<i64>) -> bool {
    let below = until.map_or_else(|| "\"".to_owned(), |until| format!("!{:013}", until + 1));
    Shard::all()
        .any(|shard| !at_once(memory.range(shard, "!", &below, 1)).unwrap_or_default().is_empty())
}

/// Passes a transaction on, and looks at what it does.
pub(crate) fn write(
    sim: &Sim,
    memory: &Memory,
    shard: Shard,
    ops: Vec<Op>,
) -> Result<Vec<Version>, StoreError> {
    let written: Vec<(PushId, Status)> =
        ops.iter().filter(|op| op.key().starts_with("p:")).filter_map(head).collect();
    let opens = ops.iter().any(|op| matches!(op, Op::Insert { key, .. } if key.len() == 34));
    let gone: Vec<String> = ops
        .iter()
        .filter(|op| op.key().starts_with("p:") && op.doc().is_none())
        .map(|op| op.key().to_owned())
        .collect();
    let rule = rules::rule(sim, memory, shard, &ops);
    let dying: Vec<Family> = gone.iter().filter_map(|key| family(memory, shard, key)).collect();
    let result = at_once(memory.write(shard, ops));
    let mut state = sim.state();
    let task = state.current;
    if result.is_ok() {
        if let Some(job) = state.job() {
            job.commits += 1;
        }
        for (id, status) in &written {
            seen(sim, &mut state, *id, *status, gone.is_empty());
        }
        if let Some(rule) = rule {
            state.hit(rule);
        }
        dying.iter().for_each(|family| purged(sim, &mut state, family));
    } else {
        conflict(&mut state, opens, !gone.is_empty());
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
fn head(op: &Op) -> Option<(PushId, Status)> {
    let doc = op.doc()?;
    let id = PushId::parse(doc.strip_prefix("{\"push\":{\"id\":\"")?.get(..PushId::DIGITS)?)?;
    let (_, rest) = doc.split_once("\"status\":\"")?;
    Some((id, Status::from_name(rest.split_once('"')?.0)?))
}

pub(crate) fn family(memory: &Memory, shard: Shard, key: &str) -> Option<Family> {
    let content = u128::from_str_radix(key.get(2..34)?, 16).ok()?;
    let content = fan_in::ContentId(content.to_be_bytes());
    match key.get(35..) {
        None => at_once(store(memory).family(shard, content)).ok()?.map(|stored| stored.value),
        Some(generation) => {
            let generation = u64::from_str_radix(generation, 16).ok()?;
            let id = PushId { shard, content, generation };
            let newest = at_once(store(memory).earlier(id)).ok()??.value;
            // Ids that it is known by too are remembered where events are compared.
            let family = at_once(store(memory).family(shard, content)).ok().flatten();
            let past = family.map(|stored| stored.value.past).unwrap_or_default();
            let past = past.into_iter().filter(|past| past.generation == generation);
            Some(Family { newest, past: past.collect() })
        }
    }
}

fn seen(sim: &Sim, state: &mut State, id: PushId, status: Status, nothing_goes: bool) {
    let now = sim.now();
    let before = state.truth.pushes.get(&id).copied();
    let was = before.map_or(Status::Waiting, |seen| seen.status);
    let decided_at = before.and_then(|seen| seen.decided_at);
    let opened_at = before.map_or(now, |seen| seen.opened_at);
    let newly = was != status;
    let decided_at = decided_at.or_else(|| newly.then_some(now));
    let (mut rung_at, mut claimed_at) =
        before.map_or((0, 0), |seen| (seen.rung_at, seen.claimed_at));
    if let Some(job) = state.job() {
        job.wrote.push(id);
        let sweeps = job.kind == Kind::Sweep && !newly && nothing_goes;
        if job.kind == Kind::Notify {
            claimed_at = now;
        }
        // Whoever was told to deliver has half a minute; the first tick of a process does not know of it.
        if sweeps && !job.eager && rung_at > claimed_at && now - rung_at < HOLD {
            state.violated(format!("{id} is rung for twice within the time it was given"));
        }
        if sweeps {
            rung_at = now;
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
        Some(Kind::Report(_)) if opens => Hit::R1TwoFirstArrivals,
        Some(Kind::Report(_)) if purges => Hit::R17PurgeAgainstArrival,
        Some(Kind::Report(_)) => Hit::R3LastTwoAtOnce,
        Some(Kind::Purge) => Hit::R17PurgeAgainstArrival,
        Some(Kind::Notify) => Hit::R12TwoNotifies,
        _ => Hit::R5TwoTimers,
    };
    state.hit(hit);
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}
