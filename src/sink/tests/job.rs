use super::Story;
use crate::config::{self, Allowed, JobConfig, JobImage};
use crate::ports::{JobProgress, Parcel, PushJob, RunsJobs, Sink, StoreError};
use crate::sink::job::AciJob;
use async_trait::async_trait;
use fan_in::{Action, Attempt, Glob, NoticeKind, Registry};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Says what it is told to say, and keeps what it was asked.
#[derive(Debug)]
pub(super) struct Runner {
    says: Result<JobProgress, StoreError>,
    asked: Mutex<Vec<String>>,
}

impl Runner {
    pub(super) fn new(says: Result<JobProgress, StoreError>) -> Arc<Self> {
        Arc::new(Self { says, asked: Mutex::default() })
    }
}

#[async_trait]
impl RunsJobs for Runner {
    async fn run(&self, job: PushJob<'_>) -> Result<JobProgress, StoreError> {
        let PushJob { definition, subscription, resource_group, image, begun, .. } = job;
        let line = format!("{definition} {subscription} {resource_group} {image} {begun}");
        self.asked.lock().unwrap().push(line);
        self.says.clone()
    }
}

pub(super) fn settings(image: JobImage) -> config::AciJob {
    let job = JobConfig {
        name: "migrate".to_owned(),
        subscription: "s".to_owned(),
        resource_group: "rg".to_owned(),
        image,
        command: Vec::new(),
        cpu: 1.0,
        memory_gb: 1.5,
        location: None,
        environment: Vec::new(),
        identity: None,
        ttl: Duration::from_secs(60),
        allow_args: false,
        secrets: Vec::new(),
    };
    let allowed = Allowed {
        registries: vec![Registry::parse("myregistry.azurecr.io").unwrap()],
        repositories: vec![Glob::new("hello-*")],
    };
    config::AciJob { job, allowed }
}

/// What the sink makes of a notice, and what it asked for.
async fn delivered(
    settings: config::AciJob,
    story: &Story,
    says: Result<JobProgress, StoreError>,
) -> (Attempt, Vec<String>) {
    let runner = Runner::new(says);
    let jobs: Arc<dyn RunsJobs> = Arc::<Runner>::clone(&runner);
    let sink = AciJob::new("job".to_owned(), settings, jobs);
    assert!(sink.deploys() && sink.target(&story.push.image).is_none());
    let attempt = sink.deliver(story.parcel()).await;
    let asked = runner.asked.lock().unwrap().clone();
    (attempt, asked)
}

fn going() -> Result<JobProgress, StoreError> {
    let after = Duration::from_secs(10);
    Ok(JobProgress::Going { after, state: "job running".to_owned() })
}

#[tokio::test]
async fn a_job_runs_the_pushed_image_by_its_digest_or_the_one_of_the_settings() {
    let mut story = Story::completed();
    let digest = story.push.image.digest.clone().unwrap();
    let pushed = format!("myregistry.azurecr.io/hello-world@{}", digest.as_str());
    let (attempt, asked) = delivered(settings(JobImage::Pushed), &story, going()).await;
    assert_eq!(asked, [format!("migrate s rg {pushed} false")]);
    let Attempt::Ongoing { after, progress, result } = attempt else { panic!("{attempt:?}") };
    assert_eq!((after.as_secs(), result.as_deref()), (10, Some("job running")));

    story.claim.progress = progress;
    let fixed = settings(JobImage::Fixed("r.io/tool:1".to_owned()));
    let (_, asked) = delivered(fixed, &story, going()).await;
    assert_eq!(asked, ["migrate s rg r.io/tool:1 true"], "the job is there");
}

#[tokio::test]
async fn only_what_is_allowed_runs() {
    let story = Story::completed();
    let mut other_registry = settings(JobImage::Pushed);
    other_registry.allowed.registries = vec![Registry::parse("other.azurecr.io").unwrap()];
    let mut other_repository = settings(JobImage::Pushed);
    other_repository.allowed.repositories = vec![Glob::new("shop/*")];
    let mut chart = Story::completed();
    chart.push.image.action = Action::ChartPush;
    for (settings, story) in [
        (other_registry, &story),
        (other_repository, &story),
        (settings(JobImage::Pushed), &chart),
        (settings(JobImage::Pushed), &Story::completed().deleted()),
    ] {
        let (attempt, asked) = delivered(settings, story, going()).await;
        assert!(matches!(attempt, Attempt::Hopeless { .. }), "{attempt:?}");
        assert!(asked.is_empty());
    }
}

#[tokio::test]
async fn how_a_job_ends_is_told() {
    let story = Story::completed();
    let ended = async |succeeded: bool, result: &str| {
        let says = JobProgress::Ended { succeeded, result: result.to_owned() };
        delivered(settings(JobImage::Pushed), &story, Ok(says)).await.0
    };
    let told = |result: &str, kind| Attempt::Accepted {
        result: Some(result.to_owned()),
        tells: Some(kind),
    };
    assert_eq!(ended(true, "exit code 0").await, told("exit code 0", NoticeKind::JobSucceeded));
    assert_eq!(ended(false, "a\nb").await, told("a b", NoticeKind::JobFailed));
    let (gone, _) = delivered(settings(JobImage::Pushed), &story, Ok(JobProgress::Gone)).await;
    assert!(matches!(gone, Attempt::Accepted { tells: None, .. }), "{gone:?}");
    let away = Err(StoreError::Unavailable("x".to_owned()));
    let (away, _) = delivered(settings(JobImage::Pushed), &story, away).await;
    assert!(matches!(away, Attempt::Unknown { .. }), "it may be kept: {away:?}");
}

#[tokio::test]
async fn once_a_newer_push_is_everywhere_a_job_is_followed_and_not_begun() {
    let story = Story::completed();
    let outdated = async |says: JobProgress| {
        let runner = Runner::new(Ok(says));
        let jobs: Arc<dyn RunsJobs> = Arc::<Runner>::clone(&runner);
        let sink = AciJob::new("job".to_owned(), settings(JobImage::Pushed), jobs);
        let attempt = sink.deliver(Parcel { outdated: true, ..story.parcel() }).await;
        assert!(runner.asked.lock().unwrap()[0].ends_with(" true"), "nothing may begin");
        attempt
    };
    let gone = outdated(JobProgress::Gone).await;
    let superseded = Some("superseded".to_owned());
    assert_eq!(gone, Attempt::Accepted { result: superseded, tells: None });
    let ended = JobProgress::Ended { succeeded: true, result: "exit code 0".to_owned() };
    let result = Some("exit code 0".to_owned());
    let tells = Some(NoticeKind::JobSucceeded);
    assert_eq!(outdated(ended).await, Attempt::Accepted { result, tells });
}
