//! One process of ours, and the host around it: what is asked of it, and what becomes of its answers.

use crate::checker::purge;
use crate::coverage::Hit;
use crate::executor::{TaskId, step_aside};
use crate::jobs::{self, JobSink};
use crate::observe;
use crate::plan::{DEPLOY, Home, JOB, Plan, SINK_TIMEOUT};
use crate::rows::FaultyRows;
use crate::sinks::SimSink;
use crate::world::{Group, Job, Kind, Sim, State};
use acr_fanin::answer::{Answer, Request};
use acr_fanin::api::image_push::{Fallback, image_push};
use acr_fanin::api::jobs as api;
use acr_fanin::api::notify::{Heard, notify, to_message};
use acr_fanin::app::{App, Bell, Parts};
use acr_fanin::intake::Rules;
use acr_fanin::ports::Sink;
use acr_fanin::store::Store;
use fan_in::PushId;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// What is asked of the room of jobs.
pub(crate) enum Asks {
    Job,
    HowItGoes(String),
}

impl Sim {
    /// A process starts, with the settings of this moment.
    pub(crate) fn start(&self, instance: usize) {
        let mut state = self.state();
        let plan = Arc::clone(&state.plan);
        let regions = state.instances[instance].regions.clone();
        let rows =
            FaultyRows { sim: self.clone(), inner: self.memory.clone(), skew: plan.skew[instance] };
        let store = Store::new(Arc::new(rows), regions.clone());
        let jobs = jobs::jobs(self, &plan, &store);
        let sink = |name: &&'static str| match &jobs {
            Some(jobs) if *name == JOB => JobSink::watched(self, &plan, Arc::clone(jobs)),
            _ => Some(Arc::new(SimSink { sim: self.clone(), name }) as Arc<dyn Sink>),
        };
        let app = App::new(Parts {
            store,
            policy: plan.policy(&regions),
            retry: Plan::retry(),
            sink_timeout: SINK_TIMEOUT,
            retention: Duration::from_millis(plan.retention),
            sinks: plan.sinks.iter().filter_map(sink).collect(),
        });
        let app = match jobs {
            Some(jobs) => app.with_jobs(jobs),
            None => app,
        };
        let rules = Rules { regions, correlation: plan.correlation, ..Rules::default() };
        let slot = &mut state.instances[instance];
        slot.app = Some(Arc::new(app));
        slot.rules = Arc::new(rules);
        slot.swept = false;
        state.note(|| format!("{:>7} instance {instance} starts", self.elapsed()));
        if state.faulty && self.elapsed() > 0 {
            state.hit(Hit::CrashAtStart);
        }
    }

    /// One of those that are up.
    pub(crate) fn any_instance(&self) -> Option<usize> {
        let mut state = self.state();
        let up: Vec<usize> =
            (0..state.instances.len()).filter(|i| state.instances[*i].app.is_some()).collect();
        (!up.is_empty()).then(|| up[state.rng.usize(..up.len())])
    }

    fn app(&self, instance: usize) -> Option<(Arc<App>, Arc<Rules>)> {
        let state = self.state();
        let slot = &state.instances[instance];
        Some((Arc::clone(slot.app.as_ref()?), Arc::clone(&slot.rules)))
    }

    fn begin(&self, task: TaskId, kind: Kind, instance: usize) {
        let before = if kind == Kind::Notify { self.at_this_moment() } else { Vec::new() };
        let mut state = self.state();
        let rivals = state.jobs.values().filter(|job| job.kind == kind).count();
        match kind {
            Kind::Sweep if rivals > 0 => state.hit(Hit::R5TwoTimers),
            _ => {}
        }
        let eager = !state.instances[instance].swept;
        let mut job = Job::new(kind, instance, eager, before);
        job.frozen = state.instances[instance].frozen;
        state.jobs.insert(task, job);
    }

    /// The rows of this moment where a push is everywhere: from now on older ones of its tag are not deployed.
    fn at_this_moment(&self) -> Vec<(PushId, String)> {
        let ids: Vec<PushId> = {
            let state = self.state();
            let everywhere = state.truth.pushes.values().any(|seen| seen.status.is_everywhere());
            let minds = state.plan.sinks.iter().any(|sink| [DEPLOY, JOB].contains(sink));
            if !minds || state.truth.pushes.len() < 2 || !everywhere {
                return Vec::new();
            }
            state.truth.pushes.keys().copied().collect()
        };
        let doc = |id: PushId| Some((id, observe::doc(&self.memory, id)?));
        ids.into_iter().filter_map(doc).collect()
    }

    /// A registry's request, and the host's part in answering it.
    pub(crate) fn push_request(
        &self,
        instance: usize,
        letter: usize,
        request: Request,
    ) -> Option<oneshot::Receiver<Answer>> {
        let (app, rules) = self.app(instance)?;
        let (answer, answered) = oneshot::channel();
        let sim = self.clone();
        let home = self.plan().home;
        let fallback = if home == Home::Functions { Fallback::Queue } else { Fallback::Refuse };
        let work = async move {
            let pushed = image_push(&app, &rules, &request, fallback).await;
            step_aside().await;
            let mut accepted = true;
            if !pushed.queued.is_empty() {
                let plan = sim.plan();
                sim.state().truth.by_queue.extend(&plan.letters[letter].reports);
            }
            for message in pushed.queued {
                accepted &= sim.enqueue(message);
            }
            for bell in pushed.bells {
                accepted &= sim.ring(instance, bell);
            }
            if let Some(job) = sim.state().job() {
                job.rung = true;
            }
            step_aside().await;
            // A queue output that fails turns the answer into a 500.
            let failed = Answer::error(500, "simulated");
            // The sender may have gone.
            answer.send(if accepted { pushed.answer } else { failed }).unwrap_or_default();
        };
        let task = self.spawn(Group::Instance(instance), Box::pin(work));
        self.begin(task, Kind::Letter(letter), instance);
        Some(answered)
    }

    /// Somebody has to deliver: a message under Functions, a channel in the process standalone.
    pub(crate) fn ring(&self, instance: usize, bell: Bell) -> bool {
        match self.plan().home {
            Home::Functions => self.enqueue(to_message(bell)),
            Home::Standalone => {
                if self.state().strikes(3, Hit::BellLost) {
                    return true;
                }
                let Some((app, _)) = self.app(instance) else { return true };
                let work = async move { app.answer(bell).await.unwrap_or_default() };
                let task = self.spawn(Group::Instance(instance), Box::pin(work));
                let of_push = matches!(bell, Bell::Push(_));
                self.begin(task, if of_push { Kind::Notify } else { Kind::Advance }, instance);
                true
            }
        }
    }

    /// Somebody wants a job, or to know how one goes.
    pub(crate) fn request(
        &self,
        instance: usize,
        request: Request,
        asks: Asks,
    ) -> Option<oneshot::Receiver<Answer>> {
        let (app, _) = self.app(instance)?;
        let (answer, answered) = oneshot::channel();
        let sim = self.clone();
        let work = async move {
            let told = match asks {
                Asks::Job => {
                    let asked = api::begin(&app, &request).await;
                    step_aside().await;
                    let mut accepted = true;
                    for bell in asked.bells {
                        accepted &= sim.ring(instance, bell);
                    }
                    step_aside().await;
                    if accepted { asked.answer } else { Answer::error(500, "simulated") }
                }
                Asks::HowItGoes(id) => api::status(&app, Some(&id), &request).await,
            };
            answer.send(told).unwrap_or_default();
        };
        let task = self.spawn(Group::Instance(instance), Box::pin(work));
        self.begin(task, Kind::Asks, instance);
        Some(answered)
    }

    /// The queue gives a message to `Notify`.
    pub(crate) fn hear(&self, instance: usize, message: &str) -> Option<oneshot::Receiver<Heard>> {
        let (app, _) = self.app(instance)?;
        let (answer, answered) = oneshot::channel();
        let of_job = message.starts_with("{\"job\"");
        let message = serde_json::from_str(message).ok();
        let work = async move {
            let heard = notify(&app, message.as_ref()).await;
            step_aside().await;
            answer.send(heard).unwrap_or_default();
        };
        let task = self.spawn(Group::Instance(instance), Box::pin(work));
        self.begin(task, if of_job { Kind::Advance } else { Kind::Notify }, instance);
        Some(answered)
    }

    pub(crate) fn tick(&self, instance: usize) {
        let Some((app, _)) = self.app(instance) else { return };
        let sim = self.clone();
        let work = async move {
            let swept = app.sweep().await;
            let bells = swept.map(|swept| {
                sim.swept(instance, &swept.bells);
                swept.bells
            });
            step_aside().await;
            for bell in bells.unwrap_or_default() {
                sim.ring(instance, bell);
            }
        };
        let task = self.spawn(Group::Instance(instance), Box::pin(work));
        self.begin(task, Kind::Sweep, instance);
    }

    /// A tick that rings has written down that it does.
    fn swept(&self, instance: usize, bells: &[Bell]) {
        let mut state = self.state();
        let Some(job) = state.job().cloned() else { return };
        if let Some(bell) = bells.iter().find(|bell| !job.wrote.contains(bell)) {
            state.violated(format!("a tick rings for {bell:?}, and nobody else can know"));
        }
        if job.errors == 0 {
            state.instances[instance].swept = true;
        }
        let now = self.elapsed();
        state.note(|| format!("{now:>7} tick of instance {instance} rings {}", bells.len()));
    }

    pub(crate) fn purge(&self, instance: usize) {
        let Some((app, _)) = self.app(instance) else { return };
        let plan = self.plan();
        let work = async move {
            purge(&app, &plan).await;
        };
        let task = self.spawn(Group::Instance(instance), Box::pin(work));
        self.begin(task, Kind::Purge, instance);
    }

    /// New settings come to one instance after the other.
    pub(crate) async fn change_regions(self, at: u64, regions: fan_in::RegionSet) {
        self.until(at).await;
        let instances = self.plan().instances;
        for instance in 0..instances {
            let pause = self.draw(4_000) as u64;
            self.sleep(Duration::from_millis(pause)).await;
            self.state().instances[instance].regions = regions.clone();
            self.kill(instance);
        }
    }
}

impl Job {
    fn new(kind: Kind, instance: usize, eager: bool, before: Vec<(PushId, String)>) -> Self {
        Self {
            kind,
            instance,
            eager,
            wrote: Vec::new(),
            commits: 0,
            decided: false,
            unsure: false,
            errors: 0,
            frozen: false,
            rung: false,
            deploys: false,
            calls: Vec::new(),
            before,
        }
    }
}

impl State {
    /// Is nothing under way any more?
    pub(crate) fn is_quiet(&self) -> bool {
        self.messages == 0 && self.senders == 0 && self.down == 0 && self.jobs.is_empty()
    }
}
