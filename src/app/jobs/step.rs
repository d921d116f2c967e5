//! One step of a job: claim, act, write down.

use super::Jobs;
use crate::app::{LEASE_FACTOR, Tries, pause};
use crate::limits::{JOB_LOG_MAX, TEXT_CHARS_MAX, cut, tail};
use crate::ports::{JobId, Order, Seen, StoreError, Trouble, Window};
use crate::store::{Job, JobState, Stored};
use fan_in::Timestamp;
use fan_in::mutant::{self, Mutant};
use std::time::Duration;
use tokio::time::Instant;

/// What goes wrong for longer is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(86_400);
/// A container group that cannot be deleted costs money and quota, so that we try for longer.
const DELETE_WITHIN: Duration = Duration::from_secs(7 * 86_400);
/// The pauses after failures in a row; the last one from then on.
const PAUSES_SECONDS: [u64; 7] = [10, 30, 60, 120, 300, 600, 1_800];
/// A container is looked at after this time, and less often the longer it runs.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));
/// Azure may not find for a moment what it has just made: so often it must be absent to be gone.
const GONE_AFTER: u32 = 3;

/// What a step comes to: the job afterwards, and a new log if there is one.
type Stepped = (Job, Option<String>);

impl Jobs {
    /// Does what there is to do for a job now. A second call at the same time finds nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the step cannot be claimed. A result that cannot be written down is found again when
    /// the lease is over.
    pub async fn advance(&self, id: JobId) -> Result<(), StoreError> {
        let Some((claimed, window)) = self.claim(id).await? else { return Ok(()) };
        let before = claimed.value.clone();
        let (after, log) = self.step(before.clone(), window).await;
        tell(&before, &after);
        let after =
            Job { lease: None, error: after.error.map(|e| cut(&e, TEXT_CHARS_MAX)), ..after };
        if let Err(error) = self.write_down(&claimed, &after, log.as_deref()).await {
            tracing::error!(job = %id, %error, "the result of a step is lost; the job is looked at again");
        }
        Ok(())
    }

    async fn claim(&self, id: JobId) -> Result<Option<(Stored<Job>, Window)>, StoreError> {
        let mut tries = Tries::default();
        loop {
            let claimed = self.try_to_claim(id).await;
            if tries.are_over(&claimed) {
                return claimed;
            }
            tries.pause().await;
        }
    }

    /// Nothing is changed in Azure after the window, which is over long before the lease is.
    async fn try_to_claim(&self, id: JobId) -> Result<Option<(Stored<Job>, Window)>, StoreError> {
        let (store, timeout) = (&self.parts.store, self.parts.timeout);
        let Some(stored) = store.job(id).await? else { return Ok(None) };
        let begun = Instant::now();
        let now = store.now();
        if !stored.value.is_claimable(now) {
            return Ok(None);
        }
        let mut job = stored.value.clone();
        job.lease = (!mutant::is(Mutant::JobNotLeased)).then(|| now + self.lease());
        job.hold_until = Timestamp::ZERO;
        if job.state == JobState::Queued {
            job.state = JobState::Starting;
        }
        let claimed = store.save_job(&stored, job, None).await?;
        let window = Window { send: begun + timeout, answer: begun + timeout * 2 };
        Ok(Some((claimed, window)))
    }

    fn lease(&self) -> Duration {
        self.parts.timeout * LEASE_FACTOR
    }

    async fn step(&self, job: Job, window: Window) -> Stepped {
        match job.state {
            JobState::Queued | JobState::Starting => self.start(job, window).await,
            JobState::Running => self.look(job, window).await,
            JobState::Succeeded | JobState::Failed => (self.delete(job, window).await, None),
        }
    }

    /// The group is made only if it is not there: an earlier try whose answer was lost may have made it.
    async fn start(&self, job: Job, window: Window) -> Stepped {
        let (containers, now) = (&self.parts.containers, self.parts.store.now());
        match containers.look(&job.group, window).await {
            Ok(Seen::Absent) => {}
            _ if mutant::is(Mutant::JobMadeWithoutLooking) => {}
            Ok(seen) => return self.seen(job, seen, window).await,
            // A right to look can be given back, and the group may be there.
            Err(Trouble::GiveUp { error }) => {
                let trouble = Trouble::Later { error, after: None };
                return (self.not_started(job, trouble, now), None);
            }
            Err(trouble) => return (self.not_started(job, trouble, now), None),
        }
        let order = Order { definition: &job.definition, image: &job.image, args: &job.args };
        match containers.create(&job.group, order, window).await {
            Ok(()) => (going(job, now), None),
            Err(trouble) => (self.not_started(job, trouble, now), None),
        }
    }

    fn not_started(&self, mut job: Job, trouble: Trouble, now: Timestamp) -> Job {
        match trouble {
            Trouble::GiveUp { error } => {
                return ended(job, JobState::Failed, None, Some(error), now);
            }
            Trouble::Later { error, after } => {
                job = later(job, error, after.unwrap_or_default(), now);
                job.state = JobState::Queued;
            }
            // The request may still be on its way: it must have come to its end before the group is looked for.
            Trouble::Unknown { error } => {
                job = later(job, error, self.lease(), now);
                if mutant::is(Mutant::JobTriedTooSoon) {
                    job.next_at = Some(now);
                }
            }
        }
        if fails_for(&job, now) < GIVE_UP_AFTER {
            return job;
        }
        let error = job.error.take().unwrap_or_default();
        ended(job, JobState::Failed, None, Some(format!("given up after a day: {error}")), now)
    }

    async fn look(&self, job: Job, window: Window) -> Stepped {
        match self.parts.containers.look(&job.group, window).await {
            Ok(seen) => self.seen(job, seen, window).await,
            Err(trouble) => (unseen(job, trouble, self.parts.store.now()), None),
        }
    }

    async fn seen(&self, job: Job, seen: Seen, window: Window) -> Stepped {
        let now = self.parts.store.now();
        let (exit_code, error) = match seen {
            Seen::Absent
                if absences(&job) + 1 < GONE_AFTER && !mutant::is(Mutant::JobGoneAtOnce) =>
            {
                let job = Job { failures: absences(&job), ..job };
                return (later(job, GONE.to_owned(), Duration::ZERO, now), None);
            }
            Seen::Absent => {
                return (ended(job, JobState::Failed, None, Some(GONE.to_owned()), now), None);
            }
            Seen::Going => {
                let log = self.log(&job, window).await.unwrap_or_default();
                return (going(job, now), log);
            }
            Seen::Ended { exit_code, error } => (exit_code, error),
        };
        let log = match self.log(&job, window).await {
            Ok(log) => log,
            // The last lines are worth a few more tries, and no more.
            Err(trouble) if job.failures + 1 < GONE_AFTER => {
                return (unseen(Job { state: JobState::Running, ..job }, trouble, now), None);
            }
            Err(_) => None,
        };
        let state = if exit_code == Some(0) { JobState::Succeeded } else { JobState::Failed };
        (ended(job, state, exit_code, error, now), log)
    }

    /// The end of the log, if it is another one than before.
    async fn log(&self, job: &Job, window: Window) -> Result<Option<String>, Trouble> {
        let Some(log) = self.parts.containers.log(&job.group, window).await? else {
            return Ok(None);
        };
        let log = tail(&log, JOB_LOG_MAX);
        let known = if job.has_log { self.parts.store.job_log(job.id).await } else { Ok(None) };
        let is_known = known.ok().flatten().is_some_and(|known| known == log);
        Ok((!is_known).then(|| log.to_owned()))
    }

    async fn delete(&self, mut job: Job, window: Window) -> Job {
        let now = self.parts.store.now();
        let trouble = match self.parts.containers.delete(&job.group, window).await {
            Ok(()) => {
                job.next_at = None;
                return job;
            }
            Err(trouble) => trouble,
        };
        // What the job has come to stays what is shown of it.
        let error = job.error.clone();
        let (why, after) = reason(trouble);
        job = later(job, why.clone(), after, now);
        job.error = error;
        if fails_for(&job, now) >= DELETE_WITHIN {
            tracing::error!(job = %job.id, group = job.group.name, why, "a job's container group is left behind; delete it");
            job.next_at = None;
        } else {
            tracing::warn!(job = %job.id, group = job.group.name, why, "a job's container group is not deleted yet");
        }
        job
    }

    /// Tries for half a lease: after that somebody else may be at it.
    async fn write_down(
        &self,
        claimed: &Stored<Job>,
        after: &Job,
        log: Option<&str>,
    ) -> Result<(), StoreError> {
        let begun = Instant::now();
        let mut tries = 0;
        loop {
            match self.parts.store.save_job(claimed, after.clone(), log).await {
                Err(StoreError::Unavailable(_)) if begun.elapsed() < self.lease() / 2 => {}
                // Somebody else has taken the job over, or a try of ours without an answer was written.
                Err(StoreError::Conflict) => return Ok(()),
                done => return done.map(drop),
            }
            pause(tries).await;
            tries += 1;
        }
    }
}

const GONE: &str = "the container group is gone";

/// How often in a row the group was not there.
fn absences(job: &Job) -> u32 {
    if job.error.as_deref() == Some(GONE) { job.failures } else { 0 }
}

fn reason(trouble: Trouble) -> (String, Duration) {
    match trouble {
        Trouble::Later { error, after } => (error, after.unwrap_or_default()),
        Trouble::Unknown { error } | Trouble::GiveUp { error } => (error, Duration::ZERO),
    }
}

/// It runs, as far as we see: it is looked at again.
fn going(job: Job, now: Timestamp) -> Job {
    let (least, most) = LOOK_AGAIN;
    let again = (now.since(job.created) / 10).clamp(least, most);
    Job {
        state: JobState::Running,
        next_at: Some(now + again),
        error: None,
        failures: 0,
        failing_since: None,
        ..job
    }
}

fn ended(
    job: Job,
    state: JobState,
    exit_code: Option<i64>,
    error: Option<String>,
    now: Timestamp,
) -> Job {
    Job {
        state,
        exit_code,
        error,
        ended: Some(now),
        next_at: Some(now + job.ttl),
        failures: 0,
        failing_since: None,
        ..job
    }
}

/// Another try, not before `after`.
fn later(job: Job, error: String, after: Duration, now: Timestamp) -> Job {
    let at = usize::try_from(job.failures).unwrap_or(usize::MAX).min(PAUSES_SECONDS.len() - 1);
    let pause = Duration::from_secs(PAUSES_SECONDS[at]).max(after.min(GIVE_UP_AFTER));
    Job {
        next_at: Some(now + pause),
        error: Some(error),
        failures: job.failures.saturating_add(1),
        failing_since: job.failing_since.or(Some(now)),
        ..job
    }
}

/// A job that runs cannot be looked at. Permissions can be given back, so that nothing is final at once.
fn unseen(job: Job, trouble: Trouble, now: Timestamp) -> Job {
    let (error, after) = reason(trouble);
    let job = later(job, error.clone(), after, now);
    if fails_for(&job, now) < GIVE_UP_AFTER {
        return job;
    }
    let error = format!("nobody knows how it went, it could not be looked at for a day: {error}");
    ended(job, JobState::Failed, None, Some(error), now)
}

fn fails_for(job: &Job, now: Timestamp) -> Duration {
    job.failing_since.map_or(Duration::ZERO, |since| now.since(since))
}

/// One line for every change of state, and for every failure.
fn tell(before: &Job, after: &Job) {
    let (job, definition, group) = (after.id, &after.definition, &after.group.name);
    let (error, exit_code) = (after.error.as_deref(), after.exit_code);
    let state = after.state.as_str();
    if after.failures > before.failures && !after.state.has_ended() {
        tracing::warn!(%job, definition, group, state, error, "a job does not get on");
    } else if after.state != before.state {
        tracing::info!(%job, definition, group, state, exit_code, error, "job {state}");
    }
}
