//! Starts a container for the pushed image, once for each push, and tells how it ended.

use super::aci::image::Wanted;
use crate::config::{self, JobImage, Pin};
use crate::ports::{JobProgress, Parcel, PushJob, RunsJobs, Sink, StoreError};
use crate::redact::clean;
use async_trait::async_trait;
use fan_in::{Attempt, NoticeKind};
use std::sync::Arc;
use std::time::Duration;

/// What is left for the next step: there is a job.
const BEGUN: &str = "begun";
/// When the store does not answer.
const ASK_AGAIN: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub struct AciJob {
    name: String,
    settings: config::AciJob,
    jobs: Arc<dyn RunsJobs>,
}

impl AciJob {
    #[must_use]
    pub fn new(name: String, settings: config::AciJob, jobs: Arc<dyn RunsJobs>) -> Self {
        Self { name, settings, jobs }
    }
}

#[async_trait]
impl Sink for AciJob {
    fn name(&self) -> &str {
        &self.name
    }

    fn deploys(&self) -> bool {
        true
    }

    fn follows(&self) -> bool {
        true
    }

    async fn deliver(&self, parcel: Parcel<'_>) -> Attempt {
        let config::AciJob { job, allowed } = &self.settings;
        let pushed = match Wanted::of(parcel.push, Pin::Digest, allowed) {
            Ok(wanted) => wanted.image(),
            Err(error) => return Attempt::Hopeless { error },
        };
        let image = match &job.image {
            JobImage::Fixed(image) => image,
            JobImage::Pushed => &pushed,
        };
        let wanted = PushJob {
            push: parcel.push.id,
            definition: &job.name,
            subscription: &job.subscription,
            resource_group: &job.resource_group,
            image,
            begun: parcel.claim.progress.is_some() || parcel.outdated,
        };
        match self.jobs.run(wanted).await {
            Ok(JobProgress::Gone) if parcel.outdated => {
                Attempt::Accepted { result: Some("superseded".to_owned()), tells: None }
            }
            Ok(progress) => attempt(progress),
            Err(error) => not_asked(&error, parcel),
        }
    }
}

/// What has begun is asked after another time, for as long as that takes.
fn not_asked(error: &StoreError, parcel: Parcel<'_>) -> Attempt {
    let passes = matches!(error, StoreError::Conflict | StoreError::Unavailable(_));
    let result = Some(error.to_string());
    match parcel.claim.progress.clone().filter(|_| passes) {
        Some(progress) => Attempt::Ongoing { after: ASK_AGAIN, progress: Some(progress), result },
        // It may be kept, and only its answer lost.
        None if passes => Attempt::Unknown { error: error.to_string() },
        None => Attempt::Refused { error: error.to_string(), retry_after: None },
    }
}

fn attempt(progress: JobProgress) -> Attempt {
    match progress {
        JobProgress::Going { after, state } => Attempt::Ongoing {
            after,
            progress: Some(BEGUN.to_owned()),
            result: Some(clean(&state)),
        },
        JobProgress::Ended { succeeded, result } => {
            let kind = if succeeded { NoticeKind::JobSucceeded } else { NoticeKind::JobFailed };
            Attempt::Accepted { result: Some(clean(&result)), tells: Some(kind) }
        }
        JobProgress::Gone => Attempt::Accepted {
            result: Some("the job is not kept any more".to_owned()),
            tells: None,
        },
    }
}
