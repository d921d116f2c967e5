//! The use cases, the same in both homes: an arrival is recorded, time passes, a notice is delivered, somebody
//! asks. Each loads, lets the core decide, commits state, decision and outbox in one write, and acts only then.

mod counters;
mod deliver;
mod find;
mod guard;
pub mod jobs;
mod record;
mod sweep;

pub use counters::Counters;
pub use find::Wanted;
pub use record::Recorded;
pub use sweep::Swept;

use crate::ports::{JobId, Sink, StoreError};
use crate::store::Store;
use fan_in::{Policy, Push, PushId, Retry};
use jobs::Jobs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use sweep::PurgeClock;
use tokio::sync::{Mutex, MutexGuard, Semaphore};

/// A delivery is leased for so many times the limit of one call of a sink.
const LEASE_FACTOR: u32 = 4;
/// Tries at one thing; the next tick or bell goes on.
const TRIES_MAX: u32 = 8;
/// Writers of one push in this process wait for each other, but not for long: this only spares conflicts.
const LOCKS: usize = 64;
const LOCK_WITHIN: Duration = Duration::from_millis(200);
/// Calls of one sink at a time.
const CALLS_MAX: usize = 64;

/// What the use cases work by.
#[derive(Debug)]
pub struct Parts {
    pub store: Store,
    pub policy: Policy,
    pub retry: Retry,
    /// One call of a sink takes no longer.
    pub sink_timeout: Duration,
    /// Decided pushes are kept so long.
    pub retention: Duration,
    pub sinks: Vec<Arc<dyn Sink>>,
}

#[derive(Debug)]
pub struct App {
    parts: Parts,
    jobs: Option<Arc<Jobs>>,
    locks: Vec<Mutex<()>>,
    /// Calls that each sink may have at a time, in the order of the sinks: one that hangs must not hold up the others.
    calls: Vec<Arc<Semaphore>>,
    /// All open pushes have been looked at once, with the settings of this start.
    looked_at_all: AtomicBool,
    purge_clock: PurgeClock,
    counters: Counters,
}

impl App {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let locks = (0..LOCKS).map(|_| Mutex::default()).collect();
        let calls = parts.sinks.iter().map(|_| Arc::new(Semaphore::new(CALLS_MAX))).collect();
        Self {
            parts,
            jobs: None,
            locks,
            calls,
            looked_at_all: AtomicBool::new(false),
            purge_clock: PurgeClock::default(),
            counters: Counters::default(),
        }
    }

    /// With jobs, over the same store. Without, those that are due are left to somebody else.
    #[must_use]
    pub fn with_jobs(self, jobs: Arc<Jobs>) -> Self {
        Self { jobs: Some(jobs), ..self }
    }

    #[must_use]
    pub fn jobs(&self) -> Option<&Jobs> {
        self.jobs.as_deref()
    }

    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.parts.policy
    }

    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.parts.store
    }

    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    async fn lock(&self, content: fan_in::ContentId) -> Option<MutexGuard<'_, ()>> {
        let lock = self.locks[usize::from(content.0[0]) % LOCKS].lock();
        tokio::time::timeout(LOCK_WITHIN, lock).await.ok()
    }

    /// Newer pushes of the push's tag in its registry.
    async fn newer(&self, push: &Push) -> Result<Vec<Push>, StoreError> {
        let image = &push.image;
        let Some(tag) = image.tag.as_ref().filter(|_| image.action.is_push()) else {
            return Ok(Vec::new());
        };
        let registry = image.registry.as_ref().map(fan_in::Registry::as_str);
        let order = push.order();
        let mut newer = Vec::new();
        for mark in self
            .parts
            .store
            .marks(&image.repository, tag)
            .await?
            .map(|m| m.value)
            .unwrap_or_default()
        {
            let may_be_newer =
                (mark.first_event, mark.first_seen) > (order.first_event, order.first_seen);
            if mark.push != push.id && mark.registry.as_deref() == registry && may_be_newer {
                let other = self.parts.store.push(mark.push).await?;
                newer.extend(other.map(|other| other.push).filter(|other| other.order() > order));
            }
        }
        Ok(newer)
    }
}

/// Tries at one thing while another writer is faster or the store does not answer, but not for ever.
#[derive(Default)]
struct Tries(u32);

impl Tries {
    /// Is this how it ends? If not, the next try comes after [`Tries::pause`].
    fn are_over<T>(&mut self, result: &Result<T, StoreError>) -> bool {
        self.0 += 1;
        !matches!(result, Err(StoreError::Conflict | StoreError::Unavailable(_)))
            || self.0 >= TRIES_MAX
    }

    async fn pause(&self) {
        pause(self.0).await;
    }
}

/// Waits before another try: longer after each, and by chance, so that rivals part.
async fn pause(tries: u32) {
    let most = 20_u64.saturating_mul(1 << tries.min(4)).min(200);
    tokio::time::sleep(Duration::from_millis(fastrand::u64(5..=most))).await;
}

impl App {
    /// One line for every decision, whoever is told of it.
    fn log_decision(&self, push: &Push) {
        self.counters.decision(push.status);
        tracing::info!(
            push = %push.id,
            image = %push.image,
            digest = push.image.digest.as_ref().map(fan_in::Digest::as_str),
            status = push.status.as_str(),
            missed = ?push.missed.iter().map(fan_in::Region::as_str).collect::<Vec<_>>(),
            "push decided"
        );
    }
}

/// There is something to do at once, for somebody who waits for a bell. Losing one costs time, never a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bell {
    /// Deliveries of this push have to begin.
    Push(PushId),
    /// This job has to go on.
    Job(JobId),
}

impl Bell {
    #[must_use]
    pub const fn push(self) -> Option<PushId> {
        match self {
            Self::Push(id) => Some(id),
            Self::Job(_) => None,
        }
    }
}

pub type Bells = Vec<Bell>;

impl App {
    /// Does what a bell tells. A second one at the same time finds nothing to do.
    ///
    /// # Errors
    /// [`StoreError`] when what there is to do cannot be claimed; the timer rings again.
    pub async fn answer(&self, bell: Bell) -> Result<(), StoreError> {
        match bell {
            // Boxed: each takes some KiB while it runs, which would move with whoever waits for it.
            Bell::Push(id) => Box::pin(self.deliver(id)).await,
            Bell::Job(id) => match &self.jobs {
                Some(jobs) => Box::pin(jobs.advance(id)).await,
                None => Ok(()),
            },
        }
    }
}
