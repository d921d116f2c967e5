//! Starts a container for the pushed image, once for each push, and tells how it ended.

use super::aci::image::Wanted;
use super::text::clean;
use crate::config::{self, JobImage, Pin};
use crate::ports::{JobProgress, Parcel, PushJob, RunsJobs, Sink};
use async_trait::async_trait;
use fan_in::{Attempt, NoticeKind};
use std::sync::Arc;

/// What is left for the next step: there is a job.
const BEGUN: &str = "begun";

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
            begun: parcel.claim.progress.is_some(),
        };
        match self.jobs.run(wanted).await {
            Ok(progress) => attempt(progress),
            Err(error) => Attempt::Refused { error: error.to_string(), retry_after: None },
        }
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
