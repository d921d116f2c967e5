//! Jobs over memory: each is started once, whatever is redelivered or lost, and nothing of it is left behind.

use crate::containers::{Fate, Fleet};
use acr_fanin::app::jobs::{Definition, Jobs, Parts, Refusal, Wish};
use acr_fanin::app::{self, App, Bell};
use acr_fanin::ports::{JobId, JobProgress, PushJob, RunsJobs, Trouble};
use acr_fanin::store::memory::Memory;
use acr_fanin::store::{Job, JobState, Store};
use fan_in::{Correlation, Policy, PushId, Retry, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
const TTL: Duration = Duration::from_secs(3_600);

/// One deployment that outlives its processes.
struct Yard {
    clock: Arc<AtomicI64>,
    memory: Memory,
    fleet: Fleet,
    jobs: Arc<Jobs>,
    app: App,
}

fn definition(name: &str, image: Option<&str>) -> Definition {
    Definition {
        name: name.to_owned(),
        image: image.map(str::to_owned),
        takes_args: name == "report",
        ttl: TTL,
        subscription: "sub".to_owned(),
        resource_group: "rg".to_owned(),
    }
}

fn process(memory: &Memory, fleet: &Fleet) -> (Arc<Jobs>, App) {
    let store = Store::new(Arc::new(memory.clone()), Default::default());
    let jobs = Arc::new(Jobs::new(Parts {
        store: store.clone(),
        containers: Arc::new(fleet.clone()),
        definitions: vec![
            definition("report", Some("r.azurecr.io/report:1")),
            definition("migrate", None),
        ],
        timeout: 15 * SECOND,
    }));
    let app = App::new(app::Parts {
        store,
        policy: Policy {
            regions: Default::default(),
            timeout: 10 * MINUTE,
            correlation: Correlation::Auto,
            subscriptions: Vec::new(),
        },
        retry: Retry::default(),
        sink_timeout: 15 * SECOND,
        retention: 30 * DAY,
        sinks: Vec::new(),
    });
    let app = app.with_jobs(Arc::clone(&jobs));
    (jobs, app)
}

impl Yard {
    fn new() -> Self {
        let clock = Arc::new(AtomicI64::new(1_795_000_000_000));
        let reader = Arc::clone(&clock);
        let memory = Memory::new(move || Timestamp::from_millis(reader.load(Ordering::Relaxed)));
        let fleet = Fleet::default();
        let (jobs, app) = process(&memory, &fleet);
        Self { clock, memory, fleet, jobs, app }
    }

    /// The process is gone and another one starts.
    fn restart(&mut self) {
        (self.jobs, self.app) = process(&self.memory, &self.fleet);
    }

    fn pass(&self, time: Duration) {
        self.clock.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// A tick, and everything that it rings for.
    async fn pump(&self) -> usize {
        let bells = self.app.sweep().await.unwrap().bells;
        for bell in &bells {
            self.app.answer(*bell).await.unwrap();
        }
        bells.len()
    }

    /// Ticks every 15 s.
    async fn run_for(&self, time: Duration) {
        for _ in 0..time.as_secs().div_ceil(15) {
            self.pass(15 * SECOND);
            self.pump().await;
        }
    }

    async fn begin(&self, key: Option<&str>) -> JobId {
        self.jobs.begin(wish(key, &[])).await.unwrap()
    }

    async fn job(&self, id: JobId) -> Job {
        self.jobs.find(id).await.unwrap().unwrap().0
    }

    async fn log(&self, id: JobId) -> Option<String> {
        self.jobs.find(id).await.unwrap().unwrap().1
    }

    async fn state(&self, id: JobId) -> JobState {
        self.job(id).await.state
    }

    fn keys(&self) -> Vec<String> {
        self.memory.dump().into_iter().map(|(_, row)| row.key).collect()
    }

    fn markers(&self) -> usize {
        self.keys().iter().filter(|key| key.starts_with('!')).count()
    }
}

fn wish(key: Option<&str>, args: &[&str]) -> Wish {
    Wish {
        definition: None,
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        idempotency_key: key.map(str::to_owned),
    }
}

fn push(digit: char) -> PushId {
    PushId::parse(&digit.to_string().repeat(PushId::DIGITS)).unwrap()
}

fn of_push(push: PushId) -> PushJob<'static> {
    PushJob {
        push,
        definition: "migrate",
        subscription: "sub",
        resource_group: "rg",
        image: "r.azurecr.io/app@sha256:0",
        begun: false,
    }
}

#[tokio::test]
async fn a_job_runs_ends_and_is_deleted_after_its_time_and_its_log_stays() {
    let yard = Yard::new();
    let id = yard.jobs.begin(wish(None, &["--all", "x"])).await.unwrap();
    assert_eq!(yard.state(id).await, JobState::Queued);
    assert_eq!(yard.fleet.count(), 0, "nothing is made before the bell");
    yard.app.answer(Bell::Job(id)).await.unwrap();
    assert_eq!(yard.state(id).await, JobState::Running);
    assert_eq!(yard.fleet.changes(), ["create report r.azurecr.io/report:1 --all x"]);

    yard.fleet.writes("one\n");
    yard.run_for(15 * SECOND).await;
    assert_eq!(yard.log(id).await.as_deref(), Some("one\n"));
    yard.fleet.writes("one\ntwo\n");
    yard.fleet.ends(0);
    yard.run_for(MINUTE).await;
    let job = yard.job(id).await;
    assert_eq!((job.state, job.exit_code, job.error), (JobState::Succeeded, Some(0), None));
    assert_eq!(yard.log(id).await.as_deref(), Some("one\ntwo\n"));

    yard.pass(TTL);
    assert_eq!((yard.pump().await, yard.pump().await), (1, 0));
    assert_eq!(yard.fleet.changes()[1..], ["delete"]);
    assert_eq!((yard.fleet.count(), yard.markers()), (0, 0));
    assert_eq!(yard.state(id).await, JobState::Succeeded);
    assert_eq!(yard.log(id).await.as_deref(), Some("one\ntwo\n"));
}

#[tokio::test]
async fn an_exit_code_other_than_zero_is_a_failure() {
    let yard = Yard::new();
    let id = yard.begin(None).await;
    yard.run_for(MINUTE).await;
    yard.fleet.ends(3);
    yard.run_for(MINUTE).await;
    let job = yard.job(id).await;
    assert_eq!((job.state, job.exit_code, job.error), (JobState::Failed, Some(3), None));
}

#[tokio::test]
async fn a_message_that_comes_again_starts_nothing_again() {
    let yard = Yard::new();
    let id = yard.begin(Some("build-1")).await;
    for _ in 0..5 {
        yard.app.answer(Bell::Job(id)).await.unwrap();
        assert_eq!(yard.begin(Some("build-1")).await, id);
    }
    yard.fleet.ends(0);
    yard.run_for(2 * TTL).await;
    yard.app.answer(Bell::Job(id)).await.unwrap();
    assert_eq!(yard.fleet.changes(), ["create report r.azurecr.io/report:1", "delete"]);
}

#[tokio::test]
async fn bells_at_the_same_time_start_one_container() {
    let yard = Yard::new();
    let id = yard.begin(None).await;
    let all = (0..8).map(|_| yard.app.answer(Bell::Job(id)));
    futures_util::future::join_all(all).await;
    assert_eq!(yard.fleet.changes().len(), 1);
}

#[tokio::test]
async fn a_bell_that_is_lost_is_rung_by_the_timer_once_in_a_while() {
    let yard = Yard::new();
    let id = yard.begin(None).await;
    assert!(yard.app.sweep().await.unwrap().bells.is_empty(), "somebody has been told");
    yard.pass(30 * SECOND);
    assert_eq!(yard.app.sweep().await.unwrap().bells, [Bell::Job(id)]);
    yard.pass(15 * SECOND);
    assert!(yard.app.sweep().await.unwrap().bells.is_empty());
    yard.pass(15 * SECOND);
    assert_eq!(yard.pump().await, 1);
    assert_eq!(yard.state(id).await, JobState::Running);
}

#[tokio::test]
async fn a_process_that_dies_before_azure_answers_does_not_start_a_second_container() {
    let mut yard = Yard::new();
    let id = yard.begin(None).await;
    yard.fleet.will("create", Fate::NeverEnds);
    // The process dies while it waits for the answer.
    let dies = yard.app.answer(Bell::Job(id));
    assert!(tokio::time::timeout(Duration::from_millis(1), dies).await.is_err());
    assert_eq!((yard.state(id).await, yard.fleet.count()), (JobState::Starting, 1));
    yard.restart();
    yard.app.answer(Bell::Job(id)).await.unwrap();
    assert_eq!(yard.state(id).await, JobState::Starting, "the lease has not run out");
    yard.run_for(2 * MINUTE).await;
    assert_eq!(yard.state(id).await, JobState::Running);
    assert_eq!(yard.fleet.changes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_has_lost_his_lease_makes_nothing_and_writes_nothing() {
    let yard = Yard::new();
    let id = yard.begin(None).await;
    let go_on = Arc::new(Notify::new());
    yard.fleet.will("look", Fate::Waits(Arc::clone(&go_on)));
    // He has seen that there is no group, and then he stalls.
    let stalled = yard.app.answer(Bell::Job(id));
    let other = async {
        while yard.state(id).await != JobState::Starting {
            tokio::task::yield_now().await;
        }
        tokio::time::advance(2 * MINUTE).await;
        yard.run_for(2 * MINUTE).await;
        assert_eq!((yard.state(id).await, yard.fleet.count()), (JobState::Running, 1));
        go_on.notify_one();
    };
    let (stalled, ()) = tokio::join!(stalled, other);
    stalled.unwrap();
    let job = yard.job(id).await;
    assert_eq!((job.state, job.error), (JobState::Running, None));
    assert_eq!(yard.fleet.changes().len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_lost_is_looked_for_and_a_request_that_was_lost_is_sent_again() {
    let yard = Yard::new();
    let id = yard.begin(None).await;
    let lost = Fate::Fails(Trouble::Unknown { error: "no answer".to_owned() });
    yard.fleet.will("create", lost);
    yard.fleet.will("create", Fate::Unheard);
    yard.app.answer(Bell::Job(id)).await.unwrap();
    assert_eq!((yard.state(id).await, yard.fleet.count()), (JobState::Starting, 0));
    // It may still be on its way.
    yard.run_for(45 * SECOND).await;
    assert_eq!(yard.fleet.count(), 0);
    yard.run_for(MINUTE).await;
    assert_eq!((yard.state(id).await, yard.fleet.count()), (JobState::Starting, 1));
    yard.run_for(MINUTE).await;
    assert_eq!(yard.state(id).await, JobState::Running);
    assert_eq!(yard.fleet.changes().len(), 1);
}

#[tokio::test]
async fn a_quota_is_waited_for_and_explained() {
    let yard = Yard::new();
    let id = yard.begin(None).await;
    for _ in 0..3 {
        yard.fleet.refuses("create", "a quota of the subscription is used up");
    }
    yard.app.answer(Bell::Job(id)).await.unwrap();
    let job = yard.job(id).await;
    assert_eq!(job.state, JobState::Queued);
    assert_eq!(job.error.as_deref(), Some("a quota of the subscription is used up"));
    yard.run_for(10 * MINUTE).await;
    let job = yard.job(id).await;
    assert_eq!((job.state, job.error), (JobState::Running, None));
    assert_eq!(yard.fleet.changes().len(), 1);
}

#[tokio::test]
async fn what_never_starts_is_given_up_after_a_day() {
    let yard = Yard::new();
    let id = yard.begin(None).await;
    for _ in 0..200 {
        yard.fleet.refuses("create", "no room");
    }
    yard.run_for(DAY + TTL).await;
    let job = yard.job(id).await;
    assert_eq!(job.state, JobState::Failed);
    assert_eq!(job.error.as_deref(), Some("given up after a day: no room"));
    yard.run_for(2 * TTL).await;
    assert_eq!(yard.markers(), 0);
}

#[tokio::test]
async fn what_azure_refuses_for_good_has_failed() {
    let yard = Yard::new();
    let id = yard.begin(None).await;
    let error = "our identity may not do it".to_owned();
    yard.fleet.will("create", Fate::Fails(Trouble::GiveUp { error: error.clone() }));
    yard.app.answer(Bell::Job(id)).await.unwrap();
    let job = yard.job(id).await;
    assert_eq!((job.state, job.exit_code, job.error), (JobState::Failed, None, Some(error)));
}

#[tokio::test]
async fn a_group_that_somebody_deletes_is_not_made_again() {
    let yard = Yard::new();
    let id = yard.begin(None).await;
    yard.app.answer(Bell::Job(id)).await.unwrap();
    yard.fleet.vanishes();
    yard.run_for(15 * SECOND).await;
    assert_eq!(yard.state(id).await, JobState::Running, "Azure may not find it for a moment");
    yard.run_for(2 * MINUTE).await;
    let job = yard.job(id).await;
    assert_eq!(job.state, JobState::Failed);
    assert_eq!(job.error.as_deref(), Some("the container group is gone"));
    assert_eq!(yard.fleet.changes().len(), 1);
}

#[tokio::test]
async fn who_cannot_be_looked_at_is_looked_at_again() {
    let yard = Yard::new();
    let id = yard.begin(None).await;
    yard.app.answer(Bell::Job(id)).await.unwrap();
    let error = "our identity may not do it".to_owned();
    yard.fleet.will("look", Fate::Fails(Trouble::GiveUp { error }));
    yard.run_for(15 * SECOND).await;
    assert_eq!(yard.job(id).await.error.as_deref(), Some("our identity may not do it"));
    yard.fleet.ends(0);
    yard.fleet.refuses("log", "slow down");
    yard.run_for(2 * MINUTE).await;
    assert_eq!(yard.state(id).await, JobState::Succeeded);
}

#[tokio::test]
async fn a_group_that_cannot_be_deleted_is_tried_for_a_week() {
    let yard = Yard::new();
    let id = yard.begin(None).await;
    yard.app.answer(Bell::Job(id)).await.unwrap();
    yard.fleet.ends(0);
    yard.run_for(MINUTE).await;
    for _ in 0..10 {
        yard.fleet.refuses("delete", "Azure is in trouble");
    }
    yard.run_for(2 * TTL).await;
    assert_eq!((yard.markers(), yard.fleet.count()), (1, 1));
    assert_eq!(yard.job(id).await.error, None, "what became of the job is another thing");
    yard.run_for(4 * TTL).await;
    assert_eq!((yard.markers(), yard.fleet.count()), (0, 0));
}

#[tokio::test]
async fn one_key_is_one_job_and_another_request_under_it_is_refused() {
    let yard = Yard::new();
    let id = yard.begin(Some("k")).await;
    assert_eq!(yard.begin(Some("k")).await, id);
    let named = Wish { definition: Some("report".to_owned()), ..wish(Some("k"), &[]) };
    assert_eq!(yard.jobs.begin(named).await, Ok(id), "the first definition by its name");
    assert_eq!(yard.jobs.begin(wish(Some("k"), &["x"])).await, Err(Refusal::KeyOfAnother));
    assert_ne!(yard.begin(Some("k2")).await, id);
    assert_ne!(yard.begin(None).await, yard.begin(None).await);
}

#[tokio::test]
async fn names_are_the_same_in_every_process_and_in_no_other_deployment() {
    let mut yard = Yard::new();
    let id = yard.begin(Some("k")).await;
    yard.restart();
    assert_eq!(yard.begin(Some("k")).await, id);
    assert_ne!(Yard::new().begin(Some("k")).await, id);
}

#[tokio::test]
async fn who_sees_the_container_group_does_not_learn_the_id() {
    let yard = Yard::new();
    let id = yard.begin(None).await;
    yard.app.answer(Bell::Job(id)).await.unwrap();
    let (name, id) = (yard.fleet.name(), id.to_string());
    let digits = name.strip_prefix("fanin-").unwrap();
    assert!(digits.len() == 24 && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
    assert!((0..=24 - 6).all(|at| !id.contains(&digits[at..at + 6])), "{name} and {id}");
}

#[tokio::test]
async fn what_may_not_be_asked_for_is_refused() {
    let yard = Yard::new();
    let asked = |definition: &str, args: &[&str]| {
        let definition = Some(definition.to_owned());
        yard.jobs.begin(Wish { definition, ..wish(None, args) })
    };
    assert_eq!(asked("nothing", &[]).await, Err(Refusal::Unknown));
    assert_eq!(asked("migrate", &[]).await, Err(Refusal::NeedsPush));
    assert!(asked("report", &["x"]).await.is_ok());
}

#[tokio::test]
async fn a_push_has_one_job_for_each_place_whatever_asks_for_it() {
    let yard = Yard::new();
    let run = async |job: PushJob<'_>| yard.jobs.run(job).await.unwrap();
    for _ in 0..3 {
        assert!(matches!(run(of_push(push('1'))).await, JobProgress::Going { .. }));
    }
    assert_eq!(yard.fleet.changes(), ["create migrate r.azurecr.io/app@sha256:0"]);
    run(PushJob { resource_group: "RG", ..of_push(push('1')) }).await;
    assert_eq!(yard.fleet.count(), 1, "names in Azure are without case");
    run(of_push(push('2'))).await;
    run(PushJob { resource_group: "rg-we", ..of_push(push('1')) }).await;
    assert_eq!(yard.fleet.count(), 3);
}

#[tokio::test]
async fn the_job_of_a_push_tells_how_it_goes_and_how_it_ended() {
    let yard = Yard::new();
    let run =
        async |begun: bool| yard.jobs.run(PushJob { begun, ..of_push(push('1')) }).await.unwrap();
    yard.fleet.refuses("create", "no room");
    let waits = run(false).await;
    assert!(
        matches!(&waits, JobProgress::Going { state, .. } if state == "job queued: no room"),
        "{waits:?}"
    );
    yard.pass(MINUTE);
    let running = run(true).await;
    assert!(
        matches!(&running, JobProgress::Going { after, state }
            if state == "job running" && *after == 6 * SECOND),
        "{running:?}"
    );
    yard.fleet.ends(4);
    yard.pass(MINUTE);
    let ended = JobProgress::Ended { succeeded: false, result: "exit code 4".to_owned() };
    assert_eq!(run(true).await, ended);
    assert_eq!(run(true).await, ended);
}

#[tokio::test]
async fn a_job_that_is_not_kept_any_more_is_not_begun_again() {
    let yard = Yard::new();
    let begun = PushJob { begun: true, ..of_push(push('1')) };
    assert_eq!(yard.jobs.run(begun).await, Ok(JobProgress::Gone));
    assert_eq!(yard.fleet.count(), 0);
}

#[tokio::test]
async fn jobs_are_purged_when_they_are_old_and_have_no_work_left() {
    let yard = Yard::new();
    let id = yard.begin(None).await;
    yard.app.answer(Bell::Job(id)).await.unwrap();
    yard.pass(31 * DAY);
    assert_eq!(yard.jobs.purge(30 * DAY, MINUTE).await, Ok(0), "it runs");
    yard.fleet.writes("x");
    yard.fleet.ends(0);
    yard.pump().await;
    yard.pass(TTL);
    yard.pump().await;
    assert_eq!(yard.jobs.purge(30 * DAY, MINUTE).await, Ok(0), "it has just ended");
    yard.pass(30 * DAY);
    assert_eq!(yard.jobs.purge(30 * DAY, MINUTE).await, Ok(1));
    let kinds: BTreeSet<String> = yard.keys().iter().map(|key| key[..2].to_owned()).collect();
    assert_eq!(kinds, BTreeSet::from(["k:".to_owned()]));
    assert!(yard.jobs.find(id).await.unwrap().is_none());
}
