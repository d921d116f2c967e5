//! What must be true of the rows and of what the sinks were told, once everything is quiet. It reads rows with
//! the product's own code and judges them with its own.

use crate::coverage::Hit;
use crate::executor;
use crate::job_rows::{self, JobRows};
use crate::letters::is_of;
use crate::plan::{self, Plan};
use crate::world::{Call, Sim, State};
use acr_fanin::app::App;
use acr_fanin::fuzzing::read_family;
use acr_fanin::keys;
use acr_fanin::ports::Row;
use fan_in::{
    Arrival, Delivery, EventId, Family, NoticeKind, Past, Push, PushId, Region, RegionSet, Shard,
    State as Stand, Status,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One tick purges no longer than this.
const PURGE_WITHIN: Duration = Duration::from_secs(2);
/// Clocks of instances and of the store differ by so much.
const SKEW: i64 = 3_000;
const AN_HOUR: Duration = Duration::from_secs(3_600);

/// Everything that is stored.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) pushes: Vec<Push>,
    pub(crate) past: Vec<(PushId, Past)>,
    markers: Vec<(i64, PushId)>,
    listed: Vec<PushId>,
    named: Vec<PushId>,
    /// Rows of digests, and whom they name.
    digests: Vec<(String, PushId)>,
    jobs: JobRows,
    unreadable: Vec<String>,
}

/// Is there work left? The same question as the product's `due`, asked independently of it.
pub(crate) fn has_work(push: &Push) -> bool {
    let open = |d: &Delivery| !matches!(d.state, Stand::Done | Stand::Dead);
    push.status == Status::Waiting || push.notices.iter().flat_map(|n| &n.deliveries).any(open)
}

pub(crate) fn read(sim: &Sim) -> Rows {
    let mut rows = Rows::default();
    for (shard, row) in sim.memory.dump() {
        if read_row(&mut rows, shard, &row).is_none() {
            rows.unreadable.push(row.key);
        }
    }
    rows
}

fn read_row(rows: &mut Rows, shard: Shard, row: &Row) -> Option<()> {
    let key = row.key.as_str();
    if rows.jobs.read(shard, row)? {
        return Some(());
    }
    if let Some(rest) = key.strip_prefix('!') {
        rows.markers.push((rest.get(..13)?.parse().ok()?, PushId::parse(rest.get(13..)?)?));
    } else if let Some(rest) = key.strip_prefix("d:") {
        rows.listed.push(PushId::parse(rest.get(13..)?)?);
    } else if key.starts_with("i:") {
        rows.digests.push((row.key.clone(), PushId::parse(&row.doc)?));
    } else if key.starts_with("g:") {
        let guard: serde_json::Value = serde_json::from_str(&row.doc).ok()?;
        guard.get("newest")?;
    } else if key.starts_with("t:") {
        let marks: Vec<serde_json::Value> = serde_json::from_str(&row.doc).ok()?;
        let ids = marks.iter().filter_map(|m| PushId::parse(m.get("push")?.as_str()?));
        rows.named.extend(ids);
    } else {
        let Family { newest, past } = read_family(&row.doc).ok()?;
        if newest.id.shard != shard || !is_key_of(key, newest.id) {
            return None;
        }
        rows.past.extend(past.into_iter().map(|past| (newest.id, past)));
        rows.pushes.push(newest);
    }
    Some(())
}

/// An earlier push has its generation in its key.
fn is_key_of(key: &str, id: PushId) -> bool {
    let id = id.to_string();
    key.strip_prefix("p:").is_some_and(|rest| match rest.split_once(':') {
        None => rest == &id[1..33],
        Some((content, generation)) => content == &id[1..33] && generation == &id[33..],
    })
}

impl Rows {
    /// An event that is remembered as part of a push or as a repeat of it.
    pub(crate) fn find(&self, region: &Region, id: EventId) -> Option<&Arrival> {
        let kept = self.pushes.iter().flat_map(|p| p.arrivals.iter().chain(&p.repeats));
        let past = self.past.iter().flat_map(|(_, p)| p.arrivals.iter().chain(&p.repeats));
        kept.chain(past).find(|a| a.region == *region && a.ids.contains(&id))
    }
}

pub(crate) fn check(sim: &Sim, rows: &Rows, drained: bool) {
    let mut state = sim.state();
    let mut found = Vec::new();
    if !drained {
        found.push(format!(
            "I8: it is not over: markers {:?}, messages {}, senders {}, down {}, jobs {:?}",
            rows.markers, state.messages, state.senders, state.down, state.jobs
        ));
    }
    rows_agree(rows, drained, &mut found);
    let plan = std::sync::Arc::clone(&state.plan);
    for push in &rows.pushes {
        decision(&state, &plan, push, &mut found);
        deliveries(&mut state, &plan, push, &mut found);
    }
    acknowledged(&state, &plan, rows, &mut found);
    timely(&state, &plan, rows, &mut found);
    job_rows::check(sim, &mut state, &rows.jobs, &rows.pushes, drained, &mut found);
    crate::twin::conserved(&state, &plan, rows, &mut found);
    found.into_iter().for_each(|what| state.violated(what));
}

/// I8, and no row without the others that belong to it.
fn rows_agree(rows: &Rows, drained: bool, found: &mut Vec<String>) {
    let stored: BTreeSet<PushId> = rows.pushes.iter().map(|p| p.id).collect();
    let listed: BTreeSet<PushId> = rows.listed.iter().copied().collect();
    if listed != stored {
        found.push(format!("the list has {listed:?}, the rows have {stored:?}"));
    }
    if let Some(orphan) = rows.named.iter().find(|id| !stored.contains(id)) {
        found.push(format!("a name is left of {orphan}, which is gone"));
    }
    let mut names: BTreeMap<PushId, BTreeSet<String>> = BTreeMap::new();
    for (key, id) in &rows.digests {
        let names_of = || {
            let push = rows.pushes.iter().find(|push| push.id == *id);
            push.map(|push| keys::digests(&push.image)).unwrap_or_default()
        };
        if !names.entry(*id).or_insert_with(names_of).contains(key) {
            found.push(format!("{key} names {id}, which is gone or of another digest"));
        }
    }
    for key in &rows.unreadable {
        found.push(format!("the row {key} cannot be read"));
    }
    for push in &rows.pushes {
        let markers = rows.markers.iter().filter(|(_, id)| *id == push.id).count();
        if markers != usize::from(has_work(push)) || drained && markers > 0 {
            found.push(format!("I8: {} has {markers} markers, {}", push.id, push.status.as_str()));
        }
    }
    if let Some((_, orphan)) = rows.markers.iter().find(|(_, id)| !stored.contains(id)) {
        found.push(format!("I8: a marker is left of {orphan}, which is gone"));
    }
    for (newest, past) in &rows.past {
        let id = PushId { generation: past.generation, ..*newest };
        let Some(push) = rows.pushes.iter().find(|p| p.id == id) else {
            found.push(format!("{newest} remembers {id}, which is gone"));
            continue;
        };
        let regions = |arrivals: &[Arrival]| -> BTreeSet<Region> {
            arrivals.iter().map(|a| a.region.clone()).collect()
        };
        if regions(&push.arrivals) != regions(&past.arrivals) {
            found.push(format!("{newest} remembers other arrivals of {id} than it has"));
        }
    }
}

/// I2, I3, I4 and I6 as the row shows them.
fn decision(state: &State, plan: &Plan, push: &Push, found: &mut Vec<String>) {
    let (id, status) = (push.id, push.status.as_str());
    let count = |kind| push.notices.iter().filter(|n| n.kind == kind).count();
    let kinds = [NoticeKind::Completed, NoticeKind::TimedOut, NoticeKind::Recovered].map(count);
    let expected = match push.status {
        Status::Waiting | Status::Superseded => [0, 0, 0],
        Status::Completed => [1, 0, 0],
        Status::TimedOut => [0, 1, 0],
        Status::Recovered => [0, 1, 1],
    };
    if kinds != expected {
        found.push(format!("I6: {id} is {status} and has notices {kinds:?}"));
    }
    if state.truth.pushes.get(&id).is_none_or(|seen| seen.status != push.status) {
        found.push(format!("I2: {id} is {status}, which no write said"));
    }
    let sure = plan.change.as_ref().map_or_else(
        || push.expected.clone(),
        |(_, changed)| {
            push.expected
                .intersection(changed)
                .filter(|r| plan.regions.contains(r))
                .cloned()
                .collect()
        },
    );
    let has =
        |r: &Region, late: bool| push.arrivals.iter().any(|a| a.region == *r && a.late == late);
    match push.status {
        Status::Completed if !sure.iter().all(|r| has(r, false)) => {
            found.push(format!("I3: {id} is completed without all of its regions"));
        }
        Status::Recovered if !sure.iter().all(|r| has(r, false) || has(r, true)) => {
            found.push(format!("I3: {id} is recovered without all of its regions"));
        }
        Status::TimedOut | Status::Superseded | Status::Recovered
            if push.missed.is_empty() || push.missed.iter().any(|r| has(r, false)) =>
        {
            found.push(format!("I4: {id} is {status}, but nothing had been missing"));
        }
        Status::TimedOut if plan.change.is_none() && push.expected.iter().all(|r| push.has(r)) => {
            found.push(format!("I2: {id} is everywhere and did not recover"));
        }
        Status::Waiting => found.push(format!("I8: {id} still waits")),
        _ => {}
    }
    let opened = state.truth.pushes.get(&id).map_or(0, |seen| seen.opened_at);
    let decided = push.decided_at.map_or(i64::MAX, fan_in::Timestamp::as_millis);
    if matches!(push.status, Status::TimedOut | Status::Superseded | Status::Recovered)
        && decided + SKEW < opened + plan.timeout.cast_signed()
    {
        found.push(format!("{id} ran out of time too early"));
    }
}

/// I6 and I7: everybody who is to hear of it did, or it is visibly given up; and not more often than that.
fn deliveries(state: &mut State, plan: &Plan, push: &Push, found: &mut Vec<String>) {
    for (at, notice) in push.notices.iter().enumerate() {
        let told: BTreeSet<&str> = notice.deliveries.iter().map(|d| d.sink.as_str()).collect();
        let wanted: BTreeSet<&str> = plan
            .sinks
            .iter()
            .copied()
            .filter(|sink| plan::kinds(sink).contains(&notice.kind))
            .filter(|sink| plan::actions(sink).contains(&push.image.action))
            .collect();
        if told != wanted || told.len() != notice.deliveries.len() {
            found.push(format!("I6: {}.{at} goes to {told:?}, not to {wanted:?}", push.id));
        }
        for delivery in &notice.deliveries {
            let same = |c: &&Call| c.push == push.id && c.notice == at && c.sink == delivery.sink;
            let calls: Vec<Call> = state.truth.calls.iter().filter(same).cloned().collect();
            delivered(state, push, at, delivery, &calls, found);
            if calls.iter().any(|call| call.kind != notice.kind) {
                found.push(format!("I2: {}.{at} was not always the same notice", push.id));
            }
        }
    }
}

fn delivered(
    state: &mut State,
    push: &Push,
    at: usize,
    delivery: &Delivery,
    calls: &[Call],
    found: &mut Vec<String>,
) {
    let what = format!("{}.{at} to {}", push.id, delivery.sink);
    let accepted = calls.iter().filter(|c| c.accepted).count();
    let unknown = calls.iter().filter(|c| c.accepted && c.unknown).count();
    if accepted > 1 + unknown {
        found.push(format!("I7: {what} was accepted {accepted} times, {unknown} in the dark"));
    }
    let superseded = delivery.result.as_deref() == Some("superseded");
    match delivery.state {
        Stand::Done if superseded => {
            state.hit(Hit::SupersededDelivery);
            state.hit(Hit::R19DeployOutOfOrder);
        }
        Stand::Done if accepted == 0 => found.push(format!("I6: {what} is done and never was")),
        Stand::Dead => {
            state.hit(Hit::Dead);
            let tries = u32::try_from(Plan::retry().0.len() + 1).unwrap_or(0);
            if delivery.attempts - delivery.steps < tries && !calls.iter().any(|c| c.hopeless) {
                found.push(format!("I6: {what} was given up too early"));
            }
        }
        Stand::Done => {}
        Stand::Pending { .. } | Stand::Sending { .. } => {
            found.push(format!("I6: {what} is still on its way"));
        }
    }
}

/// I1: what was answered with 2xx is there.
fn acknowledged(state: &State, plan: &Plan, rows: &Rows, found: &mut Vec<String>) {
    for ack in &state.truth.acks {
        let report = &plan.reports[ack.report];
        let id = keys::event(&report.id);
        let purged = state.truth.purged.contains(&(report.region.clone(), id));
        if !purged && rows.find(&report.region, id).is_none() {
            found.push(format!("I1: {} from {} is nowhere", report.id, report.region));
        }
    }
}

/// I4 from outside: where a content was pushed once, what was acknowledged in time counts in time.
fn timely(state: &State, plan: &Plan, rows: &Rows, found: &mut Vec<String>) {
    for push in &rows.pushes {
        let Some(decided) = push.decided_at else { continue };
        let reals = plan.pushes.iter().filter(|p| is_of(&push.image, p.digest));
        let once = reals.count() == 1 && plan.change.is_none();
        if push.status == Status::Completed || !once || plan.retention < 3_600_000 {
            continue;
        }
        let by = |ack: &&crate::world::Ack| !ack.queued && ack.at < decided.as_millis() - SKEW;
        let acks = state.truth.acks.iter().filter(by).map(|ack| &plan.reports[ack.report]);
        let in_time: RegionSet =
            acks.filter(|r| is_of(&push.image, r.digest)).map(|r| r.region.clone()).collect();
        if push.expected.is_subset(&in_time) {
            found.push(format!("I4: {} is {}, all had arrived", push.id, push.status.as_str()));
        }
    }
}

/// What a tick does when a purge is due; what is not purged now is purged another time.
pub(crate) async fn purge(app: &App, plan: &Plan) {
    if let (Ok(0), Some(jobs)) = (app.purge().await, app.jobs()) {
        let retention = Duration::from_millis(plan.retention);
        jobs.purge(retention, PURGE_WITHIN).await.map(drop).unwrap_or_default();
    }
}

/// When the retention is over nothing at all is left. Every eighth seed is looked at.
pub(crate) fn purge_all(sim: &Sim, runtime: &tokio::runtime::Runtime, seed: u64) {
    if !seed.is_multiple_of(8) {
        return;
    }
    let waits = sim.clone();
    let later = async move {
        waits.sleep(Duration::from_millis(waits.plan().retention) + AN_HOUR).await;
        for _ in 0..8 {
            waits.purge(0);
            waits.sleep(AN_HOUR).await;
        }
    };
    runtime.block_on(executor::run(sim.clone(), Box::pin(later)));
    let mut left = sim.memory.dump();
    // What was deployed last is known for ever, and so is what jobs are named under.
    left.retain(|(_, row)| !row.key.starts_with("g:") && row.key != "k:");
    if !left.is_empty() {
        let keys: Vec<_> = left.iter().map(|(_, row)| row.key.as_str()).collect();
        sim.state().violated(format!("a purge leaves {keys:?}"));
    }
}
