//! A job as it is kept, and its row.

use super::row::{broken, to_json};
use crate::ports::{Group, JobId, StoreError};
use fan_in::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Nothing has been asked of Azure, or it refused.
    Queued,
    /// Azure may have been asked to make the container group.
    Starting,
    /// The group is there, or was: it is never made again.
    Running,
    Succeeded,
    Failed,
}

impl JobState {
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

/// One run of a definition. All changes are made under the version that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub id: JobId,
    pub definition: String,
    pub image: String,
    pub args: Vec<String>,
    pub group: Group,
    /// Of the request that it was started by; empty for a push's.
    pub fingerprint: String,
    pub state: JobState,
    pub exit_code: Option<i64>,
    /// What went wrong, or what is waited for.
    pub error: Option<String>,
    pub created: Timestamp,
    pub ended: Option<Timestamp>,
    /// The container group is kept so long after the end.
    pub ttl: Duration,
    /// When there is something to do for it; never again when there is nothing.
    pub next_at: Option<Timestamp>,
    /// Until then nobody is told again that there is something to do.
    pub hold_until: Timestamp,
    /// Somebody is at it; if nothing is heard of him until then, he is gone.
    pub lease: Option<Timestamp>,
    /// Failures in a row, and since when.
    pub failures: u32,
    pub failing_since: Option<Timestamp>,
    pub has_log: bool,
}

impl Job {
    /// When its marker is due.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        let next = self.next_at?;
        Some(self.lease.unwrap_or_else(|| next.max(self.hold_until)))
    }

    /// May somebody do what there is to do? The first time at any time: whoever is told of a job may have a clock
    /// that is behind the one of its writer.
    #[must_use]
    pub fn is_claimable(&self, now: Timestamp) -> bool {
        let Some(next) = self.next_at else { return false };
        let is_first = self.state == JobState::Queued && self.failures == 0;
        match self.lease {
            Some(until) => until <= now,
            None => next <= now || is_first,
        }
    }
}

#[derive(Deserialize, Serialize)]
struct JobDoc {
    definition: String,
    image: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    args: Vec<String>,
    group: GroupDoc,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    fingerprint: String,
    state: JobState,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    created: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<i64>,
    ttl_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<i64>,
    #[serde(default)]
    hold_until: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<i64>,
    #[serde(default)]
    failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<i64>,
    #[serde(default)]
    has_log: bool,
}

#[derive(Deserialize, Serialize)]
struct GroupDoc {
    subscription: String,
    resource_group: String,
    name: String,
}

pub(crate) fn write(job: &Job) -> Result<String, StoreError> {
    let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    to_json(&JobDoc {
        definition: job.definition.clone(),
        image: job.image.clone(),
        args: job.args.clone(),
        group: GroupDoc {
            subscription: job.group.subscription.clone(),
            resource_group: job.group.resource_group.clone(),
            name: job.group.name.clone(),
        },
        fingerprint: job.fingerprint.clone(),
        state: job.state,
        exit_code: job.exit_code,
        error: job.error.clone(),
        created: job.created.as_millis(),
        ended: millis(job.ended),
        ttl_ms: u64::try_from(job.ttl.as_millis()).unwrap_or(u64::MAX),
        next_at: millis(job.next_at),
        hold_until: job.hold_until.as_millis(),
        lease: millis(job.lease),
        failures: job.failures,
        failing_since: millis(job.failing_since),
        has_log: job.has_log,
    })
}

pub(crate) fn read(id: JobId, doc: &str) -> Result<Job, StoreError> {
    let doc: JobDoc = serde_json::from_str(doc).map_err(|_| broken("not the JSON of a job"))?;
    let at = |millis: Option<i64>| millis.map(Timestamp::from_millis);
    let GroupDoc { subscription, resource_group, name } = doc.group;
    Ok(Job {
        id,
        definition: doc.definition,
        image: doc.image,
        args: doc.args,
        group: Group { subscription, resource_group, name },
        fingerprint: doc.fingerprint,
        state: doc.state,
        exit_code: doc.exit_code,
        error: doc.error,
        created: Timestamp::from_millis(doc.created),
        ended: at(doc.ended),
        ttl: Duration::from_millis(doc.ttl_ms),
        next_at: at(doc.next_at),
        hold_until: Timestamp::from_millis(doc.hold_until),
        lease: at(doc.lease),
        failures: doc.failures,
        failing_since: at(doc.failing_since),
        has_log: doc.has_log,
    })
}

/// The row `l:`.
#[derive(Deserialize, Serialize)]
struct LogDoc {
    log: String,
}

pub(super) fn write_log(log: &str) -> Result<String, StoreError> {
    to_json(&LogDoc { log: log.to_owned() })
}

pub(super) fn read_log(doc: &str) -> Result<String, StoreError> {
    let LogDoc { log } =
        serde_json::from_str(doc).map_err(|_| broken("not the JSON of a job's log"))?;
    Ok(log)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::store) fn job(id: u8) -> Job {
        let at = Timestamp::from_millis;
        Job {
            id: JobId([id; 16]),
            definition: "migrate".to_owned(),
            image: "r.azurecr.io/app@sha256:0".to_owned(),
            args: vec!["--all".to_owned()],
            group: Group {
                subscription: "s".to_owned(),
                resource_group: "rg".to_owned(),
                name: "fanin-x".to_owned(),
            },
            fingerprint: "f".to_owned(),
            state: JobState::Queued,
            exit_code: None,
            error: None,
            created: at(1_000),
            ended: None,
            ttl: Duration::from_secs(60),
            next_at: Some(at(1_000)),
            hold_until: at(31_000),
            lease: None,
            failures: 0,
            failing_since: None,
            has_log: false,
        }
    }

    #[test]
    fn a_job_reads_back_what_it_writes() {
        let queued = job(1);
        let at = |millis| Some(Timestamp::from_millis(millis));
        let ended = Job {
            state: JobState::Failed,
            exit_code: Some(-1),
            error: Some("x".to_owned()),
            ended: at(2),
            next_at: None,
            lease: at(3),
            failures: 4,
            failing_since: at(5),
            has_log: true,
            ..queued.clone()
        };
        for job in [queued, ended] {
            assert_eq!(read(job.id, &write(&job).unwrap()), Ok(job));
        }
        for odd in ["", "{}", "[]", "7"] {
            assert!(read(JobId([0; 16]), odd).is_err() && read_log(odd).is_err(), "{odd}");
        }
        assert_eq!(read_log(&write_log("a\0ü").unwrap()).unwrap(), "a\0ü");
    }

    #[test]
    fn a_job_is_due_when_its_lease_or_its_pause_is_over() {
        let at = Timestamp::from_millis;
        let mut job = job(1);
        assert_eq!(job.due(), Some(at(31_000)), "somebody has been told of it");
        assert!(job.is_claimable(at(0)), "whoever was told may have a clock that is behind");
        job.failures = 1;
        assert!(!job.is_claimable(at(999)) && job.is_claimable(at(1_000)));
        job.lease = Some(at(5_000));
        assert_eq!(job.due(), Some(at(5_000)));
        assert!(!job.is_claimable(at(4_999)) && job.is_claimable(at(5_000)));
        job.next_at = None;
        assert_eq!(job.due(), None);
        assert!(!job.is_claimable(at(i64::MAX)));
    }
}
