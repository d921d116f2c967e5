//! Looks at every write of a job, and at the end at all that is kept of them, and holds it against what Azure saw.

use crate::containers::History;
use crate::coverage::Hit;
use crate::executor::TaskId;
use crate::jobs::{JobAck, PUSHED};
use crate::observe;
use crate::plan::{JOB, Plan, kinds};
use crate::sinks::is_outdated;
use crate::world::{Kind, Sim, State};
use acr_fanin::app::Bell;
use acr_fanin::fuzzing::read_job;
use acr_fanin::ports::{JobId, Op, Row};
use acr_fanin::store::{Job, JobState};
use fan_in::{NoticeKind, Push, PushId, Shard, State as Stand};
use std::collections::{BTreeMap, BTreeSet};

/// Clocks of instances and of the store differ by so much.
const SKEW: i64 = 3_000;
/// Whoever was told of a job has so long, less [`SKEW`].
const HOLD: i64 = 27_000;

/// What the writes have said of jobs.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) rows: BTreeMap<JobId, Job>,
    pub(crate) purged: BTreeSet<JobId>,
    pub(crate) acks: Vec<JobAck>,
    /// The push that each task asks for the job of.
    pub(crate) asking: BTreeMap<TaskId, PushId>,
    of_push: BTreeMap<PushId, JobId>,
    /// A tick rang for it and nobody has come since.
    rung: BTreeMap<JobId, i64>,
}

impl Kept {
    /// The job of this group.
    pub(crate) fn job_of(&self, group: &str) -> Option<&Job> {
        self.rows.values().find(|job| job.group.name == group)
    }
}

/// What a transaction does to the row of a job.
pub(crate) struct Change {
    id: JobId,
    /// None: it goes.
    after: Option<Job>,
    inserts: bool,
}

impl Change {
    pub(crate) fn of(ops: &[Op]) -> Option<Self> {
        let op = ops.iter().find(|op| op.key().starts_with("j:"))?;
        let id = JobId::parse(op.key().get(2..)?)?;
        let after = op.doc().and_then(|doc| read_job(id, doc).ok());
        Some(Self { id, after, inserts: matches!(op, Op::Insert { .. }) })
    }
}

/// The transaction was written.
pub(crate) fn written(sim: &Sim, state: &mut State, change: Change) {
    let Change { id, after, inserts } = change;
    let (now, task) = (sim.now(), state.current);
    state.note(|| {
        let what = after.as_ref().map_or("gone", |job| job.state.as_str());
        let lease = after.as_ref().and_then(|job| job.lease).is_some();
        format!("{:>7} task {task} job {id} {what} leased {lease}", sim.elapsed())
    });
    let marker = format!("j{id}");
    let markers = state.truth.markers.iter().filter(|key| key.ends_with(&marker)).count();
    let has_work =
        after.as_ref().is_some_and(|job| !job.state.has_ended() || job.next_at.is_some());
    if markers != usize::from(has_work) {
        state.violated(format!("I8: job {id} has {markers} markers"));
    }
    let Some(after) = after else { return purged(state, id, now) };
    let before = state.kept.rows.get(&id).cloned();
    if inserts {
        inserted(sim, state, &after);
    }
    if let Some(before) = &before {
        follows(state, before, &after);
    }
    if after.state.has_ended() && before.is_none_or(|before| !before.state.has_ended()) {
        ended(state, &after, now);
    }
    rung(state, &after, now);
    if after.state == JobState::Running
        && state.azure.groups.get(&after.group.name).is_none_or(|history| history.run.is_none())
    {
        state.violated(format!("job {id} runs, and nothing was made for it"));
    }
    if let Some(run) = state.job() {
        run.wrote.push(Bell::Job(id));
    }
    state.kept.rows.insert(id, after);
}

/// Another writer was faster.
pub(crate) fn conflict(state: &mut State, change: &Change) {
    state.hit(if change.inserts { Hit::JobAskedForTwice } else { Hit::JobRace });
}

fn inserted(sim: &Sim, state: &mut State, job: &Job) {
    state.hit(Hit::JobKept);
    // After the purge a key may be used anew.
    if state.kept.purged.remove(&job.id) {
        state.azure.groups.remove(&job.group.name);
    }
    let asking = state.kept.asking.get(&state.current).copied();
    let Some(push) = asking.filter(|_| job.definition == PUSHED) else { return };
    state.hit(Hit::JobOfPush);
    if let Some(other) = state.kept.of_push.insert(push, job.id)
        && other != job.id
    {
        state.violated(format!("{push} has two jobs, {other} and {}", job.id));
    }
    let before = state.job().map(|run| run.before.clone()).unwrap_or_default();
    let outdated = observe::push(&sim.memory, push)
        .is_some_and(|push| is_outdated(&sim.memory, &push, &before));
    if outdated {
        state.violated(format!("I9: {push} has a job after a newer push was everywhere"));
    }
}

/// May the one come after the other?
fn follows(state: &mut State, before: &Job, after: &Job) {
    use JobState::{Failed, Queued, Running, Starting, Succeeded};
    let may = match before.state {
        Queued => matches!(after.state, Queued | Starting),
        Starting => true,
        Running => matches!(after.state, Running | Succeeded | Failed),
        Succeeded | Failed => {
            let end = |job: &Job| (job.state, job.exit_code, job.error.clone(), job.ended);
            end(before) == end(after)
        }
    };
    if !may {
        let (was, is) = (before.state.as_str(), after.state.as_str());
        state.violated(format!("job {} was {was} and is {is}", after.id));
    }
    let claimed = after.lease.is_some() && before.lease != after.lease;
    if claimed && before.lease.is_some() {
        state.hit(Hit::JobLeaseRanOut);
    }
    if claimed && before.state == Starting {
        state.hit(Hit::JobLookedForAgain);
    }
}

/// A job ends as its container did, or for a reason that Azure gave.
fn ended(state: &mut State, job: &Job, now: i64) {
    let none = History::default();
    let history = state.azure.groups.get(&job.group.name).unwrap_or(&none);
    let said = match (&history.run, job.exit_code) {
        _ if history.excused => true,
        (Some(run), Some(code)) => run.exit_code == Some(code) && run.has_ended(now),
        (Some(run), None) => run.lost || run.exit_code.is_none() && run.has_ended(now),
        (None, code) => history.refused && code.is_none(),
    };
    let lost = history.run.as_ref().is_some_and(|run| run.lost);
    let succeeded = job.exit_code == Some(0);
    let right = if succeeded { JobState::Succeeded } else { JobState::Failed };
    state.hit(match (job.state, job.exit_code) {
        (JobState::Succeeded, _) => Hit::JobSucceeded,
        (_, Some(_)) => Hit::JobFailed,
        (_, None) if lost => Hit::JobGone,
        (_, None) => Hit::JobNeverRan,
    });
    if !said || job.state != right || job.ended.is_none() {
        let (is, code) = (job.state.as_str(), job.exit_code);
        state.violated(format!("job {} is {is} with {code:?}, which Azure did not say", job.id));
    }
}

/// Nobody is told of a job again before those who were told have had their time.
fn rung(state: &mut State, job: &Job, now: i64) {
    let run = state.job().map(|run| (run.kind == Kind::Sweep, run.frozen));
    let Some((true, frozen)) = run else {
        state.kept.rung.remove(&job.id);
        return;
    };
    state.hit(Hit::JobRung);
    let at = state.kept.rung.insert(job.id, if frozen { 0 } else { now });
    if at.is_some_and(|at| at > 0 && now - at < HOLD) && !frozen {
        state.violated(format!("job {} is rung for twice within its time", job.id));
    }
}

/// Only what has ended, has nothing left to do and is old enough may go.
fn purged(state: &mut State, id: JobId, now: i64) {
    let Some(job) = state.kept.rows.remove(&id) else { return };
    let retention = state.plan.retention.cast_signed();
    let old = job.ended.is_some_and(|ended| ended.as_millis() + retention <= now + SKEW);
    if !old || job.next_at.is_some() {
        state.violated(format!("job {id} was deleted, although it was not to go yet"));
    }
    state.hit(Hit::JobPurged);
    state.kept.purged.insert(id);
}

/// What is stored of jobs.
#[derive(Debug, Default)]
pub(crate) struct JobRows {
    jobs: Vec<(Shard, Job)>,
    logs: BTreeMap<JobId, String>,
    ages: Vec<JobId>,
    pub(crate) markers: Vec<JobId>,
}

impl JobRows {
    /// Reads a row, if it is one of a job: None when it cannot be read.
    pub(crate) fn read(&mut self, shard: Shard, row: &Row) -> Option<bool> {
        let (key, rest) = (row.key.as_str(), row.key.get(2..).unwrap_or_default());
        if let Some(id) = key.strip_prefix('!').and_then(|rest| rest.get(13..)?.strip_prefix('j')) {
            self.markers.push(JobId::parse(id)?);
        } else if key.starts_with("j:") {
            let id = JobId::parse(rest)?;
            self.jobs.push((shard, read_job(id, &row.doc).ok()?));
        } else if key.starts_with("l:") {
            let doc: serde_json::Value = serde_json::from_str(&row.doc).ok()?;
            self.logs.insert(JobId::parse(rest)?, doc["log"].as_str()?.to_owned());
        } else if key.starts_with("e:") {
            self.ages.push(JobId::parse(rest.get(13..)?)?);
        } else if key != "k:" {
            return Some(false);
        }
        Some(true)
    }
}

pub(crate) fn check(
    sim: &Sim,
    state: &mut State,
    rows: &JobRows,
    pushes: &[Push],
    drained: bool,
    found: &mut Vec<String>,
) {
    let plan = std::sync::Arc::clone(&state.plan);
    if plan.jobs.is_none() {
        return;
    }
    let ids: BTreeSet<JobId> = rows.jobs.iter().map(|(_, job)| job.id).collect();
    let known: BTreeSet<JobId> = state.kept.rows.keys().copied().collect();
    let ages: BTreeSet<JobId> = rows.ages.iter().copied().collect();
    if ids != known || ids != ages || ages.len() != rows.ages.len() {
        found.push(format!("jobs: the rows have {ids:?}, by age {ages:?}, written were {known:?}"));
    }
    if let Some(orphan) = rows.logs.keys().find(|id| !ids.contains(id)) {
        found.push(format!("the log of {orphan} is left, which is gone"));
    }
    if drained && !rows.markers.is_empty() {
        found.push(format!("I8: markers are left of the jobs {:?}", rows.markers));
    }
    for (shard, job) in &rows.jobs {
        one(state, rows, *shard, job, sim.now(), found);
    }
    acknowledged(state, &plan, found);
    for push in pushes {
        delivered(state, push, found);
    }
    // Only a frozen process can make a group after its end.
    let left = |history: &&History| history.run.as_ref().is_some_and(|run| run.is_there);
    if state.azure.groups.values().filter(left).any(|history| !history.excused) {
        found.push("the container group of a job is left behind".to_owned());
    }
}

fn one(state: &State, rows: &JobRows, shard: Shard, job: &Job, now: i64, found: &mut Vec<String>) {
    let id = job.id;
    if !job.state.has_ended() || job.next_at.is_some() || shard != id.shard() {
        found.push(format!("job {id} is {} in {shard:?}", job.state.as_str()));
    }
    // Whoever sees the group does not learn the id.
    let name = job.group.name.trim_start_matches("fanin-");
    if name.len() < 24 || id.to_string().contains(&name[..8]) {
        found.push(format!("job {id} has the group {}", job.group.name));
    }
    let log = rows.logs.get(&id);
    if log.is_some() != job.has_log {
        found.push(format!("job {id} has a log or has none"));
    }
    let Some(history) = state.azure.groups.get(&job.group.name) else { return };
    let Some(run) = &history.run else { return };
    let whole = run.log(now);
    let excused = history.excused || run.lost || run.log_refused || !state.plan.freezes.is_empty();
    let part = log.is_none_or(|log| whole.as_ref().is_some_and(|all| all.starts_with(log)));
    if !history.excused && !part || log != whole.as_ref() && !excused {
        found.push(format!("job {id} has the log {log:?}, and its container wrote {whole:?}"));
    }
}

/// What was answered with 2xx is there, once for each key, and is what was asked for.
fn acknowledged(state: &State, plan: &Plan, found: &mut Vec<String>) {
    let Some(jobs) = &plan.jobs else { return };
    let Kept { acks, rows, purged, .. } = &state.kept;
    for ack in acks {
        let wish = &jobs.wishes[ack.wish];
        match rows.get(&ack.job) {
            Some(job) if job.args != wish.args => {
                found.push(format!("job {} runs with {:?}, not as asked for", ack.job, job.args));
            }
            None if !purged.contains(&ack.job) => {
                found.push(format!("I1: job {} is nowhere", ack.job));
            }
            _ => {}
        }
        let other = acks
            .iter()
            .find(|other| (jobs.wishes[other.wish].key == wish.key) != (other.job == ack.job));
        if let Some(other) = other {
            found.push(format!("keys and jobs do not agree: {ack:?}, {other:?}"));
        }
    }
    let of_keys = rows.values().filter(|job| job.definition != PUSHED).count();
    let keys: BTreeSet<u32> = jobs.wishes.iter().map(|wish| wish.key).collect();
    if of_keys > keys.len() {
        found.push(format!("{of_keys} jobs are kept for {} keys", keys.len()));
    }
    let of_pushes = rows.values().filter(|job| job.definition == PUSHED).map(|job| job.id);
    let known: BTreeSet<JobId> = state.kept.of_push.values().copied().collect();
    if let Some(stray) = of_pushes.into_iter().find(|id| !known.contains(id)) {
        found.push(format!("job {stray} is no push's"));
    }
}

/// The delivery says how the job ended, and one notice tells it.
fn delivered(state: &State, push: &Push, found: &mut Vec<String>) {
    let deliveries: Vec<_> =
        push.notices.iter().flat_map(|n| &n.deliveries).filter(|d| d.sink == JOB).collect();
    let count = |kind| push.notices.iter().filter(|n| n.kind == kind).count();
    let told = (count(NoticeKind::JobSucceeded), count(NoticeKind::JobFailed));
    let id = state.kept.of_push.get(&push.id);
    let [delivery] = deliveries[..] else {
        if !deliveries.is_empty() || id.is_some() || told != (0, 0) {
            found.push(format!("{} has {} deliveries to {JOB}", push.id, deliveries.len()));
        }
        return;
    };
    let result = delivery.result.as_deref().unwrap_or_default();
    let job = id.and_then(|id| state.kept.rows.get(id));
    let gone = id.is_some_and(|id| state.kept.purged.contains(id));
    let expected = match (delivery.state, job) {
        (Stand::Dead, _) => (0, 1),
        (_, _) if result == "superseded" && id.is_none() => (0, 0),
        (_, _) if gone => return,
        (_, Some(job)) => {
            let says = match (job.exit_code, &job.error) {
                (Some(code), _) => format!("exit code {code}"),
                (None, error) => error.clone().unwrap_or_default(),
            };
            if result != says {
                found.push(format!("{} to {JOB} says {result}, and the job {says}", push.id));
            }
            if job.state == JobState::Succeeded { (1, 0) } else { (0, 1) }
        }
        (_, None) => {
            found.push(format!("{} to {JOB} says {result}, and there was no job", push.id));
            return;
        }
    };
    // Where nobody wants to hear of it there is no notice.
    let heard = state.plan.sinks.iter().any(|s| kinds(s).contains(&NoticeKind::JobFailed));
    if told != if heard { expected } else { (0, 0) } {
        found.push(format!("{} tells of its job {told:?} times, not {expected:?}", push.id));
    }
}
