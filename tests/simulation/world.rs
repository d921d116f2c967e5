//! What the tasks of one seed share: chance, time, the rows that outlive every process, and the truth about
//! what happened, against which the checker holds what the product says.

use crate::coverage::{Coverage, Hit};
use crate::executor::{TaskId, Work};
use crate::observe::{self, Seen};
use crate::plan::{EPOCH, Plan};
use crate::sleep::Alarms;
use acr_fanin::app::{App, Bell};
use acr_fanin::intake::Rules;
use acr_fanin::store::memory::Memory;
use fan_in::{EventId, Push, PushId, Region, Timestamp};
use fastrand::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::Instant;

/// What dies together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Senders, the queue, the timer's schedule: nothing of ours.
    World,
    Instance(usize),
}

/// What an instance does for somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Letter(usize),
    Notify,
    /// A request of somebody who wants a job.
    Asks,
    /// A bell for a job.
    Advance,
    Sweep,
    Purge,
}

/// One invocation of an instance, and how far it is.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) kind: Kind,
    pub(crate) instance: usize,
    /// The process has not done a whole tick yet, so it does not know who was told.
    pub(crate) eager: bool,
    pub(crate) wrote: Vec<Bell>,
    pub(crate) commits: u32,
    /// A commit of it decided a push.
    pub(crate) decided: bool,
    /// A commit's answer was lost.
    pub(crate) unsure: bool,
    pub(crate) errors: u32,
    /// Its process was frozen in the middle of it.
    pub(crate) frozen: bool,
    pub(crate) rung: bool,
    /// A step of a deployment was begun.
    pub(crate) deploys: bool,
    /// Calls of sinks, by their place in the truth.
    pub(crate) calls: Vec<usize>,
    /// The rows of the pushes when it began, if one of them was everywhere.
    pub(crate) before: Vec<(PushId, String)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) app: Option<Arc<App>>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) regions: fan_in::RegionSet,
    /// Its process has done a whole tick.
    pub(crate) swept: bool,
    /// Nothing of it goes on.
    pub(crate) frozen: bool,
    pub(crate) thawed_at: i64,
}

/// What a task meets when it could go on.
pub(crate) enum Entry {
    GoesOn,
    Dies,
    IsFrozen,
}

/// What has happened to tasks since this was asked last.
pub(crate) struct Turn {
    pub(crate) spawned: Vec<(TaskId, Group, Work)>,
    /// Processes that died.
    pub(crate) killed: Vec<Group>,
    /// A process goes on that was frozen.
    pub(crate) thawed: bool,
}

/// One call of a sink.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) push: PushId,
    pub(crate) notice: usize,
    pub(crate) kind: fan_in::NoticeKind,
    pub(crate) sink: &'static str,
    pub(crate) accepted: bool,
    pub(crate) hopeless: bool,
    /// Nobody on our side can know that it was accepted.
    pub(crate) unknown: bool,
}

/// An answer of 2xx.
#[derive(Clone, Debug)]
pub(crate) struct Ack {
    pub(crate) report: usize,
    pub(crate) at: i64,
    /// It went by queue.
    pub(crate) queued: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Truth {
    pub(crate) calls: Vec<Call>,
    pub(crate) acks: Vec<Ack>,
    pub(crate) pushes: BTreeMap<PushId, Seen>,
    /// Keys of the markers that are in the rows.
    pub(crate) markers: BTreeSet<String>,
    /// Events whose push was rightly purged.
    pub(crate) purged: Vec<(Region, EventId)>,
    /// Reports that have travelled by queue.
    pub(crate) by_queue: Vec<usize>,
    pub(crate) violations: Vec<String>,
}

pub(crate) struct State {
    pub(crate) plan: Arc<Plan>,
    pub(crate) rng: Rng,
    pub(crate) coverage: Coverage,
    pub(crate) truth: Truth,
    pub(crate) group: crate::group::Group,
    pub(crate) azure: crate::containers::Azure,
    pub(crate) kept: crate::job_rows::Kept,
    pub(crate) trace: Option<Vec<String>>,
    pub(crate) faulty: bool,
    /// The rule behind every write is counted: in one seed of sixteen, and where rare ones are met.
    pub(crate) close: bool,
    pub(crate) instances: Vec<Instance>,
    pub(crate) jobs: BTreeMap<TaskId, Job>,
    pub(crate) current: TaskId,
    /// Requests of registries on their way: the report of each.
    pub(crate) in_flight: Vec<usize>,
    /// Messages in the queue.
    pub(crate) messages: usize,
    pub(crate) senders: usize,
    /// Instances that are down and will come again.
    pub(crate) down: usize,
    spawned: Vec<(TaskId, Group, Work)>,
    killed: Vec<Group>,
    thawed: bool,
    next_task: TaskId,
}

/// Handle to all of it.
#[derive(Clone)]
pub(crate) struct Sim {
    state: Arc<Mutex<State>>,
    clock: Arc<AtomicI64>,
    begun: Instant,
    alarms: Arc<Mutex<Alarms>>,
    pub(crate) memory: Memory,
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").finish_non_exhaustive()
    }
}

impl Sim {
    pub(crate) fn new(plan: Plan, seed: u64, trace: bool) -> Self {
        let clock = Arc::new(AtomicI64::new(EPOCH));
        let reader = Arc::clone(&clock);
        let mut coverage = Coverage::default();
        plan.hits.iter().for_each(|hit| coverage.hit(*hit));
        let state = State {
            rng: Rng::with_seed(seed ^ 0x5eed),
            coverage,
            truth: Truth::default(),
            group: crate::group::Group::default(),
            azure: crate::containers::Azure::default(),
            kept: crate::job_rows::Kept::default(),
            trace: trace.then(Vec::new),
            close: seed.is_multiple_of(16) || plan.hits.contains(&Hit::RepushWaiting),
            faulty: plan.weather.crash + plan.weather.error_before + plan.weather.sink > 0,
            instances: Vec::new(),
            jobs: BTreeMap::new(),
            current: 0,
            in_flight: Vec::new(),
            messages: 0,
            senders: 0,
            down: 0,
            spawned: Vec::new(),
            killed: Vec::new(),
            thawed: false,
            next_task: 1,
            plan: Arc::new(plan),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            begun: Instant::now(),
            alarms: Arc::default(),
            memory: Memory::new(move || Timestamp::from_millis(reader.load(Ordering::Relaxed))),
            clock,
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.state().plan)
    }

    pub(crate) fn alarms(&self) -> MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap()
    }

    /// Time only passes while nothing can go on.
    pub(crate) fn look_at_the_clock(&self) {
        let passed = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(0);
        let now = passed + self.alarms().skipped;
        self.clock.store(EPOCH + now.cast_signed(), Ordering::Relaxed);
        loop {
            let due = self.alarms().take_due(now);
            let Some(waker) = due else { return };
            waker.wake();
        }
    }

    /// When the next alarm rings, by the clock of the code under test.
    pub(crate) fn next_alarm(&self) -> Option<Instant> {
        let alarms = self.alarms();
        let passed = alarms.next()?.saturating_sub(alarms.skipped);
        Some(self.begun + Duration::from_millis(passed))
    }

    /// Time jumps to the next alarm, while nobody is there whose clock would have to go on.
    pub(crate) fn skip(&self) {
        let mut alarms = self.alarms();
        if let Some(next) = alarms.next() {
            alarms.skipped += next.saturating_sub(self.elapsed());
        }
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.load(Ordering::Relaxed)
    }

    /// Milliseconds since the beginning.
    pub(crate) fn elapsed(&self) -> u64 {
        (self.now() - EPOCH).cast_unsigned()
    }

    pub(crate) fn spawn(&self, group: Group, work: Work) -> TaskId {
        let mut state = self.state();
        let id = state.next_task;
        state.next_task += 1;
        state.spawned.push((id, group, work));
        id
    }

    pub(crate) fn turn(&self) -> Turn {
        let mut state = self.state();
        Turn {
            spawned: std::mem::take(&mut state.spawned),
            killed: std::mem::take(&mut state.killed),
            thawed: std::mem::take(&mut state.thawed),
        }
    }

    pub(crate) fn draw(&self, below: usize) -> usize {
        self.state().rng.usize(..below)
    }

    /// A task is done: what it knew of is written down, or never will be.
    pub(crate) fn leave(&self, task: TaskId) {
        let mut state = self.state();
        let Some(job) = state.jobs.remove(&task) else { return };
        let excused = job.errors > 0 || job.frozen;
        state.ended(&job);
        self.unwritten(&mut state, &job, excused);
    }

    /// Calls that were accepted without the row saying so are unknown outcomes, if there is an excuse for it.
    fn unwritten(&self, state: &mut State, job: &Job, excused: bool) {
        let mut rows: Vec<(PushId, Option<Push>)> = Vec::new();
        for at in job.calls.iter().filter(|_| excused) {
            let call = &mut state.truth.calls[*at];
            if call.accepted {
                if rows.iter().all(|(id, _)| *id != call.push) {
                    rows.push((call.push, observe::push(&self.memory, call.push)));
                }
                let row = rows.iter().find(|(id, _)| *id == call.push);
                let done = row.and_then(|(_, push)| push.as_ref()).is_none_or(|p| call.is_done(p));
                call.unknown |= !done;
            }
        }
    }

    /// This task goes on, unless its process is frozen or dies at this await.
    pub(crate) fn enter(&self, group: Group, task: TaskId) -> Entry {
        let mut state = self.state();
        state.current = task;
        let Group::Instance(instance) = group else { return Entry::GoesOn };
        if state.instances[instance].frozen {
            return Entry::IsFrozen;
        }
        let odds = state.plan.weather.crash;
        if !state.faulty || odds == 0 || state.rng.u32(..10_000) >= odds {
            return Entry::GoesOn;
        }
        state.note(|| format!("{:>7} instance {instance} dies in task {task}", self.elapsed()));
        state.fault(Hit::Crash);
        drop(state);
        self.kill(instance);
        Entry::Dies
    }

    /// For some time nothing of the process goes on, as if its machine slept. What it had begun may be taken
    /// over by others in the meantime, and nobody can know what it does when it wakes.
    pub(crate) async fn freeze(self, instance: usize, at: u64, until: u64) {
        self.until(at).await;
        {
            let mut state = self.state();
            let State { instances, jobs, truth, .. } = &mut *state;
            let slot = &mut instances[instance];
            if slot.app.is_none() {
                return;
            }
            slot.frozen = true;
            for job in jobs.values_mut().filter(|job| job.instance == instance) {
                job.frozen = true;
                job.calls.iter().for_each(|call| truth.calls[*call].unknown = true);
            }
            state.fault(Hit::Frozen);
            state.note(|| format!("{:>7} instance {instance} is frozen", self.elapsed()));
        }
        self.until(until).await;
        let mut state = self.state();
        let now = self.now();
        let slot = &mut state.instances[instance];
        if std::mem::take(&mut slot.frozen) {
            slot.thawed_at = now;
            state.thawed = true;
            state.note(|| format!("{:>7} instance {instance} wakes", self.elapsed()));
        }
    }

    /// Nothing of the process goes on; it starts again later.
    pub(crate) fn kill(&self, instance: usize) {
        let mut state = self.state();
        if state.instances[instance].app.take().is_none() {
            return;
        }
        state.instances[instance].frozen = false;
        state.down += 1;
        let group = Group::Instance(instance);
        let unborn: Vec<_> = state.spawned.extract_if(.., |(_, of, _)| *of == group).collect();
        let dead: Vec<TaskId> = state
            .jobs
            .iter()
            .filter(|(_, job)| job.instance == instance)
            .map(|(id, _)| *id)
            .collect();
        for id in dead {
            let Some(job) = state.jobs.remove(&id) else { continue };
            state.crashed_in(&job);
            self.unwritten(&mut state, &job, true);
        }
        state.killed.push(group);
        drop(state);
        drop(unborn);
        self.restart_later(instance);
    }

    fn restart_later(&self, instance: usize) {
        let sim = self.clone();
        let work = async move {
            let pause = if sim.state().faulty { sim.draw(20_000) } else { 0 };
            sim.sleep(Duration::from_millis(pause as u64)).await;
            sim.start(instance);
            sim.state().down -= 1;
        };
        self.spawn(Group::World, Box::pin(work));
    }
}

impl State {
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        percent > 0 && self.rng.u32(..100) < percent
    }

    pub(crate) fn hit(&mut self, hit: Hit) {
        self.coverage.hit(hit);
    }

    pub(crate) fn fault(&mut self, hit: Hit) {
        self.coverage.hit(hit);
        self.coverage.hit(Hit::Faults);
    }

    /// A fault that happens so many times in a hundred while there are faults.
    pub(crate) fn strikes(&mut self, percent: u32, hit: Hit) -> bool {
        let strikes = self.faulty && self.chance(percent);
        if strikes {
            self.fault(hit);
        }
        strikes
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(line());
        }
    }

    pub(crate) fn violated(&mut self, what: String) {
        self.note(|| format!("VIOLATION {what}"));
        self.truth.violations.push(what);
    }

    pub(crate) fn job(&mut self) -> Option<&mut Job> {
        self.jobs.get_mut(&self.current)
    }

    /// What a job that came to its end has met.
    fn ended(&mut self, job: &Job) {
        let accepted = job.calls.iter().filter(|at| self.truth.calls[**at].accepted).count();
        match job.kind {
            Kind::Letter(_) if job.unsure => self.hit(Hit::R9LostAnswer),
            Kind::Notify if accepted > 0 && accepted < job.calls.len() => {
                self.hit(Hit::R15OneSinkOfTwo);
            }
            _ => {}
        }
    }

    fn crashed_in(&mut self, job: &Job) {
        let accepted = job.calls.iter().any(|at| self.truth.calls[*at].accepted);
        if job.deploys {
            self.hit(Hit::R19CrashBetweenSteps);
        }
        match job.kind {
            Kind::Letter(_) if job.decided && !job.rung => self.hit(Hit::R7CrashBeforeBell),
            Kind::Letter(_) if job.decided => self.hit(Hit::R8CrashBeforeAnswer),
            Kind::Notify if job.commits > 0 && job.calls.is_empty() => {
                self.hit(Hit::R10CrashAfterClaim);
            }
            Kind::Notify if accepted => self.hit(Hit::R11CrashAfterAcceptance),
            Kind::Advance if job.commits > 0 => self.hit(Hit::JobCrashAfterClaim),
            Kind::Asks => self.hit(Hit::JobCrashBeforeAnswer),
            _ => {}
        }
    }
}
