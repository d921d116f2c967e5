//! Which rule of correlation an arrival has met, told from the rows before and after: for the count only.

use crate::coverage::Hit;
use crate::observe;
use crate::world::{Kind, Sim};
use acr_fanin::fuzzing::read_family;
use acr_fanin::keys;
use acr_fanin::ports::Op;
use acr_fanin::store::memory::Memory;
use fan_in::{Arrival, Family, Shard};

/// What the transaction of an arrival does to the pushes of its content.
pub(crate) fn rule(sim: &Sim, memory: &Memory, shard: Shard, ops: &[Op]) -> Option<Hit> {
    let earlier = ops.iter().map(Op::key).find(|key| key.starts_with("p:") && key.len() > 34);
    let (id, region) = {
        let mut state = sim.state();
        if !state.close && earlier.is_none() {
            return None;
        }
        let Kind::Letter(letter) = state.job()?.kind else { return None };
        let [report] = state.plan.letters[letter].reports[..] else { return None };
        let report = &state.plan.reports[report];
        (keys::event(&report.id), report.region.clone())
    };
    let key = ops.iter().map(Op::key).find(|key| key.starts_with("p:") && key.len() == 34)?;
    let Some(before) = observe::family(memory, shard, key) else { return Some(Hit::Rule6Opens) };
    let newest = &before.newest;
    let opens = ops.iter().any(|op| matches!(op, Op::Insert { key, .. } if key.len() > 34));
    let knows = |event: &Arrival| event.ids.contains(&id);
    if opens {
        let repeat = repeats(&before).any(knows);
        return Some(if repeat { Hit::Rule2Opens } else { Hit::Rule6Opens });
    }
    if let Some(earlier) = earlier {
        let known = observe::family(memory, shard, earlier)?.newest.arrivals.iter().any(knows);
        return Some(if known { Hit::Rule2Joins } else { Hit::Rule5Late });
    }
    if events(&before).any(|event| event.region == region && knows(event)) {
        return Some(Hit::Rule1Known);
    }
    let op = ops.iter().find(|op| op.key() == key)?;
    let after = read_family(op.doc()?).ok()?.newest;
    if after.arrivals.len() > newest.arrivals.len() {
        let known = newest.arrivals.iter().any(knows);
        Some(if known { Hit::Rule2Joins } else { Hit::Rule3Joins })
    } else if after.repeats.len() == newest.repeats.len() {
        Some(Hit::Rule1Known)
    } else if after.repeats.iter().any(knows) {
        Some(Hit::Rule4Repeats)
    } else {
        Some(Hit::Rule2TakesPlace)
    }
}

fn repeats(family: &Family) -> impl Iterator<Item = &Arrival> {
    family.newest.repeats.iter().chain(family.past.iter().flat_map(|past| &past.repeats))
}

fn events(family: &Family) -> impl Iterator<Item = &Arrival> {
    let past = family.past.iter().flat_map(|past| past.arrivals.iter().chain(&past.repeats));
    family.newest.arrivals.iter().chain(&family.newest.repeats).chain(past)
}
