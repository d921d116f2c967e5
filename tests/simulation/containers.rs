//! Where jobs run: an Azure that refuses, hangs, does without answering or answers without doing, does not find
//! for a moment what it has just made, and loses what it had. What it did is the truth about how often a job ran.

use crate::coverage::Hit;
use crate::world::{Group as Of, Sim, State};
use acr_fanin::ports::{Containers, Group, Order, Seen, Trouble, Window};
use acr_fanin::store::JobState;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A request on its way arrives within this time, unless its process is frozen in the middle of sending it.
const TRAVEL: u64 = 2_500;
/// What was made is found after this time at the latest. With the time for sending and for travel this is less
/// than a lease: the product promises no more.
const FOUND_AFTER: i64 = 6_000;
/// Clocks of instances and of the store differ by so much.
const SKEW: i64 = 3_000;

/// What happened to the groups of jobs, by their names.
#[derive(Debug, Default)]
pub(crate) struct Azure {
    pub(crate) groups: BTreeMap<String, History>,
}

/// What happened to one name.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// It was said that the group cannot be made.
    pub(crate) refused: bool,
    /// A frozen process may have made it a second time, or after the end.
    pub(crate) excused: bool,
    pub(crate) run: Option<Run>,
}

/// A group that was made.
#[derive(Debug)]
pub(crate) struct Run {
    made_at: i64,
    found_from: i64,
    ends_at: i64,
    /// None when it never ran, such as for want of its image.
    pub(crate) exit_code: Option<i64>,
    lines: i64,
    pub(crate) is_there: bool,
    /// Somebody else deleted it.
    pub(crate) lost: bool,
    /// The log was not given when it was asked for last.
    pub(crate) log_refused: bool,
}

impl Run {
    pub(crate) fn has_ended(&self, now: i64) -> bool {
        self.ends_at <= now
    }

    /// All that its container has written by then, a line each second.
    pub(crate) fn log(&self, now: i64) -> Option<String> {
        let lines = ((now.min(self.ends_at) - self.made_at) / 1_000).min(self.lines);
        (lines > 0).then(|| (1..=lines).map(|line| format!("line {line}\n")).collect())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Fine,
    Later(u64),
    GiveUp,
    /// Nothing is done, and nobody says so.
    Lost,
    /// It is done, and nobody says so.
    Silent,
    /// It is done some time after the connection is gone.
    OnItsWay,
    /// It is done, and there is no answer until nobody waits for one any more.
    Hang,
}

#[derive(Debug)]
pub(crate) struct SimContainers {
    pub(crate) sim: Sim,
}

fn error() -> String {
    "simulated".to_owned()
}

fn refused(after: u64) -> Trouble {
    Trouble::Later { error: error(), after: (after > 0).then(|| Duration::from_secs(after)) }
}

fn unknown() -> Trouble {
    Trouble::Unknown { error: error() }
}

impl SimContainers {
    /// What a request comes to, and how long it and its answer travel.
    fn fate(&self, what: &str, name: &str) -> (Fate, Duration, Duration) {
        let mut state = self.sim.state();
        let fate = fate(&mut state);
        let task = state.current;
        state.note(|| format!("{:>7} task {task} {what} {name}: {fate:?}", self.sim.elapsed()));
        let mut travel = || {
            let most = if state.faulty && state.chance(15) { TRAVEL } else { 30 };
            Duration::from_millis(state.rng.u64(..most))
        };
        (fate, travel(), travel())
    }

    fn delete_now(&self, name: &str) {
        let now = self.sim.now();
        let mut state = self.sim.state();
        let State { azure, kept, .. } = &mut *state;
        let history = azure.groups.entry(name.to_owned()).or_default();
        let may_go = |job: &acr_fanin::store::Job| {
            job.ended.is_some_and(|ended| (ended + job.ttl).as_millis() <= now + SKEW)
        };
        let early = !kept.job_of(name).is_none_or(may_go);
        if let Some(run) = &mut history.run {
            run.is_there = false;
        }
        if early {
            state.violated(format!("{name} is deleted before its time is over"));
        }
        state.hit(Hit::JobDeleted);
    }

    /// A group whose container is known to run may be deleted by somebody else.
    fn lose(&self, name: &str) {
        let mut state = self.sim.state();
        let runs = state.kept.job_of(name).is_some_and(|job| job.state == JobState::Running);
        if runs && state.strikes(2, Hit::ContainersLoseGroup) {
            let run = state.azure.groups.get_mut(name).and_then(|history| history.run.as_mut());
            if let Some(run) = run {
                (run.is_there, run.lost) = (false, true);
            }
        }
    }
}

fn fate(state: &mut State) -> Fate {
    let trouble = state.plan.jobs.as_ref().map_or(0, |jobs| jobs.trouble);
    if !state.faulty || !state.chance(trouble) {
        return Fate::Fine;
    }
    let (fate, hit) = match state.rng.u32(..20) {
        0..=2 => (Fate::Later(0), Hit::ContainersRefuse),
        3..=4 => (Fate::Later(state.rng.u64(1..90)), Hit::ContainersAskToWait),
        5..=6 => (Fate::GiveUp, Hit::ContainersGiveUp),
        7..=9 => (Fate::Lost, Hit::ContainersDoNothing),
        10..=12 => (Fate::Silent, Hit::ContainersDoSilently),
        13..=15 => (Fate::OnItsWay, Hit::ContainersDoItLater),
        _ => (Fate::Hang, Hit::ContainersHang),
    };
    state.fault(hit);
    fate
}

/// The group is made: a second time only if a process was frozen while it sent its request.
fn make(sim: &Sim, name: &str, sent_at: i64) {
    let now = sim.now();
    let mut state = sim.state();
    let frozen = now > sent_at + 2 * TRAVEL.cast_signed();
    let runs = match state.rng.u32(..10) {
        0 => 0,
        1..=6 => state.rng.i64(500..20_000),
        _ => state.rng.i64(20_000..90_000),
    };
    let found = if state.chance(50) { state.rng.i64(0..FOUND_AFTER) } else { 0 };
    let exit_code = match state.rng.u32(..10) {
        0 => None,
        1..=2 => Some(state.rng.i64(1..256)),
        _ => Some(0),
    };
    let run = Run {
        made_at: now,
        found_from: now + found,
        ends_at: now + runs,
        exit_code,
        lines: if state.chance(10) { 0 } else { state.rng.i64(1..12) },
        is_there: true,
        lost: false,
        log_refused: false,
    };
    let history = state.azure.groups.entry(name.to_owned()).or_default();
    history.excused |= frozen;
    let (again, excused) = (history.run.replace(run).is_some(), history.excused);
    if again && !excused {
        state.violated(format!("a job runs twice: {name} is made again"));
    }
    if again || frozen {
        state.hit(Hit::JobExcused);
    }
    state.hit(Hit::JobMade);
    state.note(|| {
        format!("{:>7} {name} is made for {runs} ms, to end with {exit_code:?}", sim.elapsed())
    });
}

#[async_trait]
impl Containers for SimContainers {
    async fn create(&self, group: &Group, _: Order<'_>, window: Window) -> Result<(), Trouble> {
        let name = group.name.as_str();
        if Instant::now() >= window.send {
            return Err(refused(0));
        }
        let (fate, there, back) = self.fate("make", name);
        let sent_at = self.sim.now();
        self.sim.sleep(there).await;
        match fate {
            Fate::Fine => make(&self.sim, name, sent_at),
            Fate::Later(after) => return Err(refused(after)),
            Fate::GiveUp => {
                let mut state = self.sim.state();
                state.azure.groups.entry(name.to_owned()).or_default().refused = true;
                return Err(Trouble::GiveUp { error: error() });
            }
            Fate::Lost => return Err(unknown()),
            Fate::Silent => {
                make(&self.sim, name, sent_at);
                return Err(unknown());
            }
            Fate::OnItsWay => {
                let (sim, name) = (self.sim.clone(), name.to_owned());
                let travels = Duration::from_millis(sim.draw(TRAVEL as usize) as u64);
                let work = async move {
                    sim.sleep(travels).await;
                    make(&sim, &name, sent_at);
                };
                self.sim.spawn(Of::World, Box::pin(work));
                return Err(unknown());
            }
            Fate::Hang => {
                make(&self.sim, name, sent_at);
                sleep_until(window.answer).await;
                return Err(unknown());
            }
        }
        self.sim.sleep(back).await;
        Ok(())
    }

    async fn look(&self, group: &Group, window: Window) -> Result<Seen, Trouble> {
        let name = group.name.as_str();
        let (fate, there, back) = self.fate("look at", name);
        self.sim.sleep(there).await;
        self.lose(name);
        answer(fate, window).await?;
        let seen = {
            let now = self.sim.now();
            let mut state = self.sim.state();
            let run = state.azure.groups.get(name).and_then(|history| history.run.as_ref());
            match run.filter(|run| run.is_there) {
                Some(run) if now < run.found_from => {
                    state.hit(Hit::JobNotFoundYet);
                    Seen::Absent
                }
                Some(run) if !run.has_ended(now) => Seen::Going,
                Some(Run { exit_code, .. }) => {
                    Seen::Ended { exit_code: *exit_code, error: exit_code.is_none().then(error) }
                }
                None => Seen::Absent,
            }
        };
        self.sim.sleep(back).await;
        Ok(seen)
    }

    async fn log(&self, group: &Group, window: Window) -> Result<Option<String>, Trouble> {
        let name = group.name.as_str();
        let (fate, there, back) = self.fate("read", name);
        self.sim.sleep(there).await;
        if let Some(history) = self.sim.state().azure.groups.get_mut(name)
            && let Some(run) = &mut history.run
        {
            run.log_refused = fate != Fate::Fine;
        }
        answer(fate, window).await?;
        let now = self.sim.now();
        let log = {
            let state = self.sim.state();
            let run = state.azure.groups.get(name).and_then(|history| history.run.as_ref());
            run.filter(|run| run.is_there).and_then(|run| run.log(now))
        };
        self.sim.sleep(back).await;
        Ok(log)
    }

    async fn delete(&self, group: &Group, window: Window) -> Result<(), Trouble> {
        let name = group.name.as_str();
        if Instant::now() >= window.send {
            return Err(refused(0));
        }
        let (fate, there, back) = self.fate("delete", name);
        self.sim.sleep(there).await;
        match fate {
            Fate::Later(after) => return Err(refused(after)),
            Fate::GiveUp => return Err(Trouble::GiveUp { error: error() }),
            Fate::Lost => return Err(unknown()),
            Fate::Fine | Fate::Silent | Fate::OnItsWay | Fate::Hang => self.delete_now(name),
        }
        if fate == Fate::Hang {
            sleep_until(window.answer).await;
        }
        if fate != Fate::Fine {
            return Err(unknown());
        }
        self.sim.sleep(back).await;
        Ok(())
    }
}

/// How a request ends that only reads.
async fn answer(fate: Fate, window: Window) -> Result<(), Trouble> {
    match fate {
        Fate::Fine => Ok(()),
        Fate::Later(after) => Err(refused(after)),
        Fate::GiveUp => Err(Trouble::GiveUp { error: error() }),
        Fate::Lost | Fate::Silent | Fate::OnItsWay => Err(refused(0)),
        Fate::Hang => {
            sleep_until(window.answer).await;
            Err(refused(0))
        }
    }
}
