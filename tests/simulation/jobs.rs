//! Jobs of a schedule: which are asked for when and by which keys, who asks, and the sink that starts one for each
//! push. The use cases and the sink are the shipped ones.

use crate::containers::SimContainers;
use crate::coverage::Hit;
use crate::instance::Asks;
use crate::plan::{JOB, Plan, SINK_TIMEOUT, chance};
use crate::surroundings::{REGISTRY_WAITS, millis};
use crate::world::{Call, Group, Sim, State};
use acr_fanin::answer::{Answer, Body, Request};
use acr_fanin::app::jobs::{Definition, Jobs, Parts};
use acr_fanin::config::{self, Allowed, JobConfig, JobImage};
use acr_fanin::keys::Key;
use acr_fanin::ports::{JobId, JobProgress, Parcel, PushJob, RunsJobs, Sink, StoreError};
use acr_fanin::sink::job::AciJob;
use acr_fanin::store::{JobState, Store};
use async_trait::async_trait;
use fan_in::{Attempt, Glob, Registry};
use fastrand::Rng;
use std::sync::Arc;
use std::time::Duration;

/// What is asked for by request.
const TASK: &str = "task";
/// What runs the image of a push.
pub(crate) const PUSHED: &str = "pushed";
const PLACE: (&str, &str) = ("s", "rg");

/// What a schedule has of jobs.
#[derive(Clone, Debug)]
pub(crate) struct JobPlan {
    pub(crate) wishes: Vec<Wish>,
    /// So many of a hundred requests to Azure go wrong.
    pub(crate) trouble: u32,
    pub(crate) ttl: u64,
    /// What names are made under, so that they are the same in every run of a seed.
    key: u64,
}

/// One request for a job.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) at: u64,
    pub(crate) key: u32,
    pub(crate) args: Vec<String>,
    persistent: bool,
}

/// What the asker of a job was told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JobAck {
    pub(crate) wish: usize,
    pub(crate) job: JobId,
}

impl Plan {
    /// Last of all, so that a seed without jobs is what it was before there were any.
    pub(crate) fn draw_jobs(&mut self, rng: &mut Rng) {
        if !chance(rng, 8) {
            return;
        }
        let rough = self.weather.error_before + self.weather.sink + self.weather.slow > 0;
        let of_pushes = chance(rng, 50);
        if of_pushes {
            self.sinks.push(JOB);
        }
        let mut wishes: Vec<Wish> = Vec::new();
        for key in 0..if of_pushes { rng.u32(..2) } else { rng.u32(1..4) } {
            let args = if rng.bool() { vec!["one".to_owned()] } else { Vec::new() };
            let wish = Wish { at: rng.u64(..self.timeout), key, args, persistent: chance(rng, 70) };
            let later =
                |rng: &mut Rng| wish.at + [0, rng.u64(..40), rng.u64(..30_000)][rng.usize(..3)];
            if chance(rng, 40) {
                wishes.push(Wish { at: later(rng), persistent: rng.bool(), ..wish.clone() });
            }
            if chance(rng, 20) {
                wishes.push(Wish {
                    at: later(rng),
                    args: vec!["other".to_owned()],
                    ..wish.clone()
                });
            }
            wishes.push(wish);
        }
        let last = wishes.iter().map(|wish| wish.at).max().unwrap_or(0);
        let times: Vec<u64> = wishes.iter().map(|wish| wish.at).collect();
        self.faults_until = self.faults_until.max(last + rng.u64(20_000..60_000));
        if rough && chance(rng, 15) && !times.is_empty() {
            let at = times[rng.usize(..times.len())] + rng.u64(..1_000);
            let until = (at + rng.u64(20_000..60_000)).min(self.faults_until);
            self.freezes.push((rng.usize(..self.instances), at, until));
        }
        self.hits.push(Hit::Jobs);
        self.jobs = Some(JobPlan {
            wishes,
            trouble: if rough { rng.u32(..50) } else { 0 },
            ttl: [0, 10_000, 60_000][rng.usize(..3)],
            key: rng.u64(..),
        });
    }
}

impl JobPlan {
    fn key(&self) -> Key {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.key.to_be_bytes());
        Key::new(bytes)
    }

    fn definitions(&self) -> Vec<Definition> {
        let of = |name: &str, image: Option<&str>| Definition {
            name: name.to_owned(),
            image: image.map(str::to_owned),
            takes_args: image.is_some(),
            ttl: millis(self.ttl),
            subscription: PLACE.0.to_owned(),
            resource_group: PLACE.1.to_owned(),
        };
        vec![of(TASK, Some("r.azurecr.io/tool:1")), of(PUSHED, None)]
    }

    fn sink(&self) -> config::AciJob {
        let job = JobConfig {
            name: PUSHED.to_owned(),
            subscription: PLACE.0.to_owned(),
            resource_group: PLACE.1.to_owned(),
            image: JobImage::Pushed,
            command: Vec::new(),
            cpu: 1.0,
            memory_gb: 1.5,
            location: None,
            environment: Vec::new(),
            identity: None,
            ttl: millis(self.ttl),
            allow_args: false,
            secrets: Vec::new(),
        };
        let registries = vec![Registry::parse("r.azurecr.io").unwrap(), Registry::docker_hub()];
        config::AciJob { job, allowed: Allowed { registries, repositories: vec![Glob::new("*")] } }
    }
}

/// What runs the jobs of one process.
pub(crate) fn jobs(sim: &Sim, plan: &Plan, store: &Store) -> Option<Arc<Jobs>> {
    Some(Arc::new(Jobs::new(Parts {
        store: store.clone(),
        containers: Arc::new(SimContainers { sim: sim.clone() }),
        definitions: plan.jobs.as_ref()?.definitions(),
        timeout: SINK_TIMEOUT,
    })))
}

/// The shipped sink, watched.
#[derive(Debug)]
pub(crate) struct JobSink {
    sim: Sim,
    inner: AciJob,
}

impl JobSink {
    pub(crate) fn watched(sim: &Sim, plan: &Plan, jobs: Arc<Jobs>) -> Option<Arc<dyn Sink>> {
        let asked = Arc::new(Asked { sim: sim.clone(), jobs });
        let inner = AciJob::new(JOB.to_owned(), plan.jobs.as_ref()?.sink(), asked);
        Some(Arc::new(Self { sim: sim.clone(), inner }))
    }
}

#[async_trait]
impl Sink for JobSink {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn deploys(&self) -> bool {
        self.inner.deploys()
    }

    fn follows(&self) -> bool {
        self.inner.follows()
    }

    async fn deliver(&self, parcel: Parcel<'_>) -> Attempt {
        let attempt = self.inner.deliver(parcel).await;
        let mut state = self.sim.state();
        let task = state.current;
        state.note(|| format!("{:>7} task {task} {JOB} {attempt:?}", self.sim.elapsed()));
        if matches!(attempt, Attempt::Accepted { .. }) {
            let unknown = state.job().is_some_and(|job| job.frozen);
            state.truth.calls.push(Call {
                push: parcel.push.id,
                notice: parcel.claim.notice,
                kind: parcel.notice.kind,
                sink: JOB,
                accepted: true,
                hopeless: false,
                unknown,
            });
            let at = state.truth.calls.len() - 1;
            if let Some(job) = state.job() {
                job.calls.push(at);
            }
        }
        attempt
    }
}

/// Remembers for which push a task asks, so that what it then keeps is known to be that push's.
#[derive(Debug)]
struct Asked {
    sim: Sim,
    jobs: Arc<Jobs>,
}

#[async_trait]
impl RunsJobs for Asked {
    async fn run(&self, job: PushJob<'_>) -> Result<JobProgress, StoreError> {
        {
            let mut state = self.sim.state();
            let task = state.current;
            state.kept.asking.insert(task, job.push);
        }
        self.jobs.run(job).await
    }
}

impl Sim {
    /// Puts the key of names where the product keeps it: one that is drawn from the seed.
    pub(crate) async fn keep_key_of_names(&self) {
        let plan = self.plan();
        let Some(jobs) = &plan.jobs else { return };
        let store = Store::new(Arc::new(self.memory.clone()), plan.regions.clone());
        store.key_of_names(&jobs.key()).await.unwrap();
    }

    pub(crate) fn spawn_askers(&self) {
        let wishes = self.plan().jobs.as_ref().map_or(0, |jobs| jobs.wishes.len());
        for wish in 0..wishes {
            self.state().senders += 1;
            let sim = self.clone();
            let work = async move {
                sim.ask(wish).await;
                sim.state().senders -= 1;
            };
            self.spawn(Group::World, Box::pin(work));
        }
    }

    /// Asks for a job until there is an answer, or just once.
    async fn ask(&self, at: usize) {
        let plan = self.plan();
        let Some(wish) = plan.jobs.as_ref().and_then(|jobs| jobs.wishes.get(at)) else { return };
        self.until(wish.at).await;
        let mut pause = millis(1_000);
        loop {
            if let Some(instance) = self.any_instance()
                && let Some(answered) = self.request(instance, request(wish), Asks::Job)
            {
                let answer = self.within(REGISTRY_WAITS, answered).await;
                match answer {
                    Some(Ok(answer)) if answer.status == 202 => {
                        return self.acknowledged(at, &answer).await;
                    }
                    Some(Ok(answer)) if answer.status == 422 => return self.refused(at),
                    Some(Ok(answer)) => {
                        let status = answer.status;
                        if !matches!(status, 500 | 503) {
                            self.state().violated(format!("who asks for a job is told {status}"));
                        }
                    }
                    Some(Err(_)) => {}
                    None => self.unanswered(instance),
                }
            }
            if !wish.persistent {
                return;
            }
            self.sleep(pause).await;
            pause = (pause * 2).min(millis(30_000));
        }
    }

    /// The key was used for something else, or so the answer says.
    fn refused(&self, at: usize) {
        let plan = self.plan();
        let wishes = plan.jobs.as_ref().map_or(&[][..], |jobs| &jobs.wishes);
        let mine = &wishes[at];
        let mut state = self.state();
        if wishes.iter().any(|other| other.key == mine.key && other.args != mine.args) {
            state.hit(Hit::JobKeyOfAnother);
        } else {
            state.violated(format!("who asks again under the key {} is refused", mine.key));
        }
    }

    async fn acknowledged(&self, wish: usize, answer: &Answer) {
        let id = match &answer.body {
            Body::Json(body) => body["id"].as_str().and_then(JobId::parse),
            _ => None,
        };
        {
            let mut state = self.state();
            let Some(job) = id else {
                return state.violated("who asks for a job is told no id".to_owned());
            };
            state.note(|| format!("{:>7} wish {wish} is {job}", self.elapsed()));
            state.asked(JobAck { wish, job });
            if !state.chance(50) {
                return;
            }
        }
        self.sleep(millis(self.draw(60_000) as u64)).await;
        let Some(job) = id else { return };
        let Some(instance) = self.any_instance() else { return };
        let get = Request { method: "GET".to_owned(), ..Request::default() };
        let asks = Asks::HowItGoes(job.to_string());
        let Some(answered) = self.request(instance, get, asks) else { return };
        if let Some(Ok(answer)) = self.within(Duration::from_secs(60), answered).await {
            self.state().shown(job, &answer);
        }
    }
}

fn request(wish: &Wish) -> Request {
    let body = serde_json::json!({ "job": TASK, "args": wish.args }).to_string();
    Request {
        method: "POST".to_owned(),
        headers: vec![("idempotency-key".to_owned(), format!("key-{}", wish.key))],
        body_bytes: body.len(),
        body: Some(body.into_bytes()),
        ..Request::default()
    }
}

impl State {
    fn asked(&mut self, ack: JobAck) {
        let again = self.kept.acks.iter().any(|other| other.job == ack.job);
        self.hit(if again { Hit::JobAgain } else { Hit::JobAccepted });
        self.kept.acks.push(ack);
    }

    /// What somebody reads of a job is true of it.
    fn shown(&mut self, id: JobId, answer: &Answer) {
        let kept = self.kept.rows.get(&id);
        let state = kept.map(|job| job.state);
        let code = kept.and_then(|job| job.exit_code);
        let is = |body: &serde_json::Value| {
            let ended = body["exitCode"].as_i64() == code;
            match body["state"].as_str() {
                Some("succeeded") => ended && state == Some(JobState::Succeeded),
                Some("failed") => ended && state == Some(JobState::Failed),
                Some(_) => true,
                None => false,
            }
        };
        let fine = match (&answer.body, answer.status) {
            (_, 503) => true,
            (_, 404) => self.kept.purged.contains(&id),
            (Body::Json(body), 200 | 202 | 500) => is(body),
            _ => false,
        };
        self.hit(Hit::JobShown);
        if !fine {
            self.violated(format!("{id} is shown with {}, and is {state:?}", answer.status));
        }
    }
}

#[test]
fn a_seed_with_jobs_replays_byte_for_byte() {
    let used = crate::run::runtime();
    let seeds = (0..400).filter(|seed| Plan::draw(*seed).jobs.is_some());
    for seed in seeds.take(20) {
        let first = crate::run::seed(&used, seed, true);
        let again = crate::run::seed(&crate::run::runtime(), seed, true);
        assert!(first.trace.iter().any(|line| line.contains(" job ")), "seed {seed} has jobs");
        assert_eq!(first.trace, again.trace, "seed {seed}");
    }
}
