//! Jobs: container groups that run once. A definition is what stands in the settings; a job is one run of it.
//!
//! A job is written down before anything is asked of Azure, and every step is claimed by a conditional write that
//! leases it. So a message that comes again finds nothing to do, and of two processes one acts.

mod begin;
mod purge;
mod step;

pub use begin::{Refusal, Wish};

use super::Tries;
use crate::keys::{self, Key};
use crate::ports::{Containers, JobId, JobProgress, PushJob, RunsJobs, StoreError};
use crate::store::{Job, Store, Stored};
use async_trait::async_trait;
use fan_in::Timestamp;
use fan_in::mutant::{self, Mutant};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// Whoever is told that there is something to do for a job has so long until somebody is told again.
const HOLD: Duration = Duration::from_secs(30);
/// A sink asks again how its job goes after this time, at the least and at the most.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// What the settings say of a job, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    pub name: String,
    /// None: the pushed one.
    pub image: Option<String>,
    /// It has a command that arguments can follow, and they may.
    pub takes_args: bool,
    /// The container group is kept so long after the end.
    pub ttl: Duration,
    pub subscription: String,
    pub resource_group: String,
}

/// What jobs are run by.
#[derive(Clone, Debug)]
pub struct Parts {
    pub store: Store,
    pub containers: Arc<dyn Containers>,
    /// The first is what runs when none is named.
    pub definitions: Vec<Definition>,
    /// One step begins no change after this time.
    pub timeout: Duration,
}

#[derive(Debug)]
pub struct Jobs {
    parts: Parts,
    key: OnceCell<Key>,
}

impl Jobs {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts, key: OnceCell::new() }
    }

    /// The key that names are made under: one for all processes, for ever.
    async fn key(&self) -> Result<&Key, StoreError> {
        let find = || async {
            let fresh = keys::random().map_err(|error| {
                StoreError::Unavailable(format!("the machine has no random numbers: {error}"))
            })?;
            let mut tries = Tries::default();
            loop {
                let key = self.parts.store.key_of_names(&Key::new(fresh)).await;
                if tries.are_over(&key) {
                    return key;
                }
                tries.pause().await;
            }
        };
        self.key.get_or_try_init(find).await
    }

    /// A job and the end of what its container wrote.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn find(&self, id: JobId) -> Result<Option<(Job, Option<String>)>, StoreError> {
        let Some(Stored { value: job, .. }) = self.parts.store.job(id).await? else {
            return Ok(None);
        };
        let log = if job.has_log { self.parts.store.job_log(id).await? } else { None };
        Ok(Some((job, log)))
    }

    /// Is there something to do for the job whose marker was due at that time? Whoever asks tells somebody, and
    /// nobody is told again for a while.
    pub(super) async fn ring(&self, at: Timestamp, id: JobId) -> Result<bool, StoreError> {
        let mut tries = Tries::default();
        loop {
            let rung = self.try_to_ring(at, id).await;
            if tries.are_over(&rung) {
                return rung;
            }
            tries.pause().await;
        }
    }

    async fn try_to_ring(&self, at: Timestamp, id: JobId) -> Result<bool, StoreError> {
        let store = &self.parts.store;
        // The first tick of a process asks about everything.
        if at > store.now() {
            return Ok(false);
        }
        let Some(stored) = store.job(id).await? else {
            tracing::error!(job = %id, "work is due for a job that is not kept; its marker is removed");
            store.remove_marker(at, id.into()).await?;
            return Ok(false);
        };
        let now = store.now();
        if stored.value.due().is_none_or(|due| due > now) {
            return Ok(false);
        }
        if mutant::is(Mutant::JobRungWithoutHold) {
            return Ok(true);
        }
        let held = Job { lease: None, hold_until: now + HOLD, ..stored.value.clone() };
        store.save_job(&stored, held, None).await?;
        Ok(true)
    }
}

#[async_trait]
impl RunsJobs for Jobs {
    async fn run(&self, wanted: PushJob<'_>) -> Result<JobProgress, StoreError> {
        let id = self.begin_for_push(wanted).await?;
        self.advance(id).await?;
        let Some(Stored { value: job, .. }) = self.parts.store.job(id).await? else {
            return Ok(JobProgress::Gone);
        };
        if job.state.has_ended() {
            return Ok(JobProgress::Ended {
                succeeded: job.state == crate::store::JobState::Succeeded,
                result: result(&job),
            });
        }
        let (least, most) = ASK_AGAIN;
        let next = job.next_at.filter(|_| job.lease.is_none()).unwrap_or(Timestamp::ZERO);
        let after = next.since(self.parts.store.now());
        let state = match &job.error {
            Some(error) => format!("job {}: {error}", job.state.as_str()),
            None => format!("job {}", job.state.as_str()),
        };
        Ok(JobProgress::Going { after: after.clamp(least, most), state })
    }
}

/// How a job has ended, in a few words.
fn result(job: &Job) -> String {
    match (job.exit_code, &job.error) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(error)) => error.clone(),
        (None, None) => "no exit code".to_owned(),
    }
}
