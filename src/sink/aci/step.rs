//! One step of a deployment: as much as fits into its time.

use super::AciUpdate;
use super::health::{Health, Restarts, look, restarts};
use super::image::Wanted;
use super::plan::{Plan, plan};
use super::progress::{Phase, Progress};
use crate::azure::group::Group;
use crate::azure::{ArmError, Operation, Progress as Told, Until};
use crate::limits::{OPERATION_PAUSE, OPERATION_PAUSE_MIN, OPERATION_WITHIN, TRANSITION_PAUSE};
use crate::ports::Parcel;
use fan_in::time::Spoken;
use fan_in::{Attempt, NoticeKind, Timestamp};
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between two looks at the containers.
const LOOK_EVERY: Duration = Duration::from_secs(10);

pub(super) struct Step<'a> {
    sink: &'a AciUpdate,
    wanted: &'a Wanted,
    parcel: Parcel<'a>,
    begun: Instant,
}

/// How it goes on.
enum Next {
    At(Progress),
    /// After a while.
    Later {
        after: Duration,
        progress: Progress,
        result: String,
    },
    Over(Attempt),
}

impl<'a> Step<'a> {
    pub(super) fn new(sink: &'a AciUpdate, wanted: &'a Wanted, parcel: Parcel<'a>) -> Self {
        Self { sink, wanted, parcel, begun: Instant::now() }
    }

    pub(super) async fn run(self) -> Attempt {
        let kept = self.parcel.claim.progress.as_deref();
        let mut next = match Progress::read(kept, &self.wanted.mark) {
            Some(progress) => Next::At(progress),
            None => self.begin().await,
        };
        loop {
            next = match next {
                Next::Over(attempt) => return attempt,
                Next::Later { after, progress, result } => {
                    if !self.has_time_for(after) {
                        let progress = progress.write();
                        return Attempt::Ongoing { after, progress, result: Some(result) };
                    }
                    sleep(after).await;
                    Next::At(progress)
                }
                Next::At(progress) => self.go_on(progress).await,
            };
        }
    }

    /// A pause fits when there is time for a question after it.
    fn has_time_for(&self, pause: Duration) -> bool {
        self.begun.elapsed() + pause + self.sink.timeout / 8 < self.sink.timeout
    }

    fn reading(&self) -> Until {
        Until::answer(self.begun + self.sink.timeout)
    }

    /// A write goes out within the step's time or not at all, since the guard of the target is ours for little
    /// longer; its answer is worth a wait.
    fn writing(&self) -> Until {
        let send = self.begun + self.sink.timeout;
        Until { send, answer: send + self.sink.timeout / 2 }
    }

    fn now(&self) -> Timestamp {
        self.parcel.now + self.begun.elapsed()
    }

    fn group(&self) -> &'a str {
        &self.sink.settings.container_group
    }

    /// Nothing is known: look, and do what is to be done.
    async fn begin(&self) -> Next {
        let shown = match self.sink.groups.get(self.group(), self.reading()).await {
            Ok(shown) => shown,
            Err(error) => return failed(error),
        };
        let ip = shown.as_ref().and_then(|shown| Group::new(shown).ip()).map(str::to_owned);
        match plan(self.sink.source(), self.wanted, shown.as_ref()) {
            Plan::Hopeless(error) => Next::Over(Attempt::Hopeless { error }),
            Plan::Wait(error) => {
                Next::Over(Attempt::Refused { error, retry_after: Some(TRANSITION_PAUSE) })
            }
            Plan::Elsewhere(result) => {
                Next::Over(Attempt::Accepted { result: Some(result), tells: None })
            }
            Plan::Underway => self.updating(Operation::Resource, OPERATION_PAUSE, None),
            Plan::Nothing => self.nothing(),
            Plan::Put(document) => self.put(&document, ip).await,
        }
    }

    /// Somebody may have made this very update and not come back to tell: then the containers are still to be
    /// looked at.
    fn nothing(&self) -> Next {
        if self.parcel.claim.repeat {
            return Next::At(self.watching(None));
        }
        Next::Over(Attempt::Accepted {
            result: Some(format!("nothing to change: already runs {}", self.wanted.image())),
            tells: Some(NoticeKind::Deployed),
        })
    }

    async fn put(&self, document: &Value, ip: Option<String>) -> Next {
        match self.sink.groups.put(self.group(), document, self.writing()).await {
            Ok(started) => self.updating(started.operation, started.after, ip),
            Err(error) => failed(error),
        }
    }

    fn progress(&self, phase: Phase, ip: Option<String>) -> Progress {
        Progress { mark: self.wanted.mark.clone(), phase, ip }
    }

    fn updating(&self, operation: Operation, after: Duration, ip: Option<String>) -> Next {
        let phase = Phase::Updating { operation, since_ms: self.now().as_millis() };
        let result = "the update has begun".to_owned();
        Next::Later { after, progress: self.progress(phase, ip), result }
    }

    fn watching(&self, ip: Option<String>) -> Progress {
        let phase = Phase::Watching { since_ms: self.now().as_millis(), restarts: None };
        self.progress(phase, ip)
    }

    async fn go_on(&self, progress: Progress) -> Next {
        let since = progress.since();
        match progress.phase {
            Phase::Updating { operation, .. } => self.follow(operation, since, progress.ip).await,
            Phase::Watching { restarts, .. } => self.watch(since, restarts, progress.ip).await,
        }
    }

    async fn follow(&self, mut operation: Operation, since: Timestamp, ip: Option<String>) -> Next {
        let told = self.sink.groups.poll(self.group(), &mut operation, self.reading()).await;
        match told {
            Ok(Told::Done) => Next::At(self.watching(ip)),
            Ok(Told::Failed(error)) | Err(error) => failed(error),
            Ok(Told::Running { after }) => {
                let lasted = self.now().since(since);
                if lasted > OPERATION_WITHIN {
                    let error =
                        format!("Azure is not done with the update after {}", Spoken(lasted));
                    return Next::Over(Attempt::Refused { error, retry_after: None });
                }
                let phase = Phase::Updating { operation, since_ms: since.as_millis() };
                let result = format!("update running for {}", Spoken(lasted));
                Next::Later { after, progress: self.progress(phase, ip), result }
            }
        }
    }

    async fn watch(&self, since: Timestamp, before: Option<Restarts>, ip: Option<String>) -> Next {
        let shown = self.sink.groups.get(self.group(), self.reading()).await;
        let lasted = self.now().since(since);
        let again = |before, result| {
            let phase = Phase::Watching { since_ms: since.as_millis(), restarts: before };
            let left = self.sink.settings.watch.saturating_sub(lasted);
            let after = left.clamp(OPERATION_PAUSE_MIN, LOOK_EVERY);
            Next::Later { after, progress: self.progress(phase, ip.clone()), result }
        };
        let shown = match shown {
            Ok(Some(shown)) => shown,
            Ok(None) => {
                return told(
                    "the container group was deleted".to_owned(),
                    NoticeKind::DeployFailed,
                );
            }
            Err(ArmError::Later { sentence, .. })
                if lasted < self.sink.settings.watch + OPERATION_WITHIN =>
            {
                return again(before, format!("updated; {sentence}"));
            }
            Err(error) => {
                let said = format!("updated; how the containers are is not known: {error}");
                return told(said, NoticeKind::Deployed);
            }
        };
        let group = Group::new(&shown);
        if group.provisioning() == "Failed" {
            return failed(group.failure());
        }
        let before = before.unwrap_or_else(|| restarts(group));
        let over = lasted >= self.sink.settings.watch;
        match look(group, &before, over) {
            Health::Open(said) => {
                let (lasted, of) = (Spoken(lasted), Spoken(self.sink.settings.watch));
                again(Some(before), format!("updated; {said}, looked at for {lasted} of {of}"))
            }
            Health::Well(said) => told(said + &moved(ip.as_deref(), group), NoticeKind::Deployed),
            Health::Ill(said) => {
                told(said + &moved(ip.as_deref(), group), NoticeKind::DeployFailed)
            }
        }
    }
}

/// The update is made, whatever came of it.
fn told(result: String, kind: NoticeKind) -> Next {
    Next::Over(Attempt::Accepted { result: Some(result), tells: Some(kind) })
}

/// Azure mostly keeps the address, and promises nothing.
fn moved(before: Option<&str>, group: Group<'_>) -> String {
    match (before, group.ip()) {
        (Some(before), Some(now)) if before != now => {
            let name = if group.fqdn().is_some() { "; the DNS name is kept" } else { "" };
            format!("; IP changed from {before} to {now}{name}")
        }
        _ => String::new(),
    }
}

fn failed(error: ArmError) -> Next {
    Next::Over(match error {
        ArmError::Transitioning { sentence, after } => {
            Attempt::Refused { error: sentence, retry_after: Some(after) }
        }
        ArmError::Later { sentence, after } => {
            Attempt::Refused { error: sentence, retry_after: after }
        }
        ArmError::Unknown(error) => Attempt::Unknown { error },
        ArmError::NotFound(error) | ArmError::GiveUp(error) => Attempt::Hopeless { error },
    })
}
